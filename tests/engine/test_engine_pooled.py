"""A convolution with ReLU and the pool behind it in one go: against the two in turn, and against PyTorch."""

import numpy as np
import pytest
from engine_helpers import convolution as reference
from engine_helpers import max_pool as reference_pool
from engine_helpers import normal, relative_error

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses
from minitorch_cnn.engine import passes
from minitorch_cnn.twins.numba.convolution import row_windows as row_windows_numba
from minitorch_cnn.twins.stages import ConvPool, ConvReLU, in_stages
from minitorch_cnn.twins.stages.conv_pool import NOBODY

# (input, kernel, strides, padding)
CASES = {
    "even": ((2, 8, 6, 3), (3, 3, 3, 16), (1, 1), ((1, 1), (1, 1))),
    "row and column left over": ((3, 7, 11, 5), (3, 3, 5, 18), (1, 1), ((1, 1), (1, 1))),
    "tiles cut in the middle": ((2, 12, 16, 17), (3, 3, 17, 33), (1, 1), ((0, 0), (0, 0))),
    "few tiles, many filters": ((1, 6, 5, 20), (3, 3, 20, 150), (1, 1), ((1, 1), (1, 1))),
    "one window": ((2, 4, 5, 2), (3, 3, 2, 7), (1, 1), ((0, 0), (0, 0))),
    "kernel not square, strides": ((2, 11, 9, 4), (2, 4, 4, 16), (2, 1), ((1, 0), (0, 2))),
}
BOTH = pytest.mark.parametrize("algorithm", ["row_windows", "winograd"])


def problem(case, dtype="float64"):
    x_shape, kernel_shape, strides, padding = CASES[case]
    return (
        normal(x_shape, 0, dtype),
        normal(kernel_shape, 1, dtype),
        strides,
        padding,
        normal(kernel_shape[3:], 2, dtype),
    )


def pair(case, algorithm, dtype="float64"):
    """(the stage of a convolution and a pool, built and with the case's weights; its input)."""
    x, kernel, strides, padding, bias = problem(case, dtype)
    KH, KW, _, K = kernel.shape
    conv = layers.Conv2D(K, (KH, KW), strides, padding, activation="relu", algorithm=algorithm)
    pool = layers.MaxPool2D(2)
    pool.forward(conv.forward(x))  # builds both
    conv.parameters.update(kernel=kernel, bias=bias)
    return ConvPool(conv, pool), x


@BOTH
@pytest.mark.parametrize("case", CASES)
def test_forward_and_backward(case, algorithm):
    x, kernel, strides, padding, bias = problem(case)
    whole = np.maximum(reference(x, kernel, strides, padding) + bias, 0)
    wanted, places = reference_pool(whole, (2, 2), (2, 2), ((0, 0), (0, 0)))
    stage, _ = pair(case, algorithm)
    y, kept = stage.forward_pass(x)
    assert relative_error(y, wanted) < 4e-13 and kept[-1].dtype == np.uint8 and kept[-2] is None
    assert 0.01 < (wanted == 0).mean() < 0.5  # the ReLU cut some windows and left others
    dy = normal(y.shape, 3)
    routed = np.zeros(whole.shape)
    for window, place in places.items():
        if whole[place] > 0:
            routed[place] = dy[window]
    dx, gradients = stage.backward_pass(dy, kept)
    plain = layers.Conv2D(kernel.shape[3], kernel.shape[:2], strides, padding, algorithm="im2col")
    plain.forward(x)
    plain.parameters.update(kernel=kernel, bias=bias)
    assert relative_error(dx, plain.backward(routed)) < 4e-13
    assert relative_error(gradients["kernel"], plain.gradients["kernel"]) < 4e-13
    assert relative_error(gradients["bias"], routed.sum(axis=(0, 1, 2))) < 1e-13


@BOTH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_bits_as_one_after_the_other(algorithm, dtype):
    for case in CASES:
        stage, x = pair(case, algorithm, dtype)
        whole = stage.conv.forward(x)
        assert ConvReLU(stage.conv).forward_pass(x)[0].tobytes() == whole.tobytes()
        wanted = stage.pool.forward(whole)
        y, kept = stage.forward_pass(x)
        assert y.dtype == dtype and y.tobytes() == wanted.tobytes()
        np.testing.assert_array_equal(kept[-1], np.where(wanted > 0, stage.pool.cache[0], NOBODY))


