"""What CNN Explainer would compute from the exported files is what the network predicts."""

import json

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import minitorch_cnn as mtc
from minitorch_cnn import layers, models, preprocessing
from minitorch_cnn.cli import main
from minitorch_cnn.errors import ArgumentError, CheckpointError
from minitorch_cnn.lessons import cnn_explainer


@pytest.fixture(autouse=True)
def only_definitions():
    with mtc.definitions_only():
        yield


def images(count=2):
    return np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)


def trained(**changes):
    model = models.tiny_vgg(seed=1)
    model.preprocessing = changes.get("preprocessing", model.preprocessing)
    random = np.random.default_rng(2)
    for layer in model.layers:
        if layer.parameters:
            layer.parameters["bias"] = random.standard_normal(layer.parameters["bias"].shape) / 10
    return model


def by_neurons(network, image):
    """[each layer's outputs] by the page's own arithmetic: a neuron's sum over its links, channel by channel, and bias.

    The last are the scores, before the softmax.
    """
    outputs = []
    maps = list((image / 255).transpose(2, 0, 1))
    for layer in network:
        name = layer["name"]
        if "conv" in name:
            maps = [
                neuron["bias"]
                + sum(np.einsum("ijpq,pq", sliding_window_view(below, (3, 3)), np.array(kernel))
                      for below, kernel in zip(maps, neuron["weights"], strict=True))
                for neuron in layer["weights"]
            ]  # fmt: skip
        elif "relu" in name:
            maps = [np.maximum(each, 0) for each in maps]
        elif "pool" in name:
            even = [each[: len(each) // 2 * 2, : len(each) // 2 * 2] for each in maps]
            maps = [each.reshape(len(each) // 2, 2, len(each) // 2, 2).max(axis=(1, 3)) for each in even]
        elif "flatten" in name:
            width, count = len(maps[0]), len(maps)
            maps = [maps[i % count][i // count // width, i // count % width] for i in range(layer["num_neurons"])]
        else:
            maps = [neuron["bias"] + np.dot(neuron["weights"], maps) for neuron in layer["weights"]]
        assert len(maps) == layer["num_neurons"]
        shape = np.shape(maps[0])
        assert list(shape) == layer["output_shape"][:2] if shape else layer["output_shape"] == [len(maps)]
        outputs.append(np.array(maps))
    return outputs


def by_topology(described, shard, image):
    """[each layer's outputs] as TensorFlow.js has them: layers built from their configuration, weights by name."""
    (group,), data, arrays = described["weightsManifest"], memoryview(shard), {}
    for entry in group["weights"]:
        size = 4 * int(np.prod(entry["shape"]))
        arrays[entry["name"]], data = np.frombuffer(data[:size], "<f4").reshape(entry["shape"]), data[size:]
    assert not len(data)
    x, outputs = (image / 255)[None], []
    for layer in described["modelTopology"]["model_config"]["config"]["layers"]:
        kind, config = layer["class_name"], layer["config"]
        kernel, bias = (arrays.get(f"{config['name']}/{part}") for part in ("kernel", "bias"))
        if kind == "Conv2D":
            assert config["activation"] == "linear" and config["padding"] == "valid" and config["strides"] == [1, 1]
            assert kernel.shape == (*config["kernel_size"], x.shape[3], config["filters"])
            seen = sliding_window_view(x, config["kernel_size"], (1, 2))  # (N, OH, OW, C, KH, KW)
            x = np.einsum("nijcpq,pqck->nijk", seen, kernel) + bias
        elif kind == "Activation":
            x = {"relu": lambda x: np.maximum(x, 0)}[config["activation"]](x)
        elif kind == "MaxPooling2D":
            assert config["pool_size"] == config["strides"] == [2, 2] and config["padding"] == "valid"
            x = sliding_window_view(x, (2, 2), (1, 2))[:, ::2, ::2].max(axis=(4, 5))
        elif kind == "Flatten":
            x = x.reshape(1, -1)
        else:
            assert kind == "Dense" and config["activation"] == "softmax" and kernel.shape == (x.shape[1], 10)
            x = softmax(x @ kernel + bias)
        outputs.append(x[0].transpose(2, 0, 1) if x.ndim == 4 else x[0])  # channels first, as the page turns them
    return outputs


def softmax(scores):
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def of_the_network(model, image):
    """{exported name: outputs, channels first} of the network itself, a ReLU counted where its convolution ends."""
    x, outputs = model.receive(image[None]), {}
    for layer in model.layers:
        x = layer.forward(x)
        outputs[layer.name.replace("conv", "relu")] = x[0].transpose(2, 0, 1) if x.ndim == 4 else x[0]
    return outputs


SEEN = {
    "unit": preprocessing.Unit(),
    "standardize": preprocessing.Standardize([120, 100, 90], [60, 50, 70]),
    "caffe": preprocessing.Caffe(),
    "none": None,
}


@pytest.mark.parametrize("name", SEEN)
def test_the_page_computes_what_the_network_predicts(tmp_path, name):
    model = trained(preprocessing=SEEN[name])
    if name in ("caffe", "none"):  # unscaled pixels: keep the scores of a size that a softmax can tell apart
        model.layers[0].parameters["kernel"] = model.layers[0].parameters["kernel"] / 60
    files = cnn_explainer.export(model, tmp_path / "data")
    assert [path.name for path in files] == ["nn_10.json", "model.json", "group1-shard1of1.bin"]
    network, described = (json.loads(path.read_text()) for path in files[:2])
    for image in images():
        ours = of_the_network(model, image)
        np.testing.assert_allclose(ours["output"], model.predict(image[None])[0], atol=1e-6)
        neurons, tensors = by_neurons(network, image), by_topology(described, files[2].read_bytes(), image)
        np.testing.assert_allclose(softmax(neurons.pop()), ours["output"], atol=2e-5)
        np.testing.assert_allclose(tensors.pop(), ours["output"], atol=2e-5)
        for exported, one, other in zip(cnn_explainer.NAMES, neurons, tensors):
            np.testing.assert_allclose(one, other, atol=1e-4, rtol=1e-4, err_msg=exported)
            if exported in ours:
                np.testing.assert_allclose(other, ours[exported], atol=1e-4, rtol=1e-4, err_msg=exported)
        assert set(ours) == set(cnn_explainer.NAMES) - {name for name in cnn_explainer.NAMES if "conv" in name}


def test_the_names_and_shapes_are_those_of_the_page(tmp_path):
    network = json.loads(cnn_explainer.export(trained(), tmp_path)[0].read_text())
    assert [layer["name"] for layer in network] == list(cnn_explainer.NAMES)
    assert network[0]["input_shape"] == [64, 64, 3] and network[0]["output_shape"] == [62, 62, 10]
    assert [layer["output_shape"] for layer in network[-3:]] == [[13, 13, 10], [1690], [10]]
    assert np.shape(network[2]["weights"][3]["weights"]) == (10, 3, 3)
    assert np.shape(network[-1]["weights"][3]["weights"]) == (1690,)
    assert "weights" not in network[1] and "weights" not in network[4]


def test_the_weights_of_tensorflow_js_lie_where_its_manifest_says(tmp_path):
    model = trained()
    _, topology, shard = cnn_explainer.export(model, tmp_path)
    described = json.loads(topology.read_text())
    (group,) = described["weightsManifest"]
    data, start = shard.read_bytes(), 0
    assert group["paths"] == [shard.name]
    for entry in group["weights"]:
        size = 4 * int(np.prod(entry["shape"]))
        array = np.frombuffer(data[start : start + size], "<f4").reshape(entry["shape"])
        start += size
        layer, _, part = entry["name"].partition("/")
        wanted = model.get_layer(layer).parameters[part]
        np.testing.assert_allclose(array, wanted, rtol=1e-6)
    assert start == len(data)
    built = described["modelTopology"]["model_config"]["config"]["layers"]
    assert [each["config"]["name"] for each in built] == list(cnn_explainer.NAMES)
    assert built[0]["config"]["batch_input_shape"] == [None, 64, 64, 3]


def stack(**changes):
    """Tiny VGG with ReLUs and dropout as layers of their own."""

    def conv():
        return layers.Conv2D(changes.get("filters", 10), 3, padding=changes.get("padding", "valid"))

    half = [conv(), layers.ReLU(), conv(), changes.get("between", layers.ReLU)(), layers.MaxPool2D(2)]
    other = [conv(), layers.ReLU(), conv(), layers.ReLU(), layers.MaxPool2D(changes.get("pool", 2))]
    top = [layers.Dropout(0.5), layers.Flatten(), layers.Dense(changes.get("classes", 10), activation="softmax")]
    return [*half, *other, *top, *changes.get("more", [])]


def test_relus_and_dropout_may_be_layers(tmp_path):
    model = mtc.Sequential(stack(), (64, 64, 3), seed=0, preprocessing=preprocessing.Unit())
    network = json.loads(cnn_explainer.export(model, tmp_path)[0].read_text())
    image = images(1)
    scores = by_neurons(network, image[0])[-1]
    np.testing.assert_allclose(softmax(scores), model.predict(image)[0], atol=2e-5)


@pytest.mark.parametrize(
    "changes, shape, message",
    [
        ({}, (32, 32, 3), "expected a Tiny VGG, for images of 64x64x3, got one for 32x32x3"),
        ({"filters": 8}, (64, 64, 3), "conv2d_1: expected 10 filters of 3x3"),
        ({"padding": "same"}, (64, 64, 3), "conv2d_1: expected 10 filters of 3x3"),
        ({"pool": 3}, (64, 64, 3), "max_pool2d_2: expected 2x2 windows"),
        ({"classes": 2}, (64, 64, 3), "dense_1: expected 10 units"),
        ({"between": layers.Tanh}, (64, 64, 3), "tanh_1: expected ReLU for relu_1_2, got Tanh"),
        (
            {"more": [layers.Dense(10, activation="softmax")]},
            (64, 64, 3),
            "dense_2: expected no layer after the output layer",
        ),
    ],
)
def test_another_shape_is_refused(tmp_path, changes, shape, message):
    model = mtc.Sequential(stack(**changes), shape, seed=0)
    with pytest.raises(ArgumentError, match=r"^CNN Explainer: ") as refused:
        cnn_explainer.export(model, tmp_path / "data")
    assert message in str(refused.value) and not (tmp_path / "data").exists()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written"):
        cnn_explainer.export(trained(), tmp_path / "file" / "data")


class Squared:
    def __call__(self, pixels, dtype="float32"):
        return pixels.astype(dtype) ** 2


def test_a_preprocessing_that_is_not_linear_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match="scales and shifts pixels"):
        cnn_explainer.export(trained(preprocessing=Squared()), tmp_path)


def test_the_command_writes_what_a_weight_file_holds(tmp_path, capsys):
    model = trained()
    model.save_weights(tmp_path / "tiny.weights.h5")
    command = ["export", "tiny-vgg", "--weights", str(tmp_path / "tiny.weights.h5")]
    assert main([*command, "--cnn-explainer", str(tmp_path / "data")]) == 0
    said = capsys.readouterr().out
    assert [line.split(": ")[0] for line in said.splitlines()] == [
        str(tmp_path / "data" / name) for name in cnn_explainer.FILES
    ]
    cnn_explainer.export(model, tmp_path / "here")
    for name in cnn_explainer.FILES:
        assert (tmp_path / "data" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["tiny-vgg"], "export: expected --weights FILE with tiny-vgg, or a run folder"),
        (["nonsense"], "nonsense: expected a run folder, a .keras or .h5 file, or one of cifar10,"),
        (["tiny-vgg", "--weights", "{folder}/gone.h5"], "gone.h5"),
        (
            ["cifar10", "--weights", "{folder}/cifar10.weights.h5"],
            "expected a Tiny VGG, for images of 64x64x3, got one",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path, capsys, arguments, message):
    models.cifar10().save_weights(tmp_path / "cifar10.weights.h5")
    given = [argument.format(folder=tmp_path) for argument in arguments]
    assert main(["export", *given, "--cnn-explainer", str(tmp_path / "data")]) == 2
    said = capsys.readouterr().err
    assert message in said and len(said.strip().splitlines()) == 1 and not (tmp_path / "data").exists()
