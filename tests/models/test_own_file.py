"""`model.save("x.npz")` and `mtc.load_model`: the whole model comes back, to the same bits."""

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import datasets, layers, optimizers
from minitorch_cnn.errors import ArgumentError, WeightsError
from minitorch_cnn.training import checkpoint


def chain(dtype="float32", preprocessing=None):
    stack = [layers.Conv2D(3, (3, 2), padding="same", activation="relu"), layers.BatchNorm(), layers.Flatten(),
             layers.Dropout(0.3), layers.Dense(4, activation="softmax")]  # fmt: skip
    return mtc.Sequential(stack, input_shape=(5, 7, 2), seed=11, dtype=dtype, preprocessing=preprocessing)


def branches(dtype="float32", preprocessing=None):
    x = mtc.Input((5, 7, 2))
    y = layers.Conv2D(2, 3, padding="same", name="block/conv")(x)
    y = layers.Flatten()(layers.Add()([y, x]))
    return mtc.Model(x, [layers.Dense(3)(y), layers.Dense(1)(y)], seed=3, dtype=dtype, preprocessing=preprocessing)


def same(first, second):
    first, second = (each if isinstance(each, list) else [each] for each in (first, second))
    return len(first) == len(second) and all(map(np.array_equal, first, second))


@pytest.mark.parametrize("make", [chain, branches])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_comes_back_to_the_same_bits(tmp_path, make, dtype):
    model = make(dtype, datasets.preprocessing.Standardize((100.0, 90.0), (50.0, 40.0)))
    if make is chain:
        model.fit(np.random.default_rng(0).integers(0, 256, (9, 5, 7, 2), dtype=np.uint8), np.arange(9) % 4,
                  optimizer=optimizers.SGD(0.1), progress=False)  # fmt: skip
        model.freeze(layers=["conv2d_1"])
    model.save(tmp_path / "m.npz")
    again = mtc.load_model(tmp_path / "m.npz")
    x = np.random.default_rng(1).integers(0, 256, (3, 5, 7, 2), dtype=np.uint8)
    assert same(model.predict(x), again.predict(x))  # of uint8 images, so the preprocessing is there as well
    assert again.config() == model.config() and again.dtype == dtype
    assert [layer.trainable for layer in again.layers] == [layer.trainable for layer in model.layers]
    fresh = make(dtype)
    report = fresh.load_weights(tmp_path / "m.npz").report
    assert fresh.fingerprints() == model.fingerprints()
    assert {row.goes_to: row.fingerprint for row in report.layers} == model.fingerprints()


def test_what_may_be_changed_while_it_is_loaded(tmp_path):
    chain("float64").save(str(tmp_path / "m.npz"))
    model = mtc.load_model(tmp_path / "m.npz", dtype="float32", seed=4, preprocessing="127/128", input_shape=(5, 7, 2))
    assert model.dtype == "float32" and model.seed == 4 and model.layers[0].key == (4, 0)
    assert model.preprocessing.config()["kind"] == "standardize"
    for options, message in (
        ({"input_shape": (5, 8, 2)}, r"m.npz: input_shape: the file has \(5, 7, 2\), got \(5, 8, 2\)"),
        ({"kernels": "theano"}, "m.npz: kernels: expected no such option for a file of minitorch_cnn"),
    ):
        with pytest.raises(ArgumentError, match=message):
            mtc.load_model(tmp_path / "m.npz", **options)
    with pytest.raises(ArgumentError, match=r"load_weights: by_name: expected a file of Keras with it, got m.npz"):
        model.load_weights(tmp_path / "m.npz", by_name=True)


def test_the_folder_of_a_run_and_another_one(tmp_path):
    with pytest.raises(WeightsError, match=r"it is a folder, expected a .keras or .h5 file$"):
        mtc.load_model(tmp_path)
    chain("float32").save(tmp_path / "model.npz")
    with pytest.raises(WeightsError, match=rf"it is the folder of a run, whose model is {tmp_path}/model.npz$"):
        mtc.load_model(tmp_path)


def test_other_files_and_other_models_are_one_line(tmp_path):
    chain().save(tmp_path / "m.npz")
    with pytest.raises(WeightsError, match=r"m.npz: block/conv/kernel: expected shape \(3, 3, 2, 2\), got none"):
        branches().load_weights(tmp_path / "m.npz")
    (tmp_path / "bad.npz").write_bytes(b"<html>")
    checkpoint.save(tmp_path / "other.npz", {("a", "b"): np.zeros(2)}, {"epoch": 1})
    for name in ("bad.npz", "other.npz", "missing.npz"):
        with pytest.raises(WeightsError) as caught:
            mtc.load_model(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name)) and "\n" not in str(caught.value)
    with pytest.raises(ArgumentError, match=r"save: expected a name that ends in .npz, .keras or .h5, got 'm.pth'"):
        chain().save(tmp_path / "m.pth")


def test_what_a_file_cannot_hold_is_refused_before_it_is_written(tmp_path):
    class Dense(layers.Dense):
        pass

    class Halve:
        def __call__(self, images, dtype="float32"):
            return images.astype(dtype) / 2

    own = mtc.Sequential([layers.Flatten(), Dense(2)], input_shape=(2, 2, 1), seed=0)
    with pytest.raises(ArgumentError, match=r"save: dense_1: expected a layer of minitorch_cnn.layers, got Dense"):
        own.save(tmp_path / "m.npz")
    with pytest.raises(ArgumentError, match=r"save: preprocessing: expected one of datasets.preprocessing, got Halve"):
        chain(preprocessing=Halve()).save(tmp_path / "m.npz")
    assert not list(tmp_path.iterdir())


def test_a_model_can_be_called():
    model = chain()
    x = np.random.default_rng(0).random((5, 5, 7, 2), dtype=np.float32)
    assert np.array_equal(model(x), model.predict(x)) and np.array_equal(model(x[:1]), model.predict(x[:1]))
    moving = model.get_layer("batch_norm_1").parameters["moving_mean"].copy()
    trained = model(x, training=True)  # dropout and the batch's own statistics
    assert not np.allclose(trained, model(x))
    assert not np.array_equal(moving, model.get_layer("batch_norm_1").parameters["moving_mean"])
    assert np.array_equal(branches()(x)[1], branches().predict(x)[1])
    with pytest.raises(ArgumentError, match="expected images, got a Value: a model is no layer of another model"):
        model(mtc.Input((5, 7, 2)))
