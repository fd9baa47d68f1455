"""Every convolution algorithm, compiled or not, against NumPy's own windows and an einsum."""

import numpy as np
import pytest
from engine_helpers import convolution as reference
from engine_helpers import normal, relative_error, transposed, windows
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch_cnn import convolution
from minitorch_cnn.engine.convolution import im2col, row_windows, winograd
from minitorch_cnn.engine.convolution.geometry import check_padding, output_size, resolve_padding
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.twins.numba.convolution import (
    im2col as im2col_numba,
)
from minitorch_cnn.twins.numba.convolution import (
    row_windows as row_windows_numba,
)
from minitorch_cnn.twins.numba.convolution import (
    winograd as winograd_numba,
)
from minitorch_cnn.twins.numba.convolution import (
    winograd_sums as winograd_sums_numba,
)


class Definition:
    """An algorithm's plain definitions, where it has compiled twins."""

    def __init__(self, module):
        for name in ("forward", "backward_input", "backward_kernel"):
            function = getattr(module, name)
            setattr(self, name, getattr(function, "definition", function))


IMPLEMENTATIONS = {name: module for name, module in convolution.ALGORITHMS.items()}
IMPLEMENTATIONS |= {
    f"{name} definition": Definition(module)
    for name, module in convolution.ALGORITHMS.items()
    if hasattr(module.forward, "definition")
}

# name: (input, kernel, strides, padding)
CASES = {
    "3x3": ((2, 5, 6, 3), (3, 3, 3, 4), (1, 1), "valid"),
    "kernel not square": ((2, 6, 5, 2), (2, 3, 2, 3), (1, 1), "valid"),
    "same": ((2, 5, 7, 3), (3, 3, 3, 2), (1, 1), "same"),
    "same, even kernel": ((2, 5, 4, 2), (2, 4, 2, 3), (1, 1), "same"),
    "same, stride 2": ((2, 6, 5, 2), (3, 2, 2, 3), (2, 2), "same"),
    "same, stride 3x2": ((1, 7, 5, 2), (2, 3, 2, 2), (3, 2), "same"),
    "stride leaves a row and a column": ((2, 6, 8, 2), (3, 2, 2, 3), (2, 3), "valid"),
    "stride beyond the kernel": ((2, 7, 9, 2), (2, 1, 2, 3), (3, 4), "valid"),
    "padding 1": ((2, 4, 6, 2), (3, 3, 2, 3), (1, 1), 1),
    "padding (0, 2)": ((2, 4, 3, 2), (3, 2, 2, 3), (1, 1), (0, 2)),
    "padding of each side": ((2, 4, 5, 3), (3, 4, 3, 2), (2, 1), ((2, 0), (1, 3))),
    "padding beyond the kernel": ((1, 2, 3, 2), (2, 2, 2, 3), (1, 2), 3),
    "kernel beyond the image": ((2, 3, 2, 2), (5, 4, 2, 3), (1, 1), ((2, 2), (1, 2))),
    "kernel as large as the image": ((2, 4, 3, 2), (4, 3, 2, 3), (1, 1), "valid"),
    "1x1": ((2, 4, 3, 3), (1, 1, 3, 2), (1, 1), "valid"),
    "1x1, stride 2": ((2, 4, 5, 3), (1, 1, 3, 2), (2, 2), "same"),
    "one image, one channel, one filter": ((1, 5, 4, 1), (3, 2, 1, 1), (1, 1), "valid"),
    "one row": ((3, 1, 7, 2), (1, 3, 2, 3), (1, 2), "valid"),
    "one column": ((3, 7, 1, 2), (3, 1, 2, 3), (2, 1), "same"),
    "one pixel": ((2, 1, 1, 3), (1, 1, 3, 2), (1, 1), "valid"),
    "many channels": ((1, 3, 4, 17), (2, 3, 17, 19), (1, 1), "same"),
    "3x3, tiles cut on both sides": ((2, 9, 6, 3), (3, 3, 3, 5), (1, 1), "same"),
    "3x3, whole tiles": ((1, 10, 6, 16), (3, 3, 16, 16), (1, 1), "valid"),
    "3x3, padding of each side": ((2, 6, 7, 2), (3, 3, 2, 18), (1, 1), ((3, 0), (1, 4))),
}
BIG = ((3, 19, 30, 8), (3, 2, 8, 5), (1, 1), ((1, 0), (0, 1)))  # several blocks of columns, ends within an image


