"""Comments on a traced training step: the warning signs that an experienced practitioner would look for."""

import math
from collections.abc import Iterator

from minitorch_cnn.lessons.step import StepTrace

HEALTHY = (1e-4, 1e-2)  # ratio of update to weights; 1e-3 is the middle (Karpathy's notes for CS231n)
MANY_SILENT, FEW_IMAGES = 0.4, 8  # share of a layer's ReLUs; with fewer images than this, half of them may be off
CERTAIN = 1e-6  # below this loss the network is certain of its answers
VANISHED = 1e-3  # size of the gradient in the lowest layer relative to that in the highest


def remarks(step: StepTrace) -> list[str]:
    """Sentences about a step, the most serious first; a single sentence says so if nothing stands out."""
    certain = _certain(step)
    found = [*_not_finite(step), *(certain or (*_loss(step), *_updates(step))), *_silent(step), *_depth(step)]
    return found or [
        "nothing stands out: the loss fell, the updates are near a thousandth of the weights, and few ReLUs are off"
    ]


def _certain(step: StepTrace) -> list[str]:
    """One sentence if the network is certain and right, in which case the loss and the updates say nothing more."""
    if step.loss_name in ("CrossEntropy", "BinaryCrossEntropy") and step.loss < CERTAIN:
        return [
            f"the loss is {step.loss:.2g}: the network is certain of these answers and they match the labels,"
            " so there is almost no gradient; pass another --label to see it learn"
        ]
    return []


def _not_finite(step: StepTrace) -> Iterator[str]:
    for layer in step.layers:
        for name, statistics in (("activations", layer.activation), ("gradient", layer.gradient)):
            if statistics is not None and not math.isfinite(statistics.rms):
                yield f"{layer.name}: NaN or infinite values in its {name}: try a smaller learning rate"
                return


def _loss(step: StepTrace) -> Iterator[str]:
    classes = step.prediction.shape[-1] if step.prediction.ndim == 2 else 1
    if not step.loss_after < step.loss and math.isfinite(step.loss):
        yield (
            f"the loss did not fall on the images of this step ({step.loss:.4g} to {step.loss_after:.4g}):"
            " the step was too long; try a learning rate ten times smaller"
        )
    guessing = math.log(max(classes, 2))
    if step.loss_name == "CrossEntropy" and abs(step.loss - guessing) < 0.15 * guessing:
        yield (
            f"the loss is about log({classes}) = {guessing:.2f}, the loss of random guessing:"
            " the network has learned nothing yet, which is normal before training"
        )


def _updates(step: StepTrace) -> Iterator[str]:
    ratios = [(layer.name, layer.moves["kernel"].ratio) for layer in step.layers if "kernel" in layer.moves]
    large = [name for name, ratio in ratios if ratio > HEALTHY[1]]
    small = [name for name, ratio in ratios if ratio < HEALTHY[0]]
    if large:
        yield (
            f"{_listed(large)}: updates above {HEALTHY[1]:g} of the weights; about 1e-3 is healthy,"
            " and steps this large destroy what was learned: try a smaller learning rate"
        )
    if small:
        yield (
            f"{_listed(small)}: updates below {HEALTHY[0]:g} of the weights; about 1e-3 is healthy,"
            " so these layers hardly learn at this learning rate"
        )


def _silent(step: StepTrace) -> Iterator[str]:
    most = MANY_SILENT if step.images >= FEW_IMAGES else 0.9
    for layer in step.layers:
        if layer.silent > most * layer.channels:
            images = "for this image" if step.images == 1 else f"for all {step.images} images"
            yield (
                f"{layer.name}: {layer.silent} of {layer.channels} ReLUs are 0 {images};"
                " a ReLU that is 0 for every image of the data is dead: no gradient reaches it"
            )


def _depth(step: StepTrace) -> Iterator[str]:
    sizes = [(layer.name, layer.gradient.rms) for layer in step.layers if layer.gradient and layer.parameters]
    if len(sizes) > 2 and sizes[-1][1] > 0 and sizes[0][1] < VANISHED * sizes[-1][1]:
        times = sizes[-1][1] / max(sizes[0][1], 1e-300)
        yield (
            f"single gradient values are {times:.0f} times smaller at {sizes[0][0]} than at {sizes[-1][0]}. A feature"
            " map has many more values than a dense layer, so each gets less; what matters is the size of the updates"
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
