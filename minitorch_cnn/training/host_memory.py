"""Whether a training step can fit into this machine's memory at all, asked before the first one.

NumPy takes memory that is not there, because the system hands it out only when it is written to. By then it is too late
for an error: Linux ends the process without a word.
"""

from __future__ import annotations

import math
from typing import Any

from minitorch_cnn.errors import TooLittleMemory
from minitorch_cnn.files.memory import machine_memory
from minitorch_cnn.files.printable import counted

GIB = 1 << 30


def require_room(model: Any, images: int) -> None:
    """Raise TooLittleMemory if a step with so many `images` takes more memory than the machine has.

    Counted is only the least that a step may take: the weights, their gradients, and for each image the outputs of the
    layers that learn.
    """
    total = machine_memory() if model.backend == "numpy" else None
    if total is None:
        return
    learning = [layer for layer in model.layers if layer.learns]
    weights = sum(layer.count_parameters() for layer in [*model.layers, *learning]) * model.dtype.itemsize
    each = sum(math.prod(layer.output_shape) for layer in learning) * model.dtype.itemsize
    if weights + images * each <= total:
        return
    fits = max(0, total - weights) // max(1, each)
    most = f"at most {counted(fits, 'image')} fit" if fits else "smaller images, or a smaller network, take less"
    raise TooLittleMemory(
        f"a step with {counted(images, 'image')} takes at least {(weights + images * each) / GIB:,.1f} GiB"
        f" ({weights / GIB:,.1f} for the weights and their gradients), and this machine has {total / GIB:,.1f}; {most}"
    )
