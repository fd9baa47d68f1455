"""Freezing by name: what is frozen, what the summary says of it, and what training then does."""

import numpy as np
import pytest
from surgery_models import LABELS, LOSS, X, names, small_net, top, weights

import minitorch_cnn as mtc
from minitorch_cnn import layers, optimizers
from minitorch_cnn.engine import passes
from minitorch_cnn.errors import ArgumentError

WITH_PARAMETERS = ["block1_conv1", "block1_norm", "block2_conv1", "dense_1", "dense_2"]


def frozen(model):
    return [layer.name for layer in model.layers if layer.parameters and not layer.trainable]


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"through": "block1_conv1"}, WITH_PARAMETERS[:1]),
        ({"through": "block2_pool"}, WITH_PARAMETERS[:3]),
        ({"through": "dense_2"}, WITH_PARAMETERS),
        ({"layers": ["dense_1"]}, ["dense_1"]),
        ({"layers": ("dense_1", "block1_norm", "dense_1")}, ["block1_norm", "dense_1"]),
        ({"layers": {"dense_1": 1}.keys()}, ["dense_1"]),
        ({}, WITH_PARAMETERS),
    ],
    ids=str,
)
def test_freeze_and_unfreeze(arguments, expected):
    model = small_net()
    assert model.freeze(**arguments) is model
    assert frozen(model) == expected
    model.freeze()
    assert model.unfreeze(**arguments) is model
    assert frozen(model) == [name for name in WITH_PARAMETERS if name not in expected]


def test_names_may_come_one_by_one():
    """A generator can be gone through once only."""
    model = small_net().freeze(layers=(name for name in ("dense_1", "dense_2")))
    assert frozen(model) == ["dense_1", "dense_2"]
    assert frozen(model.unfreeze(layers=iter(["dense_2"]))) == ["dense_1"]
    with pytest.raises(ArgumentError, match="freeze: expected a list of layer names, got <generator"):
        model.freeze(layers=(name for name in ()))


def test_what_is_not_named_stays_as_it_was():
    model = small_net().freeze(layers=["dense_1"]).freeze(through="block1_conv1")
    assert frozen(model) == ["block1_conv1", "dense_1"]
    model.unfreeze().freeze(through="block1_pool")  # unfreeze from block2 on
    assert frozen(model) == ["block1_conv1", "block1_norm"]


CHOICE = "those with parameters are block1_conv1, block1_norm, block2_conv1, dense_1, dense_2"


@pytest.mark.parametrize("act", ["freeze", "unfreeze"])
@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"through": "block5_pool"}, "no layer is called 'block5_pool'; there are block1_conv1, block1_norm"),
        ({"layers": ["block1_conv1", "fc1"]}, "no layer is called 'fc1'; there are block1_conv1"),
        ({"layers": []}, "expected a list of layer names, got []; " + CHOICE),
        ({"layers": "dense_1"}, "expected a list of layer names, got 'dense_1'; " + CHOICE),
        ({"layers": 3}, "expected a list of layer names, got 3; " + CHOICE),
        ({"layers": ["dense_1", "block1_pool"]}, "block1_pool has no parameters; " + CHOICE),
        ({"through": "block1_pool", "layers": ["dense_1"]}, "expected either through or layers, got both"),
        ({"through": ["block1_pool"]}, "no layer is called ['block1_pool']; there are block1_conv1"),
    ],
    ids=str,
)
def test_a_mistake_changes_nothing(act, arguments, message):
    model = small_net().freeze(layers=["dense_2"])
    with pytest.raises(ArgumentError) as raised:
        getattr(model, act)(**arguments)
    assert message in str(raised.value) and "\n" not in str(raised.value)
    assert frozen(model) == ["dense_2"]


def test_nothing_to_freeze():
    model = mtc.Sequential([layers.MaxPool2D(2), layers.Flatten(), layers.Dense(2)], (4, 4, 1))
    with pytest.raises(ArgumentError, match=r"no layer up to flatten_1 has parameters; those .* are dense_1"):
        model.freeze(through="flatten_1")
    with pytest.raises(ArgumentError, match=r"no layer in this model has parameters; those .* are none"):
        mtc.Sequential([layers.Flatten()], (2, 2, 1)).freeze()


def states(model, capsys):
    """{layer: what its row of the printed summary says of training}."""
    model.summary()
    rows = capsys.readouterr().out.splitlines()
    known = ("frozen, gradient passes", "not visited", "trained")
    rows = {row.split()[0]: row for row in rows if row.split()[0] in names(model)}
    return {name: next((state for state in known if state in row), "") for name, row in rows.items()}


def test_the_summary_tells_three_states_apart(capsys):
    model = small_net().freeze(layers=["block1_conv1", "block1_norm", "dense_1"])
    assert states(model, capsys) == {
        "block1_conv1": "not visited",
        "block1_norm": "not visited",
        "block1_pool": "not visited",
        "block2_conv1": "trained",
        "block2_pool": "",
        "flatten_1": "",
        "dense_1": "frozen, gradient passes",
        "dropout_1": "",
        "dense_2": "trained",
    }
    assert "not visited" not in states(model.unfreeze(), capsys).values()
    assert set(states(model.freeze(), capsys).values()) == {"not visited"}


def test_the_summary_counts_what_is_trained(capsys):
    model = small_net()
    model.summary()
    whole = capsys.readouterr().out
    # 3*3*2*3+3, gamma and beta of 3 (and their moving averages), 3*3*3*4+4, 16*5+5, 5*3+3
    assert "input 8x8x2, 284 parameters, 278 trained, 6 not" in whole and "not visited" not in whole
    model.freeze(through="block1_pool").summary()
    part = capsys.readouterr().out
    assert "284 parameters, 215 trained, 69 not" in part
    assert "not visited: no layer at or below this one is trained" in part


