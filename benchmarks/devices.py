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
from minitorch_cnn.twins.cuda.convolution import tensor_cores
from minitorch_cnn.twins.cuda.cublas import tf32
from minitorch_cnn.twins.cuda.graph import Recorder

CALLS = 10  # of a graph
LAUNCHES, SECONDS = 5, 0.2  # of a graph in a turn: at most so many, and no further one after so many seconds
EVERY = 2**31  # more channels than a convolution has


@contextlib.contextmanager
def precision(on, most_channels=0):
    """A context in which the GPU multiplies in TF32 (`on`) or in full float32.

    Row windows of up to `most_channels` channels are left to the implicit GEMM.
    """
    before, most = tf32(), tensor_cores.MOST_CHANNELS
    tf32(on)
    tensor_cores.MOST_CHANNELS = most_channels
    try:
        yield
    finally:
        tf32(before)
        tensor_cores.MOST_CHANNELS = most


# name: (algorithm, the context it runs in)
CPU = {
    "cpu plain NumPy": (convolution.im2col, definitions_only),
    "cpu naive": (convolution.naive, contextlib.nullcontext),
    "cpu im2col": (convolution.im2col, contextlib.nullcontext),
    "cpu row_windows": (convolution.row_windows, contextlib.nullcontext),
    "cpu winograd": (convolution.winograd, contextlib.nullcontext),
}
IMPLICIT = "gpu implicit GEMM TF32"
GPU = {
    "gpu plain CuPy": (convolution.im2col, definitions_only),
    "gpu im2col": (convolution.im2col, partial(precision, False)),
    "gpu im2col TF32": (convolution.im2col, partial(precision, True)),
    "gpu row_windows": (convolution.row_windows, partial(precision, False)),
    "gpu row_windows TF32": (convolution.row_windows, partial(precision, True)),
    IMPLICIT: (convolution.row_windows, partial(precision, True, EVERY)),
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


def has_implicit_gemm(layer, xp):
    """Whether the kernels for tensor cores compute this layer on this GPU."""
    with precision(True, EVERY):
        return tensor_cores.serves(xp.zeros(layer.x_shape, dtype="float32"), layer.kernel_shape, layer.strides)


def gpu_or_reason():
    """(CuPy, None), or (None, the reason why it cannot be used)."""
    try:
        return library("cupy"), None
    except BackendError as error:
        return None, str(error)


class Gpu:
    """Measures times on a GPU."""

    def __init__(self, xp):
        self.xp, self.recorder = xp, Recorder(xp)
        self.launched = set()  # calls that could not be captured
        properties = xp.cuda.runtime.getDeviceProperties(0)
        version = xp.cuda.runtime.runtimeGetVersion()
        self.name = (
            f"{properties['name'].decode()}, CuPy {xp.__version__}, CUDA {version // 1000}.{version % 1000 // 10}"
        )

    def replays(self, call):
        """A function that returns the seconds of a call in each of a few replays of a CUDA graph of `CALLS` calls.

        So the host's time, which is that of launches, does not count. What cannot be captured, because it uses CuPy's
        own products, is called as often instead, and then the host's time counts where it is the longer one.
        """
        stream, events = self.recorder.stream, (self.xp.cuda.Event(), self.xp.cuda.Event())

        def several():
            for _ in range(CALLS):
                call()

        self.recorder.run(call)
        try:
            graph, _ = self.recorder.capture(several)
        except BackendError:
            self.launched.add(call)
            once = partial(self.recorder.run, several)
        else:
            once = partial(graph.launch, stream)
        once()

        def turn():
            times, (start, end) = [], events
            while len(times) < LAUNCHES and CALLS * sum(times) < SECONDS:
                start.record(stream)
                once()
                end.record(stream)
                end.synchronize()
                times.append(self.xp.cuda.get_elapsed_time(start, end) / 1e3 / CALLS)
            return times

        return turn

    def forget(self):
        """Free the memory of the graphs that nobody launches any more."""
        self.launched.clear()
        self.recorder.pool.free_all_blocks()

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
