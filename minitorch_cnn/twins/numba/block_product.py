"""The matrix product behind the fast convolutions: a block of results stays in registers until it is finished.

    m[r, k] = start[r, k] + scale[k] * sum over o, i of v[r, o, i] * u[o, i, k]     from `floor` to `ceiling`

`product` leaves `scale` and `ceiling` out; `scaled_product` has them, for a batch norm and a ReLU6 after a convolution.
The sum begins at zero, and `start` is added at the end. So if a long sum is computed in pieces, each of which `start`s
from the result of the one before, the rounding errors of a piece stay in proportion to the piece.

k runs along vectors. The distances in `v` between consecutive r, o and i are free, so the same function multiplies the
rows of a matrix, a transposed matrix, and the overlapping windows of an image row (the distance from one window to the
next is C, not KW*C, so nothing is copied). The sum has two levels, o and i, because the KH rows of a window lie apart,
while the KW*C numbers of each row are neighbours.

Why it is fast: one step of the sum loads a few vectors of `u` and a few numbers of `v`, and multiplies each vector with
each number. With AVX-512 these are 4 vectors and 6 numbers: 24 multiply-adds for 10 loads, and the 24 results stay in
24 of the 32 registers. A loop that goes to memory at each step does one multiply-add for two loads and a store.

The Python code below runs while Numba compiles: its loops over rows and vectors emit one instruction at a time.
"""

import functools

import numpy as np
from llvmlite import ir
from numba import prange, types, uintp
from numba.core import cgutils
from numba.extending import intrinsic

from minitorch_cnn.arrays.memory import empty
from minitorch_cnn.twins.numba.compiled import cfunc, njit
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

WIDTHS = (4, 2, 1) if REGISTERS >= 32 else (2, 1)  # possible numbers of vectors side by side in a block
ARRAYS = (4, 9, 13, 17, 20)  # the positions of the arrays among the arguments of a product
INDEX = ir.IntType(64)


def heights(width: int) -> tuple[int, int, int]:
    """The numbers of rows of blocks of `width` vectors: as many as fit the registers, then fewer for the rest.

    The registers hold rows x width results, `width` vectors of u and one number of v.
    """
    tallest = min((REGISTERS - 1 - width) // width // 2 * 2, 16)
    return (tallest, 4 if tallest > 8 else 2, 1)


def fill_up(array: np.ndarray, multiple: int) -> np.ndarray:
    """`array` (..., K), padded with zeros until K is a multiple of `multiple`; a copy only if needed."""
    missing = -array.shape[-1] % multiple
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, missing)]) if missing else array


def cut(array: np.ndarray, K: int) -> np.ndarray:
    """The first K elements of the last axis, without the zeros that `fill_up` has added."""
    filled = array.shape[-1]
    if filled == K:
        return array
    narrow = empty((*array.shape[:-1], K), array.dtype)
    _cut(array.reshape(-1, filled), narrow.reshape(-1, K))
    return narrow


@njit(parallel=True)
def _cut(wide, narrow):
    rows, K = narrow.shape
    filled, wide, narrow = wide.shape[1], wide.reshape(-1), narrow.reshape(-1)
    for row in prange(rows):
        source, to = uintp(row * filled), uintp(row * K)
        for k in range(uintp(K)):
            narrow[to + k] = wide[source + k]


@njit(nogil=True)
def panel_width(left):
    """The widest block, in vectors, that fits if `left` vectors are left."""
    for width in WIDTHS:
        if width <= left:
            return width
    return 1


