"""Arguments that make no sense: one line that names the thing, for every argument of a family and not for some."""

import inspect
import math

import numpy as np
import pytest
from engine_helpers import normal, one_line

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses, optimizers
from minitorch_cnn.engine import schedules
from minitorch_cnn.errors import UserError
from minitorch_cnn.training import callbacks

# What the arguments without a default get while another one is tried.
GIVEN = {
    "filters": 4, "kernel_size": 3, "units": 4, "rate": 0.5, "activation": "relu", "height": 3, "width": 4,
    "target_shape": (-1,), "dims": (1,), "scale": 1.0, "learning_rate": 0.1, "steps": 10, "every": 3, "maximum": 0.1,
    "schedule": lambda epoch: 0.1, "path": "x",
}  # fmt: skip
WRONG = [object(), {"a": 1}, [3, "a"], 1j, np.arange(8), float("nan")]
TEXTS = ("name", "path", "monitor", "resume_command", "activation", "interpolation", "padding", "algorithm")
CLASSES = [
    *(getattr(layers, name) for name in layers.__all__ if name != "Layer"),
    *optimizers.OPTIMIZERS.values(), *schedules.SCHEDULES.values(),
    callbacks.EarlyStopping, callbacks.LearningRate, callbacks.CSVLog, callbacks.Checkpoint,
]  # fmt: skip
ARGUMENTS = [(kind, name) for kind in CLASSES for name in inspect.signature(kind).parameters]


@pytest.mark.parametrize("kind, name", ARGUMENTS, ids=lambda each: getattr(each, "__name__", each))
def test_constructors(kind, name):
    parameters = inspect.signature(kind).parameters
    given = {key: GIVEN[key] for key, each in parameters.items() if each.default is inspect.Parameter.empty}
    refused = 0
    for value in [*WRONG, 3 if name in TEXTS else "a", -0.5]:
        try:
            kind(**{**given, name: value})
        except UserError as error:
            assert "expected" in str(error) and "\n" not in str(error), f"{value!r}: {error}"
            refused += 1
    free = ("offset", "scale", "init_values", "negative_slope", "alpha", "resume_command")  # they take -0.5
    assert refused >= len(WRONG) + (name not in free), refused


@pytest.mark.parametrize("make, words", [
    (lambda: optimizers.SGD(momentum="a"), ("momentum: expected a number in [0, 1], got 'a'",)),
    (lambda: optimizers.SGD(weight_decay=-1), ("weight_decay: expected a number of at least 0, got -1",)),
    (lambda: optimizers.SGD(nesterov="yes"), ("nesterov: expected True or False, got 'yes'",)),
    (lambda: optimizers.SGD(math.inf), ("learning_rate: expected a number of at least 0 or a schedule, got inf",)),
    (lambda: optimizers.Adam(beta_2=2), ("beta_2: expected a number in [0, 1), got 2",)),
    (lambda: optimizers.Adam(beta_1=1), ("beta_1: expected a number in [0, 1), got 1",)),
    (lambda: optimizers.RMSprop(rho=10**400), ("rho: expected a number in [0, 1)",)),
    (lambda: schedules.Cosine(0.1, 0), ("Cosine: steps: expected a whole number of at least 1, got 0",)),
    (lambda: schedules.OneCycle(0.1, 9, 1.5), ("OneCycle: warmup: expected a number in [0, 1], got 1.5",)),
    (lambda: layers.Dense(3, use_bias="no"), ("dense: use_bias: expected True or False, got 'no'",)),
    (lambda: layers.Dense(3, name=3), ("dense: name: expected a text or None, got 3",)),
    (lambda: layers.Dropout("a", name="d"), ("d: rate: expected a number in [0, 1), got 'a'",)),
])  # fmt: skip
def test_what_it_says(make, words):
    with pytest.raises(UserError) as error:
        make()
    assert one_line(error, *words), str(error.value)


def test_numbers_become_those_of_python():
    """A np.float64 among them would turn float32 arrays into float64."""
    optimizer = optimizers.SGD(np.float64(0.1), np.float32(0.5), np.True_, np.float64(1e-3), np.float64(3))
    found = [*optimizer.config().values(), optimizer.learning_rate]
    assert {type(each) for each in found} == {float, bool}
    assert type(schedules.Step(0.1, np.int64(3)).every) is int


# Layers and models.


def test_a_layer_with_shapes_but_without_weights():
    layer, x = layers.Dense(3, name="top"), normal((2, 4), 0)
    layer.build((4,))
    with pytest.raises(UserError) as error:
        layer.forward(x)
    assert one_line(error, "top: has shapes but no weights yet; put it into a model, or call initialize")
    layer.initialize(np.random.default_rng(0), x.dtype)
    assert layer.forward(x).shape == (2, 3)
    layer = layers.Dense(3, name="connected")
    layer(mtc.Input((4,)))
    with pytest.raises(UserError, match="connected: has shapes but no weights yet"):
        layer.forward(x)


def usable():
    """A layer of each kind that a user can make without thinking, with an input of integers."""
    image, row = (2, 7, 5, 3), (2, 6)
    for name in layers.__all__:
        if name == "Layer":
            continue
        kind = getattr(layers, name)
        parameters = inspect.signature(kind).parameters
        given = {key: GIVEN[key] for key, each in parameters.items() if each.default is inspect.Parameter.empty}
        yield kind(**given), row if name in ("Dense", "Permute") else image


