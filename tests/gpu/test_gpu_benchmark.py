"""The benchmarks of the GPU in their smallest form, with the stand-in as the GPU: the scripts, not the times."""

import csv
import dataclasses
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import standin_cudnn
from standin_arrays import device as standin_device

import minitorch_cnn as mtc
from minitorch_cnn import layers
from minitorch_cnn.twins.cuda import kernels

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
    """Every algorithm of our own and both ways to cuDNN; a layer's two passes, with channels that fill a tile."""
    import im2col_cpu_vs_gpu

    model = mtc.Sequential([layers.Conv2D(32, 3, padding="same"), layers.Conv2D(32, 3)], (4, 4, 2), seed=0)
    monkeypatch.setitem(im2col_cpu_vs_gpu.NETWORKS, "tiny", ("two layers", lambda: model, (1, 2)))
    monkeypatch.setitem(sys.modules, "torch", standin_cudnn.torch())
    monkeypatch.setitem(sys.modules, "cudnn", standin_cudnn.cudnn())
    monkeypatch.setattr(standin_device, "capability", "90")
    monkeypatch.setattr(sys, "argv", ["x", "--networks", "tiny", "--rounds", "1", "--results", str(tmp_path)])
    im2col_cpu_vs_gpu.main()
    out = capsys.readouterr().out
    assert "GPU: a stand-in, CuPy 14.2.0, CUDA 13.0" in out and "arrays there" in out and "left out" not in out
    picture = ElementTree.parse(tmp_path / "im2col_cpu_vs_gpu.svg").getroot()
    assert {text.text for text in picture.iter() if text.tag.endswith("text")} >= set(im2col_cpu_vs_gpu.SERIES)
    with (tmp_path / "im2col_cpu_vs_gpu.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    implicit, ours, theirs = "gpu implicit GEMM TF32", 5, 3
    assert len(rows) == 2 * (5 * (5 + ours + theirs) + 3)  # the implicit GEMM has no layer of two channels
    assert {row["layer"] for row in rows if row["algorithm"] == implicit} == {"conv2d_2"}
    assert {row["algorithm"] for row in rows if row["launched"] == "1"} == {"gpu plain CuPy"}
    for row in rows:
        kind = "gpu" if row["device"] == "gpu" else "cpu"
        ms = {"gpu": "0.025" if "cuDNN" in row["algorithm"] and "frontend" not in row["algorithm"] else "0.05"}
        assert kind == "cpu" or row["ms"] == ms[kind]
        assert float(row["difference"]) < (1e-3 if row["algorithm"] == implicit else 1e-5)
        assert (float(row["sent_ms"]) > 0) == (kind == "gpu")
    assert {"conv3x3_32", "dkernel3x3_32", "cudnn"} <= set(standin_device.launches)
    assert "lay_out" in {name.removesuffix("4") for name in standin_device.launches}  # row windows, and not those twice


def test_what_is_not_installed_is_left_out(benchmarks, monkeypatch, capsys, standin):
    import cudnn_layers

    without = standin_cudnn.torch()
    without.cuda.is_available = lambda: False
    broken = standin_cudnn.cudnn()

    def create_handle():
        raise RuntimeError("Unable to find symbol cudnnCreate")

    broken.create_handle = create_handle
    monkeypatch.setitem(sys.modules, "torch", without)
    monkeypatch.setitem(sys.modules, "cudnn", broken)
    assert cudnn_layers.installed(standin) == {}
    out = capsys.readouterr().out
    assert "PyTorch is left out: PyTorch finds no GPU" in out and "cudnnCreate" in out


def test_every_kernel_has_a_row_in_the_table_of_costs(benchmarks):
    import kernel_costs

    names = {name.removesuffix("4") for name in kernels.signatures() if "3x3_" not in name}
    assert names == kernel_costs.COSTS.keys()
    text = kernel_costs.for_sizes(kernels.source())
    for name, cost in kernel_costs.COSTS.items():
        body = text.partition(f"void {name}_sized(")[2].partition("{")[2].partition("\n}\n")[0]
        assert bool(body) == bool(cost.sizes), name
        assert not any(re.search(rf"\b{parameter}\b", body) for parameter, _ in cost.sizes), name


class Answers:
    """A process of versus.py whose results are known."""

    def __init__(self, **results):
        self.results = {name: np.float32(result) for name, result in results.items()}

    def call(self, method, save_to):
        return self.results


def test_versus_accepts_on_a_gpu_what_winograd_costs_and_says_it(benchmarks, capsys, tmp_path):
    import versus

    processes = {"ours": Answers(loss=1, output=[1, 2]), "theirs": Answers(loss=1, output=[1, 2.001])}
    found = versus.check_equal(processes, tmp_path, versus.GPU_LIMITS)
    assert found["theirs"] == {"loss": 0, "output": pytest.approx(5e-4, rel=1e-3), "gradient": None}
    said = capsys.readouterr().out
    assert said == "theirs: output differs from ours by 5.0e-04, over the usual 2e-05\n"
    with pytest.raises(SystemExit, match="theirs: output differs"):
        versus.check_equal(processes, tmp_path)
    processes["theirs"] = Answers(loss=1, output=[1, 2.003])
    with pytest.raises(SystemExit, match=r"over 0\.001"):
        versus.check_equal(processes, tmp_path, versus.GPU_LIMITS)


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
