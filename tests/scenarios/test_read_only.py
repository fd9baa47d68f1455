"""An installation that nobody can write to, used without a home folder, as in many containers."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import minitorch_cnn as mtc

PROGRAM = """
import os
import numpy as np
from minitorch_cnn import datasets
from minitorch_cnn.arrays import dispatch
images = np.arange(24, dtype=np.uint8).reshape(1, 4, 2, 3)
turned = datasets.Augmentation(flip=True, shift=0.3)(images, np.random.default_rng(1))
from minitorch_cnn.twins.numba.datasets import affine
print(len(affine._move.signatures), os.environ["NUMBA_CACHE_DIR"])
"""


def test_compiled_code_is_kept_in_a_temporary_folder_and_a_line_says_so(tmp_path):
    source = Path(mtc.__file__).parent
    package = tmp_path / "minitorch_cnn"
    shutil.copytree(source, package, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [package, *filter(Path.is_dir, package.rglob("*"))]:
        (folder / "__pycache__").write_text("a file, so not even root can write into such a folder")
    nowhere = {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null/cache", "PYTHONPATH": str(tmp_path)}
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"} | nowhere
    (tmp_path / "tmp").mkdir()
    environment |= {"TMPDIR": str(tmp_path / "tmp"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, cwd=tmp_path, timeout=600
    )
    assert done.returncode == 0, done.stderr
    compiled, kept_in = done.stdout.split()
    assert compiled == "1" and Path(kept_in).parent == tmp_path / "tmp"
    assert done.stderr.count("minitorch_cnn: compiled code cannot be kept") == len(done.stderr.splitlines()) == 1
    assert not any((tmp_path / "tmp").iterdir())
