"""Groups of parameters: those named have no weight decay, or another learning rate, and no others."""

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses, optimizers
from minitorch_cnn.errors import ArgumentError

KINDS = {
    "SGD": lambda **options: optimizers.SGD(0.1, momentum=0.9, **options),
    "nesterov": lambda **options: optimizers.SGD(0.1, momentum=0.9, nesterov=True, **options),
    "RMSprop": lambda **options: optimizers.RMSprop(0.01, **options),
    "Adam": lambda **options: optimizers.Adam(0.01, **options),
}


def trained(optimizer, dtype="float64"):
    """Parameters after a step from weights that are all far from 0, frozen layer between."""
    model = mtc.Sequential(
        [layers.Conv2D(3, (2, 3), activation="relu"), layers.BatchNorm(), layers.Conv2D(2, 2, trainable=False),
         layers.Flatten(), layers.Dense(4, activation="relu"), layers.Dense(2)],
        input_shape=(5, 6, 2), seed=0, dtype=dtype,
    )  # fmt: skip
    for layer in model.layers:
        for name in layer.parameters:
            if name not in layer.statistics:
                layer.parameters[name] = layer.parameters[name] + 1
    rng = np.random.default_rng(1)
    model.loss_and_gradients(rng.random((7, 5, 6, 2)), rng.random((7, 2)), losses.MeanSquaredError())
    optimizer.step(model)
    return {key: np.array(value) for key, value in model.state().items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("names, spared", [
    (["bias", "gamma", "beta"], lambda layer, name: name in ("bias", "gamma", "beta")),
    (("bias",), lambda layer, name: name == "bias"),
    ({"batch_norm"}, lambda layer, name: layer == "batch_norm_1"),
    (["dense_1", "gamma"], lambda layer, name: layer == "dense_1" or name == "gamma"),
    ([], lambda layer, name: False),
])  # fmt: skip
def test_what_is_named_is_updated_as_without_decay_and_the_rest_as_with_it(kind, names, spared):
    with_decay, without = trained(KINDS[kind](weight_decay=0.5)), trained(KINDS[kind]())
    found = trained(KINDS[kind](weight_decay=0.5, exclude_from_weight_decay=names))
    differing = 0
    for key, value in found.items():
        expected, other = (without, with_decay) if spared(*key) else (with_decay, without)
        np.testing.assert_array_equal(value, expected[key], err_msg=str(key))
        differing += not np.array_equal(value, other[key])
    assert differing >= 6  # every trained parameter decays visibly


@pytest.mark.parametrize("multipliers, factor_of", [
    ({"beta": 64}, lambda layer, name: 64 if name == "beta" else 1),
    ({"bias": 0, "dense": 3}, lambda layer, name: (3 if "dense" in layer else 1) * (0 if name == "bias" else 1)),
    ({"kernel": 0.5, "dense": 3, "dense_1": 5, "gamma": 2},
     lambda layer, name: {"dense_1": 5, "dense_2": 3}.get(layer, 1) * {"kernel": 0.5, "gamma": 2}.get(name, 1)),
])  # fmt: skip
def test_the_learning_rate_of_a_kind_of_parameter(multipliers, factor_of):
    """A step of plain SGD is the rate times the gradient, so it grows with the factor."""
    before, plain, found = (trained(optimizers.SGD(rate, multipliers=given)) for rate, given in
                            ((0.0, None), (0.1, None), (0.1, multipliers)))  # fmt: skip
    for key, value in found.items():
        expected = before[key] + factor_of(*key) * (plain[key] - before[key])
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-14, err_msg=str(key))
    assert sum(not np.array_equal(found[key], plain[key]) for key in found) >= 1


def test_it_is_off_by_default_and_part_of_the_settings():
    plain = optimizers.SGD(0.1, weight_decay=0.5)
    assert "exclude_from_weight_decay" not in plain.config()
    optimizer = optimizers.Adam(0.1, weight_decay=0.5, exclude_from_weight_decay=("bias",))
    assert type(optimizer)(0.1, **optimizer.config()).exclude_from_weight_decay == ["bias"]
    assert "exclude_from_weight_decay=['bias']" in repr(optimizer)


def test_names_that_fit_nothing_are_one_line():
    for names, message in (
        ("bias", "exclude_from_weight_decay: expected a list of names, got 'bias'"),
        ([1], r"exclude_from_weight_decay: expected a list of names, got \[1\]"),
        (None, "exclude_from_weight_decay: expected a list of names, got None"),
    ):
        with pytest.raises(ArgumentError, match=message):
            optimizers.SGD(0.1, exclude_from_weight_decay=names)
    with pytest.raises(ArgumentError, match="expected names of layers or parameters, got 'biases'"):
        trained(optimizers.SGD(0.1, exclude_from_weight_decay=["bias", "biases"]))


def test_the_state_of_an_optimizer_is_the_same_however_it_is_split():
    """A checkpoint of a training without the option is laid out as one with it."""
    model = mtc.Sequential([layers.Dense(2), layers.Dense(1)], input_shape=(3,), seed=0)
    whole, split = KINDS["SGD"](), KINDS["SGD"](exclude_from_weight_decay=["bias"])
    for optimizer in (whole, split):
        optimizer.prepare(model)
    assert {key: array.shape for key, array in whole.state().items()} == {
        key: array.shape for key, array in split.state().items()
    }
