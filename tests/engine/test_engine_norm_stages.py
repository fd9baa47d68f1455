"""Batch norm and sums in one pass with their ReLU: against the layers one by one, if those are unchanged."""

import numpy as np
import pytest
from engine_helpers import distinct, normal, relative_error

import minitorch_cnn as mtc
from minitorch_cnn import layers
from minitorch_cnn.arrays import dispatch
from minitorch_cnn.arrays.dispatch import definitions_only
from minitorch_cnn.engine import activations, passes
from minitorch_cnn.engine.layers import batch_norm
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.twins.numba import rows
from minitorch_cnn.twins.stages import AddReLU, ConvNorm, NormReLU, in_stages

SHAPES = {"few channels": (7, 9, 3), "a row of vectors": (5, 3, 16), "many": (3, 2, 150)}


def residual(shape, **settings):
    """relu(x + norm(conv(relu(norm(x))))), a block in which each of the stages stands."""
    x = mtc.Input(shape)
    y = layers.ReLU()(layers.BatchNorm(**settings)(x))
    y = layers.BatchNorm(**settings)(layers.Conv2D(shape[-1], 3, padding="same")(y))
    return mtc.Model(x, layers.ReLU()(layers.Add()([x, y])), seed=0, dtype="float64")


def randomised(model):
    """The model with parameters that are neither 0 nor 1; statistics stay as they are."""
    rng = np.random.default_rng(7)
    for layer in model.layers:
        for name, array in layer.parameters.items():
            layer.parameters[name] = array + 0.3 * abs(rng.standard_normal(array.shape))
    return model


def passed(model, nodes, x, training):
    """[y, dx, gradients and statistics] of a pass over `nodes`, from the same statistics each time."""
    saved = {layer: {name: array.copy() for name, array in layer.parameters.items()} for layer in model.layers}
    model.segments()
    needed = passes.need_gradients(model.nodes(), {0})
    y, steps = passes.forward(nodes, [x], training, needed, outputs=model.ends)
    dx = passes.backward(steps, normal(y.shape, 5), needed)[0]
    found = [y, dx]
    for layer in model.layers:
        found += [array.copy() for name, array in layer.gradients.items()]
        found += [layer.parameters[name].copy() for name in layer.statistics]
        layer.parameters.update(saved[layer])
    return found


def kinds(nodes):
    return [type(node.layer).__name__ for node in nodes]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("frozen", [(), (0,), (1,), (0, 1)])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_same_as_the_layers_one_by_one(shape, frozen, training):
    model = randomised(residual(shape))
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNorm)]
    for number in frozen:
        norms[number].trainable = False
    x = normal((3, *shape))
    assert {"NormReLU", "AddReLU"} <= {*kinds(in_stages(model.nodes(), model.ends))}
    got = passed(model, in_stages(model.nodes(), model.ends), x, training)
    with definitions_only():
        wanted = passed(model, model.nodes(), x, training)
    assert len(got) == len(wanted)
    for one, other in zip(got, wanted):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("settings", [{"center": False}, {"scale": False}, {"center": False, "scale": False}])
def test_without_gamma_or_beta(settings):
    model = randomised(residual((4, 5, 6), **settings))
    x = normal((2, 4, 5, 6))
    for training in (True, False):
        got = passed(model, in_stages(model.nodes(), model.ends), x, training)
        with definitions_only():
            wanted = passed(model, model.nodes(), x, training)
        for one, other in zip(got, wanted):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def test_gradients_by_differences():
    report = mtc.gradient_check(randomised(residual((3, 4, 5))), distinct((2, 3, 4, 5)))
    assert report.passed, str(report)


def test_a_value_that_others_read_is_not_hidden_in_a_stage():
    x = mtc.Input((5, 4, 3))
    n = layers.BatchNorm()(x)
    model = mtc.Model(x, layers.Add()([n, layers.ReLU()(n)]), seed=0)
    assert kinds(in_stages(model.nodes(), model.ends)) == ["BatchNorm", "ReLU", "Add"]
    s = layers.Add()([x, x])
    model = mtc.Model(x, [layers.ReLU()(s), s], seed=0)
    assert kinds(in_stages(model.nodes(), model.ends)) == ["Add", "ReLU"]


