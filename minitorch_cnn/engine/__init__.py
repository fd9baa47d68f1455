"""What is read: how a convolutional network computes a prediction, and how it learns from its mistake.

Everything here is a definition in plain array expressions, forward beside backward, and needs nothing but NumPy:

    layers/          one layer a file
    convolution/     one algorithm a file: naive, im2col, row_windows, winograd
    activations      losses      metrics      initializers
    passes           the chain rule: forward over the layers, backward over them in reverse
    optimizers       schedules

The faster twins of these definitions are in `minitorch_cnn/twins/`, each in a file of the same name.
"""
