"""What a report tells of a training run: plain facts, numbers and arrays, from wherever they came.

Nothing in here knows a model or a data set. Whoever trained fills a `Run` in; what is missing is left out of the page.
"""

from dataclasses import dataclass, field

import numpy as np

from minitorch_cnn.errors import ArgumentError, ShapeError

STATES = ("trained", "frozen", "frozen, gradient passes")
HISTORY_KEYS = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")


def check_confusion(confusion, class_names):
    """Raise ShapeError where a confusion matrix is not as wide and as high as there are class names."""
    classes = len(class_names)
    if confusion is not None and np.shape(confusion) != (classes, classes):
        raise ShapeError(
            f"confusion: expected ({classes}, {classes}) for {classes} class names, got {np.shape(confusion)}"
        )


def check_history(history, what="history"):
    """Raise ArgumentError for a key that no chart draws."""
    for key in history:
        if key not in HISTORY_KEYS:
            raise ArgumentError(f"{what}: expected keys out of {', '.join(HISTORY_KEYS)}, got {key!r}")


@dataclass(frozen=True)
class LayerRow:
    """One layer of the network.

    Args:
        name: as in `"conv2d_1"`.
        kind: the class, as in `"Conv2D"`; convolutions, pools and dense layers are recognised by it and have colours.
        output_shape: without the batch, `(H, W, C)` or `(features,)`.
        parameters: how many numbers the layer holds.
        state: `"trained"`, `"frozen"`, or `"frozen, gradient passes"` for a frozen layer above a trained one.
        detail: what the kind does not say, as in `"3x3, same, relu"`.
    """

    name: str
    kind: str
    output_shape: tuple
    parameters: int = 0
    state: str = "trained"
    detail: str = ""

    def __post_init__(self):
        if self.state not in STATES:
            known = ", ".join(map(repr, STATES))
            raise ArgumentError(f"{self.name}: expected a state out of {known}, got {self.state!r}")


@dataclass(frozen=True)
class Sample:
    """One image and what the network made of it.

    Args:
        image: uint8 `(H, W, 3)`, or `(H, W)` and `(H, W, 1)` in shades of grey.
        truth, prediction: class names.
        probability: what the network gave its prediction, 0 to 1.
        correct: whether the prediction counts as right.
    """

    image: np.ndarray
    truth: str
    prediction: str
    probability: float
    correct: bool


@dataclass(frozen=True)
class Run:
    """A finished training run. Only the title has to be there.

    Args:
        title, subtitle: what was trained, and on what.
        commands: `(what it does, command)` pairs for whoever wants to run it again or use it.
        facts: `(label, value)` pairs for the head of the page, the most important first.
        layers: `LayerRow`s in the order of the forward pass.
        input_shape: `(H, W, C)` of one image.
        history: lists with one number per epoch, under any of `HISTORY_KEYS`; NaN where there is none.
        class_names: C names.
        confusion: `(C, C)` counts, a row per true class, a column per predicted class.
        samples: `Sample`s, right and wrong ones mixed.
        filters: the kernel of the first convolution, `(KH, KW, 3, K)` (or one channel instead of three).
        skipped: names of the files that were no images.
        notes: sentences for the end of the page.

    Raises:
        ShapeError: `confusion` is not as wide and as high as there are class names.
        ArgumentError: a key of `history` that no chart draws.
    """

    title: str
    subtitle: str = ""
    commands: list = field(default_factory=list)
    facts: list = field(default_factory=list)
    layers: list = field(default_factory=list)
    input_shape: tuple | None = None
    history: dict = field(default_factory=dict)
    class_names: list = field(default_factory=list)
    confusion: np.ndarray | None = None
    samples: list = field(default_factory=list)
    skipped: list = field(default_factory=list)
    filters: np.ndarray | None = None
    notes: list = field(default_factory=list)

    def __post_init__(self):
        check_confusion(self.confusion, self.class_names)
        check_history(self.history)
