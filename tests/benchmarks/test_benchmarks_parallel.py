"""The scaling study in its smallest form; and its model against sums that can be done by hand."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mpi4py")
FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.campaign
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
    assert "400 Gbit InfiniBand" in done.stdout and "measured / model" in done.stdout
    with (tmp_path / "parallel_scaling.csv").open(newline="") as file:
        one, two, *beyond = csv.DictReader(file)
    assert (one["ranks"], two["ranks"]) == ("1", "2") and one["bytes"] == two["bytes"]
    assert float(one["sum_ms"]) == float(one["modelled_sum_ms"]) == 0 < float(two["sum_ms"])
    assert float(two["modelled_ms"]) > float(one["modelled_ms"]) == float(one["computing_ms"])
    assert len(beyond) == 5 * 9 and {row["ranks"] for row in beyond} == {str(2**power) for power in range(9)}
    for row in beyond:
        whole = float(row["computing_ms"]) + float(row["modelled_sum_ms"])
        assert float(row["efficiency"]) == pytest.approx(float(row["computing_ms"]) / whole)
    drawing = (tmp_path / "parallel_scaling.svg").read_text()
    assert "measured here" in drawing and "100 Gbit InfiniBand" in drawing


def test_tables_in_a_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- t -->\n\nold\n\n<!-- end of t -->\nafter\n")
    lines = "from pathlib import Path; import tables as t;"
    lines += f"t.write_in_page(Path({str(page)!r}), 't', t.markdown_table(('a', 'b'), [(1, 2)]))"
    python(lines)
    new = "before\n<!-- t -->\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n<!-- end of t -->\nafter\n"
    assert page.read_text() == new
    python(lines)
    assert page.read_text() == new


def python(lines):
    return subprocess.run(
        [sys.executable, "-c", lines], capture_output=True, text=True, check=True, timeout=300,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(FOLDER), os.environ.get("PYTHONPATH", "")])},
    ).stdout  # fmt: skip


def test_the_ring():
    lines = "import parallel_scaling as p;"
    lines += "print(*(p.ring_seconds(10**9, n, *p.INTERCONNECTS['10 Gbit Ethernet']) for n in (1, 2, 256)))"
    one, two, many = map(float, python(lines).split())
    assert one == 0
    assert two == pytest.approx(0.8 + 2 * 20e-6)  # each of two ranks sends and gets the whole of it once
    assert many == pytest.approx(2 * 255 / 256 * 0.8 + 2 * 255 * 20e-6)
