"""What the twins are called with: right arguments of every twin, at odd sizes, and each made wrong in many ways.

    right("layers/max_pool2d.py: max_pool", rng, dtype)    arguments that the twin takes
    wrong(arguments)                                       (what is wrong, arguments) with one of them changed

An argument may be a `Maker`: it makes the array in the memory that the caller chooses, for example so that a view ends
where that memory ends.
"""

import numpy as np

from minitorch_cnn.arrays import namespace
from minitorch_cnn.engine.activations import relu_backward
from minitorch_cnn.engine.convolution import depthwise as depthwise_definition
from minitorch_cnn.engine.convolution import im2col
from minitorch_cnn.engine.convolution.geometry import output_size, window_reach
from minitorch_cnn.engine.layers import batch_norm, merge
from minitorch_cnn.engine.layers.max_pool2d import max_pool


class Maker:
    """Makes an argument; `make(copy)` gets a function that copies an array to the memory wanted."""

    def __init__(self, make):
        self.make = make


# Right arguments.


def normal(rng, shape, dtype):
    return rng.standard_normal(shape).astype(dtype)


def geometry(rng, most_window=4, most_stride=3):
    """(size, window, strides, padding) in which the window fits, at odd sizes, each side padded differently."""
    window = tuple(int(n) for n in rng.integers(1, most_window + 1, 2))
    strides = tuple(int(n) for n in (rng.integers(1, most_stride + 1, 2) if rng.random() < 0.5 else (1, 1)))
    padding = tuple(tuple(int(n) for n in rng.integers(0, 4, 2)) for _ in range(2))
    size = tuple(max(int(rng.integers(1, 14)), reach - sum(sides)) for reach, sides in zip(window, padding))
    return size, window, strides, padding


def convolution(rng, dtype, three=False):
    """(x, kernel, bias, dy, strides, padding); `three` asks for 3x3 windows at stride 1."""
    size, window, strides, padding = geometry(rng)
    if three:
        window, strides = (3, 3), (1, 1)
        size = tuple(max(n, 3 - sum(sides)) for n, sides in zip(size, padding))
    N, C, K = (int(rng.integers(1, most)) for most in (4, 20, 36))
    x, kernel = normal(rng, (N, *size, C), dtype), normal(rng, (*window, C, K), dtype)
    dy = normal(rng, (N, *output_size(size, window, strides, padding), K), dtype)
    return x, kernel, normal(rng, K, dtype), dy, strides, padding


def forward(three):
    def arguments(rng, dtype):
        x, kernel, bias, _, strides, padding = convolution(rng, dtype, three and rng.random() < 0.7)
        return x, kernel, strides, padding, bias if rng.random() < 0.7 else None

    return arguments


def scaled_forward(three):
    """As `forward`, with a scale for each filter."""

    def arguments(rng, dtype):
        x, kernel, bias, _, strides, padding = convolution(rng, dtype, three and rng.random() < 0.7)
        return x, kernel, strides, padding, bias, normal(rng, bias.shape, dtype)

    return arguments


def backward_input(three):
    def arguments(rng, dtype):
        x, kernel, _, dy, strides, padding = convolution(rng, dtype, three and rng.random() < 0.7)
        return dy, kernel, x.shape, strides, padding

    return arguments


def backward_kernel(three):
    def arguments(rng, dtype):
        x, kernel, _, dy, strides, padding = convolution(rng, dtype, three and rng.random() < 0.7)
        return x, dy, kernel.shape, strides, padding

    return arguments


