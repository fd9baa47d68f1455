"""A small `model.npz` that describes something huge: refused in a line before anything is computed or allocated."""

import numpy as np
import pytest
from model_limits import KINDS, LARGEST, accepted, largest, measured, network, smallest
from PIL import Image
from watching import Memory, time_limit

from minitorch_cnn import Sequential, checkpoint, layers
from minitorch_cnn.cli import main
from minitorch_cnn.engine.convolution import ALGORITHMS
from minitorch_cnn.engine.passes import graph
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.network import cost
from minitorch_cnn.runs import RunFolder

CONV = {"class": "Conv2D", "filters": 2, "kernel_size": 1, "use_bias": False}
KERNEL = {("c", "kernel"): np.ones((1, 1, 3, 2), np.float32)}


def run_folder(folder, stack, shape, arrays=()):
    """A run folder whose model has this description, as a stranger may write it."""
    named = [{"name": f"layer_{number}", **layer} for number, layer in enumerate(stack)]
    model = {"input_shape": list(shape), "seed": 0, "dtype": "float32", "preprocessing": None, "layers": named}
    checkpoint.save(folder / "model.npz", dict(arrays), {"model": model, "class_names": ["a", "b"]})
    return folder


HUGE = {  # name: (layers, input shape, arrays, what the line names)
    "a stride whose product wraps": (
        [{**CONV, "name": "c", "strides": [1, 6148914691236515904], "padding": [1, 1], "algorithm": "im2col"}],
        (3, 3, 3), KERNEL, "strides: expected an integer from 1 to 32768",
    ),
    "padding of 10,000": (
        [{**CONV, "name": "c", "padding": 10_000, "strides": 20_000}], (3, 3, 3), KERNEL, "c: it would take",
    ),
    "a stride of 200 million": ([{**CONV, "name": "c", "strides": 2 * 10**8}], (3, 3, 3), KERNEL, "strides: expected"),
    "three activations on 4728x4728": (
        [{"class": "Sigmoid"}, {"class": "Tanh"}, {"class": "Softmax"}, {"class": "GlobalAveragePool2D"}],
        (4728, 4728, 2), {}, "layer_0: it would take",
    ),
    "an average over 4000x4000": (
        [{"class": "AveragePool2D", "pool_size": 4000}, {"class": "Flatten"}], (4700, 4700, 2), {},
        "seconds for one image, expected at most 10",
    ),
    "the largest of 4000x4000": (
        [{"class": "MaxPool2D", "pool_size": 4000}, {"class": "Flatten"}], (4000, 4000, 2), {}, "seconds for one image",
    ),
    "a kernel of 1000x1000": (
        [{**CONV, "name": "c", "filters": 1, "kernel_size": 1000}], (2000, 2000, 1),
        {("c", "kernel"): np.zeros((1000, 1000, 1, 1), np.float32)}, "c: it would take",
    ),
    "loops over 8000x8000": (
        [{**CONV, "name": "c", "algorithm": "naive"}, {"class": "GlobalAveragePool2D"}], (8000, 8000, 3), KERNEL,
        "c: it would take",
    ),
    "loops over 2000x2000": (
        [{**CONV, "name": "c", "algorithm": "naive"}, {"class": "GlobalAveragePool2D"}], (2000, 2000, 3), KERNEL,
        "seconds for one image",
    ),
    "2,001 layers": ([{"class": "Flatten"}] * 2001, (2,), {}, "expected at most 2,000 layers"),
    "a thousand large layers": (
        [{"class": "Tanh"}] * 1000 + [{"class": "GlobalAveragePool2D"}], (400, 500, 2), {}, "seconds for one image",
    ),
    "a wide image of one row": ([{"class": "ZeroPad2D", "padding": 30_000}], (1, 2**20, 1), {}, "it would take"),
}  # fmt: skip


@pytest.mark.parametrize("command", ["predict", "summary", "explain", "check-gradients"])
@pytest.mark.parametrize("name", HUGE)
def test_every_command_refuses_it_at_once(tmp_path, capsys, name, command):
    stack, shape, arrays, words = HUGE[name]
    run = run_folder(tmp_path, stack, shape, arrays)
    Image.fromarray(np.zeros((9, 8, 3), np.uint8)).save(tmp_path / "a.png")
    memory = Memory()
    with memory.measured(), time_limit():
        assert main([command, str(run), *([str(tmp_path / "a.png")] if command == "predict" else [])]) == 2
    assert memory.mib < 100
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1


def test_every_kind_of_layer_and_algorithm_is_measured():
    """`model_limits.py` has a row for each; a new layer needs one, and a rule in `network/cost.py`."""
    networks = [network(kind, smallest(kind)) for kind in KINDS]
    found = [node.layer for x, y in networks for node in graph([x], [y])[0]]
    assert {type(layer).__name__ for layer in found} == set(layers.__all__) - {"Layer"}
    assert {layer.algorithm for layer in found if isinstance(layer, layers.Conv2D)} == {"auto", *ALGORITHMS}


