"""A gallery of bugs: what each does to a training, and the check that finds it, on shapes drawn at random."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import minitorch_cnn.lessons.planted_layers as planted
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.lessons import planted_trials as trials

MOST_HIDDEN = 1000  # shapes in a row on which a bug does not show: then there is none


@dataclass(frozen=True)
class PlantedBug:
    """One bug.

    Fields: `title`; `planted` the class that has it; `symptom` what a training shows and why nothing else gives it
    away; `draw` (rng) -> a Trial on a random shape; `words` what the check has to say of it, among others.
    """

    title: str
    planted: type
    symptom: str
    draw: Callable
    words: str

    @property
    def source(self):
        """The lines of the class, the wrong one among them."""
        return inspect.getsource(self.planted)

    @property
    def correct(self):
        """The class without the bug."""
        return self.planted.__mro__[1]

    def shown(self, rng):
        """(trial, how many before it): the first drawn on which the bug shows; ArgumentError where it never does."""
        for hidden in range(MOST_HIDDEN):
            trial = self.draw(rng)
            if trial.shows(self.planted, self.correct):
                return trial, hidden
        raise ArgumentError(f"{self.planted.__name__}: expected a bug, got the same as {self.correct.__name__}")

    def found(self, rng, curves=False):
        """The report on the class with the bug, where it shows: it should not pass. `curves` as in `gradient_check`."""
        return self.shown(rng)[0].check(self.planted, curves)

    def cleared(self, rng):
        """The report on the class without it, on the same shape: it should pass."""
        return self.shown(rng)[0].check(self.correct)


PLANTED_BUGS = (
    PlantedBug(
        "The padding is not cut off in col2im",
        planted.PaddingNotCutOff,
        "The gradient of every layer below is moved by the padding. The loss still falls, since the layers above"
        " learn; the first layers learn from their neighbour's pixels. Without padding there is nothing to see.",
        trials.convolution(),
        "padding is not cut off",
    ),
    PlantedBug(
        "col2im writes = where it should add",
        planted.Col2imOverwrites,
        "A pixel that nine windows see gets the gradient of one of them, so what arrives below is about nine times"
        " too small and patchy. With windows that do not overlap the two are the same.",
        trials.convolution(),
        "= instead of +=",
    ),
    PlantedBug(
        "Overlapping max pooling writes = where it should add",
        planted.PoolOverwrites,
        "Right for 2x2 windows at stride 2, which is what most people test; with 3x3 at stride 1 or 2 a pixel can win"
        " in several windows and keeps the gradient of the last one only. A check that looks at a few pixels misses"
        " them, unless all others are moved together.",
        trials.pool,
        "= instead of +=",
    ),
    PlantedBug(
        "The loss's gradient forgot 1/N",
        planted.SummedCrossEntropy,
        "All gradients are N times too large: the network wants a learning rate N times smaller, and another one for"
        " every batch size. The direction is right, so with a small rate all looks well.",
        trials.loss,
        "needs 1/N",
    ),
    PlantedBug(
        "The kernel is flipped on the way back",
        planted.KernelFlipped,
        "The convolution layers do not flip the kernel forwards, so col2im must not either. A symmetric kernel hides"
        " it; the kernel's own gradient is right, and the layers below learn noise.",
        trials.convolution(),
        "turned by 180 degrees",
    ),
    PlantedBug(
        "Flatten goes back in another order (NCHW for NHWC)",
        planted.ChannelsFirstFlatten,
        "Every number arrives, and at the wrong pixel. The dense layers learn well, the convolutions below nothing;"
        " with one channel, or one pixel, it cannot be seen.",
        trials.image(),
        "NCHW",
    ),
    PlantedBug(
        "The ReLU's mask is taken from the wrong side",
        planted.MaskFromTheWrongSide,
        "Units that were off get the gradient of those that were on. The loss falls a little, then stays.",
        trials.image(),
        "wrong side",
    ),
    PlantedBug(
        "The ReLU is forgotten on the way back",
        planted.ReLUForgotten,
        "Units that were off learn as if they had been on. Training works, slowly and to a worse end: the hardest"
        " kind to notice.",
        trials.convolution("relu"),
        "derivative is forgotten",
    ),
    PlantedBug(
        "The bias learns from one image of the batch",
        planted.BiasOfOneImage,
        "Kernel and input are right. A bias matters so little that the loss curve shows nothing; a check that draws"
        " few numbers from all parameters together can miss it, so every array is checked by itself.",
        trials.convolution(),
        "first image's alone",
    ),
    PlantedBug(
        "Divided by the batch size twice",
        planted.MeanOverTheBatch,
        "The loss is a mean and has divided already. This layer learns N times more slowly than the others.",
        trials.dense,
        "divided by N once too often",
    ),
    PlantedBug(
        "The dense kernel is not transposed",
        planted.KernelNotTransposed,
        "Shapes would tell, unless the layer has as many inputs as outputs: check with shapes that are never square.",
        trials.square_dense,
        "kernel.T",
    ),
    PlantedBug(
        "The sigmoid's slope is taken at x, not at y",
        planted.SlopeAtTheInput,
        "y (1 - y) is a formula in the result. x (1 - x) is negative for large x: those units learn backwards.",
        trials.row,
        "x (1 - x)",
    ),
    PlantedBug(
        "Softmax by its diagonal",
        planted.SoftmaxDiagonal,
        "One score moves all probabilities, since they add up to 1. Without the other terms the right class's score"
        " still learns, the wrong ones do not hear of it. Cross-entropy differentiated together with softmax never"
        " comes here.",
        trials.row,
        "diagonal alone",
    ),
    PlantedBug(
        "Batch normalisation takes its statistics for constants",
        planted.ConstantStatistics,
        "gamma and beta are right. What arrives below has a part that the normalisation takes out again at the next"
        " step, so training wanders and needs a smaller rate.",
        trials.image(),
        "taken for constants",
    ),
    PlantedBug(
        "Dropout draws another mask on the way back",
        planted.AnotherMask,
        "Dropped numbers get gradients, kept ones lose them: more noise, slower learning, no error anywhere.",
        trials.image(0.5),
        "mask is wrong",
    ),
    PlantedBug(
        "The gradient of a frozen layer is applied",
        planted.UpdatingTheFrozen,
        "The pretrained filters drift from the first step. The gradients are all right, so a gradient check is"
        " silent: compare the frozen weights before and after a step, bit by bit.",
        trials.freezing,
        "is frozen and moved",
    ),
    PlantedBug(
        "Weight decay moves a frozen layer",
        planted.DecayingTheFrozen,
        "No gradient, and still the frozen weights shrink a little in every step; after an epoch they are gone.",
        trials.freezing,
        "is frozen and moved",
    ),
)
