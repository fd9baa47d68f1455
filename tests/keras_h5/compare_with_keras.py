"""Hold this package against the real libraries. Not a test: it is run by hand, once for each library.

    python compare_with_keras.py write                                where this package is installed
    python compare_with_keras.py read tf_keras                        where tf_keras is installed, without this package
    KERAS_BACKEND=jax python compare_with_keras.py read keras         where Keras 3 is installed, without this package

`write` saves models into `fixtures/saved`. `read` has the library load those files and writes what it found into
`fixtures/saved/read_by_<library>.json`; it also has it save the models of `keras_models.py`, nested and frozen ones
among them, into `fixtures/made_by_keras`. The tests use both.
"""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
from keras_models import FROZEN, INPUT_SHAPE, MODELS, all_weights, flat, weight_shapes

FIXTURES = Path(__file__).parent / "fixtures"
SAVED, MADE = FIXTURES / "saved", FIXTURES / "made_by_keras"
SAVED_MODELS = ("seq", "nested", "norm")
MADE_MODELS = ("norm", "nested_norm", "equal_kernels", "inside_and_outside")
FORMS = {
    "tf_keras": ("legacy.h5", "model.h5", "v3.weights.h5", "model.keras"),
    "keras": ("model.h5", "v3.weights.h5", "model.keras"),
}


def write():
    """Save each model as Keras 2's lists of names and as Keras 3's groups by class."""
    from keras_targets import reference, target

    from minitorch_cnn.keras_h5 import save

    SAVED.mkdir(exist_ok=True)
    for model in SAVED_MODELS:
        weights = all_weights(model) if model == "norm" else reference(model)
        for ending in (".h5", ".weights.h5"):
            save(SAVED / f"{model}{ending}", target(model), weights)


def build(keras, layers, frozen=(), shape=INPUT_SHAPE, name="model", nested=True):
    """The model in the library at hand: a Sequential, with Functional models in it unless it is to be flat."""
    built = []
    inputs = keras.Input(shape)
    for layer in layers if nested else flat(layers):
        kind, layer_name, settings = layer
        if kind == "Functional":
            inner, output = build_functional(keras, settings, frozen, shape, layer_name)
            built.append(inner)
        else:
            built.append(build_layer(keras, layer, frozen))
            _, output = weight_shapes(layer, shape)
        shape = output
    return keras.Sequential([inputs, *built], name=name)


def build_functional(keras, layers, frozen, shape, name):
    """A Functional model and the shape of its output."""
    inputs = outputs = keras.Input(shape)
    for layer in layers:
        outputs = build_layer(keras, layer, frozen)(outputs)
        _, shape = weight_shapes(layer, shape)
    return keras.Model(inputs, outputs, name=name), shape


def build_layer(keras, layer, frozen):
    kind, name, settings = layer
    built = getattr(keras.layers, kind)(name=name, **settings)
    built.trainable = name not in frozen
    return built


def find_layer(model, name):
    """A layer of this name, at any depth."""
    for layer in model.layers:
        if layer.name == name:
            return layer
        if hasattr(layer, "layers") and (found := find_layer(layer, name)) is not None:
            return found
    return None


def set_weights(model, weights):
    """Put the weights of `keras_models` into the model, layer by layer, whatever is frozen."""
    for name, arrays in weights.items():
        layer = find_layer(model, name)
        trainable, layer.trainable = layer.trainable, True
        layer.set_weights(list(arrays.values()))
        layer.trainable = trainable


def reads_ours(keras, model_name, ending):
    """Load one of our files into a fresh model and measure what arrived."""
    if model_name == "norm":
        expected, arrays = all_weights(model_name), {}
    else:
        with np.load(FIXTURES / model_name / "ref.npz") as stored:
            arrays = {key: stored[key] for key in stored.files}
        expected = {}
        for key, array in arrays.items():
            if key.startswith("w."):
                _, layer, name = key.split(".")
                expected.setdefault(layer, {})[name] = array
    model = build(keras, MODELS[model_name], nested=False)
    before = [layer.get_weights() for layer in model.layers]
    model.load_weights(str(SAVED / f"{model_name}{ending}"))
    changed = sum(
        any(not np.array_equal(a, b) for a, b in zip(old, layer.get_weights(), strict=True))
        for old, layer in zip(before, model.layers, strict=True)
    )
    equal = all(
        np.array_equal(got, want)
        for name, layer in expected.items()
        for got, want in zip(find_layer(model, name).get_weights(), layer.values(), strict=True)
    )
    result = {"layers_changed": changed, "weights_equal_bit_for_bit": equal}
    if arrays:
        outputs = np.asarray(model.predict(arrays["x"], verbose=0))
        result["largest_output_difference"] = float(np.abs(outputs - arrays["out"]).max())
    return result


def read(library):
    """Have the library load our files and save its own."""
    keras = importlib.import_module(library)
    backend = keras.backend.backend() if hasattr(keras.backend, "backend") else "tensorflow"
    results = {"library": library, "version": keras.__version__, "backend": backend, "files": {}}
    for model in SAVED_MODELS:
        for ending in (".h5", ".weights.h5"):
            results["files"][f"{model}{ending}"] = reads_ours(keras, model, ending)
    (SAVED / f"read_by_{library}.json").write_text(json.dumps(results, indent=1) + "\n")

    MADE.mkdir(exist_ok=True)
    for name in MADE_MODELS:
        model = build(keras, MODELS[name], FROZEN.get(name, ()), name=name)
        set_weights(model, all_weights(name))
        for form in FORMS[library]:
            path = str(MADE / f"{library}_{name}_{form}")
            (model.save if form.startswith("model") else model.save_weights)(path)


if __name__ == "__main__":
    if sys.argv[1:] == ["write"]:
        write()
    else:
        read(sys.argv[2])
