"""Decides which layer of the file belongs to which layer of the model.

By default layers are paired in order, as in Keras: ignoring layers without weights, the first with the first, the
second with the second, whatever their names. With `by_name` they are paired by name. Names also take precedence in two
cases where the order could be wrong:

* layers of a nested model, because their order in the file depends on which were frozen when it was saved;
* if both sides have exactly the same names.

The `.weights.h5` dialects keep only the order within each class, so there each class is paired separately. A model that
was made from the file's own description is paired by the layers' paths in it, and in order where names do not tell
them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from minitorch_cnn.keras_h5.hdf5.text import shown
from minitorch_cnn.keras_h5.stored import StoredFile, StoredLayer
from minitorch_cnn.keras_h5.target import Target, TargetLayer

MOST_NAMES_SHOWN = 6


@dataclass
class Pairing:
    """Pairs of layers, and the problems that prevent loading, one line each."""

    pairs: list[tuple[StoredLayer, TargetLayer]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def pair_layers(stored: StoredFile, target: Target, by_name: bool) -> Pairing:
    """Pair the file's layers with the model's; layers without weights are ignored."""
    files, models = stored.weighted(), target.weighted()
    if any(layer.path is not None for layer in models):
        return _pair_by_path(stored, files, models)
    if by_name:
        return _pair_on_request(stored, files, models)
    if _same_names(files, models):
        return Pairing(_pairs_by_name(files, models))

    pairing = Pairing(_pairs_by_name([layer for layer in files if _must_match_by_name(stored, layer)], models))
    files, models = _left_over(files, models, pairing.pairs)
    lost = [layer for layer in files if _must_match_by_name(stored, layer)]
    if lost:
        pairing.problems.append(
            f"the file has layers inside a model named {shown(lost[0].nested_in)}; they are matched by name, because"
            f" their order depends on which were frozen, but for {_names(lost)} there is no layer of that name, or two"
        )
    for kind, some_files, some_models in _by_kind(stored, files, models):
        _pair_in_order(pairing, kind, some_files, some_models)
    if pairing.problems:  # the report still shows which layers match by name
        files, models = _left_over(stored.weighted(), target.weighted(), pairing.pairs)
        pairing.pairs += _pairs_by_name(files, models)
    return pairing


def _pair_by_path(stored: StoredFile, files: Sequence[StoredLayer], models: Sequence[TargetLayer]) -> Pairing:
    """Pair the layers of a model that was made from the file's description; every layer must have its weights."""
    by_path = {layer.path: layer for layer in files if layer.path is not None}
    pairs = [(by_path[layer.path], layer) for layer in models if layer.path in by_path]
    pairs += _in_place(stored, *_left_over(files, models, pairs))
    _, missing = _left_over(files, models, pairs)
    problem = f"the file describes {_names(missing)} but has no weights for it"
    return Pairing(pairs, [problem] if missing else [])


def _in_place(
    stored: StoredFile, files: Sequence[StoredLayer], models: Sequence[TargetLayer]
) -> list[tuple[StoredLayer, TargetLayer]]:
    """Pairs of layers inside a nested model whose weights' names do not tell their paths: in order, as Keras does.

    The file lists a nested model's trainable weights first. Nothing is paired where numbers or shapes differ.
    """
    if not stored.in_order or stored.config is None:
        return []
    place = {path: number for number, (path, _) in enumerate(stored.config.paths())}
    inside: dict[str, list[TargetLayer]] = {}
    for layer in sorted(models, key=lambda layer: (not layer.trainable, place.get(layer.path or "", 0))):
        inside.setdefault((layer.path or "").partition("/")[0], []).append(layer)
    pairs: list[tuple[StoredLayer, TargetLayer]] = []
    for name, some_models in inside.items():
        some_files = [layer for layer in files if name == (layer.nested_in or layer.name)]
        if [_sizes(each) for each in some_files] == [_sizes(each) for each in some_models]:
            pairs += zip(some_files, some_models)
    return pairs


def _sizes(layer: StoredLayer | TargetLayer) -> list[list[int]]:
    """The sizes of all weights, in no order: axes and weights have different ones in different versions."""
    if isinstance(layer, StoredLayer):
        shapes = [weight.shape for weight in layer.weights if not weight.is_counter]
    else:
        shapes = list(layer.weights.values())
    return sorted(sorted(shape) for shape in shapes)


def _pair_on_request(stored: StoredFile, files: Sequence[StoredLayer], models: Sequence[TargetLayer]) -> Pairing:
    pairing = Pairing(_pairs_by_name(files, models))
    rest, models_left = _left_over(files, models, pairing.pairs)
    pairing.pairs += _pairs_by_name(rest, models_left, "inner_name")
    if files and all(layer.name is None for layer in files):
        pairing.problems.append(f"{stored.dialect} stores no layer names, so by_name=True cannot work; load in order")
    elif not pairing.pairs:
        pairing.problems.append(
            f"no layer of the file has the name of a layer of this model: the file has {_names(files)}, the model"
            f" {_names(models)}"
        )
    return pairing


