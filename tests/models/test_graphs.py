"""Networks with branches: passes, shared layers, several inputs and outputs, surgery, descriptions, training."""

import json
import pickle

import numpy as np
import pytest
from graph_models import LABELS, SHAPE, X, residual, siamese, two_answers
from minitorch_cnn.callbacks import Checkpoint

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses, optimizers
from minitorch_cnn.arrays import definitions_only
from minitorch_cnn.engine import passes
from minitorch_cnn.errors import ArgumentError, LabelError, ShapeError
from minitorch_cnn.gradients.grad_cam import grad_cam
from minitorch_cnn.training import features


def test_a_residual_block_by_hand():
    """y = relu(x W1) + x W1 with two dense layers as numbers: the value that is read twice gets both gradients."""
    x = mtc.Input((2,))
    a = layers.Dense(2, name="a")(x)
    model = mtc.Model(x, layers.Add()([a, layers.Dense(2, name="b")(a)]), seed=0)
    A, B = np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([[0.5, 0.0], [-1.0, 2.0]])
    model.get_layer("a").parameters["kernel"], model.get_layer("b").parameters["kernel"] = A, B
    given, dy = np.array([[1.0, -2.0], [0.5, 4.0]]), np.array([[1.0, 0.5], [-2.0, 3.0]])
    np.testing.assert_allclose(model.forward(given), given @ A + given @ A @ B, rtol=1e-6)
    dx = model.backward(dy)
    da = dy + dy @ B.T  # both ways from a to the output
    np.testing.assert_allclose(model.get_layer("a").gradients["kernel"], given.T @ da, rtol=1e-6)
    np.testing.assert_allclose(model.get_layer("b").gradients["kernel"], (given @ A).T @ dy, rtol=1e-6)
    np.testing.assert_allclose(dx, da @ A.T, rtol=1e-6)


@pytest.mark.parametrize("make", [residual, two_answers, siamese])
def test_gradients_against_differences(make):
    model = make()
    if model.outputs > 1:
        model = model.cut(after="size")
    assert mtc.gradient_check(model).passed
    assert mtc.gradient_check(model, training=True).passed


def test_a_layer_used_twice_adds_its_gradients():
    model = siamese()
    pair = [X[:5].astype("float64"), X[5:10].astype("float64")]
    model = model.copy("float64")
    model.forward(pair)
    dx = model.backward(np.ones((5, 1)))
    both = model.get_layer("words").gradients["kernel"].copy()
    assert [each.shape for each in dx] == [(5, *SHAPE)] * 2
    kernel, step = model.get_layer("words").parameters["kernel"], 1e-6
    before = kernel[3, 2]
    values = []
    for way in (step, -step):
        kernel[3, 2] = before + way
        values.append(model.forward(pair).sum())
    assert both[3, 2] == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5)
    assert [layer.name for layer in model.layers].count("words") == 1 and len(model.nodes()) == 10


def test_the_same_value_twice_as_an_input():
    x = mtc.Input((3,))
    model = mtc.Model(x, layers.Multiply()([x, x]))
    given = np.array([[1.0, -2.0, 3.0]], np.float32)
    np.testing.assert_array_equal(model.forward(given), given**2)
    np.testing.assert_array_equal(model.backward(np.ones((1, 3))), 2 * given)


def test_a_chain_as_a_model_and_as_a_sequential_have_the_same_bits():
    def stack():
        return [layers.Conv2D(16, 3, activation="relu"), layers.MaxPool2D(2), layers.Dropout(0.3), layers.Flatten(),
                layers.Dense(4, activation="softmax")]  # fmt: skip

    chain = mtc.Sequential(stack(), SHAPE, seed=3)
    value = x = mtc.Input(SHAPE)
    for layer in stack():
        value = layer(value)
    graph = mtc.Model(x, value, seed=3)
    for model in (chain, graph):
        model.history = model.fit(X, LABELS, optimizer=optimizers.Adam(0.01), epochs=3, batch_size=5, progress=False)
    np.testing.assert_array_equal(chain.vector.values, graph.vector.values)
    assert chain.history["loss"] == graph.history["loss"]
    np.testing.assert_array_equal(chain.predict(X), graph.predict(X))


def test_a_pool_is_not_merged_into_a_convolution_that_others_read():
    """The stage for convolution and pool writes no feature map, so it may not stand where the map is needed."""
    x = mtc.Input(SHAPE)
    y = layers.Conv2D(16, 3, activation="relu")(x)
    pooled, mean = layers.Flatten()(layers.MaxPool2D(2)(y)), layers.GlobalAveragePool2D()(y)
    model = mtc.Model(x, layers.Concatenate()([pooled, mean]), seed=0)
    ends = mtc.Model(z := mtc.Input(SHAPE), [(w := layers.Conv2D(16, 3, activation="relu")(z)), layers.MaxPool2D(2)(w)])
    for each in (model, ends):
        compiled = each.predict(X[:3])
        with definitions_only():
            plain = each.predict(X[:3])
        for one, other in zip(*(made if isinstance(made, list) else [made] for made in (compiled, plain))):
            np.testing.assert_allclose(one, other, atol=1e-4)


