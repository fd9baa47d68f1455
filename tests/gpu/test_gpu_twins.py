"""Every GPU twin, launched as it is on a GPU, its kernels run on the host, against the definition on NumPy.

The kernels are compiled by a C++ compiler with the checks for undefined behaviour switched on.
"""

import numpy as np
import pytest
from engine_helpers import distinct, normal, one_line, relative_error
from engine_layers import LAYERS
from gpu_helpers import on_standin, there
from standin_arrays import device
from test_engine_convolution import CASES, problem

from minitorch_cnn import activations, losses, optimizers, preprocessing
from minitorch_cnn.arrays import moved, on_host
from minitorch_cnn.datasets import affine
from minitorch_cnn.engine.convolution import im2col, row_windows
from minitorch_cnn.engine.layers.dropout import drop, scale
from minitorch_cnn.engine.layers.max_pool2d import max_pool, max_pool_backward
from minitorch_cnn.engine.matmul import matmul
from minitorch_cnn.engine.philox import random_bits
from minitorch_cnn.engine.reductions import channel_sum
from minitorch_cnn.errors import BackendError
from minitorch_cnn.twins.cuda import kernels
from minitorch_cnn.twins.cuda.convolution import im2col as im2col_cuda
from minitorch_cnn.twins.cuda.convolution import row_windows as row_windows_cuda
from minitorch_cnn.twins.cuda.convolution.epilogue import bias_relu_backward

TOLERANCE = {"float32": 2e-6, "float64": 1e-13}
ALGORITHMS = {"im2col": im2col, "row_windows": row_windows}


def up(xp, *arrays):
    return [moved(array, xp) for array in arrays]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ALGORITHMS)
def test_convolution(xp, name, case, dtype):
    algorithm = ALGORITHMS[name]
    x, kernel, bias, dy, strides, padding = problem(CASES[case], dtype)
    gx, gkernel, gbias, gdy = up(xp, x, kernel, bias, dy)
    for some, gsome in [(None, None), (bias, gbias)]:
        wanted = im2col.forward.definition(x, kernel, strides, padding, some)
        y = algorithm.forward(gx, gkernel, strides, padding, gsome)
        assert y.dtype == dtype and relative_error(on_host(y), wanted) < TOLERANCE[dtype]
        with_relu = algorithm.forward.twin_for(gx)(gx, gkernel, strides, padding, gsome, relu=True)
        assert relative_error(on_host(with_relu), np.maximum(wanted, 0)) < TOLERANCE[dtype]
    dx = algorithm.backward_input(gdy, gkernel, x.shape, strides, padding)
    wanted = im2col.backward_input.definition(dy, kernel, x.shape, strides, padding)
    assert dx.dtype == dtype and relative_error(on_host(dx), wanted) < TOLERANCE[dtype]
    dkernel = algorithm.backward_kernel(gx, gdy, kernel.shape, strides, padding)
    wanted = im2col.backward_kernel.definition(x, dy, kernel.shape, strides, padding)
    assert dkernel.dtype == dtype and relative_error(on_host(dkernel), wanted) < TOLERANCE[dtype]
    assert not on_standin(xp) or "gemm" in device.launches


def test_row_windows_lay_out_no_columns(standin):
    x, kernel, _, dy, strides, padding = problem(CASES["3x3, padding of each side"], "float32")
    x, kernel, dy = up(standin, x, kernel, dy)
    padding = ((1, 1), (1, 1))
    dy = moved(normal((2, 6, 7, 18), 0, "float32"), standin)
    row_windows.forward(x, kernel, strides, padding)
    row_windows.backward_input(dy, kernel, x.shape, strides, padding)
    row_windows.backward_kernel(x, dy, kernel.shape, strides, padding)
    assert {name.rstrip("4") for name in device.launches} == {"lay_out", "strip", "gemm", "sum_rows"}


