"""The data of the microscope on dense layers: one layer with a batch, and two in a row."""

import numpy as np

from figures import line
from figures.microscope import OPTIMIZERS, RATE, SGD, array, shots, still, view
from minitorch_cnn import definitions_only, layers, losses
from minitorch_cnn.engine.activations import ReLU
from minitorch_cnn.engine.optimizers import sgd_update

DENSE = "minitorch_cnn/engine/layers/dense.py"
LOSSES = "minitorch_cnn/engine/losses.py"
ACTIVATIONS = "minitorch_cnn/engine/activations.py"
FORWARD, DX = "scores = matmul(x, self.parameters", 'return matmul(dscores, self.parameters["kernel"].T)'
DKERNEL, DBIAS = 'gradients["kernel"] = matmul(x.T, dscores)', 'gradients["bias"] = channel_sum(dscores)'


def layer():
    """A dense layer of two units on a batch of four examples with three numbers each."""
    rng = np.random.default_rng(3)
    x, kernel, bias, dy = (rng.integers(-3, 4, shape).astype(float) for shape in ((4, 3), (3, 2), (2,), (4, 2)))
    stages = [
        [grid("x", "x (4, 3)", 4, 3), grid("dx", "dx = dy Wᵀ", 4, 3)],
        [grid("kernel", "kernel W (3, 2)", 3, 2), grid("dkernel", "dW = xᵀ dy", 3, 2)],
        [view("bias", "bias (2,)", 1, 2, "c"), view("dbias", "dbias", 1, 2, "c")],
        [grid("y", "y = x W + b", 4, 2), grid("dy", "dy, from above", 4, 2)],
    ]
    film = shots("""
        Forward: x kernel bias y, at y 0 0
        A number of y is a row of x times a column of W, plus the bias: four examples and two units, all at once.

        Backward, what arrives: dy, at dy 1 0
        The layer above says how the loss changes with each number of y.

        Backward, dW: dkernel dbias, at dkernel 0 0
        A weight is used in every row of the batch, so its gradient is a sum over the rows: a column of x times a column
        of dy.

        Backward, dx: dx, at dx 1 1
        A number of x is used by every unit, so its gradient is a sum over the units: a row of dy times a row of W.
    """)
    words = (
        "A dense layer on a batch of four. Choose a number: green is what fed it, dashed orange what it feeds."
        " Change x, W, the bias or dy, and everything is computed again."
    )
    data = {"arrays": layer_arrays(x, kernel, bias, dy), "stages": stages, "film": film, "slices": [], "begin": 2,
            "editable": ["x", "kernel", "bias", "dy"],
            "lines": {"y": line(DENSE, FORWARD), "dkernel": line(DENSE, DKERNEL), "dbias": line(DENSE, DBIAS),
                      "dx": line(DENSE, DX)}}  # fmt: skip
    shown = [(name, name) for name in ("x", "kernel", "y", "dx", "dkernel", "dy")]
    return data, still(data["arrays"], shown, words), words


def layer_arrays(x, kernel, bias, dy):
    """The arrays of a dense layer: x (N, D), kernel (D, units), bias (units,), dy (N, units)."""
    dense = dense_with(x, kernel, bias)
    with definitions_only():
        y = dense.forward(x)
        dx = dense.backward(dy)
    (N, D), units = x.shape, len(bias)
    return {
        "x": array(x),
        "kernel": array(kernel, label="W"),
        "bias": array(bias),
        "dy": array(dy),
        "y": array(y, kind="product", of=["x", "kernel", "bias"], inner=D),
        "dkernel": array(dense.gradients["kernel"], "dW", kind="product", of=["x", "dy"], inner=N, ta=True),
        "dbias": array(dense.gradients["bias"], kind="column_sum", of=["dy"], rows=N),
        "dx": array(dx, kind="product", of=["dy", "kernel"], inner=units, tb=True),
    }


