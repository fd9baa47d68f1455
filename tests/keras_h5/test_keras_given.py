"""Weights that a file holds in another form: among the settings, as a Dense layer, or with no name of their own."""

import json
import zipfile

import h5py
import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import layers
from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5 import Target, TargetLayer, inspect, load, read

MEAN, VARIANCE = [0.5, 1.0, 1.5], [1.0, 2.0, 4.0]


def numbered(path, **groups):
    """A `.weights.h5` file: the arrays of each group, which are numbered there."""
    with h5py.File(path, "w") as file:
        for name, arrays in groups.items():
            variables = file.create_group(f"layers/{name}/vars")
            for number, array in enumerate(arrays):
                variables[str(number)] = np.asarray(array, np.float32)
    return path


@pytest.mark.parametrize("name", ["gamma", "beta"])
def test_the_only_array_of_a_layer_normalization_is_what_the_model_has(name, tmp_path):
    """Numbered arrays have no names; only the model tells whether one of them is gamma or beta."""
    path = numbered(tmp_path / "x.weights.h5", layer_normalization=[MEAN])
    target = Target([TargetLayer("n", "LayerNormalization", {name: (3,)})])
    assert load(path, target).weights["n"][name].tolist() == MEAN
    both = Target([TargetLayer("n", "LayerNormalization", {"gamma": (3,), "beta": (3,)})])
    with pytest.raises(WeightsError, match="this model's n has gamma, beta"):
        load(path, both)


@pytest.mark.parametrize("settings", [{"scale": False}, {"center": False}, {}])
@pytest.mark.parametrize("ending", [".weights.h5", ".h5", ".keras"])
def test_a_layer_norm_takes_its_own_file(settings, ending, tmp_path):
    models = [mtc.Sequential([layers.LayerNorm(**settings, name="n")], (5, 4, 3), seed=0) for _ in range(2)]
    layer = models[0].get_layer("n")
    layer.load({name: np.arange(3, dtype=np.float32) + len(name) for name in layer.parameters})
    (models[0].save if ending == ".keras" else models[0].save_weights)(tmp_path / f"x{ending}")
    models[1].load_weights(tmp_path / f"x{ending}")
    assert models[1].fingerprints() == models[0].fingerprints()


KERNEL = np.arange(12, dtype=np.float32).reshape(3, 4)
ONE_BY_ONE = TargetLayer("pixels", "Conv2D", {"kernel": (1, 1, 3, 4), "bias": (4,)})
OTHER = TargetLayer("eye", "Conv2D", {"kernel": (3, 3, 2, 3), "bias": (3,)})
TOP = TargetLayer("top", "Dense", {"kernel": (4, 2), "bias": (2,)})


def test_a_dense_layer_on_images_fits_a_1x1_convolution(tmp_path):
    """Keras applies a Dense layer to each pixel; here that is a convolution, which takes the 2-axis kernel."""
    eye, top = np.zeros((3, 3, 2, 3)), np.zeros((4, 2))
    path = numbered(tmp_path / "x.weights.h5", conv2d=[eye, np.zeros(3)], dense=[KERNEL, np.ones(4)],
                    dense_1=[top, np.zeros(2)])  # fmt: skip
    loaded = load(path, Target([OTHER, ONE_BY_ONE, TOP]))
    np.testing.assert_array_equal(loaded.weights["pixels"]["kernel"], KERNEL[None, None])
    assert "dense kernel as that of a 1x1 convolution" in str(loaded.report)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["layer_names"], file.attrs["keras_version"] = np.array([b"d"]), b"2.15.0"
        group = file.create_group("d")
        group.attrs["weight_names"] = np.array([b"d/kernel:0", b"d/bias:0"])
        group["d/kernel:0"], group["d/bias:0"] = KERNEL, np.ones(4, np.float32)
    np.testing.assert_array_equal(
        load(tmp_path / "x.h5", Target([ONE_BY_ONE])).weights["pixels"]["kernel"], KERNEL[None, None]
    )


def test_a_dense_kernel_does_not_fit_a_larger_convolution(tmp_path):
    path = numbered(tmp_path / "x.weights.h5", conv2d=[KERNEL, np.ones(4)])
    large = TargetLayer("large", "Conv2D", {"kernel": (2, 2, 3, 4), "bias": (4,)})
    with pytest.raises(WeightsError, match="is 3x4; this model's large is 2x2x3x4"):
        load(path, Target([large]))


def normalizing(mean, variance, class_name="Normalization"):
    """A whole model, described in a file without any weights for its first layer."""
    described = [
        {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 5, 4, 3]}},
        {"class_name": class_name, "config": {"name": "n", "mean": mean, "variance": variance}},
        {"class_name": "Conv2D", "config": {"name": "c", "filters": 2, "kernel_size": [1, 1], "use_bias": False}},
    ]
    return {"class_name": "Sequential", "config": {"name": "m", "layers": described}}


def whole_file(path, config):
    with h5py.File(path, "w") as file:
        file.attrs["model_config"], file.attrs["keras_version"] = json.dumps(config), b"2.15.0"
        group = file.create_group("model_weights")
        group.attrs["layer_names"], group.attrs["keras_version"] = np.array([b"x", b"n", b"c"]), b"2.15.0"
        for name in ("x", "n"):
            group.create_group(name).attrs["weight_names"] = np.zeros(0)
        own = group.create_group("c")
        own.attrs["weight_names"] = np.array([b"c/kernel:0"])
        own["c/kernel:0"] = np.ones((1, 1, 3, 2), np.float32)
    return path