@intrinsic
def product(
    typingctx, multiplier, rows, width, outer, inner, v, v_at, v_row, v_outer, v_inner, u, u_at, u_outer, u_inner,
    start, start_at, start_row, floor, m, m_at, m_row,
):  # fmt: skip
    """Compute the formula above: r < rows, k < width vectors (one of WIDTHS), o < outer, i < inner.

    `multiplier` is `multiplier(dtype)`; `v`, `u`, `start` and `m` are flat arrays of that dtype. For each of them,
    `x_at` is the position of the matrix's first element, and `x_row`, `x_outer` and `x_inner` are the distances between
    consecutive r, o and i, in elements. `start` may be a bias (start_row 0), or `m` itself, to add to it. A `floor` of
    0 applies a ReLU; minus infinity has no effect.
    """
    n = types.uintp
    signature = types.void(n, n, n, n, n, v, n, n, n, n, u, n, n, n, start, n, n, m.dtype, m, n, n)

    def generate(context, builder, signature, arguments):
        vector = llvm_vector(m.dtype)
        ones = ir.ArrayType(vector.element, vector.count * WIDTHS[0])
        ones = cgutils.global_constant(builder, "ones", ir.Constant(ones, [1.0] * ones.count))
        ones, most = builder.bitcast(ones, vector.element.as_pointer()), ir.Constant(vector.element, float("inf"))
        arguments = [*arguments, ones, INDEX(0), most]
        return _call(context, builder, signature, arguments)

    return signature, generate


@intrinsic
def scaled_product(
    typingctx, multiplier, rows, width, outer, inner, v, v_at, v_row, v_outer, v_inner, u, u_at, u_outer, u_inner,
    start, start_at, start_row, floor, m, m_at, m_row, scale, scale_at, ceiling,
):  # fmt: skip
    """As `product`, with a `scale` for each k, and no result larger than `ceiling`."""
    n = types.uintp
    signature = types.void(n, n, n, n, n, v, n, n, n, n, u, n, n, n, start, n, n, m.dtype, m, n, n, scale, n, m.dtype)
    return signature, _call


def _call(context, builder, signature, arguments):
    """Emit the call of a multiplier, whose address is the first of the arguments."""
    address, *arguments = arguments
    for at in ARRAYS:
        if at + 1 < len(signature.args):
            arguments[at] = llvm_data(context, builder, signature.args[at + 1], arguments[at])
    kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
    builder.call(builder.inttoptr(address, kind.as_pointer()), arguments)
    return context.get_dummy_value()


@functools.cache
def multiplier(dtype: np.dtype) -> int:
    """The address of the machine code that `product` calls for arrays of `dtype`.

    It is compiled only once; if it were inlined, it would be compiled again with every function that multiplies. But
    these functions are kept on disk: whoever changes its arguments also has to change every file that calls `product`.
    """
    return _MULTIPLIERS[np.dtype(dtype)]().address


def _compile(number):
    n, array = types.uintp, types.CPointer(number)

    signature = types.void(
        n, n, n, n, array, n, n, n, n, array, n, n, n, array, n, n, number, array, n, n, array, n, number
    )  # fmt: skip

    @cfunc(signature)
    def multiply(
        rows, width, outer, inner, v, v_at, v_row, v_outer, v_inner, u, u_at, u_outer, u_inner, start, start_at,
        start_row, floor, m, m_at, m_row, scale, scale_at, ceiling,
    ):  # fmt: skip
        _blocks(
            rows, width, outer, inner, v, v_at, v_row, v_outer, v_inner, u, u_at, u_outer, u_inner, start, start_at,
            start_row, floor, m, m_at, m_row, scale, scale_at, ceiling,
        )  # fmt: skip

    return multiply


_MULTIPLIERS = {
    np.dtype("float32"): lambda: _compile(types.float32),
    np.dtype("float64"): lambda: _compile(types.float64),
}


