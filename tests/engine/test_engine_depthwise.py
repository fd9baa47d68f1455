"""Depthwise and 1x1 convolutions and what is run as one with them: against the definitions, and by differences."""

import numpy as np
import pytest
from engine_helpers import distinct, normal

import minitorch_cnn as mtc
from minitorch_cnn import layers
from minitorch_cnn.arrays.dispatch import TWINS_ONLY, definitions_only, running
from minitorch_cnn.engine import passes
from minitorch_cnn.engine.convolution import depthwise, row_windows
from minitorch_cnn.engine.convolution.geometry import output_size, window_reach
from minitorch_cnn.twins.stages import in_stages

EDGE = ((0, 0), (0, 0))
GEOMETRIES = {  # (x, window, M, strides, padding, dilation)
    "3x3": ((2, 9, 14, 21), (3, 3), 1, (1, 1), ((1, 1), (1, 1)), (1, 1)),
    "3x3 at stride 2": ((2, 11, 8, 16), (3, 3), 1, (2, 2), ((0, 1), (0, 1)), (1, 1)),
    "5x5": ((1, 7, 13, 33), (5, 5), 1, (1, 1), ((2, 2), (2, 2)), (1, 1)),
    "7x7, in parts": ((2, 9, 15, 19), (7, 7), 1, (1, 1), ((3, 3), (3, 3)), (1, 1)),
    "fewer channels than a vector": ((3, 6, 5, 3), (3, 2), 1, (2, 1), ((1, 0), (0, 1)), (1, 1)),
    "several filters each": ((2, 6, 9, 7), (2, 3), 3, (1, 2), ((0, 1), (2, 0)), (1, 1)),
    "holes and strides": ((1, 13, 15, 18), (3, 2), 1, (2, 3), ((1, 2), (3, 0)), (2, 4)),
    "strides wider than the window": ((2, 11, 12, 17), (2, 1), 1, (3, 4), ((1, 0), (0, 0)), (1, 1)),
    "a window as large as the image": ((2, 13, 29, 5), (13, 29), 1, (1, 1), EDGE, (1, 1)),
    "nothing but padding at the border": ((1, 3, 4, 20), (3, 3), 1, (1, 1), ((4, 3), (5, 4)), (1, 1)),
}


def both(function, *arguments):
    """(from the twin, from the definition), which have one dtype."""
    with running(TWINS_ONLY):
        got = function(*arguments)
    with definitions_only():
        wanted = function(*arguments)
    assert got.dtype == wanted.dtype and got.shape == wanted.shape
    return got, wanted


def agree(function, *arguments):
    got, wanted = both(function, *arguments)
    tolerance = 1e-4 if got.dtype == np.float32 else 1e-11
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance * float(abs(wanted).max()))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
def test_depthwise_twins_compute_what_the_definitions_say(geometry, dtype):
    shape, window, M, strides, padding, dilation = geometry
    x, kernel = normal(shape, 1, dtype), normal((*window, shape[3], M), 2, dtype)
    out = output_size(shape[1:3], window_reach(window, dilation), strides, padding)
    dy = normal((shape[0], *out, shape[3] * M), 3, dtype)
    rest = strides, padding, dilation
    agree(depthwise.forward, x, kernel, *rest)
    agree(depthwise.forward, x, kernel, *rest, normal(shape[3] * M, 4, dtype))
    agree(depthwise.backward_input, dy, kernel, shape, *rest)
    agree(depthwise.backward_kernel, x, dy, kernel.shape, *rest)


def test_nothing_of_a_neighbour_reaches_a_pixel():
    """A NaN is seen by the windows that it lies in, in its channel, and by no others."""
    x, kernel = normal((2, 8, 9, 24), 0, "float32"), normal((3, 3, 24, 1), 1, "float32")
    x[1, 3, 4, 17] = np.nan
    y, wanted = both(depthwise.forward, x, kernel, (1, 1), ((1, 1), (1, 1)), (1, 1))
    assert np.isnan(y).sum() == 9 and (np.isnan(y) == np.isnan(wanted)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("C, K", [(3, 5), (5, 16), (17, 24), (100, 40), (150, 70), (33, 300), (300, 7), (260, 129)])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 5), (3, 13, 22)])
def test_1x1_convolutions_compute_what_the_definitions_say(shape, C, K, dtype):
    x, kernel, dy = normal((*shape, C), 1, dtype), normal((1, 1, C, K), 2, dtype), normal((*shape, K), 3, dtype)
    agree(row_windows.forward, x, kernel, (1, 1), EDGE)
    agree(row_windows.forward, x, kernel, (1, 1), EDGE, normal(K, 4, dtype))
    agree(row_windows.backward_input, dy, kernel, x.shape, (1, 1), EDGE)
    agree(row_windows.backward_kernel, x, dy, kernel.shape, (1, 1), EDGE)


