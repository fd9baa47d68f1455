"""What is frozen stays as it is, to the bit, and costs nothing."""

import numpy as np
import pytest
from engine_helpers import normal, relative_error

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses, optimizers
from minitorch_cnn.engine import passes

OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(0.1, 0.9, nesterov=True, weight_decay=0.1),
    "rmsprop": lambda: optimizers.RMSprop(0.1, weight_decay=0.1),
    "adam": lambda: optimizers.Adam(0.1, weight_decay=0.1),
    "muon": lambda: optimizers.Muon(0.1, weight_decay=0.1),
}
NAMES = ["conv1", "norm", "conv2", "pool", "flatten", "drop", "fc1", "fc2"]
X, LABELS = normal((5, 6, 7, 2)), [0, 2, 1, 2, 2]
LOSS = losses.CrossEntropy()


def make(frozen=(), dtype="float64"):
    """A net with every kind of thing to freeze; `frozen` are names."""
    stack = [
        layers.Conv2D(3, 3, activation="relu"),
        layers.BatchNorm(momentum=0.5),
        layers.Conv2D(4, (2, 3), activation="relu"),
        layers.MaxPool2D((1, 2)),
        layers.Flatten(),
        layers.Dropout(0.25),
        layers.Dense(6, "tanh"),
        layers.Dense(3, "softmax"),
    ]
    for layer, name in zip(stack, NAMES):
        layer.name, layer.named_by_user, layer.trainable = name, True, name not in frozen
    return mtc.Sequential(stack, (6, 7, 2), seed=3, dtype=dtype)


def freeze(model, names):
    for layer in model.layers:
        layer.trainable = layer.name not in names


def copied(model):
    return {(layer.name, name): array.copy() for layer in model.layers for name, array in layer.parameters.items()}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    "frozen",
    [
        ("conv1", "norm", "conv2"),
        ("conv2",),
        ("norm",),
        ("fc2",),
        ("conv1", "fc1"),
        ("conv1", "norm", "conv2", "fc1"),
    ],
    ids="+".join,
)
def test_frozen_layers_are_left_alone(frozen, optimizer):
    model, optimizer = make(frozen), OPTIMIZERS[optimizer]()
    before = copied(model)
    for _ in range(3):
        model.train_step(X, LABELS, LOSS, optimizer)
    for (layer, name), array in copied(model).items():
        same = array.tobytes() == before[layer, name].tobytes()
        assert same == (layer in frozen), f"{layer}/{name}"
    trained = {(layer.name, name) for layer in model.layers if layer.name not in frozen for name in layer.trained()}
    assert {(layer.name, name) for layer in model.layers for name in layer.gradients} == trained
    assert {key[1:] for key in optimizer.state()} == trained
    held = sum(segment.gradients.size for segment in model.segments())
    assert held == sum(before[key].size for key in trained)


@pytest.mark.parametrize("frozen, lowest", [((), 0), (("conv1",), 1), (("conv1", "norm"), 2), (NAMES[:7], 7)])
def test_the_way_back_ends_at_the_lowest_trainable_layer(monkeypatch, frozen, lowest):
    model = make(frozen)
    calls, kept = [], []
    for layer in model.layers[:-1]:

        def backward(dy, need_dx=True, name=layer.name, right=layer.backward):
            calls.append((name, need_dx))
            return right(dy, need_dx)

        monkeypatch.setattr(layer, "backward", backward)

    def backward_pass(steps, *arguments, right=passes.backward):
        kept.extend(step.node.layer.name for step in steps)
        return right(steps, *arguments)

    monkeypatch.setattr(passes, "backward", backward_pass)
    model.loss_and_gradients(X, LABELS, LOSS)
    visited = range(6, lowest - 1, -1)  # fc2 goes back together with the loss
    assert calls == [(NAMES[index], index > lowest) for index in visited]
    assert kept == NAMES[lowest:]  # what the forward pass kept
    assert all(layer.cache is None for layer in model.layers)  # all forgotten once used


