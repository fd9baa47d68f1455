"""Different learning rates for different layers: new layers learn fast, and pretrained layers change only slightly.

    SGD(1e-3, multipliers={"block5": 0.1, "block5_conv3": 0.5})

    layer           dense_1   block5_conv3   block5_conv1   block4_conv3
    learning rate    1e-3         5e-4           1e-4           1e-3

A name is a layer's name, or its beginning up to an underscore; if several fit a layer, the longest one counts.
"""

from collections.abc import Iterable

from minitorch_cnn.errors import ArgumentError


def factors(multipliers: dict[str, float], layers: Iterable) -> dict[str, float]:
    """{layer name: factor} for every layer with parameters, 1.0 if no name fits.

    Raises ArgumentError for a name that fits no such layer, because it would have no effect.
    """
    names = [layer.name for layer in layers if layer.parameter_shapes()]
    for name in multipliers:
        if not any(_fits(name, layer) for layer in names):
            there = ", ".join(names)
            raise ArgumentError(f"multipliers: no layer with parameters is called {name!r}; there are {there}")
    longest_first = sorted(multipliers, key=len, reverse=True)
    return {layer: next((multipliers[name] for name in longest_first if _fits(name, layer)), 1.0) for layer in names}


def excluded(names: Iterable[str], layers: Iterable) -> set[tuple[str, str]]:
    """{(layer, parameter)} for `names` of parameters, or of layers as above; ArgumentError for one that fits none."""
    keys = {(layer.name, parameter) for layer in layers for parameter in layer.trained()}
    for name in names:
        if not any(name == parameter or _fits(name, layer) for layer, parameter in keys):
            raise ArgumentError(f"exclude_from_weight_decay: expected names of layers or parameters, got {name!r}")
    return {key for key in keys if any(name == key[1] or _fits(name, key[0]) for name in names)}


def _fits(name, layer):
    return layer == name or layer.startswith(f"{name}_")
