"""Whatever is changed on a class, on one object or in a module, and however: it runs, in training too.

Each change makes what a method returns half as large again. The network has a place for every stage, so a change that
a stage passed by would show in the difference from the plain definitions.
"""

import functools
import importlib
import inspect
import subprocess
import sys
import unittest.mock

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses
from minitorch_cnn.engine import activations, passes
from minitorch_cnn.engine.convolution import im2col, row_windows, winograd
from minitorch_cnn.engine.layers import batch_norm
from minitorch_cnn.engine.layers.by_hand import replaced
from minitorch_cnn.engine.more_activations import BentReLU
from minitorch_cnn.engine.passes import Node, Step
from minitorch_cnn.twins.stages import in_stages

RNG = np.random.default_rng(5)
X, LABELS = RNG.standard_normal((3, 9, 7, 3)).astype(np.float32), np.array([1, 0, 3])
DY = RNG.standard_normal((3, 4)).astype(np.float32)
KINDS = [
    layers.ZeroPad2D, layers.Conv2D, layers.BatchNorm, layers.ReLU, layers.Activation, layers.MaxPool2D, layers.Add,
    layers.DepthwiseConv2D, layers.Dense, activations.ReLU, activations.Linear, activations.Softmax, BentReLU,
    losses.CrossEntropy,
]  # fmt: skip


@functools.cache
def network():
    """Every stage: padded_conv, conv_norm with and without a ReLU, conv_relu, conv_pool, norm_relu, add_relu."""
    x = mtc.Input(X.shape[1:])
    y = layers.Conv2D(4, 3, strides=2, use_bias=False)(layers.ZeroPad2D(((1, 0), (1, 1)))(x))
    y = layers.ReLU()(layers.BatchNorm()(y))
    a = layers.Conv2D(4, 3, padding="same", activation="relu")(y)
    b = layers.BatchNorm()(layers.DepthwiseConv2D(3, padding="same")(a))
    c = layers.Activation("relu")(layers.Add()([a, b]))
    d = layers.ReLU(max_value=1.0)(layers.BatchNorm()(c))
    d = layers.MaxPool2D(2)(layers.Conv2D(5, 2, activation="relu")(d))
    return mtc.Model(x, layers.Dense(4, activation="softmax")(layers.Flatten()(d)), seed=3)


def fresh():
    return network().copy()


def step(make=fresh, training=True):
    """The loss, the gradients and a prediction of a new model, as one vector."""
    model = make()
    loss = model.loss_and_gradients(X, LABELS, losses.CrossEntropy(), training)
    gradients = [array.flatten() for layer in model.layers for array in layer.gradients.values()]
    model.forward(X)
    dx = model.backward(DY, input_gradient=True)
    return np.concatenate([[loss], *gradients, dx.ravel(), model.predict(X).ravel()])


def runs(before, what, make=fresh):
    """Check that what runs are the definitions, as they are now; whether that is something else than `before`."""
    got = step(make)
    with mtc.definitions_only():
        wanted = step(make)
    np.testing.assert_allclose(got, wanted, rtol=2e-3, atol=2e-5, err_msg=what)
    return not np.allclose(wanted, before, rtol=1e-2, atol=1e-4)


def louder(result):
    """The first array in a result, half as large again."""
    if isinstance(result, np.ndarray) and result.dtype.kind == "f":
        return 1.5 * result
    if isinstance(result, (tuple, list)):
        parts = list(result)
        for place, part in enumerate(parts):
            if (changed := louder(part)) is not part:
                parts[place] = changed
                return type(result)(parts)
    if isinstance(result, dict):
        changed = {name: louder(array) for name, array in result.items()}
        return changed if any(changed[name] is not array for name, array in result.items()) else result
    return result


def wrapped(original):
    def mine(*arguments, **options):
        return louder(original(*arguments, **options))

    return mine


def methods(kind):
    """The names of the methods, inherited ones too, that a training step calls and that return arrays."""
    found = []
    for name in dir(kind):
        if name.startswith("_") or not inspect.isfunction(getattr(kind, name)):
            continue
        right, calls = getattr(kind, name), []

        def spy(*arguments, right=right, calls=calls, **options):
            result = right(*arguments, **options)
            calls.append(louder(result) is not result)
            return result

        with pytest.MonkeyPatch.context() as patch, mtc.definitions_only():
            patch.setattr(kind, name, spy)
            step()
        found += [name] if any(calls) else []
    return found


def test_the_network_has_every_stage():
    names = {type(node.layer).__name__ for node in in_stages(network().nodes())}
    assert {"ConvNorm", "ConvReLU", "AddReLU", "NormReLU", "ConvPool"} <= names


@pytest.mark.parametrize("kind", KINDS)
def test_a_method_put_into_a_class_runs(kind):
    before, changed = step(), []
    for name in methods(kind):
        inherited, right = name not in vars(kind), getattr(kind, name)
        setattr(kind, name, wrapped(right))
        try:
            changed += [name] if runs(before, f"{kind.__name__}.{name}") else []
        finally:
            delattr(kind, name) if inherited else setattr(kind, name, right)
    assert changed
    np.testing.assert_array_equal(step(), before)


