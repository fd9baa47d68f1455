"""The data of the microscope on a digit: one training step of a small network, traced layer by layer."""

import numpy as np

from figures import line
from figures.microscope import FORWARD, NAIVE, OPTIMIZERS, SGD, STEP, array, shots, still, view
from minitorch_cnn import Sequential, datasets, definitions_only, layers, losses, optimizers
from minitorch_cnn.engine.activations import ReLU, Softmax
from minitorch_cnn.engine.convolution import naive
from minitorch_cnn.engine.layers.max_pool2d import max_pool, max_pool_backward
from minitorch_cnn.engine.optimizers import sgd_update

POOL = "minitorch_cnn/engine/layers/max_pool2d.py"
DENSE = "minitorch_cnn/engine/layers/dense.py"
ACTIVATIONS = "minitorch_cnn/engine/activations.py"
LOSSES = "minitorch_cnn/engine/losses.py"
FILTERS, CLASSES, RATE = 4, 10, 0.01


def digit():
    """(data, still picture, words): a step of a network after an epoch of training, on a digit it is unsure of."""
    images, labels = shrunken()
    model = Sequential([
        layers.Conv2D(FILTERS, 3, activation="relu"), layers.MaxPool2D(2), layers.Flatten(),
        layers.Dense(CLASSES, activation="softmax"),
    ], input_shape=(16, 16, 1), seed=1, dtype="float64")  # fmt: skip
    with definitions_only():
        model.fit(images, labels, optimizer=optimizers.SGD(0.1, momentum=0.9), epochs=2, batch_size=64, progress=False)
        p = model.predict(images[:300])
    sure = p[np.arange(300), labels[:300]]
    chosen = int(np.abs(sure - 0.5).argmin())  # not yet sure, so that its gradient is worth looking at
    conv, _, _, dense = model.layers
    weights = [conv.parameters["kernel"], conv.parameters["bias"], dense.parameters["kernel"], dense.parameters["bias"]]
    arrays, p, loss_new = traced(images[chosen : chosen + 1], int(labels[chosen]), *weights, RATE)
    label, loss = int(labels[chosen]), float(arrays["loss"]["values"][0])
    lively = int(np.abs(arrays["dkernel"]["values"].reshape(-1, FILTERS)).sum(axis=0).argmax())
    data = {
        "arrays": arrays,
        "lines": lines(),
        "slices": slices(lively, label),
        "stages": stages(),
        "film": film(label, p, loss, loss_new),
        "begin": 11,
    }
    words = (
        "One training step of a small convolutional network on a real digit, computed by the engine. Choose a pixel, a"
        " weight, an output or a gradient with a click, a tap or the arrow keys: outlined in green is what fed it, in"
        " dashed orange what it feeds. Blue is above zero, orange below."
    )
    return data, pictures(arrays, lively, words), words


def shrunken():
    """(images (N, 16, 16, 1) of 0 to 1, labels): the package's digits at half their size."""
    digits = datasets.digits()
    images = digits.train_images[..., :1].astype(float) / 255
    return images.reshape(-1, 16, 2, 16, 2, 1).mean((2, 4)).round(3), digits.train_labels


