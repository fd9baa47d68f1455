"""`inspect`: reports what a weight file is, what it contains, and which of its layers fit a model."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from math import prod

import numpy as np

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.container import opened
from minitorch_cnn.keras_h5.conventions import find_conventions
from minitorch_cnn.keras_h5.dialects import read_stored
from minitorch_cnn.keras_h5.differences import settings_text
from minitorch_cnn.keras_h5.fingerprints import fingerprint
from minitorch_cnn.keras_h5.hdf5.text import shown
from minitorch_cnn.keras_h5.mapping import LayerPlan, Plan, make_plan, sources_alone
from minitorch_cnn.keras_h5.model_config import ConfigLayer
from minitorch_cnn.keras_h5.reading import (
    check_decompressed_size,
    checked_choices,
    is_finite,
    not_finite_message,
    read_source,
)
from minitorch_cnn.keras_h5.report import LayerReport, Report, goes_to, weights_text, writer
from minitorch_cnn.keras_h5.stored import StoredFile, StoredLayer
from minitorch_cnn.keras_h5.target import HasTarget, Target, as_target

FLOAT32 = np.dtype("float32")


def inspect(
    path: str | os.PathLike,
    target: Target | HasTarget | None = None,
    by_name: bool = False,
    kernels: str | None = None,
    *,
    dim_ordering: str | None = None,
    flatten_order: str | None = None,
    running_std: str | None = None,
) -> Report:
    """A report on what a file contains and, given a model, where its weights go; `print(inspect(path))`.

    A valid file that does not fit the model is described without an error. A layer's fingerprint is computed from its
    weights in our layout, so it equals the `fingerprint` of the model's layer after loading.

    Arguments: as for `load`, but `target` is optional. Given a model, `inspect` also reads its current weights, for the
    fingerprints before loading; it never changes the model.

    Raises WeightsError when the file cannot be read as Keras weights at all.
    """
    choices = checked_choices(
        kernels=kernels, dim_ordering=dim_ordering, flatten_order=flatten_order, running_std=running_std
    )
    before = target.fingerprints_now() if target is not None and hasattr(target, "fingerprints_now") else None
    target = None if target is None else as_target(target)
    with opened(path) as container:
        stored = read_stored(container)
        plan = make_plan(stored, target, choices, by_name) if target is not None else None
        conventions = plan.conventions if plan else find_conventions(stored, None, choices)
        too_large = _expands_too_far(stored.weighted(), container.size)
        unsound: list[str] = []

        def fingerprint_of(layer: StoredLayer, partner: LayerPlan | None) -> str:
            if partner is not None and partner.problem is None:
                sources = partner.sources
            elif any(weight.problem is not None and not weight.is_counter for weight in layer.weights):
                return "not readable"
            elif too_large:
                return "not read: too large when decompressed"
            else:
                sources = sources_alone(layer, conventions)
            try:
                arrays = {name: read_source(source, FLOAT32) for name, source in sources.items()}
            except WeightsError as error:
                unsound.append(str(error))
                return "not readable"
            unsound.extend(not_finite_message(layer, name) for name, array in arrays.items() if not is_finite(array))
            return fingerprint(arrays)

        report = report_of(path, container.size, stored, plan, fingerprint_of, before)
    if plan is None:
        report.notes = report.notes + conventions.notes + conventions.problems + unsound
    elif unsound:
        report.problems, report.fits = report.problems + unsound, False
    return report


def report_of(
    path: str | os.PathLike,
    size: int,
    stored: StoredFile,
    plan: Plan | None,
    fingerprint_of: Callable[[StoredLayer, LayerPlan | None], str],
    before: Mapping[str, str] | None = None,
) -> Report:
    """The report on a file of `size` bytes.

    Arguments: `fingerprint_of`, a function from a layer with weights and its partner in the model to a fingerprint;
    `before`, the current fingerprints of the model's layers by name.
    """
    partners = {id(layer.stored): layer for layer in plan.layers} if plan else {}
    described: dict[str | None, ConfigLayer] = dict(stored.config.paths()) if stored.config is not None else {}
    rows = []
    for layer in stored.layers:
        partner = partners.get(id(layer))
        row = LayerReport(shown(layer.label), weights_text(layer))
        if layer.path in described:
            row.described = settings_text(described[layer.path])
        if layer.weights:
            row.fingerprint = fingerprint_of(layer, partner)
            row.goes_to, row.steps = goes_to(partner) if plan else ("", "")
            if before is not None and partner is not None:
                row.before = before.get(partner.target.name, "")
        rows.append(row)
    shapes = [weight.shape for layer in stored.weighted() for weight in layer.weights if weight.problem is None]
    report = Report(
        os.fsdecode(path), size, stored.dialect, writer(stored), rows, numbers=sum(map(prod, shapes)),
        notes=plan.notes if plan else stored.notes,
    )  # fmt: skip
    if plan is not None:
        taken = {layer.target.name for layer in plan.layers if layer.problem is None}
        report.taken = [layer.name for layer in plan.target.weighted() if layer.name in taken]
        report.missing = [layer.name for layer in plan.target.weighted() if layer.name not in taken]
        report.problems, report.fits = plan.problems, not plan.problems
    return report


def _expands_too_far(layers: Sequence[StoredLayer], file_size: int) -> bool:
    weights = [weight for layer in layers for weight in layer.weights if weight.problem is None]
    try:
        check_decompressed_size((weight.dataset for weight in weights if weight.dataset is not None), file_size)
    except WeightsError:
        return True
    return False
