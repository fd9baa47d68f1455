"""Run by the tests in a process of its own: load and inspect each file, and report outcome, time and memory as JSON."""

import json
import re
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

from hostile_files import mutants
from keras_targets import target

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5 import inspect, load, read

USES = ("load", "inspect", "inspect alone", "read")


def peak_megabytes():
    """The most memory this process has held; the system's own counter starts with the parent's, so it comes second."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s*(\d+) kB", status.read_text())[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def attempt(use):
    """The message if the file was refused, "" if it worked, and its seconds; anything else ends the process.

    Seconds of processor time: a busy machine is no fault, and what waits for ever meets the limit of the whole.
    """
    start, message = time.process_time(), ""
    try:
        use()
    except WeightsError as error:
        message = str(error)
    return message, time.process_time() - start


def outcome(path):
    kernels = "theano" if "keras0" in path or "nb_layers" in path else None
    uses = {
        "load": lambda: load(path, target("seq"), kernels=kernels),
        "inspect": lambda: str(inspect(path, target("seq"))),
        "inspect alone": lambda: str(inspect(path)),
        "read": lambda: read(path, kernels=kernels),
    }
    results = {name: attempt(use) for name, use in uses.items()}
    messages = {name: message for name, (message, _) in results.items()}
    return messages | {"seconds": max(seconds for _, seconds in results.values())}


def fuzz(count, seed):
    refused, slowest = 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.h5"
        for data in mutants(count, seed):
            path.write_bytes(data)
            result = outcome(str(path))
            for name in USES:
                assert result[name].isprintable() and len(result[name]) < 1000, result[name]
            refused += bool(result["load"])
            slowest = max(slowest, result["seconds"])
    return {"refused": refused, "slowest": slowest}


if __name__ == "__main__":
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", message=".*: left out ")
    load(sys.argv[1], target("seq"))  # whatever is imported late is imported now
    before = peak_megabytes()
    if sys.argv[2] == "fuzz":
        results = fuzz(int(sys.argv[3]), int(sys.argv[4]))
    else:
        results = {path: outcome(path) for path in sys.argv[2:]}
    json.dump({"results": results, "more_megabytes": peak_megabytes() - before}, sys.stdout)
