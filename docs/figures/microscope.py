"""The data of the gradient microscope: one training step, every number of which the engine has computed."""

import re

import numpy as np

from figures import line
from minitorch_cnn import definitions_only, losses
from minitorch_cnn.engine.convolution import naive
from minitorch_cnn.engine.optimizers import sgd_update
from minitorch_cnn.report.grids import draw_grid, figures
from minitorch_cnn.report.svg import element, group, label, picture
from minitorch_cnn.report.theme import colour

NAIVE = "minitorch_cnn/engine/convolution/naive.py"
LOSSES = "minitorch_cnn/engine/losses.py"
OPTIMIZERS = "minitorch_cnn/engine/optimizers.py"
STEP = ((1, 1), ((0, 0), (0, 0)))  # strides and padding of both figures' convolutions
FORWARD = "= (x_padded[n, rows, columns] * kernel[:, :, :, k]).sum()"
SGD = "w -= rate * g"
RATE = 0.01


def make(which):
    """(data, still picture, words) of the microscope on one of "digit", "small", "layer", "stack" and "winograd"."""
    from figures.digit import digit
    from figures.stack import layer, stack
    from figures.winograd import winograd

    return {"digit": digit, "small": small, "layer": layer, "stack": stack, "winograd": winograd}[which]()


def small():
    """A 5x5 image, one kernel, a target for its output: every number can be read, and changed."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 5, (1, 5, 5, 1)).astype(float)
    kernel = np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]).reshape(3, 3, 1, 1) / 2
    target = rng.integers(-3, 4, (1, 3, 3, 1)).astype(float)
    data = small_arrays(x, kernel, target, RATE)
    stages = [
        [view("x", "x, the image", 5, 5, "rc0", "ink"), view("dx", "dx = dL/dx", 5, 5, "rc0")],
        [view("kernel", "kernel", 3, 3, "rc00"), view("dkernel", "dkernel = dL/dkernel", 3, 3, "rc00"),
         view("kernel_new", "kernel after the step", 3, 3, "rc00")],
        [view("y", "y", 3, 3, "rc0"), view("dy", "dy = dL/dy", 3, 3, "rc0"),
         view("y_new", "y after the step", 3, 3, "rc0")],
        [view("target", "t, what y should be", 3, 3, "rc0"), view("loss", "loss L", 1, 1, "r"),
         view("loss_new", "loss after the step", 1, 1, "r")],
    ]  # fmt: skip
    film = shots(f"""
        The input: x kernel target, at x 2 2 0
        Twenty-five pixels and nine weights. Choose any cell to see what it is connected to.

        Forward: y, at y 1 1 0
        The kernel lies on a window of the image. Nine products add up to one number of y.

        The loss: loss, at loss 0
        The mean of the squared differences to t says in one number how wrong y is.

        Backward, dy: dy, at dy 1 1 0
        The loss tells every output in which direction it is wrong: dy = 2 (y − t) / 9.

        Backward, dkernel: dkernel, at dkernel 0 0 0 0
        Each product was a pixel times a weight, so the weight receives dy times that pixel. It was used at nine places,
        and the nine contributions add up.

        Backward, dx: dx, at dx 2 2 0
        The pixel receives dy times the weight, from every window that saw it. The middle pixel was seen by nine
        windows, a corner by one.

        Update: kernel_new y_new loss_new, at kernel_new 0 0 0 0
        Each weight moves against its gradient, by {RATE} times dkernel. With the new kernel the loss is smaller. Take
        the step again and again, or change numbers and watch.
    """)
    data |= {"stages": stages, "film": film, "slices": [], "editable": ["x", "kernel", "target"], "begin": 5}
    words = (
        "One step of a convolution on a 5x5 image. Choose a cell with a click, a tap or the arrow keys: outlined in"
        " green is what fed it, in dashed orange what it feeds. The buttons lead through forward, backward and update."
    )
    shown = [("x", "x"), ("kernel", "kernel"), ("y", "y"), ("dx", "dx"), ("dkernel", "dkernel"), ("dy", "dy")]
    return data, still(data["arrays"], shown, words), words


def small_arrays(x, kernel, target, rate):
    """The arrays and lines of one step of a convolution with `kernel` (KH, KW, C, 1) on x (1, H, W, C)."""
    loss = losses.MeanSquaredError()
    with definitions_only():
        y = naive.forward(x, kernel, *STEP)
        value, dy = loss.value_and_gradient(y, target)
        dx = naive.backward_input(dy, kernel, x.shape, *STEP)
        dkernel = naive.backward_kernel(x, dy, kernel.shape, *STEP)
        new = kernel.copy()
        sgd_update(new, dkernel, None, rate, 0.0, False, 0.0)
        y_new = naive.forward(x, new, *STEP)
        after, _ = loss.value_and_gradient(y_new, target)
    window, out = kernel.shape[:3], y.shape[1:]
    error = {"out": out, "count": y.size}
    arrays = {
        "x": array(x[0]),
        "kernel": array(kernel),
        "target": array(target[0], label="t"),
        "y": array(y[0], kind="conv", of=["x", "kernel"], window=window),
        "loss": array([value], kind="squared_error", of=["y", "target"], **error),
        "dy": array(dy[0], kind="squared_error_back", of=["y", "target"], count=y.size),
        "dkernel": array(dkernel, kind="conv_kernel", of=["x", "dy"], out=out),
        "dx": array(dx[0], kind="conv_input", of=["dy", "kernel"], window=window, out=out),
        "kernel_new": array(new, kind="update", of=["kernel", "dkernel"], rate=rate, label="new kernel"),
        "y_new": array(y_new[0], kind="conv", of=["x", "kernel_new"], window=window, label="new y"),
        "loss_new": array([after], kind="squared_error", of=["y_new", "target"], label="new loss", **error),
    }
    error = line(LOSSES, "loss = weighted(difference * difference, weights)")
    lines = {
        "y": line(NAIVE, FORWARD), "y_new": line(NAIVE, FORWARD), "loss": error, "loss_new": error,
        "dy": line(LOSSES, "return loss, weighted(2 * difference, weights)"),
        "dkernel": line(NAIVE, "dkernel[:, :, :, k] +="), "dx": line(NAIVE, "dx[n, rows, columns] +="),
        "kernel_new": line(OPTIMIZERS, SGD),
    }  # fmt: skip
    return {"arrays": arrays, "lines": lines}


def view(array, title, rows, columns, pattern, shade="signed", cell=40, numbers=True):
    """A grid of the figure: its array and what it shows of it ("rc0k": row, column, channel 0, the chosen filter)."""
    parts = [int(part) if part.isdigit() else part for part in pattern]
    return {"array": array, "title": title, "rows": rows, "columns": columns, "pattern": parts, "shade": shade,
            "cell": cell, "numbers": numbers}  # fmt: skip


def shots(text):
    """The steps of a film: "title: arrays that it adds, at array and index of the chosen cell" and then its words."""
    found = []
    for block in text.strip().split("\n\n"):
        first, *words = (row.strip() for row in block.splitlines())
        title, shown, cell = re.fullmatch(r"(.*): (.*), at (.*)", first).groups()
        name, *at = cell.split()
        focus = [name, [int(part) if part.isdigit() else part for part in at]]
        found.append({"title": title, "words": " ".join(words), "shown": shown.split(), "focus": focus})
    return found


def array(values, label=None, **rule):
    """An array of the network: its shape and numbers, and the rule that made it (none for what is given)."""
    values = np.asarray(values, float)
    return {"shape": values.shape, "values": values.ravel(), "label": label, "rule": rule or None}


def still(arrays, shown, words, cell=34, numbers=True):
    """A picture of six arrays (name, title), three below three; with their numbers, or as mosaics."""
    parts, x, y, tallest, widest = [], 0, 24, 0, 0
    for place, (name, title) in enumerate(shown):
        values = np.asarray(arrays[name]["values"]).reshape(arrays[name]["shape"][:2])
        if place == 3:
            x, y = 0, y + cell * tallest + 40
        parts.append(_numbered(values, x, y, cell, title) if numbers else _mosaic(values, x, y, cell, title))
        x += cell * values.shape[1] + 30
        tallest, widest = max(tallest, values.shape[0]), max(widest, x)
    return picture(widest, y + cell * tallest + 6, *parts, description=words)


def _numbered(values, x, y, cell, title):
    most = max(float(np.abs(values).max()), 1e-12)
    hues = {spot: ("conv" if v >= 0 else "pool", 0.45 * abs(float(v)) / most) for spot, v in np.ndenumerate(values)}
    return draw_grid(values, x, y, cell, tints=hues, text=figures, title=title)


def _mosaic(values, x, y, cell, title, levels=6):
    """Cells without numbers, one path for each shade: a fraction of the size of a grid."""
    shades = np.round(levels * values / max(float(np.abs(values).max()), 1e-12)).astype(int)
    parts = [label(title, x, y - 9, size=14, weight=600, colour=colour("ink"))]
    for shade in set(shades.ravel().tolist()) - {0}:
        cells = "".join(
            f"M{x + cell * j} {y + cell * i}h{cell}v{cell}h-{cell}z" for i, j in np.argwhere(shades == shade)
        )
        fill = colour("conv" if shade > 0 else "pool")
        parts.append(element("path", d=cells, fill=fill, fill_opacity=round(abs(shade) / levels, 2)))
    rows, columns = values.shape
    frame = {"x": float(x), "y": float(y), "width": float(cell * columns), "height": float(cell * rows)}
    return group(*parts, element("rect", fill="none", stroke=colour("line"), **frame))
