"""Stages: neighbouring layers that run as one, while their numbers are still in the cache.

    conv_relu     a convolution and its ReLU: one pass adds the bias and sets negative results to zero
    conv_pool     the same with a 2x2 max pool after it: the feature map between them is never written
    conv_norm     a convolution, the batch norm after it, and perhaps a ReLU; in predictions one convolution
    norm_relu     a batch norm and its ReLU, where there is no convolution before them
    padded_conv   zeros around an image and the convolution after it, which pads by itself
    add_relu      a sum of two and its ReLU, at the end of a residual block

In the passes of `engine/passes.py` a stage takes the place of its layers and gives the same bits; where a batch norm
is folded, the numbers agree up to rounding. It has no parameters or gradients of its own; these are its layers'. Like
every twin, it is used only as long as the methods that it replaces have not been changed since it was made. Where the
walk over the layers itself was changed, there are no stages, so that it visits every single layer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from minitorch_cnn.arrays.dispatch import DEFINITIONS_ONLY, Guard, what_runs
from minitorch_cnn.engine import passes
from minitorch_cnn.engine.passes import Node, Step
from minitorch_cnn.twins.stages.add_relu import AddReLU
from minitorch_cnn.twins.stages.conv_norm import ConvNorm
from minitorch_cnn.twins.stages.conv_pool import ConvPool
from minitorch_cnn.twins.stages.conv_relu import ConvReLU
from minitorch_cnn.twins.stages.norm_relu import NormReLU
from minitorch_cnn.twins.stages.padded_conv import PaddedConv

__all__ = ["AddReLU", "ConvNorm", "ConvPool", "ConvReLU", "NormReLU", "PaddedConv", "in_stages"]

WALK = Guard(
    "twins/stages/__init__.py: in_stages",
    (passes, "forward"), (passes, "backward"), (Node, "read"), (Step, "run"),
    words="was changed; your version runs, and visits each layer by itself, which is slower",
    apart=("layers/merge.py: add",),  # has a twin of its own, which steps aside
)  # fmt: skip


def in_stages(nodes: Sequence[Node], ends: Sequence[int] = ()) -> list[Node]:
    """`nodes` with a stage in place of every group of nodes that a stage can run; the values `ends` are wanted."""
    if what_runs() == DEFINITIONS_ONLY or not WALK.holds():
        return list(nodes)
    readers = Counter(number for node in nodes for number in node.inputs)
    readers.update(ends)
    places = Counter(node.layer for node in nodes)
    found: list[Node] = []
    for node in nodes:
        if ConvReLU.fits(node.layer):
            node = Node(ConvReLU(node.layer), node.inputs, node.output)
        elif found and found[-1].output in node.inputs and readers[found[-1].output] == 1:
            before = found[-1]
            owner = getattr(before.layer, "owner", before.layer)
            stage = joined(before.layer, node.layer, places[owner] == places[node.layer] == 1)
            if stage is not None:
                found.pop()
                node = Node(stage, before.inputs, node.output)
        found.append(node)
    return found


def joined(before: Any, layer: Any, once: bool = True) -> Any:
    """The stage that runs `before`, a layer or a stage, and the layer that alone reads its output; None without one.

    `once` says that neither of them stands at another place as well.
    """
    if (once or type(before) is ConvNorm) and (stage := ConvNorm.of(before, layer)) is not None:
        return stage
    if ConvPool.fits(before, layer):
        return ConvPool(before.conv, layer)
    return next((stage(before, layer) for stage in (NormReLU, AddReLU, PaddedConv) if stage.fits(before, layer)), None)
