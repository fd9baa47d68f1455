"""Solution 9. In the package: `surgery.py`, and `lowest_trainable` in `sequential.py`."""


def transplant(layers, after, new):
    """Layers of their own that share the old arrays, frozen, and the new ones behind."""
    names = [layer["name"] for layer in layers]
    if after not in names:
        raise ValueError(f"no layer is called {after!r}; there are {', '.join(names)}")
    kept = layers[: names.index(after) + 1]
    return [{**layer, "trainable": False} for layer in kept] + list(new)


def lowest_trainable(layers):
    """The first that learns, or the number of layers."""
    return next((index for index, layer in enumerate(layers) if layer["trainable"]), len(layers))
