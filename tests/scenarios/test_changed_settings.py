"""An optimizer's settings, changed after it was made: checked as in the constructor, and in effect at once."""

import numpy as np
import pytest
from scenario_models import LABELS, X, small_net

from minitorch_cnn import losses, optimizers
from minitorch_cnn.errors import ArgumentError


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize(
    ("kind", "name", "value", "message"),
    [
        ("SGD", "learning_rate", -1, "learning_rate: expected a number of at least 0 or a schedule, got -1"),
        ("SGD", "momentum", "x", r"momentum: expected a number in \[0, 1\], got 'x'"),
        ("SGD", "momentum", 3, r"momentum: expected a number in \[0, 1\], got 3"),
        ("SGD", "nesterov", 5, "nesterov: expected True or False, got 5"),
        ("Adam", "beta_1", 2, r"beta_1: expected a number in \[0, 1\), got 2"),
        ("Adam", "beta_2", float("nan"), r"beta_2: expected a number in \[0, 1\), got nan"),
        ("RMSprop", "rho", 1, r"rho: expected a number in \[0, 1\), got 1"),
        ("RMSprop", "epsilon", None, "epsilon: expected a number of at least 0, got None"),
        ("Adam", "weight_decay", -1, "weight_decay: expected a number of at least 0, got -1"),
        ("SGD", "clip_norm", 0, "clip_norm: expected a number above 0, got 0"),
        ("SGD", "multipliers", 5, "multipliers: expected {layer name: factor}, got 5"),
        ("SGD", "exclude_from_weight_decay", "bias", "exclude_from_weight_decay: expected a list of names, got 'bias'"),
    ],
)
def test_nonsense_is_refused_and_changes_nothing(kind, name, value, message, begun):
    optimizer, model = getattr(optimizers, kind)(), small_net()
    if begun:
        model.train_step(X, LABELS, losses.CrossEntropy(), optimizer)
    before = repr(optimizer)
    with pytest.raises(ArgumentError, match=message):
        setattr(optimizer, name, value)
    assert repr(optimizer) == before
    model.train_step(X, LABELS, losses.CrossEntropy(), optimizer)


def test_every_change_counts_from_the_next_step_on():
    model, optimizer = small_net(), optimizers.SGD(0.1)
    kernel, bias = (model.get_layer("dense_1").parameters[name] for name in ("kernel", "bias"))
    expected = {"kernel": kernel.astype(np.float64), "bias": bias.astype(np.float64)}
    velocity = {"kernel": 0.0, "bias": 0.0}
    changes = [{}, {"momentum": 0.9}, {}, {"momentum": 0.5, "nesterov": True}, {"weight_decay": 0.3},
               {"exclude_from_weight_decay": ["bias"]}, {"multipliers": {"dense_1": 0.5}}, {"momentum": 0}]  # fmt: skip
    for change in changes:
        for name, value in change.items():
            setattr(optimizer, name, value)
        model.train_step(X, LABELS, losses.CrossEntropy(), optimizer)
        rate = 0.1 * optimizer.multipliers.get("dense_1", 1.0)
        for name, weights in expected.items():
            step = rate * model.get_layer("dense_1").gradients[name].astype(np.float64)
            move = optimizer.momentum * velocity[name] - step
            velocity[name] = move if optimizer.momentum else 0.0  # without momentum nothing is kept
            if name not in optimizer.exclude_from_weight_decay:
                weights *= 1 - rate * optimizer.weight_decay
            weights += optimizer.momentum * move - step if optimizer.nesterov else move
        np.testing.assert_allclose(kernel, expected["kernel"], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(bias, expected["bias"], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("value", ["no", None, 2])
def test_a_layer_is_trained_or_not_and_nothing_else(value):
    model, optimizer = small_net(), optimizers.SGD(0.1)
    model.train_step(X, LABELS, losses.CrossEntropy(), optimizer)
    model.get_layer("dense_1").trainable = value
    kernel = model.get_layer("dense_1").parameters["kernel"]
    before = kernel.copy()
    with pytest.raises(ArgumentError, match=f"dense_1: trainable: expected True or False, got {value!r}"):
        model.train_step(X, LABELS, losses.CrossEntropy(), optimizer)
    np.testing.assert_array_equal(kernel, before)
