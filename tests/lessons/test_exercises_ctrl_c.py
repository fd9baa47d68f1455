"""Ctrl-C stops a check; an exception of the same name in the learner's code does not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minitorch_cnn.exercises import course
from minitorch_cnn.exercises.checking import Wrong, guarded
from minitorch_cnn.exercises.progress import Course

ROOT = Path(__file__).parents[2]
PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal, wherever the tests run
from minitorch_cnn.cli import main
sys.exit(main())
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGINT")
def test_ctrl_c_stops_the_command_and_the_check(tmp_path):
    mine, begun = Course(tmp_path / "work"), tmp_path / "begun"
    mine.start()
    mine.file_of(course.get("dense")).write_text(f"open({str(begun)!r}, 'w').close()\nwhile True: pass\n")
    command = [sys.executable, "-c", PROGRAM, "exercise", "dense", str(mine.folder)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, **pipes)
    try:
        for _ in range(2400):
            if begun.exists():
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)  # ends only when the check, which writes there too, has ended
    finally:
        process.kill()
    assert process.returncode == 130 and "Traceback" not in said, said


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.default_int_handler], ids=["ignored", "as always"])
def test_where_ctrl_c_is_ignored_the_learners_code_has_raised_it(handler):
    before = signal.signal(signal.SIGINT, handler)
    try:
        with pytest.raises(Wrong if handler is signal.SIG_IGN else KeyboardInterrupt), guarded("dense_backward", None):
            raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, before)
