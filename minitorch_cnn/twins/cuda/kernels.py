"""Launching the kernels of `kernels.cu` and the files after it.

    launch("relu_backward", dx.size, dy, y, dx)

The files are compiled for the arrays' element type when the first kernel is called; CuPy caches the result on disk. A
GPU takes arguments as plain bytes and does not check their types, so each is converted here to the type that the kernel
declares.

Some kernels have a second version, called `...4`, in which a thread does four neighbouring channels. Most of the
instructions of these kernels compute where a number lies, so it takes a quarter of them; the result has the same bits.

    each = together(C, x, y)                                    # 4, or 1 if these channels and arrays do not allow it
    launch("lay_out", y.size // each, x, y, C // each, ..., each=each)
"""

import functools
import re
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.arrays.libraries import Array, namespace
from minitorch_cnn.errors import BackendError

NAMES = "kernels", "windows", "sums", "batch_norm", "depthwise", "activations"
SOURCES = tuple(Path(__file__).with_name(f"{name}.cu") for name in NAMES)
IN_BLOCKS = Path(__file__).with_name("conv3x3.cu")  # is compiled by itself
TOGETHER = 4  # channels of a thread, in the kernels called ...4
BLOCK = 256  # threads per block
MOST = 2**32 - BLOCK  # elements: the kernels count them in 32 bits
REALS = {np.dtype("float32"): "float", np.dtype("float64"): "double"}
NUMBERS = {"int": np.int32, "unsigned": np.uint32}


def launch(name: str, size: int, *arguments: Any, dtype: Any = None, each: int = 1) -> None:
    """Run kernel `name` with `size` threads; `arguments` are GPU arrays and numbers.

    `dtype` is the type of the kernel's `real` (left out: the first array's), `each` is 4 for its version with four
    channels per thread. Raises BackendError beyond 2^32 elements,
    or if a number does not fit the type that the kernel declares.
    """
    name = name if each == 1 else f"{name}{each}"
    first = next(argument for argument in arguments if hasattr(argument, "dtype"))
    dtype = np.dtype(dtype or first.dtype)
    if size > MOST:
        raise too_many(name, size)
    if size == 0:
        return
    function, kinds = _function(namespace(first), dtype, name)
    typed = [_typed(name, kind, argument, dtype) for kind, argument in zip(kinds, (size, *arguments), strict=True)]
    function((-(-size // BLOCK),), (BLOCK,), tuple(typed))


def together(channels: int, *arrays: Any) -> int:
    """How many neighbouring channels a thread may load from each of the arrays at once: 4 or 1.

    The arrays are C-contiguous and have `channels` as their last axis; on a GPU a load of several numbers has to begin
    at a multiple of their size.
    """
    aligned = all(array.data.ptr % (TOGETHER * array.itemsize) == 0 for array in arrays)
    return TOGETHER if channels % TOGETHER == 0 and aligned else 1


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
    return xp.RawModule(code=source(), options=(f"-DREAL={REALS[dtype]}", "-std=c++17"))


@functools.cache
def source() -> str:
    """The text of all files."""
    return "\n".join(path.read_text() for path in SOURCES)


@functools.cache
def signatures() -> dict[str, list[str]]:
    """{kernel: [type of each parameter]}, as the files declare them; a pointer's type ends in *."""
    found = {}
    pattern = r'extern "C" __global__ void (?:__launch_bounds__\(\d+\) )?(\w+)\(([^)]*)\)'
    for name, parameters in re.findall(pattern, source() + IN_BLOCKS.read_text()):
        found[name] = [re.sub(r"const |\s*\w+$", "", parameter.strip()) for parameter in parameters.split(",")]
    return found


def launch_blocks(name: str, blocks: int, threads: int, shared: int, *arguments: Any) -> None:
    """Run a kernel of `conv3x3.cu`, whose blocks of so many `threads` work together in `shared` bytes of memory."""
    function, kinds = _function_in_blocks(namespace(arguments[0]), name, shared)
    typed = [_typed(name, kind, argument, None) for kind, argument in zip(kinds, arguments, strict=True)]
    function((blocks,), (threads,), tuple(typed), shared_mem=shared)


@functools.cache
def _function_in_blocks(xp, name, shared):
    function = xp.RawModule(code=IN_BLOCKS.read_text(), options=("-std=c++17",)).get_function(name)
    function.max_dynamic_shared_size_bytes = shared
    return function, signatures()[name]
