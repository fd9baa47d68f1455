"""Stages: neighbouring layers that run as one, while their numbers are in the cache.

    conv_relu     a convolution and the ReLU it ends in: the bias is added and the result cut at zero in one pass
    conv_pool     the same with a 2x2 max pool behind it: the map between them is never written

A stage stands in the place of its layers in the walk of `engine/passes.py`, and gives the same bits. It has nothing of
its own: parameters and gradients are the layers'. As for every twin, it is used only while the methods that it replaces
are what it was made for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from minitorch_cnn.arrays.dispatch import DEFINITIONS_ONLY, what_runs
from minitorch_cnn.engine.passes import Node
from minitorch_cnn.twins.stages.conv_pool import ConvPool
from minitorch_cnn.twins.stages.conv_relu import ConvReLU

__all__ = ["ConvPool", "ConvReLU", "in_stages"]


def in_stages(nodes: Sequence[Node]) -> list[Node]:
    """`nodes` with a stage in the place of every group of them that one can run."""
    if what_runs() == DEFINITIONS_ONLY:
        return list(nodes)
    readers = Counter(number for node in nodes for number in node.inputs)
    found: list[Node] = []
    for node in nodes:
        if ConvReLU.fits(node.layer):
            node = Node(ConvReLU(node.layer), node.inputs, node.output)
        elif found and found[-1].output in node.inputs and readers[found[-1].output] == 1:
            before = found[-1]
            if ConvPool.fits(before.layer, node.layer):
                found.pop()
                node = Node(ConvPool(before.layer.conv, node.layer), before.inputs, node.output)
        found.append(node)
    return found
