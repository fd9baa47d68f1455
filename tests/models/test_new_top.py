"""New tops on any network: where the old one begins, what is frozen, and what the base computes."""

import numpy as np
import pytest
from minitorch_cnn.preprocessing import Standardize, from_words
from new_top_models import SHAPE, chain, convolutional_top, residual

import minitorch_cnn as mtc
from minitorch_cnn import datasets, layers, models, optimizers
from minitorch_cnn.errors import ArgumentError, ShapeError
from minitorch_cnn.models import new_top
from minitorch_cnn.training import features

RNG = np.random.default_rng(3)
PHOTOS = RNG.integers(0, 256, (13, *SHAPE)).astype(np.uint8)
LABELS = np.arange(13) % 2

ENDS = {
    "global average": (residual, "last_map", layers.GlobalAveragePool2D),
    "global maximum": (lambda: residual(layers.GlobalMaxPool2D), "last_map", layers.GlobalMaxPool2D),
    "flatten in a graph": (lambda: residual(layers.Flatten), "last_map", layers.GlobalAveragePool2D),
    "no top, squeeze and excitation below": (lambda: residual(top=False), "last_map", layers.GlobalAveragePool2D),
    "a chain with a flatten": (chain, "pool", layers.GlobalAveragePool2D),
    "convolutions above the pool": (convolutional_top, "conv", layers.GlobalAveragePool2D),
    "resnet50": (lambda: models.resnet50(input_shape=(32, 35, 3)), "conv5_block3_out", layers.GlobalAveragePool2D),
    "mobilenet_v2": (lambda: models.mobilenet_v2(input_shape=(32, 35, 3)), "out_relu", layers.GlobalAveragePool2D),
    "efficientnet_b0": (
        lambda: models.efficientnet_b0(input_shape=(32, 35, 3)), "top_activation", layers.GlobalAveragePool2D,
    ),
    "efficientnet_b0 without the top": (
        lambda: models.efficientnet_b0(False, (32, 35, 3)), "top_activation", layers.GlobalAveragePool2D,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_where_the_top_begins(name):
    make, last, pool = ENDS[name]
    assert new_top.last_feature_map(make()) == (last, pool)


def test_networks_without_a_feature_map():
    for stack, shape in (([layers.Dense(3)], (7,)), ([layers.Flatten(), layers.Dense(3)], SHAPE)):
        with pytest.raises(ArgumentError, match="expected a feature map"):
            models.with_new_top(mtc.Sequential(stack, shape))
    x = mtc.Input(SHAPE)
    with pytest.raises(ArgumentError, match="one input and one output, got 1 and 2"):
        models.with_new_top(mtc.Model(x, [layers.ReLU()(x), layers.Tanh()(x)]))


@pytest.mark.parametrize("pool, reduce", [(layers.GlobalAveragePool2D, np.mean), (layers.GlobalMaxPool2D, np.max)])
def test_the_new_network_is_the_old_base_and_the_new_top(pool, reduce):
    """The old network's feature map, pooled and put through the new dense layer by hand."""
    old = residual(pool)
    old.preprocessing = from_words("127/128")
    feature_map = old.copy().cut(after="last_map").predict(PHOTOS)
    model = models.with_new_top(old)
    assert [type(layer).__name__ for layer in model.layers[-3:]] == [pool.__name__, "Dropout", "Dense"]
    dense = model.layers[-1].parameters
    scores = reduce(feature_map, axis=(1, 2)) @ dense["kernel"] + dense["bias"]
    np.testing.assert_allclose(model.predict(PHOTOS), 1 / (1 + np.exp(-scores)), rtol=1e-5)
    assert model.preprocessing.config() == Standardize([127.0] * 3, [128.0] * 3).config()
    learning = [layer.name for layer in model.layers if layer.learns]
    assert learning == [model.layers[-1].name]


def test_more_classes_get_a_softmax():
    model = models.with_new_top(residual(), classes=4, dropout=0.5)
    assert model.output_shape == (4,) and model.layers[-1].activation.name == "softmax"
    assert model.layers[-2].rate == 0.5


def test_features_are_computed_once_and_are_those_of_predicting():
    """The stochastic depth inside the base is off, so all of it is deterministic and can be cached."""
    model = models.with_new_top(residual())
    assert model.get_layer("block_drop").rate == 0 and model.get_layer("block_drop").random is False
    depth = features.fixed_depth(model)
    assert model.nodes()[depth - 1].layer.output_shape == (6,)  # with the pool: 6 numbers for a photo
    cached = features.base_features(model, PHOTOS, batch_size=5, progress=False)
    expected = residual().cut(after="last_map").predict(PHOTOS).mean(axis=(1, 2))
    np.testing.assert_allclose(cached, expected, rtol=1e-5)


@pytest.mark.parametrize("cache", [True, False], ids=["cached", "not cached"])
def test_batch_norms_stay_as_they_are_in_both_phases(cache):
    model, old = models.with_new_top(residual()), residual()
    options = {"batch_size": 5, "progress": False, "cache_features": cache}
    model.fit(PHOTOS, LABELS, optimizer=optimizers.Adam(0.01), epochs=2, **options)
    for layer in old.cut(after="last_map").layers:
        for name, array in layer.parameters.items():
            assert np.array_equal(model.get_layer(layer.name).parameters[name], array), (layer.name, name)
    assert models.unfreeze_base(model) == ["stem_bn", "block_bn"]
    model.fit(
        PHOTOS, LABELS, optimizer=optimizers.Adam(0.01), epochs=2, augment=datasets.Augmentation(flip=True), **options
    )
    old = residual()
    for layer in model.layers[:-3]:
        for name, array in layer.parameters.items():
            same = np.array_equal(array, old.get_layer(layer.name).parameters[name])
            assert same == isinstance(layer, layers.BatchNorm), (layer.name, name)


@pytest.mark.parametrize(
    "first, lower",
    [
        ("squeeze_conv", {"stem_conv", "block_depthwise"}),
        ("block_depthwise", {"stem_conv"}),
        ("stem_conv", set()),
        ("last_conv", {"stem_conv", "block_depthwise", "squeeze_conv"}),
    ],
)
def test_what_lies_below_the_first_layer_to_learn_stays_frozen(first, lower):
    model = models.with_new_top(residual())
    assert models.unfreeze_base(model, first) == ["stem_bn", "block_bn"]
    with_weights = [layer for layer in model.layers if layer.parameter_shapes()]
    frozen = {layer.name for layer in with_weights if not layer.trainable}
    assert frozen == lower | {"stem_bn", "block_bn"} and first not in frozen


def test_a_pass_in_training_is_that_of_predicting():
    """With batch statistics or dropout in the base it would not be."""
    model = models.with_new_top(residual(), dropout=0.0)
    models.unfreeze_base(model)
    np.testing.assert_array_equal(
        model.forward(model.receive(PHOTOS), training=True), model.forward(model.receive(PHOTOS))
    )


def test_another_size():
    x = RNG.integers(0, 256, (2, 53, 31, 3)).astype(np.uint8)
    model, same = models.with_new_top(residual(), size=(53, 31)), models.with_new_top(residual(shape=(53, 31, 3)))
    assert model.input_shape == (53, 31, 3)
    np.testing.assert_allclose(model.predict(x), same.predict(x), rtol=1e-6)
    stack = [layers.PReLU(name="by_pixel"), layers.GlobalAveragePool2D(), layers.Dense(2)]
    with pytest.raises(ShapeError, match="by_pixel: its weights are for images of 40x37, got 53x31"):
        models.with_new_top(mtc.Sequential(stack, SHAPE), size=(53, 31))


def test_which_networks_hold_their_preprocessing():
    x = mtc.Input(SHAPE)
    padded = mtc.Model(x, layers.Conv2D(2, 3)(layers.Rescaling(2)(layers.ZeroPad2D(1)(x))))
    both = mtc.Model(x := mtc.Input(SHAPE), layers.Add()([layers.Rescaling(2)(x), x]))
    found = [new_top.has_preprocessing(each) for each in (residual(inside=True), padded, residual(), both, chain())]
    assert found == [True, True, False, False, False]
    assert new_top.has_preprocessing(models.efficientnet_b0(False, (32, 32, 3)))


def test_preprocessing_in_words():
    """As `keras.applications.imagenet_utils.preprocess_input` computes them."""
    x = PHOTOS.astype(np.float32)
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = {
        "caffe": x[..., ::-1] - np.array([103.939, 116.779, 123.68]),
        "tf": x / 127.5 - 1,
        "torch": (x / 255 - mean) / deviation,
        "unit": x / 255,
        "127/128": (x - 127) / 128,
        "10,20.5,30/2,4,5": (x - [10, 20.5, 30]) / [2, 4, 5],
    }
    for words, wanted in expected.items():
        got = from_words(words)(PHOTOS)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-4, err_msg=words)
    assert from_words("none") is None
    for words in ("", "rgb", "127", "1,2/3", "1/2/3", "a/b", "1/0", "nan/1", "1,2/3,4"):
        with pytest.raises(ArgumentError, match="preprocessing: "):
            from_words(words)
