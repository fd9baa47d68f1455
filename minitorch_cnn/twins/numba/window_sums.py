"""The inner loops of depthwise convolution: the weights of a window, or the sums for them, stay in registers.

    filter_windows     y[j] = limited(start[j] + sum over p, q of weights[p, q] * x[j + (p, q)])      forward, and dx
    add_taps       sums[p, q] += sum over i, j of dy[i, j] * x[(i, j) + (p, q)]                   dkernel

Each number here is a vector along the channels. A step is one multiplication and addition whose one factor comes from
memory, and the processor works on several pixels at once by itself, because none waits for another.

A loop is compiled for the window's size, so that its weights can have registers. That is done once for each size, and
the functions around it, which know the loops by the address of their machine code, are not compiled again.
"""

import functools

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from minitorch_cnn.twins.numba.compiled import cfunc
from minitorch_cnn.twins.numba.simd import (
    REGISTERS,
    llvm_at_least,
    llvm_at_most,
    llvm_data,
    llvm_load,
    llvm_multiply_add,
    llvm_splat,
    llvm_store,
    llvm_vector,
)

MOST = REGISTERS - 4  # weights in registers
INDEX = ir.IntType(64)


def tile(window: tuple) -> tuple[int, int]:
    """(P, Q): the part of a window whose weights fit the registers; the window is a number of such parts."""
    Q = _divisor(window[1], MOST)
    return _divisor(window[0], MOST // Q), Q


def _divisor(number, most):
    """The largest divisor of `number` that is at most `most`."""
    return max(each for each in range(1, min(number, most) + 1) if number % each == 0)


@intrinsic
def filter_windows(
    typingctx, code, columns, channels, weights, weights_at, weights_row, weights_column, x, x_at, x_window, x_row,
    x_column, start, start_at, start_pixel, floor, ceiling, y, y_at, y_pixel,
):  # fmt: skip
    """Compute the first formula for `rows` x `columns` windows; `code` is `filtering(dtype, P, Q)`.

    All arrays are flat; `x_at` is the position of the first number, `x_pixel` the distance to the next pixel, `x_row`
    and `x_column` the distances from one weight's pixel to the next one's, in elements. `start` may be y itself.
    """
    n, number = types.uintp, y.dtype
    signature = types.void(n, n, n, weights, n, n, n, x, n, n, n, n, start, n, n, number, number, y, n, n)
    return signature, functools.partial(_call, arrays=(3, 7, 12, 17))


@intrinsic
def add_taps(
    typingctx, code, rows, columns, dy, dy_at, dy_row, dy_pixel, x, x_at, x_window_row, x_window, x_row, x_column,
    sums, sums_at, sums_row, sums_column,
):  # fmt: skip
    """Compute the second formula for `rows` x `columns` windows; `code` is `tapping(dtype, P, Q)`.

    `x_window_row` and `x_window` are the distances from one window to that below it and to that beside it.
    """
    n = types.uintp
    signature = types.void(n, n, n, dy, n, n, n, x, n, n, n, n, n, sums, n, n, n)
    return signature, functools.partial(_call, arrays=(3, 7, 13))


def _call(context, builder, signature, arguments, arrays):
    """Emit the call of the machine code at the address that is the first argument, with the arrays' data."""
    address, *given = (
        llvm_data(context, builder, signature.args[place], argument) if place in arrays else argument
        for place, argument in enumerate(arguments)
    )
    kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in given])
    builder.call(builder.inttoptr(address, kind.as_pointer()), given)
    return context.get_dummy_value()


@functools.cache
def filtering(dtype: np.dtype, P: int, Q: int) -> int:
    """The address of the machine code of `filter_windows` for arrays of `dtype` and PxQ weights."""
    return _compile_filter(NUMBERS[np.dtype(dtype)], P, Q).address


@functools.cache
def tapping(dtype: np.dtype, P: int, Q: int) -> int:
    """The address of the machine code of `add_taps` for arrays of `dtype` and PxQ sums."""
    return _compile_taps(NUMBERS[np.dtype(dtype)], P, Q).address


NUMBERS = {np.dtype("float32"): types.float32, np.dtype("float64"): types.float64}


def _compile_filter(number, P, Q):
    n, array = types.uintp, types.CPointer(number)
    shape = (None,) * P, (None,) * Q

    @cfunc(types.void(n, n, array, n, n, n, array, n, n, n, n, array, n, n, number, number, array, n, n))
    def code(
        columns, channels, weights, weights_at, weights_row, weights_column, x, x_at, x_window, x_row, x_column, start,
        start_at, start_pixel, floor, ceiling, y, y_at, y_pixel,
    ):  # fmt: skip
        _filter(
            shape, columns, channels, weights, weights_at, weights_row, weights_column, x, x_at, x_window, x_row,
            x_column, start, start_at, start_pixel, floor, ceiling, y, y_at, y_pixel,
        )  # fmt: skip

    return code