def depthwise(name):
    """Arguments of a function of depthwise.py, with holes in the window and several filters for a channel."""

    def arguments(rng, dtype):
        size, window, strides, padding = geometry(rng)
        dilation = tuple(int(n) for n in (rng.integers(1, 4, 2) if rng.random() < 0.4 else (1, 1)))
        reach = window_reach(window, dilation)
        size = tuple(max(n, r - sum(sides)) for n, r, sides in zip(size, reach, padding))
        N, C, M = (int(rng.integers(1, most)) for most in (4, 40, 4))
        x, kernel = normal(rng, (N, *size, C), dtype), normal(rng, (*window, C, M), dtype)
        dy = normal(rng, (N, *output_size(size, reach, strides, padding), C * M), dtype)
        rest = strides, padding, dilation
        if name == "scale":
            return x, kernel, *rest, *(normal(rng, C * M, dtype) for _ in range(2))
        if name == "forward":
            return x, kernel, *rest, normal(rng, C * M, dtype) if rng.random() < 0.7 else None
        return (dy, kernel, x.shape, *rest) if name == "backward_input" else (x, dy, kernel.shape, *rest)

    return arguments


def pooled_forward(three):
    """As `forward`, with a result of at least 2x2 pixels, each of which sees a part of x, so none are nearly equal."""

    def arguments(rng, dtype):
        while True:
            x, kernel, bias, dy, strides, padding = convolution(rng, dtype, three and rng.random() < 0.7)
            seen = all(max(sides) < reach for sides, reach in zip(padding, kernel.shape))
            if seen and min(dy.shape[1:3]) > 1:
                return x, kernel, strides, padding, bias

    return arguments


def bends(rng):
    """(slope, largest, threshold) of a bent ReLU."""
    return float(rng.choice([0.0, 0.3])), float(rng.choice([0.5, np.inf])), float(rng.choice([0.0, 0.25]))


def pool(rng, dtype):
    size, window, strides, padding = geometry(rng)
    shape = (int(rng.integers(1, 4)), *size, int(rng.integers(1, 20)))
    return rng.permutation(np.prod(shape)).reshape(shape).astype(dtype), window, strides, padding


def pool_backward(rng, dtype):
    x, window, strides, padding = pool(rng, dtype)
    y, winner = max_pool.definition(x, window, strides, padding)
    return normal(rng, y.shape, dtype), winner, x.shape, window, strides, padding


def image_mean_backward(rng, dtype):
    x, *_ = pool(rng, dtype)
    x = x.make(np.copy) if isinstance(x, Maker) else x
    return normal(rng, (len(x), x.shape[3]), dtype), x.shape[1:3]


def images_alike(rng, dtype):
    shape = tuple(int(n) for n in rng.integers(1, (4, 14, 14, 40)))
    return normal(rng, shape, dtype), normal(rng, shape, dtype)


def factors(rng, dtype):
    """Two arrays of one shape, or images and a factor for each channel, either of them first."""
    if rng.random() < 0.3:
        return masked(rng, dtype)
    x, _ = images_alike(rng, dtype)
    both = x, normal(rng, (len(x), 1, 1, x.shape[3]), dtype)
    return both if rng.random() < 0.5 else both[::-1]


def pooled(rng, dtype):
    N, OH, OW, K = (int(n) for n in rng.integers((1, 2, 2, 1), (4, 12, 12, 36)))
    shape = N, OH // 2, OW // 2, K
    return normal(rng, shape, dtype), rng.integers(0, 5, shape).astype("uint8"), (OH, OW)


def masked(rng, dtype):
    shape = tuple(int(n) for n in rng.integers(1, 9, rng.integers(1, 5))) if rng.random() < 0.7 else (300, 67)
    return normal(rng, shape, dtype), normal(rng, shape, dtype)


def normed(rng, dtype, *, dy=False, vectors=0):
    """x, a `dy` like it, `vectors` with a number for each channel."""
    arrays = masked(rng, dtype)
    return (*arrays[: 1 + dy], *normal(rng, (vectors, arrays[0].shape[-1]), dtype))


