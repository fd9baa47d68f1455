"""Vectors in Numba: several numbers that one instruction loads, adds, multiplies or stores.

A compiler turns simple loops into vector instructions by itself, but it does not keep a block of results in registers
during a long sum. With a type for vectors the twins can ask for that:

    total = splat(zero)
    for c in range(C):
        total = multiply_add(splat(x[c]), load(kernel, c * K), total)     # K numbers at once
    store(y, at, total)

A vector is as wide as the registers of the machine that Numba compiles for: `lanes(dtype)` numbers (16 of float32 with
AVX-512, 8 with AVX2, 4 with NEON). `+` and `-` work on two vectors, `*` on a number and a vector. Positions are counted
in elements of a flat array and are not checked, as in C: the caller of `load` or `store` ensures that `lanes` elements
exist there.
"""

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

from minitorch_cnn.twins.numba import registers

REGISTER_BYTES, REGISTERS = registers.of_compiled_code()


def lanes(dtype: np.dtype) -> int:
    """How many numbers of `dtype` a vector holds."""
    return REGISTER_BYTES // np.dtype(dtype).itemsize


class Vector(types.Type):
    """The Numba type of a vector of `dtype`."""

    def __init__(self, dtype: types.Type) -> None:
        self.dtype = dtype
        super().__init__(f"Vector({dtype})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, data_model_manager, vector):
        super().__init__(data_model_manager, vector, llvm_vector(vector.dtype))


def llvm_vector(dtype: types.Type) -> ir.VectorType:
    """The LLVM type of a vector of Numba's `dtype`."""
    element = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}[dtype]
    return ir.VectorType(element, REGISTER_BYTES * 8 // dtype.bitwidth)


# The LLVM instructions of each operation, emitted through LLVM's `builder`; all results are `ir.Value`s.


def llvm_data(context: Any, builder: ir.IRBuilder, array_type: types.Type, array: ir.Value) -> ir.Value:
    """The address of an array's first element."""
    return context.make_array(array_type)(context, builder, array).data


def llvm_load(builder: ir.IRBuilder, data: ir.Value, position: ir.Value, vector: ir.VectorType) -> ir.Value:
    """Load the `vector` that begins at `position` of `data`."""
    address = builder.bitcast(builder.gep(data, [position]), vector.as_pointer())
    return builder.load(address, align=_itemsize(vector))


def llvm_store(builder: ir.IRBuilder, value: ir.Value, data: ir.Value, position: ir.Value) -> None:
    """Store the vector `value` at `position` of `data`."""
    address = builder.bitcast(builder.gep(data, [position]), value.type.as_pointer())
    builder.store(value, address, align=_itemsize(value.type))


def llvm_splat(builder: ir.IRBuilder, number: ir.Value, vector: ir.VectorType) -> ir.Value:
    """The `vector` whose elements are all `number`."""
    zero = ir.Constant(ir.IntType(32), 0)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), number, zero)
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None))


def llvm_multiply_add(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """A * b + c, rounded once if the machine has such an instruction."""
    kind = a.type
    name = f"llvm.fmuladd.v{kind.count}f{_itemsize(kind) * 8}"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), name)
    return builder.call(function, [a, b, c])


def llvm_at_least(builder: ir.IRBuilder, value: ir.Value, floor: ir.Value) -> ir.Value:
    """The larger of the two vectors, element by element; NaN stays NaN."""
    return builder.select(builder.fcmp_ordered("<", value, floor), floor, value)


def llvm_at_most(builder: ir.IRBuilder, value: ir.Value, ceiling: ir.Value) -> ir.Value:
    """The smaller of the two vectors, element by element; NaN stays NaN."""
    return builder.select(builder.fcmp_ordered(">", value, ceiling), ceiling, value)


def _itemsize(vector):
    return 4 if isinstance(vector.element, ir.FloatType) else 8


# The same operations as functions of compiled Python.


@intrinsic
def load(typingctx, array, position):
    """The vector that begins at `position` of a flat array."""

    def generate(context, builder, signature, arguments):
        data = llvm_data(context, builder, array, arguments[0])
        return llvm_load(builder, data, arguments[1], llvm_vector(array.dtype))

    return Vector(array.dtype)(array, types.uintp), generate


@intrinsic
def store(typingctx, array, position, vector):
    """Write a vector to a flat array, from `position` on."""

    def generate(context, builder, signature, arguments):
        llvm_store(builder, arguments[2], llvm_data(context, builder, array, arguments[0]), arguments[1])
        return context.get_dummy_value()

    return types.void(array, types.uintp, vector), generate


@intrinsic(prefer_literal=True)
def load_all(typingctx, array, first, step, count):
    """`count` (a literal) vectors as a tuple, from `first` on, `step` elements from one to the next."""
    vector = Vector(array.dtype)

    def generate(context, builder, signature, arguments):
        data = llvm_data(context, builder, array, arguments[0])
        loaded = []
        _, first, step, _ = arguments
        for number in range(count.literal_value):
            position = builder.add(first, builder.mul(step, step.type(number)))
            loaded.append(llvm_load(builder, data, position, llvm_vector(array.dtype)))
        return context.make_tuple(builder, signature.return_type, loaded)

    return types.UniTuple(vector, count.literal_value)(array, types.uintp, types.uintp, count), generate


