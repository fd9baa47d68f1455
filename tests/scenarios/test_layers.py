"""What people do to layers: their own ones, asking for shapes, changing the list, renaming, replacing arrays."""

import numpy as np
import pytest
from scenario_models import LABELS, SHAPE, Declared, Noise, Scale, ScaleByHand, Undeclared, X, small_net

import minitorch_cnn as mtc
from minitorch_cnn import callbacks, layers, losses, optimizers
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.training.features import fixed_depth

LOSS = losses.CrossEntropy()
OWN = [Scale, ScaleByHand]


@pytest.mark.parametrize("kind", OWN)
def test_a_layer_of_ones_own_alone(kind):
    layer, x = kind(), np.random.default_rng(0).standard_normal((3, 4))
    y = layer.forward(x)
    layer.parameters["scale"] = [1, 2, 3, 4]
    np.testing.assert_array_equal(layer.forward(x), y * [1, 2, 3, 4])
    np.testing.assert_array_equal(layer.backward(np.ones((3, 4))), np.tile([1.0, 2, 3, 4], (3, 1)))
    np.testing.assert_allclose(layer.gradients["scale"], x.sum(axis=0))
    report = mtc.gradient_check(kind(), x)
    assert report.passed, report


def test_both_ways_of_writing_a_layer_train_alike():
    weights = []
    for kind in OWN:
        model = small_net(extra=[kind(name="scale")])
        model.fit(X, LABELS, optimizer=optimizers.SGD(0.1, momentum=0.9), epochs=2, batch_size=5, progress=False)
        assert mtc.gradient_check(model, X[:2], LABELS[:2], most=5).passed
        weights.append(model.vector.values.copy())
    np.testing.assert_array_equal(*weights)
    assert not np.array_equal(model.get_layer("scale").parameters["scale"], np.ones(16 * 8 * 7))


def test_cut_extend_and_freeze_take_it():
    model = small_net(extra=[Scale(name="mine"), ScaleByHand(name="other")])
    model.layers[6].parameters["scale"] = np.full(16 * 8 * 7, 2.0)
    model = model.cut(after="other").extend([layers.Dense(3, activation="softmax")])
    assert model.get_layer("mine").parameters["scale"][0] == 2
    model.freeze(layers=["mine"])
    before = model.get_layer("other").parameters["scale"].copy()
    model.train_step(X, LABELS % 3, LOSS, optimizers.SGD(0.1, weight_decay=0.1))
    assert (model.get_layer("mine").parameters["scale"] == 2).all()
    assert not np.array_equal(model.get_layer("other").parameters["scale"], before)


@pytest.mark.parametrize("kind", OWN)
def test_weights_and_checkpoints_hold_it(kind, tmp_path):
    model, other = (small_net(seed, extra=[kind(name="mine")]) for seed in (0, 1))
    model.train_step(X, LABELS, LOSS, optimizers.SGD(0.1))
    model.save_weights(tmp_path / "mine.weights.h5")
    other.load_weights(tmp_path / "mine.weights.h5")
    np.testing.assert_array_equal(other.predict(X), model.predict(X))

    path, settings = tmp_path / "checkpoint.npz", {"batch_size": 5, "progress": False, "epochs": 2}
    whole, halted = (small_net(extra=[kind(name="mine"), Noise()]) for _ in range(2))
    whole.fit(X, LABELS, optimizer=optimizers.SGD(0.1), **settings)
    halted.fit(X, LABELS, optimizer=optimizers.SGD(0.1), **{**settings, "epochs": 1}, callbacks=[
        callbacks.Checkpoint(path)
    ])  # fmt: skip
    resumed = small_net(seed=0, extra=[kind(name="mine"), Noise()])
    resumed.fit(X, LABELS, optimizer=optimizers.SGD(0.1), **settings, resume=path)
    np.testing.assert_array_equal(resumed.vector.values, whole.vector.values)


@pytest.mark.parametrize(
    ("kind", "depth"), [(Declared, 4), (Undeclared, 2), (Noise, 2), (lambda: layers.Dropout(0.5), 2)]
)
def test_what_may_be_random_is_not_cached(kind, depth):
    stack = [layers.Conv2D(4, 3), layers.ReLU(), kind(), layers.Flatten(), layers.Dense(5, activation="softmax")]
    model = mtc.Sequential(stack, SHAPE, seed=0)
    model.freeze(through="conv2d_1")
    assert fixed_depth(model) == depth


def test_asking_for_shapes_changes_nothing():
    for layer in (layers.Conv2D(4, 3, padding="same", strides=2), layers.MaxPool2D(3, 2, padding="same"),
                  layers.AveragePool2D(3, 2, padding="same"), layers.ZeroPad2D(2)):  # fmt: skip
        y, pixels = layer.forward(X), getattr(layer, "pixels", None)
        assert layer.output_shape_for((7, 40, 3))[:2] != layer.output_shape[:2]
        assert getattr(layer, "pixels", None) == pixels
        np.testing.assert_array_equal(layer.forward(X), y)


