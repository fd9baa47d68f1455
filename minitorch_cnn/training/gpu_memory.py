"""What to say when a GPU's memory is too small: which batch would fit."""

import math

from minitorch_cnn.errors import BackendError

WORKING_MAPS = 4  # of the largest layer: its output, the gradient, and what a convolution lays out on the way
COPIES = 4  # of the parameters: themselves, the gradients, and up to two vectors of an optimizer
SHARE = 0.9  # of the memory: the rest goes to pieces between the arrays


def out_of_memory(model, batch_size):
    """The BackendError for a batch that was too large: one line with the largest one that should fit.

    An estimate from the shapes: what a step keeps for each image, and what it works with beside that.
    """
    xp = model.xp
    pool = xp.get_default_memory_pool()
    pool.free_all_blocks()
    free, total = xp.cuda.Device().mem_info
    room = SHARE * (free + pool.total_bytes())
    fixed, each = needs(model)
    fits = min(int((room - fixed) // each), batch_size - 1)
    advice = f"a batch of {fits} should fit: --batch-size {fits}" if fits > 0 else "not even one image fits beside them"
    return BackendError(
        f"the GPU's memory ({total / 2**30:.1f} GiB, {room / 2**30:.1f} GiB for us) is too small for a batch of"
        f" {batch_size}: parameters take {fixed / 2**30:.2f} GiB, an image {each / 2**20:.1f} MiB; {advice}"
    )


def needs(model):
    """(bytes whatever the batch, bytes for each image) of a training step."""
    lowest, itemsize = model.lowest_trainable(), model.dtype.itemsize
    kept = sum(layer.kept_elements() for layer in model.layers[lowest:])
    maps = [math.prod(layer.output_shape) for layer in model.layers] + [math.prod(model.input_shape)]
    parameters = sum(layer.count_parameters() for layer in model.layers)
    return COPIES * parameters * itemsize, (kept + WORKING_MAPS * max(maps)) * itemsize
