"""A stand-in for CuPy: the names that the engine uses, with CuPy's arguments and no others.

`test_standin.py` holds the list to CuPy's own where that is installed (it can be imported without a GPU). What is not
here raises AttributeError; so a name in the engine that CuPy lacks, such as `errstate`, cannot go unseen.
"""

import contextlib
import types

import host_kernels
import numpy as np
from standin_arrays import HOST_ONLY, Array, OutOfMemoryError, allocate, compute, device, poison, raw

# out= is all that these take besides
UFUNCS = ("abs", "exp", "expm1", "log", "log1p", "sqrt", "tanh", "floor", "maximum", "minimum")
TYPES = ("float32", "float64", "int32", "int64", "uint8", "uint32", "uint64", "bool_")


class Namespace(types.ModuleType):
    """A module whose missing names say so."""

    def __getattr__(self, name):
        raise AttributeError(f"module 'cupy' has no attribute {name!r}, or the stand-in lacks it")


cupy = Namespace("cupy")
cupy.__version__ = "14.2.0"
cupy.ndarray = Array
for _name in TYPES:
    setattr(cupy, _name, getattr(np, _name))


def public(function):
    """A name of the namespace."""
    setattr(cupy, function.__name__.rstrip("_"), function)
    return function


def _ufunc(name):
    function = getattr(np, name)

    def call(*things, out=None):
        if out is None:
            return compute(function, *things)
        from standin_arrays import change

        inputs, memory = [raw(thing) for thing in things], raw(out)
        change(lambda: function(*inputs, out=memory, casting="same_kind"))
        return out

    setattr(cupy, name, call)


for _name in UFUNCS:
    _ufunc(_name)


@public
def asarray(a, dtype=None):
    if isinstance(a, Array):
        return a if dtype is None else a.astype(dtype, copy=False)
    if device.graph is not None:
        raise RuntimeError("operation not permitted when stream is capturing: asarray of the host's numbers")
    host = np.array(a, dtype=dtype)
    if host.dtype == np.float64 and dtype is None and not isinstance(a, np.ndarray):
        raise TypeError("asarray: Python's numbers become float64; name the dtype")
    return allocate(host)


def _asked(dtype, what):
    if dtype is None:
        raise TypeError(f"{what}: without a dtype it is float64")
    return np.dtype(dtype)


@public
def empty(shape, dtype=None):
    return allocate(poison(shape, _asked(dtype, "empty")))


def _filled(shape, dtype, value, what):
    dtype = _asked(dtype, what)
    return compute(lambda: np.full(shape, value, dtype), asked=True)


@public
def zeros(shape, dtype=None):
    return _filled(shape, dtype, 0, "zeros")


@public
def ones(shape, dtype=None):
    return _filled(shape, dtype, 1, "ones")


@public
def empty_like(prototype, dtype=None):
    return allocate(poison(prototype.shape, dtype or prototype.dtype))


@public
def zeros_like(a, dtype=None):
    return _filled(a.shape, dtype or a.dtype, 0, "zeros_like")


@public
def arange(start, stop=None, step=1, dtype=None):
    arguments = (start,) if stop is None else (start, stop, step)
    return compute(lambda: np.arange(*arguments, dtype=dtype), asked=dtype is not None)


@public
def ascontiguousarray(a, dtype=None):
    assert isinstance(a, Array), HOST_ONLY.format(type(a))
    if a.flags.c_contiguous and (dtype is None or dtype == a.dtype):
        return a
    return compute(lambda memory: np.ascontiguousarray(memory, dtype), a, asked=dtype is not None)


@public
def where(condition, x, y):
    return compute(np.where, condition, x, y)


@public
def clip(a, a_min, a_max):
    return compute(np.clip, a, a_min, a_max)


@public
def pad(array, pad_width, mode="constant", constant_values=0):
    return compute(lambda memory: np.pad(memory, pad_width, mode, constant_values=constant_values), array)


@public
def stack(tup, axis=0):
    return compute(lambda *parts: np.stack(parts, axis), *tup)


@public
def concatenate(tup, axis=0):
    return compute(lambda *parts: np.concatenate(parts, axis), *tup)


@public
def broadcast_to(array, shape):
    return Array(np.broadcast_to(raw(array), shape))


