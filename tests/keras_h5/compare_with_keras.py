"""Hold this package against the real libraries. Not a test: it is run by hand, once for each library.

    python compare_with_keras.py write                                where this package is installed
    python compare_with_keras.py read tf_keras                        where tf_keras is installed, without this package
    KERAS_BACKEND=jax python compare_with_keras.py read keras         where Keras 3 is installed, without this package
    python compare_with_keras.py make tf_keras                        likewise

`write` saves models, one of them cut, extended and frozen, into `fixtures/saved`, with what this package computes with
them. `read` has the library load those files, compute the same, and write what it found into
`fixtures/saved/read_by_<library>.json`. `make` has it save the models of `keras_models.py`, nested and frozen ones
among them, into `fixtures/made_by_keras`. The tests use all of them.
"""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
from keras_models import FROZEN, INPUT_SHAPE, MODELS, all_weights, flat, weight_shapes

FIXTURES = Path(__file__).parent / "fixtures"
SAVED, MADE = FIXTURES / "saved", FIXTURES / "made_by_keras"
SAVED_MODELS = ("seq", "nested", "norm", "transfer", "odd_names", "foreign_names")
MADE_MODELS = ("norm", "nested_norm", "equal_kernels", "inside_and_outside")
FORMS = {
    "tf_keras": ("legacy.h5", "model.h5", "v3.weights.h5", "model.keras"),
    "keras": ("model.h5", "v3.weights.h5", "model.keras"),
}


def write():
    """Save each model as Keras 2's lists of names and as Keras 3's groups by class; keep its inputs and outputs."""
    from keras_engine import engine_model

    SAVED.mkdir(exist_ok=True)
    x = np.random.default_rng(0).standard_normal((4, *INPUT_SHAPE)).astype(np.float32)
    outputs = {}
    for name in SAVED_MODELS:
        model = engine_model(name)
        outputs[name] = model.predict(x)
        for ending in (".h5", ".weights.h5"):
            model.save_weights(SAVED / f"{name}{ending}")
    np.savez(SAVED / "outputs.npz", x=x, **outputs)


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


def keras_names(model):
    """The flat table of a model, under names that Keras can have."""
    layers = list(flat(MODELS[model]))
    if model == "foreign_names":
        layers = [(kind, f"renamed_{k}", settings) for k, (kind, _, settings) in enumerate(layers)]
    return layers


def reads_ours(keras, name, ending):
    """Load one of our files into a fresh model and measure what arrived, and what is computed with it."""
    model = build(keras, keras_names(name), FROZEN.get(name, ()), nested=False)
    before = [layer.get_weights() for layer in model.layers]
    model.load_weights(str(SAVED / f"{name}{ending}"))
    after = [layer.get_weights() for layer in model.layers]
    changed = sum(
        any(not np.array_equal(a, b) for a, b in zip(old, new, strict=True))
        for old, new in zip(before, after, strict=True)
    )
    expected = [list(arrays.values()) for arrays in weights_of(name).values()]
    arrived = [arrays for arrays in after if arrays]
    equal = all(
        np.array_equal(got, want)
        for arrays, wanted in zip(arrived, expected, strict=True)
        for got, want in zip(arrays, wanted, strict=True)
    )
    with np.load(SAVED / "outputs.npz") as stored:
        difference = np.abs(np.asarray(model.predict(stored["x"], verbose=0)) - stored[name]).max()
    return {
        "layers_changed": changed,
        "weights_equal_bit_for_bit": equal,
        "largest_output_difference": float(difference),
    }


def weights_of(name):
    """The weights that were saved: of `seq` and `nested` those of the library's own files."""
    if name not in ("seq", "nested"):
        return all_weights(name)
    weights = {}
    with np.load(FIXTURES / name / "ref.npz") as stored:
        for key in stored.files:
            if key.startswith("w."):
                _, layer, weight = key.split(".")
                weights.setdefault(layer, {})[weight] = stored[key]
    return weights


def read(library):
    """Have the library load our files."""
    keras = importlib.import_module(library)
    backend = keras.backend.backend() if hasattr(keras.backend, "backend") else "tensorflow"
    results = {"library": library, "version": keras.__version__, "backend": backend, "files": {}}
    for name in SAVED_MODELS:
        for ending in (".h5", ".weights.h5"):
            results["files"][f"{name}{ending}"] = result = reads_ours(keras, name, ending)
            print(f"{library} {name}{ending}: {result}")
    (SAVED / f"read_by_{library}.json").write_text(json.dumps(results, indent=1) + "\n")


def make(library):
    """Have the library save its own."""
    keras = importlib.import_module(library)
    MADE.mkdir(exist_ok=True)
    for name in MADE_MODELS:
        model = build(keras, MODELS[name], FROZEN.get(name, ()), name=name)
        set_weights(model, all_weights(name))
        for form in FORMS[library]:
            path = str(MADE / f"{library}_{name}_{form}")
            (model.save if form.startswith("model") else model.save_weights)(path)


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    {"write": write, "read": read, "make": make}[command](*arguments)
