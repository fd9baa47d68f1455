"""Solution 9; in the package, see `network/surgery.py`, and the method `lowest_trainable` of the model."""


def transplant(layers, after, new):
    """New frozen layers that share the old arrays, followed by the layers in `new`."""
    names = [layer["name"] for layer in layers]
    if after not in names:
        raise ValueError(f"no layer is called {after!r}; the layers are {', '.join(names)}")
    kept = layers[: names.index(after) + 1]
    return [{**layer, "trainable": False} for layer in kept] + list(new)


def lowest_trainable(layers):
    """The index of the first trainable layer, or the number of layers."""
    return next((index for index, layer in enumerate(layers) if layer["trainable"]), len(layers))