def _pair_in_order(
    pairing: Pairing, kind: str | None, files: Sequence[StoredLayer], models: Sequence[TargetLayer]
) -> None:
    """Pair the first with the first, the second with the second; different numbers of layers are a problem."""
    places = {layer.nested_in for layer in files}
    if kind is not None and len(places) > 1:
        pairing.problems.append(
            f"the file has {kind} layers both inside and outside a nested model and does not store their order;"
            " save the model as a .keras archive, which does"
        )
    elif len(files) != len(models):
        pairing.problems.append(_count_problem(kind, files, models))
    else:
        pairing.pairs += zip(files, models)


def _count_problem(kind: str | None, files: Sequence[StoredLayer], models: Sequence[TargetLayer]) -> str:
    before, after = ("", " with weights") if kind is None else (f"{shown(kind)} ", "")
    count = f"{len(files)} {before}{'layer' if len(files) == 1 else 'layers'}{after}"
    in_files, in_models = {layer.name for layer in files}, {layer.name for layer in models}
    if in_files.isdisjoint(in_models):
        return f"the file has {count} ({_names(files)}), this model has {len(models)} ({_names(models)})"
    text = f"the file has {count}, this model has {len(models)}"
    if in_files - in_models:
        text += f"; only in the file: {_names([layer for layer in files if layer.name not in in_models])}"
    if in_models - in_files:
        text += f"; only in the model: {_names([layer for layer in models if layer.name not in in_files])}"
    return text + "; by_name=True loads the layers whose names match"


def _pairs_by_name(
    files: Sequence[StoredLayer], models: Sequence[TargetLayer], which: str = "name"
) -> list[tuple[StoredLayer, TargetLayer]]:
    """Pair layers of equal names; a name that occurs twice in the file, in two nested models, is left out."""
    names = [getattr(layer, which) for layer in files]
    times = Counter(names)
    by_name = {name: layer for name, layer in zip(names, files) if name is not None and times[name] == 1}
    return [(by_name[layer.name], layer) for layer in models if layer.name in by_name]


def _same_names(files: Sequence[StoredLayer], models: Sequence[TargetLayer]) -> bool:
    return len(files) == len(models) and {layer.name for layer in files} == {layer.name for layer in models}


def _must_match_by_name(stored: StoredFile, layer: StoredLayer) -> bool:
    return bool(layer.nested_in) and stored.in_order and layer.kind is None


def _left_over(
    files: Sequence[StoredLayer], models: Sequence[TargetLayer], pairs: Sequence[tuple[StoredLayer, TargetLayer]]
) -> tuple[list[StoredLayer], list[TargetLayer]]:
    used_files = {id(layer) for layer, _ in pairs}
    used_models = {layer.name for _, layer in pairs}
    return (
        [layer for layer in files if id(layer) not in used_files],
        [layer for layer in models if layer.name not in used_models],
    )


def _by_kind(
    stored: StoredFile, files: Sequence[StoredLayer], models: Sequence[TargetLayer]
) -> list[tuple[str | None, list[StoredLayer], list[TargetLayer]]]:
    """Each class with its layers on both sides, or one group of class None if the file stores their order."""
    if stored.in_order:
        return [(None, list(files), list(models))]
    kinds: dict[str | None, tuple[list[StoredLayer], list[TargetLayer]]] = {}
    dense = _dense_in_file(files, models)
    for model_layer in models:
        kind = "dense" if model_layer.name in dense else model_layer.group_name
        kinds.setdefault(kind, ([], []))[1].append(model_layer)
    for file_layer in files:
        kinds.setdefault(file_layer.kind, ([], []))[0].append(file_layer)
    return [(kind, *layers) for kind, layers in kinds.items()]


def _dense_in_file(files: Sequence[StoredLayer], models: Sequence[TargetLayer]) -> set[str]:
    """The names of 1x1 convolutions that are Dense layers in the file: all of them, if just so many are too many."""
    convolutions = [layer for layer in models if layer.group_name == "conv2d"]
    pixels = {layer.name for layer in convolutions if layer.is_one_by_one}
    stored = sum(layer.kind == "conv2d" for layer in files)
    return pixels if len(convolutions) - stored == len(pixels) else set()


def _names(layers: Sequence[StoredLayer] | Sequence[TargetLayer]) -> str:
    """The names, separated by commas; of many, only the first ones and the last."""
    names = [shown(layer.label if isinstance(layer, StoredLayer) else layer.name) for layer in layers]
    if len(names) > MOST_NAMES_SHOWN:
        names = [*names[: MOST_NAMES_SHOWN - 2], "...", names[-1]]
    return ", ".join(names) or "none"
