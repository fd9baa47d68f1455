"""The contents of the report of a training run: plain facts, numbers and arrays.

Nothing in this file knows models or data sets. The code that trained fills in a `Run`; the page leaves out what is
missing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from minitorch_cnn.errors import ArgumentError, ShapeError

STATES = ("trained", "frozen", "frozen, gradient passes")
History: TypeAlias = Mapping[str, Sequence[float]]  # one number per epoch under any of HISTORY_KEYS, NaN where missing
HISTORY_KEYS = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")


def check_confusion(confusion: np.ndarray | None, class_names: Sequence[str]) -> None:
    """Raises ShapeError when a confusion matrix does not have one row and one column per class name."""
    classes = len(class_names)
    if confusion is not None and np.shape(confusion) != (classes, classes):
        raise ShapeError(
            f"confusion: expected ({classes}, {classes}) for {classes} class names, got {np.shape(confusion)}"
        )


def check_history(history: Iterable[str], what: str = "history") -> None:
    """Raises ArgumentError when a key of a history is not one of `HISTORY_KEYS`."""
    for key in history:
        if key not in HISTORY_KEYS:
            raise ArgumentError(f"{what}: expected keys among {', '.join(HISTORY_KEYS)}, got {key!r}")


@dataclass(frozen=True)
class LayerRow:
    """One layer of the network. Raises ArgumentError for an unknown state."""

    name: str  # for example "conv2d_1"
    kind: str  # the class, for example "Conv2D"; it decides the colour of convolutions, pools and dense layers
    output_shape: tuple[int, ...]  # without the batch, (H, W, C) or (features,)
    parameters: int = 0  # how many numbers the layer holds
    state: str = "trained"  # or "frozen", or "frozen, gradient passes" for a frozen layer above a trained one
    detail: str = ""  # further options, for example "3x3, same, relu"
    reads: tuple[int, ...] | None = None  # places of the layers that it reads, -1, -2, ... inputs; None: the one before

    def __post_init__(self) -> None:
        if self.state not in STATES:
            known = ", ".join(map(repr, STATES))
            raise ArgumentError(f"{self.name}: expected one of the states {known}, got {self.state!r}")


@dataclass(frozen=True)
class Sample:
    """One image and what the network predicted for it."""

    image: np.ndarray  # uint8 (H, W, 3), or (H, W) or (H, W, 1) in shades of grey
    truth: str  # the name of the true class
    prediction: str  # the name of the predicted class
    probability: float  # of the prediction, 0 to 1
    correct: bool  # whether the prediction counts as correct


@dataclass(frozen=True)
class Run:
    """A finished training run. Only the title is required.

    Raises ShapeError when the confusion matrix does not fit the class names, and ArgumentError for an unknown key of
    the history.
    """

    title: str  # what was trained
    subtitle: str = ""  # and on which data
    commands: Sequence[tuple[str, str]] = ()  # (purpose, command) pairs that reproduce or use the run
    facts: Sequence[tuple[str, Any]] = ()  # (label, value) pairs for the top of the page, the most important first
    layers: Sequence[LayerRow] = ()  # in the order of the forward pass
    input_shape: tuple[int, ...] | None = None  # (H, W, C) of one image
    history: History = field(default_factory=dict)
    class_names: Sequence[str] = ()  # C names
    confusion: np.ndarray | None = None  # (C, C) counts, one row per true class, one column per predicted class
    samples: Sequence[Sample] = ()  # correct and wrong predictions in any order
    behind: Sequence[Sample] = ()  # images of the cells of the matrix; those that matter most come first
    skipped: Sequence[str] = ()  # names of the files that could not be read as images
    filters: np.ndarray | None = None  # kernel of the first convolution, (KH, KW, 3, K) or (KH, KW, 1, K)
    learned: Mapping[int, np.ndarray] = field(default_factory=dict)  # the same kernel by the number of epochs so far
    notes: Sequence[str] = ()  # sentences for the end of the page

    def __post_init__(self) -> None:
        check_confusion(self.confusion, self.class_names)
        check_history(self.history)
