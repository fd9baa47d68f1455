"""Muon: the orthogonal matrix against NumPy's singular values, its steps against formulas and PyTorch's Muon."""

import numpy as np
import pytest
from engine_helpers import normal, relative_error
from minitorch_cnn.optimizers import SGD, Muon

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses
from minitorch_cnn.engine.orthogonal import orthogonal

SHAPES = [(45, 7), (7, 45), (13, 12), (1, 9), (9, 1)]


def by_singular_values(matrix, steps=5):
    """The same polynomial, applied to each singular value on its own."""
    u, s, v = np.linalg.svd(matrix, full_matrices=False)
    s = s / np.linalg.norm(s)
    for _ in range(steps):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return (u * s) @ v


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_orthogonal_acts_on_the_singular_values(shape):
    matrix = normal(shape, 1) ** 3
    assert relative_error(orthogonal(matrix), by_singular_values(matrix)) < 1e-5
    assert relative_error(orthogonal(1e-6 * matrix), by_singular_values(matrix)) < 0.05, "the size hardly matters"
    with mtc.definitions_only():
        assert relative_error(orthogonal(matrix), by_singular_values(matrix)) < 1e-5


def test_singular_values_become_nearly_one():
    u, _, v = np.linalg.svd(normal((30, 8)), full_matrices=False)
    found = np.linalg.svd(orthogonal((u * np.geomspace(1, 0.002, 8)) @ v), compute_uv=False)
    assert found.min() > 0.68 and found.max() < 1.21


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_zeros_stay_zeros_and_the_dtype_is_kept(dtype):
    found = orthogonal(np.zeros((6, 3), dtype))
    assert found.dtype == dtype and not found.any()


def model_of_all_kinds(dtype="float64"):
    stack = [
        layers.Conv2D(6, 3, name="first"),
        layers.Conv2D(4, (1, 3), groups=2, name="grouped"),
        layers.BatchNorm(name="norm"),
        layers.DepthwiseConv2D(3, padding="same", name="depthwise"),
        layers.Activation("relu"),
        layers.Conv2D(12, 1, use_bias=False, name="wide"),  # more columns than rows
        layers.Flatten(),
        layers.Dense(3, activation="softmax", name="top"),
    ]
    return mtc.Sequential(stack, (7, 8, 5), seed=1, dtype=dtype)


def with_gradients(model, step, factor=1.0):
    for segment in model.segments():
        segment.gradients[:] = factor * normal(segment.gradients.shape, step)
    return model


def copies(model, kind):
    return {(layer.name, name): array.copy() for layer in model.layers for name, array in getattr(layer, kind).items()}


def values(model):
    return copies(model, "parameters")


MATRICES = {("first", "kernel"), ("wide", "kernel")}


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_kernels_step_along_orthogonal_matrices_and_the_rest_as_in_sgd(momentum, nesterov):
    options = {"nesterov": nesterov, "weight_decay": 0.3, "multipliers": {"top": 2.0}}
    model, plain = model_of_all_kinds(), model_of_all_kinds()
    muon, sgd = Muon(0.1, momentum, **options), SGD(0.1, momentum, **options)
    moments = {key: 0.0 for key in MATRICES}
    for step in range(3):
        before = values(model)
        gradients = copies(with_gradients(model, step), "gradients")
        muon.step(model)
        sgd.step(with_gradients(plain, step))
        after, after_sgd = values(model), values(plain)
        for key in after:
            if key not in MATRICES:
                np.testing.assert_array_equal(after[key], after_sgd[key], str(key))
                continue
            moments[key] = momentum * moments[key] + gradients[key]
            along = gradients[key] + momentum * moments[key] if nesterov else moments[key]
            matrix = along.reshape(-1, along.shape[-1])
            scale = max(1, matrix.shape[1] / matrix.shape[0]) ** 0.5
            wanted = (1 - 0.03) * before[key] - 0.1 * scale * by_singular_values(matrix).reshape(along.shape)
            np.testing.assert_allclose(after[key], wanted, atol=1e-6)


def test_the_size_of_the_gradient_does_not_matter():
    model, larger = (with_gradients(model_of_all_kinds(), 0, factor) for factor in (1.0, 1000.0))
    for one in (model, larger):
        Muon(0.1).step(one)
    for key in MATRICES:
        np.testing.assert_allclose(values(model)[key], values(larger)[key], atol=1e-6)


def test_training_with_muon_lowers_the_loss_and_leaves_frozen_kernels():
    model = model_of_all_kinds("float32")
    model.get_layer("first").trainable = False
    before = values(model)
    x, labels = normal((30, 7, 8, 5), 2, "float32"), np.arange(30) % 3
    history = model.fit(x, labels, optimizer=Muon(0.05, 0.9), loss=losses.CrossEntropy(), epochs=12, progress=False)
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    np.testing.assert_array_equal(values(model)["first", "kernel"], before["first", "kernel"])


def test_state_of_matrices_is_kept_when_layers_are_unfrozen():
    model = model_of_all_kinds()
    model.get_layer("first").trainable = False
    optimizer = Muon(0.1)
    optimizer.step(with_gradients(model, 0))
    kept = {key: array.copy() for key, array in optimizer.state().items()}
    model.get_layer("first").trainable = True
    optimizer.prepare(model)
    state = optimizer.state()
    assert not state["momentum", "first", "kernel"].any()
    for key, array in kept.items():
        np.testing.assert_array_equal(state[key], array)


@pytest.mark.parametrize("nesterov", [True, False])
def test_against_pytorch(nesterov):
    torch = pytest.importorskip("torch")
    model = mtc.Sequential([layers.Conv2D(6, 3, use_bias=False)], (5, 6, 4), seed=0, dtype="float32")
    kernel = model.layers[0].parameters["kernel"]
    w = torch.nn.Parameter(torch.from_numpy(kernel.reshape(-1, 6).T.copy()))  # PyTorch's kernels begin with the filters
    theirs = torch.optim.Muon([w], lr=0.1, momentum=0.8, nesterov=nesterov, weight_decay=0.2)
    ours = Muon(0.1, 0.8, nesterov, weight_decay=0.2)
    for step in range(4):
        (segment,) = with_gradients(model, step).segments()
        w.grad = torch.from_numpy(segment.gradients.reshape(-1, 6).T.copy())
        ours.step(model)
        theirs.step()
    assert relative_error(kernel.reshape(-1, 6).T, w.detach().numpy()) < 0.02, "PyTorch computes it in bfloat16"
