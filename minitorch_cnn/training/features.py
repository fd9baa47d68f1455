"""Features once: what a frozen base makes of an image never changes, so it is computed one time and kept.

While the bottom of a model is frozen and its images are not augmented, an epoch would repeat the same forward pass
through the base for every image. Training the layers above on the kept result gives the same gradients at a fraction of
the time. Several processes each compute a part of the features, and then exchange them.
"""

import math
import os
import tempfile

import numpy as np

from minitorch_cnn.arrays import on_host
from minitorch_cnn.datasets.batches import Batches
from minitorch_cnn.datasets.to_device import sent_ahead
from minitorch_cnn.engine import passes
from minitorch_cnn.errors import DataError, TrainingError
from minitorch_cnn.parallel import Alone, part
from minitorch_cnn.training import diagnosis
from minitorch_cnn.twins.stages import in_stages

IN_MEMORY = 2 * 2**30  # bytes; more goes to a temporary file


def fixed_depth(model):
    """How many of the lowest layers are deterministic: frozen, and known to be without randomness."""
    frozen = model.layers[: model.lowest_trainable()]
    return next((depth for depth, layer in enumerate(frozen) if layer.random is not False), len(frozen))


def worth_caching(model, augment):
    """Whether there is a frozen base whose output can be kept."""
    return augment is None and any(layer.parameter_shapes() for layer in model.layers[: fixed_depth(model)])


def base_features(model, images, batch_size=32, workers=2, progress=True, ranks=None):
    """The output (N, ...) of the fixed layers for `images` (N, H, W, C) or a sequence that loads them.

    In memory, or in a temporary file that goes away with the array when it would take more than 2 GiB. Each of `ranks`
    computes its share of the batches, cut as one process would cut them, so all have one process's features to the bit.
    Raises TrainingError, naming the layer, where some of it is not finite, DataError where there is no room for it.
    """
    from tqdm import tqdm

    ranks = ranks or Alone()
    features = _room((len(images), *model.layers[fixed_depth(model) - 1].output_shape), model.dtype)
    cuts = [min(batch * batch_size, len(images)) for batch in ranks.cuts(-(-len(images) // batch_size))]
    first, stop = cuts[ranks.rank], cuts[ranks.rank + 1]
    with tqdm(total=stop - first, unit=" images", desc="features", disable=not progress, dynamic_ncols=True) as bar:
        if first < stop:
            transform = model.receive if model.backend == "numpy" else None
            share = part(images, first, stop)
            batches = Batches(share, None, batch_size, shuffle=False, transform=transform, workers=workers)
            good = _compute(model, batches.epoch(0), features[first:stop], bar)
            if good < stop - first:
                _refuse(model, images, first + good)
        ranks.exchange(features, cuts)
        bar.set_postfix_str(f"features cached: {len(images):,} images, {features.nbytes / 2**20:,.0f} MiB")
    return features


def _compute(model, batches, features, bar):
    """Fill `features` with what the fixed layers make of the images; for how many, before some is not finite."""
    base, done = in_stages(model.nodes()[: fixed_depth(model)]), 0
    for x, _ in batches if model.backend == "numpy" else sent_ahead(batches, model.xp):
        x, _ = passes.forward(base, [model.receive(x)])
        if not diagnosis.finite(x):
            break
        features[done : done + len(x)] = on_host(x)
        done += len(x)
        bar.update(len(x))
    batches.close()
    return done


def _refuse(model, images, first):
    """TrainingError where, of `images` from number `first` on, the base makes numbers that are not finite."""
    base = model.layers[: fixed_depth(model)]
    place = diagnosis.where_a_prediction_began(model, images, base, first) or diagnosis.NOWHERE
    what = "the features that the frozen base makes are not finite"
    raise TrainingError(f"{what}; it began {place.words}: {place.advice(0, 0.0)}")


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
