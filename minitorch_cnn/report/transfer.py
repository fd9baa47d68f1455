"""What a report tells of transfer learning: a network's old layers kept, its top tossed, a new one added and trained.

Like `Run`, plain facts from wherever they came; what is missing is left out of the page.
"""

from dataclasses import dataclass, field

import numpy as np

from minitorch_cnn.errors import ArgumentError, ShapeError
from minitorch_cnn.report.run import STATES, Sample, check_confusion, check_history


@dataclass(frozen=True)
class Phase:
    """One phase of the training.

    Args:
        name: as in `"base frozen"` or `"everything trained"`.
        history: lists with one number per epoch of this phase, under any of `HISTORY_KEYS`.
        states: `{layer name: state}` while the phase lasts, the states of a `LayerRow`; a layer that is not named is in
            the state of its row.
        accuracy: of the test images at the end of the phase, 0 to 1; if not given, the last `val_accuracy`.
        detail: what else is worth knowing, as in `"SGD 0.0001, features computed once"`.
    """

    name: str
    history: dict = field(default_factory=dict)
    states: dict = field(default_factory=dict)
    accuracy: float | None = None
    detail: str = ""

    def __post_init__(self):
        check_history(self.history, f"phase {self.name}: history")
        for name, state in self.states.items():
            if state not in STATES:
                known = ", ".join(map(repr, STATES))
                raise ArgumentError(f"phase {self.name}: {name}: expected a state out of {known}, got {state!r}")

    def state_of(self, layer):
        """The state of a `LayerRow` while the phase lasts."""
        return self.states.get(layer.name, layer.state)

    def learning(self, layers):
        """How many parameters of `LayerRow`s the phase trains."""
        return sum(layer.parameters for layer in layers if self.state_of(layer) == "trained")


@dataclass(frozen=True)
class Explanation:
    """Where the network saw what it answered.

    Args:
        sample: the photo and what the network made of it.
        heat: `(H, W)`, as large as the photo, 0 to 1: how much each place speaks for the class.
        output: the name of the class that the heat explains; if not given, the prediction.
    """

    sample: Sample
    heat: np.ndarray
    output: str = ""

    def __post_init__(self):
        if np.shape(self.heat) != np.shape(self.sample.image)[:2]:
            raise ShapeError(
                f"heat: expected {np.shape(self.sample.image)[:2]} like the photo, got {np.shape(self.heat)}"
            )


@dataclass(frozen=True)
class TransferRun:
    """A finished transfer learning. Only the title has to be there.

    Args:
        title, subtitle: what was trained, and on what.
        base: the network that the old layers come from.
        facts: further `(label, value)` pairs for the head of the page; accuracies and time stand there already.
        references: `(label, accuracy)` pairs to compare with, 0 to 1, as in `("the book", 0.97)`.
        seconds: all the training took; if not given, the sum of the phases' `seconds`.
        input_shape: `(H, W, C)` of one image.
        kept, tossed, added: `LayerRow`s of the old layers that stay, of those that are chopped off, and of the new ones
            that take their place, each in the order of the forward pass.
        phases: `Phase`s in their order.
        scratch: the history of a network trained on the same images from nothing, to be drawn beside the phases.
        scratch_name: what that network is called.
        class_names, confusion: as in `Run`, at the end of the last phase.
        samples: `Sample`s; of these the mistakes are shown, the surest first.
        filters_before, filters_after: the kernel of the first convolution before and after training everything,
            `(KH, KW, 3, K)`; or one of them alone.
        bgr: whether the filters' channels are blue, green, red, as in the networks that came from Caffe.
        explanations: `Explanation`s.
        skipped: names of the files that were no images.
        commands: `(what it does, command)` pairs for whoever wants to run it again or use it.
        notes: sentences for the end of the page.

    Raises:
        ShapeError: `confusion` does not fit the class names, or the filters have different shapes.
        ArgumentError: a key of a history that no chart draws, or a state of a layer that is neither kept nor added.
    """

    title: str
    subtitle: str = ""
    base: str = "VGG16"
    facts: list = field(default_factory=list)
    references: list = field(default_factory=list)
    seconds: float | None = None
    input_shape: tuple | None = None
    kept: list = field(default_factory=list)
    tossed: list = field(default_factory=list)
    added: list = field(default_factory=list)
    phases: list = field(default_factory=list)
    scratch: dict = field(default_factory=dict)
    scratch_name: str = "from scratch"
    class_names: list = field(default_factory=list)
    confusion: np.ndarray | None = None
    samples: list = field(default_factory=list)
    filters_before: np.ndarray | None = None
    filters_after: np.ndarray | None = None
    bgr: bool = False
    explanations: list = field(default_factory=list)
    skipped: list = field(default_factory=list)
    commands: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def __post_init__(self):
        check_confusion(self.confusion, self.class_names)
        check_history(self.scratch, "scratch")
        names = {layer.name for layer in [*self.kept, *self.added]}
        for phase in self.phases:
            for name in phase.states:
                if names and name not in names:
                    raise ArgumentError(f"phase {phase.name}: no layer that is kept or added is called {name!r}")
        before, after = self.filters_before, self.filters_after
        if before is not None and after is not None and np.shape(before) != np.shape(after):
            raise ShapeError(f"filters_after: expected {np.shape(before)} as before, got {np.shape(after)}")