def matrices(rng, dtype):
    M, K, N = (int(n) for n in rng.integers(1, 140 if rng.random() < 0.3 else 20, 3))
    a, b = normal(rng, (M, K), dtype), normal(rng, (K, N), dtype)
    a, b = (Maker(lambda copy, x=x: copy(x.T).T) if rng.random() < 0.5 else x for x in (a, b))
    return a, b


def drop(rng, dtype):
    (x, _), first = masked(rng, dtype), int(rng.integers(0, 9))
    return x, float(rng.random()), (int(rng.integers(2**32)), 3), int(rng.integers(2**40)), first


def scale(rng, dtype):
    x, other = masked(rng, dtype)
    return x, other > 0, 0.3


def vectors(rng, dtype, slots):
    length = int(rng.integers(1, 50) if rng.random() < 0.7 else rng.integers(16_000, 40_000))
    return (*(normal(rng, length, dtype) for _ in range(2)), *(abs(normal(rng, length, dtype)) for _ in range(slots)))


def images(rng, dtype):
    shape = tuple(int(n) for n in rng.integers(1, 12, 3)) + (3,)
    return rng.integers(0, 256, shape).astype("uint8" if rng.random() < 0.5 else dtype)


def move(rng, dtype):
    x = images(rng, dtype)
    shifts = rng.integers(-15, 16, (len(x), 2)) if rng.random() < 0.8 else rng.integers(-(2**40), 2**40, (len(x), 2))
    return x, rng.random(len(x)) < 0.5, shifts, str(rng.choice(["nearest", "zero", "reflect"]))


def resample(rng, dtype):
    x = images(rng, "float32")
    m = np.array([[1, 0, 0], [0, 1, 0]]) + 0.2 * rng.standard_normal((len(x), 2, 3))
    return x, m.astype("float32"), str(rng.choice(["nearest", "zero", "reflect"]))


def scores(rng, dtype):
    N, K = (int(n) for n in rng.integers(1, (9, 70)))
    return normal(rng, (N, K), dtype), abs(normal(rng, (N, K), dtype))


def standardize(rng, dtype):
    x = images(rng, "uint8")
    return x.astype("uint8"), normal(rng, 3, dtype), normal(rng, 3, dtype)


