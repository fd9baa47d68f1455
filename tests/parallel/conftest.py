"""Fixtures that run programs under mpiexec."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mpi4py")

SMALL_TRAINING = Path(__file__).parents[1] / "faults" / "small_training.py"
HERE = Path(__file__).parent


def mpiexec():
    """Return the launcher that belongs to this Python's MPI."""
    beside = Path(sys.executable).with_name("mpiexec")
    return str(beside) if beside.exists() else shutil.which("mpiexec") or pytest.skip("no mpiexec")


@pytest.fixture(scope="session")
def start():
    """start(ranks, program, *arguments) returns a Popen; one rank is a process without mpiexec."""

    def start(ranks, program, *arguments):
        launcher = [mpiexec(), "-n", str(ranks)] if ranks > 1 else []
        return subprocess.Popen(
            [*launcher, sys.executable, str(program), *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    return start


@pytest.fixture(scope="session")
def run(start):
    """run(...) returns (exit code, output, errors) of `start(...)`."""

    def run(*arguments):
        process = start(*arguments)
        try:
            output, errors = process.communicate(timeout=300)
        finally:
            process.kill()  # if it hangs
        return process.returncode, output, errors

    return run


@pytest.fixture(scope="session")
def train(run):
    """train(ranks, *arguments, act=("none", 0, 0)) runs the small training through the command line."""

    def train(ranks, *arguments, act=("none", 0, 0)):
        return run(ranks, SMALL_TRAINING, *act, "train", *arguments)

    return train
