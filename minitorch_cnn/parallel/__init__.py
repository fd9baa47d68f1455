"""Data parallelism: several processes, each with the whole model and a share of every batch, train one model.

    mpiexec -n 4 minitorch-cnn train cifar10

The gradient of a batch is a sum over its images, so the images can be divided among processes. Every process ("rank")
runs the forward and the backward pass on its own images; then one Allreduce gives each rank the sum of all gradient
vectors, and all ranks make the same update. The weights are sent only once, at the beginning. Random numbers depend on
an image's position in the whole batch, so any number of ranks trains the same weights, up to the rounding of the sums.
"""

from minitorch_cnn.parallel.launch import continue_alone, fail, first, launched, message_if_killed, parse_once, world
from minitorch_cnn.parallel.ranks import Alone, Ranks
from minitorch_cnn.parallel.share import Part, Share, Weighted, part

__all__ = [
    "Alone",
    "Part",
    "Ranks",
    "Share",
    "Weighted",
    "continue_alone",
    "fail",
    "first",
    "launched",
    "message_if_killed",
    "parse_once",
    "part",
    "world",
]
