"""The model: names, shapes, passes, predictions, description and state, and what it says to what cannot be."""

import json

import numpy as np
import pytest
from engine_helpers import normal, one_line, relative_error
from minitorch_cnn.preprocessing import Standardize, Unit

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses, optimizers
from minitorch_cnn.errors import ArgumentError, LabelError, ShapeError, UserError


def small(seed=0, dtype="float64", **options):
    stack = [
        layers.Conv2D(3, (3, 2), padding="same", activation="relu"),
        layers.MaxPool2D((2, 3)),
        layers.BatchNorm(),
        layers.Dropout(0.4),
        layers.Flatten(),
        layers.Dense(3, "softmax"),
    ]
    return mtc.Sequential(stack, (5, 6, 2), seed=seed, dtype=dtype, **options)


X, LABELS = normal((7, 5, 6, 2)), np.array([0, 2, 1, 1, 0, 2, 2])

# Names.


@pytest.mark.parametrize(
    "given, names",
    [
        ([None, None, None], ["dense_1", "dense_2", "dense_3"]),
        ([None, "head", None], ["dense_1", "head", "dense_2"]),
        (["dense_1", None, None], ["dense_1", "dense_2", "dense_3"]),
        ([None, None, "dense_2"], ["dense_1", "dense_3", "dense_2"]),
    ],
)
def test_names(given, names):
    model = mtc.Sequential([layers.Dense(2, name=name) for name in given], (3,))
    assert [layer.name for layer in model.layers] == names
    assert model.get_layer(names[1]) is model.layers[1]


def test_the_number_counts_the_layers_of_a_kind():
    stack = [layers.Conv2D(2, 1), layers.ReLU(), layers.MaxPool2D(1), layers.Conv2D(2, 1), layers.ZeroPad2D(),
             layers.ReLU(), layers.GlobalAveragePool2D(), layers.BatchNorm()]  # fmt: skip
    assert [layer.name for layer in mtc.Sequential(stack).layers] == [
        "conv2d_1", "relu_1", "max_pool2d_1", "conv2d_2", "zero_pad2d_1", "relu_2", "global_average_pool2d_1",
        "batch_norm_1",
    ]  # fmt: skip


