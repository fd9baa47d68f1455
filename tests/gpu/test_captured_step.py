"""A training step as one CUDA graph: the bits of the step run one operation after the other, and what it cannot hold.

The stand-in's graph is a list of operations that are put down without being run: a learning rate or a dropout mask that
was frozen at the capture, a result that the host looked at, or memory that was given to somebody else would show.
"""

import numpy as np
import pytest
from engine_helpers import normal, one_line
from gpu_helpers import there
from minitorch_cnn.preprocessing import Standardize
from standin_arrays import device

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses, models, optimizers, schedules
from minitorch_cnn.arrays import on_host
from minitorch_cnn.errors import ArgumentError, LabelError
from minitorch_cnn.training.captured_step import WARM_UP, CapturedStep
from minitorch_cnn.training.diagnosis import NotFinite
from minitorch_cnn.twins.cuda import cublas


def net(seed=0):
    stack = [
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layers.MaxPool2D(2),
        layers.Dropout(0.25),
        layers.Conv2D(8, (3, 2)),
        layers.BatchNorm(),
        layers.ReLU(),
        layers.AveragePool2D(2),
        layers.Flatten(),
        layers.Dense(7, "tanh"),
        layers.Dropout(0.5),
        layers.Dense(3, "softmax"),
    ]
    pre = Standardize([120.0, 100.0], [60.0, 50.0])
    return mtc.Sequential(stack, (12, 10, 2), seed=seed, preprocessing=pre).to("cupy")


def batches(count=7, size=5, last=3, dtype="uint8"):
    rng = np.random.default_rng(1)
    for number in range(count):
        N = last if number == count - 1 else size
        yield rng.integers(0, 256, (N, 12, 10, 2)).astype(dtype), rng.integers(0, 3, N)


OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(schedules.Cosine(0.1, 7), 0.9, True, weight_decay=0.01),
    "sgd, two rates": lambda: optimizers.SGD(schedules.OneCycle(0.1, 7), multipliers={"dense": 0.3}),
    "rmsprop": lambda: optimizers.RMSprop(schedules.Step(0.01, 2)),
    "adam": lambda: optimizers.Adam(schedules.OneCycle(0.01, 7), weight_decay=0.1),
    "muon": lambda: optimizers.Muon(schedules.OneCycle(0.01, 7), weight_decay=0.1),
}


def everything(model, optimizer):
    return {key: np.asarray(on_host(value)) for key, value in {**model.state(), **optimizer.state()}.items()}


def assert_equal(one, other, when=""):
    for key, value in one.items():
        np.testing.assert_array_equal(other[key], value, err_msg=f"{when} {key}")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_same_bits_as_one_operation_after_the_other(xp, optimizer):
    eager, captured = net(), net()
    one, other = OPTIMIZERS[optimizer](), OPTIMIZERS[optimizer]()
    step = CapturedStep(captured, losses.CrossEntropy(), other)
    for number, (x, labels) in enumerate(batches()):
        wanted = eager.train_step(x, labels, losses.CrossEntropy(), one)
        right = (on_host(eager.prediction).argmax(axis=1) == labels).sum()
        loss, correct = step(x, labels)
        assert there(loss) and there(correct)
        assert (float(loss), int(correct)) == (wanted, right), number
        assert_equal(everything(eager, one), everything(captured, other), number)
    assert step.reason is None and step.graph is not None and one.steps == other.steps == 7
    assert [type(layer.draws) for layer in captured.layers if layer.random] == [int, int]


def test_a_launch_of_the_graph_waits_for_nothing(standin):
    step = CapturedStep(net(), losses.CrossEntropy(), optimizers.SGD(0.1))
    waits = []
    for x, labels in batches(last=5):
        before = device.waits
        step(x, labels)
        waits.append(device.waits - before)
    assert all(waits[: WARM_UP + 1]) and waits[WARM_UP + 1 :] == [0] * (7 - WARM_UP - 1)


def test_batches_that_lie_on_the_device_already(xp):
    results = []
    for send in (lambda x: x, xp.asarray):
        step = CapturedStep(net(), losses.CrossEntropy(), optimizers.SGD(0.1))
        results.append([float(step(send(x), labels)[0]) for x, labels in batches()])
    assert results[0] == results[1]


