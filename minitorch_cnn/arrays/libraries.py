"""Which array library a model computes with: NumPy on the host or CuPy on an NVIDIA GPU; and copies between them.

CuPy is imported only here, and only when somebody asks for it. Then everything that may be missing is checked: the
package, its version, the driver, a device, CUDA's own libraries. Whatever is missing raises a BackendError of one line
that says what to install.
"""

import functools
import importlib
import sys
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from minitorch_cnn.errors import ArgumentError, BackendError

Array: TypeAlias = np.ndarray  # of NumPy, or of CuPy, whose arrays have the same methods
BACKENDS = ("numpy", "cupy")
OLDEST = (14, 0)
NO_DEVICE, DRIVER_TOO_OLD = 100, 35  # cudaErrorNoDevice, cudaErrorInsufficientDriver


def library(name: str) -> ModuleType:
    """The module called `name`, "numpy" or "cupy"; BackendError if it cannot be used here."""
    if name not in BACKENDS:
        raise ArgumentError(f"backend: expected one of {', '.join(BACKENDS)}, got {name!r}")
    return np if name == "numpy" else _cupy()


def library_name(xp: ModuleType) -> str:
    """The name of the namespace `xp`, one of `BACKENDS`."""
    return xp.__name__.partition(".")[0]


def namespace(array: Any) -> ModuleType:
    """The module that `array` belongs to (numpy or cupy), by convention called `xp`.

    `xp.exp(array)` is computed on the device where the array is stored.
    """
    return np if isinstance(array, np.ndarray) else sys.modules[_root(array)]  # CuPy's have no `__array_namespace__`


def is_array(thing: Any) -> bool:
    """Whether `thing` is an array of one of the libraries."""
    return isinstance(thing, np.ndarray) or _root(thing) in BACKENDS


def on_host(array: Any) -> np.ndarray:
    """`array` as a NumPy array; an array on a GPU is copied, once all work before that is finished there."""
    return array.get() if _root(array) == "cupy" else np.asarray(array)


def moved(array: Any, xp: ModuleType, dtype: Any = None) -> Array:
    """`array`, or a list of numbers, as an array of `xp`; copied only if its library or dtype changes."""
    if not is_array(array):
        array = np.asarray(array)
    if namespace(array) is not xp:
        return xp.asarray(on_host(array), dtype=dtype)
    return array if dtype is None else array.astype(dtype, copy=False)


def _root(thing):
    return type(thing).__module__.partition(".")[0]


@functools.cache
def _cupy():
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        if getattr(error, "name", None) == "cupy":
            raise BackendError(
                f"cupy: not installed; {_install(13)}, or cupy-cuda12x where nvidia-smi says CUDA 12"
            ) from None
        raise BackendError(f"cupy: cannot be imported ({_first_line(error)}); {_install(13)}") from None
    version = tuple(int(part) for part in cupy.__version__.split(".")[:2])
    if version < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise BackendError(f"cupy: expected version {wanted} or later, got {cupy.__version__}; {_install(13)}")
    _check_device(cupy)
    try:
        cupy.arange(3).sum().get()  # the first kernel: compiled, loaded and run
    except Exception as error:
        toolkit = cupy.cuda.runtime.runtimeGetVersion() // 1000
        raise BackendError(
            f"cupy: cannot run on this GPU ({_first_line(error)}); CUDA's libraries come with: {_install(toolkit)}"
        ) from None
    return cupy


def _check_device(cupy):
    runtime = cupy.cuda.runtime
    try:
        if runtime.getDeviceCount() > 0:
            return
        status = NO_DEVICE
    except runtime.CUDARuntimeError as error:
        status, said = getattr(error, "status", None), _first_line(error)
    built, driver = runtime.runtimeGetVersion() // 1000, runtime.driverGetVersion()
    if status == DRIVER_TOO_OLD and driver:
        has = driver // 1000
        raise BackendError(
            f"cupy: built for CUDA {built}, but the driver here knows CUDA {has}.{driver % 1000 // 10} at most;"
            f" {_install(has)}, or a newer driver"
        )
    if status in (NO_DEVICE, DRIVER_TOO_OLD):
        raise BackendError(
            "cupy: no NVIDIA GPU found (nvidia-smi lists them); install its driver, or leave out the backend for NumPy"
        )
    raise BackendError(f"cupy: the GPU cannot be used ({said}); nvidia-smi says more; {_install(built)}")


def _install(cuda):
    return f'pip install "cupy-cuda{max(12, min(cuda, 13))}x[ctk]"'


def _first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