def problem(case, dtype="float64", seed=0):
    """(x, kernel, bias, dy, strides, padding in pixels) of a case."""
    x_shape, kernel_shape, strides, padding = case
    pixels = resolve_padding(check_padding(padding), x_shape[1:3], kernel_shape[:2], strides)
    out = output_size(x_shape[1:3], kernel_shape[:2], strides, pixels)
    shapes = (x_shape, kernel_shape, kernel_shape[3:], (x_shape[0], *out, kernel_shape[3]))
    return *(normal(shape, seed + i, dtype) for i, shape in enumerate(shapes)), strides, pixels


def rounding(name):
    """What float64 may be wrong by: Winograd's points have powers that make it more."""
    return 4e-13 if "winograd" in name else 1e-13


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_forward(name, case):
    x, kernel, bias, _, strides, padding = problem(CASES[case])
    forward = IMPLEMENTATIONS[name].forward
    plain = reference(x, kernel, strides, padding)
    scale = np.abs(plain).max()
    for extra, wanted in [((), plain), ((bias,), plain + bias)]:
        y = forward(x, kernel, strides, padding, *extra)
        assert y.shape == wanted.shape and np.abs(y - wanted).max() < rounding(name) * scale


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ["im2col", "row_windows", "winograd"])
def test_the_compiled_twins_can_end_in_a_relu(name, case):
    x, kernel, bias, _, strides, padding = problem(CASES[case])
    twin = convolution.ALGORITHMS[name].forward.find("numba")
    plain = reference(x, kernel, strides, padding)
    for added, wanted in ((bias, np.maximum(plain + bias, 0)), (None, np.maximum(plain, 0))):
        y = twin(x, kernel, strides, padding, added, relu=True)
        assert y.shape == wanted.shape and np.abs(y - wanted).max() < rounding(name) * np.abs(plain).max()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_gradients_are_the_transposed_matrix(name, case):
    x, kernel, _, dy, strides, padding = problem(CASES[case])
    algorithm = IMPLEMENTATIONS[name]
    dx = algorithm.backward_input(dy, kernel, x.shape, strides, padding)
    dkernel = algorithm.backward_kernel(x, dy, kernel.shape, strides, padding)
    assert relative_error(dx, transposed(lambda one: reference(one, kernel, strides, padding), x.shape, dy)) < rounding(
        name
    )
    wanted = np.einsum("nijk,nijcpq->pqck", dy, windows(x, kernel.shape[:2], strides, padding))
    assert relative_error(dkernel, wanted) < rounding(name)


@pytest.mark.parametrize("case", CASES)
def test_im2col_and_col2im_are_each_others_transpose(case):
    x, kernel, *_, strides, padding = problem(CASES[case])
    window = kernel.shape[:2]
    columns = im2col.im2col(x, window, strides, padding)
    c = normal(columns.shape, 9)
    back = im2col.col2im(c, x.shape, window, strides, padding)
    assert abs((columns * c).sum() - (x * back).sum()) < 1e-12 * np.abs(columns * c).sum()


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data())
def test_adjoint_identities_for_any_geometry(name, data):
    """<conv(x, w), dy> == <x, backward_input(dy)> == <w, backward_kernel(dy)>: needs no reference at all."""
    small = st.integers(1, 4)
    KH, KW, N, C, K, SH, SW = (data.draw(small) for _ in range(7))
    padding = tuple((data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3))) for _ in range(2))
    H, W = data.draw(st.integers(KH, 8)), data.draw(st.integers(KW, 8))
    x, kernel, _, dy, strides, pixels = problem(((N, H, W, C), (KH, KW, C, K), (SH, SW), padding))
    algorithm = IMPLEMENTATIONS[name]
    products = algorithm.forward(x, kernel, strides, pixels) * dy
    by_input = (x * algorithm.backward_input(dy, kernel, x.shape, strides, pixels)).sum()
    by_kernel = (kernel * algorithm.backward_kernel(x, dy, kernel.shape, strides, pixels)).sum()
    assert max(abs(products.sum() - by_input), abs(products.sum() - by_kernel)) <= 1e-12 * np.abs(products).sum()


