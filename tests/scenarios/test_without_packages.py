"""NumPy alone runs the engine: each other package may be missing, and so may all of them at once.

Every case runs in a child process in which the packages cannot be imported. What does not need them gives the numbers
of the full installation; what does need them ends in one line that names the package and the command to install it.
"""

import functools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent.parent
OPTIONAL = ["numba", "scipy", "threadpoolctl", "h5py", "tqdm", "pooch", "PIL", "jinja2", "filelock"]
EVERYTHING = [*OPTIONAL, "requests", "urllib3", "mpi4py", "cupy"]
# Two BLAS threads that share their cores with other programs wait for each other, which can take ten times as long.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

WORK = """
import json
import numpy as np
import minitorch_cnn as mtc
from minitorch_cnn import datasets, layers, optimizers

rng = np.random.default_rng(0)
images, labels = rng.integers(0, 256, (40, 14, 14, 3), dtype=np.uint8), rng.integers(0, 4, 40)
photos, answers = rng.integers(0, 256, (16, 14, 14, 3), dtype=np.uint8), rng.integers(0, 4, 16)
images, photos = (pixels.astype(np.float32) / 255 for pixels in (images, photos))

def network(**settings):
    return mtc.Sequential([
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.MaxPool2D(2),
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.Conv2D(8, 3, strides=2, activation="relu", algorithm="row_windows"),
        layers.Conv2D(8, 2, activation="relu", algorithm="im2col"),
        layers.Flatten(),
        layers.Dropout(0.2),
        layers.Dense(16, activation="relu"),
        layers.Dense(4, activation="softmax"),
    ], input_shape=(14, 14, 3), seed=0)

def trained(model, **settings):
    return model.fit(images, labels, optimizer=optimizers.SGD(0.02, momentum=0.9), epochs=2, batch_size=16,
                     validation=(photos, answers), **settings)

results = {"predictions": network().predict(photos).tolist()}
turned = datasets.Augmentation(flip=True, shift=0.1, rotate=10)
results["history"] = trained(network(), augment=turned, workers=2)
frozen = network()
frozen.freeze(through="conv2d_3")
results["frozen"] = trained(frozen, workers=0)
results["few"] = trained(network(), progress=False)
for history in (results["history"], results["frozen"], results["few"]):
    del history["seconds"]
small = mtc.Sequential([layers.Conv2D(3, 3, activation="relu"), layers.MaxPool2D(2), layers.Flatten(),
                        layers.Dense(3, activation="softmax")], input_shape=(8, 8, 2), seed=0)
results["gradients"] = bool(mtc.gradient_check(small).passed)
print(json.dumps(results))
"""


def without(missing, code, *arguments, cwd=None):
    """Run `code` in a process that cannot import the packages `missing`; returns the finished process."""
    start = f"import sys; sys.modules.update(dict.fromkeys({list(missing)!r})); sys.argv[0] = 'minitorch-cnn'\n"
    return subprocess.run(
        [sys.executable, "-c", start + code, *map(str, arguments)],
        capture_output=True, text=True, timeout=900, cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT), **ONE_THREAD},
    )  # fmt: skip


def command(missing, *arguments, cwd=None):
    """Run `minitorch-cnn` with these arguments in a process that cannot import the packages `missing`."""
    return without(missing, "from minitorch_cnn.cli import main; sys.exit(main())", *arguments, cwd=cwd)


@functools.cache
def work(*missing):
    """(what WORK computes, its standard error) without the packages `missing`."""
    process = without(missing, WORK)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout), process.stderr


def advice(errors):
    """The lines that say that something is not installed."""
    return [line for line in errors.splitlines() if "install" in line]


MISSING = [[name] for name in OPTIONAL] + [["scipy", "threadpoolctl"], EVERYTHING]


MARKED = [  # those without which something else runs, in every run
    pytest.param(missing, marks=[pytest.mark.campaign] * (missing[0] in ("h5py", "pooch", "PIL", "jinja2", "filelock")))
    for missing in MISSING
]


@pytest.mark.parametrize("missing", MARKED, ids="+".join)
def test_predicting_training_and_checking_give_the_same_results(missing):
    results, _ = work(*missing)
    expected, _ = work()
    assert results["gradients"]
    np.testing.assert_allclose(results["predictions"], expected["predictions"], rtol=1e-4, atol=1e-6)
    for training in ("history", "frozen", "few"):
        assert results[training].keys() == expected[training].keys()
        for name, values in expected[training].items():
            np.testing.assert_allclose(results[training][name], values, rtol=1e-3, err_msg=f"{training}: {name}")