# What cannot be, and which words the error must have.
CANNOT_BE = {
    "two layers of one name": (
        lambda: mtc.Sequential([layers.Dense(2, name="a"), layers.Dense(2, name="a")]),
        ArgumentError,
        ["a:", "two layers have this name"],
    ),
    "no layers": (lambda: mtc.Sequential([], (3,)), ArgumentError, ["at least one layer"]),
    "dense on an image": (
        lambda: mtc.Sequential([layers.Dense(2)], (4, 5, 3)),
        ShapeError,
        ["dense_1", "(D,)", "(4, 5, 3)", "Flatten"],
    ),
    "dense after a convolution": (
        lambda: mtc.Sequential([layers.Conv2D(2, 3), layers.ReLU(), layers.Dense(2, name="head")], (4, 5, 3)),
        ShapeError,
        ["head", "(D,)", "(2, 3, 2)"],
    ),
    "convolution on a row": (
        lambda: mtc.Sequential([layers.Flatten(), layers.Conv2D(2, 3)], (4, 5, 3)),
        ShapeError,
        ["conv2d_1", "(H, W, C)", "(60,)"],
    ),
    "image shrunk away": (
        lambda: mtc.Sequential([layers.MaxPool2D(4), layers.Conv2D(2, (3, 1))], (9, 8, 3)),
        ShapeError,
        ["conv2d_1", "3x1", "2x2"],
    ),
    "pool larger than the image": (
        lambda: mtc.Sequential([layers.AveragePool2D((2, 6))], (4, 5, 3)),
        ShapeError,
        ["average_pool2d_1", "2x6", "4x5"],
    ),
    "global pool on a row": (
        lambda: mtc.Sequential([layers.GlobalAveragePool2D()], (5,)),
        ShapeError,
        ["global_average_pool2d_1", "(H, W, C)", "(5,)"],
    ),
    "a layer in two models": (
        lambda: mtc.Sequential(mtc.Sequential([layers.Dense(2)], (3,)).layers, (3,)),
        ArgumentError,
        ["dense_1", "already"],
    ),
    "dtype": (lambda: mtc.Sequential([layers.Dense(2)], (3,), dtype="float16"), ArgumentError, ["dtype", "float16"]),
    "activation": (lambda: layers.Dense(2, "swash"), ArgumentError, ["activation", "relu", "'swash'"]),
    "algorithm": (lambda: layers.Conv2D(2, 3, algorithm="fft"), ArgumentError, ["algorithm", "im2col", "'fft'"]),
    "filters": (lambda: layers.Conv2D(0, 3), ArgumentError, ["conv2d", "filters", "0"]),
    "kernel size": (lambda: layers.Conv2D(2, (3, 3, 3), name="first"), ArgumentError, ["first", "kernel_size"]),
    "strides": (lambda: layers.Conv2D(2, 3, strides=0), ArgumentError, ["strides", "0"]),
    "padding": (lambda: layers.Conv2D(2, 3, padding="full"), ArgumentError, ["padding", "'full'"]),
    "zero padding": (lambda: layers.ZeroPad2D("same"), ArgumentError, ["zero_pad2d", "padding", "'same'"]),
    "pool size": (lambda: layers.MaxPool2D(2.5), ArgumentError, ["pool_size", "2.5"]),
    "units": (lambda: layers.Dense(-3), ArgumentError, ["units", "-3"]),
    "dropout rate": (lambda: layers.Dropout(1), ArgumentError, ["dropout", "rate", "1"]),
    "batch norm": (lambda: layers.BatchNorm(momentum=2), ArgumentError, ["batch_norm", "momentum", "2"]),
    "unknown layer": (lambda: small().get_layer("conv9"), ArgumentError, ["'conv9'", "conv2d_1", "dense_1"]),
    "another image size": (
        lambda: small().forward(normal((2, 6, 5, 2))),
        ShapeError,
        ["conv2d_1", "(N, 5, 6, 2)", "(2, 6, 5, 2)"],
    ),
    "one image without N": (lambda: small().predict(X[0]), ShapeError, ["(N, 5, 6, 2)", "(5, 6, 2)"]),
    "words": (lambda: small().forward(np.full((1, 5, 6, 2), "a")), ArgumentError, ["conv2d_1", "real numbers", "<U1"]),
    "complex numbers": (lambda: small().forward(X * 1j), ArgumentError, ["real numbers", "complex128"]),
    "backward before forward": (lambda: small().backward(np.ones((2, 3))), ArgumentError, ["dense_1", "forward"]),
    "dy of another shape": (
        lambda: small().backward(np.ones((7, 4))),
        ShapeError,
        ["dense_1", "(N, 3)", "(7, 4)"],
    ),
    "a layer alone, backward first": (
        lambda: layers.Dense(2, name="alone").backward(np.ones((1, 2))),
        ArgumentError,
        ["alone", "forward"],
    ),
    "summary without shapes": (lambda: mtc.Sequential([layers.Dense(2)]).summary(), ArgumentError, ["input_shape"]),
    "step without shapes": (
        lambda: optimizers.SGD().step(mtc.Sequential([layers.Dense(2)])),
        ArgumentError,
        ["input_shape"],
    ),
    "predict nothing": (lambda: small().predict(X[:0]), ShapeError, ["predict", "at least one"]),
    "evaluate nothing": (lambda: small().evaluate(X[:0], LABELS[:0]), LabelError, ["evaluate", "0 images"]),
    "labels left over": (lambda: small().evaluate(X, [0] * 9), LabelError, ["evaluate", "7 images", "9 labels"]),
    "labels beyond the classes": (
        lambda: small().evaluate(X, LABELS + 1),
        LabelError,
        ["CrossEntropy", "0 to 2", "1 to 3"],
    ),
}