@BOTH
@pytest.mark.parametrize("band", [1, 2_000, 2**20])
def test_any_split_of_the_work_gives_the_same_bits(monkeypatch, algorithm, band):
    stage, x = pair("tiles cut in the middle", algorithm)
    wanted, kept = stage.forward_pass(x)
    monkeypatch.setattr(row_windows_numba, "BAND_BYTES", band)
    monkeypatch.setattr(row_windows_numba, "KERNEL_BYTES", band)
    got, kept_too = stage.forward_pass(x)
    for array, same in ((got, wanted), (kept_too[-1], kept[-1])):
        if algorithm == "winograd":
            np.testing.assert_array_equal(array, same)
        else:  # parts of the kernel are summed up one after the other
            np.testing.assert_allclose(array, same, rtol=0, atol=1e-12)


def test_ties_go_to_the_first_nan_wins_and_zero_belongs_to_nobody():
    x = np.zeros((1, 2, 8, 1))
    x[0, :, :, 0] = [[-1, -2, 5, 5, 0, 0, 1, np.nan], [-3, -4, 5, 5, 0, -1, np.nan, 2]]
    conv, pool = layers.Conv2D(1, 1, activation="relu", algorithm="row_windows"), layers.MaxPool2D(2)
    pool.forward(conv.forward(x))
    conv.parameters.update(kernel=np.ones((1, 1, 1, 1)), bias=np.zeros(1))
    stage = ConvPool(conv, pool)
    y, kept = stage.forward_pass(x)
    np.testing.assert_array_equal(y.ravel(), [0, 5, 0, np.nan])
    assert kept[-1].ravel().tolist() == [NOBODY, 0, NOBODY, 1]
    dx, gradients = stage.backward_pass(np.array([1.0, 2, 3, 4]).reshape(1, 1, 4, 1), kept)
    assert dx[0, :, :, 0].tolist() == [[0, 0, 2, 0, 0, 0, 0, 4], [0] * 8] and gradients["bias"].tolist() == [6]


def network(algorithm="auto", dtype="float64"):
    stack = [
        layers.Conv2D(16, 3, padding="same", activation="relu", algorithm=algorithm),
        layers.MaxPool2D(2),
        layers.Conv2D(16, 3, activation="relu", algorithm=algorithm),
        layers.MaxPool2D(2),
        layers.Flatten(),
        layers.Dense(3, activation="softmax"),
    ]
    return mtc.Sequential(stack, (13, 18, 2), seed=0, dtype=dtype)


def gradients(model):
    return {(layer.name, name): array.copy() for layer in model.layers for name, array in layer.gradients.items()}


@pytest.mark.parametrize("first, second", [("auto", "auto"), ("winograd", "row_windows"), ("im2col", "winograd")])
def test_a_model_runs_pairs_and_its_layers_can_be_run_one_by_one(first, second):
    model, x, labels = network(), normal((5, 13, 18, 2)), [0, 2, 1, 1, 0]
    model.layers[0].algorithm, model.layers[2].algorithm = first, second
    stages = [type(node.layer).__name__ for node in in_stages(model.nodes())]
    assert stages == ["ConvPool", "ConvPool", "Flatten", "Dense"]
    value = model.loss_and_gradients(x, labels, losses.CrossEntropy())
    together = gradients(model)
    assert all(layer.cache is None for layer in model.layers)  # nothing stays behind

    y = x
    for layer in model.layers:  # one by one
        y = layer.forward(y, True)
    loss, dy = losses.CrossEntropy().value_and_gradient(y, labels)
    assert abs(loss - value) < 1e-12
    for layer in reversed(model.layers):
        dy = layer.backward(dy)
    alone = gradients(model)
    assert together.keys() == alone.keys() and len(alone) == 6
    for name, gradient in alone.items():
        assert relative_error(together[name], gradient) < 1e-12, name

    nodes = model.nodes()
    needed = passes.need_gradients(nodes)
    for way in (nodes, in_stages(nodes)):  # the walk itself, with the layers and with the stages
        y, steps = passes.forward(way, [x], True, needed)
        passes.backward(steps, losses.CrossEntropy().value_and_gradient(y, labels)[1], needed)
        for name, gradient in gradients(model).items():
            assert relative_error(gradient, together[name]) < 1e-12, name