def test_steps_in_between_without_it_and_a_model_thawed_on_the_way(xp):
    eager, captured = net(), net()
    one, other = optimizers.SGD(0.1, 0.9), optimizers.SGD(0.1, 0.9)
    step = CapturedStep(captured, losses.CrossEntropy(), other)
    for model in (eager, captured):
        model.freeze(through="conv2d_1")
    for number, (x, labels) in enumerate(batches(11)):
        if number == 5:
            eager.unfreeze()
            captured.unfreeze()
        eager.train_step(x, labels, losses.CrossEntropy(), one)
        if number == 4:
            captured.train_step(x, labels, losses.CrossEntropy(), other)
        else:
            step(x, labels)
        assert_equal(everything(eager, one), everything(captured, other), number)


OTHERS = [
    (losses.BinaryCrossEntropy(), "sigmoid", [[0.0], [1.0], [1.0]]),
    (losses.MeanSquaredError(), "tanh", [0.1, 2.0, 0.3]),
]


@pytest.mark.parametrize("loss, last, labels", OTHERS)
def test_other_losses(xp, loss, last, labels):
    def small():
        return mtc.Sequential([layers.Dense(5, "relu"), layers.Dense(1, last)], (4,), seed=0).to("cupy")

    eager, model, one, other = small(), small(), optimizers.Adam(0.01), optimizers.Adam(0.01)
    step = CapturedStep(model, loss, other)
    for number in range(5):
        x = normal((3, 4), number, "float32")
        assert float(step(x, labels)[0]) == eager.train_step(x, labels, loss, one)
    assert step.reason is None and step.graph is not None


class OwnLoss(losses.Loss):
    def value_and_gradient(self, prediction, labels):
        return float((prediction * prediction).sum()), 2 * prediction


class Doubled(losses.CrossEntropy):
    def from_scores(self, scores, labels):
        loss, gradient = super().from_scores(scores, labels)
        return 2 * loss, 2 * gradient


REASONS = [
    (lambda: optimizers.SGD(0.1, clip_norm=1.0), losses.CrossEntropy(), "im2col", "clip_norm"),
    (lambda: optimizers.SGD(0.01), OwnLoss(), "im2col", "OwnLoss"),
    (lambda: optimizers.SGD(0.01), Doubled(), "im2col", "Doubled"),
    (lambda: optimizers.SGD(0.1), losses.CrossEntropy(), "winograd", "cannot be captured"),
]


@pytest.mark.parametrize("optimizer, loss, algorithm, reason", REASONS)
def test_what_cannot_be_captured_runs_all_the_same_and_says_why(xp, optimizer, loss, algorithm, reason):
    def small():
        stack = [layers.Conv2D(3, 3, algorithm=algorithm), layers.Dropout(0.2), layers.Flatten(),
                 layers.Dense(3, "softmax")]  # fmt: skip
        return mtc.Sequential(stack, (6, 5, 2), seed=0).to("cupy")

    eager, model, one, other = small(), small(), optimizer(), optimizer()
    step = CapturedStep(model, loss, other)
    for number in range(WARM_UP + 3):
        x = normal((4, 6, 5, 2), number, "float32")
        assert float(step(x, [0, 1, 2, 1])[0]) == eager.train_step(x, [0, 1, 2, 1], loss, one)
    assert reason in step.reason and "\n" not in step.reason and step.graph is None and step.pool is None
    assert_equal(everything(eager, one), everything(model, other))


class Counted(layers.Layer):
    """y = x times the number of forward passes so far, which a graph would repeat; it does not say so."""

    def forward_pass(self, x, training=False):
        self.draws += 1
        return x * self.draws, (self.draws,)

    def backward_pass(self, dy, kept, need_dx=True):
        return dy * kept[0], {}


def test_a_layer_that_does_not_say_whether_it_is_random_is_not_captured(xp):
    results = []
    for captured in (False, True):
        model = mtc.Sequential([layers.Dense(3), Counted(), layers.Softmax()], (2,), seed=0).to("cupy")
        optimizer, loss = optimizers.SGD(0.01), losses.CrossEntropy()
        step = CapturedStep(model, loss, optimizer)
        for number in range(WARM_UP + 3):
            x, labels = normal((4, 2), number, "float32"), [0, 1, 2, 1]
            results.append(float(step(x, labels)[0] if captured else model.train_step(x, labels, loss, optimizer)))
    assert results[: WARM_UP + 3] == results[WARM_UP + 3 :]
    assert "counted_1" in step.reason and "random" in step.reason


