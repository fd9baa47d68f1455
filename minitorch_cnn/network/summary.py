"""The table that `model.summary()` prints: what each layer makes of its input, and what that costs."""

import math

from minitorch_cnn.engine.layers.conv_pool import ConvPool, in_stages


def summary(model, batch_size=32):
    """The table as text. Memory is what a training step keeps for `batch_size` images.

    *Activations* are what forward hands on and backward needs again; on the CPU the map between a convolution and the
    2x2 pool behind it is never written (`layers/conv_pool.py`). *Columns* are what im2col would lay out if it were done
    for the whole batch at once; the algorithms that "auto" takes on the CPU need a few hundred KiB instead.
    """
    lowest = model.lowest_trainable()
    rows = [("layer", "kind", "output", "parameters", "", "activations", "columns")]
    totals = {"parameters": 0, "trained": 0, "kept": 0, "columns": 0}
    for index, layer in enumerate(model.layers):
        count, shapes = layer.count_parameters(), layer.parameter_shapes()
        trained = sum(math.prod(shapes[name]) for name in layer.trained()) if layer.trainable else 0
        kept = layer.kept_elements() if index >= lowest else 0
        columns = getattr(layer, "column_elements", int)()
        for key, value in zip(totals, (count, trained, kept, columns)):
            totals[key] += value
        shape = "x".join(map(str, layer.output_shape))
        size = model.dtype.itemsize * batch_size
        description = f"{type(layer).__name__} {layer.describe()}".strip()
        rows.append(
            (layer.name, description, shape, f"{count:,}", training_state(layer, index, lowest), mib(kept * size),
             mib(columns * size) if columns else "-")
        )  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(_place(cell, width, column) for column, (cell, width) in enumerate(zip(row, widths))).rstrip()
             for row in rows]  # fmt: skip
    rule = "-" * max(map(len, lines))
    size = model.dtype.itemsize * batch_size
    footer = [
        f"input {'x'.join(map(str, model.input_shape))}, {totals['parameters']:,} parameters,"
        f" {totals['trained']:,} trained, {totals['parameters'] - totals['trained']:,} not",
        f"a training step with {batch_size} images keeps {mib(totals['kept'] * size)} of activations;"
        f" all its columns at once would be {mib(totals['columns'] * size)}",
    ]
    pooled = [stage.conv for stage in in_stages(model.layers) if isinstance(stage, ConvPool)]
    unwritten = sum(conv.kept_elements() for conv in pooled if model.layers.index(conv) >= lowest)
    if unwritten:
        footer.append(f"{mib(unwritten * size)} of them are never written on the CPU: the convolution pools by itself")
    if lowest > 0:
        footer.append("not visited: nothing up to there learns, so the way back ends above and nothing is kept")
    return "\n".join([lines[0], rule, *lines[1:], rule, *footer])


def training_state(layer, index, lowest):
    """What training does with a layer: trained; frozen, the gradient passing through; or not visited at all."""
    if index < lowest:
        return "not visited"
    if not layer.parameter_shapes():
        return ""
    return "trained" if layer.trainable else "frozen, gradient passes"


def mib(size):
    """A number of bytes in MiB or GiB."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"


def _place(cell, width, column):
    return cell.rjust(width) if column in (3, 5, 6) else cell.ljust(width)
