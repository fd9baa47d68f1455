"""Finds out which conventions a file follows: axis order, kernel direction, flatten order and running statistics.

Newer files state their conventions or leave no choice. For old files they have to be inferred, and where that is
impossible the user must state them, because with a wrong guess the file loads without an error and the model computes
nonsense.

* Axis order (Keras 0 and 1): a kernel's shape fits the model in one order only, or its filters match the length of the
  bias in one order only. A 3x3 kernel with 3 channels and 3 filters fits both; then the other layers decide.
* Kernel direction: given by the attribute `backend`, or in Keras 1 by the spelling of the weights' names (TensorFlow's
  end in ":0"). Keras 0.x stores neither.
* Flatten order: channels-first models flattened (C, H, W) until Keras 2.1.6 gave Flatten a `data_format`; since 2.2
  Flatten moves the channels last before it flattens. The description in a whole-model file tells which; weights-only
  files of Keras 2 and later do not, and are assumed to be channels-last, as almost all are.
* Running statistics: under the same name Keras stored a standard deviation up to 1.0.5 and a variance since. Weights of
  Keras 1 without a version are assumed to be variances.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from minitorch_cnn.keras_h5.stored import StoredFile, StoredLayer, StoredWeight
from minitorch_cnn.keras_h5.target import Shape, TargetLayer
from minitorch_cnn.keras_h5.weight_names import keras_1_backend

CHANNELS_LAST_ASSUMED = (
    "the file does not state in which order a feature map was flattened, so channels last is assumed; if the model ran"
    " with channels first, as many did on Theano, pass flatten_order='channels_first'"
)

Pairs = Sequence[tuple[StoredLayer, TargetLayer]]


@dataclass(frozen=True)
class Choices:
    """What the user states about a file; None means that the file decides.

    `kernels` is "theano" or "tensorflow", the library whose convolution the kernels were trained with. `dim_ordering`
    is "th" for kernels (out, in, rows, columns) or "tf" for (rows, columns, in, out). `flatten_order` is
    "channels_first" or "channels_last", the order in which the feature map was flattened. `running_std` is
    "standard_deviation" or "variance", the meaning of that weight of a normalization.
    """

    kernels: str | None = None
    dim_ordering: str | None = None
    flatten_order: str | None = None
    running_std: str | None = None


@dataclass
class Conventions:
    """The conventions of one file; `problems` are what the user has to decide, `notes` what was assumed."""

    filters_first: bool
    rotated: bool
    flattened_channels_first: bool
    standard_deviation: bool
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_conventions(stored: StoredFile, pairs: Pairs | None, choices: Choices) -> Conventions:
    """The conventions of a file, inferred from the file and the model; the user's choices take precedence.

    Arguments: `pairs`, the layers of the file with those of the model that they are paired with, or None without a
    model; `choices`, what the user stated.
    """
    problems: list[str] = []
    filters_first = _filters_first(stored, pairs or (), choices, problems)
    used = stored.weighted() if pairs is None else [layer for layer, _ in pairs]
    rotated = _rotated(stored, used, choices, filters_first, problems)
    flattened = _flattened_channels_first(stored, filters_first, choices)
    notes = [CHANNELS_LAST_ASSUMED] if _flatten_order_is_open(stored, used, choices) else []
    return Conventions(filters_first, rotated, flattened, _standard_deviation(stored, choices), problems, notes)


def _filters_first(stored: StoredFile, pairs: Pairs, choices: Choices, problems: list[str]) -> bool:
    if choices.dim_ordering is not None:
        return choices.dim_ordering == "th"
    if stored.keras not in (0, 1):
        return False
    expected = {id(layer): target.weights.get("kernel") for layer, target in pairs}
    kernels = _kernels(stored.weighted())
    fits = (_fits_one_order(kernel.shape, expected.get(id(layer)), _bias_length(layer)) for kernel, layer in kernels)
    votes = {vote for vote in fits if vote is not None}
    if len(votes) == 1:
        return votes.pop()
    described = stored.config.convolutions_channels_first() if stored.config else None
    if described is not None:
        return described
    if votes:
        problems.append(
            "some of the file's kernels fit only as (out, in, rows, columns), some only as (rows, columns, in, out)"
        )
    elif kernels:
        problems.append(
            "the file's kernels fit in both axis orders; pass dim_ordering='th' for (out, in, rows, columns)"
            " or dim_ordering='tf' for (rows, columns, in, out)"
        )
    return False


def _fits_one_order(shape: Shape, expected: Shape | None, filters: int | None) -> bool | None:
    """True if the kernel fits only with its filters first, False if only with them last, None if undecided."""
    first = filters in (None, shape[0]) and expected in (None, (shape[2], shape[3], shape[1], shape[0]))
    last = filters in (None, shape[3]) and expected in (None, shape)
    if first == last and expected is not None:  # perhaps the model's shape is simply different, so compare without it
        return _fits_one_order(shape, None, filters) if not first else None
    return first if first != last else None


def _rotated(
    stored: StoredFile, used: Sequence[StoredLayer], choices: Choices, filters_first: bool, problems: list[str]
) -> bool:
    if choices.kernels is not None:
        return choices.kernels == "theano"
    if stored.backend is not None:
        return stored.backend == "theano"
    if stored.keras not in (0, 1):
        return False
    backends = {keras_1_backend(kernel.name) for kernel, _ in _kernels(stored.weighted())}
    if len(backends) == 1 and None not in backends:
        return backends.pop() == "theano"
    window = slice(2, 4) if filters_first else slice(0, 2)
    if any(max(kernel.shape[window]) > 1 for kernel, _ in _kernels(used)):  # rotating a 1x1 kernel changes nothing
        problems.append(
            "the file does not tell whether its kernels are Theano's, which are rotated by 180 degrees;"
            " pass kernels='theano' (nearly always right for files of Keras 0.x) or kernels='tensorflow'"
        )
    return False


def _flattened_channels_first(stored: StoredFile, filters_first: bool, choices: Choices) -> bool:
    if choices.flatten_order is not None:
        return choices.flatten_order == "channels_first"
    if stored.keras in (0, 1):
        return filters_first
    if stored.config is None or not stored.config.convolutions_channels_first():
        return False
    transposes = stored.config.flatten_channels_first()
    if transposes is not None:
        return not transposes
    return _version(stored) < (2, 2)


def _flatten_order_is_open(stored: StoredFile, used: Sequence[StoredLayer], choices: Choices) -> bool:
    """Whether channels-first is likely enough to be mentioned: common on Theano, very rare on TensorFlow."""
    unknown = choices.flatten_order is None and stored.config is None
    old = stored.keras == 2 and stored.backend == "theano" and _version(stored) < (2, 2)
    return unknown and old and any(len(weight.shape) == 2 for layer in used for weight in layer.weights)


def _standard_deviation(stored: StoredFile, choices: Choices) -> bool:
    if choices.running_std is not None:
        return choices.running_std == "standard_deviation"
    return stored.keras == 0 or _version(stored) < (1, 0, 6)


def _version(stored: StoredFile) -> tuple[int, ...]:
    """(2, 1, 6) for "2.1.6-tf"; a version that cannot be parsed is assumed to be recent."""
    found = re.match(r"(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?", stored.keras_version or "", re.ASCII)
    return tuple(int(part or 0) for part in found.groups()) if found else (3, 0, 0)


def _kernels(layers: Sequence[StoredLayer]) -> list[tuple[StoredWeight, StoredLayer]]:
    """Every readable convolution kernel with its layer; a kernel is a first weight with four axes."""
    readable = [(layer.weights[0], layer) for layer in layers if layer.weights[0].problem is None]
    return [(kernel, layer) for kernel, layer in readable if len(kernel.shape) == 4]


def _bias_length(layer: StoredLayer) -> int | None:
    others = [weight.shape for weight in layer.weights[1:] if weight.problem is None]
    return others[0][0] if len(others) == 1 and len(others[0]) == 1 else None
