"""The exit codes of a command that a signal ends, however often the signal is sent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minitorch_cnn import checkpoint

PROGRAM = Path(__file__).with_name("small_training.py")
SECONDS = 120


def training(folder, *launcher, **options):
    """A training that goes on for long, in its second epoch or later."""
    command = [*launcher, sys.executable, PROGRAM, "slow", 0, 0, "train", "--epochs", 500, "--quiet", "--out", folder]
    process = subprocess.Popen([str(word) for word in command], stderr=subprocess.PIPE, text=True, **options)
    deadline = time.monotonic() + SECONDS
    while not (folder / "history.csv").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    return process


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_repeated_until_the_end_gives_its_code_and_one_line(tmp_path, number, code):
    process = training(tmp_path / "run")
    while process.poll() is None:
        process.send_signal(number)
        time.sleep(5e-5)
    _, said = process.communicate()
    assert process.returncode == code, said
    lines = [line for line in said.splitlines() if line.startswith("minitorch-cnn: interrupted in epoch")]
    assert len(lines) == 1 and "saved" in lines[0] and "Traceback" not in said
    assert checkpoint.load(tmp_path / "run" / "checkpoint.npz")[1]["epoch"] >= 1


def test_nohup(tmp_path):
    process = training(tmp_path / "run", "nohup")
    epoch = checkpoint.load(tmp_path / "run" / "checkpoint.npz")[1]["epoch"]
    process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + SECONDS
    while checkpoint.load(tmp_path / "run" / "checkpoint.npz")[1]["epoch"] < epoch + 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.terminate()
    assert process.wait(SECONDS) == 143


def test_before_the_first_batch_sigterm_acts_at_once(tmp_path):
    """Also where Python itself hangs in a library; a shell shows 143 for it."""
    script = "import os, signal, sys; from minitorch_cnn import cli, runs\n"
    script += "runs.start = lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM)\nsys.exit(cli.main())"
    result = subprocess.run(["bash", "-c", f"'{sys.executable}' -c '{script}' train; echo $?"], capture_output=True)
    assert result.stdout == b"143\n"


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_launcher_passes_it_on(tmp_path, number, code):
    pytest.importorskip("mpi4py")
    mpiexec = Path(sys.executable).with_name("mpiexec")
    process = training(tmp_path / "run", mpiexec if mpiexec.exists() else "mpiexec", "-n", 2)
    process.send_signal(number)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == code and said.count("minitorch-cnn: interrupted in epoch") == 1


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_to_one_of_two_processes_ends_both(tmp_path, number, code):
    pytest.importorskip("mpi4py")
    mpiexec = Path(sys.executable).with_name("mpiexec")
    process = training(tmp_path / "run", mpiexec if mpiexec.exists() else "mpiexec", "-n", 2)
    ranks = [path.parent for path in Path("/proc").glob("[0-9]*/cmdline") if _runs_in(path, tmp_path)]
    os.kill(int(ranks[-1].name), number)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == code and said.count("minitorch-cnn: interrupted in epoch") == 1


def _runs_in(cmdline, folder):
    try:
        words = cmdline.read_bytes().split(b"\0")
    except OSError:
        return False
    return words[0] == sys.executable.encode() and str(folder / "run").encode() in words