@intrinsic
def store_all(typingctx, array, first, step, vectors):
    """Write a tuple of vectors, from `first` on, `step` elements from one to the next."""

    def generate(context, builder, signature, arguments):
        data = llvm_data(context, builder, array, arguments[0])
        _, first, step, vectors = arguments
        for number, vector in enumerate(cgutils.unpack_tuple(builder, vectors)):
            llvm_store(builder, vector, data, builder.add(first, builder.mul(step, step.type(number))))
        return context.get_dummy_value()

    return types.void(array, types.uintp, types.uintp, vectors), generate


@intrinsic
def splat(typingctx, number):
    """The vector whose elements are all `number`."""

    def generate(context, builder, signature, arguments):
        return llvm_splat(builder, arguments[0], llvm_vector(number))

    return Vector(number)(number), generate


@intrinsic
def multiply_add(typingctx, a, b, c):
    """a * b + c, rounded once if the machine has such an instruction, else twice."""

    def generate(context, builder, signature, arguments):
        return llvm_multiply_add(builder, *arguments)

    return a(a, b, c), generate


@intrinsic
def at_least(typingctx, vector, floor):
    """The larger of two vectors, element by element; NaN stays NaN."""

    def generate(context, builder, signature, arguments):
        return llvm_at_least(builder, *arguments)

    return vector(vector, floor), generate


@intrinsic
def take_larger(typingctx, best, place, value, number):
    """(best, place), replaced by `value` and `number` where value > best; NaN counts as larger than all numbers."""

    def generate(context, builder, signature, arguments):
        best, place, value, number = arguments
        not_a_number = builder.fcmp_unordered("uno", value, value)
        was_a_number = builder.fcmp_ordered("ord", best, best)
        larger = builder.or_(builder.fcmp_ordered(">", value, best), builder.and_(not_a_number, was_a_number))
        number = llvm_splat(builder, context.cast(builder, number, signature.args[3], best_type), best.type)
        chosen = [builder.select(larger, value, best), builder.select(larger, number, place)]
        return context.make_tuple(builder, signature.return_type, chosen)

    best_type = best.dtype
    return types.UniTuple(best, 2)(best, place, value, number), generate


@intrinsic
def where_equal(typingctx, place, number, value):
    """`value` where `place` equals `number`, 0 elsewhere."""

    def generate(context, builder, signature, arguments):
        place_, number_, value_ = arguments
        number_ = llvm_splat(builder, context.cast(builder, number_, signature.args[1], place.dtype), place_.type)
        zero = ir.Constant(value_.type, [0.0] * value_.type.count)
        return builder.select(builder.fcmp_ordered("==", place_, number_), value_, zero)

    return value(place, number, value), generate


@intrinsic
def store_bytes(typingctx, array, position, vector):
    """Write a vector of small whole numbers to a flat array of bytes."""

    def generate(context, builder, signature, arguments):
        data, (_, position, values) = llvm_data(context, builder, array, arguments[0]), arguments
        whole = builder.fptoui(values, ir.VectorType(ir.IntType(8), values.type.count))
        address = builder.bitcast(builder.gep(data, [position]), whole.type.as_pointer())
        builder.store(whole, address, align=1)
        return context.get_dummy_value()

    return types.void(array, types.uintp, vector), generate


@intrinsic
def load_bytes(typingctx, array, position, like):
    """The bytes from `position` on, as a vector of numbers of the type of the number `like`."""

    def generate(context, builder, signature, arguments):
        vector = llvm_vector(like)
        kind = ir.VectorType(ir.IntType(8), vector.count)
        data = llvm_data(context, builder, array, arguments[0])
        address = builder.bitcast(builder.gep(data, [arguments[1]]), kind.as_pointer())
        return builder.uitofp(builder.load(address, align=1), vector)

    return Vector(like)(array, types.uintp, like), generate


# With "contract", a sum of products may be computed with one rounding instead of two, as in `multiply_add`.


def _operation(instruction):
    @intrinsic
    def operation(typingctx, a, b):
        def generate(context, builder, signature, arguments):
            return getattr(builder, instruction)(*arguments, flags=("contract",))

        return a(a, b), generate

    return operation


@intrinsic
def _scale(typingctx, number, vector):
    def generate(context, builder, signature, arguments):
        number = context.cast(builder, arguments[0], signature.args[0], vector.dtype)
        number = llvm_splat(builder, number, llvm_vector(vector.dtype))
        return builder.fmul(number, arguments[1], flags=("contract",))

    return vector(number, vector), generate


_plus, _minus = _operation("fadd"), _operation("fsub")


@overload(operator.add)
def _add(a, b):
    if isinstance(a, Vector) and isinstance(b, Vector):
        return lambda a, b: _plus(a, b)


@overload(operator.sub)
def _subtract(a, b):
    if isinstance(a, Vector) and isinstance(b, Vector):
        return lambda a, b: _minus(a, b)


@overload(operator.mul)
def _multiply(a, b):
    if isinstance(a, types.Number) and isinstance(b, Vector):
        return lambda a, b: _scale(a, b)