@public
def broadcast_arrays(*arrays):
    return [Array(part) for part in np.broadcast_arrays(*map(raw, arrays))]


def _blas(name):
    function = getattr(np, name)

    def call(*things):
        if device.graph is not None:
            raise NotImplementedError("calling cuBLAS API during stream capture is currently unsupported")
        return compute(function, *things)

    setattr(cupy, name, call)


for _name in ("einsum", "matmul", "vdot"):
    _blas(_name)


@public
def result_type(*things):
    return np.result_type(*(thing.dtype if isinstance(thing, Array) else thing for thing in things))


def _as_strided(x, shape=None, strides=None):
    return Array(np.lib.stride_tricks.as_strided(raw(x), shape, strides))


cupy.lib = types.SimpleNamespace(stride_tricks=types.SimpleNamespace(as_strided=_as_strided))


class RawModule:
    """Kernels compiled for the host; options as NVRTC takes them, -D only."""

    def __init__(self, *, code=None, path=None, options=()):
        self.functions = host_kernels.compiled(code, tuple(options))

    def get_function(self, name):
        return host_kernels.Kernel(self.functions, name)


cupy.RawModule = RawModule


# Streams, graphs and memory.


class Graph:
    """What was put down while a stream captured."""

    def __init__(self, operations):
        self.operations = operations

    def launch(self, stream=None):
        assert device.graph is None
        for operation in self.operations:
            operation()


class Stream:
    """Computing is done at once, in order. Copies to a stream of their own are done as late as they may be: when
    somebody waits for an event that was recorded behind them. So what is overwritten too early shows."""

    stack = []

    def __init__(self, null=False, non_blocking=False):
        self.ptr = 0 if null else id(self)
        self.copies = []

    def copy(self, work):
        if self.ptr and self not in Stream.stack:
            self.copies.append(work)
        else:
            work()

    def finish(self):
        while self.copies:
            self.copies.pop(0)()

    def __enter__(self):
        Stream.stack.append(self)
        return self

    def __exit__(self, *error):
        Stream.stack.pop()

    def begin_capture(self, mode=None):
        if not self.ptr:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        device.graph = []

    def end_capture(self):
        operations, device.graph = device.graph, None
        return Graph(operations)

    def synchronize(self):
        device.wait("synchronize")
        self.finish()

    def record(self, event=None):
        return Event(self)

    def wait_event(self, event):
        event.stream.finish()


class Event:
    """A place in a stream."""

    def __init__(self, stream=None):
        self.stream = stream or Stream(null=True)

    def record(self, stream=None):
        self.stream = stream or self.stream

    def synchronize(self):
        device.wait("event")
        self.stream.finish()


class MemoryPool:
    """Hands out memory; here NumPy's does, and what was taken counts as held until all blocks are freed."""

    def __init__(self):
        self.held = 0

    def malloc(self, size):
        raise NotImplementedError

    def free_all_blocks(self):
        self.held = 0

    def total_bytes(self):
        return self.held


@contextlib.contextmanager
def _using_allocator(allocator=None):
    before, device.pool = device.pool, getattr(allocator, "__self__", None)
    try:
        yield
    finally:
        device.pool = before


class _Device:
    current = 0

    def __init__(self, number=None):
        self.id = _Device.current if number is None else number

    def use(self):
        _Device.current = self.id

    def synchronize(self):
        device.wait("synchronize")

    compute_capability = property(lambda self: device.capability)
    mem_info = property(lambda self: (device.free, 16 << 30))


cupy.get_default_memory_pool = MemoryPool
cupy.cuda = types.SimpleNamespace(
    Stream=Stream,
    Event=Event,
    MemoryPool=MemoryPool,
    Device=_Device,
    alloc_pinned_memory=bytearray,
    get_current_stream=lambda: Stream.stack[-1] if Stream.stack else Stream(null=True),
    using_allocator=_using_allocator,
    get_elapsed_time=lambda start, end: 0.5,  # milliseconds
    runtime=types.SimpleNamespace(
        getDeviceProperties=lambda number: {"name": b"a stand-in"},
        runtimeGetVersion=lambda: 13000,
        getDeviceCount=lambda: device.count,
        deviceGetPCIBusId=lambda number: f"0000:0{number}:00.0",
    ),
    memory=types.SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
)