ARRAY = {"class_name": "__numpy__", "config": {"value": MEAN, "dtype": "float32"}}
WRITTEN = [(MEAN, VARIANCE), ([[[MEAN]]], [VARIANCE]), (ARRAY, VARIANCE), (0.5, 2.0), ([0.5], VARIANCE)]


@pytest.mark.parametrize("mean, variance", WRITTEN)
def test_the_numbers_of_a_normalization_are_loaded_from_its_settings(mean, variance, tmp_path):
    """By `load_model`, by `load_weights` of the model that it gives, and for `inspect` and `read` as well."""
    path = whole_file(tmp_path / "x.h5", normalizing(mean, variance))
    model = mtc.load_model(path)
    known = np.broadcast_to(MEAN if mean in (MEAN, [[[MEAN]]], ARRAY) else 0.5, 3)
    np.testing.assert_allclose(model.get_layer("n").parameters["mean"], known)
    before = model.fingerprints()
    model.get_layer("n").load({"mean": np.zeros(3, "float32"), "variance": np.ones(3, "float32")})
    model.load_weights(path)
    assert model.fingerprints() == before
    assert inspect(path, model).fits
    assert set(read(path)["n"]) == {"mean", "variance"}


@pytest.mark.parametrize("mean, variance, message", [
    ([1.0, 2.0], VARIANCE, "the file's n mean is 2; this model's is 3"),
    (MEAN, "1", "not supported: variance=1"),
    (True, VARIANCE, "not supported: mean=True"),
    ([], VARIANCE, "not supported: mean="),
])  # fmt: skip
def test_numbers_that_do_not_fit_are_refused(mean, variance, message, tmp_path):
    with pytest.raises(WeightsError, match=message):
        mtc.load_model(whole_file(tmp_path / "x.h5", normalizing(mean, variance)))


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_saved_model_with_a_normalization_takes_its_own_file(ending, tmp_path):
    x = mtc.Input((5, 4, 3))
    y = layers.Conv2D(3, 1, name="first")(layers.Normalization(name="n")(x))
    model = mtc.Model(x, layers.Conv2D(2, 3, name="last")(layers.Normalization(name="later")(y)), seed=0)
    model.get_layer("n").load({"mean": np.array(MEAN, "float32"), "variance": np.array(VARIANCE, "float32")})
    model.save(tmp_path / f"x{ending}")
    for other in (mtc.load_model(tmp_path / f"x{ending}"), mtc.Sequential.from_config(model.config())):
        other.load_weights(tmp_path / f"x{ending}")
        assert other.fingerprints() == model.fingerprints()
        assert inspect(tmp_path / f"x{ending}", other).fits


def test_the_numbers_of_a_normalization_in_a_nested_model(tmp_path):
    inner = {**normalizing(MEAN, VARIANCE), "config": {**normalizing(MEAN, VARIANCE)["config"], "name": "inner"}}
    path = whole_file(tmp_path / "x.h5", {"class_name": "Sequential", "config": {"name": "m", "layers": [inner]}})
    with h5py.File(path, "a") as file:
        group = file["model_weights"]
        group.move("c", "inner")
        group.attrs["layer_names"] = np.array([b"inner"])
    model = mtc.load_model(path)
    assert model.get_layer("n").parameters["mean"].tolist() == MEAN
    model.load_weights(path)
    assert inspect(path, model).fits


@pytest.mark.parametrize("name", ["x.weights.h5", "x.h5", "x.keras", "whole.h5"])
def test_a_normalization_is_written_as_keras_writes_one_that_has_measured(name, tmp_path):
    """Mean, variance and a count, so that Keras loads the weights alone into the network that `save` describes."""
    model = mtc.Sequential([layers.Normalization(name="n"), layers.Conv2D(2, 3, name="c")], (5, 4, 3), seed=0)
    model.get_layer("n").load({"mean": np.array(MEAN, "float32"), "variance": np.array(VARIANCE, "float32")})
    path = tmp_path / name
    (model.save_weights if name.startswith("x.") and not name.endswith(".keras") else model.save)(path)
    if name.endswith(".keras"):
        with zipfile.ZipFile(path) as archive:
            path = tmp_path / archive.extract("model.weights.h5", tmp_path)
    with h5py.File(path) as file:
        if path.name.endswith(".weights.h5"):
            found = [file[f"layers/normalization/vars/{number}"] for number in range(3)]
        else:
            root = file.get("model_weights", file)
            assert [*root["n"].attrs["weight_names"]] == [b"n/mean:0", b"n/variance:0", b"n/count:0"]
            found = [root["n"][f"n/{each}:0"] for each in ("mean", "variance", "count")]
        assert found[0][:].tolist() == MEAN and found[1][:].tolist() == VARIANCE
        assert found[2].shape == () and found[2].dtype == np.int32 and found[2][()] == 0
        if "model_config" in file.attrs:
            assert "mean" not in json.loads(file.attrs["model_config"])["config"]["layers"][1]["config"]
    other = mtc.Sequential.from_config(model.config())
    other.load_weights(tmp_path / name)
    assert other.fingerprints() == model.fingerprints()