LIST_CHANGES = {
    "append": lambda model: model.layers.append(layers.Dense(3)),
    "insert": lambda model: model.layers.insert(0, layers.ReLU()),
    "pop": lambda model: model.layers.pop(),
    "remove": lambda model: model.layers.remove(model.layers[-1]),
    "assign an item": lambda model: model.layers.__setitem__(0, layers.ReLU()),
    "delete an item": lambda model: model.layers.__delitem__(-1),
    "+=": lambda model: model.layers.__iadd__([layers.ReLU()]),
    "clear": lambda model: model.layers.clear(),
}


@pytest.mark.parametrize("change", LIST_CHANGES)
def test_the_list_of_layers_cannot_be_changed_and_says_what_can(change):
    model = small_net()
    names = [layer.name for layer in model.layers]
    with pytest.raises(ArgumentError, match=r"extend.*cut"):
        LIST_CHANGES[change](model)
    assert [layer.name for layer in model.layers] == names
    with pytest.raises(AttributeError):
        model.layers = []


def test_a_layer_is_renamed_before_it_belongs_to_a_model_and_not_after():
    layer = layers.Dense(5, activation="softmax")
    layer.name = "top"
    model = mtc.Sequential([layers.Flatten(), layer], SHAPE, seed=0)
    assert model.get_layer("top") is layer
    with pytest.raises(ArgumentError, match=r"top: cannot be renamed to 'head'"):
        layer.name = "head"
    optimizer = optimizers.SGD(0.1, momentum=0.9)
    before = layer.parameters["kernel"].copy()
    model.train_step(X, LABELS, LOSS, optimizer)
    assert layer.name == "top" and not np.array_equal(layer.parameters["kernel"], before)


def test_replacing_arrays_writes_into_the_ones_that_are_trained():
    model = small_net()
    layer = model.get_layer("dense_1")
    layer.parameters.update(bias=np.arange(5), kernel=np.ones(layer.parameters["kernel"].shape))
    layer.parameters["bias"] += 1
    assert layer.parameters["bias"].tolist() == [1, 2, 3, 4, 5] and np.shares_memory(
        layer.parameters["bias"], model.vector.values
    )
    before = layer.parameters["bias"].copy()
    model.train_step(X, LABELS, LOSS, optimizers.SGD(0.1))
    assert not np.array_equal(layer.parameters["bias"], before)
    for wrong, message in [
        (lambda: layer.parameters.pop("bias"), "dense_1: bias cannot be taken away"),
        (lambda: layer.parameters.clear(), "cannot be taken away"),
        (lambda: layer.parameters.update(slope=np.ones(5)), "no parameter is called 'slope'; there are kernel, bias"),
        (lambda: layer.parameters.update(bias=np.ones(4)), r"bias has shape \(5,\), got \(4,\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            wrong()
    assert set(layer.parameters) == {"kernel", "bias"}


def test_a_layer_that_the_summary_calls_trained_is_trained(capsys):
    model = small_net(extra=[Scale(), ScaleByHand()])
    model.freeze(layers=["conv2d_2", "scale_1"])
    model.summary()
    table = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    before = {layer.name: {n: a.copy() for n, a in layer.parameters.items()} for layer in model.layers}
    model.train_step(X, LABELS, LOSS, optimizers.SGD(0.1))
    for layer in model.layers:
        moved = any(not np.array_equal(before[layer.name][n], a) for n, a in layer.parameters.items())
        assert moved == (" trained" in table[layer.name]), table[layer.name]


def test_a_method_changed_by_hand_is_the_one_that_trains(monkeypatch):
    weights = {}
    for change in (None, "class", "one layer"):
        model = small_net()
        if change == "class":
            monkeypatch.setattr(
                layers.Conv2D,
                "backward",
                lambda self, dy, need_dx=True: np.zeros((len(dy), *self.input_shape), dy.dtype),
            )
        if change == "one layer":
            monkeypatch.setattr(model.layers[3], "forward", lambda x, training=False, right=model.layers[3].forward: (
                0 * right(x, training)
            ))  # fmt: skip
        model.train_step(X, LABELS, LOSS, optimizers.SGD(0.1))
        weights[change] = {name: array.copy() for name, array in model.state().items() if name[1] != "draws"}
        monkeypatch.undo()
    bias, kernel = ("conv2d_1", "bias"), ("dense_1", "kernel")
    fresh = small_net()
    np.testing.assert_array_equal(weights["class"][bias], fresh.get_layer("conv2d_1").parameters["bias"])
    np.testing.assert_array_equal(weights["one layer"][kernel], fresh.get_layer("dense_1").parameters["kernel"])
    assert not np.array_equal(weights[None][bias], weights["class"][bias])
