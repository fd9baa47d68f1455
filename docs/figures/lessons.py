"""The data of the figures in which a reader changes something: where each begins, and the engine's lines."""

import numpy as np

from figures import line
from minitorch_cnn import definitions_only, layers, report
from minitorch_cnn.engine import passes, schedules
from minitorch_cnn.engine.philox import random_bits
from minitorch_cnn.report.curves import Curve, draw_curves
from minitorch_cnn.report.grids import draw_grid, figures
from minitorch_cnn.report.svg import picture

ACTIVATIONS = "minitorch_cnn/engine/activations.py"
LOSSES = "minitorch_cnn/engine/losses.py"
OPTIMIZERS = "minitorch_cnn/engine/optimizers.py"
IM2COL = "minitorch_cnn/engine/convolution/im2col.py"
BATCH_NORM = "minitorch_cnn/engine/layers/batch_norm.py"
DROPOUT = "minitorch_cnn/engine/layers/dropout.py"
SCHEDULES = "minitorch_cnn/engine/schedules.py"
PASSES = "minitorch_cnn/engine/passes.py"
POOL = "minitorch_cnn/engine/layers/max_pool2d.py"


def neuron():
    """One neuron with the input 1.5 that should say 1: its loss over its weight."""
    x, t, b, w = 1.5, 1.0, 0.2, -0.4
    weights = np.linspace(-8, 4, 61)
    curve = (1 / (1 + np.exp(-(weights * x + b))) - t) ** 2
    words = (
        "The loss of one neuron over its weight. Drag the dot, or move it with the arrow keys: the line is the"
        " slope dw, the product of the chain. Then let it walk down with short steps and with long ones."
    )
    data = {"x": x, "t": t, "b": b, "w": w, "low": -8, "high": 4, "line": line(ACTIVATIONS, "return dy * y * (1 - y)")}
    return data, chart("the loss over the weight, from w = −8 to 4", {"loss": curve}), words


def quotient():
    """The slope of one neuron's loss, by its definition with a step that the reader chooses."""
    steps = 10.0 ** np.arange(-14, 1)
    x, t, b, w = 1.5, 1.0, 0.2, -0.4

    def loss(w):
        return (1 / (1 + np.exp(-(w * x + b))) - t) ** 2

    y = 1 / (1 + np.exp(-(w * x + b)))
    slope = 2 * (y - t) * y * (1 - y) * x
    errors = np.abs((loss(w + steps) - loss(w - steps)) / (2 * steps) / slope - 1)
    words = (
        "The slope of a neuron's loss by its definition, a difference divided by the step h. Move h: a large step"
        " misses the curvature, a small one drowns in rounding. In between lies the bottom of the V."
    )
    data = {
        "x": x,
        "t": t,
        "b": b,
        "w": w,
        "line": line("minitorch_cnn/gradients/problem.py", "return (high - low) / (ahead - behind)"),
    }
    return (
        data,
        chart("digits lost, log10 of the error, for h = 1e-14 to 1", {"error": np.log10(errors + 1e-16)}),
        words,
    )


def descent():
    """A long valley: a loss of two weights with the curvatures 1 and 25."""
    curvature, start, rate = np.array([1.0, 25.0]), [10.0, 1.0], 0.04
    words = (
        "Descent in a long valley, L = (w₁² + 25 w₂²) / 2. Drag the orange start, or move it with the arrow keys;"
        " the green circle is the minimum. Beyond a learning rate of 2 / 25 = 0.08 it diverges; momentum allows a"
        " larger one."
    )
    data = {"curvature": curvature, "start": start, "rate": rate, "momentum": 0.0, "steps": 60,
            "line": line(OPTIMIZERS, "m -= rate * g")}  # fmt: skip
    shown = {f"rate {one}": descent_losses(curvature, start, one, 0.0, 60) for one in (0.01, 0.04, 0.079)}
    return data, chart("the loss over 60 steps", shown), words


def descent_losses(curvature, start, rate, momentum, steps):
    """The losses of the places of `descent_path`."""
    path = descent_path(curvature, start, rate, momentum, steps)
    return 0.5 * (curvature * path**2).sum(axis=1)


def descent_path(curvature, start, rate, momentum, steps):
    """(steps + 1, 2): where the engine's SGD goes from `start`, on the loss with these two curvatures."""
    from minitorch_cnn.engine.optimizers import sgd_update

    w, m = np.array(start, float), np.zeros(2)
    path = [w.copy()]
    for _ in range(steps):
        sgd_update.definition(w, curvature * w, m, rate, momentum, False, 0.0)
        path.append(w.copy())
    return np.array(path)


