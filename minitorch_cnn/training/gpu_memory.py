"""The message when a GPU runs out of memory, which says what batch size would fit."""

import math
from typing import Any

from minitorch_cnn.errors import BackendError

WORKING_MAPS = 4  # feature maps of the largest layer: its output, the gradient, and scratch memory of a convolution
COPIES = 4  # vectors as long as the parameters: they, their gradients, and up to two of the optimizer
BESIDE = 2  # with a captured step: its graph keeps its memory, and the last batch and the validation need other memory
SHARE = 0.9  # of the memory that can be used: the rest is lost to fragmentation


def out_of_memory(model: Any, batch_size: int, graph_pool: Any = None) -> BackendError:
    """The BackendError for a batch that was too large; it names the largest batch size that should fit.

    That is an estimate from the shapes: what a step stores for each image, and its scratch memory. Where it says that
    `batch_size` itself fits, which has just been refuted, half of that is named. `graph_pool` is the memory pool of a
    captured step, if there is one.
    """
    xp = model.xp
    pools = [pool for pool in (xp.get_default_memory_pool(), graph_pool) if pool is not None]
    for pool in pools:
        pool.free_all_blocks()
    free, total = xp.cuda.Device().mem_info
    room = SHARE * (free + sum(pool.total_bytes() for pool in pools))
    fixed, each = needs(model)
    each *= 1 if graph_pool is None else BESIDE
    fits = int((room - fixed) // each)
    if fits >= batch_size:
        fits = batch_size // 2
    advice = f"a batch of {fits} should fit: --batch-size {fits}" if fits > 0 else "not even one image fits beside them"
    return BackendError(
        f"the GPU's memory ({total / 2**30:.1f} GiB, {room / 2**30:.1f} GiB of it usable) is too small for a batch of"
        f" {batch_size}: parameters take {fixed / 2**30:.2f} GiB, an image {each / 2**20:.1f} MiB; {advice}"
    )


def needs(model: Any) -> tuple[int, int]:
    """How much memory a training step takes: (bytes for any batch size, bytes for each image)."""
    lowest, itemsize = model.lowest_trainable(), model.dtype.itemsize
    kept = sum(node.layer.kept_elements() for node in model.nodes()[lowest:])
    inputs = [model.input_shape] if model.inputs == 1 else model.input_shape
    maps = [math.prod(shape) for shape in (*inputs, *(layer.output_shape for layer in model.layers))]
    parameters = sum(layer.count_parameters() for layer in model.layers)
    return COPIES * parameters * itemsize, (kept + WORKING_MAPS * max(maps)) * itemsize