def test_columns_of_a_few_images_at_a_time(standin, monkeypatch):
    x, kernel, _, dy, strides, padding = problem(((5, 6, 7, 3), (3, 2, 3, 4), (1, 1), "same"), "float64")
    monkeypatch.setattr(im2col_cuda, "COLUMN_BYTES", 2 * 6 * 7 * 3 * 2 * 3 * 8)  # of two images
    gx, gkernel, gdy = up(standin, x, kernel, dy)
    for got, wanted in [
        (im2col.forward(gx, gkernel, strides, padding), im2col.forward.definition(x, kernel, strides, padding)),
        (
            im2col.backward_input(gdy, gkernel, x.shape, strides, padding),
            im2col.backward_input.definition(dy, kernel, x.shape, strides, padding),
        ),
        (
            im2col.backward_kernel(gx, gdy, kernel.shape, strides, padding),
            im2col.backward_kernel.definition(x, dy, kernel.shape, strides, padding),
        ),
    ]:
        assert relative_error(on_host(got), wanted) < 1e-13
    assert device.launches.count("im2col") == 2 * 3 and device.launches.count("col2im") == 3


@pytest.mark.parametrize("name", ALGORITHMS)
def test_no_images(xp, name):
    """There is nothing to add up, so the kernel's gradient is zero, and not what the memory held before."""
    x, dy = xp.empty((0, 5, 6, 4), dtype="float32"), xp.empty((0, 3, 4, 8), dtype="float32")
    kernel, sides = xp.ones((3, 3, 4, 8), dtype="float32"), ((0, 0), (0, 0))
    assert ALGORITHMS[name].forward(x, kernel, (1, 1), sides).shape == (0, 3, 4, 8)
    assert ALGORITHMS[name].backward_input(dy, kernel, x.shape, (1, 1), sides).shape == x.shape
    dkernel = ALGORITHMS[name].backward_kernel(x, dy, kernel.shape, (1, 1), sides)
    np.testing.assert_array_equal(on_host(dkernel), np.zeros(kernel.shape, "float32"))


def test_col2im_has_the_definition_s_bits(xp):
    """It adds in the same order; on a GPU too, and every time, since nobody writes where another does."""
    for case in CASES.values():
        x, kernel, *_, strides, padding = problem(case, "float32")
        columns = normal(im2col.im2col(x, kernel.shape[:2], strides, padding).shape, 3, "float32")
        wanted = im2col.col2im(columns, x.shape, kernel.shape[:2], strides, padding)
        dx = xp.empty(x.shape, dtype="float32")
        im2col_cuda.col2im(moved(columns, xp), dx, kernel.shape[:2], strides, padding)
        np.testing.assert_array_equal(on_host(dx), wanted)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("name", LAYERS)
def test_layer(xp, name, training, dtype):
    make, shape = LAYERS[name]
    x = distinct((2, *shape), 5, dtype)
    results = []
    for library in (np, xp):
        layer = make()
        y = layer.forward(moved(x, library), training)
        dx = layer.backward(moved(normal(y.shape, 1, dtype), library))
        results.append({"y": y, "dx": dx, **layer.parameters, **{f"d{k}": g for k, g in layer.gradients.items()}})
    for key, wanted in results[0].items():
        got = results[1][key]
        assert there(got) and got.dtype == dtype
        assert relative_error(on_host(got), wanted) < TOLERANCE[dtype], key


POOLS = [
    ((2, 6, 7, 3), (2, 2), (2, 2), ((0, 0), (0, 0))),
    ((2, 5, 8, 2), (3, 2), (2, 1), ((1, 0), (0, 1))),
    ((1, 4, 4, 5), (3, 3), (1, 1), ((1, 1), (1, 1))),
    ((2, 3, 9, 1), (2, 3), (3, 4), ((2, 1), (0, 2))),
]


@pytest.mark.parametrize("shape, window, strides, padding", POOLS)
@pytest.mark.parametrize("kind", ["distinct", "ties", "not a number"])
def test_max_pool(xp, shape, window, strides, padding, kind):
    x = distinct(shape, 1, "float32")
    if kind == "ties":
        x = np.sign(x)
    if kind == "not a number":
        x[np.abs(x) < np.median(np.abs(x)) / 2] = np.nan
    y, winner = max_pool.definition(x, window, strides, padding)
    gy, gwinner = max_pool(moved(x, xp), window, strides, padding)
    np.testing.assert_array_equal(on_host(gy), y)
    np.testing.assert_array_equal(on_host(gwinner), winner)
    assert gwinner.dtype == winner.dtype == np.uint8
    dy = normal(y.shape, 2, "float32")
    wanted = max_pool_backward.definition(dy, winner, shape, window, strides, padding)
    got = max_pool_backward(moved(dy, xp), gwinner, shape, window, strides, padding)
    np.testing.assert_array_equal(on_host(got), wanted)