@pytest.mark.parametrize("layer, shape", list(usable()), ids=lambda each: type(each).__name__)
def test_integers_are_refused_by_every_layer(layer, shape):
    """Forward: pixels go through a preprocessing; sums and the like are exact in integers. Backward: as 1 / 2 is 0."""
    whole, floats = np.arange(math.prod(shape)).reshape(shape), normal(shape, 1)
    several = isinstance(layer, layers.Add.__mro__[1])
    if several and not isinstance(layer, layers.Average):
        assert layer.forward([whole, whole]).dtype == whole.dtype
    else:
        with pytest.raises(UserError) as error:
            layer.forward([whole, whole] if several else whole)
        assert one_line(error, layer.name, "of float32 or float64, got int64")
    y = layer.forward([floats, floats] if several else floats)
    with pytest.raises(UserError) as error:
        layer.backward(np.ones(y.shape, np.int64))
    assert one_line(error, f"{layer.name}: expected dy of float32 or float64, got int64")
    assert np.abs(np.concatenate([np.ravel(each) for each in np.asarray(layer.backward(np.ones_like(y)))])).max() > 0


X, Y = normal((8, 5, 4, 3), 0).astype("float32"), np.arange(8) % 3


def model(**settings):
    stack = [layers.Flatten(), layers.Dense(3, "softmax")]
    return mtc.Sequential(**{"layers": stack, "input_shape": (5, 4, 3), "seed": 0, **settings})


CALLS = {
    "fit": lambda **given: model().fit(
        given.pop("x", X), given.pop("labels", Y),
        **{"optimizer": optimizers.SGD(0.01), "progress": False, "batch_size": 4, **given},
    ),
    "predict": lambda **given: model().predict(**{"x": X, **given}),
    "evaluate": lambda **given: model().evaluate(**{"x": X, "labels": Y, **given}),
    "summary": lambda **given: model().summary(**given),
    "train_step": lambda **given: model().train_step(
        **{"x": X, "labels": Y, "loss": losses.CrossEntropy(), "optimizer": optimizers.SGD(0.1), **given}
    ),
    "model": model,
}  # fmt: skip
TRIED = {
    "fit": ("x", "labels", "optimizer", "loss", "epochs", "batch_size", "validation", "callbacks", "augment", "shuffle",
            "seed", "workers", "cache_features", "progress", "resume"),
    "predict": ("x", "batch_size"),
    "evaluate": ("x", "labels", "loss", "batch_size"),
    "summary": ("batch_size",),
    "train_step": ("x", "labels", "loss", "optimizer"),
    "model": ("layers", "input_shape", "seed", "dtype", "preprocessing"),
}  # fmt: skip


@pytest.mark.parametrize("call, name", [(call, name) for call, names in TRIED.items() for name in names])
def test_calls(call, name):
    for value in (object(), 2.5, -3, "a", [3, "a"], losses.CrossEntropy, np.array(["a"] * 8)):
        if (name == "augment" and isinstance(value, type)) or (name == "resume" and isinstance(value, str)):
            continue  # a class can be called, and a text be a path
        with pytest.raises(UserError) as error:
            CALLS[call](**{name: value})
        assert one_line(error, "expected"), f"{value!r}: {error.value}"


@pytest.mark.parametrize("call, given, words", [
    ("predict", {"batch_size": 0}, "predict: batch_size: expected a whole number of at least 1, got 0"),
    ("predict", {"batch_size": -1}, "predict: batch_size: expected a whole number of at least 1, got -1"),
    ("fit", {"callbacks": [3]}, "fit: callbacks: expected objects of subclasses of Callback, got 3"),
    ("fit", {"callbacks": callbacks.CSVLog("x")}, "fit: callbacks: expected a list of callbacks"),
    ("fit", {"callbacks": [callbacks.CSVLog]}, "fit: callbacks: expected objects of subclasses of Callback"),
    ("fit", {"loss": []}, "fit: loss: expected a loss such as losses.CrossEntropy(), got []"),
    ("fit", {"loss": losses.CrossEntropy}, "fit: loss: expected a loss such as losses.CrossEntropy()"),
    ("fit", {"validation": (X, Y, Y, Y)}, "fit: validation: expected a pair (x, labels), or (x, labels, sample"),
    ("train_step", {"optimizer": None}, "train_step: optimizer: expected one such as optimizers.SGD(0.01), got None"),
    ("model", {"dtype": "int8"}, "dtype: expected float32 or float64, got 'int8'"),
    ("model", {"input_shape": 5}, "input_shape: expected whole numbers such as (32, 32, 3), got 5"),
])  # fmt: skip
def test_what_a_call_says(call, given, words):
    with pytest.raises(UserError) as error:
        CALLS[call](**given)
    assert one_line(error, words), str(error.value)


def test_a_list_of_one_loss_is_that_loss():
    assert CALLS["fit"](loss=[losses.CrossEntropy()]) == CALLS["fit"]() | {"seconds": pytest.approx([0], abs=1e9)}
