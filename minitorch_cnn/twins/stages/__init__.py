"""Stages: neighbouring layers that run as one, while their numbers are still in the cache.

    conv_relu     a convolution and its ReLU: one pass adds the bias and sets negative results to zero
    conv_pool     the same with a 2x2 max pool after it: the feature map between them is never written

In the passes of `engine/passes.py` a stage takes the place of its layers and gives the same bits. It has no parameters
or gradients of its own; they belong to the layers. Like every twin, it is used only as long as the methods that it
replaces have not been changed since it was made.
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
    """`nodes` with a stage in place of every group of nodes that a stage can run."""
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
