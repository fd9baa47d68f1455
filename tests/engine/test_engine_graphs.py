"""Layers of several inputs, and networks in which values and layers are used twice."""

import json

import numpy as np
import pytest
from engine_helpers import distinct, normal, one_line, relative_error

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses
from minitorch_cnn.engine.layers.merge import Merge, sum_to
from minitorch_cnn.errors import ArgumentError, ShapeError

MERGES = {
    "Add": lambda *x: sum(x),
    "Subtract": lambda a, b: a - b,
    "Multiply": lambda *x: np.prod(np.broadcast_arrays(*x), axis=0),
    "Average": lambda *x: sum(x) / len(x),
    "Maximum": lambda *x: np.max(np.broadcast_arrays(*x), axis=0),
}
SAME = [(5, 4, 3)] * 2
SHAPES = [SAME, [(5, 4, 3)] * 4, [(5, 4, 3), (1, 1, 3)], [(1, 4, 3), (5, 1, 3), (5, 4, 1)], [(7,), (1,)]]
CASES = [(name, shapes) for name in MERGES for shapes in SHAPES if name != "Subtract" or len(shapes) == 2]


def test_every_merge_is_here():
    there = {name for name in layers.__all__ if issubclass(getattr(layers, name), Merge)}
    assert there == {*MERGES, "Concatenate"}


