"""`load_model`: models inside models, whose calls, inputs and outputs Keras numbers in its own way.

The descriptions are those that Keras 3.15 and tf.keras wrote for such models, with layers that need no weights.
"""

import numpy as np
import pytest
from test_load_model_structure import config_file, entry, functional

import minitorch_cnn as mtc
from minitorch_cnn.errors import WeightsError

X = np.array([[1.0, -2.0, 3.0, 0.5], [0.25, 4.0, -1.0, 2.0]], "float32")


def tensor(layer, call=0, output=0):
    """A value as Keras 3 writes it where a layer reads it."""
    config = {"shape": [None, 4], "dtype": "float32", "keras_history": [layer, call, output]}
    return {"class_name": "__keras_tensor__", "config": config}


def called(*arguments, **named):
    """A call as Keras 3 writes it."""
    return {"args": list(arguments), "kwargs": named}


def older(name, call=0, output=0):
    """A value as tf.keras writes it."""
    return [name, call, output, {}]


def layer(class_name, name, *calls, **settings):
    return {**entry(class_name, name, **settings), "inbound_nodes": list(calls)}


def inlet(name):
    return entry("InputLayer", name, batch_input_shape=[None, 4])


def model(name, layers, inputs, outputs, calls=()):
    """A Functional model, as a layer of another or alone."""
    config = {"name": name, "layers": layers, "input_layers": inputs, "output_layers": outputs}
    return {"class_name": "Functional", "name": name, "config": config, "inbound_nodes": list(calls)}


def body(keras_3, calls, name="body"):
    """2 x + 1, as a model."""
    call = called(tensor("z")) if keras_3 else [older("z")]
    layers = [inlet("z"), layer("Rescaling", f"{name}_scale", call, scale=2.0, offset=1.0)]
    return model(name, layers, [["z", 0, 0]], [[f"{name}_scale", 0, 0]], calls)


def sequential(calls, name="body"):
    """2 x + 1, as a Sequential."""
    layers = [entry("Rescaling", f"{name}_scale", scale=2.0, offset=1.0, batch_input_shape=[None, 4])]
    config = {"name": name, "layers": layers}
    return {"class_name": "Sequential", "name": name, "config": config, "inbound_nodes": list(calls)}


def opened(description, tmp_path):
    return mtc.load_model(config_file(tmp_path / "x.keras", description))


def outputs(description, tmp_path, x=X):
    y = opened(description, tmp_path).forward(x)
    return list(y) if isinstance(y, (list, tuple)) else [y]


def body_of(x):
    return 2 * x + 1


NEGATIVE = layer("Rescaling", "negative", called(tensor("x")), scale=-1.0)
OLD_NEGATIVE = layer("Rescaling", "negative", [older("x")], scale=-1.0)


@pytest.mark.parametrize("kind, first", [("Functional", 1), ("Sequential", 0)])
def test_keras_3_counts_the_calls_of_a_model_from_0_and_as_outputs_from_1(kind, first, tmp_path):
    """[body(x), body(-x) - body(x)], and for a Sequential both counts begin at 0."""
    calls = [called(tensor("x")), called(tensor("negative")), called(tensor("x"))]
    inner = body(True, calls) if kind == "Functional" else sequential(calls)
    difference = layer("Subtract", "difference", called([tensor("body", 1), tensor("body", 2)]))
    whole = model("m", [inlet("x"), NEGATIVE, inner, difference], [["x", 0, 0]],
                  [["body", first, 0], ["difference", 0, 0]])  # fmt: skip
    expected = [body_of(X), body_of(-X) - body_of(X)]
    np.testing.assert_allclose(outputs(whole, tmp_path), expected)


@pytest.mark.parametrize("kind, first", [("Functional", 1), ("Sequential", 0)])
def test_an_output_that_is_read_as_well(kind, first, tmp_path):
    """y = body(x); Model(x, [y, -y])."""
    calls = [called(tensor("x"))]
    inner = body(True, calls) if kind == "Functional" else sequential(calls)
    after = layer("Rescaling", "after", called(tensor("body", 0)), scale=-1.0)
    whole = model("m", [inlet("x"), inner, after], [["x", 0, 0]], [["body", first, 0], ["after", 0, 0]])
    np.testing.assert_allclose(outputs(whole, tmp_path), [body_of(X), -body_of(X)])