@pytest.mark.parametrize("name", CANNOT_BE)
def test_what_cannot_be_is_said_in_one_line(name):
    do, error_class, fragments = CANNOT_BE[name]
    with pytest.raises(error_class) as error:
        do()
    assert one_line(error, *fragments), str(error.value)
    assert isinstance(error.value, UserError) and isinstance(error.value, ValueError)


def test_backward_after_training_needs_a_new_forward():
    model = small()
    model.loss_and_gradients(X, LABELS, losses.CrossEntropy())
    with pytest.raises(ArgumentError):
        model.backward(np.ones((7, 3)))


# Shapes.


def test_shapes_are_known_once_the_input_is():
    model = small()
    assert [layer.input_shape for layer in model.layers] == [
        (5, 6, 2), (5, 6, 3), (2, 2, 3), (2, 2, 3), (2, 2, 3), (12,),
    ]  # fmt: skip
    assert model.input_shape == (5, 6, 2) and model.output_shape == (3,)
    assert model.layers[0].parameters["kernel"].shape == (3, 2, 2, 3)
    assert model.forward(X).shape == (7, 3)
    assert repr(model) == "Sequential(6 layers, (5, 6, 2) -> (3,))"


@pytest.mark.parametrize("x", [X, X.astype("float32"), (X > 0), np.ones((2, 5, 6, 2), int), X.tolist()])
def test_built_by_the_first_input(x):
    model = mtc.Sequential([layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(4)], seed=3)
    assert model.input_shape is None
    assert model.forward(x).shape == (len(x), 4) and model.input_shape == (5, 6, 2)
    built = mtc.Sequential([layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(4)], (5, 6, 2), seed=3)
    assert np.array_equal(model.forward(x), built.forward(x))


def test_the_input_is_left_as_it_is():
    """Layers that hand x itself on must not let a later one write into it."""
    stack = [layers.ZeroPad2D(0), layers.Dropout(0), layers.Flatten(), layers.Dropout(0.5), layers.Dense(3, "softmax")]
    for model in (small(), mtc.Sequential(stack, (5, 6, 2), dtype="float64")):
        x = X.copy()
        model.train_step(x, LABELS, losses.CrossEntropy(), optimizers.SGD(0.1))
        model.predict(x)
        model.forward(x)
        dy = normal((7, 3), 1)
        model.backward(dy)
        assert np.array_equal(x, X) and np.array_equal(dy, normal((7, 3), 1))


# Passes and predictions.


def test_forward_is_one_layer_after_the_other():
    model, y = small(), X
    for layer in model.layers:
        y = layer.forward(y)
    assert np.array_equal(model.forward(X), y)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 6, 7, 8, 128])
def test_predict_in_batches_is_forward(batch_size):
    model = small()
    for _ in range(3):
        model.train_step(X, LABELS, losses.CrossEntropy(), optimizers.SGD(0.1))
    y = model.predict(X, batch_size)
    assert relative_error(y, model.forward(X)) < 1e-14
    model.predict(X, batch_size)
    assert all(layer.cache is None for layer in model.layers)
    assert np.abs(y - model.forward(X, training=True)).max() > 1e-3


def test_training_and_prediction_of_a_batch():
    model = small()
    value = model.loss_and_gradients(X, LABELS, losses.CrossEntropy(), training=False)
    assert np.array_equal(model.prediction, model.forward(X))
    assert value == pytest.approx(-np.log(model.prediction[np.arange(7), LABELS]).mean(), rel=1e-13)
    before = model.vector.values.copy()
    assert model.train_step(X, LABELS, losses.CrossEntropy(), optimizers.SGD(0.0)) != value  # dropout is on
    assert np.array_equal(model.vector.values, before)


