"""What a newcomer found by trying: wrong shapes, replaced functions and methods, edits that cannot run."""

import copy
import functools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scenario_models import LABELS, SHAPE, X, small_net

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses, optimizers
from minitorch_cnn.arrays import dispatch
from minitorch_cnn.engine import activations
from minitorch_cnn.engine.convolution import row_windows, winograd
from minitorch_cnn.engine.layers import max_pool2d
from minitorch_cnn.errors import ArgumentError, ShapeError

LOSS = losses.CrossEntropy()


class WrongShape(layers.Layer):
    """Gives back a gradient of another shape than its input had."""

    def __init__(self, change, name=None, trainable=True):
        super().__init__(name, trainable)
        self.change = change

    def forward_pass(self, x, training=False):
        return x, ()

    def backward_pass(self, dy, kept, need_dx=True):
        return self.change(dy), {}


@pytest.mark.parametrize("pool", [True, False])
@pytest.mark.parametrize(
    "change",
    [lambda dy: np.tile(dy, (50, 1, 1, 1)), lambda dy: dy[:, :2], lambda dy: dy[:1], lambda dy: None],
    ids=["too large", "too small", "one image", "nothing"],
)
def test_a_gradient_of_a_wrong_shape_never_reaches_compiled_code(change, pool):
    stack = [layers.Conv2D(4, 3, activation="relu"), *([layers.MaxPool2D(2)] if pool else []), WrongShape(change)]
    model = mtc.Sequential([*stack, layers.Flatten(), layers.Dense(5, activation="softmax")], SHAPE, seed=0)
    with pytest.raises(ShapeError, match=r"(conv2d_1|max_pool2d_1): expected dy of its output's shape"):
        model.train_step(X, LABELS, LOSS, optimizers.SGD(0.1))


@pytest.mark.parametrize(("before", "after"), [(16, 1), (1, 16), (8, 3)])
def test_backward_for_another_number_of_images_is_refused(before, after):
    model = small_net()
    model.forward(X[:before])
    with pytest.raises(ShapeError, match=rf"dense_1: expected dy of its output's shape \({before}, 5\), got \({after}"):
        model.backward(np.ones((after, 5)))


def steps(model=None, count=3):
    model = model or small_net()
    optimizer = optimizers.SGD(0.05)
    return [model.train_step(X, LABELS, LOSS, optimizer) for _ in range(count)]


@pytest.mark.parametrize("module", [winograd, row_windows])
def test_a_replaced_algorithm_is_called(monkeypatch, module):
    calls, right = [], module.forward
    expected = steps()
    monkeypatch.setattr(module, "forward", lambda *a, **k: (calls.append(1), right(*a, **k))[1])
    np.testing.assert_allclose(steps(), expected, rtol=1e-5)
    assert calls


INSTANCES = {
    "convolution forward_pass": lambda m: (m.layers[0], "forward_pass"),
    "convolution backward_pass": lambda m: (m.layers[0], "backward_pass"),
    "convolution scores": lambda m: (m.layers[0], "scores"),
    "convolution backward_scores": lambda m: (m.layers[0], "backward_scores"),
    "activation forward": lambda m: (m.layers[0].activation, "forward"),
    "activation backward": lambda m: (m.layers[0].activation, "backward"),
    "pool forward_pass": lambda m: (m.layers[1], "forward_pass"),
    "pool backward_pass": lambda m: (m.layers[1], "backward_pass"),
    "last layer's forward_pass": lambda m: (m.layers[-1], "forward_pass"),
    "last layer's backward_pass": lambda m: (m.layers[-1], "backward_pass"),
    "last layer's scores": lambda m: (m.layers[-1], "scores"),
    "last layer's forward": lambda m: (m.layers[-1], "forward"),
    "last layer's backward": lambda m: (m.layers[-1], "backward"),
    "last activation's forward": lambda m: (m.layers[-1].activation, "forward"),
}


@pytest.mark.parametrize("which", INSTANCES)
def test_a_method_replaced_on_one_layer_is_called_in_training(which):
    model, calls = small_net(), []
    expected = steps(small_net())
    thing, name = INSTANCES[which](model)
    right = getattr(thing, name)
    setattr(thing, name, lambda *a, **k: (calls.append(1), right(*a, **k))[1])
    np.testing.assert_allclose(steps(model), expected, rtol=1e-5)
    assert len(calls) >= 3


def test_an_override_of_the_last_layer_trains_as_it_predicts():
    class Triple(layers.Dense):
        def forward_pass(self, x, training=False):
            return super().forward_pass(3 * x, training)

    model = mtc.Sequential([layers.Flatten(), Triple(5, activation="softmax")], SHAPE, seed=0)
    value = model.loss_and_gradients(X, LABELS, LOSS)
    assert value == pytest.approx(model.evaluate(X, LABELS)["loss"], rel=1e-5)


