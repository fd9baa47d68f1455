"""Load: check everything, then read everything, or nothing."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.container import opened
from minitorch_cnn.keras_h5.conventions import find_conventions
from minitorch_cnn.keras_h5.dialects import read_stored
from minitorch_cnn.keras_h5.fingerprints import fingerprint
from minitorch_cnn.keras_h5.hdf5.text import shown
from minitorch_cnn.keras_h5.inspection import report_of
from minitorch_cnn.keras_h5.mapping import LayerPlan, make_plan, sources_alone
from minitorch_cnn.keras_h5.reading import (
    check_unfolded_size,
    checked_choices,
    checked_dtype,
    is_finite,
    not_finite_message,
    read_layer,
    read_source,
)
from minitorch_cnn.keras_h5.report import Report
from minitorch_cnn.keras_h5.stored import StoredLayer
from minitorch_cnn.keras_h5.target import Target, as_target


@dataclass(frozen=True)
class Loaded:
    """What a load brought.

    weights: the arrays by layer and name, in our layout; a layer that was skipped or is not in the file is absent.
    skipped: (layer, reason) for each layer that `skip_mismatch` let pass.
    report: what came from where; `print(loaded.report)`.
    """

    weights: dict[str, dict[str, np.ndarray]] = field(repr=False)
    skipped: list[tuple[str, str]]
    report: Report


def load(
    path: str | os.PathLike,
    target: Target,
    by_name: bool = False,
    skip_mismatch: bool = False,
    kernels: str | None = None,
    *,
    dim_ordering: str | None = None,
    flatten_order: str | None = None,
    running_std: str | None = None,
    dtype: str | np.dtype = "float32",
    allow_nonfinite: bool = False,
) -> Loaded:
    """The weights of a Keras file, arranged for a model.

    Every name, shape and number type is checked before a byte of weights is read, and nothing is returned unless all of
    it could be read.

    Arguments:
        path: any file that Keras, tf.keras or Keras 3 wrote with weights in it; the content decides, not the name.
        target: the model, layer by layer: a `Target`, or a model, which is left as it is.
        by_name: pair layers of equal names and leave the others alone, instead of pairing all in order.
        skip_mismatch: leave out layers whose shapes or number of weights differ, instead of raising.
        kernels: "theano" or "tensorflow", for old files that do not say whose convolution their kernels are for.
        dim_ordering: "th" or "tf", for old files whose kernels fit the model in both axis orders.
        flatten_order: "channels_first" or "channels_last", the order in which the feature map was flattened, for files
            without a description of the model that were trained channels-first.
        running_std: "standard_deviation" or "variance", what the moving variance is in a file of Keras 1, which called
            it running_std and changed its meaning with 1.0.6; left out: a variance, in files of Keras 0 a deviation.
        dtype: "float32" or "float64", the precision of the arrays returned.
        allow_nonfinite: load NaN and infinities too.

    Raises:
        WeightsError: one line that names the path, the layer, and what the file and the model each have.
        ArgumentError: an option with a value that means nothing.
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
    target: Target | None = None,
    *,
    kernels: str | None = None,
    dim_ordering: str | None = None,
    flatten_order: str | None = None,
    running_std: str | None = None,
    dtype: str | np.dtype = "float32",
    allow_nonfinite: bool = False,
) -> dict[str, dict[str, np.ndarray]]:
    """The weights in a file by layer and name, in our layout; with `target`, what `load` gives for it.

    Without a model the names are the file's own, with the name of the model they are nested in where two are the same,
    and the order of a flattened feature map stays as it is: only the model knows which rows of a dense kernel belong to
    which pixel. Arguments and errors are those of `load`.
    """
    said = {
        "kernels": kernels, "dim_ordering": dim_ordering, "flatten_order": flatten_order, "running_std": running_std,
    }  # fmt: skip
    choices, dtype = checked_choices(**said), checked_dtype(dtype)
    if target is not None:
        return load(path, target, dtype=dtype, allow_nonfinite=allow_nonfinite, **said).weights
    with opened(path) as container:
        stored = read_stored(container)
        layers = stored.weighted()
        conventions = find_conventions(stored, None, choices)
        broken = [weight for layer in layers for weight in layer.weights if weight.problem is not None]
        if broken or conventions.problems:
            raise WeightsError(f"{shown(broken[0].name)}: {broken[0].problem}" if broken else conventions.problems[0])
        check_unfolded_size((weight.dataset for layer in layers for weight in layer.weights), container.size)
        times = Counter(layer.label for layer in layers)
        weights: dict[str, dict[str, np.ndarray]] = {}
        for layer in layers:
            label = layer.label if times[layer.label] == 1 else f"{layer.nested_in}/{layer.label}"
            if label in weights:
                raise WeightsError(f"two layers are called {shown(label)}; give the model to tell them apart")
            arrays = weights[label] = {}
            for name, source in sources_alone(layer, conventions).items():
                arrays[name] = read_source(source, dtype)
                if not (allow_nonfinite or is_finite(arrays[name])):
                    raise WeightsError(not_finite_message(layer, name))
    return weights
