"""A gallery of planted bugs: what each does to training, and the check that finds it, on random shapes."""

import inspect
from dataclasses import dataclass

import numpy as np

import minitorch_cnn.lessons.planted_layers as planted
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.gradients.check import Report
from minitorch_cnn.lessons import planted_trials as trials
from minitorch_cnn.lessons.frozen_check import FrozenReport

MOST_HIDDEN = 1000  # after so many shapes in a row on which nothing shows, the class has no bug


@dataclass(frozen=True)
class PlantedBug:
    """One bug.

    Fields: `title`; `planted`, the class that has the bug; `symptom`, what one sees in training and why the bug is hard
    to notice; `draw` (rng), which returns a Trial on a random shape; `words`, which the report of the check must
    contain.
    """

    title: str
    planted: type
    symptom: str
    draw: trials.Draw
    words: str

    @property
    def source(self) -> str:
        """The source code of the class, including the wrong line."""
        return inspect.getsource(self.planted)

    @property
    def correct(self) -> type:
        """The class without the bug."""
        return self.planted.__mro__[1]

    def shown(self, rng: np.random.Generator) -> tuple[trials.Trial, int]:
        """The first trial on which the bug shows, and how many were drawn before it.

        Raises ArgumentError if the bug shows on none of many trials.
        """
        for hidden in range(MOST_HIDDEN):
            trial = self.draw(rng)
            if trial.shows(self.planted, self.correct):
                return trial, hidden
        raise ArgumentError(f"{self.planted.__name__}: expected a bug, got the results of {self.correct.__name__}")

    def found(self, rng: np.random.Generator, curves: bool = False) -> Report | FrozenReport:
        """The report on the class with the bug, on a shape on which it shows, so the check should not pass.

        `curves` is passed on to `gradient_check`.
        """
        return self.shown(rng)[0].check(self.planted, curves)

    def cleared(self, rng: np.random.Generator) -> Report | FrozenReport:
        """The report on the class without the bug, on the same shape, so the check should pass."""
        return self.shown(rng)[0].check(self.correct)


PLANTED_BUGS = (
    PlantedBug(
        "The padding is not cut off in col2im",
        planted.PaddingNotCutOff,
        "The gradients of all layers below are shifted by the padding. The loss still falls because the layers above"
        " learn, but the first layers learn from neighbouring pixels. Without padding the bug has no effect.",
        trials.convolution(),
        "padding is not cut off",
    ),
    PlantedBug(
        "col2im uses = instead of +=",
        planted.Col2imOverwrites,
        "A pixel that lies in nine windows receives the gradient of only one of them, so the gradient below is about"
        " nine times too small, and patchy. If windows do not overlap, assigning and adding give the same result.",
        trials.convolution(),
        "= instead of +=",
    ),
    PlantedBug(
        "Overlapping max pooling uses = instead of +=",
        planted.PoolOverwrites,
        "The result is right for 2x2 windows at stride 2, which most people test. With 3x3 windows at stride 1 or 2 a"
        " pixel can be the maximum of several windows, and it keeps only the gradient of the last one. A check of a"
        " few pixels can miss the wrong ones unless it also moves all the others together.",
        trials.pool,
        "= instead of +=",
    ),
    PlantedBug(
        "The gradient of the loss lacks the factor 1/N",
        planted.SummedCrossEntropy,
        "All gradients are N times too large, so the network needs a learning rate N times smaller, and a different"
        " one for every batch size. The direction is right, so with a small learning rate everything looks fine.",
        trials.loss,
        "needs 1/N",
    ),
    PlantedBug(
        "The kernel is flipped in the backward pass",
        planted.KernelFlipped,
        "The forward pass does not flip the kernel, so the product that feeds col2im must not flip it either. A"
        " symmetric kernel hides the bug. The kernel's own gradient is right, but the layers below learn noise.",
        trials.convolution(),
        "rotated by 180 degrees",
    ),
    PlantedBug(
        "Flatten's backward pass reads NCHW instead of NHWC",
        planted.ChannelsFirstFlatten,
        "Every number arrives, but at the wrong pixel. The dense layers learn well and the convolutions below learn"
        " nothing. With a single channel or a single pixel the bug has no effect.",
        trials.image(),
        "NCHW",
    ),
    PlantedBug(
        "The ReLU uses the inverted mask",
        planted.MaskFromTheWrongSide,
        "Units that were off receive a gradient, and units that were on receive none. The loss falls a little and then"
        " stagnates.",
        trials.image(),
        "is inverted",
    ),
    PlantedBug(
        "The backward pass forgets the ReLU",
        planted.ReLUForgotten,
        "Units that were off learn as if they had been on. Training works, but slowly and with a worse result, which"
        " makes this bug one of the hardest to notice.",
        trials.convolution("relu"),
        "derivative of the activation is missing",
    ),
    PlantedBug(
        "The bias gradient uses only one image of the batch",
        planted.BiasOfOneImage,
        "The gradients of the kernel and the input are right. A bias matters so little that the loss curve shows"
        " nothing, and a check that draws a few numbers from all parameters together can miss it. Therefore every"
        " array is checked separately.",
        trials.convolution(),
        "the first image only",
    ),
    PlantedBug(
        "The gradient is divided by the batch size twice",
        planted.MeanOverTheBatch,
        "The loss is a mean, so it has already divided by N. This layer learns N times more slowly than the others.",
        trials.dense,
        "divided by N once too often",
    ),
    PlantedBug(
        "The dense kernel is not transposed",
        planted.KernelNotTransposed,
        "The shapes do not match unless the layer has as many inputs as outputs, so test with kernels that are not"
        " square.",
        trials.square_dense,
        "kernel.T",
    ),
    PlantedBug(
        "The sigmoid's derivative is computed from x instead of y",
        planted.SlopeAtTheInput,
        "The derivative y (1 - y) is written in terms of the output y. For large x, x (1 - x) is negative, so these"
        " units learn in the wrong direction.",
        trials.row,
        "x (1 - x)",
    ),
    PlantedBug(
        "Softmax uses only the diagonal of its Jacobian",
        planted.SoftmaxDiagonal,
        "Each score changes all probabilities because they add up to 1. Without the off-diagonal terms the score of"
        " the right class still learns, but those of the wrong classes do not. If softmax and cross-entropy are"
        " differentiated together, this code never runs.",
        trials.row,
        "only the diagonal",
    ),
    PlantedBug(
        "Batch normalisation treats its statistics as constants",
        planted.ConstantStatistics,
        "The gradients of gamma and beta are right. The gradient below contains a component that the normalisation"
        " removes again in the next step, so training wanders and needs a smaller learning rate.",
        trials.image(),
        "treated as constants",
    ),
    PlantedBug(
        "Dropout draws a new mask in the backward pass",
        planted.AnotherMask,
        "Some dropped values receive a gradient and some kept values receive none. The gradient is noisier and learning"
        " is slower, but no error is raised.",
        trials.image(0.5),
        "mask is wrong",
    ),
    PlantedBug(
        "The gradient of a frozen layer is applied",
        planted.UpdatingTheFrozen,
        "The pretrained filters drift from the first step on. All gradients are right, so a gradient check finds"
        " nothing. Instead, compare the frozen weights before and after a step, bit by bit.",
        trials.freezing,
        "is frozen and moved",
    ),
    PlantedBug(
        "Weight decay moves a frozen layer",
        planted.DecayingTheFrozen,
        "The frozen weights receive no gradient, yet they shrink a little in every step, and after an epoch they have"
        " almost vanished.",
        trials.freezing,
        "is frozen and moved",
    ),
)
