"""The table that `model.summary()` prints: each layer's output shape, its parameters, and the memory it takes."""

from __future__ import annotations

import math
from typing import Any

from minitorch_cnn.arrays.dispatch import missing_packages
from minitorch_cnn.engine.passes import need_gradients
from minitorch_cnn.twins.stages import ConvPool, in_stages


def summary(model: Any, batch_size: int = 32) -> str:
    """The table as text. Memory is what a training step stores for `batch_size` images.

    *Activations* are the arrays of the forward pass that the backward pass needs. On the CPU the feature map between a
    convolution and the 2x2 pool after it is never written (`twins/stages/conv_pool.py`). *Columns* are the size of the
    im2col matrix for the whole batch; the algorithms that "auto" chooses on the CPU need only a few hundred KiB.
    """
    nodes = model.nodes()
    needed, reads = need_gradients(nodes), _reads(model)
    rows = [("layer", "kind", "output", "parameters", "", "activations", "columns", "reads" if any(reads) else "")]
    totals = {"parameters": 0, "trained": 0, "kept": 0, "columns": 0}
    seen: set[Any] = set()
    for node, read in zip(nodes, reads):
        layer, visited, again = node.layer, node.output in needed, node.layer in seen
        seen.add(layer)
        count, shapes = (0, {}) if again else (layer.count_parameters(), layer.parameter_shapes())
        trained = sum(math.prod(shapes[name]) for name in layer.trained() if name in shapes) if layer.trainable else 0
        kept = layer.kept_elements() if visited else 0
        columns = layer.column_elements()
        for key, value in zip(totals, (count, trained, kept, columns)):
            totals[key] += value
        shape = "x".join(map(str, layer.output_shape))
        size = model.dtype.itemsize * batch_size
        description = f"{type(layer).__name__} {'again' if again else layer.describe()}".strip()
        rows.append(
            (layer.name, description, shape, f"{count:,}", training_state(layer, visited), mib(kept * size),
             mib(columns * size) if columns else "-", read)
        )  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(_place(cell, width, column) for column, (cell, width) in enumerate(zip(row, widths))).rstrip()
             for row in rows]  # fmt: skip
    rule = "-" * max(map(len, lines))
    size = model.dtype.itemsize * batch_size
    footer = [
        f"input {_input_words(model)}, {totals['parameters']:,} parameters,"
        f" {totals['trained']:,} trained, {totals['parameters'] - totals['trained']:,} not trained",
        f"a training step with {batch_size} images keeps {mib(totals['kept'] * size)} of activations;"
        f" all its columns at once would be {mib(totals['columns'] * size)}",
    ]
    stages = [node for node in in_stages(nodes, model.ends) if isinstance(node.layer, ConvPool)]
    unwritten = sum(node.layer.conv.kept_elements() for node in stages if node.output in needed)
    if unwritten and "numba" not in missing_packages():
        footer.append(f"{mib(unwritten * size)} of them are never written on the CPU: convolution and pool run as one")
    if not needed.issuperset(node.output for node in nodes):
        footer.append(
            "not visited: no layer at or below this one is trained, so the backward pass stops above it and nothing"
            " is stored"
        )
    return "\n".join([lines[0], rule, *lines[1:], rule, *footer])


def _reads(model: Any) -> list[str]:
    """For each node the names of what it reads, or nothing where that is the line above."""
    names = [f"input_{number + 1}" if model.inputs > 1 else "input" for number in range(model.inputs)]
    found = []
    for node in model.nodes():
        above = node.inputs == (len(names) - 1,)
        found.append("" if above else ", ".join(names[number] for number in node.inputs))
        names.append(node.layer.name)
    return found


def _input_words(model: Any) -> str:
    shapes = [model.input_shape] if model.inputs == 1 else model.input_shape
    return " and ".join("x".join(map(str, shape)) for shape in shapes)


def training_state(layer: Any, visited: bool) -> str:
    """What training does with a layer: trained, frozen with a gradient passing through, or not visited."""
    if not visited:
        return "not visited"
    if not layer.parameter_shapes():
        return ""
    return "trained" if layer.trainable else "frozen, gradient passes"


def mib(size: float) -> str:
    """A number of bytes as text, in MiB or GiB."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"


def _place(cell, width, column):
    return cell.rjust(width) if column in (3, 5, 6) else cell.ljust(width)
