"""The scaling study in its smallest form; and its model against sums that can be done by hand."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mpi4py")
FOLDER = Path(__file__).parents[2] / "benchmarks"


def test_measured_and_modelled(tmp_path):
    command = [
        sys.executable,
        FOLDER / "parallel_scaling.py",
        "--networks",
        "tiny",
        "--steps",
        1,
        "--results",
        tmp_path,
    ]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "400 Gbit InfiniBand" in done.stdout and "measured / predicted" in done.stdout
    with (tmp_path / "parallel_scaling.csv").open(newline="") as file:
        one, two = csv.DictReader(file)
    assert (one["ranks"], two["ranks"]) == ("1", "2") and one["bytes"] == two["bytes"]
    assert float(one["sum_ms"]) == 0 < float(two["sum_ms"])
    assert (tmp_path / "parallel_scaling.svg").exists()


def test_the_ring(tmp_path):
    lines = "import parallel_scaling as p; print(*(p.sum_seconds(10**9, n, '10 Gbit Ethernet') for n in (1, 2, 256)))"
    done = subprocess.run(
        [sys.executable, "-c", lines], capture_output=True, text=True, check=True, timeout=60,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(FOLDER), os.environ.get("PYTHONPATH", "")])},
    )  # fmt: skip
    one, two, many = map(float, done.stdout.split())
    assert one == 0
    assert two == pytest.approx(0.8 + 2 * 20e-6)  # each of two ranks sends and gets the whole of it once
    assert many == pytest.approx(2 * 255 / 256 * 0.8 + 2 * 255 * 20e-6)