def test_a_softmax_with_a_temperature_changes_the_loss_and_its_gradient(monkeypatch, capsys):
    monkeypatch.setattr(dispatch, "_said", set())
    right = activations.Softmax.forward
    before = small_net().loss_and_gradients(X, LABELS, LOSS)
    monkeypatch.setattr(activations.Softmax, "forward", lambda self, x: right(self, x / 5))
    model = small_net()
    value = model.loss_and_gradients(X, LABELS, LOSS, training=False)
    assert value != pytest.approx(before, rel=1e-3)
    assert value == pytest.approx(model.evaluate(X, LABELS)["loss"], rel=1e-5)
    assert "activations.py: Softmax.forward was changed; your version runs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("holder", "name"), [(max_pool2d, "max_pool"), (activations, "relu_backward"), (winograd, "backward_kernel")]
)
def test_a_wrapper_that_looks_like_the_original_is_called(monkeypatch, holder, name):
    right, calls = getattr(holder, name), []

    @functools.wraps(right)
    def traced(*arguments, **options):
        calls.append(name)
        return right(*arguments, **options)

    model = mtc.Sequential(
        [layers.Conv2D(16, 3, activation="relu", algorithm="winograd"), layers.MaxPool2D(3), layers.ReLU(),
         layers.Flatten(), layers.Dense(5, activation="softmax")], SHAPE, seed=0,
    )  # fmt: skip
    monkeypatch.setattr(holder, name, traced)
    model.train_step(X, LABELS, LOSS, optimizers.SGD(0.1))
    assert calls


def test_switching_trainable_between_the_passes_is_refused():
    model = small_net()
    layer = model.get_layer("dense_1")
    layer.trainable = False
    y = model.forward(X, training=True)
    layer.trainable = True
    with pytest.raises(ArgumentError, match="dense_1: was frozen in the forward pass and is trainable now"):
        model.backward(np.ones_like(y))


def test_no_images_are_refused():
    with pytest.raises(ShapeError, match="conv2d_1: expected at least one image, got none"):
        small_net().forward(X[:0])


class NoInitializer(layers.Layer):
    def parameter_shapes(self):
        return {"w": self.input_shape}

    def forward_pass(self, x, training=False):
        return x * self.parameters["w"], ()


class OnlyDx(layers.Layer):
    def forward_pass(self, x, training=False):
        return x, ()

    def backward_pass(self, dy, kept, need_dx=True):
        return dy


class AssignsGradients(layers.Layer):
    initializers = {"w": lambda rng, shape: np.ones(shape)}

    def parameter_shapes(self):
        return {"w": self.input_shape}

    def forward(self, x, training=False):
        self.cache = x
        return x * self.parameters["w"]

    def backward(self, dy, need_dx=True):
        self.gradients = {"w": (dy * self.cache).sum(axis=0)}
        return dy * self.parameters["w"]


def test_a_layer_written_a_little_wrong_is_named():
    with pytest.raises(ArgumentError, match="no_initializer_1: w has no initial value; add it to `initializers`"):
        small_net(extra=[NoInitializer()]).predict(X)
    with pytest.raises(ArgumentError, match=r"only_dx_1: expected \(dx, gradients\) from backward_pass, got ndarray"):
        steps(small_net(extra=[OnlyDx()]))
    model = small_net(extra=[AssignsGradients()])
    steps(model)
    assert not (model.get_layer("assigns_gradients_1").parameters["w"] == 1).all()


def test_a_copy_of_model_and_optimizer_together_goes_on_alike():
    model, optimizer = small_net(), optimizers.Adam(0.01)
    model.train_step(X, LABELS, LOSS, optimizer)
    twin, its = copy.deepcopy((model, optimizer))
    assert model.train_step(X, LABELS, LOSS, optimizer) == twin.train_step(X, LABELS, LOSS, its)
    np.testing.assert_array_equal(model.vector.values, twin.vector.values)


def child(program, tmp_path, edits=(), **variables):
    """Run a program with a copy of the package in which `edits` (file, old, new) were made."""
    import shutil

    shutil.copytree(Path(mtc.__file__).parent, tmp_path / "minitorch_cnn")
    for file, old, new in edits:
        path = tmp_path / "minitorch_cnn" / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    environment = {**os.environ, **variables, "PYTHONPATH": str(tmp_path)}
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, cwd=tmp_path
    )


CHECK = "import sys; from minitorch_cnn.cli import main; sys.exit(main(['check-gradients', '--brief', '--most', '3']))"


