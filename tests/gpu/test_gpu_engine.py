"""Algorithms, losses, optimizers, augmentation and whole models on the stand-in, each beside NumPy.

Run twice where it matters: by the plain definitions, and by the twins with their kernels on the host.
"""

import contextlib

import numpy as np
import pytest
from engine_helpers import distinct, normal, one_line, relative_error
from gpu_helpers import on_standin, there
from standin_arrays import device
from test_engine_convolution import CASES, problem
from test_engine_dtypes import OPTIMIZERS, every_kind_of_layer
from test_engine_random import KNOWN, words

import minitorch_cnn as mtc
from minitorch_cnn import activations, convolution, layers, losses, metrics, models, optimizers, preprocessing
from minitorch_cnn.arrays import moved, on_host
from minitorch_cnn.datasets import Augmentation
from minitorch_cnn.datasets.batches import Batches
from minitorch_cnn.engine.clipping import clip_to_norm
from minitorch_cnn.engine.philox import philox, random_bits
from minitorch_cnn.errors import ArgumentError, LabelError
from minitorch_cnn.gradients.gallery import every_layer
from minitorch_cnn.gradients.grad_cam import grad_cam
from minitorch_cnn.training import counting

PATHS = pytest.mark.parametrize("path", [mtc.definitions_only, contextlib.nullcontext], ids=["definitions", "twins"])


def on_device(thing):
    """Whether all arrays within are the device's."""
    if isinstance(thing, dict):
        return all(map(on_device, thing.values()))
    return there(thing) or isinstance(thing, int)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", convolution.ALGORITHMS)
def test_definition_of_an_algorithm(xp, name, case):
    algorithm = convolution.ALGORITHMS[name]
    x, kernel, bias, dy, strides, padding = problem(CASES[case], "float32")
    there = [moved(array, xp) for array in (x, kernel, bias, dy)]
    results = []
    with mtc.definitions_only():
        for a, k, b, d in ((x, kernel, bias, dy), there):
            y = algorithm.forward(a, k, strides, padding, b)
            dx = algorithm.backward_input(d, k, x.shape, strides, padding)
            results.append((y, dx, algorithm.backward_kernel(a, d, kernel.shape, strides, padding)))
    for wanted, got in zip(*results):
        # Winograd's transformations multiply by 5 and subtract, and CuPy's einsum adds up in another order.
        limit = 1e-5 if name == "winograd" else 1e-6
        assert got.dtype == np.float32 and relative_error(on_host(got), wanted) < limit


def test_what_auto_takes(xp):
    def chosen(shape, kernel, strides=(1, 1)):
        x = xp.zeros(shape, dtype="float32")
        return convolution.choose("auto", x, kernel, strides, (shape[1] - 2, shape[2] - 2)).__name__.rpartition(".")[2]

    assert chosen((2, 9, 9, 32), (3, 3, 32, 64)) == "row_windows"
    assert chosen((2, 9, 9, 3), (3, 3, 3, 64)) == "im2col"  # rows of 3 numbers lie badly for a tensor core
    assert chosen((2, 9, 9, 32), (3, 3, 32, 64), (2, 2)) == "im2col"
    assert chosen((2, 9, 9, 32), (1, 1, 32, 64)) == "im2col"  # its columns are the image itself


@pytest.mark.parametrize("counter, key, answer", KNOWN)
def test_philox_known_answers(xp, counter, key, answer):
    assert [int(word) for word in philox(words(counter), words(key), xp)] == words(answer)
    counts = (7, 3), (5 << 32) + 9
    np.testing.assert_array_equal(on_host(random_bits(10, *counts, xp)), random_bits(10, *counts))


@pytest.mark.parametrize("name", activations.ACTIVATIONS)
def test_activation(xp, name):
    activation, x, dy = activations.get(name), distinct((3, 5), 1, "float32"), normal((3, 5), 2, "float32")
    y, gx = activation.forward(x), moved(x, xp)
    gy = activation.forward(gx)
    assert gy.dtype == y.dtype and relative_error(on_host(gy), y) < 1e-6
    seen, gseen = (x, gx) if getattr(activation, "from_scores", False) else (y, gy)
    assert relative_error(on_host(activation.backward(moved(dy, xp), gseen)), activation.backward(dy, seen)) < 1e-6


LABELS = [[2, 0, 1, 1], np.eye(3)[[2, 0, 1, 1]], np.array([[2], [0], [1], [1]]), np.abs(normal((4, 3)))]