def im2col():
    """A 5x5 image with numbered pixels, its columns, what each copy received, and dx."""
    rng = np.random.default_rng(0)
    kernel = np.array([1, 0, -1, 2, 0, -2, 1, 0, -1])
    words = (
        "Point at a pixel, tap it, or walk with the arrow keys: dashed orange are its copies in the columns, and"
        " below what each copy received. dx is their sum. Change padding and stride, and see which pixels are"
        " copied how often."
    )
    data = {"size": 5, "window": 3, "kernel": kernel, "dy": rng.integers(-3, 4, 49),
            "lines": {"im2col": line(IM2COL, "columns[:, :, :, p, q] = x_padded"),
                      "col2im": line(IM2COL, "+= columns[:, :, :, p, q]")}}  # fmt: skip
    return data, report.draw_im2col(), words


def pool():
    """A 4x4 map, pooled."""
    x = np.array([[1, 5, 2, 0], [3, 4, 8, 6], [7, 2, 1, 9], [0, 6, 3, 4]])
    dy = np.array([0.1, -0.2, 0.3, 0.4, 0.5, -0.6, 0.7, 0.8, -0.9])
    words = (
        "Choose a window of y: green are the numbers it looks at, the framed one wins and gets all of dy. Choose"
        " a pixel of x and change it. With windows that overlap, a pixel can win several times and adds up; at a"
        " tie the first wins."
    )
    data = {"size": 4, "x": x.ravel(), "dy": dy, "line": line(POOL, "tap += dy * (winner == place)")}
    return data, report.draw_max_pool(x, dy[:4].reshape(2, 2)), words


def softmax():
    """Four scores."""
    words = (
        "Drag the scores. The probabilities p always add up to 1, and the gradient dscores says which score"
        " should rise (orange, below zero) and which should fall. Adding the same number to all scores changes"
        " nothing."
    )
    scores = np.array([2.0, 1.0, -1.0, 0.0])
    e = np.exp(scores)
    rows = [(f"class {k}", float(p), f"{p:.4f}") for k, p in enumerate(e / e.sum())]
    still = report.draw_bars(rows, description="the probabilities of the scores 2, 1, −1 and 0")
    return (
        {"scores": scores, "label": 1, "line": line(LOSSES, "return losses, (e / total * weight - wanted)")},
        still,
        words,
    )


def batch_norm():
    """A batch of eight numbers of one channel."""
    words = (
        "A batch of eight numbers: drag a dot, or choose one with the up and down keys and move it with left and"
        " right. dx is g without its mean, which would only shift the batch, and without its part along n, which"
        " would only stretch it."
    )
    x, dy = np.array([-3.0, -1.0, 0.0, 1.5, 2.5, 4.0, 6.0, 9.0]), np.array([0.5, -1.0, 0.2, 0.9, -0.4, 0.6, -0.8, 1.0])
    data = {"x": x, "dy": dy, "gamma": 1.5, "beta": 0.5, "epsilon": 1e-3,
            "line": line(BATCH_NORM, "return scale * (dy - mean_dy - (x - mean) * inverse * mean_dy_n)")}  # fmt: skip
    parts = batch_norm_of(x, dy, 1.5, 0.5, 1e-3)
    rows = np.array([x, dy, parts["dx"]])
    grid = draw_grid(rows, 60, 24, 56, text=figures, title="x, dy and dx of a batch of eight")
    return data, picture(60 + 56 * 8, 30 + 56 * 3, grid, description=words), words


def batch_norm_of(x, dy, gamma, beta, epsilon):
    """y, dx, dgamma and dbeta of the engine's batch norm for one channel, x and dy (N,)."""
    layer = layers.BatchNorm(epsilon=epsilon)
    with definitions_only():
        layer.forward(x[:, None], training=True)
        layer.parameters["gamma"], layer.parameters["beta"] = np.array([gamma]), np.array([beta])
        y = layer.forward(x[:, None], training=True)
        dx = layer.backward(dy[:, None])
    return {"y": y[:, 0], "dx": dx[:, 0], "dgamma": layer.gradients["gamma"], "dbeta": layer.gradients["beta"]}


def dropout():
    """Thirty-two numbers, and the engine's random bits for twelve steps."""
    rng = np.random.default_rng(0)
    bits = [random_bits(32, (0, 1), draw) / 2**32 for draw in range(12)]
    words = (
        "Dropout: choose the rate, and draw again as in the next training step. What is kept is divided by 1 −"
        " rate, and the backward pass uses the same mask. With many numbers the mean stays the same."
    )
    x, dy = rng.integers(1, 10, 32).astype(float), rng.integers(-9, 10, 32) / 10
    data = {"x": x, "dy": dy, "bits": bits, "line": line(DROPOUT, "return x * keep * x.dtype.type(1 / (1 - rate))")}
    shown = (("x", x), ("y at rate 0.5", x * (bits[0] >= 0.5) * 2))
    grids = [
        draw_grid(values.reshape(4, 8), 0, 24 + place * 180, 36, text=figures, title=title)
        for place, (title, values) in enumerate(shown)
    ]
    return data, picture(300, 360, *grids, description=words), words