def test_an_edit_that_cannot_run_is_one_line_and_the_others_are_checked(tmp_path):
    edit = ("engine/layers/dense.py", "matmul(x.T, dscores)", "matmul(x, dscores)")
    done = child(CHECK, tmp_path, [edit])
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "stopped by ValueError in engine/layers/dense.py" in done.stdout or "engine/matmul.py" in done.stdout
    assert "47 of 49 agree" in done.stdout


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (("engine/losses.py", "weighted(2 * difference, weights)", "weighted(-2 * difference, weights)"),
         "losses.py: MeanSquaredError.value_and_gradient"),
        (("engine/losses.py", "weighted(probability - y, weights)", "weighted(probability + y, weights)"),
         "losses.py: BinaryCrossEntropy.from_scores"),
        (("engine/convolution/naive.py", "dx[n, rows, columns] += dy", "dx[n, rows, columns] = dy"),
         "convolution/naive.py: backward_input"),
        (("engine/clipping.py", "limit / norm", "norm / limit"), "clipping.py: clip_to_norm"),
        (("engine/layers/batch_norm.py", '(1 - self.momentum) * mean', 'self.momentum * mean'),
         "layers/batch_norm.py: BatchNorm.forward_pass"),
        (("engine/losses.py", "return array * weights.reshape(", "return array * (weights**2).reshape("),
         "losses.py: CrossEntropy.from_scores, weighted"),
        (("engine/losses.py", "(1 - s) * wanted + s / wanted.shape[1]", "(1 - s) * wanted + s"),
         "losses.py: CrossEntropy.from_scores, smoothed"),
        (("engine/optimizers.py", 'state.get("momentum"), rate, self', 'state.get("momentum"), 2 * rate, self'),
         "optimizers.py: SGD.step"),
        (("engine/optimizer.py", "(self if decays else without)", "self"), "optimizers.py: Adam.step"),
        (("engine/passes.py", "add(waiting[number], gradient) if number in waiting else gradient", "gradient"),
         "Model(4 layers"),
        (("engine/passes.py", "add=owner in visited", "add=False"), "Model(4 layers"),
    ],
)  # fmt: skip
@pytest.mark.campaign
def test_what_has_no_twin_is_checked_too(tmp_path, edit, named):
    done = child(CHECK, tmp_path, [edit])
    assert done.returncode == 1 and named in done.stdout, done.stdout[-600:]


def test_a_file_edited_after_the_import_accuses_nobody(tmp_path):
    program = (
        "from pathlib import Path\n"
        "import numpy as np, minitorch_cnn as mtc\n"
        "from minitorch_cnn import layers\n"
        "from minitorch_cnn.engine.convolution import geometry\n"
        "from minitorch_cnn.engine.layers import max_pool2d\n"
        "for module in (geometry, max_pool2d):\n"
        "    file = Path(module.__file__)\n"
        "    text = file.read_text()\n"
        "    file.write_text(text.replace('\\ndef ', '\\n# a comment\\n\\n\\ndef '))\n"
        "layer = layers.MaxPool2D(2)\n"
        "layer.backward(layer.forward(np.ones((1, 4, 4, 2))))\n"
    )
    done = child(program, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


RELOADED = (
    "import importlib, sys\n"
    "from pathlib import Path\n"
    "import numpy as np\n"
    "from minitorch_cnn import layers\n"
    "mm = importlib.import_module('minitorch_cnn.engine.matmul')\n"
    "def dense():\n"
    "    return float(layers.Dense(3, use_bias=False).forward(np.ones((20, 4))).sum())\n"
    "before = dense()\n"
    "file = Path(mm.__file__)\n"
    "file.write_text(file.read_text().replace('return a @ b', 'return 2 * (a @ b)'))\n"
    "importlib.reload(mm)\n"
    "print(round(dense() / before, 12))\n"
)


def test_a_reloaded_definition_is_used_by_those_who_imported_it_before(tmp_path):
    done = child(RELOADED, tmp_path)
    assert done.stdout.strip() == "2.0", done.stderr
    assert done.stderr.startswith("matmul.py: matmul differs")


def test_without_numbas_compiler_definitions_run(tmp_path):
    program = (
        "import numpy as np, minitorch_cnn as mtc\n"
        "print(mtc.layers.Conv2D(3, 3, activation='relu').forward(np.ones((1, 5, 4, 2))).shape)\n"
    )
    done = child(program, tmp_path, NUMBA_DISABLE_JIT="1")
    assert done.stdout.strip() == "(1, 3, 2, 3)"
    assert done.stderr == "NUMBA_DISABLE_JIT is set: the plain definitions run, slower\n"