RIGHT = {
    **{f"convolution/{name}.py: {function.__name__}": function(name == "winograd")
       for name in ("im2col", "row_windows", "winograd") for function in (forward, backward_input, backward_kernel)},
    **{f"convolution/depthwise.py: {name}": depthwise(name)
       for name in ("forward", "backward_input", "backward_kernel")},
    "more_activations.py: bent_relu": lambda rng, dtype: (*masked(rng, dtype)[:1], *bends(rng)),
    "more_activations.py: bent_relu_backward": lambda rng, dtype: (*masked(rng, dtype), *bends(rng)),
    "more_activations.py: silu": lambda rng, dtype: masked(rng, dtype)[:1],
    "more_activations.py: silu_backward": masked,
    "more_activations.py: hard_silu": lambda rng, dtype: masked(rng, dtype)[:1],
    "more_activations.py: hard_silu_backward": masked,
    "more_activations.py: gelu": lambda rng, dtype: masked(rng, dtype)[:1],
    "more_activations.py: gelu_backward": masked,
    "more_activations.py: erf": lambda rng, dtype: masked(rng, dtype)[:1],
    "layers/average_pool2d.py: image_mean": lambda rng, dtype: pool(rng, dtype)[:1],
    "layers/average_pool2d.py: image_mean_backward": image_mean_backward,
    "layers/max_pool2d.py: max_pool": pool,
    "layers/max_pool2d.py: max_pool_backward": pool_backward,
    "activations.py: relu_backward": masked,
    "layers/merge.py: add": masked,
    "layers/merge.py: multiply": factors,
    "layers/merge.py: factors_backward": images_alike,
    "layers/batch_norm.py: moments": normed,
    "layers/batch_norm.py: normalise": lambda rng, dtype: normed(rng, dtype, vectors=3),
    "layers/batch_norm.py: sums_backward": lambda rng, dtype: normed(rng, dtype, dy=True, vectors=2),
    "layers/batch_norm.py: normalise_backward": lambda rng, dtype: normed(rng, dtype, dy=True, vectors=5),
    "matmul.py: matmul": matrices,
    "reductions.py: channel_sum": lambda rng, dtype: masked(rng, dtype)[:1],
    "losses.py: softmax_cross_entropy": scores,
    "layers/dropout.py: drop": drop,
    "layers/dropout.py: scale": scale,
    "optimizers.py: sgd_update": lambda rng, dtype: (
        *vectors(rng, dtype, 1), 0.1, 0.9, bool(rng.random() < 0.5), float(rng.choice([0.0, 0.1]))),
    "optimizers.py: rmsprop_update": lambda rng, dtype: (*vectors(rng, dtype, 1), 0.1, 0.9, 1e-7, 0.01),
    "optimizers.py: adam_update": lambda rng, dtype: (*vectors(rng, dtype, 2), 0.1, 0.9, 0.999, 1e-7, 0.01, 0.03),
    "datasets/affine.py: move": move,
    "datasets/affine.py: resample": resample,
    "datasets/preprocessing.py: standardize": standardize,
    # Without a definition of their own, because a stage runs several layers as one.
    "convolution/epilogue.py: bias_relu_backward": masked,
    "convolution/pooled.py: backward": pooled,
    "layers/merge.py: add, relu": masked,
    "layers/batch_norm.py: normalise, relu": lambda rng, dtype: normed(rng, dtype, vectors=3),
    "layers/batch_norm.py: relu_sums_backward": lambda rng, dtype: normed(rng, dtype, dy=True, vectors=4),
    "layers/batch_norm.py: normalise_backward, sums": lambda rng, dtype: normed(rng, dtype, dy=True, vectors=5),
    "layers/batch_norm.py: relu_normalise_backward": lambda rng, dtype: normed(rng, dtype, dy=True, vectors=6),
    "convolution/im2col.py: forward, relu": forward(False),
    "convolution/row_windows.py: forward, relu": forward(False),
    "convolution/winograd.py: forward, relu": forward(True),
    "convolution/depthwise.py: forward, relu": depthwise("forward"),
    "convolution/depthwise.py: forward, scale": depthwise("scale"),
    "convolution/row_windows.py: forward, scale": scaled_forward(False),
    "convolution/winograd.py: forward, scale": scaled_forward(True),
    "convolution/row_windows.py: forward, relu, pool": pooled_forward(False),
    "convolution/winograd.py: forward, relu, pool": pooled_forward(True),
}  # fmt: skip


# What the stages' own functions should give.


def relu_of_forward(x, kernel, strides, padding, bias=None):
    y = im2col.forward.definition(x, kernel, strides, padding, bias)
    return namespace(y).maximum(y, 0)


def scale_of_forward(x, kernel, strides, padding, bias, scale):
    y = im2col.forward.definition(x, kernel, strides, padding) * scale
    return y if bias is None else y + bias


def relu_of_depthwise(x, kernel, strides, padding, dilation, bias=None):
    y = depthwise_definition.forward.definition(x, kernel, strides, padding, dilation, bias)
    return namespace(y).maximum(y, 0)


def scale_of_depthwise(x, kernel, strides, padding, dilation, bias, scale):
    y = depthwise_definition.forward.definition(x, kernel, strides, padding, dilation) * scale
    return y if bias is None else y + bias


def pool_of_forward(x, kernel, strides, padding, bias=None):
    whole = relu_of_forward(x, kernel, strides, padding, bias)
    y, winner = max_pool.definition(whole, (2, 2), (2, 2), ((0, 0), (0, 0)))
    return y, np.where(y > 0, winner, 4).astype("uint8")


