"""`load` and `read`: check the whole file first, then read all of it or nothing."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.files.printable import printable
from minitorch_cnn.keras_h5.container import opened
from minitorch_cnn.keras_h5.conventions import find_conventions
from minitorch_cnn.keras_h5.dialects import read_stored
from minitorch_cnn.keras_h5.fingerprints import fingerprint
from minitorch_cnn.keras_h5.hdf5.text import shown
from minitorch_cnn.keras_h5.inspection import report_of
from minitorch_cnn.keras_h5.mapping import LayerPlan, make_plan, sources_alone
from minitorch_cnn.keras_h5.reading import (
    check_decompressed_size,
    checked_choices,
    checked_dtype,
    is_finite,
    not_finite_message,
    read_layer,
    read_source,
)
from minitorch_cnn.keras_h5.report import Report
from minitorch_cnn.keras_h5.stored import StoredLayer
from minitorch_cnn.keras_h5.target import HasTarget, Target, as_target


@dataclass(frozen=True)
class Loaded:
    """The result of `load`.

    `weights` holds the arrays by layer and name, in our layout, without layers that were skipped or are not in the
    file. `skipped` is a list of (layer, reason) for each layer skipped because of `skip_mismatch`. `report` shows where
    every weight came from; `print(loaded.report)`.
    """

    weights: dict[str, dict[str, np.ndarray]] = field(repr=False)
    skipped: list[tuple[str, str]]
    report: Report


def load(
    path: str | os.PathLike,
    target: Target | HasTarget,
    by_name: bool = False,
    skip_mismatch: bool = False,
    kernels: str | None = None,
    *,
    dim_ordering: str | None = None,
    flatten_order: str | None = None,
    running_std: str | None = None,
    dtype: DTypeLike = "float32",
    allow_nonfinite: bool = False,
) -> Loaded:
    """The weights of a Keras file, arranged for a model, with a report.

    All names, shapes and number types are checked before any weights are read, and nothing is returned unless
    everything could be read.

    Arguments: `path`, any weight or whole-model file written by Keras, tf.keras or Keras 3 (the content decides, not
    the name); `target`, a `Target` or a model, which is not changed; `by_name`, pair layers of equal names and ignore
    the others, instead of pairing all in order; `skip_mismatch`, leave out layers whose shapes or number of weights
    differ, instead of raising; `dtype`, the precision of the returned arrays, "float32" or "float64";
    `allow_nonfinite`, accept NaN and infinities.

    The other arguments state what some old files do not: `kernels`, "theano" or "tensorflow", the library whose
    convolution the kernels were trained with; `dim_ordering`, "th" or "tf", if the kernels fit the model in both axis
    orders; `flatten_order`, "channels_first" or "channels_last", the order in which the feature map was flattened, for
    files without a description of the model; `running_std`, "standard_deviation" or "variance", the meaning of the
    weight that Keras 1 called running_std and changed in 1.0.6 (default: a standard deviation in files of Keras 0 and
    of versions before 1.0.6, otherwise a variance).

    Raises WeightsError, with one line that names the path, the layer, and what the file and the model each have, when
    the file cannot be read or does not fit; ArgumentError when an argument has an invalid value.
    """
    choices = checked_choices(
        kernels=kernels, dim_ordering=dim_ordering, flatten_order=flatten_order, running_std=running_std
    )
    dtype, target = checked_dtype(dtype), as_target(target)
    with opened(path) as container:
        plan = make_plan(read_stored(container), target, choices, by_name, skip_mismatch)
        if plan.problems:
            more = len(plan.problems) - 1
            raise WeightsError(plan.problems[0] + (f" (and {more} more: see keras_h5.inspect)" if more else ""))
        sound = [layer for layer in plan.layers if layer.problem is None]
        weights = {layer.target.name: read_layer(layer, dtype, allow_nonfinite) for layer in sound}
        size = container.size

    def fingerprint_of(layer: StoredLayer, partner: LayerPlan | None) -> str:
        return fingerprint(weights[partner.target.name]) if partner and partner.target.name in weights else "-"

    return Loaded(weights, plan.skipped, report_of(path, size, plan.stored, plan, fingerprint_of))


def read(
    path: str | os.PathLike,
    target: Target | HasTarget | None = None,
    *,
    kernels: str | None = None,
    dim_ordering: str | None = None,
    flatten_order: str | None = None,
    running_std: str | None = None,
    dtype: DTypeLike = "float32",
    allow_nonfinite: bool = False,
) -> dict[str, dict[str, np.ndarray]]:
    """The weights in a file by layer and name, in our layout; with `target`, the weights that `load` returns.

    Without a model the names are those in the file, preceded by the nested model's name where two layers share one. The
    rows of a dense kernel after a flattened feature map keep their order, because only the model knows which row
    belongs to which pixel. A layer with a weight that is no floating-point array (a count, a text) is left out with a
    warning that names it; WeightsError if that leaves none. The other arguments and errors are those of `load`.
    """
    given: dict[str, Any] = {
        "kernels": kernels, "dim_ordering": dim_ordering, "flatten_order": flatten_order, "running_std": running_std,
    }  # fmt: skip
    choices, dtype = checked_choices(**given), checked_dtype(dtype)
    if target is not None:
        return load(path, target, dtype=dtype, allow_nonfinite=allow_nonfinite, **given).weights
    with opened(path) as container:
        stored = read_stored(container)
        layers = _of_numbers(path, stored.weighted())
        conventions = find_conventions(stored, None, choices)
        all_weights = [weight for layer in layers for weight in layer.weights]
        weights_in = [weight for weight in all_weights if not weight.is_counter] or all_weights
        broken = [weight for weight in weights_in if weight.problem is not None]
        if broken or conventions.problems:
            raise WeightsError(f"{shown(broken[0].name)}: {broken[0].problem}" if broken else conventions.problems[0])
        datasets = (weight.dataset for weight in weights_in if weight.dataset is not None)
        check_decompressed_size(datasets, container.size)
        times = Counter(layer.label for layer in layers)
        weights: dict[str, dict[str, np.ndarray]] = {}
        for layer in layers:
            label = layer.label if times[layer.label] == 1 else f"{layer.nested_in}/{layer.label}"
            if label in weights:
                raise WeightsError(f"two layers are called {shown(label)}; pass the model to tell them apart")
            arrays = weights[label] = {}
            for name, source in sources_alone(layer, conventions).items():
                arrays[name] = read_source(source, dtype)
                if not (allow_nonfinite or is_finite(arrays[name])):
                    raise WeightsError(not_finite_message(layer, name))
    return weights


def _of_numbers(path: str | os.PathLike, layers: list[StoredLayer]) -> list[StoredLayer]:
    """The layers whose weights are floats and counters, with a warning about the others; all of them if none is."""
    others = {layer.label: [each for each in layer.weights if each.of_another_type] for layer in layers}
    floats = []
    for layer in layers:
        odd = others[layer.label]
        if len(odd) < len(layer.weights) and all(weight.is_counter for weight in odd):
            floats.append(layer)
    if not floats:
        return layers
    for layer in [layer for layer in layers if layer not in floats]:
        for weight in others[layer.label][:1]:
            message = f"{os.fsdecode(path)}: left out {shown(layer.label)}: {shown(weight.name)}: {weight.problem}"
            warnings.warn(printable(message), stacklevel=3)
    return floats
