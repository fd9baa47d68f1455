"""The arrays of the stand-in for CuPy: NumPy's memory behind a wall that lets nothing through by accident.

A computation with an array of the host, a conversion to NumPy that nobody asked for, a float64 result of float32
numbers and an argument that CuPy does not know all raise. While a stream captures, nothing is computed: every operation
is put down instead, and what would read from the device raises, as it does there.
"""

import math
import types

import numpy as np

ALIGNMENT = 512  # bytes
HOST_ONLY = "a device array met {}, which is on the host: copy it there first"


class Device:
    """What is one on a GPU: the graph being captured, the memory, and how often the host waited."""

    def __init__(self):
        self.graph = None  # the operations put down so far, while a stream captures
        self.limit = math.inf  # bytes of the largest array
        self.free = 8 << 30  # what it says is free
        self.count = 1  # of GPUs in the machine
        self.capability = "75"  # without TF32, so that results are those of float32
        self.waits = 0
        self.launches = []  # names of the kernels that ran
        self.pool = None  # that memory is taken from; None is the default pool

    def wait(self, what):
        """The host reads from the device."""
        if self.graph is not None:
            raise RuntimeError(f"operation not permitted when stream is capturing: {what}")
        self.waits += 1


class OutOfMemoryError(MemoryError):
    """As CuPy's own: a MemoryError."""


device = Device()


def raw(thing):
    """The memory behind a device array, Python's and NumPy's plain numbers as they are; TypeError for the rest."""
    if isinstance(thing, Array):
        return thing.memory
    if isinstance(thing, (list, tuple)):
        return type(thing)(map(raw, thing))
    if isinstance(thing, np.ndarray):
        raise TypeError(HOST_ONLY.format(f"a NumPy array {thing.shape}"))
    return thing


def arrays_of(things):
    """The device arrays among arguments."""
    for thing in things:
        if isinstance(thing, Array):
            yield thing
        elif isinstance(thing, (list, tuple)):
            yield from arrays_of(thing)


def allocate(result):
    """A device array of a fresh result."""
    if getattr(result, "nbytes", 0) > device.limit:
        raise OutOfMemoryError(f"Out of memory allocating {result.nbytes:,} bytes")
    if device.pool is not None:
        device.pool.held += getattr(result, "nbytes", 0)
    return Array(aligned(np.asarray(result)))


