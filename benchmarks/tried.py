"""What was tried and did not make a training step faster, so that the next one who has the idea can measure it.

    python benchmarks/tried.py [--works cifar10] [--rounds 7]

Slices: a few images go through all convolutions between two other layers before the next few, so that what one layer
writes, the next reads from the processor's cache. The maps of a whole batch are larger than any cache, so a step should
wait less for memory; on the other hand there are more and smaller pieces of work, and the kernels are transformed for
each slice again. Printed is how many times longer the step takes run whole.
"""

import argparse
import math
import statistics
from functools import partial
from pathlib import Path
from unittest import mock

import charts
import numpy as np
from engines.minitorch import Network
from measure import timed
from minitorch_cnn.layers import Conv2D
from tables import RESULTS, figures, print_table, write_rows
from works import WORKS, make_problem

from minitorch_cnn.engine.layers.conv_pool import ConvPool, in_stages

SLICE_MB = (1, 2, 4, 8, 16)  # of the largest map of a slice


class Slices:
    """`stages`, each a Conv2D or a ConvPool, run with `images` images at a time."""

    activation = None

    def __init__(self, stages, images):
        self.stages, self.images = stages, images
        self.layers = [layer for stage in stages for layer in parts(stage)]
        self.caches = []

    def forward(self, x, training=False):
        self.caches, y = [], None
        for part in self._slices(len(x)):
            out = x[part]
            for stage in self.stages:
                out = stage.forward(out, training)
            self.caches.append([layer.cache for layer in self.layers])
            y = np.empty((len(x), *out.shape[1:]), out.dtype) if y is None else y
            y[part] = out
        return y

    def backward(self, dy, need_dx=True):
        dx, sums = None, {}
        for part, caches in zip(self._slices(len(dy)), self.caches):
            for layer, cache in zip(self.layers, caches):
                layer.cache = cache
            back = dy[part]
            for stage in reversed(self.stages):
                back = stage.backward(back, need_dx or stage is not self.stages[0])
            for layer in self.layers:
                for name, gradient in layer.gradients.items():
                    sums[layer, name] = sums[layer, name] + gradient if (layer, name) in sums else gradient.copy()
            if need_dx:
                dx = np.empty((len(dy), *back.shape[1:]), back.dtype) if dx is None else dx
                dx[part] = back
        for (layer, name), total in sums.items():
            layer.gradients[name] = total
        return dx

    def _slices(self, images):
        return [slice(first, first + self.images) for first in range(0, images, self.images)]

    def forget(self):
        self.caches = []
        for layer in self.layers:
            layer.forget()

    @property
    def trainable(self):
        return any(stage.trainable for stage in self.stages)

    def parameter_shapes(self):
        return {number: stage.parameter_shapes() for number, stage in enumerate(self.stages)}


def parts(stage):
    """The layers of a stage, the convolution first."""
    return (stage.conv, stage.pool) if isinstance(stage, ConvPool) else (stage,)


def in_slices(megabytes, layers):
    """The stages of a model, with neighbouring convolutions in `Slices` whose largest map has so many MB."""
    found, together = [], []
    for stage in [*in_stages(layers), None]:
        if isinstance(stage, (Conv2D, ConvPool)):
            together.append(stage)
            continue
        if together:
            largest = 4 * max(math.prod(parts(one)[0].output_shape) for one in together)
            found.append(Slices(together, max(1, int(megabytes * 1e6 / largest))))
            together = []
        found += [stage] if stage is not None else []
    return found


def run_with(stages_of, network):
    """Times of a few steps with the stages that `stages_of(layers)` returns."""
    with mock.patch("minitorch_cnn.network.sequential.in_stages", stages_of):
        return statistics.median(timed(network.run))


def measure(name, sizes, rounds):
    """Rows of the table, a dictionary for each size of a slice."""
    network = Network(make_problem(WORKS[name], WORKS[name].batch_size))
    whole = {key: np.array(value) for key, value in network.results().items()}
    ways = {megabytes: partial(in_slices, megabytes) for megabytes in sizes}
    ratios, times = {megabytes: [] for megabytes in ways}, {megabytes: [] for megabytes in ways}
    for megabytes, way in ways.items():
        with mock.patch("minitorch_cnn.network.sequential.in_stages", way):
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--works", nargs="+", choices=list(WORKS), default=["cifar10", "cats-vs-dogs"])
    parser.add_argument("--slice-mb", nargs="+", type=float, default=SLICE_MB, help="of the largest map of a slice")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the CSV file and the chart go")
    options = parser.parse_args()
    rows = [row for name in options.works for row in measure(name, options.slice_mb, options.rounds)]
    table = [(row["work"], row["slice_mb"], figures(row["ms"]), f"{row['whole_over_slices']:.2f}") for row in rows]
    print_table(("work", "MB of a slice", "ms a step", "whole / slices"), table)
    write_rows(options.results / "tried.csv", rows)
    entries = []
    for name in options.works:
        entries.append((WORKS[name].title, []))
        for row in (row for row in rows if row["work"] == name):
            ratio = row["whole_over_slices"]
            entries.append((f"slices of {row['slice_mb']:g} MB", [{"whole / slices": (ratio, f"{ratio:.2f}")}]))
    title = "A few images at a time: how many times longer the whole batch takes"
    charts.save(charts.dots(title, entries, at_one="as fast"), options.results / "tried.svg")


if __name__ == "__main__":
    main()
