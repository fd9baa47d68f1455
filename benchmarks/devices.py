"""Convolution algorithms on the processor and on the GPU, and how time is measured on the GPU."""

import contextlib
import platform
import re
import time
from functools import partial
from pathlib import Path

import numpy as np
from conv_passes import forward_with_relu

from minitorch_cnn import convolution, definitions_only
from minitorch_cnn.arrays import library, moved, on_host
from minitorch_cnn.errors import BackendError
from minitorch_cnn.twins.cuda.cublas import tf32

CALLS, SECONDS = 10, 0.05  # a turn: at most so many calls, and no further one after so many seconds


@contextlib.contextmanager
def precision(on):
    """A context in which the GPU multiplies in TF32 (`on`) or in full float32."""
    before = tf32()
    tf32(on)
    try:
        yield
    finally:
        tf32(before)


# name: (algorithm, the context it runs in)
CPU = {
    "cpu plain NumPy": (convolution.im2col, definitions_only),
    "cpu naive": (convolution.naive, contextlib.nullcontext),
    "cpu im2col": (convolution.im2col, contextlib.nullcontext),
    "cpu row_windows": (convolution.row_windows, contextlib.nullcontext),
    "cpu winograd": (convolution.winograd, contextlib.nullcontext),
}
GPU = {
    "gpu plain CuPy": (convolution.im2col, definitions_only),
    "gpu im2col": (convolution.im2col, partial(precision, False)),
    "gpu im2col TF32": (convolution.im2col, partial(precision, True)),
    "gpu row_windows": (convolution.row_windows, partial(precision, False)),
    "gpu row_windows TF32": (convolution.row_windows, partial(precision, True)),
}


def calls_of(entry, layer, xp):
    """{pass: function without arguments} for one row of the tables, on arrays of the library `xp`."""
    algorithm, context = entry
    x, kernel, bias, dy = (moved(array, xp) for array in layer.arrays())
    where = layer.strides, layer.padding

    def within(call, *arguments):
        with context():
            return call(*arguments)

    return {
        "forward": partial(within, forward_with_relu, algorithm, x, kernel, *where, bias),
        "backward_input": partial(within, algorithm.backward_input, dy, kernel, x.shape, *where),
        "backward_kernel": partial(within, algorithm.backward_kernel, x, dy, kernel.shape, *where),
    }


def gpu_or_reason():
    """(CuPy, None), or (None, the reason why it cannot be used)."""
    try:
        return library("cupy"), None
    except BackendError as error:
        return None, str(error)


class Gpu:
    """Measures times on a GPU."""

    def __init__(self, xp):
        self.xp = xp
        properties = xp.cuda.runtime.getDeviceProperties(0)
        version = xp.cuda.runtime.runtimeGetVersion()
        self.name = (
            f"{properties['name'].decode()}, CuPy {xp.__version__}, CUDA {version // 1000}.{version % 1000 // 10}"
        )

    def timed(self, call):
        """Seconds that each of a few calls took on the GPU; the host's work is hidden while the host is ahead."""
        times = []
        while len(times) < CALLS and sum(times) < SECONDS:
            start, end = self.xp.cuda.Event(), self.xp.cuda.Event()
            start.record()
            call()
            end.record()
            end.synchronize()
            times.append(self.xp.cuda.get_elapsed_time(start, end) / 1e3)
        return times

    def transfers(self, layer, direction):
        """Seconds to send a pass's arrays to the GPU and its result back, in pageable memory; the median of five."""
        x, kernel, bias, dy = layer.arrays()
        there, back = {
            "forward": ((x, kernel, bias), dy),
            "backward_input": ((dy, kernel), x),
            "backward_kernel": ((x, dy), kernel),
        }[direction]
        result, times = self.xp.asarray(back), []
        for _ in range(5):
            self.xp.cuda.Device().synchronize()
            start = time.perf_counter()
            sent = [self.xp.asarray(array) for array in there]
            result.get()
            times.append(time.perf_counter() - start)
            del sent
        return float(np.median(times))


def processor_name():
    """The processor's model name; on systems other than Linux, its architecture."""
    information = Path("/proc/cpuinfo")
    text = information.read_text() if information.exists() else ""
    found = re.search(r"model name\s*: (.*)", text)
    return found.group(1) if found else platform.machine()


def fetch(array):
    """A result as a NumPy array."""
    return on_host(array)