FASTER = {
    ("numba",): "numba is not installed: the plain definitions run, slower; pip install numba makes it fast",
    ("scipy",): "scipy is not installed: the plain definitions run where it is needed, slower;"
    " pip install scipy makes it fast",
    ("threadpoolctl",): "threadpoolctl is not installed: the plain definitions run where it is needed, slower;"
    " pip install threadpoolctl makes it fast",
    ("scipy", "threadpoolctl"): "scipy and threadpoolctl are not installed: the plain definitions run where they are"
    " needed, slower; pip install scipy threadpoolctl makes it fast",
    tuple(EVERYTHING): "numba, scipy and threadpoolctl are not installed: the plain definitions run, slower;"
    " pip install numba scipy threadpoolctl makes it fast",
}


@pytest.mark.parametrize("missing", MARKED, ids="+".join)
def test_one_line_says_what_would_make_it_fast(missing):
    line = FASTER.get(tuple(missing))
    assert advice(work(*missing)[1]) == ([] if line is None else [line])


def test_only_what_multiplies_whole_matrices_does_without_its_twin_where_scipy_is_missing():
    code = """
import numpy as np
from minitorch_cnn import convolution
from minitorch_cnn.arrays.dispatch import DEFINITIONS
x = np.zeros(1, np.float32)
print(*sorted(title for title, each in DEFINITIONS.items() if each.twin_for(x) is None))
"""
    missing = {name: set(without(name, code).stdout.split()) for name in ((), ("scipy",), ("threadpoolctl",))}
    gone = {"convolution/im2col.py:", "matmul.py:"}
    assert missing["scipy",] - missing[()] == missing["threadpoolctl",] - missing[()]
    assert {word for word in missing["scipy",] - missing[()] if word.endswith(":")} == gone


def test_without_tqdm_an_epoch_is_a_line():
    _, errors = work("tqdm")
    lines = [re.sub(r"\d\d:\d\d", "TIME", line) for line in errors.splitlines() if " images in " in line]
    assert [line.partition(", loss")[0] for line in lines] == [
        "epoch 1/2: 40 images in TIME", "epoch 2/2: 40 images in TIME",
        "features: 40 images in TIME, features cached: 40 images, 0 MiB",
        "features: 16 images in TIME, features cached: 16 images, 0 MiB",
        "epoch 1/2: 40 images in TIME", "epoch 2/2: 40 images in TIME",
    ]  # fmt: skip
    assert all(re.search(r"val_loss \d\.\d{4}, val_accuracy \d\.\d{4}$", line) for line in lines if "epoch" in line)


@pytest.mark.parametrize("missing", [["numba"], EVERYTHING], ids="+".join)
def test_gradients_are_checked_on_the_command_line(missing):
    process = command(missing, "check-gradients", "--brief", "--most", 2)
    assert process.returncode == 0, process.stderr
    assert re.search(r"^(\d+) of \1 agree in their definitions$", process.stdout, re.MULTILINE)
    assert "twin" not in process.stdout
    assert process.stderr.splitlines() == [FASTER[tuple(missing)]]


@pytest.mark.parametrize("missing", [["numba"], EVERYTHING], ids="+".join)
def test_the_summary_needs_nothing(missing):
    process = command(missing, "summary", "cifar10")
    assert process.returncode == 0, process.stderr
    assert "1,676,842 parameters" in process.stdout
    assert "never written" not in process.stdout  # only the compiled twins run convolution and pool as one
    assert process.stderr == ""


# (packages that are missing, the one that is named, what needs it, the command)
NEEDED = [
    (["PIL"], "Pillow", "reading an image file", ["predict", "RUN", "photo.png"]),
    (["PIL"], "Pillow", "enlarging the handwritten digits", ["train", "--out", "fresh"]),
    (["PIL"], "Pillow", "enlarging the handwritten digits", ["explain"]),
    (["PIL"], "Pillow", "scaling the handwritten digits", ["explain", "cifar10"]),
    (["jinja2"], "jinja2", "writing a report", ["explain", "--page", "step.html"]),
    (["markupsafe"], "markupsafe", "writing a report", ["explain", "--page", "step.html"]),
    (["numba"], "numba", "comparing the compiled twins with their definitions", ["twins"]),
    (["pooch"], "pooch", "downloading a file", ["weights", "fetch", "vgg16", "--no-top", "--out", "weights"]),
    (["requests"], "requests", "downloading a file", ["weights", "fetch", "vgg16", "--no-top", "--out", "weights"]),
    (["urllib3"], "urllib3", "downloading a file", ["weights", "fetch", "vgg16", "--no-top", "--out", "weights"]),
]


NEEDED_MARKED = [
    pytest.param(*row, marks=[pytest.mark.campaign] * (number in (2, 3, 5, 8, 9))) for number, row in enumerate(NEEDED)
]


