"""The plan of a load: for each weight of the model, the array in the file and its conversion to our layout.

The plan is made from names and shapes alone. Weights are read only if the whole plan is valid, so a file is either
loaded completely or leaves the model unchanged.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import isqrt

from minitorch_cnn.keras_h5.conventions import Choices, Conventions, find_conventions
from minitorch_cnn.keras_h5.differences import differences
from minitorch_cnn.keras_h5.given_numbers import GivenNumbers
from minitorch_cnn.keras_h5.hdf5.text import shown
from minitorch_cnn.keras_h5.layouts import Layout
from minitorch_cnn.keras_h5.pairing import pair_layers
from minitorch_cnn.keras_h5.stored import StoredFile, StoredLayer, StoredWeight
from minitorch_cnn.keras_h5.target import Target, TargetLayer, shape_text
from minitorch_cnn.keras_h5.weight_names import is_running_std


@dataclass(frozen=True)
class Source:
    """The source of one weight: an array in the file, and its conversion to our layout."""

    weight: StoredWeight
    layout: Layout


@dataclass
class LayerPlan:
    """One layer of the model with the sources of its weights, or the problem with it.

    `readable` is False if a weight cannot be read at all; `skip_mismatch` does not skip such a layer.
    """

    target: TargetLayer
    stored: StoredLayer
    sources: dict[str, Source] = field(default_factory=dict)
    problem: str | None = None
    readable: bool = True


@dataclass
class Plan:
    """The plan for the whole file.

    `problems` must be empty before anything is read; `skipped` are the (layer, reason) pairs that the user allowed.
    """

    stored: StoredFile
    target: Target
    conventions: Conventions
    layers: list[LayerPlan]
    problems: list[str]
    skipped: list[tuple[str, str]]
    notes: list[str]


def make_plan(
    stored: StoredFile, target: Target, choices: Choices, by_name: bool = False, skip_mismatch: bool = False
) -> Plan:
    """Match the file with the model; for a file that does not fit, the plan says so without raising."""
    pairing = pair_layers(stored, target, by_name)
    conventions = find_conventions(stored, pairing.pairs, choices)
    layers = [_plan_layer(stored_layer, layer, conventions, target) for stored_layer, layer in pairing.pairs]
    misfits = [(layer, layer.problem) for layer in layers if layer.problem is not None]
    skipped = [(layer.target.name, problem) for layer, problem in misfits if skip_mismatch and layer.readable]
    problems = pairing.problems  # if the layers could not be paired, other problems would only follow from that
    if not problems:
        unskipped = [problem for layer, problem in misfits if not (skip_mismatch and layer.readable)]
        problems = conventions.problems + unskipped
    if not problems and skipped and len(skipped) == len(layers):
        problems = [f"no layer of the file fits the model; the first: {skipped[0][1]}"]
    notes = stored.notes + conventions.notes + _notes(stored, layers)
    unlike = differences(stored.config, pairing.pairs, target) if stored.config is not None else None
    if unlike is not None and all(layer.path is None for layer in target.layers):
        notes = [unlike, *notes]
    return Plan(stored, target, conventions, layers, problems, skipped, notes)


def weight_layout(weight: StoredWeight, conventions: Conventions, layer: TargetLayer | None) -> Layout:
    """The conversion of a stored array to our layout; without a layer, as far as the file alone tells."""
    axes = len(weight.shape)
    rows = None
    if layer is not None and (axes == 2 or layer.kind == "BatchNormalization") and conventions.flattened_channels_first:
        rows = layer.flatten_shape
    if rows is not None and weight.shape[:1] != (rows[0] * rows[1] * rows[2],):
        rows = None  # the shapes differ, which is reported elsewhere, so there is nothing to reorder
    return Layout(
        filters_first=axes == 4 and conventions.filters_first,
        rotated=axes == 4 and conventions.rotated,
        rows_channels_first=rows,
        one_by_one=axes == 2 and layer is not None and layer.is_one_by_one,
        standard_deviation=axes == 1 and conventions.standard_deviation and weight.role == "moving_variance",
        channels=_channels(weight, layer),
    )


def _channels(weight: StoredWeight, layer: TargetLayer | None) -> int | None:
    """The number of channels of a layer to which a single number of the description applies."""
    if layer is None or not isinstance(weight.dataset, GivenNumbers) or weight.shape != (1,):
        return None
    shape = layer.weights.get(weight.role or "", ())
    return shape[0] if len(shape) == 1 else None


def sources_alone(layer: StoredLayer, conventions: Conventions) -> dict[str, Source]:
    """The sources of a layer without a partner in the model, by role if only one weight has it, else by name."""
    weights = [weight for weight in layer.weights if not weight.is_counter]
    times = Counter(weight.role for weight in weights)
    return {
        weight.role if weight.role and times[weight.role] == 1 else weight.name: Source(
            weight, weight_layout(weight, conventions, None)
        )
        for weight in weights
    }


def _plan_layer(stored: StoredLayer, layer: TargetLayer, conventions: Conventions, target: Target) -> LayerPlan:
    plan = LayerPlan(layer, stored)
    pairs = _by_role(stored, layer)
    if pairs is None:
        plan.problem = _names_problem(stored, layer)
        return plan
    for name, weight in pairs:
        if weight.problem is not None:
            plan.readable = False
            plan.problem = f"the file's {shown(stored.label)}, {shown(weight.name)}: {weight.problem}"
            return plan
        layout = weight_layout(weight, conventions, layer)
        if layout.shape(weight.shape) != tuple(layer.weights[name]):
            plan.problem = _shape_problem(name, layout.shape(weight.shape), stored, layer, target)
            return plan
        plan.sources[name] = Source(weight, layout)
    return plan


def _by_role(stored: StoredLayer, layer: TargetLayer) -> list[tuple[str, StoredWeight]] | None:
    """Match by the weights' names if the file has them, else by position, kernel first; None if they do not match.

    Matching by position alone could load a gamma into a beta, because all arrays of a normalization have one shape.
    """
    wanted = [weight for weight in stored.weights if weight.role != "count" and not weight.is_counter]
    by_role = {_our_name(weight.role, layer): weight for weight in wanted}
    if set(by_role) == set(layer.weights) and len(by_role) == len(wanted):
        return [(name, by_role[name]) for name in layer.weights]
    if None not in by_role or len(wanted) != len(layer.weights):
        return None
    return list(zip(layer.weights, wanted))


def _our_name(role: str | None, layer: TargetLayer) -> str | None:
    """The layer's name for a weight: some versions call a depthwise kernel just "kernel", others do not."""
    other = {"depthwise_kernel": "kernel", "kernel": "depthwise_kernel"}.get(role or "")
    return other if role not in layer.weights and other in layer.weights else role


