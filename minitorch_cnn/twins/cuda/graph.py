"""CUDA graphs: a long row of launches, put down once and then started as one.

A small network's step is bound by its launches: each costs the host some ten microseconds, and the GPU is done sooner.
While a stream captures, the launches are written into a graph and not run; the graph then runs all of them for the
price of one. What it cannot hold is anything that lets the host look at a result or send a number along.
"""

import contextlib

from minitorch_cnn.errors import BackendError


class Recorder:
    """Runs work on a stream and in memory of its own, so that it can be captured there.

    The memory stays with the graph: what the work frees must not be given to anybody else, since the graph goes on
    writing it. For the same reason the work is to be run here a few times before it is captured: that compiles its
    kernels, opens cuBLAS and fills the memory.
    """

    def __init__(self, xp):
        self.xp = xp
        self.stream, self.pool = xp.cuda.Stream(non_blocking=True), xp.cuda.MemoryPool()

    def run(self, work):
        """What `work()` returns, computed now; waits for what was begun before, and for the result."""
        self.xp.cuda.Device().synchronize()
        with self._here():
            result = work()
            self.stream.synchronize()
        return result

    def capture(self, work):
        """(graph, what `work()` returns), computed by `graph.launch()`; BackendError where it cannot be captured."""
        self.xp.cuda.Device().synchronize()
        graph = None
        with self._here():
            self.stream.begin_capture()
            try:
                result = work()
                graph = self.stream.end_capture()
            except Exception as error:
                if graph is None:
                    with contextlib.suppress(Exception):  # the capture is void already; its own error says no more
                        self.stream.end_capture()
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                raise BackendError(f"the step cannot be captured as a CUDA graph: {reason}") from error
        return graph, result

    @contextlib.contextmanager
    def _here(self):
        with self.xp.cuda.using_allocator(self.pool.malloc), self.stream:
            yield