def stack():
    """Two dense layers with a ReLU between them and a loss on top, on a batch of two."""
    rng = np.random.default_rng(5)
    x, W1, W2, target = (rng.integers(-2, 3, shape).astype(float) for shape in ((2, 3), (3, 3), (3, 2), (2, 2)))
    stages = [
        [grid("x", "x", 2, 3), grid("dx", "dx", 2, 3)],
        [grid("W1", "W₁", 3, 3), grid("dW1", "dW₁", 3, 3), grid("W1_new", "new W₁", 3, 3)],
        [grid("s", "s = x W₁", 2, 3), grid("ds", "ds", 2, 3)],
        [grid("h", "h = ReLU(s)", 2, 3), grid("dh", "dh", 2, 3)],
        [grid("W2", "W₂", 3, 2), grid("dW2", "dW₂", 3, 2), grid("W2_new", "new W₂", 3, 2)],
        [grid("y", "y = h W₂", 2, 2), grid("dy", "dy", 2, 2)],
        [grid("target", "t", 2, 2), view("loss", "loss", 1, 1, "r")],
    ]
    film = shots(f"""
        The input and the weights: x W1 W2 target, at x 0 0
        Two examples with three numbers each, the kernels of two layers, and what y should be.

        Forward: s h, at s 0 0
        The first layer: a row of x times a column of W₁, and the ReLU keeps what is above zero.

        Forward: y loss, at y 0 0
        The second layer reads what the first has computed. The loss says how wrong y is.

        Backward: dy, at dy 0 0
        The backward pass begins at the loss.

        Backward: dW2 dh, at dh 0 0
        The second layer is given dy and computes two things: the gradient of its kernel, and what it hands down.

        Backward: ds, at ds 0 0
        The ReLU multiplies by one or by zero.

        Backward: dW1 dx, at dW1 0 0
        The first layer does what the second did. It does not know that there is a loss, only its own dy.

        Update: W1_new W2_new, at W1_new 0 0
        Each kernel moves by {RATE} times its gradient, in the opposite direction.
    """)
    words = (
        "A whole training step of two dense layers on a batch of two. Go through it with the buttons, choose any"
        " number to see what it was computed from, and change numbers."
    )
    matmul, kernel, down = (line(DENSE, text) for text in (FORWARD, DKERNEL, DX))
    update = line(OPTIMIZERS, SGD)
    lines = {"s": matmul, "y": matmul, "dW1": kernel, "dW2": kernel, "dh": down, "dx": down, "W1_new": update,
             "W2_new": update, "h": line(ACTIVATIONS, "return namespace(x).maximum(x, 0)"),
             "ds": line(ACTIVATIONS, "return dy * (y > 0)"),
             "loss": line(LOSSES, "loss = weighted(difference * difference, weights)"),
             "dy": line(LOSSES, "return loss, weighted(2 * difference, weights)")}  # fmt: skip
    data = {"arrays": stack_arrays(x, W1, W2, target, RATE), "lines": lines, "stages": stages, "film": film}
    data |= {"slices": [], "begin": 6, "editable": ["x", "W1", "W2", "target"]}
    shown = [(name, name) for name in ("x", "s", "y", "dx", "ds", "dy")]
    return data, still(data["arrays"], shown, words), words


def stack_arrays(x, W1, W2, target, rate):
    """The arrays of one step of two dense layers without bias: x (N, D), W1 (D, M), W2 (M, K), target (N, K)."""
    lower, upper, relu = dense_with(x, W1), dense_with(x @ W1, W2), ReLU()
    with definitions_only():
        s = lower.forward(x)
        h = relu.forward(s)
        y = upper.forward(h)
        loss, dy = losses.MeanSquaredError().value_and_gradient(y, target)
        dh = upper.backward(dy)
        ds = relu.backward(dh, h)
        dx = lower.backward(ds)
        gradients = lower.gradients["kernel"], upper.gradients["kernel"]
        new = [W1.copy(), W2.copy()]
        for w, g in zip(new, gradients):
            sgd_update(w, g, None, rate, 0.0, False, 0.0)
    (N, D), (M, K) = x.shape, W2.shape
    return {
        "x": array(x),
        "W1": array(W1, "W₁"),
        "W2": array(W2, "W₂"),
        "target": array(target, "t"),
        "s": array(s, kind="product", of=["x", "W1"], inner=D),
        "h": array(h, kind="relu", of=["s"]),
        "y": array(y, kind="product", of=["h", "W2"], inner=M),
        "loss": array([loss], kind="squared_error", of=["y", "target"], out=y.shape, count=y.size),
        "dy": array(dy, kind="squared_error_back", of=["y", "target"], count=y.size),
        "dW2": array(gradients[1], "dW₂", kind="product", of=["h", "dy"], inner=N, ta=True),
        "dh": array(dh, kind="product", of=["dy", "W2"], inner=K, tb=True),
        "ds": array(ds, kind="relu_back", of=["dh", "s"]),
        "dW1": array(gradients[0], "dW₁", kind="product", of=["x", "ds"], inner=N, ta=True),
        "dx": array(dx, kind="product", of=["ds", "W1"], inner=M, tb=True),
        "W1_new": array(new[0], "new W₁", kind="update", of=["W1", "dW1"], rate=rate),
        "W2_new": array(new[1], "new W₂", kind="update", of=["W2", "dW2"], rate=rate),
    }


def dense_with(x, kernel, bias=None):
    """A dense layer with these weights, built for x."""
    dense = layers.Dense(kernel.shape[1], use_bias=bias is not None)
    dense.forward(x)
    dense.parameters["kernel"] = kernel
    if bias is not None:
        dense.parameters["bias"] = bias
    return dense


def grid(name, title, rows, columns):
    """A matrix with its numbers."""
    return view(name, title, rows, columns, "rc", cell=36)
