"""float32 stays float32: in every layer, through every optimizer, compiled or not."""

import contextlib

import numpy as np
import pytest
from engine_helpers import arrays_in, distinct, normal, one_line, relative_error
from engine_layers import LAYERS

import minitorch_cnn as mtc
from minitorch_cnn import activations, layers, losses, optimizers
from minitorch_cnn.engine.matmul import matmul
from minitorch_cnn.engine.reductions import channel_sum
from minitorch_cnn.errors import ArgumentError

PATHS = {"twin": contextlib.nullcontext, "definition": mtc.definitions_only}
OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(0.01),
    "sgd, nesterov, decay": lambda: optimizers.SGD(mtc.schedules.Cosine(0.01, 9), 0.9, True, weight_decay=0.1),
    "rmsprop": lambda: optimizers.RMSprop(0.01, weight_decay=0.1),
    "adam": lambda: optimizers.Adam(mtc.schedules.OneCycle(0.01, 9), weight_decay=0.1),
    "muon": lambda: optimizers.Muon(0.01, weight_decay=0.1),
}


def floats(thing):
    """The dtypes of the floating-point arrays and NumPy scalars in a thing."""
    return {array.dtype.name for array in arrays_in(thing) if array.dtype.kind == "f"}


def run_layer(name, dtype, training, path):
    """(everything that a layer made of x and dy, y, dx)."""
    make, shape = LAYERS[name]
    layer = make()
    with path():
        y = layer.forward(distinct((2, *shape), 5, dtype), training)
        kept = [y, layer.cache]
        dx = layer.backward(normal(y.shape, 1, dtype))
    return [kept, dx, layer.parameters, layer.gradients], y, dx


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("name", LAYERS)
def test_layer(name, training, path):
    made, y, dx = run_layer(name, "float32", training, PATHS[path])
    assert y.dtype == dx.dtype == np.float32 and floats(made) == {"float32"}
    exact, exact_y, exact_dx = run_layer(name, "float64", training, PATHS[path])
    assert floats(exact) == {"float64"}
    assert relative_error(y, exact_y) < 1e-5 and relative_error(dx, exact_dx) < 1e-5


def every_kind_of_layer():
    return [
        layers.ZeroPad2D((0, 1)),
        layers.Conv2D(3, (3, 2), padding="same", activation="relu"),
        layers.BatchNorm(),
        layers.MaxPool2D(2, 1),
        layers.Dropout(0.3),
        layers.Conv2D(4, 2, activation="sigmoid", algorithm="naive"),
        layers.AveragePool2D(2, 1, "same"),
        layers.Tanh(),
        layers.Conv2D(4, 2),
        layers.ReLU(),
        layers.Flatten(),
        layers.Dense(5, "tanh"),
        layers.BatchNorm(trainable=False),
        layers.Dense(4),
        layers.Sigmoid(),
        layers.Dense(3),
        layers.Softmax(),
    ]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_model_in_training(optimizer, path):
    model = mtc.Sequential(every_kind_of_layer(), (5, 6, 2), seed=0)
    optimizer = OPTIMIZERS[optimizer]()
    x = normal((3, 5, 6, 2))  # float64: the user's, not the model's
    with PATHS[path]():
        for _ in range(3):
            assert type(model.train_step(x, [0, 2, 1], losses.CrossEntropy(), optimizer)) is float
        y = model.forward(x, training=True)
        caches = [step.kept for step in model._last.steps]
        dx = model.backward(np.ones((3, 3)))
        made = {
            "caches": caches,
            "outputs": [y, dx, model.prediction, model.predict(x)],
            "parameters": [layer.parameters for layer in model.layers],
            "gradients": [layer.gradients for layer in model.layers],
            "optimizer": [optimizer.state(), model.vector.values],
            "vectors": [[segment.parameters, segment.gradients] for segment in model.segments()],
            "state": model.state(),
        }
        for name, thing in made.items():
            assert floats(thing) == {"float32"}, name


