"""The same models built from this package's own layers, with the weights that the tables give them."""

from keras_models import FROZEN, INPUT_SHAPE, MODELS, all_weights, flat
from keras_targets import reference

import minitorch_cnn as mtc
from minitorch_cnn import layers

CLASSES = {"BatchNormalization": layers.BatchNorm, "MaxPooling2D": layers.MaxPool2D}


def engine_model(name):
    """The flat model; `transfer` is made as a user makes it: another one is cut, extended and frozen."""
    weights = reference(name) if name in ("seq", "nested") else all_weights(name)
    table = list(flat(MODELS[name]))
    if name == "transfer":
        other = mtc.Sequential([engine_layer(*layer) for layer in flat(MODELS["nested"])], INPUT_SHAPE, seed=1)
        top = [engine_layer(kind, None, settings) for kind, _, settings in table[6:]]
        model = other.cut(after="block2_pool").extend(top).freeze(layers=FROZEN[name])
    else:
        model = mtc.Sequential([engine_layer(*layer) for layer in table], INPUT_SHAPE, seed=1)
    assert [layer.name for layer in model.layers] == [layer_name for _, layer_name, _ in table]
    for layer_name, arrays in weights.items():
        model.get_layer(layer_name).load(arrays)
    return model


def engine_layer(kind, name, settings):
    settings = {key: None if value == "linear" else value for key, value in settings.items()}
    return CLASSES.get(kind, getattr(layers, kind, None))(name=name, **settings)
