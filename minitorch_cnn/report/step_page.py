"""The page of one training step: every layer's passes and its move, what the network sees, and what stands out."""

from dataclasses import dataclass, field

import numpy as np

from minitorch_cnn.lessons.remarks import HEALTHY, remarks
from minitorch_cnn.lessons.trace_text import short, value
from minitorch_cnn.report.architecture import shape_text
from minitorch_cnn.report.bars import draw_bars
from minitorch_cnn.report.depth_chart import draw_gradient_depth, draw_updates
from minitorch_cnn.report.feature_maps import draw_feature_maps
from minitorch_cnn.report.page import render, write_page
from minitorch_cnn.report.pictures import check_image, picture_uri
from minitorch_cnn.report.svg import Drawing

MOST_IMAGES, MOST_MAPS, MOST_ANSWERS = 16, 20, 5


@dataclass(frozen=True)
class StepPage:
    """What the page tells.

    Args:
        title, subtitle: which network, on what.
        step: a `StepTrace`.
        images: uint8 `(N, H, W, 3)` that the step was made on.
        labels: what each image was said to show, in words.
        class_names: of the network's answers; numbers if not given.
        commands, notes: as in `Run`.
    """

    title: str
    step: object
    subtitle: str = ""
    images: np.ndarray | None = None
    labels: list = field(default_factory=list)
    class_names: list = field(default_factory=list)
    commands: list = field(default_factory=list)
    notes: list = field(default_factory=list)


def write_step_page(page, path):
    """Write the page of a `StepPage` as one HTML file; returns the path. CheckpointError where it cannot be."""
    return write_page(step_page(page), path)


def step_page(page):
    """The page of a `StepPage` as HTML."""
    step = page.step
    parameters = sum(layer.parameters for layer in step.layers)
    multiplications = sum(layer.multiplications for layer in step.layers)
    facts = [
        ("loss after the step", f"{step.loss_after:.4g}"),
        ("before it", f"{step.loss:.4g}"),
        ("images", str(step.images)),
        ("parameters", f"{parameters:,}"),
        ("multiplications an image", short(multiplications)),
        ("learning rate", f"{step.rate:g}"),
    ]
    return render(
        "step.html",
        run=page,
        facts=facts,
        remarks=remarks(step),
        pictures=pictures(page),
        answers=answers(page),
        rows=[row(layer) for layer in step.layers],
        totals=totals(step),
        times=times(step),
        gradients=draw_gradient_depth([(each.name, each.gradient.rms) for each in step.layers if each.gradient]),
        updates=draw_updates(
            [(each.name, each.moves["kernel"].ratio) for each in step.layers if "kernel" in each.moves]
        ),
        maps=draw_feature_maps(dict(list(step.outputs.items())[:MOST_MAPS])),
        healthy=HEALTHY,
    )


def pictures(page):
    """The images of the step with what they were said to show."""
    if page.images is None:
        return []
    labels = [*page.labels, *[""] * len(page.images)]
    chosen = list(zip(page.images, labels))[:MOST_IMAGES]
    return [
        {"uri": Drawing(picture_uri(image)), "label": label, "pixelated": max(check_image(image).shape[:2]) <= 64}
        for image, label in chosen
    ]


def answers(page):
    """Bars of the first image's likeliest answers before and after the step; None where the output is no row."""
    before, after = page.step.prediction, page.step.prediction_after
    if before.ndim != 2 or before.shape[1] < 2:
        return None
    best = np.argsort(-before[0], kind="stable")[:MOST_ANSWERS]

    def name(index):
        return page.class_names[index] if index < len(page.class_names) else f"class {index}"

    return [
        draw_bars([(name(i), float(p[0, i]), f"{p[0, i]:.2%}") for i in best], description=f"The first image, {when}")
        for p, when in ((before, "before the step"), (after, "after it"))
    ]


def row(layer):
    """One layer as the cells of the table."""
    seen, back = layer.activation, layer.gradient
    move = layer.moves.get("kernel")
    saved = "" if layer.performed == layer.multiplications else f" ({short(layer.performed)} by {layer.algorithm})"
    return {
        "name": layer.name,
        "kind": layer.kind,
        "detail": layer.detail,
        "shape": shape_text(layer.output_shape),
        "multiplications": short(layer.multiplications) + saved if layer.multiplications else "–",
        "kept": f"{layer.kept_bytes / 2**20:.1f}",
        "forward": f"{1e3 * layer.forward_seconds:.1f}",
        "backward": f"{1e3 * layer.backward_seconds:.1f}" if back else "–",
        "mean": value(seen.mean, "+"),
        "std": value(seen.std),
        "range": f"{value(seen.smallest)} to {value(seen.largest)}",
        "zeros": f"{seen.zeros:.0%}",
        "off": f"{layer.silent} of {layer.channels}" if "relu" in layer.detail or layer.silent else "–",
        "gradient": f"{back.rms:.1e}" if back else "not visited",
        "moved": f"{move.ratio:.1e}" if move else layer.state.replace("trained", "") or "–",
        "healthy": move is None or HEALTHY[0] <= move.ratio <= HEALTHY[1],
    }


def totals(step):
    """The last row of the table."""
    done = sum(layer.performed for layer in step.layers)
    return {
        "multiplications": short(done),
        "kept": f"{sum(layer.kept_bytes for layer in step.layers) / 2**20:.1f}",
        "forward": f"{1e3 * step.forward_seconds:.1f}",
        "backward": f"{1e3 * step.backward_seconds:.1f}",
        "optimizer": f"{1e3 * step.update_seconds:.1f}",
        "apart": f"{1e3 * (step.forward_seconds + step.backward_seconds):.1f}",
        "joined": f"{1e3 * step.joined_seconds:.1f}",
    }


def times(step):
    """Bars of each layer's share of both passes."""
    total = max(step.forward_seconds + step.backward_seconds, 1e-12)
    spent = [(each.name, each.forward_seconds + each.backward_seconds) for each in step.layers]
    rows = [(name, seconds / total, f"{1e3 * seconds:.1f} ms, {seconds / total:.0%}") for name, seconds in spent]
    return draw_bars(rows, description="Share of the time of both passes", hue="accent")
