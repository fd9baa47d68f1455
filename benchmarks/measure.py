"""How times, memory and the machine's own speed are measured."""

import statistics
import threading
import time
import tracemalloc

import numba
import numpy as np
from threadpoolctl import threadpool_limits

SGEMM_SIZE, SGEMM_TIMES = 1024, 5
PAUSE = 0.1  # seconds, after which the threads of a BLAS have fallen asleep
CALLS, SECONDS = 3, 0.02  # of a turn: so many calls, fewer once they took so long together


def timed(call, count=CALLS, seconds=SECONDS):
    """How long each of `count` calls took, in seconds; fewer once they took longer than `seconds` together."""
    times = []
    while len(times) < count and sum(times) < seconds:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def in_turn(contestants, rounds, pause=0.0):
    """{name: median seconds}: all take a turn in every round, there and back, so that drift meets them alike.

    A contestant is a function that returns the times of a few calls, such as `lambda: timed(call)`. `pause` in seconds
    is made before each turn, where one contestant's threads would still be awake in the next one's.
    """
    turns = {name: [] for name in contestants}
    for number in range(rounds):
        for name in list(contestants)[:: -1 if number % 2 else 1]:
            time.sleep(pause)
            turns[name].append(statistics.median(contestants[name]()))
    return {name: statistics.median(times) for name, times in turns.items()}


def sgemm_gflops(threads):
    """What NumPy's float32 matrix product reaches at this moment, in GFLOP/s."""
    a, b = np.random.default_rng(0).standard_normal((2, SGEMM_SIZE, SGEMM_SIZE), dtype=np.float32)
    c = np.empty_like(a)
    with threadpool_limits(threads, user_api="blas"):
        np.matmul(a, b, out=c)
        seconds = statistics.median(timed(lambda: np.matmul(a, b, out=c), SGEMM_TIMES, seconds=np.inf))
    time.sleep(PAUSE)
    return 2 * SGEMM_SIZE**3 / seconds / 1e9


def scratch_bytes(call):
    """The most memory that NumPy arrays held during `call`, beside what it returned.

    In a thread of its own, where no workspace is there yet. What is compiled must be so before.
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
