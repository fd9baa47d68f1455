"""What a traced step says about the training: the signs that somebody with experience would look for."""

import math

HEALTHY = (1e-4, 1e-2)  # update to weights; 1e-3 is the middle (Karpathy's notes for CS231n)
MANY_SILENT, FEW_IMAGES = 0.4, 8  # of a layer's ReLUs; of fewer images, half of them say nothing
CERTAIN = 1e-6  # a loss below which the answers are sure
VANISHED = 1e-3  # the gradient at the bottom in units of that at the top


def remarks(step):
    """Sentences about a StepTrace, the gravest first; the last one says that all is well, if it is."""
    sure = _sure(step)
    found = [*_numbers(step), *(sure or (*_loss(step), *_updates(step))), *_silent(step), *_depth(step)]
    return found or ["nothing stands out: the loss fell, updates are near a thousandth of the weights, few ReLUs off"]


def _sure(step):
    """Of a network that is certain and right nothing else can be said: it has nothing to learn here."""
    if step.loss_name in ("CrossEntropy", "BinaryCrossEntropy") and step.loss < CERTAIN:
        return [
            f"the loss is {step.loss:.2g}: the network is certain of these answers, and they are taken to be right,"
            " so next to no gradient is left; name another --label to see it learn"
        ]
    return []


def _numbers(step):
    for layer in step.layers:
        for name, statistics in (("activations", layer.activation), ("gradient", layer.gradient)):
            if statistics is not None and not math.isfinite(statistics.rms):
                yield f"{layer.name}: its {name} hold numbers that are not finite: try a smaller learning rate"
                return


def _loss(step):
    classes = step.prediction.shape[-1] if step.prediction.ndim == 2 else 1
    if not step.loss_after < step.loss and math.isfinite(step.loss):
        yield (
            f"the loss did not fall on these very images ({step.loss:.4g} to {step.loss_after:.4g}):"
            " the step was too long; try a learning rate ten times smaller"
        )
    guessing = math.log(max(classes, 2))
    if step.loss_name == "CrossEntropy" and abs(step.loss - guessing) < 0.15 * guessing:
        yield (
            f"the loss is about log({classes}) = {guessing:.2f}, what guessing costs:"
            " the network knows nothing yet, as it should be before training"
        )


def _updates(step):
    moves = [(layer.name, layer.moves["kernel"].ratio) for layer in step.layers if "kernel" in layer.moves]
    large = [name for name, ratio in moves if ratio > HEALTHY[1]]
    small = [name for name, ratio in moves if ratio < HEALTHY[0]]
    if large:
        yield (
            f"{_listed(large)}: updates above {HEALTHY[1]:g} of the weights;"
            " about 1e-3 is healthy, a smaller learning rate keeps what was learnt"
        )
    if small:
        yield (
            f"{_listed(small)}: updates below {HEALTHY[0]:g} of the weights;"
            " about 1e-3 is healthy, these layers hardly learn at this rate"
        )


def _silent(step):
    most = MANY_SILENT if step.images >= FEW_IMAGES else 0.9
    for layer in step.layers:
        if layer.silent > most * layer.channels:
            images = "for this image" if step.images == 1 else f"for all {step.images} images"
            yield (
                f"{layer.name}: {layer.silent} of {layer.channels} ReLUs are 0 {images};"
                " what is 0 for every image of the data is dead, no gradient reaches it"
            )


def _depth(step):
    sizes = [(layer.name, layer.gradient.rms) for layer in step.layers if layer.gradient and layer.parameters]
    if len(sizes) > 2 and sizes[-1][1] > 0 and sizes[0][1] < VANISHED * sizes[-1][1]:
        times = sizes[-1][1] / max(sizes[0][1], 1e-300)
        yield (
            f"the gradient's numbers are {times:.0f} times smaller at {sizes[0][0]} than at {sizes[-1][0]}. A map has"
            " many more numbers than a row, so each gets less; what counts is whether the updates are healthy"
        )


def _listed(names):
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
