"""Calls twins with the cases of `twin_cases.py` between guard pages, in a process of its own, which may crash.

    python tests/engine/twin_calls.py numba right 0 20 TITLE...     20 right calls of each twin, seed 0
    python tests/engine/twin_calls.py numba wrong 0 7 TITLE...      every 7th wrong call, beginning at call 0

It prints what it is about to call, then what came of it, a line of JSON each. A wrong call is compared with what the
definition does: the same error, or the same numbers. A right call is made twice, the second time with results and
workspaces between guard pages as well, and full of NaN at first. "cuda" calls the twins for a GPU, whose kernels the
stand-in for CuPy runs on the host.
"""

import contextlib
import json
import resource
import sys
import warnings
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "gpu")]

from guard_pages import guarded, guarded_results  # noqa: E402
from twin_cases import RIGHT, STAGES, Maker, wrong  # noqa: E402

from minitorch_cnn.arrays.dispatch import DEFINITIONS, TWINS_ONLY, Unfit, definitions_only, running, twin  # noqa: E402
from minitorch_cnn.twins.numba import workspace  # noqa: E402

MEMORY = 12 << 30  # bytes: what asks for more gets a MemoryError

library, kind, start, step, *titles = sys.argv[1:]
if library == "cuda":
    import standin_cupy
    from host_blas import HostBlas
    from standin_arrays import Array

    from minitorch_cnn.arrays import libraries
    from minitorch_cnn.twins.cuda import cublas

    sys.modules["cupy"] = standin_cupy.cupy
    libraries._cupy = lambda: standin_cupy.cupy
    blas = HostBlas()
    cublas.library = lambda xp: blas


def lifted(value):
    """A NumPy array as an array of the library that is tested."""
    return Array(value) if library == "cuda" and type(value) is np.ndarray else value


def fresh(arguments):
    """The arguments with every array copied to memory between guard pages; arguments that are one array stay one."""
    copies = {}
    result = []
    for value in arguments:
        if isinstance(value, Maker):
            result.append(lifted(value.make(guarded)))
        elif isinstance(value, np.ndarray):
            result.append(copies.setdefault(id(value), lifted(guarded(value))))
        else:
            result.append(value)
    return result


def outcome(function, arguments):
    """(error type, []) or (None, the arrays that the function returned or changed)."""
    try:
        result = function(*arguments)
    except MemoryError:
        return MemoryError, []
    except Exception as error:
        return type(error), []
    arrays = [*(result if isinstance(result, tuple) else [result]), *arguments]
    arrays = [getattr(array, "memory", array) for array in arrays]
    return None, [np.array(array) for array in arrays if isinstance(array, (np.ndarray, np.generic))]


def between_guard_pages(function, arguments):
    """The outcome when results and workspaces lie between guard pages too; what is compiled must be so already."""
    workspace._kept.__dict__.clear()
    with guarded_results():
        result = outcome(function, fresh(arguments))
    workspace._kept.__dict__.clear()
    return result


def same(got, wanted, winners=True):
    """Whether two outcomes are equal, up to the rounding of the least exact array.

    Without `winners`, arrays of uint8 may differ: with much padding, pixels are equal but for rounding.
    """
    if got[0] is not wanted[0] or len(got[1]) != len(wanted[1]):
        return False
    if not winners:
        got, wanted = ((None, [array for array in some[1] if array.dtype != "uint8"]) for some in (got, wanted))
    exact = all(array.dtype == np.float64 for array in wanted[1] if array.dtype.kind in "fc")
    return all(same_array(a, b, 1e-11 if exact else 1e-4) for a, b in zip(got[1], wanted[1]))


def same_array(a, b, tolerance):
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype == object:  # what a definition makes of numbers in objects may still come from another one's twin
        with contextlib.suppress(TypeError, ValueError):
            a, b, tolerance = a.astype(np.float64), b.astype(np.float64), 1e-4
    if a.dtype.kind not in "fc":
        return bool((a == b).all())
    largest = float(np.nanmax(abs(b), initial=0, where=np.isfinite(b)))
    return bool(np.allclose(a, b, rtol=0, atol=tolerance * largest, equal_nan=True))


def subject(title):
    """(what is called, what it should do, whether a refusal is right as well) for a title of `twin_cases.RIGHT`."""
    if title not in STAGES:
        dispatcher = DEFINITIONS[title]
        return dispatcher, dispatcher.definition, False
    place, *words = title.split(", ")
    path, name = place.removesuffix(".py").split(".py: ")
    options = dict.fromkeys(words, True)
    reference = STAGES[title]

    def call(array, *rest):
        if f"{place}" in DEFINITIONS:
            found = DEFINITIONS[place].twin_for(array)
        else:
            found = twin(path.replace("/", "."), name, array)
        if found is None or ("scale" in words and (len(rest) != (6 if "depthwise" in path else 5) or rest[-1] is None)):
            return reference(array, *rest)
        if "scale" in words:
            *rest, options["scale"] = rest
        return found(array, *rest, **options)

    return call, reference, True


def compare_wrong(title, arguments):
    """ "raised", "computed", or what differs from what the definition does."""
    function, definition, may_refuse = subject(title)
    got = outcome(function, fresh(arguments))
    if got[0] is Unfit:
        return "raised" if may_refuse else "differs: refused"
    with definitions_only():
        wanted = outcome(definition, fresh(arguments))
    again = between_guard_pages(function, arguments) if got[0] is None else got
    for one in (got, again):
        if not same(one, wanted, winners=", pool" not in title):
            return f"differs: {described(one)}, the definition: {described(wanted)}"
    return "computed" if got[0] is None else "raised"


def compare_right(title, arguments):
    """ "computed", or what differs."""
    function, definition, _ = subject(title)
    with definitions_only():
        wanted = outcome(definition, fresh(arguments))
    with running(TWINS_ONLY):
        got = outcome(function, fresh(arguments))
        again = between_guard_pages(function, arguments)
    for one in (got, again):
        if one[0] is not None or not same(one, wanted):
            return f"differs: {described(one)}, the definition: {described(wanted)}"
    return "computed"


def described(result):
    error, arrays = result
    return error.__name__ if error else " ".join(f"{array.dtype}{array.shape}" for array in arrays)


def say(**line):
    print(json.dumps(line), flush=True)


def main():
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for title in titles:
        if kind == "right":
            for number in range(int(start), int(start) + int(step)):
                for dtype in ("float32", "float64"):
                    arguments = RIGHT[title](np.random.default_rng(number), dtype)
                    say(call=title, what=f"seed {number}, {dtype}")
                    say(came=compare_right(title, arguments))
            continue
        number = 0
        for seed, dtype in ((1, "float32"), (2, "float32"), (2, "float64")):
            arguments = RIGHT[title](np.random.default_rng(seed), dtype)
            for what, changed in wrong(arguments):
                if library == "cuda" and ("read-only" in what or "object" in what):  # CuPy has no such arrays
                    continue
                if library == "cuda" and "a dtype" in what:  # in the place of an array the stand-in takes it for one
                    continue
                if number >= int(start) and number % int(step) == 0:
                    say(call=title, number=number, what=f"{dtype}, {what}")
                    say(came=compare_wrong(title, changed))
                number += 1


if __name__ == "__main__":
    main()