def test_a_few_images_are_learned_by_heart():
    model = small(dtype="float32")
    optimizer = optimizers.Adam(0.02)
    first = model.evaluate(X, LABELS)
    for _ in range(150):
        model.train_step(X, LABELS, losses.CrossEntropy(), optimizer)
    last = model.evaluate(X, LABELS)
    assert last["accuracy"] == 1 and last["loss"] < 0.1 < first["loss"]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 128])
def test_evaluate_by_hand(batch_size):
    model = mtc.Sequential([layers.Dense(3)], (2,), dtype="float64")
    model.layers[0].parameters["kernel"] = [[1, 0, 2], [0, 1, 0]]
    x = np.array([[1.0, 2], [3, 1], [0, 1]])  # predictions (1, 2, 2), (3, 1, 6), (0, 1, 0)
    measured = model.evaluate(x, np.eye(3)[[1, 2, 0]], batch_size=batch_size)
    assert measured == {"loss": pytest.approx((1 + 1 + 4 + 9 + 1 + 25 + 1 + 1 + 0) / 9)}


@pytest.mark.parametrize("batch_size", [1, 2, 128])
@pytest.mark.parametrize("labels", [[1, 0, 0], [[1], [0], [0]]])
def test_evaluate_one_sigmoid_by_hand(labels, batch_size):
    model = mtc.Sequential([layers.Dense(1, "sigmoid")], (1,), dtype="float64")
    model.layers[0].parameters["kernel"] = [[np.log(3)]]
    measured = model.evaluate([[1.0], [-1.0], [1.0]], labels, batch_size=batch_size)  # 3/4, 1/4, 3/4
    assert measured["loss"] == pytest.approx(-(2 * np.log(0.75) + np.log(0.25)) / 3)
    assert measured["accuracy"] == pytest.approx(2 / 3)


# Parameters.


def test_parameters_are_changed_in_place():
    model = small()
    kernel = model.layers[-1].parameters["kernel"]
    model.layers[-1].parameters["kernel"] = np.ones((12, 3), "float32")
    assert kernel is model.layers[-1].parameters["kernel"] and (kernel == 1).all() and kernel.dtype == np.float64
    assert np.shares_memory(kernel, model.vector.values)
    model.layers[-1].parameters["bias"] = [1, 2, 3]
    model.segments()[0].parameters[-3:] += 1  # the bias is what comes last in the vector
    assert model.layers[-1].parameters["bias"].tolist() == [2, 3, 4]


@pytest.mark.parametrize("value", [np.zeros((3, 12)), np.zeros((12, 4)), np.zeros(3), 0.0, np.zeros((1, 12, 3))])
def test_a_parameter_of_another_shape_is_refused(value):
    model = small()
    before = model.layers[-1].parameters["kernel"].copy()
    with pytest.raises(ShapeError) as error:
        model.layers[-1].parameters["kernel"] = value
    assert one_line(error, "dense_1", "kernel", "(12, 3)", str(np.shape(value)))
    assert np.array_equal(model.layers[-1].parameters["kernel"], before)


def test_a_parameter_that_is_not_there_is_refused():
    with pytest.raises(ArgumentError) as error:
        small().layers[-1].parameters["kernal"] = np.zeros((12, 3))
    assert one_line(error, "dense_1", "'kernal'", "kernel, bias")


# Description and state.


def described():
    """A model with an option of each kind away from its default."""
    stack = [
        layers.ZeroPad2D(((1, 0), (2, 3)), trainable=False),
        layers.Conv2D(4, (3, 2), (1, 2), ((1, 0), (0, 1)), "tanh", False, "first", False, "naive"),
        layers.BatchNorm(0.7, 0.01, center=False, scale=False),
        layers.MaxPool2D((2, 1), 1, "same"),
        layers.AveragePool2D(2, (1, 2), padding=1),
        layers.ReLU(),
        layers.Dropout(0.3),
        layers.Flatten(name="row"),
        layers.Dense(5, use_bias=False, trainable=False),
        layers.Tanh(),
        layers.Dense(3),
        layers.Softmax(),
    ]
    return mtc.Sequential(stack, (6, 7, 2), seed=9, preprocessing=Standardize([1, 2], [3, 4]))