def _names_problem(stored: StoredLayer, layer: TargetLayer) -> str:
    return (
        f"the file's {shown(stored.label)} has the weights {_weight_names(stored)};"
        f" this model's {layer.name} has {', '.join(layer.weights)}"
    )


def _shape_problem(name: str, shape: tuple[int, ...], stored: StoredLayer, layer: TargetLayer, target: Target) -> str:
    part = "" if name == "kernel" else f" {name}"
    theirs, ours = shown(stored.label), layer.name
    made_for = _made_for(shape, layer, target) if name == "kernel" else ""
    expected = shape_text(tuple(layer.weights[name]))
    whose = "this model's" if theirs == ours else f"this model's {ours}{part}"
    return f"the file's {theirs}{part} is {shape_text(shape)}{made_for}; {whose} is {expected}"


def _made_for(shape: tuple[int, ...], layer: TargetLayer, target: Target) -> str:
    """The image size the file was made for, if that explains why a dense kernel after a Flatten differs."""
    if layer.flatten_shape is None or len(shape) != 2 or target.input_shape is None or len(target.input_shape) != 3:
        return ""
    side = isqrt(shape[0] // layer.flatten_shape[2])
    if side * side * layer.flatten_shape[2] != shape[0] or side == layer.flatten_shape[0]:
        return ""
    scale = 1
    for other in target.layers:  # computes how many pixels of the image one step in the feature map covers
        if other.name == layer.name:
            break
        before, after = other.input_shape, other.output_shape
        if before is not None and after is not None and len(before) == len(after) == 3:
            step = round(before[0] / after[0])
            if step == 1 and before[0] != after[0]:  # without padding the image size is not a simple product
                return ", made for images of another size"
            scale *= step
    return f", made for {side * scale}x{side * scale} images"


def _weight_names(stored: StoredLayer) -> str:
    return ", ".join(shown(weight.role or weight.name) for weight in stored.weights[:8]) or "none"


def _notes(stored: StoredFile, layers: list[LayerPlan]) -> list[str]:
    """What was assumed or converted, which the user should know."""
    notes = []
    sources = [source for layer in layers for source in layer.sources.values()]
    if any(source.layout.standard_deviation for source in sources):
        notes.append(
            "running_std is a standard deviation, as Keras stored it up to 1.0.5, so moving_variance is its square;"
            " Keras 0.x normalized with epsilon 1e-6"
        )
    elif stored.keras == 1 and any(is_running_std(source.weight.name) for source in sources):
        notes.append(
            "running_std is assumed to be a variance, as Keras 1.0.6 and later store it; if the file is of 1.0.5 or"
            " earlier, load it with running_std='standard_deviation'"
        )
    if any(source.layout.rows_channels_first for source in sources):
        notes.append("the rows of the dense kernel after the Flatten were reordered from (c, h, w) to (h, w, c)")
    return notes