@pytest.mark.parametrize("missing, package, purpose, arguments", NEEDED_MARKED, ids=lambda value: str(value)[:40])
def test_what_needs_a_missing_package_ends_in_one_line(missing, package, purpose, arguments, run_folder, tmp_path):
    arguments = [run_folder if argument == "RUN" else argument for argument in arguments]
    process = command(missing, *arguments, cwd=tmp_path)
    expected = f"minitorch-cnn: {purpose} needs {package}, which is not installed: pip install {package}\n"
    assert (process.returncode, process.stderr) == (2, expected)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A run folder that was made without Jinja2, so without its report."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    process = command(["jinja2"], "train", "--epochs", 1, "--out", folder, "--quiet")
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith("test accuracy ")
    assert process.stderr == (
        f"{folder / 'report.html'} was not written: writing a report needs jinja2, which is not installed:"
        f" pip install jinja2; then: minitorch-cnn train --resume {folder}\n"
    )
    return folder


def test_a_run_without_jinja2_is_whole_and_its_report_comes_later(run_folder):
    files = {"config.json", "history.csv", "checkpoint.npz", "model.npz"}
    assert {path.name for path in run_folder.iterdir()} == files
    process = command([], "train", "--resume", run_folder, "--quiet")
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.splitlines()[-1] == f"report: {run_folder / 'report.html'}"
    assert (run_folder / "report.html").is_file()


def test_cifar10_is_trained_without_any_package(tmp_path):
    data, rng = tmp_path / "cifar-10-batches-bin", np.random.default_rng(0)
    data.mkdir()
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        records = rng.integers(0, 256, (4, 3073), dtype=np.uint8)
        records[:, 0] %= 10
        (data / f"{name}.bin").write_bytes(records.tobytes())
    arguments = ["train", "cifar10", "--data", data, "--epochs", 1, "--out", tmp_path / "run"]
    process = command(EVERYTHING, *arguments)
    assert process.returncode == 0, process.stderr
    fast, epoch, report = process.stderr.splitlines()
    assert (fast, epoch[:23]) == (FASTER[tuple(EVERYTHING)], "epoch 1/1: 20 images in")
    assert report.startswith(f"{tmp_path / 'run' / 'report.html'} was not written: drawing the pictures of a report")
    assert (tmp_path / "run" / "model.npz").is_file()


def test_nothing_is_recorded_of_twins_that_cannot_run(tmp_path):
    record = ROOT / "minitorch_cnn" / "twins" / "fingerprints.json"
    before = record.read_bytes()
    code = "from minitorch_cnn.gradients.twins import record\nrecord(checked=True)"
    process = without(["scipy"], code)
    assert process.returncode == 1
    assert "recording what the twins are made for needs scipy, which is not installed" in process.stderr
    assert record.read_bytes() == before


KERAS = """
import numpy as np
import minitorch_cnn as mtc
from minitorch_cnn import errors, layers

model = mtc.Sequential([layers.Dense(2)], input_shape=(3,), seed=int(sys.argv[3]))
if sys.argv[1] == "save":
    try:
        model.save_weights(sys.argv[2])
    except ImportError as error:
        assert isinstance(error, errors.MissingPackage) and isinstance(error, errors.UserError)
        print(error)
else:
    model.load_weights(sys.argv[2])
    print(model.predict(np.eye(3)).tolist())
"""


def test_keras_files_are_read_without_h5py_but_not_written(tmp_path):
    path = tmp_path / "small.weights.h5"
    assert without([], KERAS, "save", path, 0).stdout == ""
    before = path.read_bytes()
    refused = without(["h5py"], KERAS, "save", path, 1)
    assert refused.stdout == "saving a Keras weight file needs h5py, which is not installed: pip install h5py\n"
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (before, [path])
    weights = without(["h5py"], KERAS, "load", path, 1)
    assert weights.stdout == without([], KERAS, "load", path, 1).stdout != ""


def test_a_broken_package_is_named_with_the_reason(tmp_path):
    (tmp_path / "jinja2.py").write_text("raise ImportError('libbroken.so: cannot open\\nmore')")
    code = f"sys.path.insert(0, {str(tmp_path)!r})\nfrom minitorch_cnn.errors import require\n"
    process = without([], code + "try:\n    require('jinja2', 'this')\nexcept ImportError as error:\n    print(error)")
    assert process.stdout == (
        "this needs jinja2, which cannot be imported (libbroken.so: cannot open):"
        " pip install --force-reinstall jinja2\n"
    )


def test_the_readme_s_ten_lines_learn_the_same_without_numba():
    block = (ROOT / "README.md").read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    assert block.count("\nmodel.fit(") == 1
    code = block.replace("\nmodel.fit(", "\nhistory = model.fit(") + "\nimport json; print(json.dumps(history))"
    plain, compiled = ({}, {})
    for results, missing in ((plain, ["numba"]), (compiled, [])):
        process = without(missing, code)
        assert process.returncode == 0, process.stderr
        results.update(json.loads(process.stdout.splitlines()[-1]))
    assert len(plain["val_accuracy"]) == 3
    for name in ("accuracy", "val_accuracy"):
        np.testing.assert_allclose(plain[name], compiled[name], atol=0.01, err_msg=name)
    assert plain["val_accuracy"][-1] > 0.9
