"""CUDA graphs: a long sequence of kernel launches, recorded once and then started as one.

The time of a small network's step is the time of its launches: each costs the host about ten microseconds, and the GPU
finishes sooner. While a stream captures, launches are recorded in a graph instead of being run; the graph then runs all
of them for the price of one. But it cannot contain anything that makes the host read a result or send a number.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from minitorch_cnn.errors import BackendError
from minitorch_cnn.twins.cuda import cublas

T = TypeVar("T")


class Recorder:
    """Runs work on its own stream and in its own memory pool, so that the work can be captured there.

    The memory belongs to the graph: memory that the work frees must not be reused elsewhere, because the graph keeps
    writing to it. Run the work here a few times before it is captured, which compiles its kernels, initializes cuBLAS
    and fills the pool. When the Recorder is collected, all of this is free again.
    """

    def __init__(self, xp: Any) -> None:
        self.xp = xp
        self.stream, self.pool = xp.cuda.Stream(non_blocking=True), xp.cuda.MemoryPool()
        freeing = weakref.finalize(self, _free, cublas.library(xp), self.stream, self.pool)
        freeing.atexit = False  # at its end the process frees everything

    def run(self, work: Callable[[], T]) -> T:
        """Run `work()` now and return its result; waits for all earlier GPU work and for the result."""
        self.xp.cuda.Device().synchronize()
        with self._here():
            result = work()
            self.stream.synchronize()
        return result

    def capture(self, work: Callable[[], T]) -> tuple[Any, T]:
        """(graph, result of `work()`); each `graph.launch()` computes the result.

        Raises BackendError if the work cannot be captured.
        """
        self.xp.cuda.Device().synchronize()
        graph: Any = None
        with self._here():
            self.stream.begin_capture()
            try:
                result = work()
                graph = self.stream.end_capture()
            except Exception as error:
                if graph is None:
                    with contextlib.suppress(Exception):  # the capture has failed already; a second error adds nothing
                        self.stream.end_capture()
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                raise BackendError(f"the step cannot be captured as a CUDA graph: {reason}") from error
        return graph, result

    @contextlib.contextmanager
    def _here(self):
        with self.xp.cuda.using_allocator(self.pool.malloc), self.stream:
            yield


def _free(blas, stream, pool):
    """Give back what cuBLAS took for the stream, and the pool's memory that no array holds."""
    blas.release(stream.ptr)
    pool.free_all_blocks()
