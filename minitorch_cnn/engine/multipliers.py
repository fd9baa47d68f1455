"""Different learning rates for different layers: new layers learn fast, and pretrained layers change only slightly.

    SGD(1e-3, multipliers={"block5": 0.1, "block5_conv3": 0.5})

    layer           dense_1   block5_conv3   block5_conv1   block4_conv3
    learning rate    1e-3         5e-4           1e-4           1e-3

A name is a layer's name, its beginning up to an underscore, or the name of a kind of parameter: `{"beta": 64}` lets
the shifts of all batch norms learn fast. If several fit a parameter, their factors multiply; of several names that fit
its layer only the longest one counts.
"""

from collections.abc import Iterable, Mapping

from minitorch_cnn.errors import ArgumentError


def factors(multipliers: Mapping[str, float], layers: Iterable) -> dict[tuple[str, str], float]:
    """{(layer, parameter): factor} for every trained parameter of `layers`, 1.0 where no name fits.

    Raises ArgumentError for a name that fits none, because it would have no effect.
    """
    layers = list(layers)
    keys = [(layer.name, parameter) for layer in layers for parameter in layer.trained()]
    names = list(dict.fromkeys(layer for layer, _ in keys))
    for name in multipliers:
        if not any(name == parameter or _fits(name, layer) for layer, parameter in keys):
            there = ", ".join(names)
            raise ArgumentError(f"multipliers: no layer with parameters is called {name!r}; there are {there}")
    longest_first = sorted(multipliers, key=len, reverse=True)
    of_layer = {
        layer: next((multipliers[name] for name in longest_first if _fits(name, layer)), 1.0) for layer in names
    }
    return {(layer, parameter): of_layer[layer] * multipliers.get(parameter, 1.0) for layer, parameter in keys}


def excluded(names: Iterable[str], layers: Iterable) -> set[tuple[str, str]]:
    """{(layer, parameter)} for `names` of parameters, or of layers as above; ArgumentError for one that fits none."""
    keys = {(layer.name, parameter) for layer in layers for parameter in layer.trained()}
    for name in names:
        if not any(name == parameter or _fits(name, layer) for layer, parameter in keys):
            raise ArgumentError(f"exclude_from_weight_decay: expected names of layers or parameters, got {name!r}")
    return {key for key in keys if any(name == key[1] or _fits(name, key[0]) for name in names)}


def _fits(name, layer):
    return layer == name or layer.startswith(f"{name}_")
