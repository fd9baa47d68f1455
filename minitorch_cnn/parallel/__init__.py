"""Data parallel: several processes, each with the whole model and a share of every batch, that learn as one.

    mpiexec -n 4 minitorch-cnn train cifar10

The gradient of a batch is a sum over its images, so it does not matter who adds up which. Every process ("rank") goes
forwards and backwards with its own images; then one Allreduce gives each of them the sum of all gradient vectors, and
all make the same update. Weights travel only once, at the beginning. What is random follows from an image's place in
the whole batch, so any number of ranks trains the same weights, up to the rounding of the sums.
"""

from minitorch_cnn.parallel.launch import fail, first, go_on_alone, last_words, launched, parse_once, world
from minitorch_cnn.parallel.ranks import Alone, Ranks
from minitorch_cnn.parallel.share import Part, Share, Weighted, part

__all__ = [
    "Alone",
    "Part",
    "Ranks",
    "Share",
    "Weighted",
    "fail",
    "first",
    "go_on_alone",
    "last_words",
    "launched",
    "parse_once",
    "part",
    "world",
]
