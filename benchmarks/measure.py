"""Measures times, memory and the machine's own speed."""

import statistics
import threading
import time
import tracemalloc

import numba
import numpy as np
from threadpoolctl import threadpool_limits

SGEMM_SIZE, SGEMM_TIMES = 1024, 5
PAUSE = 0.1  # seconds after which the threads of a BLAS have fallen asleep
CALLS, SECONDS = 3, 0.02  # a turn: at most so many calls, and no further one after so many seconds


def timed(call, count=CALLS, seconds=SECONDS):
    """The seconds that each of at most `count` calls took; no further call is made after `seconds` in all."""
    times = []
    while len(times) < count and sum(times) < seconds:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def in_turn(contestants, rounds, pause=0.0):
    """{name: median seconds}; every contestant takes a turn in every round, so the machine's drift affects all alike.

    The order is reversed in every second round. A contestant is a function that returns the times of a few calls, such
    as `lambda: timed(call)`. `pause` is the number of seconds to wait before each turn, where the threads of the last
    contestant would otherwise still be awake.
    """
    turns = {name: [] for name in contestants}
    for number in range(rounds):
        for name in list(contestants)[:: -1 if number % 2 else 1]:
            time.sleep(pause)
            turns[name].append(statistics.median(contestants[name]()))
    return {name: statistics.median(times) for name, times in turns.items()}


def sgemm_gflops(threads):
    """The speed of NumPy's float32 matrix product at this moment, in GFLOP/s."""
    a, b = np.random.default_rng(0).standard_normal((2, SGEMM_SIZE, SGEMM_SIZE), dtype=np.float32)
    c = np.empty_like(a)
    with threadpool_limits(threads, user_api="blas"):
        np.matmul(a, b, out=c)
        seconds = statistics.median(timed(lambda: np.matmul(a, b, out=c), SGEMM_TIMES, seconds=np.inf))
    time.sleep(PAUSE)
    return 2 * SGEMM_SIZE**3 / seconds / 1e9


def scratch_bytes(call):
    """The most memory that NumPy arrays took during `call`, without its result.

    It runs in a thread of its own, where no workspace exists yet. Call it once before, so that nothing is compiled.
    """
    found, threads = [], numba.get_num_threads()

    def measure():
        numba.set_num_threads(threads)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        result = call()
        found.append(tracemalloc.get_traced_memory()[1] - before - result.nbytes)

    tracemalloc.start()
    try:
        thread = threading.Thread(target=measure)
        thread.start()
        thread.join()
    finally:
        tracemalloc.stop()
    return found[0]
