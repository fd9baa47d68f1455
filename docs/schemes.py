"""The tour's schemes: drawings of an idea, in which every number comes from the engine.

`docs/pictures.py` stores them in `docs/pictures/`, as SVG that fits light and dark screens.
"""

from dataclasses import replace

import numpy as np

import minitorch_cnn as mtc
from minitorch_cnn import datasets, layers, losses, models, optimizers
from minitorch_cnn.keras_h5.layouts import Layout
from minitorch_cnn.models.vgg16 import BLOCKS
from minitorch_cnn.report import draw_architecture
from minitorch_cnn.report.grids import draw_grid
from minitorch_cnn.report.svg import element, group, label, path, picture
from minitorch_cnn.report.theme import colour
from minitorch_cnn.report.training_page import layer_rows


def all_of_them():
    """{name: drawing} of every scheme."""
    return {made.__name__: made() for made in (training_loop, weight_layouts, vgg16_blocks, depthwise)}


def training_loop():
    """What a batch of digits goes through in one step, and how many steps are an epoch."""
    digits, size = datasets.digits(), 64
    images, labels = digits.train_images / np.float32(255), digits.train_labels
    model, loss = models.cifar10(dropout=False, seed=0), losses.CrossEntropy()
    x, t = next(datasets.Batches(images, labels, size, seed=0).epoch(0))
    value = model.loss_and_gradients(x, t, loss, training=True)
    gradients = sum(gradient.size for layer in model.layers for gradient in layer.gradients.values())
    optimizer = optimizers.SGD(0.05)
    optimizer.step(model)
    after_step = model.loss_and_gradients(x, t, loss, training=True)
    boxes = [
        ((0, 0), "a batch", [f"{len(x)} of {len(images):,} digits", "×".join(map(str, x.shape))], "panel"),
        ((1, 0), "forward", [f"{model.output_shape[0]} probabilities", "for each image"], "conv"),
        ((2, 0), "loss", [f"{value:.2f}, one number", "for the whole batch"], "wrong"),
        ((2, 1), "backward", [f"{gradients:,}", "gradients"], "wrong"),
        ((1, 1), "update", ["every weight w:", f"w −= {optimizer.learning_rate:g} · dw"], "right"),
    ]
    steps = -(-len(images) // size)
    parts = [box(*place, title, words, hue) for place, title, words, hue in boxes]
    parts += [arrow((148, 62), (164, 62)), arrow((304, 62), (320, 62)), arrow((392, 108), (392, 132)),
              arrow((320, 178), (304, 178)), arrow((164, 178), (78, 178), (78, 108))]  # fmt: skip
    said = [
        f"The same images now give a loss of {after_step:.2f}.",
        f"{steps} steps, and every digit was seen: one epoch.",
    ]
    parts += [label(words, 8, 250 + 18 * row, size=13, colour=colour("ink")) for row, words in enumerate(said)]
    parts.append(label("the next batch", 14, 196, size=12, colour=colour("muted")))
    words = "One training step as a loop: a batch of images, forward, loss, backward, update, and the next batch"
    return picture(468, 276, *parts, description=words)


def box(column, row, title, words, hue):
    """A box of the loop at its place in the grid of boxes, with two lines of words below its title."""
    x, y = 8 + 156 * column, 16 + 116 * row
    frame = element("rect", x=float(x), y=float(y), width=140.0, height=92.0, rx=6, fill=colour("panel"),
                    stroke=colour("muted" if hue == "panel" else hue), stroke_width=2)  # fmt: skip
    lines = [label(line, x + 70, y + 54 + 20 * at, size=13, anchor="middle", colour=colour("ink"))
             for at, line in enumerate(words)]  # fmt: skip
    return group(
        frame, label(title, x + 70, y + 28, size=15, weight=600, anchor="middle", colour=colour("ink")), *lines
    )


def arrow(*points):
    """A line through the points with a head at the last."""
    (x0, y0), (x1, y1) = points[-2:]
    length = max(abs(x1 - x0), abs(y1 - y0))
    ahead, aside = ((x1 - x0) / length, (y1 - y0) / length), ((y0 - y1) / length, (x1 - x0) / length)
    head = [(x1 - 6 * ahead[0] + side * 5 * aside[0], y1 - 6 * ahead[1] + side * 5 * aside[1]) for side in (-1, 0, 1)]
    head[1] = (float(x1), float(y1))
    line = path(points, fill="none", stroke=colour("muted"), stroke_width=2)
    return group(line, path(head, closed=True, fill=colour("muted")))


def weight_layouts():
    """Three stored arrays, and what the loader makes of each."""
    kernel = np.arange(1, 10).reshape(3, 3, 1, 1)
    rows = np.arange(1, 9).reshape(8, 1)  # of a dense kernel, behind a feature map of 2x2 pixels with 2 channels
    found = [
        ("Keras's kernel", kernel, Layout(), "nothing to do"),
        ("Theano's kernel", kernel, Layout(rotated=True), "rotated by 180°"),
        ("dense rows, channels first", rows, Layout(rows_channels_first=(2, 2, 2)), "rows reordered"),
    ]
    parts, x = [], 8
    for title, stored, layout, done in found:
        flat = stored.shape[0] == 8
        shown = [array.reshape(1, 8) if flat else array[:, :, 0, 0] for array in (stored, layout.apply(stored))]
        tints = [{(row, column): ("conv", 0.5 * (value - 1) / (stored.size - 1)) for (row, column), value in
                  np.ndenumerate(one)} for one in shown]  # fmt: skip
        cell, width = 24, 24 * shown[0].shape[1]
        parts.append(label(title, x, 18, size=13, weight=600, colour=colour("ink")))
        parts.append(label("in the file", x, 36, size=12, colour=colour("muted")))
        parts.append(draw_grid(shown[0], x, 44, cell, tints=tints[0]))
        middle = x + min(width, 3 * cell) / 2
        parts.append(arrow((middle, 124), (middle, 146)))
        parts.append(label(done, middle + 10, 139, size=12, colour=colour("muted")))
        parts.append(label("here", x, 168, size=12, colour=colour("muted")))
        parts.append(draw_grid(shown[1], x, 176, cell, tints=tints[1]))
        x += max(width, 112) + 12
    words = "Arrays as they are stored in a weight file, and the same arrays in the engine's layout"
    return picture(x, 262, *parts, description=words)


def vgg16_blocks():
    """The five blocks of VGG16 at 150x150 pixels, frozen, and the new top, trained."""
    model = models.transfer_net(input_shape=(150, 150, 3))
    rows = layer_rows(model)
    shown = []
    for number, (convolutions, _) in enumerate(BLOCKS, 1):
        *inside, pool = (row for row in rows if row.name.startswith(f"block{number}_"))
        size, state = sum(row.parameters for row in inside), inside[0].state
        kind = f"{convolutions} conv, pool"
        shown.append(replace(pool, name=f"block {number}", kind=kind, parameters=size, state=state, reads=None))
    shown += [replace(row, reads=None) for row in rows if row.name.startswith("dense")]
    return draw_architecture(shown, model.input_shape, width=760)


def depthwise():
    """How the channels of two layers are connected: all with all, or each with its own and then all with all."""
    C, width = 4, 144  # drawn, and a layer of MobileNetV2
    full = counted(layers.Conv2D(width, 3, use_bias=False), width)
    each = counted(layers.DepthwiseConv2D(3, use_bias=False), width)
    mixed = counted(layers.Conv2D(width, 1, use_bias=False), width)
    parts = [
        label("a full 3x3 convolution", 8, 20, size=14, weight=600, colour=colour("ink")),
        label("depthwise, then 1x1", 226, 20, size=14, weight=600, colour=colour("ink")),
        *columns(40, [("all", "conv", f"{full:,} weights")], C),
        *columns(246, [("same", "pool", f"{each:,}"), ("all", "dense", f"+ {mixed:,} weights")], C),
        label(f"at {width} channels", 8, 266, size=12, colour=colour("muted")),
        label(f"{full / (each + mixed):.1f} times fewer weights", 226, 266, size=12, colour=colour("muted")),
    ]  # fmt: skip
    words = (
        "Connections between the channels of a full convolution, and of a depthwise one followed by a 1x1 convolution"
    )
    return picture(480, 276, *parts, description=words)


def columns(x, stages, C):
    """Squares for the channels, `C` in a column, and between the columns the connections of each stage."""
    step, places = 100, [42 + 48 * channel for channel in range(C)]
    for at, (kind, hue, words) in enumerate(stages):
        left = x + step * at
        for a, from_y in enumerate(places):
            for b, to_y in enumerate(places):
                if kind == "all" or a == b:
                    ends = [(left + 18, from_y + 15), (left + step - 18, to_y + 15)]
                    yield path(ends, fill="none", stroke=colour(hue), stroke_width=1.5)
        yield label(words, left + step / 2, 246, size=13, anchor="middle", colour=colour("ink"))
    for at in range(len(stages) + 1):
        for y in places:
            yield element("rect", x=float(x + step * at - 15), y=float(y), width=30.0, height=30.0, rx=3,
                          fill=colour("panel"), stroke=colour("muted"), stroke_width=1.5)  # fmt: skip
            for line in (10, 20):
                left, ink = x + step * at - 15, {"fill": "none", "stroke": colour("line")}
                yield path([(left + line, y), (left + line, y + 30)], **ink)
                yield path([(left, y + line), (left + 30, y + line)], **ink)


def counted(layer, channels):
    """The number of weights of a layer between `channels` and as many channels."""
    mtc.Sequential([layer], input_shape=(8, 8, channels), seed=0)
    return layer.count_parameters()