def all_three(algorithm, x, kernel, bias, dy, strides, padding):
    return (
        algorithm.forward(x, kernel, strides, padding, bias),
        algorithm.backward_input(dy, kernel, x.shape, strides, padding),
        algorithm.backward_kernel(x, dy, kernel.shape, strides, padding),
    )


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_float32_stays_and_is_as_exact_as_it_can_be(name):
    exact = all_three(IMPLEMENTATIONS[name], *problem(BIG))
    for got, wanted in zip(all_three(IMPLEMENTATIONS[name], *problem(BIG, "float32")), exact):
        assert got.dtype == np.float32 and relative_error(got, wanted) < 1e-5


@pytest.mark.parametrize("N, H, W, C, K", [(7, 30, 27, 32, 48), (2, 15, 13, 96, 112), (1, 55, 70, 64, 33)])
@pytest.mark.parametrize("implementation", [winograd, Definition(winograd)], ids=["compiled", "definition"])
def test_winograd_in_float32_stays_within_its_bound(implementation, N, H, W, C, K):
    """The smallest, the usual and the deepest sums, through few tiles and many, held to the definition in float64."""
    case = ((N, H, W, C), (3, 3, C, K), (1, 1), "same")
    exact = all_three(im2col, *problem(case))
    for got, wanted in zip(all_three(implementation, *problem(case, "float32")), exact):
        assert got.dtype == np.float32 and relative_error(got, wanted) < winograd.ERROR


def test_a_kernels_gradient_over_thousands_of_tiles_stays_within_the_bound():
    """VGG16's second block, 8 images: a sum of 6,272 tiles in one go would be wrong by four times as much."""
    case = ((8, 112, 112, 64), (3, 3, 64, 128), (1, 1), "same")
    x, _, _, dy, strides, padding = problem(case, "float32")
    exact = row_windows.backward_kernel(x.astype("float64"), dy.astype("float64"), case[1], strides, padding)
    assert relative_error(winograd.backward_kernel(x, dy, case[1], strides, padding), exact) < winograd.ERROR


