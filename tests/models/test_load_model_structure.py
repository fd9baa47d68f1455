"""`load_model`: what becomes of a description, what is refused and how, and files made to do harm."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest
from test_load_model import STORED, recorded, written

import minitorch_cnn as mtc
from minitorch_cnn import layers
from minitorch_cnn.errors import ArgumentError, ShapeError, UserError, WeightsError

MACHINE = ("k3_teachable_machine.keras", "k3_teachable_machine.h5", "tfk_teachable_machine.keras",
           "tfk_teachable_machine.h5")  # fmt: skip


def edited(path, change):
    """A copy of a `.keras` file whose config was given to `change`."""
    result = path.with_name("edited.keras")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(result, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                config = json.loads(data)
                data = json.dumps(change(config) or config)
            new.writestr(name, data)
    return result


def config_file(path, config, weights=None):
    """A `.keras` file of a config, with weights that do not matter."""
    arrays = io.BytesIO()
    with h5py.File(arrays, "w") as file:
        file.create_group("layers")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config if isinstance(config, (str, bytes)) else json.dumps(config))
        archive.writestr("model.weights.h5", weights or arrays.getvalue())
    return path


def entry(class_name, name, reads=(), **settings):
    """A layer of a functional config of Keras 2."""
    nodes = [[[each, 0, 0, {}] for each in reads]] if reads else []
    return {"class_name": class_name, "name": name, "config": {"name": name, **settings}, "inbound_nodes": nodes}


def functional(*entries, first="x", last="y"):
    """A functional config of one input and one output."""
    config = {"name": "model", "layers": list(entries), "input_layers": [[first, 0, 0]]}
    return {"class_name": "Functional", "config": {**config, "output_layers": [[last, 0, 0]]}}


X = entry("InputLayer", "x", batch_input_shape=[None, 5, 4, 3])


@pytest.mark.parametrize("name", MACHINE)
def test_models_in_models_are_flattened(name, tmp_path):
    model = mtc.load_model(written(name, tmp_path))
    assert [layer.name for layer in model.layers] == [
        "Conv1", "bn_Conv1", "Conv1_relu", "block_depthwise", "block_depthwise_BN", "block_project", "block_add",
        "pool", "dense_1", "dense_2",
    ]  # fmt: skip
    assert isinstance(model.get_layer("block_add"), layers.Add)
    assert [layer.name for layer in model.layers if not layer.trainable] == ["Conv1"]
    assert (model.get_layer("bn_Conv1").epsilon, model.get_layer("bn_Conv1").momentum) == (1e-3, 0.999)


def test_a_chain_is_a_sequential_and_a_graph_is_not(tmp_path):
    assert type(mtc.load_model(STORED / "nested" / "k3_model.keras")) is mtc.Sequential
    assert type(mtc.load_model(written(MACHINE[0], tmp_path))) is mtc.Model


@pytest.mark.parametrize("name", ["k3_shared.keras", "k3_shared.h5", "tfk_shared.keras", "tfk_shared.h5"])
def test_a_layer_that_is_called_twice_is_one_layer(name, tmp_path):
    model = mtc.load_model(written(name, tmp_path))
    uses = [node.layer.name for node in model.nodes()]
    assert [uses.count(each) for each in ("twice", "inner_conv", "inner_add", "first")] == [2, 2, 2, 1]
    assert (model.inputs, model.outputs) == (2, 2)


def test_layers_of_one_name_in_two_models_are_told_apart(tmp_path):
    """Both have a layer `conv`; each gets its own weights."""
    path = written("k3_teachable_machine.keras", tmp_path)

    def rename(config):
        text = json.dumps(config).replace('"dense_1"', '"same"').replace('"pool"', '"same"')
        return json.loads(text)

    known, model = recorded(MACHINE[0]), mtc.load_model(edited(path, rename))
    assert {"features/same", "head/same"} <= {layer.name for layer in model.layers}
    np.testing.assert_allclose(model.forward(known["x0"]), known["y0"], atol=1e-6)


def test_everything_that_stands_in_the_way_is_named_at_once(tmp_path):
    config = functional(
        X, entry("Lambda", "code", ["x"], function="gASV"), entry("Conv3D", "three_d", ["code"]),
        entry("Dropout", "noise", ["three_d"], rate=0.1, surprise=3),
        entry("Activation", "y", ["noise"], activation="odd"),
    )  # fmt: skip
    with pytest.raises(WeightsError) as error:
        mtc.load_model(config_file(tmp_path / "x.keras", config))
    message = str(error.value)
    for part in ("layer Lambda (code)", "layer Conv3D (three_d)", "surprise=3 (noise)", "activation odd (y)"):
        assert part in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(module="builtins", class_name="exec", registered_name="exec"), "layer exec"),
        (dict(module="os", class_name="Conv2D"), "layer Conv2D"),
        (dict(registered_name="mine>Conv2D"), "layer mine>Conv2D"),
        (dict(class_name="TFSMLayer"), "layer TFSMLayer"),
    ],
)
def test_foreign_classes_are_refused_by_name(change, message, tmp_path):
    def foreign(config):
        config["config"]["layers"][1].update(change)

    with pytest.raises(WeightsError, match=message):
        mtc.load_model(edited(written("k3_convolutions.keras", tmp_path), foreign))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"data_format": "channels_first"}, "channels_first"),
        ({"dtype": "int8_from_float32"}, "dtype int8_from_float32"),
        ({"padding": "causal"}, "padding"),
        ({"activation": {"class_name": "Custom", "config": {}}}, "activation"),
        ({"filters": 2**41}, "filters"),
        ({"kernel_size": [1, 2, 3]}, "kernel_size"),
    ],
)
def test_settings_that_cannot_be_honoured_are_refused(settings, message, tmp_path):
    plain = {"filters": 2, "kernel_size": [3, 3], "data_format": "channels_last"}
    config = functional(X, entry("Conv2D", "y", ["x"], **{**plain, **settings}))
    with pytest.raises(WeightsError, match=message):
        mtc.load_model(config_file(tmp_path / "x.keras", config))


@pytest.mark.parametrize("kind", ["BatchNormalization", "LayerNormalization", "Normalization", "Softmax"])
@pytest.mark.parametrize("axis", [1, 2, [1], 7, -2, 0, None, [], [1, 2, 3], [-2, -1]])
def test_another_axis_than_the_channels_is_refused(kind, axis, tmp_path):
    config = functional(X, entry(kind, "y", ["x"], axis=axis))
    with pytest.raises(ShapeError, match="y: expected the last of 4 axes, the channels, got axis"):
        mtc.load_model(config_file(tmp_path / "x.keras", config))


@pytest.mark.parametrize("axis", [-1, 3, [3], [-1]])
def test_the_axis_of_the_channels_may_be_written_in_every_way(axis, tmp_path):
    config = functional(X, entry("Softmax", "y", ["x"], axis=axis))
    x = np.random.default_rng(0).standard_normal((2, 5, 4, 3)).astype("float32")
    y = mtc.load_model(config_file(tmp_path / "x.keras", config)).predict(x)
    np.testing.assert_allclose(y.sum(axis=-1), np.ones((2, 5, 4)), rtol=1e-6)


@pytest.mark.parametrize("axis", [0, None, [3], 1.0])
def test_concatenating_along_what_is_no_axis_is_refused(axis, tmp_path):
    config = functional(X, entry("Concatenate", "y", ["x"], axis=axis))
    config["config"]["layers"][-1]["inbound_nodes"] = [[["x", 0, 0, {}], ["x", 0, 0, {}]]]
    with pytest.raises(WeightsError, match=r"axis: expected an axis behind the batch axis, got .* \(y\)"):
        mtc.load_model(config_file(tmp_path / "x.keras", config))


@pytest.mark.parametrize("approximate", [1, None, "tanh"])
def test_a_gelu_that_does_not_say_which_is_refused(approximate, tmp_path):
    gelu = {**entry("Gelu", "y", ["x"], approximate=approximate), "module": "keras.src.ops.nn"}
    with pytest.raises(WeightsError, match=r"operation Gelu \(y\)"):
        mtc.load_model(config_file(tmp_path / "x.keras", functional(X, gelu)))


def repeated(levels, times):
    """A model that holds a model `times` times, that holds a model `times` times, ..."""
    model = functional(X, entry("ReLU", "y", ["x"]))
    for level in range(levels):
        calls = [[["x", 0, 0, {}]], *([[f"m{level}", call, 0, {}]] for call in range(1, times))]
        inner = {**model, "name": f"m{level}", "inbound_nodes": calls}
        inner["config"] = {**model["config"], "name": f"m{level}"}
        model = functional(X, inner, last=f"m{level}")
        model["config"]["output_layers"] = [[f"m{level}", times, 0]]
    return model


def nested_lists(depth):
    return "[" * depth + "]" * depth


HOSTILE = {
    "a circle": (functional(X, entry("ReLU", "a", ["y"]), entry("ReLU", "y", ["a"])), "depends on itself"),
    "its own result": (functional(X, entry("ReLU", "y", ["y"])), "depends on itself"),
    "nothing makes it": (functional(X, entry("ReLU", "y", ["ghost"])), "ghost"),
    "two of a name": (functional(X, entry("ReLU", "y", ["x"]), entry("ReLU", "y", ["x"])), "two layers"),
    "escape sequences": (functional(X, entry("Evil\x1b[2J", "\x1b[31my", ["x"]), last="\x1b[31my"), r"\\x1b"),
    "a name with an escape": (functional(X, entry("ReLU", "\x1b[31my", ["x"]), last="\x1b[31my"), r"\\x1b"),
    "a few layers many times": (repeated(6, 12), "layers after flattening"),
    "forty levels": (repeated(40, 2), "nested too deeply"),
    "many layers": (functional(X, *(entry("ReLU", str(n), ["x"]) for n in range(10_001))), "too many layers"),
    "many calls": (functional(X, {**entry("ReLU", "y"), "inbound_nodes": [[["x", 0, 0]]] * 50_001}), "too many calls"),
    "no layers": (functional(), "without layers"),
    "a list": ([], "without a class"),
    "not JSON": ("{", "damaged"),
    "deep JSON": (nested_lists(100_000), "damaged"),
    "infinity": ('{"class_name": "Sequential", "config": {"layers": [Infinity]}}', "damaged"),
    "nothing wrong": (functional(X, entry("ReLU", "y", ["x"])), None),
    "output that is not there": (functional(X, entry("ReLU", "y", ["x"]), last="z"), "z"),
    "a large image": (
        functional(entry("InputLayer", "x", batch_input_shape=[None, 2**40, 2**40, 3]), entry("ReLU", "y", ["x"])),
        "numbers|integer|shape",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_descriptions_end_in_one_printable_line(name, tmp_path):
    config, message = HOSTILE[name]
    path = config_file(tmp_path / "x.keras", config)
    if message is None:
        assert len(mtc.load_model(path).layers) == 1
        return
    with pytest.raises(UserError, match=message) as error:
        mtc.load_model(path)
    assert str(error.value).isprintable() and len(str(error.value)) < 1000


def test_a_file_of_weights_alone_says_so():
    with pytest.raises(WeightsError, match="no description of the network"):
        mtc.load_model(STORED / "seq" / "k3.weights.h5")


def test_open_sizes_need_an_input_shape(tmp_path):
    def leave_open(config):
        config["config"]["layers"][0]["config"]["batch_shape"][1:3] = [None, None]

    path = edited(written("k3_squeeze_and_excite.keras", tmp_path), leave_open)
    with pytest.raises(ArgumentError, match="input_shape"):
        mtc.load_model(path)
    with pytest.raises(ShapeError, match="input_shape"):
        mtc.load_model(path, input_shape=(11, 8, 4))
    known = recorded("k3_squeeze_and_excite.keras")
    model = mtc.load_model(path, input_shape=(11, 8, 3))
    np.testing.assert_allclose(model.forward(known["x0"]), known["y0"], atol=2e-5)


def test_keras_1(tmp_path):
    """A whole model of Keras 1: a list of layers, `nb_filter`, `border_mode`, and kernels named `_W`."""
    reference = np.load(STORED / "seq" / "ref.npz")
    convolution = dict(nb_row=3, nb_col=3, subsample=[1, 1], dim_ordering="tf", bias=True, init="glorot_uniform",
                       W_regularizer=None)  # fmt: skip
    pool = dict(pool_size=[2, 2], strides=[2, 2], border_mode="valid", dim_ordering="tf")
    config = [
        ("Convolution2D", "c1", dict(convolution, nb_filter=4, border_mode="same", activation="relu",
                                     batch_input_shape=[None, 12, 12, 3])),
        ("Convolution2D", "c2", dict(convolution, nb_filter=4, border_mode="valid", activation="relu")),
        ("MaxPooling2D", "p1", pool),
        ("Convolution2D", "c3", dict(convolution, nb_filter=6, border_mode="same", activation="linear")),
        ("MaxPooling2D", "p2", pool),
        ("Flatten", "f", {}),
        ("Dense", "d1", dict(output_dim=8, activation="relu", bias=True, input_dim=None)),
        ("Dropout", "drop", dict(p=0.5)),
        ("Dense", "d2", dict(output_dim=3, activation="softmax", bias=True)),
    ]  # fmt: skip
    described = [{"class_name": kind, "config": {"name": name, **settings}} for kind, name, settings in config]
    ours = {"c1": "conv2d", "c2": "conv2d_1", "c3": "conv2d_2", "d1": "dense", "d2": "dense_1"}
    with h5py.File(tmp_path / "k1.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": described}).encode()
        file.attrs["keras_version"] = b"1.2.2"
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = np.array([name.encode() for _, name, _ in config])
        for _, name, _ in config:
            group, names = weights.create_group(name), []
            for letter, weight in (("W", "kernel"), ("b", "bias")) if name in ours else ():
                names.append(f"{name}_{letter}:0")
                group[names[-1]] = reference[f"w.{ours[name]}.{weight}"]
            group.attrs["weight_names"] = np.array([each.encode() for each in names]) if names else np.zeros(0)
    model = mtc.load_model(tmp_path / "k1.h5")
    np.testing.assert_allclose(model.predict(reference["x"]), reference["out"], atol=1e-6)


@pytest.mark.parametrize("writer", ["tf213", "tf214"])
def test_names_with_backslashes(writer, tmp_path):
    """What TensorFlow 2.13 and 2.14 wrote on Windows."""
    container, path = "_layer_checkpoint_dependencies", tmp_path / "windows.keras"
    with zipfile.ZipFile(STORED / "seq" / f"{writer}_model.keras") as old, zipfile.ZipFile(path, "w") as new:
        arrays = io.BytesIO()
        with h5py.File(io.BytesIO(old.read("model.weights.h5"))) as source, h5py.File(arrays, "w") as file:
            for name in source[container]:
                source.copy(f"{container}/{name}", file, f"{container}\\{name}")
        new.writestr("model.weights.h5", arrays.getvalue())
        for name in ("config.json", "metadata.json"):
            new.writestr(name, old.read(name))
    known = np.load(STORED / "seq" / "ref.npz")
    np.testing.assert_allclose(mtc.load_model(path).predict(known["x"]), known["out"], atol=1e-6)


def test_an_integer_weight_does_not_stop_the_reading_of_the_others(tmp_path):
    found = mtc.keras_h5.read(written("tfk_normalizations.h5", tmp_path))
    assert set(found["normalization"]) == {"mean", "variance"}
    assert "batch_normalization" in found


@pytest.mark.parametrize("change, part", [
    ({"activation": "tanh"}, "activation relu in the file, here tanh"),
    ({"pool": layers.AveragePool2D}, "MaxPooling2D in the file, here AveragePooling2D"),
    ({"pool_size": (3, 2)}, "pool_size 2x2 in the file, here 3x2"),
    ({}, None),
])  # fmt: skip
def test_loading_weights_mentions_another_architecture(change, part, recwarn):
    model = mtc.Sequential([
        layers.Conv2D(4, 3, padding="same", activation=change.get("activation", "relu")),
        layers.Conv2D(4, 3, activation="relu"),
        change.get("pool", layers.MaxPool2D)(change.get("pool_size", 2), 2, padding="same"),
        layers.Conv2D(6, 3, padding="same"),
        layers.MaxPool2D(2),
        layers.Flatten(),
        layers.Dense(8, activation="relu"),
        layers.Dense(3, activation="softmax"),
    ], input_shape=(12, 12, 3))  # fmt: skip
    path = STORED / "seq" / "k3_model.keras"
    report = str(mtc.keras_h5.inspect(path, model))
    model.load_weights(path)
    (line,) = [str(each.message) for each in recwarn if "differs from this one" in str(each.message)]
    assert (part or "padding valid in the file, here same") in line
    assert line.partition(": ")[2] in report


def test_inspect_shows_the_settings(tmp_path):
    text = str(mtc.keras_h5.inspect(written("k3_convolutions.keras", tmp_path)))
    assert "Conv2D relu, same, strides 2x1" in text and "groups 2" in text and "dilation_rate 2x2" in text


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize(
    "name", ["k3_convolutions", "k3_pools", "k3_shared", "k3_teachable_machine", "k3_normalizations", "k3_operators"]
)
def test_a_saved_model_opens_again(name, ending, tmp_path):
    model, known = mtc.load_model(written(f"{name}.keras", tmp_path)), recorded(f"{name}.keras")
    model.save(tmp_path / f"saved{ending}")
    x = [known[key] for key in ("x0", "x1") if key in known]
    x = x if len(x) > 1 else x[0]
    again = mtc.load_model(tmp_path / f"saved{ending}")
    assert type(again) is type(model)
    for ours, theirs in zip(again.forward(x), model.forward(x), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not [path for path in tmp_path.iterdir() if ".part" in path.name]


def test_gelu_by_tanh_is_saved_as_the_operation_that_keras_has_for_it(tmp_path):
    """Also after a layer that is called twice, and after one with padding in pixels."""
    x = mtc.Input((7, 5, 3))
    y = layers.Conv2D(4, 3, padding=1, activation="gelu_tanh", name="padded")(x)
    twice = layers.Conv2D(4, 1, activation="gelu_tanh", name="twice")
    y = layers.Activation("gelu_tanh", name="alone")(layers.Add()([twice(y), twice(twice(y))]))
    model = mtc.Model(x, layers.Dense(6, "gelu_tanh")(layers.Flatten()(y)), seed=1)
    model.save(tmp_path / "x.keras")
    with zipfile.ZipFile(tmp_path / "x.keras") as file:
        saved = json.loads(file.read("config.json"))["config"]["layers"]
    found = [each["name"] for each in saved if each["class_name"] == "Gelu" and each["config"]["approximate"] is True]
    assert found == ["padded_gelu", "twice_gelu", "alone", "dense_1_gelu"]
    images = np.random.default_rng(0).standard_normal((3, 7, 5, 3)).astype("float32")
    np.testing.assert_array_equal(mtc.load_model(tmp_path / "x.keras").predict(images), model.predict(images))
    with pytest.raises(ArgumentError, match=r"padded: Keras 2 has no such gelu_tanh; save as \.keras"):
        model.save(tmp_path / "x.h5")


def test_initializers_are_saved_in_keras_s_words(tmp_path):
    """Keras 3 and tf_keras open such files: `constant` alone, which is 0 here, needs its number there."""
    stack = [
        layers.SeparableConv2D(3, 2, depthwise_initializer=("random_uniform", 0.2), pointwise_initializer="he_normal"),
        layers.DepthwiseConv2D(2, depthwise_initializer=["orthogonal", 2], bias_initializer="constant"),
        layers.Conv2D(4, 3, kernel_initializer="identity"),  # which Keras has only for matrices
    ]
    model = mtc.Sequential(stack, (7, 6, 3), seed=0)
    model.save(tmp_path / "x.keras")
    with zipfile.ZipFile(tmp_path / "x.keras") as file:
        entries = json.loads(file.read("config.json"))["config"]["layers"][1:]
    found = [{key: value for key, value in each["config"].items() if "initializer" in key} for each in entries]
    ours = {"module": "keras.initializers", "registered_name": None}
    assert found[0] == {
        "depthwise_initializer": {**ours, "class_name": "RandomUniform", "config": {"minval": -0.2, "maxval": 0.2}},
        "pointwise_initializer": "he_normal",
    }
    assert found[1] == {
        "depthwise_initializer": {**ours, "class_name": "Orthogonal", "config": {"gain": 2.0}},
        "bias_initializer": {**ours, "class_name": "Constant", "config": {"value": 0.0}},
    }
    assert found[2] == {"kernel_initializer": "glorot_uniform"}
    model.save(tmp_path / "x.h5")
    for name in ("x.keras", "x.h5"):
        assert mtc.load_model(tmp_path / name).fingerprints() == model.fingerprints()


def test_what_keras_does_not_have_is_not_saved(tmp_path):
    pool = mtc.Sequential([layers.MaxPool2D(2, padding=1)], input_shape=(5, 4, 3))
    with pytest.raises(ArgumentError, match=r"max_pool2d_1: padding"):
        pool.save(tmp_path / "x.keras")
    hard = mtc.Sequential([layers.Activation("hard_sigmoid", name="hard")], input_shape=(5, 4, 3))
    with pytest.raises(ArgumentError, match=r"hard: Keras 2 has no such hard_sigmoid"):
        hard.save(tmp_path / "x.h5")
    with pytest.raises(ArgumentError, match=r"\.keras or \.h5"):
        hard.save(tmp_path / "x.weights.h5")
    assert not list(tmp_path.iterdir())