def test_gradients_of_a_fused_model_against_differences():
    report = mtc.gradient_check(network(), normal((2, 13, 18, 2), 5))
    assert report.passed, str(report)


def test_freezing_reaches_into_a_pair():
    model, x = network(), normal((5, 13, 18, 2))
    model.freeze(layers=["conv2d_1"])
    model.loss_and_gradients(x, [0, 2, 1, 1, 0], losses.CrossEntropy())
    assert "kernel" not in model.layers[0].gradients and "kernel" in model.layers[2].gradients
    model.freeze(through="conv2d_2")
    assert model.backward(np.ones_like(model.forward(x))) is None
    assert model.backward(np.ones_like(model.forward(x)), input_gradient=True).shape == x.shape


@pytest.mark.parametrize(
    "conv, pool",
    [
        (layers.Conv2D(4, 3), layers.MaxPool2D(2)),  # no ReLU
        (layers.Conv2D(4, 3, activation="tanh"), layers.MaxPool2D(2)),
        (layers.Conv2D(4, 3, activation="relu"), layers.MaxPool2D(3)),
        (layers.Conv2D(4, 3, activation="relu"), layers.MaxPool2D((2, 3))),
        (layers.Conv2D(4, 3, activation="relu"), layers.MaxPool2D(2, 1)),
        (layers.Conv2D(4, 3, activation="relu"), layers.MaxPool2D(2, padding="same")),  # of an odd number of rows
        (layers.Conv2D(4, 3, activation="relu"), layers.AveragePool2D(2)),
    ],
)
def test_what_does_not_fit_stays_two_layers(conv, pool):
    model = mtc.Sequential([conv, pool], (9, 8, 2), seed=0)
    assert not any(isinstance(node.layer, ConvPool) for node in in_stages(model.nodes()))
    assert model.forward(normal((2, 9, 8, 2), dtype="float32")).shape == (2, *model.output_shape)


def test_a_slow_algorithm_runs_one_after_the_other():
    stage, x = pair("even", "im2col")
    y, kept = stage.forward_pass(x)
    whole = stage.conv.forward(x)
    assert kept[-2].tobytes() == whole.tobytes() and y.tobytes() == stage.pool.forward(whole).tobytes()
    dy = normal(y.shape, 4)
    dx, gradients = stage.backward_pass(dy, kept)
    assert dx.tobytes() == stage.conv.backward(stage.pool.backward(dy)).tobytes()
    assert relative_error(gradients["bias"], stage.conv.gradients["bias"]) < 1e-13


def test_a_value_that_others_read_too_is_not_hidden_in_a_stage():
    conv, pool = layers.Conv2D(3, 3, activation="relu"), layers.MaxPool2D(2)
    mtc.Sequential([conv, pool], (9, 8, 2), seed=0)
    nodes = passes.chain([conv, pool])
    assert [type(node.layer) for node in in_stages(nodes)] == [ConvPool]
    nodes.append(passes.Node(layers.ReLU(), (1,), 3))
    assert [type(node.layer) for node in in_stages(nodes)] == [ConvReLU, layers.MaxPool2D, layers.ReLU]


def test_against_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch to compare with it")
    model, x = network(), normal((4, 13, 18, 2))
    there = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
    weights = {
        (layer.name, name): torch.tensor(np.ascontiguousarray(array), requires_grad=True)
        for layer in model.layers
        for name, array in layer.parameters.items()
    }
    y = there
    for name, padding in (("conv2d_1", 1), ("conv2d_2", 0)):
        kernel = weights[name, "kernel"].permute(3, 2, 0, 1)
        y = torch.nn.functional.conv2d(y, kernel, weights[name, "bias"], padding=padding)
        y = torch.nn.functional.max_pool2d(torch.relu(y), 2)
    y = y.permute(0, 2, 3, 1).reshape(4, -1) @ weights["dense_1", "kernel"] + weights["dense_1", "bias"]
    loss = torch.nn.functional.cross_entropy(y, torch.tensor([2, 0, 1, 2]))
    loss.backward()
    assert abs(model.loss_and_gradients(x, [2, 0, 1, 2], losses.CrossEntropy()) - loss.item()) < 1e-12
    for (layer, name), weight in weights.items():
        assert relative_error(model.get_layer(layer).gradients[name], weight.grad.numpy()) < 1e-12