def test_the_summary_draws_no_weights(capsys):
    model = small_net()
    model.summary()
    assert all(layer._undrawn is not None for layer in model.layers if layer.parameter_shapes())


def spied(model, monkeypatch):
    """A list that fills with the names of the layers whose backward pass runs."""
    visited = []
    for layer in model.layers:
        for method in ("backward", "backward_scores"):
            if hasattr(layer, method):
                monkeypatch.setattr(layer, method, noted(getattr(layer, method), layer.name, visited))
    return visited


def noted(function, name, visited):
    def run(*arguments, **options):
        visited.append(name)
        return function(*arguments, **options)

    return run


def test_backward_stops_and_nothing_is_kept_below(monkeypatch):
    model = small_net().cut(after="block2_pool").extend(top()).freeze(through="block2_pool")
    visited, kept = spied(model, monkeypatch), []

    def backward_pass(steps, *arguments, right=passes.backward):
        kept.extend(step.node.layer.name for step in steps)
        return right(steps, *arguments)

    monkeypatch.setattr(passes, "backward", backward_pass)
    model.train_step(X, LABELS, LOSS, optimizers.SGD(0.1))
    assert list(dict.fromkeys(visited)) == ["dense_2", "dense_1"]  # not flatten_1: nothing below it learns
    assert kept == ["dense_1", "dense_2"]


OPTIMIZERS = {
    "sgd": lambda **options: optimizers.SGD(0.1, 0.9, nesterov=True, weight_decay=0.1, **options),
    "rmsprop": lambda **options: optimizers.RMSprop(0.02, weight_decay=0.1, **options),
    "adam": lambda **options: optimizers.Adam(0.05, weight_decay=0.1, **options),
    "muon": lambda **options: optimizers.Muon(0.05, weight_decay=0.1, **options),
}


@pytest.mark.parametrize("options", [{}, {"clip_norm": 0.1, "multipliers": {"block1": 3.0, "dense": 0.5}}], ids=str)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_slides_recipe_freeze_train_unfreeze_train(name, options):
    """The base is the same to the bit while frozen; unfrozen, it learns from the first step with the same optimizer."""
    model = small_net().cut(after="block2_pool").extend(top()).freeze(through="block2_pool")
    optimizer = OPTIMIZERS[name](**options)
    before = weights(model)
    for _ in range(5):
        model.train_step(X, LABELS, LOSS, optimizer)
    after = weights(model)
    for key, value in before.items():
        assert (after[key] == value) == key[0].startswith("block"), key
    norm = model.get_layer("block1_norm")
    assert not norm.parameters["moving_mean"].any() and (norm.parameters["moving_variance"] == 1).all()
    slots = len(optimizer.slots)
    assert len(optimizer.state()) == slots * 4
    momentum = {key: array.copy() for key, array in optimizer.state().items()}

    model.unfreeze()
    model.segments()
    optimizer.prepare(model)
    assert len(optimizer.state()) == slots * 10
    for key, array in optimizer.state().items():
        assert np.array_equal(array, momentum.get(key, np.zeros_like(array)))
    losses = [model.train_step(X, LABELS, LOSS, optimizer) for _ in range(2)]
    assert all(np.isfinite(losses))
    assert all(value != after[key] for key, value in weights(model).items())


def test_a_step_after_unfreezing_is_the_formula():
    """What was unfrozen begins with zero momentum, what was trained goes on: m = 0.9 m - 0.1 g, w = w + m."""
    model = small_net(dtype="float64").freeze(through="block2_pool")
    optimizer = optimizers.SGD(0.1, momentum=0.9)
    model.train_step(X, LABELS, LOSS, optimizer)
    model.unfreeze()
    model.loss_and_gradients(X, LABELS, LOSS)
    old, new = model.get_layer("dense_2"), model.get_layer("block1_conv1")
    momentum = optimizer.state()["momentum", "dense_2", "kernel"].reshape(old.parameters["kernel"].shape)
    assert momentum.any() and ("momentum", "block1_conv1", "kernel") not in optimizer.state()
    wanted_of_old = old.parameters["kernel"] + 0.9 * momentum - 0.1 * old.gradients["kernel"]
    wanted_of_new = new.parameters["kernel"] - 0.1 * new.gradients["kernel"]
    optimizer.step(model)
    np.testing.assert_allclose(old.parameters["kernel"], wanted_of_old, rtol=1e-13)
    np.testing.assert_allclose(new.parameters["kernel"], wanted_of_new, rtol=1e-13)


def test_freezing_between_forward_and_backward_is_refused():
    """What forward kept belongs to the old setting."""
    model = small_net().freeze()
    model.forward(X)
    model.unfreeze()
    with pytest.raises(ArgumentError, match="dense_2: backward needs a forward pass before it"):
        model.backward(np.ones((6, 3), "float32"))


def test_freezing_survives_saving_the_description():
    model = small_net().freeze(through="block1_pool")
    assert frozen(mtc.Sequential.from_config(model.config())) == frozen(model) == ["block1_conv1", "block1_norm"]
    assert frozen(model.copy()) == frozen(model)


def test_the_first_step_of_a_model_that_learns_its_shapes_from_the_images_trains():
    model = mtc.Sequential([layers.Flatten(), layers.Dense(3, "softmax")], seed=0)
    built = mtc.Sequential([layers.Flatten(), layers.Dense(3, "softmax")], (8, 8, 2), seed=0)
    for each in (model, built):
        each.train_step(X, LABELS, LOSS, optimizers.SGD(0.1))
    assert weights(model) == weights(built)
