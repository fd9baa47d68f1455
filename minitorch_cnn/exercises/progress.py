"""A learner's folder: the stubs in it, and what has been done, in `progress.json`."""

import hashlib
import json
import shutil
from pathlib import Path

from minitorch_cnn.errors import ArgumentError, CheckpointError
from minitorch_cnn.exercises.course import EXERCISES
from minitorch_cnn.files.printable import printable
from minitorch_cnn.files.regular import read_small
from minitorch_cnn.files.replacing import replacing

FOLDER = "exercises"
LARGEST_RECORD = 1 << 20  # bytes of what is known of ten exercises
STATES = ("done", "wrong", "begun", "not begun")


def here():
    """Where the learner's files are if nobody says: in `exercises`, or right here for who has gone there."""
    begun = any(Path(exercise.file_name).is_file() for exercise in EXERCISES)
    return "." if begun and not Path(FOLDER).is_dir() else FOLDER


class Course:
    """The files of one learner in a folder."""

    def __init__(self, folder=FOLDER):
        self.folder = Path(folder)
        self.record = self.folder / "progress.json"

    def file_of(self, exercise):
        """Where the learner writes."""
        return self.folder / exercise.file_name

    def start(self):
        """Copy the stubs that are not there yet; returns their names. CheckpointError where that cannot be done."""
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

    def remember(self, exercise, outcome):
        """Keep what a check found, together with what the file was."""
        known = self._read()
        known[exercise.name] = {
            "state": outcome.state,
            "right": outcome.right,
            "says": outcome.lines[0] if outcome.lines else "",
            "file": _digest(self.file_of(exercise)),
        }
        try:
            with replacing(self.record) as file:
                file.write(json.dumps(known, indent=1).encode())
        except OSError as error:
            raise CheckpointError(f"{self.record}: cannot be written ({error.strerror or error})") from None

    def standing(self, exercise):
        """(state, words): "done", "wrong", "begun", "not begun", "not there", or "changed" since it was checked."""
        path = self.file_of(exercise)
        if not path.is_file():
            return "not there", ""
        known = self._read().get(exercise.name)
        digest = _digest(path)
        if known is None or known.get("file") != digest:
            untouched = digest == _digest(exercise.stub)
            return ("not begun", "") if untouched else ("changed", "not checked since")
        state, says = known.get("state"), known.get("says", "")
        return (state, printable(says)[:300]) if state in STATES else ("changed", "not checked since")

    def require(self):
        """ArgumentError unless the folder has been started."""
        if not any(self.file_of(exercise).is_file() for exercise in EXERCISES):
            raise ArgumentError(f"{self.folder}: no exercises are there; begin with: minitorch-cnn exercise start")

    def _read(self):
        try:
            known = json.loads(read_small(self.record, LARGEST_RECORD))
        except (OSError, ValueError, RecursionError):
            return {}
        ours = known if isinstance(known, dict) else {}
        return {name: entry for name, entry in ours.items() if isinstance(entry, dict)}


def _digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
