"""One definition, faster twins: the plain array expression is what an operation means, a twin is how to do it faster.

    @accelerated
    def forward(x, kernel, ...):          # the definition, in engine/convolution/im2col.py

    def forward(x, kernel, ...):          # its twin, in twins/numba/convolution/im2col.py: same path, same name

What you read is what runs: a twin runs only as long as its definition, and all that this calls, is what the twin was
made for (`fingerprints.py`; the recorded ones are in twins/fingerprints.json). Where somebody has changed the
definition, the definition runs, and one line says so. Without Numba, or CuPy's kernels, the definitions run too, and so
they do for arguments that a twin does not take (`twins/arguments.py`).

A twin's module is imported when the first array of its library arrives, so Numba and CuPy cost nothing before that.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from minitorch_cnn.arrays.fingerprints import PACKAGE, Part, Watched, join, parts
from minitorch_cnn.errors import ShapeError

VARIABLE = "MINITORCH_CNN_DEFINITIONS"  # of the environment: set to 1, only definitions run
RECORD = Path(__file__).parent.parent / "twins" / "fingerprints.json"
TWINS = {"numpy": "numba", "cupy": "cuda"}
REASONS = {"numba": "compiled", "cuda": "GPU"}
NEEDED = {"numba": ("numba", "scipy", "threadpoolctl"), "cuda": ()}  # packages, besides the one that made the array

BOTH, DEFINITIONS_ONLY, TWINS_ONLY = "both", "definitions", "twins"

_here: contextvars.ContextVar[str | None] = contextvars.ContextVar("which_code_runs", default=None)
_everywhere = {"runs": BOTH if os.environ.get(VARIABLE, "0") in ("", "0") else DEFINITIONS_ONLY}
_said: set[str] = set()
DEFINITIONS: dict[str, Any] = {}  # "convolution/im2col.py: forward" -> its dispatcher


class Unfit(ShapeError):
    """A twin cannot compute with these arguments; the definition says what is wrong with them, or computes."""


def accelerated(definition: Callable) -> Any:
    """Decorate a definition whose first argument is an array: it is run by its twin, where there is one.

    When a module is reloaded, its dispatchers take the new definitions, so whoever imported them has these too.
    """
    path = definition.__module__.removeprefix(f"{PACKAGE}.").removeprefix("engine.")
    title = f"{path.replace('.', '/')}.py: {definition.__name__}"
    if title in DEFINITIONS:
        DEFINITIONS[title].definition = definition
    else:
        DEFINITIONS[title] = Dispatcher(definition, path, title)
    return DEFINITIONS[title]


class Dispatcher:
    """A definition and its twins; calling it runs one of them.

    `definition` is the function as it is written.
    """

    def __init__(self, definition: Callable, path: str, title: str) -> None:
        functools.update_wrapper(self, definition)
        self.definition, self.path, self.title = definition, path, title
        self.twins: dict[str, Callable | None] = {}  # library: its twin, None where there is none
        self.guard = Guard(title, (self, "definition"))

    def __call__(self, array: Any, *args: Any, **kwargs: Any) -> Any:
        twin = self.twin_for(array)
        try:
            return (self.definition if twin is None else twin)(array, *args, **kwargs)
        except Unfit:
            if what_runs() == TWINS_ONLY:
                raise
        return self.definition(array, *args, **kwargs)

    def twin_for(self, array: Any) -> Callable | None:
        """The twin that may run for `array`, or None where the definition has to."""
        if (runs := what_runs()) == DEFINITIONS_ONLY:
            return None
        library = TWINS.get(type(array).__module__.partition(".")[0], "")
        if library not in self.twins:
            self.twins[library] = self.find(library)
        twin = self.twins[library]
        return twin if twin is None or runs == TWINS_ONLY or self.guard.holds(library) else None

    def find(self, library: str) -> Callable | None:
        """The twin in `library` ("numba", "cuda"), whatever the definition says today; None where there is none."""
        return _entrance(library, self.path, self.title.partition(": ")[2])


class Guard:
    """Says whether what a twin stands for is still what it was made for; changes of the parts `apart` do not count."""

    def __init__(self, title: str, *places: tuple[Any, str], words: str = "", apart: tuple[str, ...] = ()) -> None:
        self.title, self.places, self.words, self.apart = title, places, words, apart
        self.watched: Watched | None = None
        self.changed: list[str] = []

    def holds(self, library: str = "numba") -> bool:
        """Whether every definition is as recorded; where one is not, a line on standard error names it, once."""
        if what_runs() == TWINS_ONLY:
            return True
        if self.watched is None or not self.watched.unchanged():
            self.look()
        if self.changed:
            self._say(library)
        return not self.changed

    def look(self) -> dict[str, str]:
        """Read the definitions again; returns their fingerprints {name: letters}."""
        prints: dict[str, str] = {}
        watched: list[Part] = []
        for place in self.places:
            some, found = parts(*place)
            join(prints, some)
            watched += found
        record = recorded()
        expected = {name: record["definitions"].get(name) for name in record["twins"].get(self.title, [])}
        changed = {name for name, letters in prints.items() if expected.get(name) != letters}
        self.changed = sorted(changed.difference(self.apart))
        if not expected or (not self.changed and prints.keys() != expected.keys()):
            self.changed = [self.title]  # a twin that was never recorded, or a definition that calls less than before
        self.watched = Watched(watched)
        return prints

    def _say(self, library: str) -> None:
        words = self.words or f"differs from what its {REASONS[library]} twin was made for; your version runs, slower"
        for name in self.changed:
            say_once(f"{name} {words}")


def changed_definitions() -> list[str]:
    """What differs from what the twins of all definitions imported so far were made for, by name."""
    changed: set[str] = set()
    for dispatcher in DEFINITIONS.values():
        if dispatcher.title in recorded()["twins"]:
            dispatcher.guard.look()
            changed.update(dispatcher.guard.changed)
    return sorted(changed)


@functools.cache
def recorded() -> dict:
    """{"definitions": {name: fingerprint}, "twins": {title: [names of what it stands for]}} as recorded."""
    try:
        return json.loads(RECORD.read_text())
    except OSError:
        return {"definitions": {}, "twins": {}}


def twin(path: str, name: str, array: Any) -> Callable | None:
    """The twin called `name` in the file `path` ("convolution.epilogue") for `array`'s library, or None.

    For what has no definition of its own, because a stage uses it to run several layers as one.
    """
    return _entrance(TWINS.get(type(array).__module__.partition(".")[0], ""), path, name)


@functools.cache
def _entrance(library: str, path: str, name: str) -> Callable | None:
    """The twin `name` of the file `path` in `library`, behind what the library does before a twin may run."""
    if not library:
        return None
    try:
        return importlib.import_module(f"{PACKAGE}.twins.{library}").entrance(path, name)
    except ImportError as error:
        say_once(_why_slower(library, error))
        return None


def missing_packages(library: str = "numba") -> list[str]:
    """The packages that the twins in `library` need and that are not installed; nothing is imported to find out."""
    return [name for name in NEEDED[library] if not _is_installed(name)]


def _why_slower(library: str, error: ImportError) -> str:
    """One line that says why definitions run, and what would make them fast: whatever of the needed is missing.

    Only Numba is needed by every compiled twin. SciPy brings the BLAS for those that multiply whole matrices, and
    threadpoolctl keeps its threads off the cores where the twins' own work already.
    """
    missing = missing_packages(library)
    if not missing:
        return f"{_first_line(error)}: the plain definitions run, slower"
    names = " and ".join(filter(None, [", ".join(missing[:-1]), missing[-1]]))
    are, it_is = ("is", "it is") if len(missing) == 1 else ("are", "they are")
    where = "" if "numba" in missing else f" where {it_is} needed"
    return (
        f"{names} {are} not installed: the plain definitions run{where}, slower;"
        f" pip install {' '.join(missing)} makes it fast"
    )


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # imported already, by something that is no ordinary import
        return True


def say_once(text: str) -> None:
    """Print a line on standard error, unless it has been said already."""
    if text not in _said:
        _said.add(text)
        with contextlib.suppress(OSError, ValueError, AttributeError):  # no standard error: nobody to tell
            print(text, file=sys.stderr)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


# Which of the two runs.


def what_runs() -> str:
    """BOTH: each twin as long as its definition is unchanged; or DEFINITIONS_ONLY; or TWINS_ONLY, changed or not."""
    return _here.get() or _everywhere["runs"]


@contextlib.contextmanager
def definitions_everywhere(on: bool = True) -> Iterator[None]:
    """Inside this context only definitions run, in every thread of the process; with on=False nothing changes."""
    before = _everywhere["runs"]
    if on:
        _everywhere["runs"] = DEFINITIONS_ONLY
    try:
        yield
    finally:
        _everywhere["runs"] = before


@contextlib.contextmanager
def running(which: str) -> Iterator[None]:
    """Inside this context this thread runs `which` of the two, one of the names that `what_runs` returns."""
    token = _here.set(which)
    try:
        yield
    finally:
        _here.reset(token)


def definitions_only() -> contextlib.AbstractContextManager:
    """A context in which every operation of this thread runs its plain definition: to read along, and to compare."""
    return running(DEFINITIONS_ONLY)
