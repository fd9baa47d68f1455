"""The fast network for CIFAR-10: a training step runs compiled code alone, in float32, and gives PyTorch's numbers."""

import numpy as np
import pytest

from minitorch_cnn import losses, models
from minitorch_cnn.arrays.dispatch import DEFINITIONS, TWINS_ONLY, running
from minitorch_cnn.models.fast_recipe import FAST


def problem(dtype="float32"):
    rng = np.random.default_rng(0)
    images, labels = rng.standard_normal((9, 32, 32, 3)).astype(dtype), rng.integers(0, 10, 9)
    model = models.cifar10_fast((8, 10, 12), seed=0, images=images)
    return model if dtype == "float32" else model.copy(dtype), images, labels


def test_every_step_of_it_is_compiled(monkeypatch):
    """No definition runs but that of the loss: neither for want of a twin, nor because it takes no such arguments."""
    model, images, labels = problem()
    optimizer, loss, ran = FAST.optimizer(0.1, 9), losses.CrossEntropy(0.2), []

    def recorded(name, definition):
        return lambda *arguments, **options: ran.append(name) or definition(*arguments, **options)

    for name, dispatcher in DEFINITIONS.items():
        monkeypatch.setattr(dispatcher, "definition", recorded(name, dispatcher.definition))
    with running(TWINS_ONLY):
        for _ in range(2):
            model.train_step(images, labels, loss, optimizer)
        model.predict(images, average_over=["flip", "shift"])
    assert set(ran) == {"losses.py: softmax_cross_entropy"}  # of ten numbers for each image


def test_everything_is_float32():
    model, images, labels = problem()

    optimizer = FAST.optimizer(0.1, 9)
    model.train_step(images, labels, losses.CrossEntropy(0.2), optimizer)
    arrays = [model.prediction, *model.state().values(), *optimizer.state().values()]
    arrays += [gradient for layer in model.layers for gradient in layer.gradients.values()]
    for node in model.stages():
        images, kept = node.layer.forward_pass(images, True)
        arrays.append(images)
    assert {array.dtype for array in arrays if hasattr(array, "dtype")} == {np.dtype("float32")}


@pytest.mark.parametrize("training", [True, False])
def test_loss_and_gradients_are_pytorchs(training):
    torch = pytest.importorskip("torch")
    model, images, labels = problem("float64")
    value = model.loss_and_gradients(images, labels, losses.CrossEntropy(0.2), training=training)
    weights = {}
    x = torch.tensor(images).permute(0, 3, 1, 2)
    for layer in model.layers:
        p = {name: torch.tensor(np.array(array), requires_grad=True) for name, array in layer.parameters.items()}
        weights |= {(layer.name, name): array for name, array in p.items()}
        kind = type(layer).__name__
        if kind == "Conv2D":
            x = torch.nn.functional.conv2d(x, p["kernel"].permute(3, 2, 0, 1), padding=layer.pixels[0][0])
        elif kind == "MaxPool2D":
            x = torch.nn.functional.max_pool2d(x, layer.pool_size)
        elif kind == "BatchNorm":
            mean, variance = (p[name].detach().clone() for name in ("moving_mean", "moving_variance"))
            x = torch.nn.functional.batch_norm(x, mean, variance, None, p["beta"], training, eps=layer.epsilon)
        elif kind == "Activation":
            x = torch.nn.functional.gelu(x)
        elif kind == "Flatten":
            x = x.flatten(1)
        elif kind == "Rescaling":
            x = x / 9
        else:
            x = x @ p["kernel"]
    loss = torch.nn.functional.cross_entropy(x, torch.tensor(labels), label_smoothing=0.2)
    loss.backward()
    assert value == pytest.approx(loss.item(), rel=1e-10)
    learned = [(layer, name) for layer in model.layers if layer.trainable for name in layer.trained()]
    assert len(learned) == 13  # six kernels, six shifts, and the dense layer
    for layer, name in learned:
        theirs = weights[layer.name, name].grad.numpy()
        np.testing.assert_allclose(layer.gradients[name], theirs, rtol=1e-6, atol=1e-9 * abs(theirs).max())