def test_two_outputs_add_up_their_losses():
    model, sizes = two_answers(), np.linspace(-1, 1, 14)[:, None].astype("float32")
    pair = [losses.CrossEntropy(), losses.MeanSquaredError()]
    total = model.loss_and_gradients(X, [LABELS, sizes], pair)
    gradient = model.get_layer("conv2d_1").gradients["kernel"].copy()
    kind, size = model.forward(X)
    expected = pair[0].value_and_gradient(kind, LABELS), pair[1].value_and_gradient(size, sizes)
    assert total == pytest.approx(expected[0][0] + expected[1][0], rel=1e-5)
    model.backward([each[1] for each in expected])
    np.testing.assert_allclose(model.get_layer("conv2d_1").gradients["kernel"], gradient, rtol=2e-3, atol=1e-6)
    assert model.default_loss()[0].follows == "softmax" and len(model.default_loss()) == 2
    assert model.evaluate(X, [LABELS, sizes])["loss"] == pytest.approx(total, rel=1e-5)


def test_training_two_outputs_and_resuming(tmp_path):
    sizes = np.linspace(-1, 1, 14)[:, None].astype("float32")

    def train(epochs, **options):
        model = two_answers()
        history = model.fit(
            X, [LABELS, sizes], optimizer=optimizers.SGD(0.05, momentum=0.9), epochs=epochs, batch_size=4,
            validation=(X[:6], [LABELS[:6], sizes[:6]]), callbacks=[Checkpoint(tmp_path / "c.npz")], progress=False,
            **options,
        )  # fmt: skip
        return model, history

    whole, history = train(6)
    assert history["loss"][-1] < history["loss"][0] and len(history["val_loss"]) == 6
    (tmp_path / "c.npz").unlink()
    train(3)
    resumed, _ = train(6, resume=tmp_path / "c.npz")
    np.testing.assert_array_equal(whole.vector.values, resumed.vector.values)


def test_training_two_inputs():
    model, pair = siamese(), [X[:12], X[::-1][:12]]
    same = np.arange(12) % 2
    history = model.fit(pair, same, optimizer=optimizers.Adam(0.01), epochs=30, batch_size=5, progress=False)
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert model.predict(pair, batch_size=5).shape == (12, 1)
    assert model.evaluate(pair, same)["accuracy"] > 0.9


WRONG = [
    (lambda: siamese().predict(X), ArgumentError, "predict: expected a list of 2 arrays, got ndarray"),
    (lambda: siamese().forward([X]), ShapeError, "expected a list of 2 arrays, one for each input, got a list of 1"),
    (lambda: siamese().forward([X[:2], X[:3]]), ShapeError, "as many images for each input, got [2, 3]"),
    (lambda: siamese().fit([X, X[:3]], LABELS, optimizer=optimizers.SGD(0.1)), ArgumentError, "arrays of one length"),
    (lambda: two_answers().loss_and_gradients(X, LABELS, losses.MeanSquaredError()), LabelError, "each of the 2"),
    (lambda: two_answers().backward(X), LabelError, "dy: expected a list with one for each of the 2 outputs"),
    (lambda: two_answers().extend([layers.Dense(2)]), ArgumentError, "one output, got one with 2"),
    (lambda: mtc.Model(mtc.Input((3,)), mtc.Input((3,))), ArgumentError, "inputs that the outputs depend on"),
    (lambda: mtc.Model(X, X), ArgumentError, "expected results of Input or of layers, got ndarray"),
    (lambda: layers.Dense(3)(X), ArgumentError, "dense: expected the result of Input or of a layer, got ndarray"),
    (lambda: layers.Add()(mtc.Input((3,))), ShapeError, "add: expected a list of at least two inputs"),
    (lambda: layers.Add()([mtc.Input((3,)), mtc.Input((4,))]), ShapeError, "length 1, got (3,), (4,)"),
    (lambda: layers.Concatenate()([mtc.Input((3, 2, 1)), mtc.Input((4, 2, 1))]), ShapeError, "differ along axis -1"),
    (lambda: layers.Dense(3)(mtc.Input((4, 4, 1))), ShapeError, "put a Flatten before it"),
    (lambda: mtc.Input((3, -1)), ArgumentError, "Input: expected a shape of whole numbers"),
]


@pytest.mark.parametrize("act, kind, words", WRONG, ids=[words for _, _, words in WRONG])
def test_mistakes_end_in_one_line(act, kind, words):
    with pytest.raises(kind) as error:
        act()
    assert words in str(error.value) and "\n" not in str(error.value)