@pytest.mark.parametrize("cache, band, kernel_bytes, chunks", [(1, 1, 1, 7), (40_000, 9_000, 3_000, 5), (2**20,) * 4])
def test_any_split_of_the_work_gives_the_same(monkeypatch, cache, band, kernel_bytes, chunks):
    """Few and many tiles at a time, by tiles and by filters, bands of one row and of all, parts of a kernel."""
    monkeypatch.setattr(winograd_numba, "CACHE_BYTES", cache)
    monkeypatch.setattr(winograd_sums_numba, "CACHE_BYTES", cache)
    monkeypatch.setattr(winograd_sums_numba, "SUMMED_TILES", max(1, cache // 10_000))
    monkeypatch.setattr(row_windows_numba, "BAND_BYTES", band)
    monkeypatch.setattr(row_windows_numba, "KERNEL_BYTES", kernel_bytes)
    monkeypatch.setattr(row_windows_numba, "CHUNKS", chunks)
    for case in (((3, 19, 30, 8), (3, 3, 8, 37), (1, 1), "same"), ((1, 9, 6, 20), (3, 3, 20, 150), (1, 1), "valid")):
        arguments = problem(case)
        wanted = all_three(Definition(im2col), *arguments)
        for algorithm in (row_windows, winograd):
            for got, same in zip(all_three(algorithm, *arguments), wanted):
                assert relative_error(got, same) < 4e-13


@pytest.mark.parametrize("block_bytes", [1, 5000, 2**18])
def test_any_block_size_gives_the_definition(monkeypatch, block_bytes):
    monkeypatch.setattr(im2col_numba, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(im2col_numba, "CHUNKS", 7)  # leaves a chunk that is shorter, or empty
    arguments = problem(BIG)
    for got, wanted in zip(all_three(im2col, *arguments), all_three(Definition(im2col), *arguments)):
        assert relative_error(got, wanted) < 1e-13


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_memory_layout_of_the_arguments_does_not_matter(name):
    x, kernel, bias, dy, strides, padding = problem(CASES["padding of each side"])
    wanted = all_three(IMPLEMENTATIONS[name], x, kernel, bias, dy, strides, padding)
    wide = np.zeros((*x.shape[:3], 2 * x.shape[3]))
    wide[..., ::2] = x
    for other_x in (np.asfortranarray(x), wide[..., ::2], x[::-1].copy()[::-1]):
        arrays = other_x, np.asfortranarray(kernel), bias, np.asfortranarray(dy)
        for got, same in zip(all_three(IMPLEMENTATIONS[name], *arrays, strides, padding), wanted):
            np.testing.assert_allclose(got, same, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_mixed_dtypes_promote_as_in_numpy(name):
    x, kernel, bias, dy, strides, padding = problem(CASES["same"])
    single = [array.astype("float32") for array in (x, kernel, bias)]
    algorithm = IMPLEMENTATIONS[name]
    dx = algorithm.backward_input(dy, single[1], x.shape, strides, padding)
    wanted = Definition(im2col).backward_input(dy, single[1].astype("float64"), x.shape, strides, padding)
    assert dx.dtype == np.float64 and relative_error(dx, wanted) < 1e-13
    dkernel = algorithm.backward_kernel(single[0], dy, kernel.shape, strides, padding)
    assert relative_error(dkernel, Definition(im2col).backward_kernel(x, dy, kernel.shape, strides, padding)) < 1e-6


def test_nan_is_not_lost():
    x, kernel, bias, _, strides, padding = problem(CASES["3x3"])
    x[1, 2, 3, 0] = np.nan
    for name, algorithm in IMPLEMENTATIONS.items():
        got = np.isnan(algorithm.forward(x, kernel, strides, padding, bias))
        wanted = np.isnan(reference(x, kernel, strides, padding))
        if "winograd" in name:  # mixes the outputs of a tile
            wanted |= got & np.isnan(x).any(axis=(1, 2, 3), keepdims=True)
        np.testing.assert_array_equal(got, wanted)


def test_names_of_algorithms():
    x, out = np.zeros((1, 2, 2, 1)), (2, 2)
    assert convolution.algorithms() == list(convolution.ALGORITHMS)
    for name, module in convolution.ALGORITHMS.items():
        assert convolution.choose(name, x, (3, 3, 1, 1), (1, 1), out) is module
    with pytest.raises(ArgumentError, match="'fast'"):
        convolution.choose("fast", x, (3, 3, 1, 1), (1, 1), out)


@pytest.mark.parametrize(
    "images, size, kernel_shape, strides, wanted",
    [
        (8, (32, 30), (3, 3, 32, 48), (1, 1), winograd),
        (1, (14, 13), (3, 3, 512, 512), (1, 1), winograd),
        (1, (14, 12), (3, 3, 128, 512), (1, 1), row_windows),  # few tiles
        (1, (7, 6), (3, 3, 192, 512), (1, 1), winograd),  # few, but with large kernels
        (8, (32, 30), (3, 3, 3, 32), (1, 1), row_windows),  # few channels
        (8, (32, 30), (3, 3, 32, 10), (1, 1), row_windows),  # few filters
        (8, (32, 30), (3, 5, 32, 32), (1, 1), row_windows),
        (8, (32, 30), (3, 3, 32, 32), (1, 2), row_windows),
    ],
)
def test_the_rule_that_chooses(images, size, kernel_shape, strides, wanted):
    x = np.zeros((images, *size, kernel_shape[2]), "float32")
    assert convolution.choose("auto", x, kernel_shape, strides, size) is wanted
