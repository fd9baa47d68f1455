"""The networks that `minitorch-cnn fine-tune` starts from: one by name, or the one in a .keras or .h5 file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from minitorch_cnn import models
from minitorch_cnn.engine import optimizers
from minitorch_cnn.engine.schedules import Schedule
from minitorch_cnn.errors import ArgumentError, ShapeError, UserError, WeightsError
from minitorch_cnn.report.run import LayerRow
from minitorch_cnn.report.training_page import layer_rows
from minitorch_cnn.runs.keras_file import model_in_file, require_preprocessing

ALL = "all"  # layers learn
NEW_LAYERS = 3  # of `models.with_new_top`

# name: what the report calls it
NAMED = {
    "vgg16": "VGG16",
    "resnet50": "ResNet50",
    "mobilenet_v2": "MobileNetV2",
    "efficientnet_b0": "EfficientNetB0",
}
VGG16_LICENCE = (
    "VGG16's ImageNet weights: Visual Geometry Group, University of Oxford (Simonyan and Zisserman 2015), CC BY 4.0."
)

# The layers of VGG16 above block5_pool for images of 224x224 (Simonyan and Zisserman 2015).
TOSSED = [
    LayerRow("flatten", "Flatten", (25088,)),
    LayerRow("fc1", "Dense", (4096,), 25088 * 4096 + 4096, detail="4096, relu"),
    LayerRow("fc2", "Dense", (4096,), 4096 * 4096 + 4096, detail="4096, relu"),
    LayerRow("predictions", "Dense", (1000,), 4096 * 1000 + 1000, detail="1000, softmax"),
]


@dataclass(frozen=True)
class Recipe:
    """What fine-tuning does unless it is told otherwise; `size` 0 is the size that the network's file says.

    `unfreeze` names the lowest layer that learns in the second phase, or is "all". Then every epoch makes new copies of
    the photos. Otherwise it learns from `copies` of each photo, made once, and an epoch shows all of them. In that
    phase the base's layers learn at `slower` times the rate, which `falls` as a cosine if that is true, and the weights
    are averaged over the steps with this `decay`, unless it is zero. With `mirrored`, the first phase learns from the
    photos and their mirror images.
    """

    size: int
    top_epochs: int
    all_epochs: int
    batch_size: int
    top_rate: float
    all_rate: float
    unfreeze: str = ALL
    copies: int = 0
    mirrored: bool = False
    slower: float = 1.0
    falls: bool = False
    decay: float = 0.0
    own_top_epochs: int = 20  # with photos of the user's own
    own_all_epochs: int = 1

    def optimizer(self, rate: float | Schedule, multipliers: dict[str, float] | None = None) -> optimizers.Optimizer:
        """The optimizer of a phase."""
        return optimizers.Adam(rate, multipliers=multipliers)


# docs/fine_tuning.md says how these were chosen.
PHOTOS = Recipe(224, 4, 1, 32, 1e-4, 1e-4, "block5_conv1", 4, mirrored=True, slower=0.1, falls=True, decay=0.99,
                own_top_epochs=12, own_all_epochs=2)  # fmt: skip
# The top's rate and epochs: by training on four fifths of the training photos of Cats vs Dogs and measuring on the
# others, five times, with EfficientNet-Lite0 (98.5 %). The rate for all layers is a cautious one.
POOLED = Recipe(224, 20, 1, 32, 1e-3, 1e-5, copies=4)


def recipe_of(base: str) -> Recipe:
    """The recipe for that base: one for VGG16, and another for networks that get a global pool."""
    if base == "vgg16":
        return PHOTOS
    return POOLED if base in NAMED else replace(POOLED, size=0)


@dataclass
class Start:
    """A network with a new top, whose base is frozen.

    `title` is the name of the base; `kept` are the names of its layers, in order; `tossed` describes those that were
    cut off; `source` is the file that the weights come from; `notes` are sentences for the report.
    """

    title: str
    model: Any
    kept: list[str]
    tossed: list[LayerRow]
    source: str
    notes: Sequence[str] = ()


def start_of(settings: Any, classes: int = 2) -> Start:
    """The network that fine-tuning with these settings starts from, with a new top for so many `classes`.

    Raises ArgumentError for an unknown base or preprocessing, or if weights are missing; WeightsError if a file cannot
    be read or does not fit; ShapeError if the network cannot take images of that size.
    """
    check_base(settings)
    if settings.base not in NAMED:
        return _in_file(settings, classes)
    return _vgg16(settings, classes) if settings.base == "vgg16" else _named(settings, classes)


def check_lowest(begun: Start, lowest: str) -> None:
    """Raise ArgumentError unless `lowest` is "all" or a layer with weights of the base."""
    known = [layer.name for layer in begun.model.layers if layer.name in begun.kept and layer.parameter_shapes()]
    if lowest != ALL and lowest not in known:
        raise ArgumentError(f"--unfreeze: expected {ALL} or one of {', '.join(known)}, got {lowest[:60]!r}")


def check_base(settings: Any) -> None:
    """Check that the settings name a base and its weights, if it needs any; ArgumentError says what is missing."""
    base = settings.base
    if base in NAMED:
        if settings.weights is None:
            fetch = f"minitorch-cnn weights fetch {base} --no-top"
            raise ArgumentError(f"fine-tune: expected --weights FILE; get it: {fetch}")
        if settings.preprocessing is not None:
            raise ArgumentError(f"--preprocessing: {base} has its own, got {settings.preprocessing:.60} too")
    elif not os.path.exists(base):
        raise ArgumentError(f"--base: expected {', '.join(NAMED)} or a .keras or .h5 file, found no {base:.300}")
    elif settings.weights is not None:
        raise ArgumentError(f"--weights: {base} holds its own weights, got {settings.weights:.60} too")


def _vgg16(settings: Any, classes: int) -> Start:
    shape = (settings.size, settings.size, 3)
    model = models.transfer_net(weights=settings.weights, input_shape=shape, seed=settings.seed, classes=classes)
    rows = layer_rows(model)
    last = max(index for index, row in enumerate(rows) if row.parameters and row.state != "trained")
    kept = 1 + next(index for index in range(last, len(rows)) if rows[index].kind == "MaxPool2D")
    names = [row.name for row in rows[:kept]]
    return Start(NAMED["vgg16"], model, names, TOSSED, settings.weights, [VGG16_LICENCE])


def _named(settings: Any, classes: int) -> Start:
    make, shape = getattr(models, settings.base), (settings.size, settings.size, 3)
    rows = layer_rows(make(input_shape=shape))
    try:
        whole = make(include_top=False, input_shape=shape, seed=settings.seed, weights=settings.weights)
    except WeightsError as error:  # the file may have a top
        try:
            whole = make(input_shape=shape, seed=settings.seed, weights=settings.weights)
        except WeightsError:
            raise error from None
    model = models.with_new_top(whole, classes)
    return _started(NAMED[settings.base], model, rows, settings.weights)


def _in_file(settings: Any, classes: int) -> Start:
    path = settings.base
    whole = model_in_file(path, settings.seed, settings.size, settings.preprocessing)
    require_preprocessing(path, whole, settings.preprocessing)
    if whole.inputs > 1 or len(whole.input_shape) != 3 or whole.input_shape[2] != 3:
        raise ShapeError(f"{path}: its input is {whole.input_shape}, expected (H, W, 3) for photos")
    rows = layer_rows(whole)
    try:
        model = models.with_new_top(whole, classes, size=(settings.size, settings.size) if settings.size else None)
    except UserError as error:
        raise type(error)(f"{path}: {error}") from None
    return _started(Path(path).name, model, rows, path)


def _started(title: str, model: Any, rows: Sequence[LayerRow], source: str) -> Start:
    """`rows` describe the network with its old top."""
    kept = [layer.name for layer in model.layers[:-NEW_LAYERS]]
    return Start(title, model, kept, [row for row in rows if row.name not in kept], source)
