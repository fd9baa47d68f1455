"""Keras's own files into a model, and its numbers out of it: predictions, loss and every gradient."""

import json
from pathlib import Path

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import keras_h5, layers, losses
from minitorch_cnn.errors import ArgumentError, ShapeError, WeightsError

FIXTURES = Path(__file__).resolve().parents[1] / "keras_h5" / "fixtures"
FILES = {
    kind: sorted(path.name for path in (FIXTURES / kind).iterdir() if path.suffix in (".h5", ".keras"))
    for kind in ("seq", "nested")
}
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}


def conv(name, filters, padding="same", activation="relu"):
    return layers.Conv2D(filters, 3, padding=padding, activation=activation, name=name)


def keras_model(kind, dtype="float32", seed=9):
    """The model of the fixtures, flat, with initial weights of its own."""
    stacks = {
        "seq": lambda: [
            conv("conv2d", 4), conv("conv2d_1", 4, "valid"), layers.MaxPool2D(2, name="max_pooling2d"),
            conv("conv2d_2", 6, activation=None), layers.MaxPool2D(2, name="max_pooling2d_1"),
            layers.Flatten(name="flatten"), layers.Dense(8, "relu", name="dense"), layers.Dropout(0.5, name="dropout"),
            layers.Dense(3, "softmax", name="dense_1"),
        ],
        "nested": lambda: [
            conv("block1_conv1", 4), conv("block1_conv2", 4), layers.MaxPool2D(2, name="block1_pool"),
            conv("block2_conv1", 6), conv("block2_conv2", 6), layers.MaxPool2D(2, name="block2_pool"),
            layers.Flatten(name="flatten"), layers.Dense(10, "relu", name="fc1"), layers.Dropout(0.5, name="drop"),
            layers.Dense(1, "sigmoid", name="predictions"),
        ],
    }  # fmt: skip
    return mtc.Sequential(stacks[kind](), (12, 12, 3), seed=seed, dtype=dtype)


def reference(kind, dtype):
    """{name: what Keras computed}: x, y, w.*, out, loss, grad.*, of the precision of `dtype`."""
    arrays = dict(np.load(FIXTURES / kind / "ref.npz"))
    exact = {key.removeprefix("f64."): value for key, value in arrays.items() if key.startswith("f64.")}
    assert {"out", "loss", "grad_input"} <= exact.keys()
    return arrays | exact if dtype == "float64" else arrays


def close(got, wanted, tolerance):
    return np.abs(got - wanted).max() <= tolerance * np.abs(wanted).max()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kind, name", [(kind, name) for kind, names in FILES.items() for name in names])
def test_every_file_gives_kerass_numbers(kind, name, dtype):
    model, wanted, tolerance = keras_model(kind, dtype), reference(kind, dtype), TOLERANCE[dtype]
    loaded = model.load_weights(FIXTURES / kind / name)
    stored = {key: value for key, value in wanted.items() if key.startswith("w.")}
    assert set(stored) == {f"w.{layer.name}.{weight}" for layer in model.layers for weight in layer.parameters}
    for key, value in stored.items():
        _, layer, weight = key.split(".")
        assert np.array_equal(model.get_layer(layer).parameters[weight], value), key
    assert loaded.report.fits and not loaded.skipped and not loaded.report.missing

    loss = losses.CrossEntropy() if kind == "seq" else losses.BinaryCrossEntropy()
    value = model.loss_and_gradients(wanted["x"], wanted["y"], loss, training=False)
    assert value == pytest.approx(float(wanted["loss"]), rel=tolerance)
    assert close(model.prediction, wanted["out"], tolerance)
    gradients = {f"grad.{layer.name}.{key}": g for layer in model.layers for key, g in layer.gradients.items()}
    assert gradients.keys() == {key for key in wanted if key.startswith("grad.")}
    for key, gradient in gradients.items():
        assert gradient.dtype == dtype and close(gradient, wanted[key], tolerance), key

    _, dy = loss.value_and_gradient(model.forward(wanted["x"]), wanted["y"])
    assert close(model.backward(dy), wanted["grad_input"], tolerance)