def test_an_input_that_is_missing_and_a_layer_of_another_model():
    x, other = mtc.Input((3,)), mtc.Input((3,))
    with pytest.raises(ArgumentError, match="which is not among the inputs"):
        mtc.Model(x, layers.Add()([x, other]))
    dense = layers.Dense(2)
    mtc.Model(x, dense(x))
    with pytest.raises(ArgumentError, match="already belongs to a model"):
        dense(other)
    shared = layers.Dense(2)
    shared(x)
    with pytest.raises(ShapeError, match=r"used twice, so it expects the same input \(3,\), got \(4,\)"):
        shared(mtc.Input((4,)))


@pytest.mark.parametrize("make", [residual, siamese, two_answers])
def test_description_copy_and_pickle_give_the_same_bits(make):
    model = make()
    given = [X[:4], X[4:8]] if model.inputs > 1 else X[:4]
    expected = model.predict(given)
    again = mtc.Model.from_config(json.loads(json.dumps(model.config())))
    for other in (again, model.copy(), pickle.loads(pickle.dumps(model))):
        for one, two in zip(*(made if isinstance(made, list) else [made] for made in (expected, other.predict(given)))):
            np.testing.assert_array_equal(one, two)
        assert other.config() == model.config()


def test_cutting_keeps_what_the_layer_depends_on():
    model = residual()
    inner = {node.layer.name for node in model.nodes()}
    expected = passes.forward(model.nodes()[:5], [X])[0]
    cut = model.cut(after="add_1")
    assert {layer.name for layer in cut.layers} == inner & {"conv2d_1", "batch_norm_1", "conv2d_2", "add_1"}
    np.testing.assert_allclose(np.maximum(cut.predict(X), 0), expected, atol=1e-5)
    with pytest.raises(ArgumentError, match="used up by cut"):
        model.predict(X)
    new = cut.extend([layers.Flatten(), layers.Dense(2, activation="softmax")])
    new.freeze(through="add_1")
    assert [layer.name for layer in new.layers if layer.learns] == ["dense_1"]
    assert new.predict(X).shape == (14, 2)
    assert [node.output for node in new.nodes()] == list(range(1, len(new.nodes()) + 1))  # no number is left out


def test_cutting_off_an_input():
    model = siamese().cut(after="eye")  # the last place of the layer: the second image
    assert model.inputs == 1 and model.predict(X).shape == (14, 9, 7, 5)


def test_freezing_through_a_layer_leaves_other_branches_alone():
    model = residual().freeze(through="add_1")
    frozen = {layer.name for layer in model.layers if layer.parameters and not layer.trainable}
    assert frozen == {"conv2d_1", "batch_norm_1", "conv2d_2"}
    model.unfreeze().freeze(through="short")
    assert "conv2d_3" not in {layer.name for layer in model.layers if layer.parameters and not layer.trainable}


@pytest.mark.parametrize("frozen, depth", [
    (["conv2d_1", "batch_norm_1", "conv2d_2"], 6), (["conv2d_1", "batch_norm_1"], 1),
    (["conv2d_1", "batch_norm_1", "conv2d_2", "conv2d_3"], 6), (["batch_norm_1"], 0),
])  # fmt: skip
def test_features_are_cached_before_the_block_that_still_has_branches(frozen, depth):
    model, whole = residual(), residual()
    for each in (model, whole):
        each.freeze(layers=frozen)
    assert features.fixed_depth(model) == depth
    options = {"optimizer": optimizers.SGD(0.1), "epochs": 3, "batch_size": 5, "progress": False}
    first = model.fit(X, LABELS, **options)
    options["optimizer"] = optimizers.SGD(0.1)
    second = whole.fit(X, LABELS, **options, cache_features=False)
    np.testing.assert_allclose(first["loss"], second["loss"], rtol=1e-5)
    np.testing.assert_allclose(model.predict(X), whole.predict(X), rtol=1e-4, atol=1e-6)


def test_grad_cam_at_the_end_of_a_block():
    model = residual()
    heat = grad_cam(model, X[0], "add_2", output=2)
    kernel = model.get_layer("dense_1").parameters["kernel"]
    feature_map = model.copy().cut(after="add_2").predict(X[:1])[0]
    by_hand = np.maximum(feature_map @ kernel[:, 2], 0)
    from minitorch_cnn.gradients.grad_cam import resize

    np.testing.assert_allclose(heat, resize(by_hand / by_hand.max(), *SHAPE[:2]), atol=1e-4)


def test_values_are_dropped_as_soon_as_no_node_reads_them():
    alive = []

    class Watch(passes.Observer):
        def after_forward(self, node, x, y, kept):
            import gc
            import weakref

            alive.append(weakref.ref(y))
            gc.collect()
            counts.append(sum(each() is not None for each in alive))

    counts = []
    model = mtc.Sequential([layers.Tanh() for _ in range(6)], (5,))
    passes.forward(model.nodes(), [np.ones((2, 5))], observer=Watch())
    assert max(counts) == 2  # what the node reads, and what it makes
