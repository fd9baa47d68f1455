"""Cutting and extending: the same layers in one flat row, the same weights, and the old model is used up."""

import gc
import weakref

import numpy as np
import pytest
from minitorch_cnn.preprocessing import Caffe, Unit
from surgery_models import LABELS, LOSS, X, names, small_net, top, weights

import minitorch_cnn as mtc
from minitorch_cnn import layers, models, optimizers
from minitorch_cnn.errors import ArgumentError, ShapeError


def test_the_recipe_of_the_slides():
    base = models.vgg16(include_top=False, input_shape=(32, 32, 3))
    some = ("block1_conv1", "block3_conv2", "block5_conv3")
    before = [base.get_layer(name).parameters["kernel"].tobytes() for name in some]
    model = base.cut(after="block5_pool").extend(
        [
            layers.Flatten(),
            layers.Dense(256, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.freeze(through="block5_pool")
    assert names(model)[-5:] == ["block5_pool", "flatten_1", "dense_1", "dropout_1", "dense_2"]
    assert [layer.name for layer in model.layers if layer.parameters and layer.trainable] == ["dense_1", "dense_2"]
    assert [model.get_layer(name).parameters["kernel"].tobytes() for name in some] == before
    model.unfreeze()
    assert model.lowest_trainable() == 0
    model.freeze(layers=["block1_conv1"])
    assert [layer.name for layer in model.layers if not layer.trainable] == ["block1_conv1"]
    assert isinstance(model.preprocessing, Caffe)


def test_cut_keeps_what_the_lower_layers_compute():
    whole, cut = small_net(), small_net().cut(after="block2_pool")
    y = X
    for layer in whole.layers[:5]:
        y = layer.forward(y)
    assert names(cut) == names(whole)[:5] and cut.output_shape == (2, 2, 4)
    np.testing.assert_array_equal(cut.predict(X), y)
    assert weights(cut) == {key: value for key, value in weights(whole).items() if key[0] in names(cut)}


@pytest.mark.parametrize("name", ["block1_conv1", "flatten_1", "dense_2"])
def test_cut_after_any_layer(name):
    whole = small_net()
    place = names(whole).index(name)
    model = small_net().cut(name)
    assert names(model) == names(whole)[: place + 1]
    assert model.forward(X).shape == (6, *whole.layers[place].output_shape)
    assert all(type(layer) is type(old) for layer, old in zip(model.layers, whole.layers))


def test_what_else_a_model_has_comes_along():
    base = small_net(seed=11, dtype="float64", preprocessing=Unit())
    base.get_layer("block1_conv1").trainable = False
    kind, preprocessing = type(base), base.preprocessing
    model = base.cut(after="block2_pool").extend(top())
    assert (type(model), model.seed, model.dtype, model.preprocessing) == (kind, 11, np.float64, preprocessing)
    assert not model.get_layer("block1_conv1").trainable and model.get_layer("block2_conv1").trainable
    again = mtc.Sequential.from_config(model.config())
    assert names(again) == names(model) and again.config() == model.config()


def test_new_layers_are_drawn_from_the_seed():
    one, same, other = (small_net(seed).cut(after="block2_pool").extend(top()) for seed in (3, 3, 4))
    kernels = [model.get_layer("dense_1").parameters["kernel"] for model in (one, same, other)]
    assert np.array_equal(kernels[0], kernels[1]) and not np.array_equal(kernels[0], kernels[2])
    assert np.std(kernels[0]) > 0.1


def test_the_result_trains_like_a_model_built_in_one_go():
    """Losses and weights of five steps, dropout included, are those of a model that was never cut."""
    whole, cut = small_net(), small_net()
    cut = cut.cut(after="flatten_1").extend([layers.Dense(5, "tanh"), layers.Dropout(0.25), layers.Dense(3, "softmax")])
    assert names(cut) == names(whole) and weights(cut) == weights(whole)
    ways = [(model, optimizers.Adam(0.01)) for model in (whole, cut)]
    for _ in range(5):
        first, second = (model.train_step(X, LABELS, LOSS, optimizer) for model, optimizer in ways)
        assert first == second
    assert weights(cut) == weights(whole)


def test_automatic_names_give_way():
    model = small_net()  # has flatten_1, dense_1, dropout_1, dense_2
    model = model.extend([layers.Dense(4), layers.Dense(2, name="dense_4"), layers.Dense(3)])
    assert names(model)[-5:] == ["dropout_1", "dense_2", "dense_3", "dense_4", "dense_5"]
    model = model.cut(after="dense_1").extend([layers.Dense(2)])
    assert names(model)[-2:] == ["dense_1", "dense_2"]


def test_one_layer_may_come_without_a_list():
    assert names(small_net().extend(layers.Dense(2)))[-1] == "dense_3"


def test_weights_move_and_are_not_kept_twice():
    base = small_net()
    vector, dense = weakref.ref(base.vector), base.get_layer("dense_1")
    conv = base.get_layer("block1_conv1")
    model = base.cut(after="block2_pool")
    del dense
    gc.collect()
    assert vector() is None  # though `base` is still there
    assert model.get_layer("block1_conv1") is conv and conv.parameters["kernel"].base is model.vector.values
    assert base is not model


@pytest.mark.parametrize(
    "use",
    [
        lambda model: model.forward(X),
        lambda model: model.predict(X),
        lambda model: model.evaluate(X, LABELS),
        lambda model: model.backward(np.ones((6, 3), "float32")),
        lambda model: model.fit(X, LABELS, optimizer=optimizers.SGD()),
        lambda model: model.train_step(X, LABELS, LOSS, optimizers.SGD()),
        lambda model: optimizers.SGD().step(model),
        lambda model: model.summary(),
        lambda model: model.state(),
        lambda model: model.config(),
        lambda model: model.copy(),
        lambda model: model.get_layer("block1_conv1"),
        lambda model: model.layers[0],
        lambda model: model.build((8, 8, 2)),
        lambda model: model.output_shape,
        lambda model: model.vector.values,
        lambda model: model.cut(after="block1_pool"),
        lambda model: model.extend(top()),
        lambda model: model.freeze(),
        lambda model: model.unfreeze(layers=["block1_conv1"]),
        lambda model: model.save_weights("never.h5"),
        lambda model: model.fingerprints(),
    ],
)
@pytest.mark.parametrize("act", ["cut", "extend"])
def test_a_used_up_model_says_so(act, use, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = small_net()
    result = model.cut(after="block2_pool") if act == "cut" else model.extend([layers.Dense(2)])
    before = weights(result)
    with pytest.raises(ArgumentError, match=f"used up by {act}: its layers are in the model that {act} returned"):
        use(model)
    assert weights(result) == before and not list(tmp_path.iterdir())


def test_a_copy_keeps_both():
    model = small_net()
    before = weights(model)
    cut = model.copy().cut(after="block2_pool").extend(top())
    cut.train_step(X, LABELS, LOSS, optimizers.SGD(0.5))
    assert weights(model) == before and model.forward(X).shape == (6, 3)


TAKEN = layers.Dense(2)
mtc.Sequential([TAKEN], (4,))


@pytest.mark.parametrize(
    "act, error, message",
    [
        (lambda model: model.cut(after="block9_pool"), ArgumentError, "no layer is called 'block9_pool'; there are"),
        (lambda model: model.extend([]), ArgumentError, "extend: expected at least one layer, got none"),
        (lambda model: model.extend([small_net()]), ArgumentError, "expected a list of layers, got Sequential"),
        (lambda model: model.extend([layers.Dense]), ArgumentError, "expected a list of layers, got type"),
        (lambda model: model.extend("dense"), ArgumentError, "expected a list of layers, got str"),
        (lambda model: model.extend([TAKEN]), ArgumentError, "already belongs to a model"),
        (lambda model: model.extend([model.layers[-1]]), ArgumentError, "dense_2: already belongs to a model"),
        (lambda model: model.extend([layers.Dense(2, name="dense_1")]), ArgumentError, "dense_1: two layers have this"),
        (lambda model: model.extend([layers.Dense(2), layers.MaxPool2D(2)]), ShapeError, "max_pool2d_1: expected"),
    ],
)
def test_a_mistake_is_one_line_and_costs_nothing(act, error, message):
    model = small_net()
    before, prediction = weights(model), model.predict(X)
    with pytest.raises(error) as raised:
        act(model)
    assert message in str(raised.value) and "\n" not in str(raised.value)
    assert weights(model) == before and np.array_equal(model.predict(X), prediction)
    model.train_step(X, LABELS, LOSS, optimizers.SGD(0.1))


def test_layers_that_did_not_fit_can_be_used_again():
    base, dense = small_net().cut(after="block2_pool"), layers.Dense(7)
    with pytest.raises(ShapeError, match=r"dense_1: expected input of shape \(D,\), got \(2, 2, 4\); put a Flatten"):
        base.extend([dense])
    model = base.extend([layers.Flatten(), dense])
    assert model.output_shape == (7,) and names(model)[-1] == "dense_1"


def test_a_model_without_shapes():
    model = mtc.Sequential([layers.Flatten(), layers.Dense(2)])
    for act in (lambda: model.cut(after="flatten_1"), lambda: model.extend([layers.Dense(3)]), model.freeze):
        with pytest.raises(ArgumentError, match="the model has no shapes yet"):
            act()
    with pytest.raises(ArgumentError, match="Sequential: expected layers, got Sequential"):
        mtc.Sequential([small_net(), layers.Dense(3)])


def test_an_optimizer_in_use_goes_on_with_the_new_model():
    """Layers that stay keep their momentum; a new one has none, though it has the name and shape of one cut off."""
    model, optimizer = small_net(dtype="float64"), optimizers.SGD(0.1, momentum=0.9)
    model.train_step(X, LABELS, LOSS, optimizer)
    momentum = {key[1:]: array.copy() for key, array in optimizer.state().items()}
    new = [layers.Flatten(), layers.Dense(5, "tanh"), layers.Dense(3, "softmax")]
    model = model.cut(after="block2_pool").extend(new)
    before = {(layer.name, name): array.copy() for layer in model.layers for name, array in layer.parameters.items()}
    model.loss_and_gradients(X, LABELS, LOSS)
    gradients = {(layer.name, name): array.copy() for layer in model.layers for name, array in layer.gradients.items()}
    optimizer.step(model)
    for (layer, name), gradient in gradients.items():
        old = momentum[layer, name].reshape(gradient.shape) if layer.startswith("block") else 0.0
        expected = before[layer, name] + 0.9 * old - 0.1 * gradient
        np.testing.assert_allclose(model.get_layer(layer).parameters[name], expected, rtol=1e-12)
    assert {key[0] for key in gradients} == {"block1_conv1", "block1_norm", "block2_conv1", "dense_1", "dense_2"}
