"""Features once: what a frozen base makes of an image never changes, so it is computed one time and kept.

While the bottom of a model is frozen and its images are not augmented, an epoch would repeat the same forward pass
through the base for every image. Training the layers above on the kept result gives the same gradients at a fraction of
the time.
"""

import copy
import math
import os
import tempfile

import numpy as np
from tqdm import tqdm

from minitorch_cnn import diagnosis
from minitorch_cnn.backend import on_host
from minitorch_cnn.datasets.batches import Batches
from minitorch_cnn.datasets.to_device import sent_ahead
from minitorch_cnn.errors import DataError, TrainingError
from minitorch_cnn.layers.conv_pool import in_stages

IN_MEMORY = 2 * 2**30  # bytes; more goes to a temporary file


def fixed_depth(model):
    """How many layers at the bottom do the same to an image every time: all frozen, and none of them random."""
    depth = 0
    for layer in model.layers[: model.lowest_trainable()]:
        if hasattr(layer, "draws"):
            break
        depth += 1
    return depth


def worth_caching(model, augment):
    """Whether there is a frozen base whose output can be kept."""
    return augment is None and any(layer.parameters for layer in model.layers[: fixed_depth(model)])


def base_features(model, images, batch_size=32, workers=2, progress=True):
    """The output (N, ...) of the fixed layers for `images` (N, H, W, C) or a sequence that loads them.

    In memory, or in a temporary file that goes away with the array when it would take more than 2 GiB.
    Raises TrainingError, naming the layer, where some of it is not finite, DataError where there is no room for it.
    """
    base = model.layers[: fixed_depth(model)]
    shape = (len(images), *base[-1].output_shape)
    features = _room(shape, model.dtype)
    on_gpu = model.backend != "numpy"
    transform = None if on_gpu else model.receive
    batches = Batches(images, None, batch_size, shuffle=False, transform=transform, workers=workers).epoch(0)
    batches = sent_ahead(batches, model.xp) if on_gpu else batches
    done = 0
    with tqdm(total=len(images), unit=" images", desc="features", disable=not progress, dynamic_ncols=True) as bar:
        for x, _ in batches:
            x = model.receive(x)
            for stage in in_stages(base):
                x = stage.forward(x, False)
                stage.forget()
            if not diagnosis.finite(x):
                _refuse(model, base, images, done)
            features[done : done + len(x)] = on_host(x)
            done += len(x)
            bar.update(len(x))
        bar.set_postfix_str(f"features cached: {done:,} images, {features.nbytes / 2**20:,.0f} MiB")
    return features


def _refuse(model, base, images, done):
    """TrainingError where, after `done` images, the base makes numbers that are not finite."""
    place = diagnosis.where_a_prediction_began(model, images, base, done) or diagnosis.NOWHERE
    raise TrainingError(
        f"the features that the frozen base makes are not finite; it began {place.words}: {place.advice(0, 0.0)}"
    )


def upper_part(model, depth):
    """The model from layer `depth` on, as a model that takes the base's features: the same layers, the same weights."""
    part = copy.copy(model)
    part.layers = model.layers[depth:]
    part.input_shape = model.layers[depth].input_shape
    part.preprocessing = None
    return part


def _room(shape, dtype):
    if math.prod(shape) * np.dtype(dtype).itemsize <= IN_MEMORY:
        return np.empty(shape, dtype)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    try:
        file = tempfile.TemporaryFile(prefix="minitorch_cnn_features_")  # noqa: SIM115  (lives as long as the array)
        if hasattr(os, "posix_fallocate"):  # else a disk that is full later would end the process by a signal
            os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, dtype, "w+", shape=shape)
    except OSError as error:
        place = tempfile.gettempdir()
        raise DataError(f"features: {place}: no room for {size / 2**30:.1f} GiB ({error.strerror or error})") from None
