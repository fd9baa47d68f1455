"""Names of layers: conv2d_1, conv2d_2, ... unless the user has named them."""

from collections.abc import Sequence
from typing import Any

from minitorch_cnn.errors import ArgumentError


def name_layers(layers: Sequence[Any]) -> None:
    """Name the layers by their kind and a number that counts layers of that kind; the user's names stay.

    ArgumentError if two layers have the same name, or if one stands there twice.
    """
    met = set()
    for layer in layers:
        if id(layer) in met:
            raise ArgumentError(
                f"{layer.name}: a Sequential cannot hold one layer twice; make a second layer, or to share the weights"
                " call it twice in a Model"
            )
        met.add(id(layer))
    taken = {layer.name for layer in layers if layer.named_by_user}
    counts: dict[str, int] = {}
    for layer in layers:
        if layer.named_by_user:
            continue
        while True:
            counts[layer.kind()] = counts.get(layer.kind(), 0) + 1
            layer._name = f"{layer.kind()}_{counts[layer.kind()]}"
            if layer.name not in taken:
                break
    seen = set()
    for layer in layers:
        if layer.name in seen:
            raise ArgumentError(f"{layer.name}: two layers have this name; give one of them another")
        seen.add(layer.name)