def test_config_makes_the_same_model():
    model = described()
    config = json.loads(json.dumps(model.config()))
    again = mtc.Sequential.from_config(config)
    assert json.loads(json.dumps(again.config())) == config
    assert [repr(layer) for layer in again.layers] == [repr(layer) for layer in model.layers]
    x = np.random.default_rng(0).integers(0, 256, (2, 6, 7, 2)).astype("uint8")
    assert np.array_equal(again.forward(x, training=True), model.forward(x, training=True))  # weights of the seed
    assert mtc.Sequential.from_config(config, dtype="float64").forward(x).dtype == np.float64


@pytest.mark.parametrize("kind", ["Layer", "eval", "Sequential", None, "os.system"])
def test_only_layers_can_be_described(kind):
    config = small().config()
    config["layers"][0] = {"class": kind}
    with pytest.raises(ArgumentError) as error:
        mtc.Sequential.from_config(config)
    assert one_line(error, repr(kind))


def test_a_copy_is_a_model_of_its_own():
    model = small()
    model.train_step(X, LABELS, losses.CrossEntropy(), optimizers.SGD(0.1))
    twin = model.copy()
    assert twin.layers[3].draws == model.layers[3].draws == 1
    assert np.array_equal(twin.forward(X, training=True), model.forward(X, training=True))
    before = model.forward(X)
    for layer in twin.layers:
        for name in layer.parameters:
            layer.parameters[name] = layer.parameters[name] + 1
    twin.layers[0].trainable = False
    assert np.array_equal(model.forward(X), before) and model.layers[0].trainable
    assert model.copy("float32").forward(X).dtype == np.float32
    assert relative_error(model.copy("float32").forward(X), before) < 1e-5


def test_state_goes_from_model_to_model():
    model, other = small(0), small(1)
    model.train_step(X, LABELS, losses.CrossEntropy(), optimizers.SGD(0.1))
    state = {key: np.array(value) for key, value in model.state().items()}
    assert ("dropout_1", "draws") in state and ("batch_norm_1", "moving_mean") in state
    other.load_state(state)
    assert all(np.array_equal(other.state()[key], value) for key, value in state.items())
    assert type(other.layers[3].draws) is int
    state["dense_1", "kernel"] += 1  # a copy was taken
    assert np.array_equal(other.forward(X), model.forward(X))


@pytest.mark.parametrize(
    "change, error_class, fragments",
    [
        (lambda state: state.pop(("dense_1", "bias")), ArgumentError, ["dense_1/bias"]),
        (lambda state: state.update({("dense_2", "bias"): 0}), ArgumentError, ["dense_2/bias"]),
        (lambda state: state.pop(("dropout_1", "draws")), ArgumentError, ["dropout_1/draws"]),
        (lambda state: state.update({("dense_1", "bias"): np.zeros(4)}), ShapeError, ["dense_1", "(3,)", "(4,)"]),
    ],
)
def test_a_state_that_does_not_fit(change, error_class, fragments):
    state = dict(small().state())
    change(state)
    with pytest.raises(error_class) as error:
        small(1).load_state(state)
    assert one_line(error, *fragments)


# Pixels.


def test_preprocessing_is_for_pixels_only():
    pixels = np.random.default_rng(1).integers(0, 256, (7, 5, 6, 2)).astype("uint8")
    plain, model = small(), small(preprocessing=Unit())
    wanted = plain.forward(pixels / 255)
    for got in (model.forward(pixels), model.predict(pixels, 3), model.forward(pixels / 255)):
        assert relative_error(got, wanted) < 1e-13
    assert model.receive(pixels).dtype == np.float64
    assert model.evaluate(pixels, LABELS)["loss"] == pytest.approx(plain.evaluate(pixels / 255, LABELS)["loss"])
    assert np.array_equal(plain.receive(pixels), pixels)  # without one, whole numbers are taken as they are
