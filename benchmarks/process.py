"""An object in a process of its own: neither its threads nor its memory get in another's way.

    process = Process("engines.pytorch:ChannelsLast", path, 2, threads=2)
    process.call("results", save_to="results.npz")
    process.time("run", count=3)
    process.peak()

Requests and answers are lines of JSON over a pipe. The process sleeps while it is not asked.
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
    """The object that `target` ("module:class") makes from `arguments`, in another process.

    Raises Missing where its module cannot be imported. Ends with the program where the process fails.
    """

    def __init__(self, target, *arguments, threads):
        limits = {name: str(threads) for name in THREAD_LIMITS}
        inherited = {
            name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"
        }  # ours sets its own
        self.target = target
        self.process = subprocess.Popen(
            [sys.executable, __file__, target, json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=inherited | limits,
        )
        answer = self._receive()
        if "missing" in answer:
            self.close()
            raise Missing(answer["missing"])
        self.version = answer["version"]

    def call(self, method, *arguments, save_to=None):
        """What the method returns; with `save_to` the arrays it returns by name, from that .npz file."""
        answer = self._ask(do="call", method=method, arguments=arguments, save_to=save_to)
        if save_to is None:
            return answer["result"]
        with np.load(save_to) as file:
            return dict(file)

    def time(self, method, count, seconds=1.0):
        """How long each of `count` calls took, in seconds; fewer once they took longer than `seconds` together."""
        return self._ask(do="time", method=method, count=count, seconds=seconds)["times"]

    def forget_peak(self):
        """Measure the peak of memory from here on."""
        self._ask(do="forget_peak")

    def peak(self):
        """The most bytes it held at a time, over what it held after its imports."""
        return self._ask(do="peak")["bytes"]

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
            sys.exit(f"the process of {self.target} ended early; its error stands above")
        return json.loads(answer)


def serve(target, arguments):
    """The other end: make the object and answer until the pipe is closed."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes to the error output

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
    """VmRSS (now) or VmHWM (the highest so far) of this process in bytes; Linux, 0 elsewhere."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


def forget_peak():
    """Let VmHWM begin again at what is held now; where the system refuses, the peak stays that of the whole life."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    serve(sys.argv[1], json.loads(sys.argv[2]))
