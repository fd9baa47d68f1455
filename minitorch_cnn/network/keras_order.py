"""The order in which Keras lists the layers of a network with branches, and so the weights in its files.

Keras does not list layers in the order in which they were called, but by depth: the largest number of layers between a
layer and an output, the most distant first. Layers of equal depth are listed as a walk from the outputs meets them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def in_keras_order(made: Mapping[int, tuple[Any, tuple[int, ...]]], ends: Sequence[int]) -> list[Any]:
    """The layers that lead to the outputs, each once.

    `made` says for each value, by its number, which layer makes it and the numbers of the values that this layer reads
    for it (none for an input); `ends` are the numbers of the outputs. A layer that is called twice has the depth of its
    deepest place.
    """
    finished, met = list[int](), dict[int, int]()  # values, each after those that it reads; id of layer: when met
    done: set[int] = set()
    for end in ends:
        waiting = [(end, False)]
        while waiting:
            value, entered = waiting.pop()
            if value in done:
                continue
            if entered:
                done.add(value)
                finished.append(value)
                continue
            layer, reads = made[value]
            met.setdefault(id(layer), len(met))
            waiting += [(value, True), *((each, False) for each in reversed(reads))]
    depth_of_value: dict[int, int] = {}
    depths: dict[int, int] = {}
    for value in reversed(finished):
        layer, reads = made[value]
        depth = max(depth_of_value.setdefault(value, 0), depths.get(id(layer), 0))
        depths[id(layer)] = depth_of_value[value] = depth
        for each in reads:
            depth_of_value[each] = max(depth + 1, depth_of_value.get(each, 0))
    layers = {id(layer): layer for layer, _ in made.values()}
    return [layers[key] for key in sorted(met, key=lambda key: (-depths[key], met[key]))]