@PATHS
@pytest.mark.parametrize("kind", losses.LOSSES.values())
@pytest.mark.parametrize("method", ["from_scores", "value_and_gradient"])
def test_loss(xp, kind, method, path):
    if not hasattr(kind, method):
        return  # a loss that follows no activation has no scores
    prediction = np.random.default_rng(0).random((4, 3), dtype=np.float32)
    for labels in LABELS if kind is losses.CrossEntropy else [(normal((4, 3)) > 0).astype("int64")]:
        wanted, gradient = getattr(kind(), method)(prediction, labels)
        for given in (labels, xp.asarray(np.asarray(labels))):  # from the host, or from the device
            with path():
                value, got = getattr(kind(), method)(moved(prediction, xp), given)
            assert type(value) is float and value == pytest.approx(wanted, rel=1e-6)
            assert got.dtype == np.float32 and relative_error(on_host(got), gradient) < 1e-6


def test_wrong_labels_are_found_on_the_host(xp):
    scores = moved(normal((3, 4), 0, "float32"), xp)
    with pytest.raises(LabelError) as error:
        losses.CrossEntropy().from_scores(scores, [0, 4, 1])
    assert one_line(error, "0 to 3", "4")
    assert not on_standin(xp) or device.waits == 0


def model_of_everything(seed=0, dtype="float32"):
    return mtc.Sequential(every_kind_of_layer(), (5, 6, 2), seed=seed, dtype=dtype)


def train(model, optimizer, steps=3):
    x = normal((3, 5, 6, 2), 7)
    return [model.train_step(x, [0, 2, 1], losses.CrossEntropy(), optimizer) for _ in range(steps)]


@PATHS
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_is_the_same(xp, name, path):
    """Same seed: same initial weights, same dropout, and so the same training, but for rounding."""
    host, there = model_of_everything(), model_of_everything().to("cupy")
    for key, value in there.state().items():
        np.testing.assert_array_equal(on_host(value), host.state()[key])
    optimizer, other = OPTIMIZERS[name](), OPTIMIZERS[name]()
    with path():
        values = train(there, optimizer)
    with mtc.definitions_only():
        wanted = train(host, other)
    assert values == pytest.approx(wanted, rel=1e-5)
    for key, value in there.state().items():
        np.testing.assert_allclose(on_host(value), host.state()[key], rtol=1e-3, atol=2e-5, err_msg=key)
    assert on_device(there.state()) and on_device(optimizer.state())
    assert on_device({layer.name: dict(layer.gradients) for layer in there.layers})


@PATHS
@pytest.mark.parametrize("norm", [1e-3, 1e6])
def test_gradients_clipped(xp, norm, path):
    host, vector = (normal((300,), 0, "float32") for _ in range(2))
    vector = xp.asarray(vector)
    with path():
        clip_to_norm([vector], norm)
    clip_to_norm([host], norm)
    np.testing.assert_allclose(on_host(vector), host, rtol=1e-6)


@PATHS
def test_gradient_check(xp, path):
    """Every kind of layer, by central differences, on the device."""
    for layer, x, training in every_layer():
        with path():
            x = [moved(each, xp) for each in x] if isinstance(x, list) else moved(x, xp)
            report = mtc.gradient_check(layer, x, training=training, most=6)
        assert report.passed, report
    with path():
        report = mtc.gradient_check(model_of_everything().to("cupy"), labels=[0, 2], most=3)
    assert report.passed, report


def test_there_and_back(xp):
    """Weights, statistics, dropout counts and the optimizer's state follow; training goes on as if nothing was."""
    stayed, moving = model_of_everything(), model_of_everything()
    one, other = optimizers.SGD(0.01, 0.9), optimizers.SGD(0.01, 0.9)
    with mtc.definitions_only():
        wanted = train(stayed, one, 4)
        values = train(moving, other, 1)
        for backend in ("cupy", "cupy", "numpy"):
            assert moving.to(backend) is moving and moving.backend == backend
            values += train(moving, other, 1)
    assert values == pytest.approx(wanted, rel=1e-4)
    for key, value in moving.state().items():
        assert isinstance(value, (np.ndarray, int))
        np.testing.assert_allclose(value, stayed.state()[key], rtol=1e-3, atol=1e-5)


def test_a_model_without_shapes_goes_too(xp):
    model = mtc.Sequential([layers.Dense(3)]).to("cupy")
    assert there(model.forward(normal((2, 5)))) and on_device(model.state())


def test_what_goes_in_and_what_comes_out(xp):
    model = mtc.Sequential([layers.Dense(3, "softmax")], (5,), seed=0).to("cupy")
    x = normal((7, 5), 0, "float32")
    assert isinstance(model.predict(x, batch_size=3), np.ndarray)
    assert there(model.predict(moved(x, xp), batch_size=3))
    assert model.evaluate(x, [0] * 7)["accuracy"] == (model.predict(x).argmax(axis=1) == 0).mean()
    assert there(model.backward(model.forward(x)))
    with pytest.raises(ArgumentError) as error:
        mtc.Sequential([layers.Dense(3)], (5,)).forward(moved(x, xp))
    assert one_line(error, "host", 'model.to("cupy")')