def test_what_backward_returns():
    dy = normal((5, 3), 1)
    whole = make()
    whole.forward(X)
    dx = whole.backward(dy)
    for frozen, asked, wanted in [
        ((), None, dx),
        ((), False, None),
        (("conv1",), None, None),
        (("conv1",), True, dx),
        (("conv1", "norm", "conv2"), True, dx),
        (("fc2",), None, dx),
        (NAMES, None, None),
        (NAMES, True, dx),
    ]:
        model = make(frozen)
        model.forward(X)
        got = model.backward(dy, input_gradient=asked)
        assert got is None if wanted is None else np.array_equal(got, wanted)


def test_gradients_pass_through_a_frozen_layer():
    reference, model = make(), make()
    dy = normal((5, 3), 1)
    reference.forward(X)
    reference.backward(dy)
    wanted = {(layer.name, name): array.copy() for layer in reference.layers for name, array in layer.gradients.items()}
    for frozen in [("conv2",), ("norm", "fc1"), ("fc2",), (), ("conv2", "fc1", "fc2"), ()]:
        freeze(model, frozen)
        model.forward(X)
        model.backward(dy)
        got = {(layer.name, name): array for layer in model.layers for name, array in layer.gradients.items()}
        assert got.keys() == {key for key in wanted if key[0] not in frozen}
        assert all(np.array_equal(array, wanted[key]) for key, array in got.items())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_others_keep_their_momentum(optimizer):
    """fc1 rests for two steps. Meanwhile fc2 sees made-up gradients, so its path must be as if nothing had happened."""
    resting, running = make(NAMES[:6]), make(NAMES[:6])
    first, second = OPTIMIZERS[optimizer](), OPTIMIZERS[optimizer]()
    for step in range(6):
        freeze(resting, NAMES[:7] if step in (2, 3) else NAMES[:6])
        before = copied(resting)
        for model, one in ((resting, first), (running, second)):
            model.segments()
            for layer in model.layers:
                for i, name in enumerate(layer.gradients):
                    layer.gradients[name] = normal(layer.gradients[name].shape, 10 * step + i)
            one.step(model)
        for name in ("kernel", "bias"):
            a, b = (model.get_layer("fc2").parameters[name] for model in (resting, running))
            assert a.tobytes() == b.tobytes()
        now = copied(resting)
        assert np.array_equal(now["fc1", "kernel"], before["fc1", "kernel"]) == (step in (2, 3))
    kept = {key for key in first.state() if key[1] == "fc1"}
    assert len(kept) == 2 * len(first.slots)


def test_a_layer_begins_anew_after_a_rest():
    model, optimizer = make(NAMES[:7]), optimizers.SGD(0.1, momentum=0.9)
    model.train_step(X, LABELS, LOSS, optimizer)
    assert np.any(optimizer.state()["momentum", "fc2", "kernel"])
    freeze(model, [*NAMES[:6], "fc2"])
    model.train_step(X, LABELS, LOSS, optimizer)
    freeze(model, NAMES[:7])
    optimizer.prepare(model)
    assert not np.any(optimizer.state()["momentum", "fc2", "kernel"])


def test_a_frozen_batch_norm_uses_its_moving_means_and_leaves_them():
    layer = layers.BatchNorm(trainable=False, epsilon=1e-3)
    mtc.Sequential([layer], (2, 3, 2), dtype="float64")
    layer.parameters["moving_mean"], layer.parameters["moving_variance"] = [1.0, -2.0], [4.0, 0.25]
    x = normal((3, 2, 3, 2), 2)
    wanted = (x - [1, -2]) / np.sqrt([4 + 1e-3, 0.25 + 1e-3])
    for training in (True, False):
        assert relative_error(layer.forward(x, training), wanted) < 1e-14
    assert layer.parameters["moving_mean"].tolist() == [1, -2]
    layer.trainable = True
    assert relative_error(layer.forward(x, False), wanted) < 1e-14
    assert relative_error(layer.forward(x, True), wanted) > 0.1
    assert layer.parameters["moving_mean"].tolist() != [1, -2]


def test_nothing_to_train():
    model = make(NAMES)
    before = copied(model)
    value = model.loss_and_gradients(X, LABELS, LOSS)
    optimizers.SGD(0.1, weight_decay=0.5).step(model)
    assert value > 0 and not any(layer.gradients for layer in model.layers)
    assert all(np.array_equal(array, before[key]) for key, array in copied(model).items())