def test_a_global_average_ends_a_float32_model():
    model = mtc.Sequential([layers.Conv2D(3, 2), layers.GlobalAveragePool2D(), layers.Softmax()], (4, 5, 2), seed=0)
    model.train_step(normal((3, 4, 5, 2)), [0, 1, 2], losses.CrossEntropy(), optimizers.Adam())
    assert floats([model.prediction, model.state(), model.layers[0].gradients]) == {"float32"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", activations.ACTIVATIONS)
def test_activation(name, dtype):
    activation = activations.get(name)
    y = activation.forward(distinct((3, 4), 1, dtype))
    assert y.dtype == activation.backward(normal((3, 4), 2, dtype), y).dtype == dtype


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", losses.LOSSES.values())
def test_loss(kind, dtype):
    labels = np.eye(3)[[0, 2, 1]]  # float64
    for name in ("value_and_gradient", "from_scores"):
        if hasattr(kind, name):
            value, gradient = getattr(kind(), name)(np.full((3, 3), 0.25, dtype), labels)
            assert type(value) is float and gradient.dtype == dtype


def test_numbers_given_as_numpy_scalars_do_no_harm():
    """np.float64 promotes a float32 array, where the float it came from would not."""
    half = np.float64(0.5)
    stack = [layers.Conv2D(3, 2), layers.BatchNorm(momentum=half, epsilon=half), layers.Dropout(half),
             layers.Flatten(), layers.Dense(2, "softmax")]  # fmt: skip
    model = mtc.Sequential(stack, (3, 4, 2), seed=0)
    for optimizer in [
        optimizers.SGD(np.float64(0.1), half, True, weight_decay=half),
        optimizers.RMSprop(half, rho=half, epsilon=half, weight_decay=half),
        optimizers.Adam(half, half, half, half, half),
    ]:
        for path in PATHS.values():
            with path():
                model.train_step(normal((2, 3, 4, 2)), [0, 1], losses.CrossEntropy(), optimizer)
                y = model.forward(normal((2, 3, 4, 2)), training=True)
            caches = [step.kept for step in model._last.steps]
            assert floats([y, caches, model.state(), optimizer.state()]) == {"float32"}


@pytest.mark.parametrize("dtype", ["int64", "uint8", "float16", "complex128", "bool"])
@pytest.mark.parametrize("make", [make for make, _ in LAYERS.values()], ids=LAYERS)
def test_a_layer_alone_wants_floats(make, dtype):
    layer = make()
    with pytest.raises(ArgumentError) as error:
        layer.forward(np.zeros((1, 8, 9, 2), dtype))
    assert one_line(error, layer.name, "float32", "float64", dtype)


ALONE = [(lambda: layers.Dense(3), (2, 7)), (lambda: layers.Conv2D(3, 2), (2, 4, 5, 2))]


@pytest.mark.parametrize("a, b", [("float32", "float64"), ("float64", "float32"), ("float64", "float64")])
@pytest.mark.parametrize("make, shape", ALONE)
def test_a_gradient_of_another_dtype_is_promoted_as_numpy_would(make, shape, a, b):
    """Compiled code that took float64 memory for float32 would read beyond its end."""
    results = []
    for path in PATHS.values():
        layer = make()
        with path():
            y = layer.forward(normal(shape, 0, a))
            results.append((layer.backward(normal(y.shape, 1, b)), layer.gradients["kernel"]))
    for one, other in zip(*results):
        assert one.dtype == other.dtype == np.float64 and relative_error(one, other) < 1e-6


@pytest.mark.parametrize("shapes", [(1, 1, 1), (3, 5, 2), (70, 9, 33), (5, 8, 150), (1, 40, 1), (40, 1, 40)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_matrix_product(shapes, dtype):
    M, K, N = shapes
    wanted = np.einsum("mk,kn->mn", normal((M, K)), normal((K, N), 1))
    a, b = normal((M, K), 0, dtype), normal((K, N), 1, dtype)
    for left in (a, np.asfortranarray(a), np.repeat(a, 2, axis=1)[:, ::2], a[::-1].copy()[::-1]):
        for right in (b, np.asfortranarray(b), np.repeat(b, 2, axis=0)[::2]):
            for product in (matmul, matmul.definition):
                c = product(left, right)
                assert c.dtype == dtype and relative_error(c, wanted) < (1e-5 if dtype == "float32" else 1e-13)


@pytest.mark.parametrize("shape", [(1, 3), (255, 3), (256, 2), (257, 2), (3, 7, 41, 5), (1000, 1)])
def test_channel_sum(shape):
    exact = normal(shape, 0, "float32").astype("float64").reshape(-1, shape[-1]).sum(axis=0)
    got = channel_sum(normal(shape, 0, "float32"))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, exact, rtol=0, atol=1e-6 * np.sqrt(np.prod(shape)))


def test_channel_sum_is_more_exact_than_one_long_sum():
    x = np.full((1_000_000, 2), np.float32(100.01))
    exact = float(x[0, 0]) * 1_000_000
    assert abs(channel_sum(x)[0] - exact) < abs(x.sum(axis=0)[0] - exact) / 50