@pytest.mark.parametrize("bends", [(0.0, 6.0, 0.0), (0.25, np.inf, 0.0), (0.5, 2.0, 1.0), (0.0, np.inf, 0.5)])
def test_bent_relu_at_its_bends(bends):
    from minitorch_cnn.engine.more_activations import bent_relu, bent_relu_backward

    x = np.array([-np.inf, -7, -1, -0.0, 0, 0.5, 1, 1.5, 2, 5.9, 6, 6.1, np.inf, np.nan], "float32")
    for function, arguments in ((bent_relu, (x,)), (bent_relu_backward, (np.arange(14, dtype="float32") - 4, x))):
        got, wanted = both(function, *arguments, *bends)
        np.testing.assert_array_equal(got, wanted)


def mobile(shape, frozen=False):
    """An inverted residual block with strides, and one whose ReLU6 cuts off much."""
    x = mtc.Input(shape)
    y = layers.ReLU(max_value=6)(layers.BatchNorm()(layers.Conv2D(2 * shape[2], 1, use_bias=False)(x)))
    y = layers.ZeroPad2D(((1, 1), (0, 1)))(y)
    y = layers.BatchNorm()(layers.DepthwiseConv2D(3, 2, use_bias=False)(y))
    y = layers.ReLU(max_value=0.75)(y)
    y = layers.BatchNorm()(layers.Conv2D(5, 1, use_bias=False)(y))
    y = layers.DepthwiseConv2D((2, 3), padding="same", depth_multiplier=2)(layers.ZeroPad2D(1)(y))
    model = mtc.Model(x, layers.ReLU(max_value=1.0)(layers.BatchNorm()(y)), seed=0, dtype="float64")
    rng = np.random.default_rng(3)
    for layer in model.layers:
        for name, array in layer.parameters.items():
            layer.parameters[name] = array + 0.3 * abs(rng.standard_normal(array.shape))
        layer.trainable = not (frozen and isinstance(layer, layers.BatchNorm))
    return model


def everything(model, nodes, x, training):
    """[y, dx, all gradients] of a pass over `nodes`; the moving statistics stay as they are."""
    saved = {layer: dict(layer.parameters) for layer in model.layers}
    model.segments()
    needed = passes.need_gradients(model.nodes(), {0})
    y, steps = passes.forward(nodes, [x], training, needed, outputs=model.ends)
    dx = passes.backward(steps, normal(y.shape, 5), needed)[0]
    found = [y, dx, *(array.copy() for layer in model.layers for array in layer.gradients.values())]
    for layer in model.layers:
        layer.parameters.update(saved[layer])
    return found


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("frozen", [True, False])
def test_blocks_of_mobile_networks_are_run_in_stages(frozen, training):
    model = mobile((7, 10, 6), frozen)
    nodes = in_stages(model.nodes(), model.ends)
    assert [type(node.layer).__name__ for node in nodes] == ["ConvNorm"] * 4
    x = normal((3, 7, 10, 6))
    got = everything(model, nodes, x, training)
    with definitions_only():
        wanted = everything(model, model.nodes(), x, training)
    assert (wanted[0] == 1).any() and len(got) == len(wanted)
    for one, other in zip(got, wanted):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def test_blocks_of_mobile_networks_by_differences():
    report = mtc.gradient_check(mobile((5, 6, 3)), distinct((2, 5, 6, 3)))
    assert report.passed, str(report)


def test_a_convolution_at_two_places_keeps_its_gradients_apart_from_a_batch_norm():
    conv, x = layers.DepthwiseConv2D(3, use_bias=False), mtc.Input((9, 8, 4))
    y = layers.BatchNorm()(conv(layers.ZeroPad2D(1)(x)))
    y = layers.BatchNorm()(conv(layers.ZeroPad2D(1)(y)))
    model = mtc.Model(x, y, seed=0, dtype="float64")
    nodes = in_stages(model.nodes(), model.ends)
    assert [type(node.layer).__name__ for node in nodes] == ["PaddedConv", "BatchNorm"] * 2
    images = normal((2, 9, 8, 4))
    got = everything(model, nodes, images, True)
    with definitions_only():
        wanted = everything(model, model.nodes(), images, True)
    for one, other in zip(got, wanted):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)
