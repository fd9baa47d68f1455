"""What was tried and did not make a training step faster, so that whoever has the idea again can measure it.

    python benchmarks/tried.py [--works cifar10] [--rounds 7]

Slices: instead of the whole batch, a few images at a time go through all neighbouring convolutions, so that the next
layer finds in the processor's cache what the last one wrote. A whole batch's feature maps are larger than any cache, so
a step should wait less for memory. On the other hand the work falls into more and smaller pieces, and the kernels are
transformed anew for each slice. The table shows how many times longer a step takes when the batch runs whole.
"""

import argparse
import itertools
import math
import statistics
from functools import partial
from pathlib import Path
from unittest import mock

import charts
import numpy as np
from engines.minitorch import Network
from measure import timed
from tables import RESULTS, figures, print_table, write_rows
from works import WORKS, make_problem

from minitorch_cnn.cli.arguments import positive, positive_integer
from minitorch_cnn.engine.layers import Conv2D
from minitorch_cnn.engine.passes import Node
from minitorch_cnn.twins.stages import in_stages
from minitorch_cnn.twins.stages.stage import Stage

SLICE_MB = (1, 2, 4, 8, 16)  # size of a slice's largest feature map


class Slices:
    """`stages`, convolutions one after the other, run with `images` images at a time.

    Like a stage it stands in the place of its layers in the passes, and hands them their gradients.
    """

    activation = None

    def __init__(self, stages, images):
        self.stages, self.images = stages, images
        self.name = f"{stages[0].name} to {stages[-1].name}"
        self.layers = [layer for stage in stages for layer in getattr(stage, "layers", [stage])]

    @property
    def learns(self):
        return any(stage.learns for stage in self.stages)

    def forward_pass(self, x, training=False):
        """(y, kept): for each slice, what each stage keeps."""
        y, kept = None, []
        for part in self._slices(len(x)):
            out, kept_here = x[part], []
            for stage in self.stages:
                out, needed_later = stage.forward_pass(out, training)
                kept_here.append(needed_later)
            kept.append(kept_here)
            y = np.empty((len(x), *out.shape[1:]), out.dtype) if y is None else y
            y[part] = out
        return y, kept

    def backward_pass(self, dy, kept, need_dx=True):
        """(dx, gradients); the parameters' gradients add up over the slices."""
        dx, sums = None, {}
        for part, kept_here in zip(self._slices(len(dy)), kept, strict=True):
            back = dy[part]
            for number in reversed(range(len(self.stages))):
                stage = self.stages[number]
                back, gradients = stage.backward_pass(back, kept_here[number], need_dx or number > 0)
                for name, gradient in gradients.items():
                    before = sums.get((number, name))
                    sums[number, name] = gradient if before is None else before + gradient
            if need_dx:
                dx = np.empty((len(dy), *back.shape[1:]), back.dtype) if dx is None else dx
                dx[part] = back
        return dx, sums

    def take_gradients(self, gradients, add=False):
        for (number, name), gradient in gradients.items():
            self.stages[number].take_gradients({name: gradient}, add)

    def _slices(self, images):
        return [slice(first, first + self.images) for first in range(0, images, self.images)]


def is_convolution(layer):
    """Whether a node's layer is a convolution, alone or in a stage with what follows it."""
    return isinstance(layer, (Conv2D, Stage))


def feature_map(layer):
    """How many numbers the convolution of a node's layer computes for one image."""
    return math.prod(getattr(layer, "conv", layer).output_shape)


def in_slices(megabytes, nodes, ends=()):
    """The nodes of a model, neighbouring convolutions as one `Slices` whose largest feature map has so many MB."""
    found = []
    for convolutions, group in itertools.groupby(in_stages(nodes), lambda node: is_convolution(node.layer)):
        group = list(group)
        if convolutions:
            largest = 4 * max(feature_map(node.layer) for node in group)
            slices = Slices([node.layer for node in group], max(1, int(megabytes * 1e6 / largest)))
            group = [Node(slices, group[0].inputs, group[-1].output)]
        found += group
    return found


def run_with(stages_of, network):
    """Seconds a step takes if `stages_of(nodes)` returns the nodes that run; the median of a few."""
    with mock.patch("minitorch_cnn.network.passing.in_stages", stages_of):
        return statistics.median(timed(network.run))


def measure(name, sizes, rounds):
    """The table's rows: a dictionary for each size of a slice."""
    network = Network(make_problem(WORKS[name], WORKS[name].batch_size))
    whole = {key: np.array(value) for key, value in network.results().items()}
    ways = {megabytes: partial(in_slices, megabytes) for megabytes in sizes}
    ratios, times = {megabytes: [] for megabytes in ways}, {megabytes: [] for megabytes in ways}
    for megabytes, way in ways.items():
        with mock.patch("minitorch_cnn.network.passing.in_stages", way):
            for key, value in network.results().items():
                difference = np.linalg.norm(value - whole[key]) / np.linalg.norm(whole[key])
                assert difference < 5e-3, f"{name}, slices of {megabytes} MB: {key} differs by {difference:.1e}"
    run_with(in_stages, network)  # warm
    for _ in range(rounds):
        for megabytes, way in ways.items():
            alone, sliced = run_with(in_stages, network), run_with(way, network)
            ratios[megabytes].append(alone / sliced)
            times[megabytes].append(sliced)
    return [
        {
            "work": name,
            "slice_mb": megabytes,
            "ms": statistics.median(times[megabytes]) * 1e3,
            "whole_over_slices": statistics.median(ratios[megabytes]),
        }
        for megabytes in ways
    ]


def draw(rows):
    """The chart: a row for each size of the slices, with a dot at the gain or loss of the whole batch."""
    entries = []
    for name in dict.fromkeys(row["work"] for row in rows):
        entries.append((WORKS[name].title, []))
        for row in (row for row in rows if row["work"] == name):
            ratio = row["whole_over_slices"]
            entries.append((f"slices of {row['slice_mb']:g} MB", [{"whole / slices": (ratio, f"{ratio:.2f}")}]))
    title = "A few images at a time: how many times longer a step takes with the whole batch"
    return charts.dots(title, entries, at_one="as fast")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--works", nargs="+", choices=list(WORKS), default=["cifar10", "cats-vs-dogs"])
    parser.add_argument(
        "--slice-mb", nargs="+", type=positive, default=SLICE_MB, help="of a slice's largest feature map"
    )
    parser.add_argument("--rounds", type=positive_integer, default=7)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the CSV file and the chart go")
    options = parser.parse_args()
    rows = [row for name in options.works for row in measure(name, options.slice_mb, options.rounds)]
    table = [(row["work"], row["slice_mb"], figures(row["ms"]), f"{row['whole_over_slices']:.2f}") for row in rows]
    print_table(("work", "MB per slice", "ms per step", "whole / slices"), table)
    write_rows(options.results / "tried.csv", rows)
    charts.save(draw(rows), options.results / "tried.svg")


if __name__ == "__main__":
    main()