@pytest.mark.parametrize("first", [0, 1])
def test_older_versions_count_calls_and_outputs_from_one_start(first, tmp_path):
    """From 1 for a model with an input layer, from 0 for others; the highest number tells."""
    inner = body(False, [[older("x")], [older("negative")]])
    difference = layer("Subtract", "difference", [older("body", first + 1), older("body", first)])
    whole = model("m", [inlet("x"), OLD_NEGATIVE, inner, difference], [["x", 0, 0]],
                  [["body", first, 0], ["difference", 0, 0]])  # fmt: skip
    np.testing.assert_allclose(outputs(whole, tmp_path), [body_of(X), body_of(-X) - body_of(X)])


def test_a_file_that_counts_otherwise_is_read_as_it_counts(tmp_path):
    """Outputs of Keras 3 that begin at 0, which its rule does not allow."""
    inner = body(True, [called(tensor("x")), called(tensor("negative"))])
    whole = model("m", [inlet("x"), NEGATIVE, inner], [["x", 0, 0]], [["body", 1, 0], ["body", 0, 0]])
    np.testing.assert_allclose(outputs(whole, tmp_path), [body_of(-X), body_of(X)])


def test_siamese_models_in_models(tmp_path):
    """The inner model calls another twice, and the outer calls it twice."""
    innermost = body(True, [called(tensor("z")), called(tensor("innermost", 0))], "innermost")
    inner = model("inner", [inlet("z"), innermost], [["z", 0, 0]], [["innermost", 2, 0], ["innermost", 1, 0]],
                  [called(tensor("x")), called(tensor("inner", 0, 1))])  # fmt: skip
    whole = model("m", [inlet("x"), inner], [["x", 0, 0]], [["inner", 2, 0], ["inner", 1, 1], ["inner", 2, 1]])
    one = body_of(X)
    two, three = body_of(one), body_of(body_of(one))
    np.testing.assert_allclose(outputs(whole, tmp_path), [three, one, two])


def two_ways(given, made, calls=()):
    """A model of inputs `a` and `b` with the results 10 a and 100 b; `given` and `made` arrange them."""
    layers = [inlet("a"), inlet("b"), layer("Rescaling", "ten", called(tensor("a")), scale=10.0),
              layer("Rescaling", "hundred", called(tensor("b")), scale=100.0)]  # fmt: skip
    return model("inner", layers, given, made, calls)


A, B, TEN, HUNDRED = (["a", 0, 0], ["b", 0, 0], ["ten", 0, 0], ["hundred", 0, 0])
ARRANGED = {
    "a dict": ({"z": TEN, "c": HUNDRED}, [100, 10]),
    "a dict in order": ({"c": TEN, "z": HUNDRED}, [10, 100]),
    "lists in a dict": ({"z": [TEN, HUNDRED], "c": [HUNDRED]}, [100, 10, 100]),
    "lists in a list": ([[TEN], [HUNDRED, TEN]], [10, 100, 10]),
    "a dict in a list": ([TEN, {"z": TEN, "c": {"y": HUNDRED}}], [10, 100, 10]),
}


@pytest.mark.parametrize("name", ARRANGED)
def test_outputs_in_dicts_and_lists_are_numbered_by_sorted_keys(name, tmp_path):
    made, factors = ARRANGED[name]
    inner = two_ways([A, B], made, [called([tensor("x"), tensor("x")], mask=[None, None])])
    count = len(factors)
    whole = model("m", [inlet("x"), inner], [["x", 0, 0]], [["inner", 1, number] for number in range(count)])
    np.testing.assert_allclose(outputs(whole, tmp_path), [factor * X for factor in factors])
    np.testing.assert_allclose(
        outputs(two_ways([A, B], made), tmp_path, [X, X]), [factor * X for factor in factors]
    )  # the same model alone


@pytest.mark.parametrize("keras_3", [True, False])
@pytest.mark.parametrize("given, keys", [([A, B], ("a", "b")), ({"v": A, "u": B}, ("v", "u"))])
def test_a_call_with_a_dict(keras_3, given, keys, tmp_path):
    """By the keys of the inputs, or by the names of the input layers if they are a list."""
    read = dict(zip(reversed(keys), ("negative", "x")))  # b is -x and a is x
    if keras_3:
        calls = [called({key: tensor(name) for key, name in read.items()}, mask={key: None for key in keys})]
    else:
        calls = [{key: older(name) for key, name in read.items()}]
    inner, negative = two_ways(given, [TEN, HUNDRED], calls), NEGATIVE if keras_3 else OLD_NEGATIVE
    whole = model("m", [inlet("x"), negative, inner], [["x", 0, 0]], [["inner", 1, 0], ["inner", 1, 1]])
    np.testing.assert_allclose(outputs(whole, tmp_path), [10 * X, -100 * X])


