"""The page of a transfer learning: from the facts in a `TransferRun` to one HTML file."""

import math

import numpy as np

from minitorch_cnn.report.architecture import shape_text
from minitorch_cnn.report.curves import Curve, duration_text, loss_text, percent_text
from minitorch_cnn.report.filter_change import filter_panels
from minitorch_cnn.report.heat import overlay
from minitorch_cnn.report.keep_toss_add import draw_surgery
from minitorch_cnn.report.page import render, write_page
from minitorch_cnn.report.phases import draw_phases
from minitorch_cnn.report.pictures import photo_uri
from minitorch_cnn.report.run_page import confusion, samples, share, skipped
from minitorch_cnn.report.svg import Drawing

MOST_EXPLANATIONS = 12


def write_transfer_report(run, path):
    """Write the page of a transfer learning as one HTML file that needs nothing but itself.

    Args:
        run: a `TransferRun`.
        path: the file; missing folders are made, an older report is replaced.

    Returns:
        The path, as a `Path`.

    Raises:
        CheckpointError: the file cannot be written; an older report is then still whole.
        ShapeError, ArgumentError: an image, a heat map or a kernel of the run is none.
    """
    return write_page(transfer_page(run), path)


def transfer_page(run):
    """The page of a `TransferRun` as HTML."""
    return render(
        "transfer.html",
        run=run,
        facts=facts(run),
        surgery=surgery(run),
        phases=phase_rows(run),
        curves=curves(run),
        confusion=confusion(run),
        wrong=samples(run, correct=False),
        filters=filters(run),
        explanations=explanations(run),
        skipped=skipped(run),
    )


def facts(run):
    """The numbers of the head: the accuracy after each phase, the last one first, what to compare with, the time."""
    known = [(phase.name, accuracy(phase)) for phase in reversed(run.phases)]
    rows = [(f"accuracy, {name}", percent_text(value)) for name, value in known if math.isfinite(value)]
    scratch = last(run.scratch.get("val_accuracy", ()))
    if math.isfinite(scratch):
        rows.append((f"accuracy, {run.scratch_name}", percent_text(scratch)))
    rows += [(f"accuracy, {name}", f"{100 * value:.4g}%") for name, value in run.references]
    if seconds := total_seconds(run):
        rows.append(("training time", duration_text(seconds)))
    return rows + [(str(name), str(value)) for name, value in run.facts]


def accuracy(phase):
    """The accuracy at the end of a phase, NaN when nobody measured it."""
    return last(phase.history.get("val_accuracy", ())) if phase.accuracy is None else float(phase.accuracy)


def last(values):
    """The last of some numbers; NaN of none."""
    return float(values[-1]) if len(values) else math.nan


def total_seconds(run):
    """What the training took; 0 when nobody measured it."""
    if run.seconds is not None:
        return float(run.seconds)
    return sum(phase_seconds(phase) for phase in run.phases)


def phase_seconds(phase):
    """What a phase took; epochs that were not measured count as nothing."""
    return float(np.nansum(np.asarray(phase.history.get("seconds", ()), float)))


def surgery(run):
    """The drawings of what is kept, tossed and added, and a row for every layer; None without layers."""
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


def phase_rows(run):
    """What every phase did: parameters that learnt, epochs, time and accuracy, as text; empty where unknown."""
    layers = [*run.kept, *run.added]
    total = sum(layer.parameters for layer in layers)
    rows = []
    for phase in run.phases:
        learning, seconds, reached = phase.learning(layers), phase_seconds(phase), accuracy(phase)
        rows.append(
            {
                "name": phase.name,
                "detail": phase.detail,
                "learning": f"{learning:,}" if total else "",
                "share": f"{share(learning, total):.1%}" if total else "",
                "epochs": max((len(values) for values in phase.history.values()), default=0),
                "time": duration_text(seconds) if seconds else "",
                "accuracy": percent_text(reached) if math.isfinite(reached) else "",
            }
        )
    return rows


def curves(run):
    """Loss and accuracy over the phases, the training from scratch beside them; an empty list without a history."""
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
        rival = Curve(run.scratch_name, run.scratch.get(f"val_{key}", ()), "wrong")
        references = run.references if key == "accuracy" else ()
        drawings.append(draw_phases(title, phases, rival=rival, references=references, text=text))
    return [drawing for drawing in drawings if drawing is not None]


def filters(run):
    """The first layer's filters before and after, their difference, and how large it is; None without any.

    The change is ||after - before|| / ||before||, the root of the sum of squares over all weights.
    """
    kernels = [kernel for kernel in (run.filters_before, run.filters_after) if kernel is not None]
    if not kernels:
        return None
    panels, change = filter_panels(run.filters_before, run.filters_after, bgr=run.bgr)
    return {"panels": panels, "change": change, "count": np.shape(kernels[0])[3]}


def explanations(run):
    """Photos with the heat over them, and what the network said; how many there were."""
    cards = [
        {
            "photo": Drawing(photo_uri(some.sample.image)),
            "heat": Drawing(photo_uri(overlay(some.sample.image, some.heat))),
            "truth": some.sample.truth,
            "prediction": some.sample.prediction,
            "percent": f"{100 * some.sample.probability:.1f}%",
            "correct": bool(some.sample.correct),
            "output": some.output or some.sample.prediction,
        }
        for some in run.explanations[:MOST_EXPLANATIONS]
    ]
    return {"cards": cards, "count": len(run.explanations)}
