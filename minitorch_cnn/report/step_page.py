"""Builds the page of one training step: every layer's passes and update, the feature maps, and what stands out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.lessons.remarks import HEALTHY, remarks
from minitorch_cnn.lessons.step import LayerTrace, StepTrace
from minitorch_cnn.lessons.trace_text import short, value
from minitorch_cnn.report.architecture import shape_text
from minitorch_cnn.report.bars import draw_bars
from minitorch_cnn.report.depth_chart import draw_gradient_depth, draw_updates
from minitorch_cnn.report.feature_maps import draw_feature_maps, draw_tiles, gradient_grid
from minitorch_cnn.report.page import render, write_page
from minitorch_cnn.report.pictures import check_image, draw_filters, picture_uri
from minitorch_cnn.report.svg import Drawing, element

MOST_IMAGES, MOST_MAPS, MOST_ANSWERS = 16, 20, 5


@dataclass(frozen=True)
class StepPage:
    """The contents of the page."""

    title: str  # which network
    step: StepTrace
    subtitle: str = ""  # and on which images
    images: np.ndarray | None = None  # uint8 (N, H, W, 3), the batch of the step
    labels: Sequence[str] = ()  # the label of each image in words
    class_names: Sequence[str] = ()  # of the predictions; if empty, classes are numbered
    commands: Sequence[tuple[str, str]] = ()  # as in `Run`
    notes: Sequence[str] = ()  # as in `Run`
    bgr: bool = False  # whether the channels of the network's input are blue, green, red


def write_step_page(page: StepPage, path: str | Path) -> Path:
    """Writes the page as one HTML file and returns its path; raises CheckpointError when it cannot be written."""
    return write_page(step_page(page), path)


def step_page(page: StepPage) -> str:
    """The page as HTML."""
    step = page.step
    parameters = sum(layer.parameters for layer in step.layers)
    multiplications = sum(layer.multiplications for layer in step.layers)
    facts = [
        ("loss after the step", f"{step.loss_after:.4g}"),
        ("before the step", f"{step.loss:.4g}"),
        ("images", str(step.images)),
        ("parameters", f"{parameters:,}"),
        ("multiplications per image", short(multiplications)),
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
        maps=maps(step),
        below=below(page),
        healthy=HEALTHY,
    )


def maps(step: StepTrace) -> Drawing:
    """The feature maps of the first image, with fewer channels where their gradients are known."""
    shown = dict(list(step.outputs.items())[:MOST_MAPS])
    if step.gradients is None:
        return draw_feature_maps(shown)
    return draw_feature_maps(shown, most=4, gradients=step.gradients.maps)


def below(page: StepPage) -> list[tuple[str, str, Drawing]]:
    """What the gradient reaches last, as (title, numbers, picture): the first image, and the first layer's kernel."""
    seen, rows = page.step.gradients, []
    if seen is None:
        return []
    if seen.image is not None and seen.image.shape[2] in (1, 3):
        dx = seen.image[:, :, ::-1] if page.bgr else seen.image
        names = "red, green and blue" if dx.shape[2] == 3 else "grey"
        tiles = draw_tiles(gradient_grid(dx, range(dx.shape[2])), "The gradient of each channel of the first image")
        if page.images is not None:
            photo = element("img", src=picture_uri(page.images[0]), alt="The first image", style="height:112px")
            tiles = Drawing(photo + tiles)
        rows.append((f"dL/dx of the first image: {names}", span(dx), tiles))
    if seen.kernel is not None and seen.kernel_gradient is not None and seen.kernel.shape[2] in (1, 3):
        order = slice(None, None, -1) if page.bgr else slice(None)
        for title, kernel in (("The kernel", seen.kernel), ("dL/dkernel", seen.kernel_gradient)):
            tiles = draw_filters(kernel[:, :, order], columns=8, description=f"{title} of {seen.layer}")
            rows.append((f"{title} of {seen.layer}", span(kernel), tiles))
    return rows


def span(array: np.ndarray) -> str:
    """The smallest and the largest number of an array as text."""
    return f"{float(array.min()):.2e} to {float(array.max()):.2e}"


def pictures(page: StepPage) -> list[dict[str, Any]]:
    """The images of the step with their labels."""
    if page.images is None:
        return []
    labels = [*page.labels, *[""] * len(page.images)]
    chosen = list(zip(page.images, labels))[:MOST_IMAGES]
    return [
        {"uri": Drawing(picture_uri(image)), "label": label, "pixelated": max(check_image(image).shape[:2]) <= 64}
        for image, label in chosen
    ]


def answers(page: StepPage) -> list[Drawing] | None:
    """Bar charts of the most likely classes of the first image before and after the step.

    Returns None if the output of the network is not a vector of at least two numbers.
    """
    before, after = page.step.prediction, page.step.prediction_after
    if before.ndim != 2 or before.shape[1] < 2:
        return None
    best = np.argsort(-before[0], kind="stable")[:MOST_ANSWERS]

    def name(index: int) -> str:
        return page.class_names[index] if index < len(page.class_names) else f"class {index}"

    return [
        draw_bars([(name(i), float(p[0, i]), f"{p[0, i]:.2%}") for i in best], description=f"The first image, {when}")
        for p, when in ((before, "before the step"), (after, "after the step"))
    ]


def row(layer: LayerTrace) -> dict[str, Any]:
    """The cells of the tables for one layer."""
    seen, back = layer.activation, layer.gradient
    assert seen is not None  # the forward pass visits every layer
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


def totals(step: StepTrace) -> dict[str, str]:
    """The cells of the last row of the table of costs, and both ways of measuring the time."""
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


def times(step: StepTrace) -> Drawing:
    """Draws bars of each layer's share of the time of both passes."""
    total = max(step.forward_seconds + step.backward_seconds, 1e-12)
    spent = [(each.name, each.forward_seconds + each.backward_seconds) for each in step.layers]
    rows = [(name, seconds / total, f"{1e3 * seconds:.1f} ms, {seconds / total:.0%}") for name, seconds in spent]
    return draw_bars(rows, description="Share of the time of both passes by layer", hue="accent")