@pytest.mark.parametrize("inner, message", [
    (two_ways([A, B], [TEN], [called({"a": tensor("x")})]), "inner: a call without its input b"),
    (two_ways([A, B], [TEN], [called(tensor("x"))]), "inner: expected 2 inputs, got 1"),
    (two_ways([A, B], [TEN], [called([tensor("x"), tensor("x")], mask=[tensor("x"), None])]),
     r"not supported: a call with mask \(inner\)"),
    (two_ways([A, B], {"z": "ten"}, [called(tensor("x"))]), "output_layers: expected a list of values"),
    (two_ways([A, B], [], [called(tensor("x"))]), "output_layers: expected a list of values"),
    (layer("ReLU", "inner", called({"a": tensor("x")})), r"not supported: a call with a dict \(inner\)"),
])  # fmt: skip
def test_calls_that_cannot_be_read_are_refused(inner, message, tmp_path):
    whole = model("m", [inlet("x"), inner], [["x", 0, 0]], [["inner", 1, 0]])
    with pytest.raises(WeightsError, match=message):
        opened(whole, tmp_path)


@pytest.mark.parametrize("random", [True, False])
def test_a_model_called_with_training_is_refused_if_that_changes_its_prediction(random, tmp_path):
    inside = layer("Dropout", "noise", called(tensor("z")), rate=0.5) if random else body(True, [])
    layers = [inlet("z"), inside, layer("ReLU", "y", called(tensor("noise" if random else "z")))]
    inner = model("inner", layers, [["z", 0, 0]], [["y", 0, 0]], [called(tensor("x"), training=True)])
    whole = model("m", [inlet("x"), inner], [["x", 0, 0]], [["inner", 1, 0]])
    if random:
        with pytest.raises(WeightsError, match=r"not supported: a call with training \(inner\)"):
            opened(whole, tmp_path)
    else:
        np.testing.assert_allclose(outputs(whole, tmp_path), [np.maximum(X, 0)])


@pytest.mark.parametrize("function, expected", [
    ("math.multiply", 3 * X), ("__operators__.add", 3 + X), ("math.subtract", 3 - X), ("math.add", 3 + X),
])  # fmt: skip
def test_numbers_that_stand_first_in_tf_keras(function, expected, tmp_path):
    node = ["_CONSTANT_VALUE", -1, 3, {"y": ["x", 0, 0], "name": None}]
    whole = functional(inlet("x"), layer("TFOpLambda", "y", [node], function=function))
    np.testing.assert_allclose(outputs(whole, tmp_path), [expected])


def test_an_array_that_stands_first_in_tf_keras(tmp_path):
    node = ["_CONSTANT_VALUE", -1, [1.0, 2.0], {"y": ["x", 0, 0]}]
    whole = functional(inlet("x"), layer("TFOpLambda", "y", [node], function="math.multiply"))
    with pytest.raises(WeightsError, match=r"not supported: a call with argument 1 \(y\)"):
        opened(whole, tmp_path)


@pytest.mark.parametrize("operation, words", [
    (layer("TFOpLambda", "y", [["x", 0, 0, {"y": ["x", 0, 0]}]], function="math.truediv"), "operation math.truediv"),
    (layer("TFOpLambda", "y", [["x", 0, 0, {}]], function="math.erf"), "operation math.erf"),
    ({**layer("Divide", "y", called(tensor("x"), tensor("x"))), "module": "keras.src.ops.numpy"}, "operation Divide"),
    ({**layer("Erf", "y", called(tensor("x"))), "module": "keras.src.ops.math"}, "operation Erf"),
    ({**layer("Erf", "y", called(tensor("x"))), "module": "mine.ops"}, "layer Erf of mine.ops"),
])  # fmt: skip
def test_an_operation_that_is_not_supported_is_named(operation, words, tmp_path):
    with pytest.raises(WeightsError, match=rf"not supported: {words} \(y\)$"):
        opened(functional(inlet("x"), operation), tmp_path)