@pytest.mark.parametrize("place", range(len(network().layers)))
def test_a_method_put_into_one_layer_runs(place):
    def make(name):
        model = fresh()
        layer = model.layers[place]
        setattr(layer, name, wrapped(getattr(layer, name)))
        assert replaced(layer)
        return model

    kind, before = type(network().layers[place]), step()
    assert [name for name in methods(kind) if runs(before, name, functools.partial(make, name))]
    np.testing.assert_array_equal(step(), before)


FUNCTIONS = [
    (im2col, "im2col"), (im2col, "col2im"), (row_windows, "windows"), (winograd, "sandwich"),
    (activations, "relu_backward"), (batch_norm, "normalise"), (batch_norm, "channel_sum"),
    (passes, "forward"), (passes, "backward"), (Node, "read"), (Step, "run"), (passes, "add"),
]  # fmt: skip


def small(algorithm):
    convolutions = [layers.Conv2D(3, 3, activation="relu", algorithm=algorithm) for _ in range(2)]
    stack = [*convolutions, layers.Flatten(), layers.Dense(4, activation="softmax")]
    return mtc.Sequential(stack, X.shape[1:], seed=0)


WAYS = ["closure", "global", "partial", "object", "mock"]  # as a method, the last three would not get the object
CASES = [(holder, name, how) for holder, name in FUNCTIONS for how in WAYS[: 2 if isinstance(holder, type) else None]]


@pytest.mark.parametrize("holder, name, how", CASES)
def test_a_function_that_calls_the_one_it_replaces_runs(holder, name, how, monkeypatch):
    """The original is reached through a variable of a function, of a module, or in an object that can be called."""
    right, algorithm = getattr(holder, name), holder.__name__.rpartition(".")[2]
    make = functools.partial(small, algorithm) if holder in (im2col, row_windows, winograd) else fresh
    before = step(make)
    if how == "global":
        names = {"original": right, "louder": louder}
        exec("def mine(*a, **k): return louder(original(*a, **k))", names)
        changed = names["mine"]
    elif how == "object":
        changed = type("Mine", (), {"__call__": staticmethod(wrapped(right))})()
    elif how == "mock":
        changed = unittest.mock.Mock(side_effect=wrapped(right))
    else:
        changed = wrapped(right) if how == "closure" else functools.partial(wrapped(right))
    monkeypatch.setattr(holder, name, changed)
    assert runs(before, f"{name}, {how}", make)


@pytest.mark.parametrize("module", [im2col, row_windows, winograd])
def test_an_algorithm_that_a_stage_would_run_is_replaced(module, monkeypatch):
    def make():
        conv = layers.Conv2D(3, 3, algorithm=module.__name__.rpartition(".")[2])
        stack = [conv, layers.BatchNorm(), layers.ReLU(), layers.Flatten(), layers.Dense(4, activation="softmax")]
        model = mtc.Sequential(stack, X.shape[1:], seed=0)
        model.layers[1].trainable = False
        return model

    before = step(make)
    monkeypatch.setattr(module, "forward", wrapped(module.forward))
    assert runs(before, module.__name__, make)


@pytest.mark.parametrize("name", ["check_input", "take_gradients"])
@pytest.mark.parametrize("kind", [layers.Layer, *(kind for kind in KINDS if issubclass(kind, layers.Layer))])
def test_what_every_layer_does_with_what_it_is_given_runs(kind, name, monkeypatch):
    seen, right = [], getattr(kind, name)

    def counting(self, *arguments, **options):
        seen.append(self.name)
        return right(self, *arguments, **options)

    monkeypatch.setattr(kind, name, counting, raising=False)
    step()
    with_stages, seen[:] = sorted(seen), []
    with mtc.definitions_only():
        step()
    assert with_stages == sorted(seen) and seen


RELOADED = """
import importlib, pathlib, sys
import numpy as np, minitorch_cnn as mtc
from minitorch_cnn import layers
from minitorch_cnn.engine.layers import batch_norm
x = np.random.default_rng(0).standard_normal((2, 8, 7, 3)).astype("float32")
stack = [layers.Conv2D(4, 3), layers.BatchNorm(), layers.ReLU()]
model = mtc.Sequential(stack, x.shape[1:], seed=0)
before = model.predict(x)
file = pathlib.Path(batch_norm.__file__)
file.write_text(file.read_text().replace("(x - mean) * scale + shift", "(x - mean) * scale * 3 + shift"))
importlib.reload(batch_norm)
print((model.predict(x) / np.where(before, before, 1)).max())
"""


def test_a_helper_of_a_stage_that_is_edited_and_reloaded_runs(tmp_path):
    import shutil

    shutil.copytree(importlib.import_module("minitorch_cnn").__path__[0], tmp_path / "minitorch_cnn")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{RELOADED}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert float(done.stdout) == pytest.approx(3, rel=1e-5), done.stderr
    assert done.stderr.startswith("layers/batch_norm.py: normalise differs from what its compiled twin was made for")
