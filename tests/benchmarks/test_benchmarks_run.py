"""The benchmarks run in their smallest form, without other engines; what they measure is not judged here."""

import ast
import csv
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import types
from xml.etree import ElementTree

import numpy as np
import pytest
from llvmlite.binding import get_host_cpu_features

from minitorch_cnn import models
from minitorch_cnn.datasets.cifar10 import TEST_FILE, TRAIN_FILES

FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"
PASSES = ("forward", "backward_input", "backward_kernel")


@pytest.fixture
def run(tmp_path):
    """Run a script of `benchmarks`; returns what it printed and the rows of its CSV file, and checks its chart."""

    def run(script, *arguments, stem=None):
        command = [sys.executable, str(FOLDER / script), *map(str, arguments), "--results", str(tmp_path)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
        stem = stem or script.removesuffix(".py")
        ElementTree.parse(tmp_path / f"{stem}.svg")
        with (tmp_path / f"{stem}.csv").open(newline="") as file:
            return done.stdout, list(csv.DictReader(file))

    return run


def test_versus_plain_numpy(run):
    out, rows = run("versus.py", "--work", "tiny", "--engines", "numpy", "--rounds", 1)
    assert [row["engine"] for row in rows] == ["minitorch_cnn", "numpy im2col"]
    assert all(f"\n{row['engine']}" in out for row in rows)
    assert "times our time: we are" in out
    assert re.search(r"imports take minitorch_cnn [1-9]\d* MB, numpy im2col [1-9]\d* MB; the peaks", out)
    assert float(rows[0]["ratio"]) == 1
    differences = [float(rows[1][f"{kind}_difference"]) for kind in ("loss", "output", "gradient")]
    assert max(differences) < 1e-5  # found equal before anything was timed


@pytest.mark.campaign  # compiles everything once more
@pytest.mark.skipif(not get_host_cpu_features().get("avx2"), reason="this machine has no AVX2")
def test_versus_with_the_instructions_of_a_laptop(run):
    out, rows = run(
        "versus.py", "--work", "tiny", "--engines", "numpy", "--rounds", 1, "--isa", "avx2", stem="versus_avx2"
    )
    assert [(row["engine"], row["isa"]) for row in rows] == [("minitorch_cnn", "avx2"), ("numpy im2col", "avx2")]
    assert "instructions: avx2" in out
    program = (
        "import os, isa; os.environ.update(isa.environment('avx2'));"
        "from minitorch_cnn.twins.numba import simd; print(simd.REGISTER_BYTES, simd.REGISTERS)"
    )
    path = os.pathsep.join([str(FOLDER), *filter(None, sys.path)])
    held = subprocess.run([sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": path}, capture_output=True)
    assert held.stdout.split() == [b"32", b"16"], held.stderr


def options_with_numbers():
    """(script, option, the name of what reads the number) for every such option of the benchmarks."""
    for path in sorted(FOLDER.glob("*.py")):
        for call in filter(is_option, ast.walk(ast.parse(path.read_text()))):
            kinds = [keyword.value.id for keyword in call.keywords if keyword.arg == "type"]
            if kinds and kinds != ["Path"]:
                yield path.name, call.args[0].value, kinds[0]


def is_option(node):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument"


NUMBERS = list(options_with_numbers())


def test_the_options_of_the_benchmarks_are_checked_numbers():
    assert len(NUMBERS) > 40
    assert {kind for _, _, kind in NUMBERS} == {"positive", "positive_integer", "seed", "whole"}


@pytest.mark.campaign
@pytest.mark.parametrize("script, option, kind", NUMBERS)
def test_a_number_that_makes_no_sense_is_refused_before_anything_is_measured(script, option, kind, tmp_path):
    needed = {"two_versions.py": [FOLDER.parent], "fine_tuning_tried.py": ["--cache", tmp_path, "--data", tmp_path],
              "fine_tuning_seeds.py": ["--out", tmp_path]}  # fmt: skip
    command = [sys.executable, FOLDER / script, *needed.get(script, []), option, "0" if "pos" in kind else "some"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert f"argument {option}: expected a" in done.stderr.splitlines()[-1]


def test_a_work_that_is_run_again_replaces_its_own_rows_only(tmp_path):
    specification = importlib.util.spec_from_file_location("benchmark_tables", FOLDER / "tables.py")
    tables = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(tables)
    for work, batch_size, ms in (("a", 1, 10), ("a", 2, 20), ("b", 1, 30), ("a", 1, 11)):
        rows = [{"work": work, "batch_size": batch_size, "ms": ms + engine} for engine in (0, 5)]
        tables.replace_rows(tmp_path / "rows.csv", rows, ("work", "batch_size"))
    assert [row["ms"] for row in tables.read_rows(tmp_path / "rows.csv")] == ["20", "25", "30", "35", "11", "16"]


def test_conv_algorithms(run):
    out, rows = run("conv_algorithms.py", "--networks", "tiny", "--rounds", 1, "--no-pytorch")
    names = ("naive", "im2col", "row_windows", "winograd")
    cases = {(row["layer"], row["pass"], row["algorithm"]) for row in rows}
    layers = [("conv2d_1", way) for way in PASSES if way != "backward_input"] + [("conv2d_2", way) for way in PASSES]
    assert {(*layer, name) for layer in layers for name in names} <= cases
    for layer, way in layers:
        assert sum(row["auto"] == "1" for row in rows if (row["layer"], row["pass"]) == (layer, way)) == 1
    assert "a tiny ConvNet, conv2d_1: 2 x 12x12x3 -> 12x12x8" in out
    assert f"of {len(layers)} cases" in out
    im2col = next(row for row in rows if (row["layer"], row["pass"], row["algorithm"]) == (*layers[0], "im2col"))
    x, kernel, y, columns = 2 * 12 * 12 * 3, 27 * 8, 2 * 12 * 12 * 8, 2 * 12 * 12 * 27
    assert float(im2col["touched_mb"]) == pytest.approx(4e-6 * (x + kernel + y + 2 * columns), abs=1e-3)


def test_im2col_cpu_vs_gpu_without_a_gpu(run):
    out, rows = run("im2col_cpu_vs_gpu.py", "--networks", "tiny", "--rounds", 1)
    names = ["cpu plain NumPy", "cpu im2col", "cpu row_windows", "cpu winograd", "cpu naive"]
    assert [row["algorithm"] for row in rows[:5]] == names and len(rows) == 2 * 5 * 5
    assert {row["batch_size"] for row in rows} == {"1", "2"} and {row["device"] for row in rows} <= {"cpu", "gpu"}
    assert "NO GPU" in out or "GPU: " in out


def test_scaling(run):
    out, rows = run("scaling.py", "--networks", "tiny", "--threads", 1, "--rounds", 1)
    found = [(row["work"], row["sweep"], row["batch_size"], row["image"]) for row in rows]
    points = [
        ("batch", "1", "12"),
        ("batch", "2", "12"),
        ("threads", "2", "12"),
        ("size", "2", "12"),
        ("size", "2", "16"),
    ]
    assert found == [(work, *point) for work in ("forward", "step") for point in points]
    assert out.count("\ntiny step") == len(points)


def test_performance_steps(run):
    out, rows = run("performance_steps.py", "--cases", "tiny", "--rounds", 1)
    stages = ["the definition, in loops", "im2col, plain NumPy", "im2col in blocks", "row windows in registers"]
    assert [row["stage"] for row in rows] == [*stages, "Winograd", "the whole step", "pools fused"]
    assert all(row["stage"] in out for row in rows)


def test_step_by_layer(run, monkeypatch):
    """A part for each stage; together the parts take no longer than the passes in which they are clocked."""
    out, rows = run("step_by_layer.py", "--work", "tiny", "--rounds", 1)
    parts = [row["part"] for row in rows]
    pooled = ["Conv2D 3x3 + MaxPool2D on 12x12x3", "Conv2D 3x3 + MaxPool2D on 6x6x8"]
    assert parts[:3] == [*pooled, "Dropout on 2x2x16"] and parts[-2:] == ["loss and the rest", "update"]
    assert all(part in out for part in parts)
    assert all(float(rows[-2][f"{way}_ms"]) >= 0 for way in ("definitions", "twins", "fused"))
    monkeypatch.syspath_prepend(FOLDER)
    module, model = importlib.import_module("step_by_layer"), models.resnet20()
    found = module.rows_of(model)
    assert [number for _, numbers in found for number in numbers] == [node.output for node in model.nodes()]
    assert found[0][0] == "Conv2D 3x3 + BatchNorm + ReLU on 32x32x3" and found[3][0] == "Add + ReLU on 32x32x16"


def test_input_pipeline(run):
    out, rows = run("input_pipeline.py", "--images", 1, "--rounds", 1)
    assert [row["network"] for row in rows] == ["cifar10", "cats-vs-dogs"]
    assert [row["images"] for row in rows] == ["256", "64"]  # two batches
    assert all(float(row[f"{name}_ms"]) > 0 for row in rows for name in ("at_hand", "first_epoch", "preparing"))
    assert "later / at hand" in out


def test_tried(run):
    out, rows = run("tried.py", "--works", "tiny", "--slice-mb", 0.01, 8, "--rounds", 1)  # two images, and all of them
    assert [row["slice_mb"] for row in rows] == ["0.01", "8.0"]
    assert all(float(row["whole_over_slices"]) > 0 for row in rows) and "whole / slices" in out


def test_two_versions(tmp_path):
    script = FOLDER / "two_versions.py"
    command = [sys.executable, str(script), str(FOLDER.parent), "--work", "tiny", "--rounds", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    name, theirs, ours, ratio, fastest = done.stdout.splitlines()[1].split()
    assert name == "tiny" and float(theirs) > 0 and float(ours) > 0 and float(ratio) > 0 and float(fastest) > 0
    refused = subprocess.run([sys.executable, str(script), str(tmp_path)], capture_output=True, text=True)
    assert refused.returncode == 1 and "expected a checkout" in refused.stderr


def test_the_readme_names_every_script():
    text = (FOLDER / "README.md").read_text()
    scripts = [path.name for path in FOLDER.glob("*.py") if '__name__ == "__main__"' in path.read_text()]
    assert scripts and all(name in text for name in scripts)


def cifar10_files(folder):
    """Write the files of CIFAR-10 with ten random images in each."""
    rng = np.random.default_rng(0)
    for name in (*TRAIN_FILES, TEST_FILE):
        rows = [bytes([label]) + rng.integers(0, 256, 3072, np.uint8).tobytes() for label in range(10)]
        (folder / name).write_bytes(b"".join(rows))


def test_tricks(run, tmp_path):
    """The first rows and the whole recipe, on ten random images to a file and with hardly any filters."""
    cifar10_files(tmp_path)
    small = ("--quick", "--epochs", 1, "--widths", 4, 5, 6, "--validation", 10, "--rows", 1, 5, 10, 13)
    out, rows = run("tricks.py", "--data", tmp_path, *small)
    titles = [row["trick"] for row in rows]
    assert titles[0].startswith("the fast network") and "(--recipe fast)" in titles[2] and "mixup" in titles[3]
    assert all(0 <= float(row["accuracy"]) <= 1 and row["seconds_an_epoch"] != "" for row in rows)
    assert {row["measured_on"] for row in rows} == {"validation"} and "million mult." in out
    windows = 31 * 31 * 24 * 4 + 15 * 15 * (4 * 4 + 4 * 5) + 7 * 7 * (5 * 5 + 5 * 6) + 3 * 3 * 6 * 6
    by_hand = 31 * 31 * 12 * 24 + 9 * windows + 60
    assert {float(row["million_multiplications"]) for row in rows} == {round(by_hand / 1e6, 1)}


def test_images_sent_through_jpeg_once_more(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(FOLDER)
    tricks, rng = importlib.import_module("tricks"), np.random.default_rng(0)
    images = np.cumsum(rng.integers(0, 17, (3, 32, 32, 3)), axis=2).clip(0, 255).astype(np.uint8)
    losses = [abs(tricks.compressed(images, quality).astype(int) - images).mean() for quality in (95, 75, 30)]
    assert 0 < losses[0] < losses[1] < losses[2] < 50
    cifar10_files(tmp_path)
    options = types.SimpleNamespace(data=tmp_path, validation=5, images=30, jpeg=75, quick=False)
    data = tricks.load(options)
    assert len(data.train_images) == 30 and len(data.test_images) == 5
    assert tricks.measured_on(options) == "validation, 30 training images, JPEG of quality 75"


def test_the_fast_recipe_with_our_step(tmp_path):
    cifar10_files(tmp_path)
    command = (sys.executable, FOLDER / "fast_in_pytorch.py", "--data", tmp_path, "--epochs", 2)
    command = [str(word) for word in (*command, "--engine", "minitorch_cnn")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    lines = done.stdout.splitlines()
    assert len(lines) == 3 and lines[0].startswith("epoch 1: ") and "minitorch_cnn, mean over 6 views: " in lines[2]


def test_the_fast_recipe_beside_pytorch(tmp_path):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch to compare with it")
    cifar10_files(tmp_path)
    command = (sys.executable, FOLDER / "fast_in_pytorch.py", "--data", tmp_path, "--compare", 1)
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, timeout=300)
    assert re.fullmatch(r"1 steps of 512 images: ours [0-9.]+ s, PyTorch [0-9.]+ s, ratio .*", done.stdout.strip())


def test_the_fast_recipe_in_pytorch_takes_the_same_steps(monkeypatch):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch to compare with it")
    monkeypatch.syspath_prepend(FOLDER)
    fast, rng = importlib.import_module("fast_in_pytorch"), np.random.default_rng(0)
    x, y = rng.standard_normal((17, 32, 32, 3), dtype=np.float32), rng.integers(0, 10, 17)
    model = fast.FAST.model(types.SimpleNamespace(train_images=x[:, ::-1] * 40, class_names=range(10)), 0)
    ours, theirs = fast.Ours(model, x, 1000, 2), fast.pytorch(model, x, 1000, 2)
    assert np.allclose(theirs.predict(x), ours.predict(x), atol=1e-6)
    first = {name: weights(model, name).copy() for name in theirs.learned}
    # PyTorch's SGD multiplies the old gradients in its momentum by the rate of now, which rises by 2 % a step here.
    for limit in (1e-4, 3e-2, 3e-2, 3e-2):
        ours.step(x, y)
        theirs.step(x, y)
        for name, before in first.items():
            mine, parameter = weights(model, name), theirs._parameter(name).detach().numpy()
            its = theirs.turned.turn_back(name, parameter.T if parameter.ndim == 2 else parameter)
            assert abs(its - mine).max() <= limit * abs(mine - before).max() > 0, name


def weights(model, name):
    layer, parameter = name.split("/")
    return model.get_layer(layer).parameters[parameter]
