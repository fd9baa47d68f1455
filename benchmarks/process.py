"""An object in a process of its own, so that its threads and memory do not disturb what else is measured.

    process = Process("engines.pytorch:ChannelsLast", path, 2, threads=2)
    process.call("results", save_to="results.npz")
    process.time("run", count=3)
    process.peak()

Requests and answers are lines of JSON over a pipe. The process sleeps between requests.
"""

import contextlib
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)


class Missing(Exception):
    """A library that the process wanted to import is not installed."""


class Process:
    """The object that the class `target` ("module:class") makes from `arguments`, in another process.

    `settings` are further environment variables of that process. Raises Missing if the module cannot be imported. If
    the process fails, so does the program.
    """

    def __init__(self, target, *arguments, threads, settings=None):
        limits = {name: str(threads) for name in THREAD_LIMITS}
        # Our own engine sets for itself how workers wait; the others must not inherit it.
        waiting = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
        inherited = {name: value for name, value in os.environ.items() if name not in waiting}
        self.target = target
        self.process = subprocess.Popen(
            [sys.executable, __file__, target, json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=inherited | limits | (settings or {}),
        )
        answer = self._receive()
        if "missing" in answer:
            self.close()
            raise Missing(answer["missing"])
        self.version = answer["version"]

    def call(self, method, *arguments, save_to=None):
        """What the method returns. Arrays by name travel through the .npz file `save_to`."""
        answer = self._ask(do="call", method=method, arguments=arguments, save_to=save_to)
        if save_to is None:
            return answer["result"]
        with np.load(save_to) as file:
            return dict(file)

    def time(self, method, count, seconds=1.0):
        """The seconds that each of at most `count` calls took; no further call is made after `seconds` in all."""
        return self._ask(do="time", method=method, count=count, seconds=seconds)["times"]

    def forget_peak(self):
        """Measure the peak of memory from now on."""
        self._ask(do="forget_peak")

    def peak(self):
        """The most memory that the process took, in bytes, less what it took after its imports."""
        return self._ask(do="peak")["bytes"]

    def imports(self):
        """The memory that the process took after its imports, in bytes."""
        return self._ask(do="imports")["bytes"]

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.wait()

    def _ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._receive()

    def _receive(self):
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"the process of {self.target} ended early; its error is printed above")
        return json.loads(answer)


def serve(target, arguments):
    """The other end of the pipe: make the object and answer requests until the pipe is closed."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes to standard error

    def reply(**answer):
        print(json.dumps(answer), file=replies, flush=True)

    module, _, name = target.partition(":")
    try:
        kind = getattr(importlib.import_module(module), name)
    except ImportError as error:
        return reply(missing=str(error))
    before = memory("VmRSS")
    served = kind(*arguments)
    reply(version=kind.version)
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "call":
            result = getattr(served, request["method"])(*request["arguments"])
            if request["save_to"]:
                np.savez(request["save_to"], **result)
                result = None
            reply(result=result)
        elif request["do"] == "time":
            reply(times=timed(getattr(served, request["method"]), request["count"], request["seconds"]))
        elif request["do"] == "forget_peak":
            forget_peak()
            reply()
        elif request["do"] == "imports":
            reply(bytes=before)
        else:
            reply(bytes=memory("VmHWM") - before)


def timed(call, count, seconds):
    """See `Process.time`."""
    times = []
    while len(times) < count and sum(times) < seconds:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def memory(field):
    """VmRSS (memory now) or VmHWM (its highest value so far) of this process in bytes; 0 unless on Linux."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


def forget_peak():
    """Reset VmHWM to the memory taken now; if the system refuses, the peak remains that since the start."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    serve(sys.argv[1], json.loads(sys.argv[2]))
