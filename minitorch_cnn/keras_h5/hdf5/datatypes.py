"""Number and string types: how the bytes of a file encode values.

Weights are IEEE floats of 2, 4 or 8 bytes, in either byte order, or bfloat16 (the upper half of a float32). All other
types (integers, booleans, complex numbers, records, references, strings) are recognised but not read as weights,
because silently converting, say, the string "1.0" into a weight would turn a wrong file into a wrong network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minitorch_cnn.keras_h5.hdf5.window import Cursor, damaged

CLASS_NAMES = {
    2: "time", 4: "bit field", 6: "compound (records)", 7: "object reference", 8: "enumeration or boolean",
    9: "variable-length array", 10: "array",
}  # fmt: skip

# (bits, exponent position, exponent bits, mantissa bits, exponent bias) -> NumPy's name
IEEE_FLOATS = {
    (16, 10, 5, 10, 15): "float16",
    (32, 23, 8, 23, 127): "float32",
    (64, 52, 11, 52, 1023): "float64",
    (16, 7, 8, 7, 127): "bfloat16",
}
NUMPY_CODES = {"float16": "f2", "float32": "f4", "float64": "f8", "bfloat16": "u2"}


@dataclass(frozen=True)
class Datatype:
    """A type as the file declares it.

    `name` is for messages ("float32", "big-endian float32", "compound (records)"); `size` is in bytes; `numpy` is the
    dtype that decodes floats, integers and bfloat16 (as unsigned 16-bit integers), or None for all other types; `text`
    is "fixed", "padded with spaces" or "variable" for a string type, otherwise None.
    """

    name: str
    size: int
    numpy: np.dtype | None = None
    is_float: bool = False
    is_bfloat16: bool = False
    text: str | None = None


def parse_datatype(cursor: Cursor) -> Datatype:
    """Parse one datatype message."""
    first = cursor.number(1)
    type_class, bits, size = first & 0x0F, cursor.number(3), cursor.number(4)
    if size == 0:
        raise damaged("a type has a size of zero bytes")
    if type_class == 0:
        return _integer(bits, size)
    if type_class == 1:
        return _float(cursor, bits, size)
    if type_class == 3:
        return Datatype("text", size, text="padded with spaces" if bits & 0x0F == 2 else "fixed")
    if type_class == 5:
        return Datatype(f"opaque, {size} bytes", size)
    if type_class == 9 and bits & 0x0F == 1:
        return Datatype("text of variable length", size, text="variable")
    return Datatype(CLASS_NAMES.get(type_class, f"type class {type_class}"), size)


def as_bfloat16(datatype: Datatype) -> Datatype:
    """A type that reads the same two bytes as bfloat16, which Keras stores as opaque because HDF5 lacks it."""
    return Datatype("bfloat16", datatype.size, np.dtype("<u2"), is_float=True, is_bfloat16=True)


def _integer(bits: int, size: int) -> Datatype:
    order, sign = "><"[not bits & 1], "iu"[not bits & 8]
    numpy = np.dtype(f"{order}{sign}{size}") if size in (1, 2, 4, 8) else None
    return Datatype(f"{8 * size}-bit integer", size, numpy)


def _float(cursor: Cursor, bits: int, size: int) -> Datatype:
    offset, precision = cursor.number(2), cursor.number(2)
    exponent_at, exponent_bits, mantissa_at, mantissa_bits = (cursor.number(1) for _ in range(4))
    layout = (precision, exponent_at, exponent_bits, mantissa_bits, cursor.number(4))
    name = IEEE_FLOATS.get(layout)
    byte_orders = {0x00: "<", 0x01: ">"}  # bit 6 stands for a third order, that of VAX machines
    order = byte_orders.get(bits & 0x41)
    sign_at = (bits >> 8) & 0xFF
    places = (offset, mantissa_at, size * 8, sign_at)
    if name is None or order is None or places != (0, 0, precision, precision - 1):
        return Datatype(f"{8 * size}-bit floating point of an unusual kind", size)
    label = name if order == "<" else f"big-endian {name}"
    return Datatype(label, size, np.dtype(order + NUMPY_CODES[name]), is_float=True, is_bfloat16=name == "bfloat16")
