"""The plan of a load: for each weight of the model, the array in the file and the way to our layout.

The plan is made from names and shapes alone. Only when all of it is sound does anybody read a weight, so a load either
happens whole or leaves the model as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isqrt

from .conventions import Choices, Conventions, find_conventions
from .hdf5.text import shown
from .layouts import Layout
from .pairing import pair_layers
from .stored import StoredFile, StoredLayer, StoredWeight
from .target import Target, TargetLayer, shape_text
from .weight_names import is_standard_deviation


@dataclass(frozen=True)
class Source:
    """Where one weight of the model comes from."""

    weight: StoredWeight
    layout: Layout


@dataclass
class LayerPlan:
    """One layer of the model with the sources of its weights, or what is wrong with it."""

    target: TargetLayer
    stored: StoredLayer
    sources: dict[str, Source] = field(default_factory=dict)
    problem: str | None = None


@dataclass
class Plan:
    """The whole load.

    `problems` must be empty before anything is read; `skipped` are (layer, reason) pairs that the user allowed.
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
    """Match the file with the model. Never raises for a file that does not fit: the plan says so."""
    pairing = pair_layers(stored, target, by_name)
    conventions = find_conventions(stored, pairing.pairs, choices)
    layers = [_plan_layer(stored_layer, layer, conventions, target, stored) for stored_layer, layer in pairing.pairs]
    misfits = [layer for layer in layers if layer.problem is not None]
    skipped = [(layer.target.name, layer.problem) for layer in misfits] if skip_mismatch else []
    problems = pairing.problems  # while the layers are not paired, what the pairs show is no problem of its own
    if not problems:
        problems = conventions.problems + ([] if skip_mismatch else [layer.problem for layer in misfits])
    return Plan(stored, target, conventions, layers, problems, skipped, stored.notes + _notes(stored, layers))


def weight_layout(
    weight: StoredWeight, conventions: Conventions, layer: TargetLayer | None, stored: StoredFile
) -> Layout:
    """The steps from a stored array to our layout; without a model's layer, as far as the file alone tells."""
    axes = len(weight.shape)
    rows = layer.flatten_shape if layer is not None and axes == 2 and conventions.flattened_channels_first else None
    if rows is not None and rows[0] * rows[1] * rows[2] != weight.shape[0]:
        rows = None  # the shapes differ, which is reported; there is no order to put right
    return Layout(
        filters_first=axes == 4 and conventions.filters_first,
        turned=axes == 4 and conventions.turned,
        rows_channels_first=rows,
        standard_deviation=axes == 1 and stored.keras == 0 and weight.role == "moving_variance",
    )


def sources_alone(layer: StoredLayer, conventions: Conventions, stored: StoredFile) -> dict[str, Source]:
    """The sources of a layer without a partner in the model, by role where that is known, else by the file's name."""
    return {
        weight.role or weight.name: Source(weight, weight_layout(weight, conventions, None, stored))
        for weight in layer.weights
    }


def _plan_layer(
    stored: StoredLayer, layer: TargetLayer, conventions: Conventions, target: Target, file: StoredFile
) -> LayerPlan:
    plan = LayerPlan(layer, stored)
    if len(stored.weights) != len(layer.weights):
        plan.problem = (
            f"the file's {shown(stored.label)} has the weights {_weight_names(stored)};"
            f" this model's {layer.name} has {', '.join(layer.weights)}"
        )
        return plan
    for name, weight in _by_role(stored, layer):
        if weight.problem is not None:
            plan.problem = f"the file's {shown(stored.label)}, {shown(weight.name)}: {weight.problem}"
            return plan
        layout = weight_layout(weight, conventions, layer, file)
        if layout.shape(weight.shape) != tuple(layer.weights[name]):
            plan.problem = _shape_problem(name, layout.shape(weight.shape), stored, layer, target)
            return plan
        plan.sources[name] = Source(weight, layout)
    return plan


def _by_role(stored: StoredLayer, layer: TargetLayer) -> list[tuple[str, StoredWeight]]:
    """By the weights' own names if those are the model's; else by position, kernel first."""
    by_role = {weight.role: weight for weight in stored.weights}
    if set(by_role) == set(layer.weights):
        return [(name, by_role[name]) for name in layer.weights]
    return list(zip(layer.weights, stored.weights))


def _shape_problem(name: str, shape: tuple[int, ...], stored: StoredLayer, layer: TargetLayer, target: Target) -> str:
    part = "" if name == "kernel" else f" {name}"
    theirs, ours = shown(stored.label), layer.name
    made_for = _made_for(shape, layer, target) if name == "kernel" else ""
    expected = shape_text(tuple(layer.weights[name]))
    whose = "this model's" if theirs == ours else f"this model's {ours}{part}"
    return f"the file's {theirs}{part} is {shape_text(shape)}{made_for}; {whose} is {expected}"


def _made_for(shape: tuple[int, ...], layer: TargetLayer, target: Target) -> str:
    """The image size the file was made for, where that is why a dense kernel behind a Flatten has other rows."""
    if layer.flatten_shape is None or len(shape) != 2 or target.input_shape is None or len(target.input_shape) != 3:
        return ""
    side = isqrt(shape[0] // layer.flatten_shape[2])
    if side * side * layer.flatten_shape[2] != shape[0] or side == layer.flatten_shape[0]:
        return ""
    scale = 1
    for other in target.layers:  # how many pixels of the image one step in the feature map is
        if other.name == layer.name:
            break
        before, after = other.input_shape, other.output_shape
        if before is not None and after is not None and len(before) == len(after) == 3:
            step = round(before[0] / after[0])
            if step == 1 and before[0] != after[0]:  # convolutions without padding: the size is not a plain product
                return ", made for images of another size"
            scale *= step
    return f", made for {side * scale}x{side * scale} images"


def _weight_names(stored: StoredLayer) -> str:
    return ", ".join(shown(weight.role or weight.name) for weight in stored.weights[:8]) or "none"


def _notes(stored: StoredFile, layers: list[LayerPlan]) -> list[str]:
    """What a careful reader of the result should know."""
    notes = []
    used = [source.weight for layer in layers for source in layer.sources.values()]
    if stored.keras == 1 and any(is_standard_deviation(weight.name) for weight in used):
        notes.append(
            "running_std is taken for a variance, as Keras 1.0.6 and later store it;"
            " up to 1.0.5 it was a standard deviation and would have to be squared"
        )
    if any(source.layout.standard_deviation for layer in layers for source in layer.sources.values()):
        notes.append("Keras 0.x stores standard deviations: moving_variance is their square")
    if any(source.layout.rows_channels_first for layer in layers for source in layer.sources.values()):
        notes.append("the dense kernel behind the Flatten had its rows in (c, h, w) order and was put into (h, w, c)")
    return notes
