"""Definitions changed while the process runs, as in a notebook: put in the place of ours, or reloaded from the file."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scenario_models import X

import minitorch_cnn
from minitorch_cnn import layers
from minitorch_cnn.arrays import dispatch
from minitorch_cnn.engine import activations
from minitorch_cnn.engine.convolution import geometry, im2col, row_windows, winograd
from minitorch_cnn.engine.layers import max_pool2d


def my_col2im(columns, input_shape, window, strides, padding):
    """Nothing comes back to the image."""
    return np.zeros(input_shape, columns.dtype)


def dx(algorithm="im2col", **options):
    layer = layers.Conv2D(3, 3, padding="same", algorithm=algorithm, **options)
    return layer.backward(np.ones_like(layer.forward(X[:2])))


@pytest.fixture
def said(capsys, monkeypatch):
    monkeypatch.setattr(dispatch, "_said", set())
    return lambda: [line for line in capsys.readouterr().err.splitlines() if "differs" in line]


def test_a_function_put_in_the_place_of_ours_is_used_and_taken_back(monkeypatch, said):
    right = dx()
    monkeypatch.setattr(im2col, "col2im", my_col2im)
    assert not dx().any()
    assert not dx().any()
    assert said() == [
        "convolution/im2col.py: col2im differs from what its compiled twin was made for; your version runs, slower"
    ]
    monkeypatch.undo()
    np.testing.assert_array_equal(dx(), right)


def test_a_constant_and_a_helper_count_as_well(monkeypatch, said):
    right = {name: dx(name) for name in ("im2col", "row_windows", "winograd")}
    monkeypatch.setattr(winograd, "BT", tuple(tuple(-n for n in row) for row in winograd.BT))
    assert np.allclose(dx("winograd"), right["winograd"], atol=1e-4)  # two signs that cancel: V and then nothing else
    assert [line.partition(" differs")[0] for line in said()] == ["convolution/winograd.py: BT"]
    np.testing.assert_array_equal(dx("im2col"), right["im2col"])
    monkeypatch.undo()
    monkeypatch.setattr(row_windows, "turned", lambda kernel: np.zeros_like(kernel).transpose(0, 1, 3, 2))
    assert not dx("row_windows").any() and not dx("winograd").any()
    monkeypatch.undo()
    monkeypatch.setattr(geometry, "crop", lambda x, padding: x)  # im2col has its own name for it, from its import
    np.testing.assert_array_equal(dx("im2col"), right["im2col"])


def test_a_method_in_the_place_of_ours_is_not_passed_by_in_a_stage(monkeypatch):
    right = dx(activation="relu")
    monkeypatch.setattr(activations.ReLU, "backward", lambda self, dy, y: 0 * dy)
    assert not dx(activation="relu").any()
    monkeypatch.undo()
    monkeypatch.setattr(max_pool2d.MaxPool2D, "backward_pass", lambda self, dy, kept, need_dx=True: (
        np.zeros((len(dy), *self.input_shape), dy.dtype), {}
    ))  # fmt: skip
    model = minitorch_cnn.Sequential([layers.Conv2D(4, 3, activation="relu"), layers.MaxPool2D(2)], X.shape[1:], seed=0)
    assert not model.backward(np.ones_like(model.forward(X)), input_gradient=True).any()
    monkeypatch.undo()
    assert model.backward(np.ones_like(model.forward(X)), input_gradient=True).any()
    np.testing.assert_array_equal(dx(activation="relu"), right)


RELOADED = """
import importlib, sys
from pathlib import Path
import numpy as np
from minitorch_cnn import layers
from minitorch_cnn.engine.convolution import im2col

def dx():
    layer = layers.Conv2D(3, 3, algorithm="im2col")
    return float(abs(layer.backward(np.ones_like(layer.forward(np.ones((2, 6, 7, 2)))))).sum())

before = dx()
file = Path(im2col.__file__)
text = file.read_text()
file.write_text(text.replace("The transpose of", "What the transposed matrix does:"))
importlib.reload(im2col)
same = dx()
file.write_text(text.replace("SW] += columns[:, :, :, p, q]", "SW] += 2 * columns[:, :, :, p, q]"))
importlib.reload(im2col)
print(same / before, dx() / before)
"""


def test_a_file_that_is_edited_and_reloaded(tmp_path):
    package = Path(minitorch_cnn.__file__).parent
    shutil.copytree(package, tmp_path / "minitorch_cnn")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{RELOADED}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.split() == ["1.0", "2.0"], done.stderr
    assert done.stderr.splitlines() == [
        "convolution/im2col.py: col2im differs from what its compiled twin was made for; your version runs, slower"
    ]