def arrays(shapes, dtype="float64"):
    """Inputs (2, *shape) without equal numbers: parts of one array that has none."""
    sizes = [2 * int(np.prod(shape)) for shape in shapes]
    values = np.split(distinct((sum(sizes),), 3, dtype), np.cumsum(sizes)[:-1])
    return [part.reshape(2, *shape) for part, shape in zip(values, shapes)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, shapes", CASES)
def test_merge(name, shapes, dtype):
    layer, x = getattr(layers, name)(), arrays(shapes, dtype)
    y = layer.forward(x)
    assert y.dtype == dtype and y.shape[1:] == layer.output_shape
    assert relative_error(y, MERGES[name](*x)) < 1e-6
    dx = layer.backward(normal(y.shape, 1, dtype))
    assert [each.shape for each in dx] == [each.shape for each in x] and {each.dtype for each in dx} == {x[0].dtype}


@pytest.mark.parametrize("name, shapes", CASES)
def test_gradients_of_a_merge(name, shapes):
    report = mtc.gradient_check(getattr(layers, name)(), arrays(shapes))
    assert report.passed and not report.kinks, report
    assert len(report.worst) == len(shapes)


@pytest.mark.parametrize("axis, shapes", [
    (-1, [(5, 4, 3), (5, 4, 2)]), (3, [(5, 4, 1)] * 3), (1, [(2, 4, 3), (5, 4, 3)]), (-2, [(5, 1, 3), (5, 3, 3)]),
    (-1, [(7,), (2,)]),
])  # fmt: skip
def test_concatenate(axis, shapes):
    layer, x = layers.Concatenate(axis), arrays(shapes)
    y = layer.forward(x)
    np.testing.assert_array_equal(y, np.concatenate(x, axis=axis))
    parts = layer.backward(y)
    for part, each in zip(parts, x, strict=True):
        np.testing.assert_array_equal(part, each)
    assert mtc.gradient_check(layers.Concatenate(axis), x).passed


def test_the_first_of_equal_numbers_gets_the_gradient_of_a_maximum():
    layer, x = layers.Maximum(), [np.array([[1.0, 2.0]]), np.array([[1.0, 3.0]]), np.array([[1.0, 3.0]])]
    layer.forward(x)
    dx = layer.backward(np.array([[5.0, 7.0]]))
    np.testing.assert_array_equal(np.concatenate(dx), [[5, 0], [0, 7], [0, 0]])


def test_what_was_repeated_is_summed():
    dx = normal((2, 5, 4, 3), 1)
    assert sum_to(dx, (5, 4, 3)) is dx
    np.testing.assert_allclose(sum_to(dx, (1, 4, 1)), dx.sum(axis=(1, 3), keepdims=True))


@pytest.mark.parametrize("make, shapes, words", [
    (layers.Add, [(5, 4, 3), (5, 4, 2)], ("add: expected inputs of one shape, apart from", "(5, 4, 2)")),
    (layers.Add, [(5, 4, 3), (4, 3)], ("add: expected inputs of one shape, apart from",)),
    (layers.Add, [(5, 4, 3)], ("add: expected a list of at least two inputs",)),
    (layers.Subtract, [(3,)] * 3, ("subtract: expected a list of two inputs",)),
    (layers.Concatenate, [(5, 4, 3), (5, 3, 3)], ("concatenate: expected inputs that differ along axis -1 alone",)),
    (lambda: layers.Concatenate(0), SAME, ("concatenate: axis: expected an axis behind the batch axis, got 0",)),
    (lambda: layers.Concatenate(4), SAME, ("concatenate: axis 4: expected one of 3 axes",)),
])  # fmt: skip
def test_what_does_not_fit(make, shapes, words):
    with pytest.raises((ArgumentError, ShapeError)) as error:
        make().build(tuple(shapes))
    assert one_line(error, *words), str(error.value)


# Networks.


def two_branches(dtype="float64"):
    """A value read three times, a layer used twice, a factor for each channel, two inputs."""
    x, z = mtc.Input((6, 5, 2)), mtc.Input((3,))
    shared = layers.Conv2D(3, 3, padding="same", activation="tanh", name="shared")
    y = layers.Conv2D(2, 1, name="first")(x)
    once = shared(y)
    twice = shared(layers.Conv2D(2, 1, name="second")(once))
    factors = layers.Reshape((1, 1, 3))(layers.Dense(3, "sigmoid", name="factors")(z))
    scaled = layers.Multiply()([layers.Add()([once, twice]), factors])
    both = layers.Concatenate()([scaled, layers.Average()([y, x])])
    classes = layers.Dense(4, "softmax", name="classes")(layers.GlobalMaxPool2D()(both))
    return mtc.Model([x, z], classes, seed=0, dtype=dtype)


def inputs(dtype="float64"):
    return [normal((3, 6, 5, 2), 1, dtype), normal((3, 3), 2, dtype)]


def test_gradients_of_a_network_in_which_everything_is_used_twice():
    report = mtc.gradient_check(two_branches(), inputs())
    assert report.passed, report
    names = {name for name in report.worst if "/" in name}
    layers_with_weights = ("shared", "first", "second", "factors", "classes")
    assert names == {f"{layer}/{which}" for layer in layers_with_weights for which in ("kernel", "bias")}
    assert {"input_1", "input_2"} <= set(report.worst)


def test_gradients_of_its_loss():
    assert mtc.gradient_check(two_branches(), inputs(), labels=[0, 3, 2], loss=losses.CrossEntropy()).passed


def test_a_layer_used_twice_has_the_sum_of_two_layers_gradients():
    """The same network with a copy of the layer at the second place."""
    x, labels = normal((3, 6, 5, 2), 1), normal((3, 6, 5, 2), 2)
    models = []
    for copies in (1, 2):
        at = mtc.Input((6, 5, 2))
        convs = [layers.Conv2D(2, 3, padding="same", activation="tanh", name=f"c{n}") for n in range(copies)]
        models.append(mtc.Model(at, convs[-1](convs[0](at)), seed=0, dtype="float64"))
    once, apart = models
    for name, array in once.get_layer("c0").parameters.items():
        for layer in apart.layers:
            layer.parameters[name] = array
    for model in models:
        model.loss_and_gradients(x, labels, losses.MeanSquaredError())
    np.testing.assert_allclose(once.prediction, apart.prediction, rtol=1e-12)
    for name, gradient in once.get_layer("c0").gradients.items():
        assert relative_error(gradient, sum(layer.gradients[name] for layer in apart.layers)) < 1e-12


def test_a_squeeze_and_excitation_block_as_in_pytorch():
    torch = pytest.importorskip("torch")
    at = mtc.Input((6, 5, 4))
    small = layers.Conv2D(2, 1, activation="silu", name="small")(layers.GlobalAveragePool2D(keepdims=True)(at))
    factors = layers.Conv2D(4, 1, activation="sigmoid", name="large")(small)
    model = mtc.Model(at, layers.Multiply()([at, factors]), seed=0, dtype="float64")
    x, dy = normal((2, 6, 5, 4), 1), normal((2, 6, 5, 4), 2)
    y = model.forward(x)
    dx = model.backward(dy)
    t = torch.from_numpy(x).requires_grad_()
    kernels = [torch.from_numpy(np.array(model.get_layer(n).parameters["kernel"][0, 0])) for n in ("small", "large")]
    for kernel in kernels:
        kernel.requires_grad_()
    hidden = torch.nn.functional.silu(t.mean(dim=(1, 2), keepdim=True) @ kernels[0])
    out = t * torch.sigmoid(hidden @ kernels[1])
    out.backward(torch.from_numpy(dy))
    assert relative_error(y, out.detach().numpy()) < 1e-12 and relative_error(dx, t.grad.numpy()) < 1e-12
    for name, kernel in zip(("small", "large"), kernels):
        assert relative_error(model.get_layer(name).gradients["kernel"][0, 0], kernel.grad.numpy()) < 1e-12


def test_float32_stays_float32_and_config_makes_the_same_network():
    model, x = two_branches("float32"), inputs("float32")
    y = model.forward(x)
    again = mtc.Model.from_config(json.loads(json.dumps(model.config())))
    np.testing.assert_array_equal(again.forward(x), y)
    assert y.dtype == "float32" and {dx.dtype.name for dx in model.backward(np.ones_like(y))} == {"float32"}
    assert {array.dtype.name for layer in model.layers for array in layer.gradients.values()} == {"float32"}
