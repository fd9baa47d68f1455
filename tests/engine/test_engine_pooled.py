"""A convolution with ReLU and the pool behind it in one go: against the two in turn, and against PyTorch."""

import numpy as np
import pytest
from engine_helpers import convolution as reference
from engine_helpers import max_pool as reference_pool
from engine_helpers import normal, relative_error

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses
from minitorch_cnn.engine.convolution import im2col, pooled, row_windows, winograd
from minitorch_cnn.engine.layers.conv_pool import ConvPool, in_stages
from minitorch_cnn.twins.numba.convolution import row_windows as row_windows_numba

# (input, kernel, strides, padding)
CASES = {
    "even": ((2, 8, 6, 3), (3, 3, 3, 16), (1, 1), ((1, 1), (1, 1))),
    "row and column left over": ((3, 7, 11, 5), (3, 3, 5, 18), (1, 1), ((1, 1), (1, 1))),
    "tiles cut in the middle": ((2, 12, 16, 17), (3, 3, 17, 33), (1, 1), ((0, 0), (0, 0))),
    "few tiles, many filters": ((1, 6, 5, 20), (3, 3, 20, 150), (1, 1), ((1, 1), (1, 1))),
    "one window": ((2, 4, 5, 2), (3, 3, 2, 7), (1, 1), ((0, 0), (0, 0))),
    "kernel not square, strides": ((2, 11, 9, 4), (2, 4, 4, 16), (2, 1), ((1, 0), (0, 2))),
}
BOTH = pytest.mark.parametrize("algorithm", [row_windows, winograd], ids=["row windows", "winograd"])
WAYS = pytest.mark.parametrize("way", ["compiled", "definition"])


def problem(case, dtype="float64"):
    x_shape, kernel_shape, strides, padding = CASES[case]
    return (
        normal(x_shape, 0, dtype),
        normal(kernel_shape, 1, dtype),
        strides,
        padding,
        normal(kernel_shape[3:], 2, dtype),
    )


def call(function, way, *arguments):
    return (function if way == "compiled" else function.definition)(*arguments)


@WAYS
@BOTH
@pytest.mark.parametrize("case", CASES)
def test_forward_and_backward(case, algorithm, way):
    x, kernel, strides, padding, bias = problem(case)
    whole = np.maximum(reference(x, kernel, strides, padding) + bias, 0)
    wanted, places = reference_pool(whole, (2, 2), (2, 2), ((0, 0), (0, 0)))
    y, winner = call(pooled.forward, way, x, algorithm, kernel, strides, padding, bias)
    assert relative_error(y, wanted) < 4e-13 and winner.dtype == np.uint8
    assert 0.01 < (wanted == 0).mean() < 0.5  # the ReLU cut some windows and left others
    dy = normal(y.shape, 3)
    dscores, dbias = call(pooled.backward, way, dy, winner, whole.shape[1:3])
    routed = np.zeros(whole.shape)
    for window, place in places.items():
        if whole[place] > 0:
            routed[place] = dy[window]
    np.testing.assert_array_equal(dscores, routed)
    assert relative_error(dbias, routed.sum(axis=(0, 1, 2))) < 1e-13


@BOTH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_bits_as_one_after_the_other(algorithm, dtype):
    for case in CASES:
        x, kernel, strides, padding, bias = problem(case, dtype)
        whole = algorithm.forward(x, kernel, strides, padding, bias, True)
        pool = layers.MaxPool2D(2)
        wanted = pool.forward(whole)
        y, winner = pooled.forward(x, algorithm, kernel, strides, padding, bias)
        assert y.dtype == dtype and y.tobytes() == wanted.tobytes()
        np.testing.assert_array_equal(winner, np.where(wanted > 0, pool.cache[0], pooled.NOBODY))


@BOTH
@pytest.mark.parametrize("band", [1, 2_000, 2**20])
def test_any_split_of_the_work_gives_the_same_bits(monkeypatch, algorithm, band):
    arguments = problem("tiles cut in the middle")
    x, *rest = arguments
    wanted = pooled.forward(x, algorithm, *rest)
    monkeypatch.setattr(row_windows_numba, "BAND_BYTES", band)
    monkeypatch.setattr(row_windows_numba, "KERNEL_BYTES", band)
    for got, same in zip(pooled.forward(x, algorithm, *rest), wanted):
        if algorithm is winograd:
            np.testing.assert_array_equal(got, same)
        else:  # parts of the kernel are summed up one after the other
            np.testing.assert_allclose(got, same, rtol=0, atol=1e-12)


@WAYS
def test_ties_go_to_the_first_nan_wins_and_zero_belongs_to_nobody(way):
    x = np.zeros((1, 2, 8, 1))
    x[0, :, :, 0] = [[-1, -2, 5, 5, 0, 0, 1, np.nan], [-3, -4, 5, 5, 0, -1, np.nan, 2]]
    kernel, none = np.ones((1, 1, 1, 1)), ((0, 0), (0, 0))
    y, winner = call(pooled.forward, way, x, row_windows, kernel, (1, 1), none, None)
    np.testing.assert_array_equal(y.ravel(), [0, 5, 0, np.nan])
    assert winner.ravel().tolist() == [pooled.NOBODY, 0, pooled.NOBODY, 1]
    dscores, dbias = call(pooled.backward, way, np.array([1.0, 2, 3, 4]).reshape(1, 1, 4, 1), winner, (2, 8))
    assert dscores[0, :, :, 0].tolist() == [[0, 0, 2, 0, 0, 0, 0, 4], [0] * 8] and dbias.tolist() == [6]


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
    assert [type(stage).__name__ for stage in in_stages(model.layers)] == ["ConvPool", "ConvPool", "Flatten", "Dense"]
    value = model.loss_and_gradients(x, labels, losses.CrossEntropy())
    together = gradients(model)
    assert model.layers[0].cache is None and model.layers[1].cache is None  # nothing stays behind

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

    for ways in (("pairs", "one by one"), ("one by one", "pairs")):  # there in one way, back in the other
        stages = {"pairs": in_stages(model.layers), "one by one": model.layers}
        y = x
        for stage in stages[ways[0]]:
            y = stage.forward(y, True)
        _, dy = losses.CrossEntropy().value_and_gradient(y, labels)
        for stage in reversed(stages[ways[1]]):
            dy = stage.backward(dy)
        for name, gradient in gradients(model).items():
            assert relative_error(gradient, together[name]) < 1e-12, (ways, name)


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
    assert not any(isinstance(stage, ConvPool) for stage in in_stages(model.layers))
    assert model.forward(normal((2, 9, 8, 2), dtype="float32")).shape == (2, *model.output_shape)


def test_a_slow_algorithm_runs_one_after_the_other():
    x = np.zeros((1, 4, 4, 2))
    assert pooled.serves(winograd, x) and pooled.serves(row_windows, x) and not pooled.serves(im2col, x)
    model = network("im2col")
    model.forward(normal((2, 13, 18, 2)))
    assert model.layers[0].cache[1].shape == (2, 13, 18, 16)  # the whole map


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