@pytest.mark.campaign
@pytest.mark.parametrize("definitions", [False, True], ids=["compiled", "definitions"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_largest_that_is_accepted_stays_within_the_promise(kind, definitions):
    n = largest(kind)
    assert accepted(kind, n) and (n > 0.98 * LARGEST or not accepted(kind, n + max(2, n // 50)))
    measured(kind, smallest(kind), definitions)
    with time_limit():  # ends what takes several times as long as SECURITY.md promises
        mib, _ = measured(kind, n, definitions)
    assert mib <= 800


@pytest.mark.parametrize("stack, shape, n", [
    ([layers.Conv2D(7, 3, activation="sigmoid"), layers.MaxPool2D(3, 2)], (90, 80, 3), 40),
    ([layers.Conv2D(33, 5, 2, "same", "relu", algorithm="im2col"), layers.BatchNorm()], (75, 66, 5), 40),
    ([layers.Conv2D(17, 3, algorithm="winograd"), layers.AveragePool2D(3, 2, "same")], (70, 91, 19), 24),
])  # fmt: skip
def test_a_batch_takes_no_more_than_the_estimate(stack, shape, n):
    """Definitions and twins; so `predict` may take as many images at once as the estimate says."""
    from minitorch_cnn.arrays.dispatch import definitions_everywhere

    model = Sequential([type(layer)(**layer.config()) for layer in stack], shape, seed=0)
    x = np.zeros((n, *shape), np.float32)
    estimate = max(cost.forward_cost(layer).numbers for layer in model.layers) * n * 4 / 2**20
    for definitions in (False, True):
        with definitions_everywhere(definitions):
            model.predict(x[:1])
            memory = Memory()
            with memory.measured():
                model.predict(x)
        assert memory.mib <= estimate + 16
    assert cost.images_at_once(model) == int(cost.MOST_MIB // (estimate // n or 1))


def test_predict_takes_as_many_at_once_as_fit(tmp_path, monkeypatch):
    model = Sequential([layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(2, "softmax")], (11, 9, 3), seed=0)
    RunFolder(tmp_path).save_model(model, ["a", "b"])
    Image.fromarray(np.zeros((9, 8, 3), np.uint8)).save(tmp_path / "a.png")
    sizes = []
    monkeypatch.setattr("minitorch_cnn.runs.predictions.images_at_once", lambda model: 3)
    forward = Sequential._predict_batch
    monkeypatch.setattr(Sequential, "_predict_batch", lambda self, x: sizes.append(len(x)) or forward(self, x))
    assert main(["predict", str(tmp_path), *[str(tmp_path / "a.png")] * 7]) == 0
    assert sizes == [3, 3, 1]


def test_a_step_that_takes_too_much_is_refused_for_its_run(tmp_path, capsys):
    model = Sequential(
        [*(layers.Dropout(0.1) for _ in range(150)), layers.GlobalAveragePool2D(), layers.Dense(2, "softmax")],
        (600, 700, 3), seed=0,
    )  # fmt: skip
    RunFolder(tmp_path).save_model(model, ["a", "b"])
    for command, words in (("explain", "would take over 768 MiB"), ("check-gradients", "more than 3072 MiB")):
        assert main([command, str(tmp_path)]) == 2
        assert words in capsys.readouterr().err
    assert main(["summary", str(tmp_path)]) == 0


def test_the_networks_of_the_package_are_far_below_the_limits():
    from minitorch_cnn import models

    for model in (models.vgg16(), models.transfer_net(), models.cats_vs_dogs(), models.cifar10(), models.tiny_vgg()):
        cost.check_cost(model.nodes(), [model.input_shape], model.ends, model.dtype)
        assert cost.images_at_once(model, step=True) >= 1


def test_an_unknown_layer_is_counted_by_its_output():
    class Twice(layers.Layer):
        pass

    layer = Twice()
    layer.build((4, 5, 6))
    assert cost.forward_cost(layer).numbers >= 2 * 4 * 5 * 6


def test_a_model_without_outputs_is_no_model(tmp_path):
    with pytest.raises(CheckpointError, match="expected"):
        RunFolder(run_folder(tmp_path, [{"class": "Flatten"}], (0, 4, 3))).load_model()


def test_the_backward_pass_of_a_wide_kernel_counts(tmp_path, capsys):
    """Predicting with it takes little; but dy is convolved with padding all around, which takes 257 times as much."""
    kernel = np.full((1, 257, 4, 64), 1e-3, np.float32)
    stack = [{**CONV, "name": "c", "filters": 64, "kernel_size": [1, 257], "algorithm": "row_windows"},
             {"class": "GlobalAveragePool2D"},
             {"class": "Dense", "name": "d", "units": 2, "use_bias": False}]  # fmt: skip
    arrays = {("c", "kernel"): kernel, ("d", "kernel"): np.ones((64, 2), np.float32)}
    run = run_folder(tmp_path, stack, (60, 600, 4), arrays)
    assert main(["summary", str(run)]) == 0
    assert main(["explain", str(run)]) == 2
    assert "a training step of its model would take over" in capsys.readouterr().err