def aligned(array):
    """The array itself if it begins at a multiple of 512 bytes, as all memory of CuPy does; otherwise a copy there."""
    if array.ctypes.data % ALIGNMENT == 0 or not array.flags.c_contiguous:
        return array
    bytes_ = np.empty(array.nbytes + ALIGNMENT, "uint8")
    first = -bytes_.ctypes.data % ALIGNMENT
    copy = bytes_[first : first + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def compute(function, *things, asked=False, **options):
    """A fresh device array: `function` of the memory of `things`; put down instead while a stream captures.

    `asked` says that the caller named the result's type, so that a float64 is no accident.
    """
    inputs = [raw(thing) for thing in things]
    with np.errstate(all="ignore"):
        result = function(*inputs, **options)
    if isinstance(result, (tuple, list)):
        return type(result)(Array(part) for part in result)  # broadcast_arrays: views
    result = np.asarray(result)
    wide = any(array.dtype == np.float64 for array in arrays_of(things))
    if result.dtype in (np.float64, np.complex128, np.longdouble) and not wide and not asked:
        raise TypeError(f"{getattr(function, '__name__', function)}: the result is {result.dtype}, asked for by nobody")
    if device.graph is not None:
        memory = poison(result.shape, result.dtype)

        def again():
            with np.errstate(all="ignore"):
                memory[...] = function(*inputs, **options)

        device.graph.append(again)
        return allocate(memory)
    return allocate(np.array(result) if not isinstance(result, np.ndarray) or result.base is not None else result)


def change(function):
    """Run a change of memory, or put it down while a stream captures."""
    if device.graph is not None:
        device.graph.append(function)
    else:
        with np.errstate(all="ignore"):
            function()


def poison(shape, dtype):
    """Memory with contents that nobody should use."""
    memory = aligned(np.empty(shape, dtype))
    memory.fill(np.nan if memory.dtype.kind == "f" else (True if memory.dtype.kind == "b" else 77))
    return memory


def binary(name):
    ufunc = getattr(np, name)

    def forwards(self, other):
        return compute(ufunc, self, other)

    def backwards(self, other):
        return compute(ufunc, other, self)

    def in_place(self, other):
        memory, other = self.memory, raw(other)
        change(lambda: ufunc(memory, other, out=memory, casting="same_kind"))
        return self

    return forwards, backwards, in_place


def reduction(name, typed=True):
    """A method that takes what CuPy's takes: no `where`, no `initial`."""

    def method(self, axis=None, dtype=None, keepdims=False):
        assert typed or dtype is None
        options = {} if dtype is None else {"dtype": dtype}
        return compute(getattr(np, name), self, axis=axis, keepdims=keepdims, asked=dtype is not None, **options)

    return method


class Array:
    """A device array; `memory` is the NumPy array that plays the device's memory."""

    __module__ = "cupy"
    __array_ufunc__ = None  # NumPy leaves its operators to us

    def __init__(self, memory):
        assert isinstance(memory, np.ndarray)
        self.memory = memory

    def __array__(self, *arguments, **options):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    def __array_function__(self, function, types, arguments, options):
        raise TypeError(f"numpy.{function.__name__} was called with a device array: use its own namespace")

    shape = property(lambda self: self.memory.shape)
    dtype = property(lambda self: self.memory.dtype)
    ndim = property(lambda self: self.memory.ndim)
    size = property(lambda self: self.memory.size)
    nbytes = property(lambda self: self.memory.nbytes)
    itemsize = property(lambda self: self.memory.itemsize)
    strides = property(lambda self: self.memory.strides)
    flags = property(lambda self: self.memory.flags)
    T = property(lambda self: Array(self.memory.T))
    data = property(lambda self: types.SimpleNamespace(ptr=self.memory.ctypes.data))

    def __len__(self):
        return len(self.memory)

    def __iter__(self):
        return (self[index] for index in range(len(self)))

    def __repr__(self):
        return f"Array({self.shape}, {self.dtype})"

    # From the device to the host: each makes the host wait.

    def get(self, out=None):
        """A copy on the host; in `out`, of the same shape and dtype and contiguous, where it is given."""
        device.wait("get")
        if out is None:
            return self.memory.copy()
        assert isinstance(out, np.ndarray) and out.shape == self.shape and out.dtype == self.dtype
        assert out.flags.c_contiguous
        out[...] = self.memory
        return out

    def _number(self, kind):
        device.wait(kind.__name__)
        return kind(self.memory)

    __float__ = lambda self: self._number(float)  # noqa: E731
    __int__ = lambda self: self._number(int)  # noqa: E731
    __bool__ = lambda self: self._number(bool)  # noqa: E731

    def item(self):
        device.wait("item")
        return self.memory.item()

    def set(self, host, stream=None):
        """Copy from the host into this array: same shape and dtype, contiguous."""
        assert isinstance(host, np.ndarray) and host.shape == self.shape and host.dtype == self.dtype
        assert self.flags.c_contiguous
        if device.graph is not None:
            raise RuntimeError("operation not permitted when stream is capturing: set")
        memory = self.memory

        def write():
            memory[...] = host

        write() if stream is None else stream.copy(write)

    # Views and copies.

    def reshape(self, *shape):
        shape = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        view = self.memory.view()
        try:
            view.shape = shape if -1 not in shape else self.memory.reshape(shape).shape
            return Array(view)
        except AttributeError:
            return compute(lambda memory: memory.reshape(shape).copy(), self)

    def repeat(self, repeats, axis=None):
        return compute(lambda memory: memory.repeat(repeats, axis=axis), self)

    def transpose(self, *axes):
        return Array(self.memory.transpose(*axes))

    def copy(self):
        return compute(np.copy, self)

    def astype(self, dtype, copy=True):
        if not copy and self.dtype == dtype:
            return self
        return compute(lambda memory: memory.astype(dtype), self, asked=True)

    def view(self, dtype):
        return Array(self.memory.view(dtype))

    def fill(self, value):
        memory = self.memory
        change(lambda: memory.fill(value))

    def ravel(self):
        return self.reshape(-1)

    def _index(self, index):
        """(index for the memory, whether it is a view): 0-d results stay arrays, host arrays are refused."""
        index = index if isinstance(index, tuple) else (index,)
        if any(isinstance(part, np.ndarray) for part in index):
            raise TypeError(HOST_ONLY.format("an index of NumPy's"))
        if any(isinstance(part, Array) and part.dtype.kind not in "biu" for part in index):
            raise IndexError("arrays used as indices must be of integer or boolean type")
        basic = not any(isinstance(part, (Array, list)) for part in index)
        if basic and Ellipsis not in index:
            index = (*index, Ellipsis)
        return tuple(raw(part) for part in index), basic

    def __getitem__(self, index):
        place, basic = self._index(index)
        if basic:
            return Array(self.memory[place])
        if any(isinstance(part, np.ndarray) and part.dtype == bool for part in place):
            device.wait("a boolean index")  # the size of the result is not known before
        return compute(lambda memory: memory[place], self)

    def __setitem__(self, index, value):
        place, _ = self._index(index)
        memory, value = self.memory, raw(value)
        if isinstance(value, (list, tuple)):
            raise ValueError("a device array cannot be filled from a list")
        if isinstance(value, np.ndarray) and value.dtype == np.float64 and memory.dtype == np.float32:
            raise TypeError("float64 numbers are written into a float32 array")

        def write():
            memory[place] = value

        change(write)

    __add__, __radd__, __iadd__ = binary("add")
    __sub__, __rsub__, __isub__ = binary("subtract")
    __mul__, __rmul__, __imul__ = binary("multiply")
    __truediv__, __rtruediv__, __itruediv__ = binary("true_divide")
    __floordiv__, __rfloordiv__, __ifloordiv__ = binary("floor_divide")
    __mod__, __rmod__, __imod__ = binary("remainder")
    __pow__, __rpow__, __ipow__ = binary("power")
    __and__, __rand__, __iand__ = binary("bitwise_and")
    __or__, __ror__, __ior__ = binary("bitwise_or")
    __xor__, __rxor__, __ixor__ = binary("bitwise_xor")
    __rshift__, __rrshift__, __irshift__ = binary("right_shift")
    __lshift__, __rlshift__, __ilshift__ = binary("left_shift")
    __lt__, __le__, __gt__, __ge__, __eq__, __ne__ = (
        (lambda ufunc: lambda self, other: compute(ufunc, self, other))(getattr(np, name))
        for name in ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")
    )
    __hash__ = None

    def __matmul__(self, other):
        if device.graph is not None:
            raise NotImplementedError("calling cuBLAS API during stream capture is currently unsupported")
        return compute(np.matmul, self, other)

    def __neg__(self):
        return compute(np.negative, self)

    def __invert__(self):
        return compute(np.invert, self)

    def __abs__(self):
        return compute(np.abs, self)

    sum, mean, max, min, std = map(reduction, ("sum", "mean", "max", "min", "std"))
    argmax, all, any = (reduction(name, typed=False) for name in ("argmax", "all", "any"))