def test_there_are_files_to_test():
    assert len(FILES["seq"]) > 20 and len(FILES["nested"]) > 10


@pytest.mark.parametrize("ending", [".h5", ".weights.h5"])
@pytest.mark.parametrize("kind", FILES)
def test_save_and_load_keeps_every_bit(kind, ending, tmp_path):
    first, second = keras_model(kind, seed=1), keras_model(kind, seed=2)
    assert first.fingerprints().keys() == second.fingerprints().keys()
    assert not set(first.fingerprints().values()) & set(second.fingerprints().values())
    first.save_weights(tmp_path / f"model{ending}")
    second.load_weights(tmp_path / f"model{ending}")
    for (key, one), other in zip(first.state().items(), second.state().values()):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes(), key
    assert first.fingerprints() == second.fingerprints()


@pytest.mark.parametrize("ending", [".h5", ".weights.h5"])
def test_what_is_saved_is_what_keras_was_seen_to_read(ending, tmp_path):
    """`fixtures/saved` was loaded by Keras and tf_keras; the model's own file holds the same, by the same report."""
    model = keras_model("seq")
    model.load_weights(FIXTURES / "seq" / "k3_model.h5")
    model.save_weights(tmp_path / f"seq{ending}")
    saved, seen = (keras_h5.inspect(path / f"seq{ending}") for path in (tmp_path, FIXTURES / "saved"))
    assert (saved.dialect, saved.layers, saved.notes) == (seen.dialect, seen.layers, seen.notes)
    record = json.loads((FIXTURES / "saved" / "read_by_keras.json").read_text())
    assert record["files"][f"seq{ending}"]["weights_equal_bit_for_bit"]


def test_normalization_and_its_averages_come_back(tmp_path):
    def make(seed):
        stack = [
            conv("first", 4), layers.BatchNorm(name="norm"), layers.Flatten(), layers.Dense(3),
            layers.BatchNorm(scale=False), layers.BatchNorm(center=False),
        ]  # fmt: skip
        return mtc.Sequential(stack, (4, 4, 3), seed=seed)

    first = make(0)
    first.forward(np.random.default_rng(0).standard_normal((5, 4, 4, 3)).astype("float32"), training=True)
    first.get_layer("norm").parameters["gamma"] = [1, 2, 3, 4]
    for name in ("x.h5", "x.weights.h5"):
        second = make(1)
        first.save_weights(tmp_path / name)
        second.load_weights(tmp_path / name)
        assert first.fingerprints() == second.fingerprints()
        assert set(second.get_layer("batch_norm_1").parameters) == {"beta", "moving_mean", "moving_variance"}


def test_what_keras_h5_sees_of_a_model():
    stack = [
        layers.ZeroPad2D(1), conv("conv", 4), layers.BatchNorm(), layers.AveragePool2D(2), layers.ReLU(),
        layers.MaxPool2D(1), layers.Flatten(), layers.Dropout(0.5), layers.Dense(5, name="first"), layers.Sigmoid(),
        layers.Dense(2, trainable=False), layers.Softmax(),
    ]  # fmt: skip
    target = mtc.Sequential(stack, (6, 6, 3)).keras_target()
    assert [layer.kind for layer in target.layers] == [
        "ZeroPadding2D", "Conv2D", "BatchNormalization", "AveragePooling2D", "ReLU", "MaxPooling2D", "Flatten",
        "Dropout", "Dense", "Activation", "Dense", "Softmax",
    ]  # fmt: skip
    flattened = {layer.name: layer.flatten_shape for layer in target.layers if layer.flatten_shape}
    assert flattened == {"first": (4, 4, 4)} and target.input_shape == (6, 6, 3)
    behind = mtc.Sequential([layers.Flatten(), layers.BatchNorm(), layers.Dense(3), layers.BatchNorm()], (2, 2, 3))
    assert [layer.flatten_shape for layer in behind.keras_target().layers] == [None, (2, 2, 3), (2, 2, 3), None]
    assert target.layers[1].weights == {"kernel": (3, 3, 3, 4), "bias": (4,)}
    assert list(target.layers[2].weights) == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert [layer.name for layer in target.layers if not layer.trainable] == ["dense_1"]
    kinds = {"GlobalAveragePooling2D": layers.GlobalAveragePool2D(), "Activation": layers.Tanh()}
    for kind, layer in kinds.items():
        assert mtc.Sequential([layer], (2, 2, 3)).keras_target().layers[0].kind == kind


