"""`load_model`: opens a network that `model.save` or Keras saved, architecture and weights, without Keras."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from minitorch_cnn import keras_h5
from minitorch_cnn.arguments import check_path, float_type, sizes, whole
from minitorch_cnn.datasets.preprocessing import checked, from_words
from minitorch_cnn.errors import ArgumentError, UserError, WeightsError
from minitorch_cnn.files.printable import printable
from minitorch_cnn.keras_h5.architecture import read_architecture
from minitorch_cnn.models.keras_architecture import Flattened, OpenShape, model_of_architecture
from minitorch_cnn.network.cost import check_cost
from minitorch_cnn.network.own_file import is_own_file, opened_own_file
from minitorch_cnn.network.stored_model import stored_model

__all__ = ["OpenShape", "load_model", "load_within_limits"]

RUN = "model.npz"  # the model in the folder of a run
OPTIONS = {"allow_nonfinite", "dim_ordering", "flatten_order", "kernels", "running_std"}  # of `keras_h5.load`
UNPACKED, SMALL = 4, 64 << 20  # the weights of a file take at most so many times its size, or so many bytes


def load_model(
    path: str | os.PathLike, input_shape: tuple | None = None, seed: int | None = None, dtype: Any = None,
    preprocessing: Any = None, **options: Any,
) -> Any:  # fmt: skip
    """The network in a `.keras` file or whole-model `.h5` file of any Keras, as a `Sequential` or a `Model`.

    A `.npz` file that `model.save` wrote gives the model back with all its bits, preprocessing, seed and dtype.
    Nothing in the file is executed. The network computes what Keras computed; initializers, regularizers, the loss and
    the optimizer that the file may name are ignored. Inputs and outputs that Keras holds in a dict are in the order of
    its sorted keys.

    Arguments: `input_shape` (H, W, C), if the file leaves sizes open; `seed` and `dtype` as for `Model` (left out: for
    a `.npz` file its own, otherwise float32);
    `preprocessing` of uint8 images, if the network does not begin with it: Keras's files do not say it, so give one of
    `datasets.preprocessing`, or words such as "tf" or "127/128" (`from_words`); the other options are `kernels`,
    `dim_ordering`, `flatten_order`, `running_std` and `allow_nonfinite` of `keras_h5.load`, for old files.

    Raises WeightsError, one line with the path, if the file is damaged, holds only weights, or has layers or settings
    that have no counterpart here, all of which are listed; ArgumentError if `input_shape` is needed.
    """
    path = check_path(path, "load_model")
    if input_shape is not None:
        input_shape = sizes(input_shape, "load_model: input_shape")
    preprocessing = from_words(preprocessing) if isinstance(preprocessing, str) else checked(preprocessing)
    if os.path.isfile(run := os.path.join(name := os.fsdecode(path), RUN)):
        raise WeightsError(printable(f"{name}: it is the folder of a run, whose model is {run}"))
    if is_own_file(path):
        model = _own(path, input_shape, seed, dtype, options)
        if preprocessing is None:
            return model
    else:
        for option in sorted(options.keys() - OPTIONS):
            raise ArgumentError(f"load_model: expected one of the options {', '.join(sorted(OPTIONS))}, got {option}")
        model = _load(path, input_shape, seed, "float32" if dtype is None else dtype, options, None)
    model.preprocessing = preprocessing
    return model


def _own(path, input_shape, seed, dtype, options):
    """The model in a file of the package's own; it leaves nothing open, so only `seed` and `dtype` can be changed."""
    name = os.fsdecode(path)
    with opened_own_file(path) as (arrays, facts):
        if seed is not None and isinstance(facts.get("model"), dict):
            facts["model"]["seed"] = whole(seed, "seed", 0)
        model, _ = stored_model(name, arrays, facts, limits=False)
    if options:
        raise ArgumentError(f"{name}: {next(iter(options))}: expected no such option for a file of minitorch_cnn")
    if input_shape is not None and input_shape != model.input_shape:
        raise ArgumentError(f"{name}: input_shape: the file has {model.input_shape}, got {input_shape}")
    return model if dtype is None or float_type(dtype) == model.dtype else model.copy(dtype)


def load_within_limits(
    path: str | os.PathLike, input_shape: tuple | None = None, seed: int | None = None, dtype: Any = "float32"
) -> Any:
    """As `load_model`, for a file from an untrusted source that is going to be run.

    Raises ArgumentError also for a network that would take too much memory or time for an image (`network/cost.py`),
    before any memory is allocated for it.
    """
    return _load(path, input_shape, seed, dtype, {}, check_cost)


def _load(path, input_shape, seed, dtype, options, check):
    network = read_architecture(path)
    most = (UNPACKED * os.path.getsize(path) + SMALL) // 4
    try:
        flattened = model_of_architecture(network, input_shape, seed, dtype, most, check)
    except UserError as error:
        raise type(error)(f"{os.fsdecode(path)}: {error}") from None
    except Exception as error:  # values of another kind than Keras writes, where nobody expected them
        reason = printable((str(error).splitlines() or [type(error).__name__])[0])[:200]
        raise WeightsError(f"{os.fsdecode(path)}: its description makes no sense ({reason})") from None
    return _with_weights(flattened, path, options)


def _with_weights(flattened: Flattened, path: str | os.PathLike, options: dict[str, Any]) -> Any:
    model, paths = flattened.model, flattened.paths
    target = model.keras_target()
    layers = [replace(layer, path=paths.get(layer.name, layer.name)) for layer in target.layers]
    loaded = keras_h5.load(path, replace(target, layers=tuple(layers)), dtype=model.dtype, **options)
    for name, arrays in loaded.weights.items():
        model.get_layer(name).load(arrays)
    unread = [layer.name for layer in layers if layer.weights and layer.name not in loaded.weights]
    if unread:
        raise WeightsError(f"{os.fsdecode(path)}: it has no weights for {', '.join(unread[:8])}")
    return model