def masked_and_summed(dy, y):
    dscores = relu_backward.definition(dy, y.astype(dy.dtype)) + 0 * y  # of the dtype that both have together
    return dscores, dscores.reshape(-1, dy.shape[-1]).sum(axis=0)


def routed(dy, winner, out):
    """(dscores (N, *out, K), their sums): each dy at its window's winner."""
    N, PH, PW, K = dy.shape
    dscores = np.zeros((N, *out, K), dy.dtype)
    for place in range(4):
        dscores[:, place // 2 : 2 * PH : 2, place % 2 : 2 * PW : 2] = np.where(winner == place, dy, 0)
    return dscores, dscores.sum(axis=(0, 1, 2))


def relu_of(definition):
    return lambda *arguments: (lambda y: namespace(y).maximum(y, 0))(definition(*arguments))


def relu_sums(dy, x, mean, inverse, scale, shift):
    y = batch_norm.normalise.definition(x, mean, scale, shift)
    return batch_norm.sums_backward.definition(relu_backward.definition(dy, y) + 0 * y, x, mean, inverse)


def with_sums(dy, x, mean, inverse, scale, mean_dy, mean_dy_n):
    dx = batch_norm.normalise_backward.definition(dy, x, mean, inverse, scale, mean_dy, mean_dy_n)
    return dx, dx.reshape(-1, dx.shape[-1]).sum(axis=0)


def relu_with_sums(dy, x, mean, inverse, scale, mean_dy, mean_dy_n, shift):
    y = batch_norm.normalise.definition(x, mean, scale, shift)
    return with_sums(relu_backward.definition(dy, y) + 0 * y, x, mean, inverse, scale, mean_dy, mean_dy_n)


STAGES = {
    "convolution/epilogue.py: bias_relu_backward": masked_and_summed,
    "convolution/pooled.py: backward": routed,
    **{title: scale_of_forward for title in RIGHT if ", scale" in title and "depthwise" not in title},
    "layers/merge.py: add, relu": relu_of(merge.add.definition),
    "layers/batch_norm.py: normalise, relu": relu_of(batch_norm.normalise.definition),
    "layers/batch_norm.py: relu_sums_backward": relu_sums,
    "layers/batch_norm.py: normalise_backward, sums": with_sums,
    "layers/batch_norm.py: relu_normalise_backward": relu_with_sums,
    **{title: pool_of_forward if ", pool" in title else relu_of_forward for title in RIGHT if "forward, relu" in title},
    "convolution/depthwise.py: forward, relu": relu_of_depthwise,
    "convolution/depthwise.py: forward, scale": scale_of_depthwise,
}  # fmt: skip


# Wrong arguments.

HUGE = (2**12, 2**31 - 1, 2**31, 2**62, 2**63, 2**64, 6148914691236515904, 10**400)
DTYPES = ("float16", "float32", "float64", "longdouble", "int32", "int64", "uint8", "bool", "complex64", ">f4", ">f8",
          "object", "U4")  # fmt: skip


class Foreign:
    """An array of another library, as far as the engine can tell."""

    __module__ = "jax"
    ndim, size, shape, dtype = 4, 16, (2, 2, 2, 2), np.dtype("float32")


def wrong(arguments):
    """(what is wrong, arguments) with each argument changed in turn, one left out, and one too many."""
    for place, value in enumerate(arguments):
        for what, changed in changes(value):
            yield f"argument {place}: {what}", (*arguments[:place], changed, *arguments[place + 1 :])
    for place, value in enumerate(arguments):
        for other, array in enumerate(arguments):
            if place != other and isinstance(value, np.ndarray) and isinstance(array, np.ndarray):
                yield f"argument {place}: argument {other}", (*arguments[:place], array, *arguments[place + 1 :])
    yield "one argument fewer", arguments[:-1]
    yield "one argument more", (*arguments, 7)


def changes(value):
    """(what, changed value) for an argument of any kind."""
    if isinstance(value, Maker):
        value = value.make(np.array)
    if isinstance(value, np.ndarray):
        yield from ((what, Maker(new) if callable(new) else new) for what, new in changes_of_array(value))
    elif isinstance(value, tuple):
        yield from changes_of_tuple(value)
    elif isinstance(value, str):
        yield from ((repr(other), other) for other in ("", "Nearest", "nearest\0", None, 3, b"zero", ["zero"]))
    elif value is None:
        yield from ((repr(other), other) for other in (0, 1.5, "", ()))
    else:
        yield from ((f"{str(other)[:24]} {type(other).__name__}", other) for other in changes_of_number(value))


def changes_of_number(n):
    yield from (None, "", [n], -1, -1 - n, 0, n + 1, -0.5, 1e300, float("nan"), float("inf"), True)
    yield from (np.float32(n), np.array(n), np.array([n, n]))
    yield from HUGE
    yield from (-huge for huge in HUGE)
    if isinstance(n, int):
        yield from (n - 1, n + 0.5, float(n), np.int64(n), np.uint8(n % 256))


def changes_of_tuple(values):
    yield from (("None", None), ("a text", "ab"), ("empty", ()), ("one longer", (*values, values[-1])))
    yield from (("one shorter", values[:-1]), ("a number", 1), ("nested", (values,)), ("a list", list(values)))
    yield from (("an array", np.array(values)), ("doubled", tuple(np.array(values).tolist()) * 2))
    for place, value in enumerate(values):
        for what, changed in changes(value):
            yield f"[{place}] {what}", (*values[:place], changed, *values[place + 1 :])


def changes_of_array(a):
    """Other sizes, dtypes, layouts in memory, and things that are no arrays."""
    for axis, length in enumerate(a.shape):
        longer = np.concatenate([a, a.take([0], axis)], axis)
        yield f"axis {axis} longer", keep(longer)
        yield f"axis {axis} twice as long", keep(np.concatenate([a, a], axis))
        yield f"axis {axis} of length 0", keep(a.take([], axis))
        if length > 1:
            yield f"axis {axis} shorter", keep(a.take(range(length - 1), axis))
            yield f"axis {axis} of length 1", keep(a.take([0], axis))
        yield f"axis {axis} missing", keep(a.take(0, axis))
    yield "one axis more", keep(a[None])
    yield "flat", keep(a.reshape(-1))
    yield "without axes", keep(a.reshape(-1)[0])
    yield "axes in another order", keep(a.T)
    for dtype in DTYPES:
        if np.dtype(dtype) != a.dtype:
            yield dtype, keep(a.astype(dtype))
    yield "every other number", lambda copy: copy(np.repeat(a, 2, -1))[..., ::2]
    yield "every other row", lambda copy: copy(np.repeat(a, 2, 0))[::2]
    yield "backwards", lambda copy: copy(a[::-1])[::-1]
    yield "in Fortran's order", lambda copy: copy(a.T).T
    yield "one row for all", lambda copy: np.broadcast_to(copy(a[:1]), a.shape)
    yield "misaligned", lambda copy: copy(np.frombuffer(b"?" + a.tobytes(), "uint8"))[1:].view(a.dtype).reshape(a.shape)
    yield "read-only", lambda copy: read_only(copy(a))
    yield "a memory map", lambda copy: copy(a).view(np.memmap)
    yield "masked", lambda copy: np.ma.array(copy(a), mask=False)
    if a.ndim == 2:
        yield "a matrix of NumPy", lambda copy: copy(a).view(np.matrix)
    yield from (("None", None), ("a number", 1.5), ("a text", "x"), ("a list", a.tolist()))
    yield from (("a scalar of NumPy", a.reshape(-1)[0]), ("another library's", Foreign()), ("a dtype", a.dtype))


def keep(array):
    return lambda copy: copy(np.asarray(array))


def read_only(array):
    array.flags.writeable = False
    return array