@intrinsic
def _blocks(
    typingctx, rows, width, outer, inner, v, v_at, v_row, v_outer, v_inner, u, u_at, u_outer, u_inner, start, start_at,
    start_row, floor, m, m_at, m_row, scale, scale_at, ceiling,
):  # fmt: skip
    n = types.uintp
    signature = types.void(n, n, n, n, v, n, n, n, n, u, n, n, n, start, n, n, floor, m, n, n, scale, n, ceiling)

    def generate(context, builder, signature, arguments):
        for width in WIDTHS:
            with builder.if_then(builder.icmp_unsigned("==", arguments[1], INDEX(width))):
                _rows(builder, width, llvm_vector(floor), arguments)
        return context.get_dummy_value()

    return signature, generate


def _rows(builder, width, vector, arguments):
    """Emit code for as many of the tallest blocks as fit, then for the smaller ones."""
    (rows, _, outer, inner, v, v_at, v_row, v_outer, v_inner, u, u_at, u_outer, u_inner, start, start_at, start_row,
     floor, m, m_at, m_row, scale, scale_at, ceiling) = arguments  # fmt: skip
    done = INDEX(0)
    for height in heights(width):
        blocks = builder.udiv(builder.sub(rows, done), INDEX(height))
        with cgutils.for_range(builder, blocks, intp=INDEX) as block:
            r = builder.add(done, builder.mul(block.index, INDEX(height)))
            _block(
                builder, height, width, vector, outer, inner,
                v, _at(builder, v_at, r, v_row), v_row, v_outer, v_inner, u, u_at, u_outer, u_inner,
                start, _at(builder, start_at, r, start_row), start_row, floor, m, _at(builder, m_at, r, m_row), m_row,
                scale, scale_at, ceiling,
            )  # fmt: skip
        done = builder.add(done, builder.mul(blocks, INDEX(height)))


def _block(
    builder, height, width, vector, outer, inner, v, v_at, v_row, v_outer, v_inner, u, u_at, u_outer, u_inner, start,
    start_at, start_row, floor, m, m_at, m_row, scale, scale_at, ceiling,
):  # fmt: skip
    """Emit code for one block of `height` rows and `width` vectors."""
    block = [(r, k) for r in range(height) for k in range(width)]

    def element(position, r, row, k):
        return builder.add(_at(builder, position, INDEX(r), row), INDEX(k * vector.count))

    zero, totals = ir.Constant(vector, [0.0] * vector.count), {}
    for r, k in block:
        totals[r, k] = cgutils.alloca_once_value(builder, zero)  # LLVM turns these variables into registers
        builder.store(zero, totals[r, k])
    with cgutils.for_range(builder, outer, intp=INDEX) as o:
        v_outer_at = _at(builder, v_at, o.index, v_outer)
        v_rows = [_at(builder, v_outer_at, INDEX(r), v_row) for r in range(height)]
        u_outer_at = _at(builder, u_at, o.index, u_outer)
        with cgutils.for_range(builder, inner, intp=INDEX) as i:
            u_here = _at(builder, u_outer_at, i.index, u_inner)
            us = [llvm_load(builder, u, builder.add(u_here, INDEX(k * vector.count)), vector) for k in range(width)]
            for r in range(height):
                number = builder.load(builder.gep(v, [_at(builder, v_rows[r], i.index, v_inner)]))
                number = llvm_splat(builder, number, vector)
                for k in range(width):
                    total = llvm_multiply_add(builder, number, us[k], builder.load(totals[r, k]))
                    builder.store(total, totals[r, k])
    least, most = llvm_splat(builder, floor, vector), llvm_splat(builder, ceiling, vector)
    scales = [
        llvm_load(builder, scale, builder.add(scale_at, INDEX(k * vector.count)), vector) for k in range(width)
    ]  # fmt: skip
    for r, k in block:
        first = llvm_load(builder, start, element(start_at, r, start_row, k), vector)
        result = llvm_multiply_add(builder, scales[k], builder.load(totals[r, k]), first)
        result = llvm_at_most(builder, llvm_at_least(builder, result, least), most)
        llvm_store(builder, result, m, element(m_at, r, m_row, k))


def _at(builder, first, count, step):
    return builder.add(first, builder.mul(count, step))