@pytest.mark.parametrize(
    "name, options",
    [
        ("keras1_tensorflow_th.h5", {}),
        ("keras2_theano_backend.h5", {}),
        ("keras0_nb_layers_theano.h5", {"kernels": "theano"}),  # the file does not say
    ],
)
def test_old_files_are_turned_the_right_way_round(name, options):
    """Theano's kernels and rows in (c, h, w) order; the model tells where the Flatten is."""
    model, wanted = keras_model("seq"), reference("seq", "float32")
    report = model.load_weights(FIXTURES / "keras1" / name, **options).report
    assert close(model.forward(wanted["x"]), wanted["out"], 1e-5)
    assert "rotated" in str(report) or "rows reordered" in str(report)


def test_the_report_and_what_was_loaded():
    model = keras_model("seq")
    loaded = model.load_weights(FIXTURES / "seq" / "k3_model.h5")
    assert "fits the model: matching arrays for all of its 5 layers with weights" in str(loaded.report)
    assert loaded.weights["dense"]["kernel"] is model.get_layer("dense").parameters["kernel"]
    assert "array" not in repr(loaded)
    rows = [row for row in loaded.report.layers if row.weights != "(none)"]
    assert {row.goes_to: row.fingerprint for row in rows} == model.fingerprints()
    assert {row.before for row in rows} == {"initial"}
    before = model.fingerprints()
    rows = model.load_weights(FIXTURES / "special" / "dtype_float16.h5").report.layers
    assert {row.goes_to: row.before for row in rows if row.before} == before
    assert {row.goes_to: row.fingerprint for row in rows if row.before} == model.fingerprints() != before
    assert all(digest in str(keras_h5.inspect(FIXTURES / "seq" / "k3_model.h5", model)) for digest in before.values())


def test_a_file_is_compared_with_a_model_that_stays_as_it_is():
    model = keras_model("seq")
    before = model.fingerprints()
    path = FIXTURES / "seq" / "k3_model.h5"
    with_model, with_target = (keras_h5.inspect(path, given) for given in (model, model.keras_target()))
    assert {row.goes_to: row.before for row in with_model.layers if row.before} == before
    for row in with_model.layers:
        row.before = ""
    assert with_model == with_target
    assert keras_h5.inspect(FIXTURES / "nested" / "k3_model.h5", model).fits is False
    assert set(keras_h5.load(path, model).weights) == set(keras_h5.read(path, model)) == set(before)
    assert model.fingerprints() == before
    with pytest.raises(ArgumentError, match=r"expected a model or a keras_h5.Target, got dict"):
        keras_h5.inspect(path, {})


def test_initial_weights_that_are_loaded_over_are_never_drawn():
    model = keras_model("seq")
    model.load_weights(FIXTURES / "seq" / "k3_model.h5")
    assert all(layer._undrawn is None for layer in model.layers if layer.parameter_shapes())
    undrawn = keras_model("seq")
    keras_h5.inspect(FIXTURES / "seq" / "k3_model.h5", undrawn)
    assert all(layer._undrawn is not None for layer in undrawn.layers if layer.parameter_shapes())


