"""Build the wheel and the source distribution, install each into an empty environment, and use it outside the checkout.

    python .ci/check_package.py [--python NAME] [--keep FOLDER]

The wheel: the README's main command, a prediction, the other commands that need no data, and its Python blocks; then
every script of examples/, as the source distribution contains it. The source distribution: the README's ten lines. What
needs real data gets a few images of noise, and untrained weights of VGG16's shapes: that everything runs is the claim,
and only the digits are learned. Without --python, the wheel meets the oldest Python at hand that the project supports,
and the source distribution the newest.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from pythons import interpreters

ROOT = Path(__file__).resolve().parents[1]
NOTOP = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"  # the file that the README's block names

MAKE_DATA = f"""
import numpy as np
from pathlib import Path
from PIL import Image
import minitorch_cnn as mtc
from minitorch_cnn import layers, models

rng = np.random.default_rng(0)
cifar = Path("cifar-10-batches-bin")
cifar.mkdir()
for name in [*(f"data_batch_{{i}}.bin" for i in range(1, 6)), "test_batch.bin"]:
    records = rng.integers(0, 256, (60, 3073), dtype=np.uint8)
    records[:, 0] = np.arange(60) % 10
    records.tofile(cifar / name)
for split, count in (("train", 6), ("validation", 4)):
    for name in ("cats", "dogs"):
        folder = Path("photos", split, name)
        folder.mkdir(parents=True)
        for number in range(count):
            Image.fromarray(rng.integers(0, 256, (40, 37, 3), dtype=np.uint8)).save(folder / f"{{name}}.{{number}}.jpg")
models.vgg16(include_top=False, input_shape=(150, 150, 3), seed=0).save_weights({NOTOP!r})
mtc.Sequential([layers.Dense(2, activation="softmax")], (3,), seed=0).save("saved_by_keras.keras")
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--python", help="the interpreter for both environments")
    parser.add_argument("--keep", type=Path, help="where train.txt, what the main command printed, is put")
    arguments = parser.parse_args()
    at_hand = [arguments.python] if arguments.python else interpreters()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        wheel, source = build(here)
        project = unpack(source, here / "project")
        readme = (project / "README.md").read_text(encoding="utf-8")
        printed = use_wheel(Environment(here / "wheel", at_hand[0], wheel), readme, project / "examples")
        if arguments.keep:
            arguments.keep.mkdir(parents=True, exist_ok=True)
            (arguments.keep / "train.txt").write_text(printed)
        newest = Environment(here / "source", at_hand[-1], source)
        newest.run("the ten lines, from the source distribution", "python", "-c", block(readme, "model.fit("))


def build(folder):
    """(wheel, source distribution), built from a copy of what is in the repository, so that nothing else gets in."""
    copy, tools, out = folder / "copy", folder / "tools", folder / "dist"
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    for name in subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    subprocess.run([sys.executable, "-m", "venv", tools], check=True)
    pip(tools, "install", "build", "setuptools>=77")
    command = [tools / "bin" / "python", "-m", "build", "--no-isolation", "--sdist", "--outdir", out, copy]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    pip(tools, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", out, copy)
    (wheel,), (source,) = out.glob("*.whl"), out.glob("*.tar.gz")
    sizes = " and ".join(f"{path.name} ({path.stat().st_size >> 10} KiB)" for path in (wheel, source))
    print(f"built {sizes}", flush=True)
    return wheel, source


def unpack(source, folder):
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    (project,) = folder.iterdir()
    return project


def pip(environment, *arguments):
    command = [environment / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, cwd=environment)


class Environment:
    """A fresh environment with nothing but the package and what it depends on, and an empty folder to work in."""

    def __init__(self, folder, python, package):
        self.bin, self.work = folder / "bin", folder.with_name(folder.name + "-work")
        self.work.mkdir()
        subprocess.run([python, "-m", "venv", folder], check=True)
        pip(folder, "install", package)
        where = "import sys, minitorch_cnn; print(sys.version.split()[0], minitorch_cnn.__file__)"
        version, path = self.run("where it is", "python", "-c", where, quiet=True).split()
        assert Path(path).is_relative_to(folder), f"expected the package inside {folder}, got {path}"
        print(f"{package.name} installed for Python {version}", flush=True)

    def run(self, title, program, *arguments, quiet=False):
        """What a program of the environment prints; AssertionError, with all that it said, if it fails."""
        began, hidden = time.monotonic(), ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        done = subprocess.run(
            [self.bin / program, *map(str, arguments)],
            cwd=self.work,
            env={name: value for name, value in os.environ.items() if name not in hidden},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{title}: exit code {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        if not quiet:
            print(f"  {title}: {time.monotonic() - began:.0f} s", flush=True)
        return done.stdout


def block(readme, line):
    """The README's Python block that contains `line`."""
    (found,) = (text for text in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if line in text)
    return found


def use_wheel(there, readme, examples):
    """Everything that the README and examples/ show; what the main command printed."""
    printed = there.run("minitorch-cnn train", "minitorch-cnn", "train", "--out", "digits")
    accuracy = float(re.search(r"test accuracy ([\d.]+)", printed).group(1))
    assert accuracy >= 0.98, f"expected at least 0.98 on the digits, got {accuracy}"
    assert (there.work / "digits" / "report.html").stat().st_size
    there.run("data of noise", "python", "-c", MAKE_DATA)
    there.run("the ten lines", "python", "-c", block(readme, "model.fit("))
    there.run("VGG16, cut", "python", "-c", block(readme, 'base.cut(after="block5_pool")'))
    branches = re.sub(r"model\.export_onnx.*\n", "", block(readme, "mtc.load_model("))  # onnx is an extra
    there.run("branches", "python", "-c", "import minitorch_cnn as mtc; from minitorch_cnn import layers\n" + branches)
    photo = next(there.work.glob("photos/train/cats/*"))
    for command in (
        ["predict", "digits", photo],
        ["weights", "inspect", NOTOP],
        ["summary", "cifar10"],
        ["summary", "saved_by_keras.keras"],
        ["exercise", "start"],
    ):
        there.run(f"minitorch-cnn {' '.join(map(str, command[:2]))}", "minitorch-cnn", *command)
    quick = {
        "01": [],
        "02": ["--epochs", 1],
        "03": ["cifar-10-batches-bin", "--epochs", 1],
        "04": ["--images", 1, "--epochs", 1],
        "05": ["photos", "--epochs", 1, "--images", 10],
        "06": [NOTOP, "photos", "--size", 32, "--images", 6, "--top-epochs", 1, "--all-epochs", 1],
        "07": ["--epochs", 1],
    }
    scripts = sorted(examples.glob("*.py"))
    assert [script.name[:2] for script in scripts] == list(quick), f"expected {list(quick)}, got {scripts}"
    for script in scripts:
        there.run(f"examples/{script.name}", "python", script, *quick[script.name[:2]])
    return printed


if __name__ == "__main__":
    main()
