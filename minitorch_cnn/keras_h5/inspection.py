"""Inspect: what a weight file is, what is in it, and what of it fits a model."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import WeightsError
from .container import opened
from .conventions import find_conventions
from .dialects import read_stored
from .fingerprints import fingerprint
from .hdf5.text import shown
from .mapping import LayerPlan, Plan, make_plan, sources_alone
from .reading import check_unfolded_size, checked_choices, is_finite, not_finite_message, read_source
from .stored import StoredFile, StoredLayer, StoredWeight
from .target import Target, as_target, shape_text

FLOAT32 = np.dtype("float32")


@dataclass(frozen=True)
class LayerReport:
    """One layer of the file: its weights in words, its fingerprint, and where it goes."""

    name: str
    weights: str
    fingerprint: str
    goes_to: str


@dataclass
class Report:
    """What a file holds; `str(report)` is the page to read, the fields are for programs.

    `fits` is whether `load` would succeed, None if there was no model to compare with; `problems` is why not, `missing`
    are the model's layers that would keep the weights they have.
    """

    path: str
    dialect: str
    writer: str
    layers: list[LayerReport]
    fits: bool | None = None
    problems: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rows = [("layer in the file", "weights", "fingerprint", "")]
        rows += [(layer.name, layer.weights, layer.fingerprint, layer.goes_to) for layer in self.layers]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = [f"{self.path}: {self.dialect}", f"written by {self.writer}", ""]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths)]
            lines.append("  ".join([*cells, row[3]]).rstrip())
        lines.append("")
        if self.fits is not None:
            part = ", but for layers that the file lacks or that were left out:" if self.missing else ""
            lines.append(f"fits the model{part}" if self.fits else "does not fit the model:")
            lines += [f"  {line}" for line in (self.problems or self.missing)]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines).rstrip()


def report_of(
    path: str | os.PathLike,
    stored: StoredFile,
    plan: Plan | None,
    fingerprint_of: Callable[[StoredLayer, LayerPlan | None], str],
) -> Report:
    """The report on a file; `fingerprint_of` is asked for each layer with weights and its partner in the model."""
    partners = {id(layer.stored): layer for layer in plan.layers} if plan else {}
    rows = []
    for layer in stored.layers:
        partner = partners.get(id(layer))
        digest = fingerprint_of(layer, partner) if layer.weights else ""
        goes_to = _goes_to(partner) if plan and layer.weights else ""
        rows.append(LayerReport(shown(layer.label), _weights_text(layer), digest, goes_to))
    notes = plan.notes if plan else stored.notes
    report = Report(os.fsdecode(path), stored.dialect, _writer(stored), rows, notes=notes)
    if plan is not None:
        taken = {layer.target.name for layer in plan.layers if layer.problem is None}
        report.missing = [layer.name for layer in plan.target.weighted() if layer.name not in taken]
        report.problems, report.fits = plan.problems, not plan.problems
    return report


def inspect(
    path: str | os.PathLike,
    target: Target | None = None,
    by_name: bool = False,
    kernels: str | None = None,
    *,
    dim_ordering: str | None = None,
    flatten_order: str | None = None,
) -> Report:
    """Say what a file is and, with a model, what of it goes where; `print(inspect(path))`.

    A file that is sound but does not fit the model is described, not refused. A layer's fingerprint is that of its
    weights in our layout, so it equals `fingerprint` of the model's layer after the load.

    Arguments:
        path, target, by_name, kernels, dim_ordering, flatten_order: as for `load`; `target` is a `Target` or a model,
            and optional.

    Raises:
        WeightsError: the file cannot be read as Keras weights at all.
    """
    choices = checked_choices(kernels, dim_ordering, flatten_order)
    target = None if target is None else as_target(target)
    with opened(path) as container:
        stored = read_stored(container)
        plan = make_plan(stored, target, choices, by_name) if target is not None else None
        conventions = plan.conventions if plan else find_conventions(stored, None, choices)
        unfolds = _unfolds_too_far(stored.weighted(), container.size)
        unsound: list[str] = []

        def fingerprint_of(layer: StoredLayer, partner: LayerPlan | None) -> str:
            if partner is not None and partner.problem is None:
                sources = partner.sources
            elif any(weight.problem is not None for weight in layer.weights):
                return "not readable"
            elif unfolds:
                return "not read: unfolds too far"
            else:
                sources = sources_alone(layer, conventions, stored)
            try:
                arrays = {name: read_source(source, FLOAT32) for name, source in sources.items()}
            except WeightsError as error:
                unsound.append(str(error))
                return "not readable"
            unsound.extend(not_finite_message(layer, name) for name, array in arrays.items() if not is_finite(array))
            return fingerprint(arrays)

        report = report_of(path, stored, plan, fingerprint_of)
    if plan is None:
        report.notes = report.notes + conventions.problems + unsound
    elif unsound:
        report.problems, report.fits = report.problems + unsound, False
    return report


def _unfolds_too_far(layers: Sequence[StoredLayer], file_size: int) -> bool:
    readable = [weight.dataset for layer in layers for weight in layer.weights if weight.problem is None]
    try:
        check_unfolded_size(readable, file_size)
    except WeightsError:
        return True
    return False


def _goes_to(partner: LayerPlan | None) -> str:
    if partner is None:
        return "not used"
    if partner.problem is not None:
        return f"does not fit {partner.target.name}"
    steps = sorted({str(source.layout) for source in partner.sources.values()} - {""})
    return f"-> {partner.target.name}" + (f"  ({'; '.join(steps)})" if steps else "")


def _weights_text(layer: StoredLayer) -> str:
    return ", ".join(_weight_text(weight) for weight in layer.weights) or "(none)"


def _weight_text(weight: StoredWeight) -> str:
    name = weight.role or shown(weight.name.rsplit("/", 1)[-1])
    if weight.problem is not None:
        return f"{name}: {weight.problem}"
    kind = "" if weight.type_name == "float32" else f" {weight.type_name}"
    return f"{name} {shape_text(weight.shape)}{kind}"


def _writer(stored: StoredFile) -> str:
    if stored.keras_version is None and stored.backend is None:
        return f"{stored.era}; the file does not say more"
    version = f"Keras {shown(stored.keras_version)}" if stored.keras_version else "Keras"
    return version + (f", backend {shown(stored.backend)}" if stored.backend else "")
