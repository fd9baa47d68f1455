"""A learner's folder: the exercise files, and the results of the checks in `progress.json`."""

import hashlib
import json
import shutil
from pathlib import Path

from minitorch_cnn.errors import ArgumentError, CheckpointError
from minitorch_cnn.exercises.course import EXERCISES
from minitorch_cnn.exercises.exercise import Exercise
from minitorch_cnn.exercises.runner import Outcome
from minitorch_cnn.files.printable import printable
from minitorch_cnn.files.regular import read_small
from minitorch_cnn.files.replacing import replacing

FOLDER = "exercises"
LARGEST_RECORD = 1 << 20  # bytes; a record of all exercises is far smaller
CERTIFICATE = "train"  # its entry in the record
STATES = ("done", "wrong", "begun", "not begun")


def default_folder() -> str:
    """The folder of the learner's files: `exercises`, or the current folder if the files are there."""
    begun = any(Path(exercise.file_name).is_file() for exercise in EXERCISES)
    return "." if begun and not Path(FOLDER).is_dir() else FOLDER


class Course:
    """The exercise files of one learner in a folder."""

    def __init__(self, folder: str | Path = FOLDER) -> None:
        self.folder = Path(folder)
        self.record = self.folder / "progress.json"
        self.problem = ""  # why the record could not be written

    def file_of(self, exercise: Exercise) -> Path:
        """The path of the learner's file for an exercise."""
        return self.folder / exercise.file_name

    def start(self) -> list[str]:
        """Copy the stubs that do not exist yet into the folder and return their names.

        Raises CheckpointError if the folder cannot be written.
        """
        copied = []
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for exercise in EXERCISES:
                if not self.file_of(exercise).exists():
                    shutil.copyfile(exercise.stub, self.file_of(exercise))
                    copied.append(exercise.file_name)
        except OSError as error:
            raise CheckpointError(f"exercise start: cannot write {self.folder}: {error.strerror or error}") from None
        return copied

    def remember(self, exercise: Exercise, outcome: Outcome) -> None:
        """Record the outcome of a check, together with a digest of the file that was checked.

        Where the record cannot be written, `problem` says why, and the check counts all the same.
        """
        known = self._read()
        earlier = known.get(exercise.name, {})
        known[exercise.name] = {
            "state": outcome.state,
            "right": outcome.right,
            "says": outcome.lines[0] if outcome.lines else "",
            "file": _digest(self.file_of(exercise)),
            "hints": earlier.get("hints", {}) if _about(outcome) == _about_hints(earlier) else {},
        }
        self._write(known)

    def next_hint(self, exercise: Exercise, outcome: Outcome) -> tuple[int, str] | None:
        """(number from 1, words) of the next hint about what is wrong, or None if there is none.

        The hints begin again when something else is wrong; after the last one it is given again. To be called after
        `remember`. Where the record cannot be written, it is always the first one.
        """
        if not outcome.hints:
            return None
        known = self._read()
        entry = known.setdefault(exercise.name, {})
        given = entry.get("hints", {}).get("given", 0) if _about(outcome) == _about_hints(entry) else 0
        number = min(given + 1 if isinstance(given, int) and given > 0 else 1, len(outcome.hints))
        entry["hints"] = {"about": _about(outcome), "given": number}
        self._write(known)
        return number, outcome.hints[number - 1]

    def certify(self, accuracy: float) -> None:
        """Record the accuracy, from 0 to 1, that the learner's network has reached."""
        self._write({**self._read(), CERTIFICATE: {"accuracy": accuracy}})

    def certified(self) -> float | None:
        """The accuracy of the learner's network, or None if it has not been trained."""
        accuracy = self._read().get(CERTIFICATE, {}).get("accuracy")
        return accuracy if isinstance(accuracy, float) and 0 <= accuracy <= 1 else None

    def _write(self, known: dict) -> None:
        try:
            with replacing(self.record) as file:
                file.write(json.dumps(known, indent=1).encode())
        except OSError as error:
            self.problem = str(error)

    def standing(self, exercise: Exercise) -> tuple[str, str]:
        """The state of an exercise and a message about it.

        The state is "done", "wrong", "begun", "not begun", "not there", or "changed" if the file changed after the last
        check.
        """
        path = self.file_of(exercise)
        if not path.is_file():
            return "not there", ""
        known = self._read().get(exercise.name)
        digest = _digest(path)
        if known is None or known.get("file") != digest:
            untouched = digest == _digest(exercise.stub)
            return ("not begun", "") if untouched else ("changed", "not checked since the last change")
        state, says = known.get("state"), known.get("says", "")
        return (state, printable(says)[:300]) if state in STATES else ("changed", "not checked since the last change")

    def require(self) -> None:
        """Raise ArgumentError if the folder contains no exercise file."""
        if not any(self.file_of(exercise).is_file() for exercise in EXERCISES):
            raise ArgumentError(f"{self.folder}: no exercises found; create them: minitorch-cnn exercise start")

    def _read(self):
        try:
            known = json.loads(read_small(self.record, LARGEST_RECORD))
        except (OSError, ValueError, RecursionError):
            return {}
        ours = known if isinstance(known, dict) else {}
        return {name: entry for name, entry in ours.items() if isinstance(entry, dict)}


def _about(outcome):
    """What the hints of an outcome are about; the hints of two mistakes differ."""
    return list(outcome.hints)


def _about_hints(entry):
    hints = entry.get("hints")
    return hints.get("about") if isinstance(hints, dict) else None


def _digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
