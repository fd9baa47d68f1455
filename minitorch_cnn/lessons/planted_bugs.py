"""A gallery of bugs: what each does to a training, and the check that finds it, on shapes drawn at random."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import minitorch_cnn.lessons.planted_layers as planted
from minitorch_cnn import layers
from minitorch_cnn.gradient_check import gradient_check
from minitorch_cnn.gradient_gallery import distinct
from minitorch_cnn.lessons.frozen_check import frozen_check
from minitorch_cnn.sequential import Sequential


@dataclass(frozen=True)
class PlantedBug:
    """One bug.

    Fields: `title`; `planted` the class that has it; `symptom` what a training shows and why nothing else gives it
    away; `check` (rng, the class or its correct parent) -> the report of a check on a random shape on which it shows.
    """

    title: str
    planted: type
    symptom: str
    check: Callable

    @property
    def source(self):
        """The lines of the class, the wrong one among them."""
        return inspect.getsource(self.planted)

    @property
    def correct(self):
        """The class without the bug."""
        return self.planted.__mro__[1]

    def found(self, rng, curves=False):
        """The report on the class with the bug: it should not pass. `curves` as in `gradient_check`."""
        return self.check(rng, self.planted, curves)

    def cleared(self, rng):
        """The report on the class without it: it should pass."""
        return self.check(rng, self.correct, False)


def _image(rng, least=4):
    return int(rng.integers(2, 4)), *(int(size) for size in rng.integers(least, 8, 2)), int(rng.integers(1, 4))


def _padded(rng, kind, curves):
    """A convolution with padding on top or left, where forgetting to cut it off moves the image."""
    window = tuple(int(size) for size in rng.integers(2, 4, 2))
    padding = ((int(rng.integers(1, 3)), int(rng.integers(0, 2))), (int(rng.integers(1, 3)), int(rng.integers(0, 2))))
    return _check(rng, kind(int(rng.integers(1, 4)), window, padding=padding), _image(rng), curves)


def _overlapping(rng, kind, curves):
    """Windows that overlap: at least 2 wide, stride 1."""
    window = tuple(int(size) for size in rng.integers(2, 4, 2))
    return _check(rng, kind(int(rng.integers(1, 4)), window, padding="same"), _image(rng), curves)


def _overlapping_pool(rng, kind, curves):
    """All numbers are compared: only pixels that won more than once are wrong, and few drawn ones may miss them."""
    return _check(rng, kind((3, int(rng.integers(2, 4))), 1), _image(rng, 5), curves, most=1000)


def _convolution(activation):
    def check(rng, kind, curves):
        window, strides = (tuple(int(size) for size in rng.integers(*bounds, 2)) for bounds in ((2, 4), (1, 3)))
        layer = kind(int(rng.integers(2, 5)), window, strides, "same", activation)
        return _check(rng, layer, _image(rng), curves)

    return check


def _plain(make, shape):
    return lambda rng, kind, curves: _check(rng, make(kind, rng), shape(rng), curves)


def _square_dense(rng, kind, curves):
    size = int(rng.integers(3, 8))
    return _check(rng, kind(size), (int(rng.integers(2, 5)), size), curves)


def _row(rng):
    return int(rng.integers(2, 5)), int(rng.integers(3, 9))


def _check(rng, layer, shape, curves, most=40):
    return gradient_check(layer, distinct(shape, rng), training=True, most=most, curves=curves)


def _loss(rng, kind, curves):
    N, D = _row(rng)
    model = Sequential([layers.Dense(4, "tanh"), layers.Dense(3, "softmax")], (D,), seed=int(rng.integers(1 << 30)))
    return gradient_check(model, distinct((N, D), rng), rng.integers(0, 3, N), kind(), most=40, curves=curves)


def _freezing(rng, kind, curves):
    N, D = _row(rng)
    model = Sequential([layers.Dense(5, "relu"), layers.Dense(3, "softmax")], (D,), seed=int(rng.integers(1 << 30)))
    model.freeze(through="dense_1")
    batch = distinct((N, D), rng), rng.integers(0, 3, N)
    optimizer = kind(0.1, momentum=0.9)
    optimizer.batch = (*batch, model.default_loss())
    return frozen_check(model, *batch, optimizer)


PLANTED_BUGS = (
    PlantedBug(
        "The padding is not cut off in col2im",
        planted.PaddingNotCutOff,
        "The gradient of every layer below is moved by the padding. The loss still falls, since the layers above learn;"
        " the first layers learn from their neighbour's pixels. Without padding there is nothing to see.",
        _padded,
    ),
    PlantedBug(
        "col2im writes = where it should add",
        planted.Col2imOverwrites,
        "A pixel that nine windows see gets the gradient of one of them, so what arrives below is about nine times too"
        " small and patchy. With windows that do not overlap the two are the same.",
        _overlapping,
    ),
    PlantedBug(
        "Overlapping max pooling writes = where it should add",
        planted.PoolOverwrites,
        "Right for 2x2 windows at stride 2, which is what most people test; with 3x3 at stride 1 or 2 a pixel can"
        " win in"
        " several windows and keeps the gradient of the last one only. A check that draws a few pixels can miss those.",
        _overlapping_pool,
    ),
    PlantedBug(
        "The loss's gradient forgot 1/N",
        planted.SummedCrossEntropy,
        "All gradients are N times too large: the network wants a learning rate N times smaller, and another one for"
        " every batch size. The direction is right, so with a small rate all looks well.",
        _loss,
    ),
    PlantedBug(
        "The kernel is flipped on the way back",
        planted.KernelFlipped,
        "The convolution layers do not flip the kernel forwards, so col2im must not either. A symmetric kernel"
        " hides it;"
        " the kernel's own gradient is right, and the layers below learn noise.",
        _overlapping,
    ),
    PlantedBug(
        "Flatten goes back in another order (NCHW for NHWC)",
        planted.ChannelsFirstFlatten,
        "Every number arrives, and at the wrong pixel. The dense layers learn well, the convolutions below nothing;"
        " with"
        " one channel, or one pixel, it cannot be seen.",
        _plain(lambda kind, rng: kind(), lambda rng: (2, 3, int(rng.integers(4, 7)), int(rng.integers(2, 4)))),
    ),
    PlantedBug(
        "The ReLU's mask is taken from the wrong side",
        planted.MaskFromTheWrongSide,
        "Units that were off get the gradient of those that were on. The loss falls a little, then stays.",
        _plain(lambda kind, rng: kind(), _image),
    ),
    PlantedBug(
        "The ReLU is forgotten on the way back",
        planted.ReLUForgotten,
        "Units that were off learn as if they had been on. Training works, slowly and to a worse end: the hardest kind"
        " to notice.",
        _convolution("relu"),
    ),
    PlantedBug(
        "The bias learns from one image of the batch",
        planted.BiasOfOneImage,
        "Kernel and input are right. A bias matters so little that the loss curve shows nothing; a check that draws few"
        " numbers from all parameters together can miss it, so every array is checked by itself.",
        _convolution(None),
    ),
    PlantedBug(
        "Divided by the batch size twice",
        planted.MeanOverTheBatch,
        "The loss is a mean and has divided already. This layer learns N times more slowly than the others.",
        _plain(lambda kind, rng: kind(int(rng.integers(2, 6))), _row),
    ),
    PlantedBug(
        "The dense kernel is not transposed",
        planted.KernelNotTransposed,
        "Shapes would tell, unless the layer has as many inputs as outputs: check with shapes that are never square.",
        _square_dense,
    ),
    PlantedBug(
        "The sigmoid's slope is taken at x, not at y",
        planted.SlopeAtTheInput,
        "y (1 - y) is a formula in the result. x (1 - x) is negative for large x: those units learn backwards.",
        _plain(lambda kind, rng: kind(), _row),
    ),
    PlantedBug(
        "Softmax by its diagonal",
        planted.SoftmaxDiagonal,
        "One score moves all probabilities, since they add up to 1. Without the other terms the right class's score"
        " still"
        " learns, the wrong ones do not hear of it. Cross-entropy differentiated together with softmax never comes"
        " here.",
        _plain(lambda kind, rng: kind(), _row),
    ),
    PlantedBug(
        "Batch normalisation takes its statistics for constants",
        planted.ConstantStatistics,
        "gamma and beta are right. What arrives below has a part that the normalisation takes out again at the next"
        " step, so training wanders and needs a smaller rate.",
        _plain(lambda kind, rng: kind(), _image),
    ),
    PlantedBug(
        "Dropout draws another mask on the way back",
        planted.AnotherMask,
        "Dropped numbers get gradients, kept ones lose them: more noise, slower learning, no error anywhere.",
        _plain(lambda kind, rng: kind(0.5), _image),
    ),
    PlantedBug(
        "The gradient of a frozen layer is applied",
        planted.UpdatingTheFrozen,
        "The pretrained filters drift from the first step. The gradients are all right, so a gradient check is silent:"
        " compare the frozen weights before and after a step, bit by bit.",
        _freezing,
    ),
    PlantedBug(
        "Weight decay moves a frozen layer",
        planted.DecayingTheFrozen,
        "No gradient, and still the frozen weights shrink a little in every step; after an epoch they are gone.",
        _freezing,
    ),
)
