"""The comparison of processor and GPU in its smallest form, with the stand-in as the GPU: the script, not the times."""

import csv
import sys
from pathlib import Path
from xml.etree import ElementTree

import host_kernels
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.skipif(host_kernels.COMPILER is None, reason=host_kernels.NO_COMPILER)
def test_im2col_cpu_vs_gpu(standin, monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(FOLDER)
    before = set(sys.modules)
    import im2col_cpu_vs_gpu

    monkeypatch.setattr(sys, "argv", ["x", "--networks", "tiny", "--rounds", "1", "--results", str(tmp_path)])
    im2col_cpu_vs_gpu.main()
    for name in set(sys.modules) - before:
        del sys.modules[name]
    out = capsys.readouterr().out
    assert "GPU: a stand-in, CuPy 14.2.0, CUDA 13.0" in out and "arrays there" in out
    ElementTree.parse(tmp_path / "im2col_cpu_vs_gpu.svg")
    with (tmp_path / "im2col_cpu_vs_gpu.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 5 * (5 + 5)
    for row in rows:
        assert (row["ms"] == "0.5") == (row["device"] == "gpu") and float(row["difference"]) < 1e-5
        assert (float(row["sent_ms"]) > 0) == (row["device"] == "gpu")