def test_surgery_copies_and_files(xp, tmp_path):
    model = mtc.Sequential([layers.Conv2D(3, 2), layers.BatchNorm(), layers.Flatten(), layers.Dense(2)], (4, 5, 2),
                           seed=1).to("cupy")  # fmt: skip
    before = {key: on_host(value) for key, value in model.state().items()}
    twin = model.copy()
    assert on_device(twin.state()) and twin.fingerprints() == model.fingerprints()
    model.save_weights(tmp_path / "there.h5")
    grown = model.cut(after="flatten_1").extend([layers.Dense(4, "softmax")])
    assert on_device(grown.state())
    np.testing.assert_array_equal(
        on_host(grown.get_layer("conv2d_1").parameters["kernel"]), before["conv2d_1", "kernel"]
    )
    host = mtc.Sequential.from_config(twin.config())
    host.load_weights(tmp_path / "there.h5")
    assert host.fingerprints() == twin.fingerprints()
    twin.load_weights(tmp_path / "there.h5")
    assert on_device(twin.state()) and twin.fingerprints() == host.fingerprints()


def test_grad_cam(xp):
    def net():
        stack = [
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPool2D(2),
            layers.Flatten(),
            layers.Dense(3, "softmax"),
        ]
        return mtc.Sequential(stack, (9, 8, 2), seed=0)

    image = normal((9, 8, 2), 3, "float32")
    wanted = grad_cam(net(), image, "max_pool2d_1")
    got = grad_cam(net().to("cupy"), moved(image, xp), "max_pool2d_1")
    np.testing.assert_allclose(on_host(got), wanted, atol=1e-5)


@PATHS
@pytest.mark.parametrize(
    "options", [{"flip": True, "shift": 0.3}, {"rotate": 20, "zoom": 0.1, "shear": 5, "flip": True}]
)
@pytest.mark.parametrize("fill", ["nearest", "zero", "reflect"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_augmentation_gives_the_same_images(xp, options, fill, dtype, path):
    images = np.random.default_rng(0).integers(0, 256, (5, 7, 6, 3)).astype(dtype)
    augment = Augmentation(**options, fill=fill)
    with path():
        got = augment(moved(images, xp), np.random.default_rng(4))
    np.testing.assert_array_equal(on_host(got), augment(images, np.random.default_rng(4)))


def test_batches_from_the_device_are_those_from_the_host(xp):
    images, labels = np.random.default_rng(0).integers(0, 256, (23, 6, 5, 3)).astype("uint8"), np.arange(23)
    options = {"seed": 3, "augment": Augmentation(flip=True, shift=0.2), "workers": 0}
    with mtc.definitions_only():
        pairs = zip(
            Batches(images, labels, 5, **options).epoch(2), Batches(moved(images, xp), labels, 5, **options).epoch(2)
        )
        for (x, y), (gx, gy) in pairs:
            assert there(gx)
            np.testing.assert_array_equal(on_host(gx), x)
            np.testing.assert_array_equal(gy, y)


@PATHS
@pytest.mark.parametrize(
    "make", [lambda: preprocessing.Standardize([1, 2, 3], [4, 5, 6]), preprocessing.Unit, preprocessing.Caffe]
)
def test_preprocessing(xp, make, path):
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3)).astype("uint8")
    with path():
        got = make()(moved(images, xp))
    assert got.dtype == np.float32
    np.testing.assert_allclose(on_host(got), make()(images), rtol=1e-6)


def test_metrics(xp):
    prediction = np.random.default_rng(0).random((6, 3), dtype=np.float32)
    moved_there = moved(prediction, xp)
    for labels in ([0, 1, 2, 0, 1, 2], np.eye(3)[[0, 1, 2, 0, 1, 2]]):
        expected = (prediction.argmax(axis=1) == [0, 1, 2, 0, 1, 2]).sum()
        for made in (moved_there, prediction):
            assert counting.count_correct(made, labels, ["class"]) == expected
    np.testing.assert_array_equal(
        on_host(metrics.class_probabilities(moved_there[:, :1])), metrics.class_probabilities(prediction[:, :1])
    )


@pytest.mark.parametrize("make", [models.cifar10, models.cats_vs_dogs])
def test_the_networks_of_the_slides_in_one_step(xp, make):
    """Only that every operation they need is there: small images, one step, by the definitions."""
    size = (32, 32, 3) if make is models.cifar10 else (38, 40, 3)
    options = {} if make is models.cifar10 else {"input_shape": size}
    model = make(dropout=True, seed=0, **options).to("cupy")
    labels = [1, 0]
    with mtc.definitions_only():
        value = model.train_step(normal((2, *size)), labels, model.default_loss(), optimizers.SGD(0.01, 0.9, True))
    assert np.isfinite(value) and on_device(model.state())
