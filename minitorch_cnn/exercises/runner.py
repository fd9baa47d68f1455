"""Checks a learner's file in a separate process, which is stopped when its time is up."""

import contextlib
import json
import math
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from minitorch_cnn.errors import DataError
from minitorch_cnn.exercises.exercise import Exercise
from minitorch_cnn.exercises.timing import Times
from minitorch_cnn.files.printable import counted
from minitorch_cnn.parallel.child import command_of

SECONDS = 20.0
START = 60.0  # time to start Python and import the package
TICK = 0.05


@dataclass
class Outcome:
    """The result of a check: `state` is "done", "wrong", "begun" or "not begun", and `lines` give the reason."""

    state: str
    lines: list[str] = field(default_factory=list)
    right: list[str] = field(default_factory=list)  # names of the functions that are right
    times: list[Times] = field(default_factory=list)  # of the functions that have a large case
    hints: list[str] = field(default_factory=list)  # from the one that only says where to look to the answer
    case: list[str] = field(default_factory=list)  # the smallest case that fails, line by line
    milestone: dict[str, Any] | None = None  # the contents of the page about what the exercise has reached

    @property
    def done(self) -> bool:
        """Whether every function in the file is right."""
        return self.state == "done"


def run(exercise: Exercise, path: str | Path, seconds: float = SECONDS, prints: int | None = None) -> Outcome:
    """Check the file at `path` for at most `seconds` and return the Outcome.

    What the learner's code prints goes to the file descriptor `prints`, or else to standard output. Raises DataError
    if the file does not exist.
    """
    path = Path(path).absolute()
    if not path.is_file():
        raise DataError(
            f"{path}: expected the file of exercise {exercise.name}; create it: minitorch-cnn exercise start"
        )
    with tempfile.TemporaryDirectory(prefix="minitorch_cnn_exercise_") as folder:
        facts = Path(folder) / "facts"
        process = _start("worker", exercise.name, str(path), str(facts), prints=prints)
        try:
            code = _wait(process, facts, seconds)
        finally:
            _stop(process)
        return _outcome(_read(facts), code, seconds)


def train(folder: str | Path, seconds: float = SECONDS) -> Iterator[dict[str, Any]]:
    """Train a network with the functions in `folder`, in a separate process, and yield its results as they come.

    The last one contains "done", or "wrong" with the lines that say what went wrong. The process is stopped when a
    single call of a learner's function takes more than `seconds`, or when the generator is closed.
    """
    with tempfile.TemporaryDirectory(prefix="minitorch_cnn_exercise_") as place:
        facts = Path(place) / "facts"
        facts.touch()
        process = _start("training", str(Path(folder).absolute()), str(facts))
        try:
            with open(facts, "rb") as file:
                yield from _until_the_end(process, file, seconds)
        finally:
            _stop(process)


def _until_the_end(process: subprocess.Popen, file: BinaryIO, seconds: float) -> Iterator[dict[str, Any]]:
    """What the training writes to `file`, until it has ended or a call takes too long; counted in ticks as in `_wait`.

    Before each call the worker writes whose turn it is, so what it wrote last is what is running.
    """
    running, where, left = True, "", math.ceil(START / TICK)
    while running:
        running = process.poll() is None
        for fact in _new_facts(file):
            where, left = fact.get("at", where), math.ceil(seconds / TICK)
            if "at" not in fact:
                yield fact
            if "done" in fact or "wrong" in fact:
                return
        if running:
            time.sleep(TICK)
            left -= 1
        if left < 0:
            yield {"wrong": _too_long(where, seconds)}
            return
    code = process.returncode
    yield {"wrong": [f"exercise train: the program exited (exit code {code}) in {where or 'the beginning'}"]}


def _new_facts(file: BinaryIO) -> list[dict[str, Any]]:
    """The complete lines that were written since the last call."""
    facts = []
    while (line := file.readline()).endswith(b"\n"):
        facts.append(json.loads(line))
    file.seek(-len(line), os.SEEK_CUR)
    return facts


def _start(module: str, *arguments: str, prints: int | None = None) -> subprocess.Popen:
    command = command_of(f"minitorch_cnn.exercises.{module}", *arguments)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=prints, env=environment, start_new_session=True)


def _wait(process: subprocess.Popen, facts: Path, seconds: float) -> int | None:
    """The exit code of the process, or None if the time is up.

    The time starts with the first line that the worker writes. It is counted in ticks, so time during which the machine
    sleeps or suspends all programs is not charged to the learner.
    """
    for limit, begun in ((START, False), (seconds, True)):
        for _ in range(max(1, math.ceil(limit / TICK))):
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(TICK)
            if not begun and facts.exists() and facts.stat().st_size:
                break
        else:
            return None
    return None


def _stop(process: subprocess.Popen) -> None:
    """Stop the process and its child processes."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.poll() is None:
        process.kill()
    process.wait()


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    facts = []
    for line in lines:
        try:
            facts.append(json.loads(line))
        except ValueError:  # an incomplete line: the process was stopped while writing it
            break
    return facts


def _too_long(where: str, seconds: float, tiny: str = "") -> list[str]:
    """The lines about what was stopped `where` it was; "" if it had not begun."""
    if not where:
        return [f"the program did not start within {START:g} seconds: is this machine very busy?"]
    hint = f"hint: is there an endless loop?{tiny} a `while` needs a condition that becomes false"
    return [f"{where}: still running after {counted(seconds, 'second')}", hint]


def _outcome(facts: list[dict[str, Any]], code: int | None, seconds: float) -> Outcome:
    verdict = next((fact for fact in facts if "state" in fact), None)
    if verdict is not None:
        lines, timed = list(verdict["lines"]), dict[str, dict[str, Any]]()
        for fact in (fact for fact in facts if "timed" in fact):
            timed.setdefault(fact["timed"], {}).update(fact)
        times = [
            Times(name, known["ours"], known.get("yours"), known.get("package"), seconds)
            for name, known in timed.items()
            if code is None or "yours" in known
        ]
        case: list[str] = next((fact["case"] for fact in facts if "case" in fact), [])
        milestone = next((fact["milestone"] for fact in facts if "milestone" in fact), None)
        return Outcome(verdict["state"], lines, verdict["right"], times, verdict.get("hints", []), case, milestone)
    places = [fact["at"] for fact in facts if "at" in fact]
    where = places[-1] if places else "the check"
    right = places[1:-1]
    if code is None:
        return Outcome("wrong", _too_long(places[-1] if places else "", seconds, " The test cases are tiny;"), right)
    return Outcome("wrong", [f"{where}: the program exited (exit code {code}) before the function returned"], right)
