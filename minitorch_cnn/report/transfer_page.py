"""Builds the page of transfer learning from the facts in a `TransferRun`."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.report.architecture import shape_text
from minitorch_cnn.report.bars import draw_bars
from minitorch_cnn.report.calibration import draw_reliability, expected_calibration_error
from minitorch_cnn.report.changed import sentence
from minitorch_cnn.report.curves import Curve, duration_text, loss_text, percent_text
from minitorch_cnn.report.filter_change import filter_panels
from minitorch_cnn.report.heat import overlay
from minitorch_cnn.report.keep_toss_add import draw_surgery
from minitorch_cnn.report.page import render, write_page
from minitorch_cnn.report.phases import draw_phases
from minitorch_cnn.report.pictures import photo_uri
from minitorch_cnn.report.run_page import confusion, samples, share, skipped
from minitorch_cnn.report.svg import Drawing
from minitorch_cnn.report.transfer import Explanation, Phase, TransferRun

MOST_EXPLANATIONS = 12
MOST_MOVED, IN_A_COLUMN = 30, 10


def write_transfer_report(run: TransferRun, path: str | Path) -> Path:
    """Writes the page of transfer learning as one self-contained HTML file and returns its path.

    Missing folders are created and an older report is replaced. Raises CheckpointError when the file cannot be written,
    in which case an older report is unchanged, and ShapeError or ArgumentError when an array of the run is not an
    image, a heat map or a kernel.
    """
    return write_page(transfer_page(run), path)


def transfer_page(run: TransferRun) -> str:
    """The page of transfer learning as HTML."""
    return render(
        "transfer.html",
        live=True,
        run=run,
        facts=facts(run),
        surgery=surgery(run),
        phases=phase_rows(run),
        curves=curves(run),
        calibration=calibration(run),
        changed=changed(run),
        confusion=confusion(run),
        wrong=samples(run, correct=False),
        filters=filters(run),
        moved=moved(run),
        explanations=explanations(run),
        skipped=skipped(run),
    )


def facts(run: TransferRun) -> list[tuple[str, str]]:
    """The facts: the accuracy after each phase, the last phase first, those to compare with, and the time."""
    known = [(phase.name, accuracy(phase)) for phase in reversed(run.phases)]
    rows = [(f"accuracy, {name}", percent_text(value)) for name, value in known if math.isfinite(value)]
    scratch = last(run.scratch.get("val_accuracy", ()))
    if math.isfinite(scratch):
        rows.append((f"accuracy, {run.scratch_name}", percent_text(scratch)))
    rows += [(f"accuracy, {name}", f"{100 * value:.4g}%") for name, value in run.references]
    if seconds := total_seconds(run):
        rows.append(("training time", duration_text(seconds)))
    return rows + [(str(name), str(value)) for name, value in run.facts]


def accuracy(phase: Phase) -> float:
    """The accuracy at the end of a phase, or NaN if it was not measured."""
    return last(phase.history.get("val_accuracy", ())) if phase.accuracy is None else float(phase.accuracy)


def last(values: Sequence[float]) -> float:
    """The last value, or NaN if there are none."""
    return float(values[-1]) if len(values) else math.nan


def total_seconds(run: TransferRun) -> float:
    """The time of the whole training in seconds, or 0 if it was not measured."""
    if run.seconds is not None:
        return float(run.seconds)
    return sum(phase_seconds(phase) for phase in run.phases)


def phase_seconds(phase: Phase) -> float:
    """The time of a phase in seconds; epochs that were not measured count as 0."""
    return float(np.nansum(np.asarray(phase.history.get("seconds", ()), float)))


def surgery(run: TransferRun) -> dict[str, Any] | None:
    """The drawings of what is kept, tossed and added, and a row for every layer, or None without layers."""
    if not (run.kept or run.tossed or run.added):
        return None
    groups = (run.kept, run.tossed, run.added)
    rows = [
        (what, layer, shape_text(layer.output_shape), [phase.state_of(layer) for phase in run.phases])
        for what, layers in zip(("kept", "tossed", "new"), groups)
        for layer in layers
    ]
    return {
        "wide": draw_surgery(*groups, run.phases, base=run.base, width=880),
        "narrow": draw_surgery(*groups, run.phases, base=run.base, width=350),
        "rows": rows,
        "last": run.kept[-1].name if run.kept else "",
        "input": shape_text(run.input_shape) if run.input_shape else "",
    }


def phase_rows(run: TransferRun) -> list[dict[str, Any]]:
    """The trained parameters, epochs, time and accuracy of every phase as text, empty where unknown."""
    layers = [*run.kept, *run.added]
    total = sum(layer.parameters for layer in layers)
    rows = []
    for phase in run.phases:
        trained, seconds, reached = phase.trained_parameters(layers), phase_seconds(phase), accuracy(phase)
        rows.append(
            {
                "name": phase.name,
                "detail": phase.detail,
                "trained": f"{trained:,}" if total else "",
                "share": f"{share(trained, total):.1%}" if total else "",
                "epochs": max((len(values) for values in phase.history.values()), default=0),
                "time": duration_text(seconds) if seconds else "",
                "accuracy": percent_text(reached) if math.isfinite(reached) else "",
            }
        )
    return rows


def curves(run: TransferRun) -> list[Drawing]:
    """Charts of loss and accuracy over the phases, compared with the training from scratch, as far as known."""
    drawings = []
    for title, key, text in (("Loss", "loss", loss_text), ("Accuracy", "accuracy", percent_text)):
        pairs = (("training", key, "train"), ("validation", f"val_{key}", "validation"))
        phases = [
            (
                phase.name,
                [Curve(name, phase.history[of], ink) for name, of, ink in pairs if len(phase.history.get(of, ()))],
            )
            for phase in run.phases
        ]
        baseline = Curve(run.scratch_name, run.scratch.get(f"val_{key}", ()), "wrong")
        references = run.references if key == "accuracy" else ()
        drawings.append(draw_phases(title, phases, baseline=baseline, references=references, text=text))
    return [drawing for drawing in drawings if drawing is not None]


def filters(run: TransferRun) -> dict[str, Any] | None:
    """Pictures of the first layer's filters before and after, and of the change, or None without filters.

    The size of the change is ||after - before|| / ||before||, the Euclidean norm over all weights.
    """
    kernels = [kernel for kernel in (run.filters_before, run.filters_after) if kernel is not None]
    if not kernels:
        return None
    panels, change = filter_panels(run.filters_before, run.filters_after, bgr=run.bgr)
    if change == 0:
        panels = [("Before and after", panels[0][1])]
    return {"panels": panels, "change": change, "count": np.shape(kernels[0])[3]}


def moved(run: TransferRun) -> dict[str, Any] | None:
    """A bar for the kernel of each layer that moved, or for some of them; None if none did."""
    some = run.moved[:: -(-len(run.moved) // MOST_MOVED) or 1]
    longest = max((change for _, change in some), default=0.0)
    if not longest > 0:
        return None
    rows = [(name, change / longest, f"{change:.2%}") for name, change in some]
    columns = [rows[first : first + IN_A_COLUMN] for first in range(0, len(rows), IN_A_COLUMN)]
    charts = [draw_bars(column, description="How far the layers moved", hue="accent") for column in columns]
    return {"charts": charts, "some": len(some), "all": len(run.moved)}


def calibration(run: TransferRun) -> list[dict[str, Any]]:
    """For each phase the reliability diagram and the expected calibration error, where its answers are known."""
    known = [(number, phase) for number, phase in enumerate(run.phases, 1) if any(each.photos for each in phase.bins)]
    return [
        {
            "chart": draw_reliability(phase.bins, f"{number} {phase.name}"),
            "name": phase.name,
            "error": f"{expected_calibration_error(phase.bins):.1%}",
        }
        for number, phase in known
    ]


def changed(run: TransferRun) -> dict[str, Any] | None:
    """The photos that changed sides between the first phase and the last one, or None if that is not known."""
    if run.changed is None or len(run.phases) < 2:
        return None
    pairs = [[card(each) for each in (turned.before, turned.after)] for turned in run.turned[:MOST_EXPLANATIONS]]
    return {
        "sentence": sentence((run.phases[0].name, run.phases[-1].name), run.changed),
        "names": (run.phases[0].name, run.phases[-1].name),
        "pairs": pairs,
        "count": len(run.changed.put_right) + len(run.changed.made_wrong),
    }


def explanations(run: TransferRun) -> dict[str, Any]:
    """Photos with their heat maps and predictions, and how many there are."""
    return {"cards": [card(each) for each in run.explanations[:MOST_EXPLANATIONS]], "count": len(run.explanations)}


def card(each: Explanation) -> dict[str, Any]:
    """A photo beside its heat map, with the prediction."""
    return {
        "photo": Drawing(photo_uri(each.sample.image)),
        "heat": Drawing(photo_uri(overlay(each.sample.image, each.heat))),
        "truth": each.sample.truth,
        "prediction": each.sample.prediction,
        "percent": f"{100 * each.sample.probability:.1f}%",
        "correct": bool(each.sample.correct),
        "output": each.output or each.sample.prediction,
    }
