"""Cached features: the output of a frozen base for an image never changes, so it is computed once.

While the bottom of a model is frozen and its images are not augmented, every epoch would repeat the same forward pass
through the base. Training the layers above on the stored features gives the same gradients in a fraction of the time.
If several processes train, each computes a part of the features, and then they exchange them.
"""

from __future__ import annotations

import math
import os
import tempfile
from typing import Any, NoReturn

import numpy as np

from minitorch_cnn.arrays import on_host
from minitorch_cnn.datasets.batches import Batches
from minitorch_cnn.datasets.to_device import sent_ahead
from minitorch_cnn.engine import passes
from minitorch_cnn.errors import DataError, TrainingError
from minitorch_cnn.files.printable import counted
from minitorch_cnn.files.progress_bar import progress_bar
from minitorch_cnn.parallel import Alone, part
from minitorch_cnn.training import diagnosis
from minitorch_cnn.training.repeats import repeats
from minitorch_cnn.twins.stages import in_stages

IN_MEMORY = 2 * 2**30  # bytes; more goes to a temporary file


def fixed_depth(model: Any) -> int:
    """How many of the first nodes are fixed and end in the one value that the others read; 0 if there are none.

    A fixed layer is frozen, and known to repeat itself. In the middle of a block with branches several values
    are still to be read, so there the features are those before the block.
    """
    nodes = model.nodes()
    frozen = nodes[: model.lowest_trainable()]
    depth = next((depth for depth, node in enumerate(frozen) if not repeats(node.layer)), len(frozen))
    oldest = min((number for node in nodes[depth:] for number in node.inputs), default=model.ends[0])
    oldest = min(oldest, *model.ends)
    while depth and (model.inputs > 1 or nodes[depth - 1].output > oldest):
        depth -= 1
        oldest = min(oldest, *nodes[depth].inputs)
    return depth


def worth_caching(model: Any, augment: Any) -> bool:
    """Whether the model has a frozen base whose output can be stored (`augment` is None)."""
    return augment is None and any(node.layer.parameter_shapes() for node in model.nodes()[: fixed_depth(model)])


def base_features(
    model: Any,
    images: Any,
    batch_size: int = 32,
    workers: int = 2,
    progress: bool = True,
    ranks: Alone | None = None,
) -> np.ndarray:
    """The output (N, ...) of the fixed layers for `images`, (N, H, W, C) or a sequence that loads them.

    The result is in memory or, if it takes more than 2 GiB, in a temporary file that is deleted with the array. Each of
    `ranks` computes some of the batches that one process would compute, so the features have the same bits. Raises
    TrainingError, naming the layer, if a feature is not finite, and DataError if the disk has no room for them.
    """
    ranks = ranks or Alone()
    features = _room((len(images), *model.nodes()[fixed_depth(model) - 1].layer.output_shape), model.dtype)
    cuts = [min(batch * batch_size, len(images)) for batch in ranks.cuts(-(-len(images) // batch_size))]
    first, stop = cuts[ranks.rank], cuts[ranks.rank + 1]
    with progress_bar(total=stop - first, unit=" images", desc="features", disable=not progress) as bar:
        if first < stop:
            transform = model.receive if model.backend == "numpy" else None
            share = part(images, first, stop)
            batches = Batches(share, None, batch_size, shuffle=False, transform=transform, workers=workers)
            good = _compute(model, batches.epoch(0), features[first:stop], bar)
            if good < stop - first:
                _refuse(model, images, first + good)
        ranks.exchange(features, cuts)
        bar.set_postfix_str(f"features cached: {counted(len(images), 'image')}, {features.nbytes / 2**20:,.0f} MiB")
    return features


def _compute(model, batches, features, bar):
    """Fill `features` with the fixed layers' output; returns how many rows there are before one is not finite."""
    base, done = in_stages(model.nodes()[: fixed_depth(model)]), 0
    for x, _ in batches if model.backend == "numpy" else sent_ahead(batches, model.xp):
        x, _ = passes.forward(base, [x if model.backend == "numpy" else model.receive(x)])
        if not diagnosis.finite(x):
            break
        features[done : done + len(x)] = on_host(x)
        done += len(x)
        bar.update(len(x))
    batches.close()
    return done


def _refuse(model: Any, images: Any, first: int) -> NoReturn:
    """Raise TrainingError that says where the features of `images` stop being finite, from image `first` on."""
    base = model.nodes()[: fixed_depth(model)]
    place = diagnosis.where_a_prediction_began(model, images, base, first) or diagnosis.NOWHERE
    what = "the features computed by the frozen base are not finite"
    raise TrainingError(f"{what}; it began {place.words}: {place.advice(0, 0.0)}")


def _room(shape, dtype):
    if math.prod(shape) * np.dtype(dtype).itemsize <= IN_MEMORY:
        return np.empty(shape, dtype)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    try:
        file = tempfile.TemporaryFile(prefix="minitorch_cnn_features_")  # noqa: SIM115  (lives as long as the array)
        if hasattr(os, "posix_fallocate"):  # otherwise a disk that fills up later would kill the process
            os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, dtype, "w+", shape=shape)
    except OSError as error:
        place = tempfile.gettempdir()
        raise DataError(f"features: {place}: no room for {size / 2**30:.1f} GiB ({error.strerror or error})") from None
