"""Compiled code on disk is that of the sources as they are: also where only a function in another file was edited."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import minitorch_cnn

PROGRAM = """
import json, numpy as np
from minitorch_cnn.engine.convolution import row_windows
x, kernel = np.full((1, 5, 4, 16), -1, np.float32), np.full((3, 3, 16, 16), 1, np.float32)
twin = row_windows.forward.twin_for(x)
print(json.dumps(float(twin(x, kernel, (1, 1), ((0, 0), (0, 0)), None, relu=True).max())))
"""


def largest(folder):
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.campaign
def test_an_edit_in_one_file_of_the_twins_reaches_the_functions_of_others(tmp_path):
    source = Path(minitorch_cnn.__file__).parent
    shutil.copytree(source, tmp_path / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    assert largest(tmp_path) == 0.0  # all sums are negative, so ReLU gives zeros
    simd = tmp_path / source.name / "twins/numba/simd.py"
    text = simd.read_text()
    words = 'fcmp_ordered("<", value, floor), %s, value)'
    edited = text.replace(words % "floor", words % "value")
    assert edited != text
    simd.write_text(edited)
    assert largest(tmp_path) == -144.0  # row_windows.py is as it was
