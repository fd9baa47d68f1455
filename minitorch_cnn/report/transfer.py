"""The contents of the report of transfer learning: old layers are kept, the top is tossed, a new one is added.

Like `Run`, these are plain facts, and the page leaves out what is missing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minitorch_cnn.errors import ArgumentError, ShapeError
from minitorch_cnn.report.calibration import Bin
from minitorch_cnn.report.changed import Changed
from minitorch_cnn.report.run import STATES, History, LayerRow, Sample, check_confusion, check_history


@dataclass(frozen=True)
class Phase:
    """One phase of the training. Raises ArgumentError for an unknown key of the history or an unknown state."""

    name: str  # for example "base frozen"
    history: History = field(default_factory=dict)  # of the epochs of this phase
    states: Mapping[str, str] = field(default_factory=dict)  # state by layer name, where it differs from the LayerRow's
    accuracy: float | None = None  # on the test images after the phase, 0 to 1; None for the last `val_accuracy`
    detail: str = ""  # for example "SGD 0.0001, features computed once"
    bins: Sequence[Bin] = ()  # of the test images after the phase, by the probability of the predicted class

    def __post_init__(self) -> None:
        check_history(self.history, f"phase {self.name}: history")
        for name, state in self.states.items():
            if state not in STATES:
                known = ", ".join(map(repr, STATES))
                raise ArgumentError(f"phase {self.name}: {name}: expected one of the states {known}, got {state!r}")

    def state_of(self, layer: LayerRow) -> str:
        """The state of a layer during this phase."""
        return self.states.get(layer.name, layer.state)

    def trained_parameters(self, layers: Iterable[LayerRow]) -> int:
        """How many parameters of these layers the phase trains."""
        return sum(layer.parameters for layer in layers if self.state_of(layer) == "trained")


@dataclass(frozen=True)
class Explanation:
    """Which parts of a photo led to the prediction. Raises ShapeError when the heat map does not fit the photo."""

    sample: Sample  # the photo and the prediction
    heat: np.ndarray  # (H, W), as large as the photo, 0 to 1: how much each position counts for the class
    output: str = ""  # the name of the class that the heat map explains; empty for the prediction

    def __post_init__(self) -> None:
        if np.shape(self.heat) != np.shape(self.sample.image)[:2]:
            raise ShapeError(
                f"heat: expected {np.shape(self.sample.image)[:2]} like the photo, got {np.shape(self.heat)}"
            )


@dataclass(frozen=True)
class Turned:
    """A photo that changed sides: what was seen in it, and where, before the last phase and after it."""

    before: Explanation
    after: Explanation


@dataclass(frozen=True)
class TransferRun:
    """A finished run of transfer learning. Only the title is required.

    Raises ShapeError when the confusion matrix does not fit the class names or the filters differ in shape. Raises
    ArgumentError for an unknown key of a history, or for the state of a layer that is neither kept nor added.
    """

    title: str  # what was trained
    subtitle: str = ""  # and on which data
    base: str = "VGG16"  # the network that the old layers come from
    facts: Sequence[tuple[str, Any]] = ()  # (label, value) pairs for the top of the page, after accuracies and time
    references: Sequence[tuple[str, float]] = ()  # (label, accuracy 0 to 1) pairs to compare with
    seconds: float | None = None  # of the whole training; None for the sum of the phases' `seconds`
    input_shape: tuple[int, ...] | None = None  # (H, W, C) of one image
    kept: Sequence[LayerRow] = ()  # the old layers that stay, in the order of the forward pass
    tossed: Sequence[LayerRow] = ()  # the old layers that are chopped off
    added: Sequence[LayerRow] = ()  # the new layers that take their place
    phases: Sequence[Phase] = ()
    scratch: History = field(default_factory=dict)  # of a network trained on the same images from random weights
    scratch_name: str = "from scratch"  # the name of that network
    class_names: Sequence[str] = ()  # as in `Run`
    confusion: np.ndarray | None = None  # as in `Run`, after the last phase
    samples: Sequence[Sample] = ()  # the page shows the mistakes among them, the most confident first
    behind: Sequence[Sample] = ()  # as in `Run`
    filters_before: np.ndarray | None = None  # kernel of the first convolution, (KH, KW, 3, K), before all is trained
    filters_after: np.ndarray | None = None  # the same kernel afterwards
    bgr: bool = False  # whether the channels of the filters are blue, green, red, as in networks from Caffe
    moved: Sequence[tuple[str, float]] = ()  # (layer, ||after - before|| / ||before||) of kernels that the base kept
    explanations: Sequence[Explanation] = ()
    changed: Changed | None = None  # between the first phase and the last one
    turned: Sequence[Turned] = ()  # some of the photos that changed sides
    skipped: Sequence[str] = ()  # names of the files that could not be read as images
    commands: Sequence[tuple[str, str]] = ()  # (purpose, command) pairs that reproduce or use the run
    notes: Sequence[str] = ()  # sentences for the end of the page

    def __post_init__(self) -> None:
        check_confusion(self.confusion, self.class_names)
        check_history(self.scratch, "scratch")
        names = {layer.name for layer in [*self.kept, *self.added]}
        for phase in self.phases:
            for name in phase.states:
                if names and name not in names:
                    raise ArgumentError(f"phase {phase.name}: expected the name of a kept or added layer, got {name!r}")
        before, after = self.filters_before, self.filters_after
        if before is not None and after is not None and np.shape(before) != np.shape(after):
            raise ShapeError(f"filters_after: expected {np.shape(before)} as before, got {np.shape(after)}")