def traced(x, label, kernel, bias, W, b, rate):
    """({name: array}, probabilities, loss after) of one step on x (1, H, W, 1), by the engine's definitions."""
    W = W.reshape(x.shape[1] // 2 - 1, x.shape[2] // 2 - 1, kernel.shape[3], len(b))
    wanted = np.eye(len(b))[label]
    pooling = (2, 2), (2, 2), ((0, 0), (0, 0))

    def forward(kernel, bias, W, b):
        s = naive.forward(x, kernel, *STEP, bias)
        y = ReLU().forward(s)
        pooled, winner = max_pool(y, *pooling)
        scores = pooled.reshape(1, -1) @ W.reshape(-1, len(b)) + b
        loss, dscores = losses.CrossEntropy().from_scores(scores, np.array([label]))
        return s, y, pooled, winner, scores, loss, dscores

    with definitions_only():
        s, y, pooled, winner, scores, loss, dscores = forward(kernel, bias, W, b)
        dpool = (dscores @ W.reshape(-1, len(b)).T).reshape(pooled.shape)
        dy = max_pool_backward(dpool, winner, y.shape, *pooling)
        ds = ReLU().backward(dy, y)
        gradients = [naive.backward_kernel(x, ds, kernel.shape, *STEP), ds.sum((0, 1, 2)),
                     (pooled.reshape(1, -1).T @ dscores).reshape(W.shape), dscores[0]]  # fmt: skip
        dx = naive.backward_input(ds, kernel, x.shape, *STEP)
        new = [np.array(w) for w in (kernel, bias, W, b)]
        for w, g in zip(new, gradients):
            sgd_update(w, g, None, rate, 0.0, False, 0.0)
        loss_new = forward(*new)[5]
        p = Softmax().forward(scores)[0]
    window, out, features = kernel.shape[:3], s.shape[1:], pooled.shape[1:]
    arrays = {
        "x": array(x[0]),
        "kernel": array(kernel),
        "bias": array(bias),
        "W": array(W),
        "b": array(b),
        "target": array(wanted, label="t"),
        "s": array(s[0], kind="conv", of=["x", "kernel", "bias"], window=window),
        "y": array(y[0], kind="relu", of=["s"]),
        "pooled": array(pooled[0], kind="pool", of=["y"], window=[2, 2]),
        "scores": array(scores[0], kind="dense", of=["pooled", "W", "b"], input=features),
        "p": array(p, kind="softmax", of=["scores"], units=len(b)),
        "loss": array([loss], kind="surprise", of=["p"], label_of=label),
        "dscores": array(dscores[0], kind="minus", of=["p", "target"]),
        "dW": array(gradients[2], kind="dense_kernel", of=["pooled", "dscores"]),
        "dpooled": array(dpool[0], kind="dense_input", of=["dscores", "W"], units=len(b)),
        "dy": array(dy[0], kind="pool_back", of=["dpooled", "y"], window=[2, 2]),
        "ds": array(ds[0], kind="relu_back", of=["dy", "s"]),
        "dkernel": array(gradients[0], kind="conv_kernel", of=["x", "ds"], out=out),
        "dx": array(dx[0], kind="conv_input", of=["ds", "kernel"], window=window, out=out),
        "kernel_new": array(new[0], kind="update", of=["kernel", "dkernel"], rate=rate, label="new kernel"),
        "W_new": array(new[2], kind="update", of=["W", "dW"], rate=rate, label="new W"),
    }
    return arrays, p, loss_new


def lines():
    """The engine's line for each array."""
    cross = line(LOSSES, "return losses, (e / total * weight - wanted) / len(scores)")
    update = line(OPTIMIZERS, SGD)
    return {
        "s": line(NAIVE, FORWARD),
        "y": line(ACTIVATIONS, "return namespace(x).maximum(x, 0)"),
        "pooled": line(POOL, "y = xp.where(larger, tap, y)"),
        "scores": line(DENSE, 'scores = matmul(x, self.parameters["kernel"])'),
        "p": line(LOSSES, "e = xp.exp(shifted)"),
        "loss": line(LOSSES, "losses = (wanted * (xp.log(total) - shifted)).sum(axis=1)"),
        "dscores": cross,
        "dW": line(DENSE, 'gradients["kernel"] = matmul(x.T, dscores)'),
        "dpooled": line(DENSE, 'return matmul(dscores, self.parameters["kernel"].T)'),
        "dy": line(POOL, "tap += dy * (winner == place)"),
        "ds": line(ACTIVATIONS, "return dy * (y > 0)"),
        "dkernel": line(NAIVE, "dkernel[:, :, :, k] +="),
        "dx": line(NAIVE, "dx[n, rows, columns] +="),
        "kernel_new": update,
        "W_new": update,
    }


def slices(lively, label):
    """The slices a reader chooses, which filter and which class; the first are `lively` and `label`."""
    return [
        {"key": "k", "name": "filter", "options": [str(k) for k in range(FILTERS)], "first": lively},
        {"key": "u", "name": "class", "options": [str(u) for u in range(CLASSES)], "first": label},
    ]


def stages():
    """The grids of the figure, each value above its gradient."""

    def picture_of(name, title, size, pattern, cell, shade="signed"):
        return view(name, title, *size, pattern, shade, cell, numbers=False)

    def column(name, title):
        shade = "ink" if name == "p" else "signed"
        labels = [str(u) for u in range(CLASSES)]
        return view(name, title, CLASSES, 1, "r", shade, 24) | {"across": 42, "labels": labels}

    return [
        [picture_of("x", "x, the image", (16, 16), "rc0", 8, "ink"), picture_of("dx", "dx", (16, 16), "rc0", 8)],
        [view("kernel", "kernel", 3, 3, "rc0k", cell=28), view("dkernel", "dkernel", 3, 3, "rc0k", cell=28),
         view("kernel_new", "new kernel", 3, 3, "rc0k", cell=28)],
        [picture_of("s", "s = conv(x)", (14, 14), "rck", 8), picture_of("ds", "ds", (14, 14), "rck", 8)],
        [picture_of("y", "y = ReLU(s)", (14, 14), "rck", 8), picture_of("dy", "dy", (14, 14), "rck", 8)],
        [picture_of("pooled", "max pool", (7, 7), "rck", 14), picture_of("dpooled", "dpool", (7, 7), "rck", 14)],
        [picture_of("W", "dense W", (7, 7), "rcku", 14), picture_of("dW", "dW", (7, 7), "rcku", 14)],
        [column("scores", "scores")],
        [column("p", "p"), view("loss", "loss", 1, 1, "r", cell=40)],
        [column("dscores", "dscores")],
    ]  # fmt: skip


def film(label, p, loss, after):
    """The steps: forward, backward, update."""
    return shots(f"""
        The image: x kernel W bias b target, at x 7 7 0
        A handwritten {label} of 16x16 pixels, and the weights of a network that has seen the digits twice: four kernels
        of 3x3 and a dense layer.

        Forward, convolution: s, at s 6 6 k
        Each number of s is the sum of nine pixels times nine weights, plus a bias. The same nine weights are used at
        all 196 places.

        Forward, ReLU: y, at y 6 6 k
        Numbers below zero become zero.

        Forward, max pool: pooled, at pooled 3 3 k
        The largest number of each 2x2 window stays.

        Forward, scores: scores, at scores {label}
        The score of a class is the sum of all 196 pooled numbers times their weights for it.

        Forward, softmax and loss: p loss, at p {label}
        Softmax turns scores into probabilities. The right class {label} has {p[label]:.2f}, so the loss is
        −log {p[label]:.2f} = {loss:.2f}.

        Backward, scores: dscores, at dscores {label}
        What the network said minus what it should have said: negative for the right class, positive for the others.

        Backward, dense layer: dW dpooled, at dpooled 3 3 k
        A weight gets its pooled number times dscores. A pooled number gets a product for each of the ten classes, and
        adds them up.

        Backward, max pool: dy, at dy 6 6 k
        The winner of each window gets the whole gradient, the other three get none.

        Backward, ReLU: ds, at ds 6 6 k
        Where s was not above zero, nothing passes.

        Backward, dkernel: dkernel, at dkernel 1 1 0 k
        A weight was used at 196 places. It collects ds times the pixel that lay under it there: 196 products, one sum.

        Backward, dx: dx, at dx 7 7 0
        A pixel was seen by up to nine windows of each of the four filters: up to 36 products. Training does not need dx
        of the image, but it shows which pixels would change the loss.

        Update: kernel_new W_new, at kernel_new 1 1 0 k
        Every weight moves by {RATE} times its gradient, in the opposite direction. On this image the loss falls from
        {loss:.3f} to {after:.3f}.
    """)


def pictures(arrays, k, words):
    """The image and what filter `k` made of it, with the gradients below."""
    shown = {}
    for name, title in (("x", "x"), ("s", "conv(x)"), ("y", "ReLU"), ("dx", "dx"), ("ds", "ds"), ("dy", "dy")):
        values = np.asarray(arrays[name]["values"]).reshape(arrays[name]["shape"])
        values = values[..., k if values.shape[-1] > 1 else 0]
        shown[name] = {"values": values, "shape": values.shape, "title": title}
    return still(shown, [(name, one["title"]) for name, one in shown.items()], words, cell=11, numbers=False)