def _compile_taps(number, P, Q):
    n, array = types.uintp, types.CPointer(number)
    shape = (None,) * P, (None,) * Q

    @cfunc(types.void(n, n, array, n, n, n, array, n, n, n, n, n, array, n, n, n))
    def code(
        rows, columns, dy, dy_at, dy_row, dy_pixel, x, x_at, x_window_row, x_window, x_row, x_column, sums, sums_at,
        sums_row, sums_column,
    ):  # fmt: skip
        _taps(
            shape, rows, columns, dy, dy_at, dy_row, dy_pixel, x, x_at, x_window_row, x_window, x_row, x_column, sums,
            sums_at, sums_row, sums_column,
        )  # fmt: skip

    return code


# The Python code below runs while Numba compiles: its loops over the window emit one instruction at a time.


@intrinsic
def _filter(
    typingctx, shape, columns, channels, weights, weights_at, weights_row, weights_column, x, x_at, x_window, x_row,
    x_column, start, start_at, start_pixel, floor, ceiling, y, y_at, y_pixel,
):  # fmt: skip
    n = types.uintp
    signature = types.void(shape, n, n, weights, n, n, n, x, n, n, n, n, start, n, n, floor, ceiling, y, n, n)

    def generate(context, builder, signature, arguments):
        (_, columns, channels, weights, weights_at, weights_row, weights_column, x, x_at, x_window, x_row, x_column,
         start, start_at, start_pixel, floor_, ceiling_, y, y_at, y_pixel) = arguments  # fmt: skip
        vector, window = llvm_vector(floor), _window(shape)
        least, most = (llvm_splat(builder, limit, vector) for limit in (floor_, ceiling_))
        lanes, zero = INDEX(vector.count), ir.Constant(vector, [0.0] * vector.count)
        final = builder.sub(channels, lanes)
        vectors = builder.udiv(builder.add(final, builder.sub(lanes, INDEX(1))), lanes)
        with cgutils.for_range(builder, builder.add(vectors, INDEX(1)), intp=INDEX) as k:
            c = builder.mul(k.index, lanes)
            c = builder.select(builder.icmp_unsigned(">", c, final), final, c)
            w_at, x_here, start_here, y_here = (builder.add(at, c) for at in (weights_at, x_at, start_at, y_at))
            kept = {
                (p, q): llvm_load(builder, weights, _place(builder, w_at, p, weights_row, q, weights_column), vector)
                for p, q in window
            }
            with cgutils.for_range(builder, columns, intp=INDEX) as j:
                at, totals = _place(builder, x_here, j.index, x_window), [zero] * len(shape[0])
                for p, q in window:  # the sums of the rows do not wait for each other
                    value = llvm_load(builder, x, _place(builder, at, p, x_row, q, x_column), vector)
                    totals[p] = llvm_multiply_add(builder, kept[p, q], value, totals[p])
                total = functools.reduce(builder.fadd, totals)
                first = llvm_load(builder, start, _place(builder, start_here, j.index, start_pixel), vector)
                total = llvm_at_most(builder, llvm_at_least(builder, builder.fadd(first, total), least), most)
                llvm_store(builder, total, y, _place(builder, y_here, j.index, y_pixel))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _taps(
    typingctx, shape, rows, columns, dy, dy_at, dy_row, dy_pixel, x, x_at, x_window_row, x_window, x_row, x_column,
    sums, sums_at, sums_row, sums_column,
):  # fmt: skip
    n = types.uintp
    signature = types.void(shape, n, n, dy, n, n, n, x, n, n, n, n, n, sums, n, n, n)

    def generate(context, builder, signature, arguments):
        (_, rows, columns, dy_, dy_at, dy_row, dy_pixel, x, x_at, x_window_row, x_window, x_row, x_column, sums,
         sums_at, sums_row, sums_column) = arguments  # fmt: skip
        vector, places = llvm_vector(dy.dtype), _window(shape)
        zero, totals = ir.Constant(vector, [0.0] * vector.count), {}
        for place in places:
            totals[place] = cgutils.alloca_once_value(builder, zero)  # LLVM turns these variables into registers
            builder.store(zero, totals[place])
        with cgutils.for_range(builder, rows, intp=INDEX) as i:
            dy_here = _place(builder, dy_at, i.index, dy_row)
            x_here = _place(builder, x_at, i.index, x_window_row)
            with cgutils.for_range(builder, columns, intp=INDEX) as j:
                gradient = llvm_load(builder, dy_, _place(builder, dy_here, j.index, dy_pixel), vector)
                at = _place(builder, x_here, j.index, x_window)
                for p, q in places:
                    value = llvm_load(builder, x, _place(builder, at, p, x_row, q, x_column), vector)
                    total = llvm_multiply_add(builder, gradient, value, builder.load(totals[p, q]))
                    builder.store(total, totals[p, q])
        for p, q in places:
            place = _place(builder, sums_at, p, sums_row, q, sums_column)
            before = llvm_load(builder, sums, place, vector)
            llvm_store(builder, builder.fadd(before, builder.load(totals[p, q])), sums, place)
        return context.get_dummy_value()

    return signature, generate


def _window(shape):
    """The places (p, q) of a window, whose size is the lengths of two tuples."""
    return [(p, q) for p in range(len(shape[0])) for q in range(len(shape[1]))]


def _place(builder, first, *counts_and_steps):
    """The position first + count * step + ..., emitted."""
    for count, step in zip(counts_and_steps[::2], counts_and_steps[1::2]):
        count = INDEX(count) if isinstance(count, int) else count
        first = builder.add(first, builder.mul(count, step))
    return first
