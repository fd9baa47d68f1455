"""The benchmarks of the GPU in their smallest form, with the stand-in as the GPU: the scripts, not the times."""

import csv
import dataclasses
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmarks(standin, monkeypatch):
    """Lets the modules of `benchmarks` be imported, and forgets them afterwards."""
    monkeypatch.syspath_prepend(FOLDER)
    yield
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(FOLDER)):
            del sys.modules[name]


def test_im2col_cpu_vs_gpu(benchmarks, monkeypatch, tmp_path, capsys):
    import im2col_cpu_vs_gpu

    monkeypatch.setattr(sys, "argv", ["x", "--networks", "tiny", "--rounds", "1", "--results", str(tmp_path)])
    im2col_cpu_vs_gpu.main()
    out = capsys.readouterr().out
    assert "GPU: a stand-in, CuPy 14.2.0, CUDA 13.0" in out and "arrays there" in out
    ElementTree.parse(tmp_path / "im2col_cpu_vs_gpu.svg")
    with (tmp_path / "im2col_cpu_vs_gpu.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 5 * (5 + 5)
    for row in rows:
        assert (row["ms"] == "0.5") == (row["device"] == "gpu") and float(row["difference"]) < 1e-5
        assert (float(row["sent_ms"]) > 0) == (row["device"] == "gpu")


def slim(model):
    """The network with a sixteenth of its filters: as many layers of the same kinds, in seconds."""

    def thinned(part):
        if isinstance(part, dict):
            widths = {name: max(4, part[name] // 16) for name in ("filters", "units") if part.get(name, 0) > 10}
            return {name: widths.get(name, thinned(value)) for name, value in part.items()}
        return type(part)(map(thinned, part)) if isinstance(part, (list, tuple)) else part

    return type(model).from_config(thinned(model.config()))


def test_our_engines_in_every_work_of_versus(benchmarks, monkeypatch, tmp_path):
    """Both compute what the engine on the processor does, and their steps run; most as one graph."""
    import engines
    from works import WORKS, make_problem

    monkeypatch.setattr(engines, "GPU_STEPS", 4)
    from engines.minitorch import Minitorch
    from engines.minitorch_cuda import Cupy, CupyGraph

    for name, work in WORKS.items():
        path = tmp_path / f"{name}.npz"
        slimmed = dataclasses.replace(work, network=lambda size, work=work: slim(work.network(size)))
        make_problem(slimmed, 2, 38 if name == "cats-vs-dogs" else 32).save(path)
        wanted = Minitorch(path, 1).results()
        for kind in (Cupy, CupyGraph):
            engine = kind(path, 1)
            found = engine.results()
            assert found.keys() == wanted.keys()
            for part, result in found.items():
                difference = np.linalg.norm(np.ravel(result - wanted[part])) / np.linalg.norm(np.ravel(wanted[part]))
                limit = 5e-3 if part.startswith("gradient") else 1e-4  # ties of a ReLU or a pool
                assert difference < limit, f"{name}: {part}"
            engine.run()
            assert engine.peak_bytes() >= 0
        assert work.loss is None or engine.captured.graph is not None, name