@pytest.mark.parametrize(
    "path, options, error, message",
    [
        ("nested/k3_model.h5", {}, WeightsError, "the file has layers inside a model named mini_vgg"),
        ("hostile/nan_inf_weights.h5", {}, WeightsError, ""),
        ("hostile/truncated_half.h5", {}, WeightsError, ""),
        ("nowhere.h5", {}, WeightsError, "nowhere.h5"),
        ("nested/k3_model.h5", {"by_name": True}, WeightsError, "no layer of the file has the name"),
        ("seq/k3_model.h5", {"kernels": "caffe"}, ArgumentError, "caffe"),
    ],
)
def test_a_file_that_does_not_fit_changes_nothing(path, options, error, message):
    model = keras_model("seq")
    before = model.fingerprints()
    with pytest.raises(error) as raised:
        model.load_weights(FIXTURES / path, **options)
    assert message in str(raised.value) and "\n" not in str(raised.value)
    assert model.fingerprints() == before


def test_by_name_and_skip_mismatch_leave_the_others_alone(tmp_path):
    """A wider last layer stays as drawn; the file's others arrive."""
    saved = keras_model("seq", seed=1)
    saved.save_weights(tmp_path / "seq.h5")
    model = keras_model("seq", seed=2).cut(after="dropout").extend([layers.Dense(5, name="dense_1")])
    before, wanted = model.fingerprints(), saved.fingerprints()
    with pytest.raises(WeightsError, match=r"the file's dense_1 is 8x3; this model's is 8x5"):
        model.load_weights(tmp_path / "seq.h5")
    assert model.fingerprints() == before
    loaded = model.load_weights(tmp_path / "seq.h5", skip_mismatch=True)
    assert [name for name, _ in loaded.skipped] == loaded.report.missing == ["dense_1"]
    assert model.fingerprints() == wanted | {"dense_1": before["dense_1"]}

    renamed = keras_model("seq", seed=3).cut(after="dropout").extend([layers.Dense(5, name="new")])
    before = renamed.fingerprints()
    loaded = renamed.load_weights(tmp_path / "seq.h5", by_name=True)
    assert loaded.report.missing == ["new"] and "dense_1" not in loaded.weights
    assert renamed.fingerprints() == {name: wanted.get(name, before[name]) for name in before}


def test_a_frozen_model_loads_and_stays_frozen(tmp_path):
    first, second = keras_model("nested", seed=1), keras_model("nested", seed=2).freeze(through="block2_pool")
    first.freeze(layers=["block1_conv1"]).save_weights(tmp_path / "x.h5")
    second.load_weights(tmp_path / "x.h5")
    assert first.fingerprints() == second.fingerprints()
    assert [layer.name for layer in second.layers if layer.parameters and layer.trainable] == ["fc1", "predictions"]


def test_saving_mistakes(tmp_path):
    model = keras_model("seq")
    with pytest.raises(ArgumentError, match=r"expected a name that ends in .h5"):
        model.save_weights(tmp_path / "weights.npz")
    with pytest.raises(WeightsError, match="there is no folder"):
        model.save_weights(tmp_path / "nowhere" / "x.h5")
    assert not list(tmp_path.iterdir())
    model = mtc.Sequential([layers.Dense(2)])
    for use in (model.save_weights, model.load_weights):
        with pytest.raises(ArgumentError, match="the model has no shapes yet"):
            use(tmp_path / "x.h5")
    for use in (model.keras_target, model.fingerprints):
        with pytest.raises(ArgumentError, match="the model has no shapes yet"):
            use()


def test_a_layer_takes_all_of_its_weights_or_says_what_is_missing():
    layer = keras_model("seq").get_layer("dense_1")
    before = layer.parameters["bias"].copy()
    with pytest.raises(ArgumentError, match="dense_1: expected values for kernel, bias, got bias"):
        layer.load({"bias": [1, 2, 3]})
    with pytest.raises(ShapeError, match="dense_1: bias has shape"):
        layer.load({"bias": [1, 2], "kernel": np.zeros((8, 3))})
    assert np.array_equal(layer.parameters["bias"], before)
