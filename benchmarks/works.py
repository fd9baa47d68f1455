"""What is measured: which network, how many images, and a training step or a forward pass."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from engines.problem import Problem

from minitorch_cnn import Sequential, layers, models
from minitorch_cnn.errors import MissingPackage


@dataclass(frozen=True)
class Work:
    """A training step, or a forward pass if `loss` is None; otherwise that is one of `engines.problem.LOSSES`.

    If the loss has no lower bound, `learning_rate` must be so small that a hundred steps do not overflow.
    """

    title: str
    network: Callable  # makes the network for an image size; None is the network's own
    batch_size: int
    loss: str | None = None
    learning_rate: float = 0.01
    gpu_batch_size: int | None = None  # if a GPU needs more images to be busy
    chain: bool = True  # of convolutions, max pools, dense layers and dropout alone
    gradient_limit: float | None = None  # how far gradients may differ, where that is not `versus.LIMITS`

    def batch_size_for(self, backend):
        """How many images suit the work on that backend."""
        return self.batch_size if backend == "numpy" else self.gpu_batch_size or self.batch_size


def cifar10(size=None):
    """The slides' ConvNet for 32x32 pixels."""
    return models.cifar10(dropout=True)


def cats_vs_dogs(size=None):
    """The slides' ConvNet for 150x150 pixels."""
    return models.cats_vs_dogs(input_shape=(size or 150, size or 150, 3))


def vgg16(size=None):
    """VGG16's convolutions and pools, without the top."""
    return models.vgg16(include_top=False, input_shape=(size or 224, size or 224, 3))


def block5(size=None):
    """VGG16's block 5 and a new top, above stored features of photos of 224x224 pixels."""
    convolutions = [layers.Conv2D(512, 3, padding="same", activation="relu") for _ in range(3)]
    top = [layers.Dense(256, activation="relu"), layers.Dropout(0.5), layers.Dense(1, activation="sigmoid")]
    stack = [*convolutions, layers.MaxPool2D(2), layers.Flatten(), *top]
    return Sequential(stack, ((size or 224) // 16, (size or 224) // 16, 512), seed=0)


def resnet20(size=None):
    """The residual network of 20 layers for 32x32 pixels."""
    return models.resnet_cifar(20, input_shape=(size or 32, size or 32, 3))


def cifar10_fast(size=None):
    """The network of `train cifar10 --recipe fast`."""
    return models.cifar10_fast(seed=0)


def resnet50(size=None):
    """ResNet50 with its top."""
    return models.resnet50(input_shape=(size or 224, size or 224, 3))


def mobilenet_v2(size=None):
    """MobileNetV2 with its top."""
    return models.mobilenet_v2(input_shape=(size or 224, size or 224, 3))


def tiny(size=None):
    """A network with every kind of layer that the others have, small enough for the loops of `naive`."""
    return Sequential(
        [
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.MaxPool2D(2),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPool2D(2),
            layers.Dropout(0.1),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ],
        input_shape=(size or 12, size or 12, 3),
        seed=0,
    )


WORKS = {
    "cifar10": Work("CIFAR-10 ConvNet, one training step", cifar10, 128, "cross_entropy"),
    "cats-vs-dogs": Work("Cats vs Dogs ConvNet, one training step", cats_vs_dogs, 32, "binary_cross_entropy"),
    "vgg16-forward": Work("VGG16's convolutions, forward", vgg16, 8, gpu_batch_size=32),
    "vgg16-step": Work("VGG16's convolutions, one training step", vgg16, 4, "weighted_sum", 1e-5, 32),
    "fine-tune-step": Work("VGG16's block 5 and a new top, a training step", block5, 32, "binary_cross_entropy", 1e-5),
    "resnet20-step": Work("ResNet20 on CIFAR-10, one training step", resnet20, 128, "cross_entropy", chain=False),
    "cifar10-fast-step": Work(  # its kernels are the identity: one tie in a max pool reaches every layer undiminished
        "The fast network for CIFAR-10, one training step",
        cifar10_fast,
        512,
        "cross_entropy",
        chain=False,
        gradient_limit=0.03,
    ),
    "resnet50-forward": Work("ResNet50, forward", resnet50, 8, gpu_batch_size=32, chain=False),
    "resnet50-step": Work("ResNet50, one training step", resnet50, 8, "cross_entropy", 1e-3, 32, chain=False),
    "mobilenet-v2-forward": Work("MobileNetV2, forward", mobilenet_v2, 8, gpu_batch_size=32, chain=False),
    "mobilenet-v2-step": Work(
        "MobileNetV2, one training step", mobilenet_v2, 16, "cross_entropy", 1e-3, 64, chain=False
    ),
    "tiny": Work("a tiny ConvNet, one training step", tiny, 4, "cross_entropy"),
}


def make_model(work, size=None, seed=0):
    """The work's network. Batch norm gets statistics and factors that are not all alike, as after a training."""
    model, rng = work.network(size), np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNorm):
            for name, array in layer.parameters.items():
                spread = rng.standard_normal(array.shape, dtype=np.float32)
                positive = name in ("gamma", "moving_variance")
                layer.parameters[name] = np.exp(0.2 * spread) if positive else 0.1 * spread
    return model


def make_problem(work, batch_size, size=None, seed=0):
    """The `Problem` of one batch of noise for `work`, with the network's initial weights."""
    model, rng = make_model(work, size, seed), np.random.default_rng(seed)
    weights = {f"{layer.name}/{name}": array for layer in model.layers for name, array in layer.parameters.items()}
    x = rng.standard_normal((batch_size, *model.input_shape), dtype=np.float32)
    if work.loss == "cross_entropy":
        target = rng.integers(0, model.output_shape[-1], batch_size)
    elif work.loss == "binary_cross_entropy":
        target = rng.integers(0, 2, (batch_size, 1)).astype(np.float32)
    elif work.loss == "weighted_sum":
        # Weights of one sign: outputs after a ReLU then add up to a loss in which nothing cancels out.
        target = rng.random((batch_size, *model.output_shape), dtype=np.float32)
    else:
        target = None
    config = json.loads(json.dumps(model.config()))
    shapes = {layer.name: layer.output_shape for layer in model.layers}
    return Problem(config, shapes, weights, x, target, work.loss, work.learning_rate)


def save_problem(work, batch_size, path):
    """Write the problem to `path`, an .npz file; beside it the network as .keras and .onnx."""
    make_problem(work, batch_size).save(path)
    model = make_model(work)
    model.save(Path(path).with_suffix(".keras"))
    with contextlib.suppress(MissingPackage):  # then nobody reads it
        model.export_onnx(Path(path).with_suffix(".onnx"), pixels=False)