def test_a_layer_at_two_places_adds_up_its_gradients():
    norm, relu = layers.BatchNorm(), layers.ReLU()
    x = mtc.Input((5, 4, 3))
    y = relu(norm(relu(norm(x))))
    model = randomised(mtc.Model(x, y, seed=0, dtype="float64"))
    assert kinds(in_stages(model.nodes(), model.ends)) == ["NormReLU", "NormReLU"]
    images = normal((2, 5, 4, 3))
    got = passed(model, in_stages(model.nodes(), model.ends), images, True)
    with definitions_only():
        wanted = passed(model, model.nodes(), images, True)
    for one, other in zip(got, wanted):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def test_a_sum_of_three_or_of_other_shapes_is_no_stage():
    x = mtc.Input((5, 4, 3))
    for others in ([x, x], [layers.GlobalAveragePool2D(keepdims=True)(x)]):
        model = mtc.Model(x, layers.ReLU()(layers.Add()([x, *others])), seed=0)
        assert "AddReLU" not in kinds(in_stages(model.nodes(), model.ends))
        y = model.forward(normal((2, 5, 4, 3), dtype="float32"))
        assert y.shape == (2, 5, 4, 3) and model.backward(np.ones_like(y), input_gradient=True).shape == y.shape


CHANGES = {
    "the class's forward pass": (layers.BatchNorm, "forward_pass", NormReLU),
    "the statistics": (layers.BatchNorm, "statistics_of", NormReLU),
    "the function": (batch_norm, "normalise", NormReLU),
    "the sums of the backward pass": (batch_norm, "sums_backward", NormReLU),
    "the sum": (layers.Add, "merged", AddReLU),
    "the ReLU": (activations.ReLU, "forward", NormReLU),
    "the statistics, after a convolution": (layers.BatchNorm, "statistics_of", ConvNorm),
    "the convolution": (layers.Conv2D, "scores", ConvNorm),
    "the function, after a convolution": (batch_norm, "normalise", ConvNorm),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_method_runs(monkeypatch, capsys, change):
    holder, name, stage = CHANGES[change]
    model, x = residual((4, 5, 3)), normal((2, 4, 5, 3))
    assert stage.__name__ in kinds(in_stages(model.nodes(), model.ends))
    original, called = getattr(holder, name), []

    def changed(*args, **kwargs):
        called.append(name)
        return original(*args, **kwargs)

    monkeypatch.setattr(holder, name, changed)
    monkeypatch.setattr(dispatch, "_said", set())  # a line is said only once
    assert stage.__name__ not in kinds(in_stages(model.nodes(), model.ends))
    model.backward(model.forward(x, training=True))
    assert called
    assert "your version runs" in capsys.readouterr().err


def test_a_method_of_one_layer_runs():
    model, x = residual((4, 5, 3)), normal((2, 4, 5, 3))
    norm = next(layer for layer in model.layers if isinstance(layer, layers.BatchNorm))
    norm.forward_pass = lambda x, training=False: (0 * x, (x, 0, 1, False))
    assert kinds(in_stages(model.nodes(), model.ends))[0] == "BatchNorm"
    assert np.isfinite(model.forward(x)).all()


@pytest.mark.parametrize("stripe", [1, 3000, 2**20])
def test_any_length_of_the_stripes_gives_the_same_numbers(monkeypatch, stripe):
    model, x = randomised(residual((7, 9, 5))), normal((3, 7, 9, 5))
    wanted = passed(model, in_stages(model.nodes(), model.ends), x, True)
    monkeypatch.setattr(rows, "STRIPE_BYTES", stripe)
    for one, other in zip(passed(model, in_stages(model.nodes(), model.ends), x, True), wanted):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def convolved(relu=True, shape=(9, 8, 5), **settings):
    """A convolution, a batch norm, and perhaps a ReLU."""
    x = mtc.Input(shape)
    y = layers.BatchNorm()(layers.Conv2D(19, **{"kernel_size": 3, **settings})(x))
    return randomised(mtc.Model(x, layers.ReLU()(y) if relu else y, seed=0, dtype="float64"))


CONVOLUTIONS = {
    "3x3": {"padding": "same"},
    "3x3 without a bias": {"padding": "same", "use_bias": False},
    "3x3, strides": {"strides": (2, 3)},
    "1x1": {"kernel_size": 1},
    "row windows": {"algorithm": "row_windows"},
    "winograd": {"algorithm": "winograd"},
    "im2col, which does not scale": {"algorithm": "im2col"},
    "holes, which no twin has": {"dilation_rate": 2},
}


@pytest.mark.parametrize("frozen", [(), (0,), (1,), (0, 1)])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("settings", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_a_convolution_and_its_batch_norm(settings, relu, training, frozen):
    model, x = convolved(relu, **settings), normal((3, 9, 8, 5))
    for number in frozen:
        model.layers[number].trainable = False
    nodes = in_stages(model.nodes(), model.ends)
    assert kinds(nodes) == ["ConvNorm"]
    got = passed(model, nodes, x, training)
    with definitions_only():
        wanted = passed(model, model.nodes(), x, training)
    assert len(got) == len(wanted)
    largest = max(abs(array).max() for array in wanted)
    for one, other in zip(got, wanted):  # the bias's gradient is zero, but for rounding
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12 * largest)


def test_a_folded_batch_norm_writes_one_array_and_keeps_no_more_than_it_needs():
    model, x = convolved(), normal((3, 9, 8, 5))
    (node,) = in_stages(model.nodes(), model.ends)
    y, kept = node.layer.forward_pass(x)
    assert kept[0] is x and kept[2] is y
    for layer in model.layers:
        layer.trainable = False
    y, kept = node.layer.forward_pass(x, training=True)
    assert kept[0] is None and kept[2] is y


def test_a_convolution_that_learns_only_after_the_forward_pass():
    model, x = convolved(), normal((3, 9, 8, 5))
    model.layers[0].trainable = False
    y = model.forward(x, training=True)
    model.layers[0].trainable = True
    with pytest.raises(ArgumentError, match="was frozen in the forward pass and is trainable now"):
        model.backward(y)


def test_layers_at_two_places_are_not_joined_with_others():
    conv, norm = layers.Conv2D(3, 3, padding="same"), layers.BatchNorm()
    x = mtc.Input((6, 5, 3))
    y = layers.BatchNorm()(conv(layers.BatchNorm()(conv(x))))
    y = norm(layers.Conv2D(3, 1)(norm(layers.Conv2D(3, 1)(y))))
    model = randomised(mtc.Model(x, y, seed=0, dtype="float64"))
    assert "ConvNorm" not in kinds(in_stages(model.nodes(), model.ends))


def test_a_feature_map_that_others_read_is_written():
    for number, wanted in enumerate((["Conv2D", "NormReLU"], ["ConvNorm", "ReLU"])):
        x = mtc.Input((6, 5, 3))
        y = layers.Conv2D(3, 1)(x)
        n = layers.BatchNorm()(y)
        model = mtc.Model(x, [layers.ReLU()(n), (y, n)[number]], seed=0)
        assert kinds(in_stages(model.nodes(), model.ends)) == wanted


def test_threads_do_not_change_the_bits():
    numba = pytest.importorskip("numba")
    model, x = randomised(residual((17, 19, 24))), normal((4, 17, 19, 24))
    most, found = numba.get_num_threads(), []
    try:
        for threads in {1, most}:
            numba.set_num_threads(threads)
            found.append([array.tobytes() for array in passed(model, in_stages(model.nodes(), model.ends), x, True)])
    finally:
        numba.set_num_threads(most)
    assert all(one == found[0] for one in found)


def test_a_mean_far_from_zero_costs_no_digits():
    """The variance is that of the distances from the mean, not a difference of two large numbers."""
    x = (1000 + normal((4, 30, 30, 5))).astype("float32")
    mean, variance = batch_norm.moments(x)
    wanted = x.astype("float64").reshape(-1, 5)
    assert relative_error(mean, wanted.mean(axis=0)) < 1e-6 and relative_error(variance, wanted.var(axis=0)) < 1e-4


def test_against_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch to compare with it")
    x = mtc.Input((6, 5, 7))
    model = randomised(
        mtc.Model(x, layers.ReLU()(layers.BatchNorm(momentum=0.9, epsilon=1e-5)(x)), seed=0, dtype="float64")
    )
    (norm, _), images = model.layers, normal((3, 6, 5, 7))
    there = torch.nn.BatchNorm2d(7, eps=1e-5, momentum=0.1).double()
    with torch.no_grad():
        for name, array in (("weight", "gamma"), ("bias", "beta"), ("running_mean", "moving_mean")):
            getattr(there, name).copy_(torch.tensor(norm.parameters[array]))
    given = torch.tensor(images.transpose(0, 3, 1, 2), requires_grad=True)
    y = torch.relu(there(given))
    dy = normal((3, 6, 5, 7), 3)
    y.backward(torch.tensor(dy.transpose(0, 3, 1, 2)))
    got = model.forward(images, training=True)
    assert relative_error(got, y.detach().numpy().transpose(0, 2, 3, 1)) < 1e-12
    assert relative_error(model.backward(dy, input_gradient=True), given.grad.numpy().transpose(0, 2, 3, 1)) < 1e-11
    assert relative_error(norm.gradients["gamma"], there.weight.grad.numpy()) < 1e-12
    assert relative_error(norm.gradients["beta"], there.bias.grad.numpy()) < 1e-12
    assert relative_error(norm.parameters["moving_mean"], there.running_mean.numpy()) < 1e-12
