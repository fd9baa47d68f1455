"""Every layer with assorted options: the table that several tests go through."""

from minitorch_cnn import layers

IMAGE = (5, 6, 3)

# name: (layer, input shape without N)
LAYERS = {
    "conv": (lambda: layers.Conv2D(4, 3), IMAGE),
    "conv, 3x2, same, relu": (lambda: layers.Conv2D(4, (3, 2), padding="same", activation="relu"), IMAGE),
    "conv, stride 2x3, tanh": (lambda: layers.Conv2D(2, (2, 3), (2, 3), "same", "tanh"), IMAGE),
    "conv, stride leaves a row": (lambda: layers.Conv2D(2, 2, 3, activation="sigmoid"), IMAGE),
    "conv, padding of each side, no bias": (
        lambda: layers.Conv2D(3, (2, 3), padding=((2, 0), (0, 1)), use_bias=False),
        IMAGE,
    ),
    "conv, 1x1, softmax": (lambda: layers.Conv2D(3, 1, activation="softmax"), (3, 2, 4)),
    "conv, naive": (lambda: layers.Conv2D(3, (2, 3), 2, padding=1, activation="relu", algorithm="naive"), (4, 5, 2)),
    "conv, frozen": (lambda: layers.Conv2D(4, (3, 2), activation="tanh", trainable=False), IMAGE),
    "dense": (lambda: layers.Dense(4), (7,)),
    "dense, relu, no bias": (lambda: layers.Dense(5, "relu", use_bias=False), (7,)),
    "dense, softmax": (lambda: layers.Dense(4, "softmax"), (3,)),
    "dense, one sigmoid": (lambda: layers.Dense(1, "sigmoid"), (6,)),
    "dense, frozen": (lambda: layers.Dense(4, "tanh", trainable=False), (7,)),
    "max pool": (lambda: layers.MaxPool2D(2), IMAGE),
    "max pool, overlapping, same": (lambda: layers.MaxPool2D((3, 2), (2, 1), "same"), IMAGE),
    "max pool, padding of each side": (lambda: layers.MaxPool2D(3, 2, ((1, 0), (0, 2))), IMAGE),
    "average pool": (lambda: layers.AveragePool2D((2, 3)), IMAGE),
    "average pool, overlapping, same": (lambda: layers.AveragePool2D(3, (1, 2), "same"), IMAGE),
    "average pool, padding": (lambda: layers.AveragePool2D(2, 3, ((1, 0), (2, 1))), IMAGE),
    "global average pool": (lambda: layers.GlobalAveragePool2D(), IMAGE),
    "batch norm": (lambda: layers.BatchNorm(), (3, 2, 4)),
    "batch norm after dense": (lambda: layers.BatchNorm(momentum=0.5, epsilon=0.1), (5,)),
    "batch norm, no gamma": (lambda: layers.BatchNorm(scale=False), (3, 2, 4)),
    "batch norm, no beta": (lambda: layers.BatchNorm(center=False), (3, 2, 4)),
    "batch norm, frozen": (lambda: layers.BatchNorm(trainable=False), (3, 2, 4)),
    "dropout": (lambda: layers.Dropout(0.4), IMAGE),
    "dropout after dense": (lambda: layers.Dropout(0.7), (9,)),
    "dropout, rate 0": (lambda: layers.Dropout(0), (9,)),
    "flatten": (lambda: layers.Flatten(), (3, 2, 4)),
    "zero pad": (lambda: layers.ZeroPad2D(((1, 0), (2, 3))), (3, 2, 4)),
    "relu": (lambda: layers.ReLU(), (3, 2, 4)),
    "sigmoid": (lambda: layers.Sigmoid(), (3, 2, 4)),
    "tanh": (lambda: layers.Tanh(), (7,)),
    "softmax": (lambda: layers.Softmax(), (7,)),
    "softmax over the channels of an image": (lambda: layers.Softmax(), (3, 2, 4)),
}