def schedule():
    """The engine's schedules over a hundred steps."""
    words = (
        "Learning-rate schedules. A rate that falls lets training settle in a minimum; one that first rises"
        " avoids large steps while the weights are still random."
    )
    data = {"kinds": list(schedules_of(0.1, 100)), "steps": 100,
            "line": line(SCHEDULES, "return last + (first - last) * (1 + math.cos(math.pi * share)) / 2")}  # fmt: skip
    curves = {kind: [made(step) for step in range(101)] for kind, made in schedules_of(0.1, 100).items()}
    return data, chart("the learning rate over 100 steps", curves), words


def schedules_of(rate, steps):
    """{name: schedule}, each with `rate` as its largest value over `steps`."""
    return {"Constant": schedules.Constant(rate), "Step": schedules.Step(rate, steps // 2),
            "Cosine": schedules.Cosine(rate, steps), "OneCycle": schedules.OneCycle(rate, steps),
            "Triangle": schedules.Triangle(rate, steps)}  # fmt: skip


def freezing():
    """A small stack whose layers can be frozen."""
    names, trained = ["conv1", "pool1", "conv2", "pool2", "dense1", "dense2"], [False, None, False, None, True, True]
    words = (
        "Freeze and unfreeze layers. The forward pass always visits all of them; the backward pass goes from the"
        " top down to the lowest layer that is trained, also through frozen layers on its way, and no further."
    )
    data = {"names": names, "trained": trained, "line": line(PASSES, "if node.layer.learns or not needed.isdisjoint")}
    marks = [[1 if visited == "not visited" else 2 for visited in visited_by(trained)]]
    grid = draw_grid(np.array(marks), 0, 24, 90, text=lambda one: ["", "not visited", "visited"][int(one)],
                     title=", ".join(names) + ": backward pass, dense1 and dense2 trained")  # fmt: skip
    return data, picture(560, 120, grid, description=words), words


def visited_by(trained):
    """The state of each layer of a stack, by the engine's `need_gradients`; None: a layer without weights."""
    stack = [layers.Dense(1) if one is not None else layers.ReLU() for one in trained]
    for layer, one in zip(stack, trained):
        layer.forward(np.ones((1, 1)))
        layer.trainable = one is not False
    needed = passes.need_gradients([passes.Node(layer, (place,), place + 1) for place, layer in enumerate(stack)])
    states = {True: "trained", False: "frozen, gradient passes", None: "gradient passes"}
    return [states[one] if place + 1 in needed else "not visited" for place, one in enumerate(trained)]


def residual():
    """The gradient through many layers, with and without sums around them."""
    words = (
        "A gradient on its way back through many layers, each of which multiplies it by its slope. Without"
        " shortcuts it vanishes or explodes. A sum around each layer adds the gradient itself: dx = dy + slope ·"
        " dy."
    )
    curves = {
        f"{name} at slope 0.5": residual_gradients(0.5, 20, name == "shortcuts") for name in ("plain", "shortcuts")
    }
    data = {"line": line(PASSES, "waiting[number] = add(waiting[number], gradient) if number in waiting else gradient")}
    return data, chart("the gradient after each of 20 layers", curves), words


def residual_gradients(slope, depth, shortcut):
    """The gradient after each of `depth` layers y = slope x, or y = x + slope x, by the engine's backward pass."""
    found = [1.0]
    for _ in range(depth):
        layer = layers.Dense(1, use_bias=False)
        layer.forward(np.ones((1, 1)))
        layer.parameters["kernel"] = np.array([[slope]])
        nodes = [passes.Node(layer, (0,), 1)]
        if shortcut:
            nodes.append(passes.Node(layers.Add(), (0, 1), 2))
        needed = passes.need_gradients(nodes, {0})
        _, steps = passes.forward(nodes, [np.ones((1, 1))], keep=needed)
        found.append(float(passes.backward(steps, np.array([[found[-1]]]), needed)[0].item()))
    return found


def chart(title, curves):
    """A still picture of some curves {name: numbers}."""
    hues = ("validation", "wrong", "right", "train", "conv")
    return draw_curves(title, [Curve(name, list(map(float, y)), hue) for (name, y), hue in zip(curves.items(), hues)])