def test_a_pool_whose_places_do_not_fit_into_a_byte(xp):
    x = normal((1, 17, 18, 2), 0, "float32")
    y, winner = max_pool(moved(x, xp), (17, 16), (1, 1), ((0, 0), (0, 0)))
    wanted, places = max_pool.definition(x, (17, 16), (1, 1), ((0, 0), (0, 0)))
    np.testing.assert_array_equal(on_host(y), wanted)
    np.testing.assert_array_equal(on_host(winner), places)


@pytest.mark.parametrize("shape", [(1, 3), (64, 2), (65, 2), (3, 7, 41, 5), (64 * 64 + 1, 3)])
def test_sums(xp, shape):
    dy, y = normal(shape, 0, "float32"), np.maximum(normal(shape, 1, "float32"), 0)
    exact = dy.astype("float64").reshape(-1, shape[-1]).sum(axis=0)
    np.testing.assert_allclose(on_host(channel_sum(moved(dy, xp))), exact, atol=1e-6 * np.sqrt(dy.size))
    dscores, dbias = bias_relu_backward(*up(xp, dy, y))
    np.testing.assert_array_equal(on_host(dscores), activations.relu_backward.definition(dy, y))
    np.testing.assert_array_equal(on_host(dscores), on_host(activations.relu_backward(*up(xp, dy, y))))
    masked = np.where(y > 0, dy, 0).astype("float64").reshape(-1, shape[-1]).sum(axis=0)
    np.testing.assert_allclose(on_host(dbias), masked, atol=1e-6 * np.sqrt(dy.size))


@pytest.mark.parametrize("M, K, N", [(1, 1, 1), (3, 5, 2), (7, 33, 4), (5, 0, 3)])
def test_matrix_product(xp, M, K, N):
    a, b = normal((M, K)), normal((K, N), 1)
    for left in (a, np.asfortranarray(a), np.repeat(a, 2, axis=1)[:, ::2]):
        for right in (b, np.asfortranarray(b), np.repeat(b, 2, axis=0)[::2]):
            gleft, gright = xp.asarray(left), xp.asarray(right)
            assert relative_error(on_host(matmul(gleft, gright)), a @ b) < 1e-14
            turned = matmul(gright.T, gleft.T)
            assert relative_error(on_host(turned), (a @ b).T) < 1e-14


@pytest.mark.parametrize(
    "rate, key, draw", [(0.5, (0, 0), 0), (0.3, (12345, 4), 7), (0.9, (2**32 - 1,) * 2, 2**64 - 1)]
)
@pytest.mark.parametrize("shape", [(1,), (3, 5), (2, 3, 5, 7)])
def test_dropout_has_the_host_s_bits(xp, shape, rate, key, draw):
    x = normal(shape, 1, "float32")
    wanted, keep = drop.definition(x, rate, key, draw)
    gx = moved(x, xp)
    for count in (draw, xp.asarray([draw], dtype="uint64")):  # a number, or one on the device
        y, gkeep = drop(gx, rate, key, count)
        np.testing.assert_array_equal(on_host(gkeep), keep)
        np.testing.assert_array_equal(on_host(y), wanted)
    np.testing.assert_array_equal(on_host(scale(gx, gkeep, rate)), scale.definition(x, keep, rate))


def test_more_numbers_than_a_kernel_can_count(standin):
    """Dropout starts a thread per four numbers, so it is their number itself that does not fit."""
    x = standin.ones((1, 1), dtype="float32")
    with pytest.raises(BackendError) as error:
        kernels.launch("drop", 1, x, x, x, x, 2**32 + 4, 0, 1.0, 0, 0)
    assert one_line(error, "drop", "4,294,967,300 elements", "smaller batch")
    with pytest.raises(BackendError):
        kernels.launch("relu_backward", 2**32, x, x, x)


def test_bits_equal_to_the_threshold_are_kept(xp):
    bits = random_bits(5, (8, 9), 0)
    _, keep = drop(xp.ones(5, dtype="float64"), int(bits[3]) / 2**32, (8, 9), 0)
    assert on_host(keep).tolist() == (bits >= bits[3]).tolist() and on_host(keep)[3]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("N, K", [(1, 2), (5, 10), (3, 64), (4, 65)])