@pytest.mark.parametrize("make, size", [(models.cifar10, (32, 32, 3)), (models.cats_vs_dogs, (38, 40, 3))])
def test_the_small_networks_of_the_slides_are_graphs_of_a_hundred_operations(standin, make, size):
    options = {} if make is models.cifar10 else {"input_shape": size}
    model = make(dropout=True, seed=0, **options).to("cupy")
    step = CapturedStep(model, model.default_loss(), optimizers.SGD(0.01, 0.9, True))
    for number in range(WARM_UP + 2):
        loss, _ = step(normal((2, *size), number, "float32"), [0, 1])
        assert np.isfinite(float(loss))
    assert step.reason is None and 80 < len(step.graph.operations) < 130


def test_what_the_graph_took_is_free_when_the_step_is_gone(standin):
    """Memory and cuBLAS's handle of its stream; at once if the capture fails, whose error held on to both."""
    for algorithm, failed in (("im2col", False), ("winograd", True)):
        stack = [layers.Conv2D(3, 3, algorithm=algorithm), layers.Flatten(), layers.Dense(3, "softmax")]
        model = mtc.Sequential(stack, (6, 5, 2), seed=0).to("cupy")
        step = CapturedStep(model, losses.CrossEntropy(), optimizers.SGD(0.01))
        pool, stream = step.pool, step.recorder.stream.ptr
        released = cublas.library(standin).released
        for number in range(WARM_UP + 1):
            assert pool.total_bytes() > 0 or number == 0
            step(normal((4, 6, 5, 2), number, "float32"), [0, 1, 2, 1])
        assert (stream in released) == failed and (pool.total_bytes() == 0) == failed
        del step
        assert stream in released and pool.total_bytes() == 0


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("where", ["graph", "last batch"])
def test_a_loss_that_is_not_finite_changes_no_weight(xp, optimizer, where):
    model, chosen = net(), OPTIMIZERS[optimizer]()
    step = CapturedStep(model, losses.CrossEntropy(), chosen)
    for x, labels in batches(WARM_UP + 2, last=5, dtype="float32"):
        step(x, labels)
    weights = [(segment.parameters, on_host(segment.parameters.copy())) for segment in model.segments()]
    x, labels = next(batches(2, dtype="float32"))
    x[1] = np.inf
    if where == "graph":
        assert np.isnan(float(step(x, labels)[0]))
    else:
        with pytest.raises(NotFinite):
            step(x[:3], labels[:3])
    for now, before in weights:
        np.testing.assert_array_equal(on_host(now), before)


def test_a_gradient_that_is_not_finite_changes_no_weight_either(xp):
    """The loss is finite: here dL/dw = x^2 overflows, and only it does."""
    model = mtc.Sequential([layers.Dense(1, use_bias=False), layers.Dense(1, use_bias=False)], (2,), seed=0).to("cupy")
    step = CapturedStep(model, losses.MeanSquaredError(), optimizers.SGD(1e-3, momentum=0.9))
    for _ in range(WARM_UP + 2):
        step(np.ones((1, 2), "float32"), [0.0])
    for layer in model.layers:
        layer.parameters["kernel"] = np.full(layer.parameters["kernel"].shape, 1e-18, "float32")
    x = np.full((1, 2), 1e37, "float32")
    loss = float(mtc.losses.MeanSquaredError().value_and_gradient(model.predict(x), [1e19])[0])
    assert np.isfinite(loss)
    loss, _ = step(x, [1e19])
    assert np.isnan(float(loss))
    for layer in model.layers:
        assert (on_host(layer.parameters["kernel"]) == np.float32(1e-18)).all()


def test_labels_are_checked_before_anything_runs(xp):
    step = CapturedStep(net(), losses.CrossEntropy(), optimizers.SGD(0.1))
    for x, labels in batches(5):
        step(x, labels)
    with pytest.raises(LabelError) as error:
        step(x, [0, 1, 7])
    assert one_line(error, "0 to 2", "7")


def test_a_model_on_the_host_has_no_graph():
    with pytest.raises(ArgumentError) as error:
        CapturedStep(mtc.Sequential([layers.Dense(2)], (3,)), losses.MeanSquaredError(), optimizers.SGD())
    assert one_line(error, 'model.to("cupy")')
