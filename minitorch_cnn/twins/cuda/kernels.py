"""Launching the kernels of `kernels.cu`.

    launch("relu_backward", dx.size, dy, y, dx)

The file is compiled for the arrays' element type when the first kernel is called; CuPy caches the result on disk. A GPU
takes arguments as plain bytes and does not check their types, so each is converted here to the type that the kernel
declares.
"""

import functools
import re
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.arrays.libraries import Array, namespace
from minitorch_cnn.errors import BackendError

SOURCE = Path(__file__).with_name("kernels.cu")
BLOCK = 256  # threads per block
MOST = 2**32 - BLOCK  # elements: the kernels count them in 32 bits
REALS = {np.dtype("float32"): "float", np.dtype("float64"): "double"}
NUMBERS = {"int": np.int32, "unsigned": np.uint32}


def launch(name: str, size: int, *arguments: Any, dtype: Any = None) -> None:
    """Run kernel `name` with `size` threads; `arguments` are GPU arrays and numbers.

    `dtype` is the type of the kernel's `real` (left out: the first array's). Raises BackendError beyond 2^32 elements,
    or if a number does not fit the type that the kernel declares.
    """
    first = next(argument for argument in arguments if hasattr(argument, "dtype"))
    dtype = np.dtype(dtype or first.dtype)
    if size > MOST:
        raise too_many(name, size)
    if size == 0:
        return
    function, kinds = _function(namespace(first), dtype, name)
    typed = [_typed(name, kind, argument, dtype) for kind, argument in zip(kinds, (size, *arguments), strict=True)]
    function((-(-size // BLOCK),), (BLOCK,), tuple(typed))


def too_many(name: str, count: int) -> BackendError:
    """The error for a `count` of elements that kernel `name` cannot be given."""
    return BackendError(f"{name}: {count:,} elements are too many for the GPU's kernels; take a smaller batch")


def contiguous(array: Array, dtype: Any = None) -> Array:
    """The array C-contiguous, as the kernels expect it; a copy only if it is not."""
    return namespace(array).ascontiguousarray(array, dtype=dtype)


def one_type(*arrays: Array) -> list[Array]:
    """The arrays C-contiguous and of one dtype, which is float32 only if all of them are."""
    dtype = namespace(arrays[0]).result_type(*arrays)
    return [contiguous(array, dtype) for array in arrays]


def _typed(name, kind, argument, dtype):
    if kind.endswith("*"):
        return argument
    try:
        return (dtype.type if kind == "real" else NUMBERS[kind])(argument)
    except OverflowError:
        raise too_many(name, argument) from None


@functools.cache
def _function(xp, dtype, name):
    """(the compiled kernel, the type of each of its parameters)."""
    return _module(xp, dtype).get_function(name), signatures()[name]


@functools.cache
def _module(xp, dtype):
    return xp.RawModule(code=SOURCE.read_text(), options=(f"-DREAL={REALS[dtype]}", "-std=c++17"))


@functools.cache
def signatures() -> dict[str, list[str]]:
    """{kernel: [type of each parameter]}, as the file declares them; a pointer's type ends in *."""
    found = {}
    for name, parameters in re.findall(r'extern "C" __global__ void (\w+)\(([^)]*)\)', SOURCE.read_text()):
        found[name] = [re.sub(r"const |\s*\w+$", "", parameter.strip()) for parameter in parameters.split(",")]
    return found
