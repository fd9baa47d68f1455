"""A learner's file, checked in another process that is stopped when its time is up; and what came of it."""

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from minitorch_cnn.errors import DataError
from minitorch_cnn.exercises.timing import Times

SECONDS = 20.0
START = 60.0  # until Python and the package are there
TICK = 0.05


@dataclass
class Outcome:
    """What a check found: `state` is "done", "wrong", "begun" or "not begun"; `lines` say why."""

    state: str
    lines: list = field(default_factory=list)
    right: list = field(default_factory=list)  # functions that are right
    times: list = field(default_factory=list)  # Times of the functions that have a large case

    @property
    def done(self):
        """Whether every function of the file is right."""
        return self.state == "done"


def run(exercise, path, seconds=SECONDS):
    """Check the file at `path`; returns an Outcome. DataError where there is no such file."""
    path = Path(path).absolute()
    if not path.is_file():
        raise DataError(f"{path}: expected the file of exercise {exercise.name}; get it: minitorch-cnn exercise start")
    with tempfile.TemporaryDirectory(prefix="minitorch_cnn_exercise_") as folder:
        facts = Path(folder) / "facts"
        command = [sys.executable, "-m", "minitorch_cnn.exercises.worker", exercise.name, str(path), str(facts)]
        packages = str(Path(__file__).parents[2])
        search = os.pathsep.join(filter(None, [packages, os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONPATH": search, "PYTHONDONTWRITEBYTECODE": "1"}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, start_new_session=True)
        try:
            code = _wait(process, facts, seconds)
        finally:
            _stop(process)
        return _outcome(_read(facts), code, seconds)


def _wait(process, facts, seconds):
    """The exit code, or None when `seconds` are over. They begin when the worker has said something, and are counted in
    ticks: time in which this machine slept, or in which all its programs were halted, is not the learner's."""
    for limit, begun in ((START, False), (seconds, True)):
        for _ in range(max(1, math.ceil(limit / TICK))):
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(TICK)
            if not begun and facts.exists() and facts.stat().st_size:
                break
        else:
            return None
    return None


def _stop(process):
    """End the process and what it started."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.poll() is None:
        process.kill()
    process.wait()


def _read(path):
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    facts = []
    for line in lines:
        try:
            facts.append(json.loads(line))
        except ValueError:  # cut off in the middle when the process was stopped
            break
    return facts


def _outcome(facts, code, seconds):
    verdict = next((fact for fact in facts if "state" in fact), None)
    if verdict is not None:
        lines, times = list(verdict["lines"]), {}
        for fact in (fact for fact in facts if "timed" in fact):
            times.setdefault(fact["timed"], {}).update(fact)
        times = [
            Times(name, known["ours"], known.get("yours"), known.get("package"), seconds)
            for name, known in times.items()
            if code is None or "yours" in known
        ]
        return Outcome(verdict["state"], lines, verdict["right"], times)
    places = [fact["at"] for fact in facts if "at" in fact]
    where = places[-1] if places else "the check"
    right = places[1:-1]
    if code is None and not places:
        return Outcome(
            "wrong", [f"the check did not come to begin within {START:g} seconds: is this machine very busy?"]
        )
    if code is None:
        hint = "hint: does a loop never end? `while` needs something that changes; the cases are tiny"
        return Outcome("wrong", [f"{where}: still running after {seconds:g} seconds", hint], right)
    return Outcome("wrong", [f"{where}: the program ended by itself (exit code {code}) before it returned"], right)
