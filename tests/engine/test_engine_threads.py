"""One worker or two, every compiled function gives the same bits; and how twins are found."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest
from engine_helpers import normal
from minitorch_cnn.activations import relu_backward
from minitorch_cnn.optimizers import adam_update, rmsprop_update, sgd_update

import minitorch_cnn as mtc
from minitorch_cnn import convolution, layers, losses, optimizers
from minitorch_cnn.engine import activations
from minitorch_cnn.engine import losses as engine_losses
from minitorch_cnn.engine.convolution import depthwise, row_windows
from minitorch_cnn.engine.layers.dropout import drop
from minitorch_cnn.engine.layers.max_pool2d import max_pool, max_pool_backward
from minitorch_cnn.engine.matmul import matmul
from minitorch_cnn.engine.more_activations import bent_relu, bent_relu_backward, erf
from minitorch_cnn.twins.numba.convolution import pooled
from minitorch_cnn.twins.numba.workspace import workspace

IMAGES, STRIDES = (3, 19, 30, 8), (1, 1)  # several blocks of columns, the last one ends within an image
GEOMETRIES = {  # (x, kernel, y, padding)
    "3x2": (IMAGES, (3, 2, 8, 5), (3, 18, 30, 5), ((1, 0), (0, 1))),
    "3x3, many tiles": (IMAGES, (3, 3, 8, 37), (3, 19, 28, 37), ((1, 1), (0, 0))),
    "3x3, few tiles": ((1, 5, 6, 20), (3, 3, 20, 150), (1, 5, 6, 150), ((1, 1), (1, 1))),
}
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


def depthwise_all(dtype):
    x, geometry = normal(IMAGES, 0, dtype), ((2, 1), ((1, 0), (0, 2)), (1, 2))
    kernel = normal((3, 2, 8, 3), 1, dtype)
    y = depthwise.forward(x, kernel, *geometry, normal(24, 2, dtype))
    dy = normal(y.shape, 3, dtype)
    return (y, depthwise.backward_input(dy, kernel, IMAGES, *geometry),
            depthwise.backward_kernel(x, dy, kernel.shape, *geometry))  # fmt: skip


def pointwise_all(dtype):
    x, geometry = normal(IMAGES, 0, dtype), ((1, 1), ((0, 0), (0, 0)))
    kernel, dy = normal((1, 1, 8, 43), 1, dtype), normal((*IMAGES[:3], 43), 2, dtype)
    y = row_windows.forward(x, kernel, *geometry, normal(43, 3, dtype))
    return (y, row_windows.backward_input(dy, kernel, IMAGES, *geometry),
            row_windows.backward_kernel(x, dy, kernel.shape, *geometry))  # fmt: skip


# name: a function of the dtype that returns the arrays it made
WORK = {
    "relu": lambda dtype: [relu_backward(normal(LONG, 0, dtype), normal(LONG, 1, dtype))],
    "max pool": max_pool_both_ways,
    "depthwise": depthwise_all,
    "1x1 convolution": pointwise_all,
    "bent ReLU": lambda dtype: [bent_relu(normal(LONG, 0, dtype), 0.1, 1.0, 0.2)],
    "bent ReLU backward": lambda dtype: [bent_relu_backward(*(normal(LONG, i, dtype) for i in (0, 1)), 0.1, 1.0, 0)],
    "erf": lambda dtype: [erf(normal(LONG, 0, dtype))],
    "dropout": lambda dtype: drop(normal(LONG, 0, dtype), 0.3, (1, 2), 3),
    "sgd": in_place(sgd_update, 0.1, 0.9, True, 0.1),
    "rmsprop": in_place(rmsprop_update, 0.1, 0.9, 1e-7, 0.1),
    "adam": in_place(adam_update, 0.1, 0.9, 0.999, 1e-7, 0.1, 0.02, slots=2),
    "tall product": lambda dtype: [matmul(normal((300, 70), 0, dtype), normal((70, 40), 1, dtype))],
    "wide product": lambda dtype: [matmul(normal((20, 70), 0, dtype), normal((300, 70), 1, dtype).T)],
    "transposed product": lambda dtype: [matmul(normal((50, 300), 0, dtype).T, normal((50, 40), 1, dtype))],
    "model": whole_model,
}


def convolution_work(module, geometry):
    """[(pass, a function of the dtype)] of an algorithm."""
    x, kernel, out, padding = geometry
    where = STRIDES, padding
    return [
        ("forward", lambda dtype: [module.forward(normal(x, 0, dtype), normal(kernel, 1, dtype), *where)]),
        ("dx", lambda dtype: [module.backward_input(normal(out, 3, dtype), normal(kernel, 1, dtype), x, *where)]),
        ("dkernel", lambda dtype: [module.backward_kernel(normal(x, 0, dtype), normal(out, 3, dtype), kernel, *where)]),
    ]


def fused_work(module, geometry):
    """As `convolution_work`, with the pool behind the convolution."""
    x, kernel, out, padding = geometry

    def work(dtype):
        twin = module.forward.find("numba")
        y, winner = twin(normal(x, 0, dtype), normal(kernel, 1, dtype), STRIDES, padding, None, relu=True, pool=True)
        return y, winner, *pooled.backward(normal(y.shape, 1, dtype), winner, out[1:3])

    return work


for shape, geometry in GEOMETRIES.items():
    for name, module in convolution.ALGORITHMS.items():
        WORK |= {f"{name}, {shape}, {step}": work for step, work in convolution_work(module, geometry)}
        if name in ("row_windows", "winograd"):
            WORK[f"{name}, {shape}, pooled"] = fused_work(module, geometry)


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


@pytest.mark.parametrize(
    "limits, wanted",
    [
        ({"OMP_NUM_THREADS": "1"}, 1),
        ({"OMP_NUM_THREADS": "1,4"}, 1),  # of each level of nested regions
        ({"NUMBA_NUM_THREADS": "1"}, 1),
        ({"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "2"}, 1),  # who names Numba means Numba
        ({"OMP_NUM_THREADS": "100000"}, len(os.sched_getaffinity(0))),  # not more than there are cores
        ({"OMP_NUM_THREADS": "many"}, len(os.sched_getaffinity(0))),
        ({}, len(os.sched_getaffinity(0))),
    ],
)
def test_limits_in_the_environment_are_kept(limits, wanted):
    program = (
        "import numpy as np, minitorch_cnn as mtc\n"
        "mtc.layers.ReLU().backward_pass(np.ones((2, 3)), (np.ones((2, 3)),))\n"
        "import numba; print(numba.get_num_threads())"
    )
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", program], env=environment | limits, capture_output=True, text=True)
    assert done.stdout.strip() == str(wanted), done.stderr


def test_the_twin_is_taken_unless_definitions_are_asked_for(monkeypatch):
    taken = []
    relu = activations.relu_backward
    monkeypatch.setitem(relu.twins, "numba", lambda dy, y: taken.append("twin"))
    monkeypatch.setattr(relu, "definition", lambda dy, y: taken.append("definition"))
    monkeypatch.setattr(relu.guard, "holds", lambda library: True)
    x = np.ones(3)
    relu(x, x)
    with pytest.raises(ZeroDivisionError), mtc.definitions_only():
        relu(x, x)
        with mtc.definitions_only():
            relu(x, x)
        relu(x, x)
        raise ZeroDivisionError  # leaves the context like any other way out
    relu(x, x)
    monkeypatch.setattr(relu.guard, "holds", lambda library: False)
    relu(x, x)
    assert taken == ["twin", "definition", "definition", "definition", "twin", "definition"]


def test_a_library_without_a_twin_runs_the_definition():
    assert engine_losses.softmax_cross_entropy.find("numba") is None
    value, _ = engine_losses.softmax_cross_entropy(np.zeros((2, 4)), np.eye(4)[[1, 3]])
    np.testing.assert_allclose(value, np.log(4))


def test_workspace_is_kept_and_grows():
    first = workspace("test", (3, 5), "float32")
    assert first.shape == (3, 5) and first.dtype == np.float32
    assert np.shares_memory(workspace("test", (7,), "float32"), first)
    assert not np.shares_memory(workspace("test", (7,), "float64"), first)
    assert not np.shares_memory(workspace("another", (7,), "float32"), first)
    assert workspace("test", (100, 100), "float32").shape == (100, 100)
