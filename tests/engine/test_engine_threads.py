"""One worker or two, every compiled function gives the same bits; and how twins are found."""

import numba
import numpy as np
import pytest
from engine_helpers import normal

import minitorch_cnn as mtc
from minitorch_cnn import convolution, layers, losses, optimizers
from minitorch_cnn.activations import relu_backward
from minitorch_cnn.backend import accelerated
from minitorch_cnn.backend.matmul import matmul
from minitorch_cnn.backend.workspace import workspace
from minitorch_cnn.layers.dropout import drop
from minitorch_cnn.layers.max_pool2d import max_pool, max_pool_backward
from minitorch_cnn.optimizers import adam_update, rmsprop_update, sgd_update

IMAGES, KERNEL = (3, 19, 30, 8), (3, 2, 8, 5)  # several blocks of columns, the last one ends within an image
STRIDES, PADDING, OUT = (1, 1), ((1, 0), (0, 1)), (3, 18, 30, 5)
LONG = (50_003,)  # several blocks of 16384


def in_place(update, *options, slots=1):
    def work(dtype):
        w, g, *state = (np.abs(normal(LONG, i, dtype)) for i in range(2 + slots))
        update(w, g, *state, *options)
        return [w, *state]

    return work


def max_pool_both_ways(dtype):
    geometry = (3, 2), (1, 2), ((1, 0), (0, 0))
    y, winner = max_pool(normal(IMAGES, 0, dtype), *geometry)
    return y, winner, max_pool_backward(normal(y.shape, 1, dtype), winner, IMAGES, *geometry)


def whole_model(dtype):
    stack = [layers.Conv2D(5, 3, padding="same", activation="relu"), layers.MaxPool2D(3, 2), layers.BatchNorm(),
             layers.Dropout(0.5), layers.Flatten(), layers.Dense(9, "relu"), layers.Dense(3, "softmax")]  # fmt: skip
    model = mtc.Sequential(stack, (19, 30, 8), seed=0, dtype=dtype)
    for optimizer in (optimizers.SGD(0.01, 0.9), optimizers.Adam()):
        model.train_step(normal(IMAGES, 0, dtype), [0, 2, 1], losses.CrossEntropy(), optimizer)
    return list(model.state().values())


# name: a function of the dtype that returns the arrays it made
WORK = {
    "relu": lambda dtype: [relu_backward(normal(LONG, 0, dtype), normal(LONG, 1, dtype))],
    "max pool": max_pool_both_ways,
    "dropout": lambda dtype: drop(normal(LONG, 0, dtype), 0.3, (1, 2), 3),
    "sgd": in_place(sgd_update, 0.1, 0.9, True, 0.1),
    "rmsprop": in_place(rmsprop_update, 0.1, 0.9, 1e-7, 0.1),
    "adam": in_place(adam_update, 0.1, 0.9, 0.999, 1e-7, 0.1, 0.02, slots=2),
    "tall product": lambda dtype: [matmul(normal((300, 70), 0, dtype), normal((70, 40), 1, dtype))],
    "wide product": lambda dtype: [matmul(normal((20, 70), 0, dtype), normal((300, 70), 1, dtype).T)],
    "transposed product": lambda dtype: [matmul(normal((50, 300), 0, dtype).T, normal((50, 40), 1, dtype))],
    "model": whole_model,
}
for name, module in convolution.ALGORITHMS.items():
    WORK[f"{name} forward"] = lambda dtype, module=module: [
        module.forward(normal(IMAGES, 0, dtype), normal(KERNEL, 1, dtype), STRIDES, PADDING, None, True)
    ]
    WORK[f"{name} backward_input"] = lambda dtype, module=module: [
        module.backward_input(normal(OUT, 3, dtype), normal(KERNEL, 1, dtype), IMAGES, STRIDES, PADDING)
    ]
    WORK[f"{name} backward_kernel"] = lambda dtype, module=module: [
        module.backward_kernel(normal(IMAGES, 0, dtype), normal(OUT, 3, dtype), KERNEL, STRIDES, PADDING)
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", WORK)
def test_one_worker_and_two_give_the_same_bits(name, dtype):
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("needs two Numba threads, NUMBA_NUM_THREADS allows one")
    results = []
    for threads in (1, 2):
        numba.set_num_threads(threads)
        results.append([np.asarray(array) for array in WORK[name](dtype)])
    for one, two in zip(*results):
        assert one.dtype == two.dtype and one.tobytes() == two.tobytes()


def test_the_twin_is_taken_unless_definitions_are_asked_for(monkeypatch):
    taken = []
    monkeypatch.setattr("minitorch_cnn.activations_numba.relu_backward", lambda dy, y: taken.append("twin"))

    @accelerated(numpy="minitorch_cnn.activations_numba")
    def relu_backward(dy, y):
        taken.append("definition")

    x = np.ones(3)
    relu_backward(x, x)
    with pytest.raises(ZeroDivisionError), mtc.definitions_only():
        relu_backward(x, x)
        with mtc.definitions_only():
            relu_backward(x, x)
        relu_backward(x, x)
        raise ZeroDivisionError  # leaves the context like any other way out
    relu_backward(x, x)
    relu_backward.definition(x, x)
    assert taken == ["twin", "definition", "definition", "definition", "twin", "definition"]


def test_a_backend_without_a_twin_runs_the_definition():
    @accelerated(cupy="a.module.that.is.not.there")
    def double(x):
        return 2 * x

    assert double(np.array([1.0, 2.0])).tolist() == [2, 4]


def test_workspace_is_kept_and_grows():
    first = workspace("test", (3, 5), "float32")
    assert first.shape == (3, 5) and first.dtype == np.float32
    assert np.shares_memory(workspace("test", (7,), "float32"), first)
    assert not np.shares_memory(workspace("test", (7,), "float64"), first)
    assert not np.shares_memory(workspace("another", (7,), "float32"), first)
    assert workspace("test", (100, 100), "float32").shape == (100, 100)