def test_softmax_cross_entropy(xp, N, K, dtype):
    scores, some = 5 * normal((N, K), 0, dtype), np.abs(normal((N, K), 1, dtype))
    scores[0, 0] = 1e4
    for wanted in (some, np.eye(K, dtype=dtype)[np.arange(N)]):
        by_definition = losses.softmax_cross_entropy.definition(scores, wanted)
        for got, right in zip(losses.softmax_cross_entropy(*up(xp, scores, wanted)), by_definition):
            assert got.dtype == dtype and relative_error(on_host(got), right) < TOLERANCE[dtype]
    assert not on_standin(xp) or ("softmax_cross_entropy" in device.launches) == (K <= 64)


UPDATES = [
    (optimizers.sgd_update, 0, (None, 0.1, 0.0, False, 0.3), (1,)),
    (optimizers.sgd_update, 1, (0.1, 0.9, False, 0.0), (0,)),
    (optimizers.sgd_update, 1, (0.1, 0.9, True, 0.3), (0,)),
    (optimizers.rmsprop_update, 1, (0.01, 0.9, 1e-7, 0.1), (0,)),
    (optimizers.adam_update, 2, (0.01, 0.9, 0.999, 1e-7, 0.1, 0.02), (0, 5)),
]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("update, slots, options, rates", UPDATES)
@pytest.mark.parametrize("there", [False, True], ids=["rate from the host", "rate on the device"])
def test_update(xp, update, slots, options, rates, dtype, there):
    vectors = [normal((1001,), number, dtype) for number in range(2 + slots)]
    vectors[2:] = [np.abs(vector) for vector in vectors[2:]]
    on_device = [xp.asarray(vector) for vector in vectors]
    update.definition(*vectors, *options)
    options = list(options)
    if there:
        for place in rates:
            options[place] = xp.asarray([options[place]], dtype=dtype)
    update(*on_device, *options)
    for got, wanted in zip(on_device, vectors):
        assert relative_error(on_host(got), wanted) < TOLERANCE[dtype]


@pytest.mark.parametrize("fill", affine.FILLS)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_moving_images(xp, fill, dtype):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 4, 7, 3)).astype(dtype)
    flips, shifts = rng.random(5) < 0.5, rng.integers(-9, 10, (5, 2))
    got = affine.move(*up(xp, images, flips, shifts), fill)
    assert got.dtype == dtype
    np.testing.assert_array_equal(on_host(got), affine.move.definition(images, flips, shifts, fill))


def test_pixels_to_floats(xp):
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3)).astype("uint8")
    pre = preprocessing.Standardize([120.0, 100.5, 3.0], [60.0, 1.5, 0.1])
    np.testing.assert_allclose(on_host(pre(moved(images, xp))), pre(images), rtol=1e-5, atol=1e-5)


def test_every_kernel_is_launched_by_a_twin():
    """So no kernel goes untested: the tests above compare every one that this file's twins launch."""
    from pathlib import Path

    import minitorch_cnn

    source = "".join(path.read_text() for path in Path(minitorch_cnn.__file__).parent.glob("twins/cuda/**/*.py"))
    tiled = {name for name in kernels.signatures() if "3x3_" in name}  # conv3x3_32: for tiles of 32 columns
    names = {name.removesuffix("4") for name in kernels.signatures().keys() - tiled}
    assert {name for name in names if f'launch("{name}"' not in source} == set()
    assert {name for name in tiled if f'f"{name[:-2]}{{columns}}"' not in source} == set()


def test_row_windows_serve_what_the_networks_need():
    for padding in ("valid", "same"):
        from minitorch_cnn.engine.convolution.geometry import check_padding, resolve_padding

        pixels = resolve_padding(check_padding(padding), (32, 32), (3, 3), (1, 1))
        assert row_windows_cuda.serves((3, 3), (1, 1), pixels)
    assert not row_windows_cuda.serves((3, 3), (2, 2), ((1, 1), (1, 1)))
    assert not row_windows_cuda.serves((2, 2), (1, 1), ((2, 2), (0, 0)))
