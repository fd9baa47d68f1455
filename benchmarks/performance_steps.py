"""How it became fast: from the definition's loops to the fully compiled step, and what each stage gains.

    python benchmarks/performance_steps.py [--cases layer cifar10] [--layer block3_conv2] [--rounds 7]

    the definition, in loops      `naive`
    im2col, plain NumPy           one matrix product by NumPy's BLAS; needs memory for all the columns
    im2col in blocks              compiled: the columns never leave the cache, and all cores share the images
    row windows in registers      compiled: no columns at all, and the sums stay in registers
    Winograd                      compiled: a quarter of the multiplications, where "auto" chooses it
    the whole step                everything else compiled as well: ReLU (fused with the convolution), pools, dropout,
                                  dense layers, the optimizer
    pools fused                   the convolution pools its result at once and never writes the feature map

In all but the last two, whatever surrounds the convolution runs as plain NumPy. The cases are one layer of VGG16 for
one image (the forward pass, and all three passes), the training step of the CIFAR-10 ConvNet with 128 images, and that
of the Cats vs Dogs ConvNet with 32. The loops run once, for one image, and their time is multiplied by the batch size.
All stages must give the same results before any is timed; then they take turns, round after round.
"""

import argparse
import contextlib
import os
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import charts
import numba
import numpy as np
from engines.conv_layer import PASSES
from engines.minitorch import Network
from measure import PAUSE, in_turn, timed
from tables import RESULTS, figures, print_table, write_rows
from works import WORKS, Work, make_problem, vgg16

import minitorch_cnn as mtc
from minitorch_cnn import convolution
from minitorch_cnn.cli.arguments import positive_integer
from minitorch_cnn.engine.layers import Conv2D
from minitorch_cnn.twins.stages import ConvPool

TURN = 0.5  # seconds at most; several calls, because the first one after another stage's runs with a cold cache
AGREE = 5e-3  # norm of the difference of two results over their norm; `versus.py` explains why not the largest element


@dataclass(frozen=True)
class Stage:
    """The `algorithm` of every convolution; whether it is compiled, everything else is, and pools are fused."""

    title: str
    algorithm: str
    compiled: bool = True
    everything: bool = False
    fused: bool = False


STAGES = (
    Stage("the definition, in loops", "naive", compiled=False),
    Stage("im2col, plain NumPy", "im2col", compiled=False),
    Stage("im2col in blocks", "im2col"),
    Stage("row windows in registers", "row_windows"),
    Stage("Winograd", "auto"),
    Stage("the whole step", "auto", everything=True),
    Stage("pools fused", "auto", everything=True, fused=True),
)
LOOPS = STAGES[0]
CASES = ("layer", "cifar10", "cats-vs-dogs", "tiny")


class OneLayer(Network):
    """All three passes of a single layer."""

    def run(self, images=None):
        """y, dx, and the gradients of the parameters."""
        y = self.model.forward(self.x[:images], training=True)
        return {"y": y, "dx": self.model.backward(self.target[:images], input_gradient=True)}

    def results(self):
        return self.run() | {name: gradient.copy() for name, gradient in self.model.layers[0].gradients.items()}


def single(name):
    """The network that is one convolution of VGG16, as a function of an image size."""
    layer = vgg16().get_layer(name)
    return lambda size=None: mtc.Sequential([Conv2D(**layer.config())], layer.input_shape, seed=0)


def compiled(name):
    """The name of an algorithm that runs the compiled twins of `name` even where only definitions run otherwise."""
    direct = f"{name}, compiled"
    if direct not in convolution.ALGORITHMS:
        definitions = convolution.ALGORITHMS[name]
        twins = {direction: getattr(definitions, direction).find("numba") for direction in PASSES}
        convolution.ALGORITHMS[direct] = SimpleNamespace(**twins)
    return direct


def algorithm_of(stage, layer, images):
    """The name of the algorithm that `layer` uses in a stage, for so many images."""
    if stage.algorithm != "auto":
        return compiled(stage.algorithm) if stage.compiled else stage.algorithm
    x = np.empty((images, *layer.input_shape), np.float32)
    kernel_shape = layer.parameter_shapes()["kernel"]
    module = convolution.choose("auto", x, kernel_shape, layer.strides, layer.output_shape[:2])
    return compiled(next(name for name, candidate in convolution.ALGORITHMS.items() if candidate is module))


def run_stage(stage, network, what):
    """Call `what` while the network's convolutions, and everything around them, run as the stage says."""
    for layer in network.model.layers:
        if isinstance(layer, Conv2D):
            layer.algorithm = "auto" if stage.everything else algorithm_of(stage, layer, len(network.x))
    with contextlib.ExitStack() as stack:
        if not stage.everything:
            stack.enter_context(mtc.definitions_only())
        elif not stage.fused:
            stack.enter_context(mock.patch.object(ConvPool, "fits", staticmethod(lambda before, pool: False)))
        return what()


def check_agreement(network, title, stages):
    """End the program unless all stages give the same results."""
    reference = None
    for stage in stages:
        results = run_stage(stage, network, network.results)
        results = {name: np.array(result) for name, result in results.items()}
        reference = reference or results
        for name, result in results.items():
            difference = np.linalg.norm(result - reference[name]) / np.linalg.norm(reference[name])
            if not difference <= AGREE:
                sys.exit(f"{title}, {stage.title}: {name} differs by {difference:.1e}: nothing is timed")


def measure(case, title, work, make, rounds):
    """Rows of the table, a dictionary for each stage."""
    left_out = {Network: 0, OneLayer: 1}[make] if work.loss else 2  # one layer has no pool, and its forward no more
    stages = STAGES[: len(STAGES) - left_out]
    one = make(make_problem(work, 1))
    check_agreement(one, title, stages)
    start = time.perf_counter()
    run_stage(LOOPS, one, one.run)
    seconds = {LOOPS: (time.perf_counter() - start) * work.batch_size}
    network = make(make_problem(work, work.batch_size))
    turn = partial(timed, network.run, seconds=TURN)
    contestants = {stage: partial(run_stage, stage, network, turn) for stage in stages[1:]}
    for contestant in contestants.values():
        contestant()  # warm
    seconds |= in_turn(contestants, rounds, PAUSE)
    rows, before = [], seconds[LOOPS]
    for stage in stages:
        rows.append(
            {
                "case": case,
                "title": title,
                "stage": stage.title,
                "ms": seconds[stage] * 1e3,
                "gain": before / seconds[stage],
                "gain_over_plain_numpy": seconds[STAGES[1]] / seconds[stage],
            }
        )
        before = seconds[stage]
    return rows


def show(rows):
    """Print the table of a case."""
    print(f"{rows[0]['title']}\n")
    table = [
        (row["stage"], figures(row["ms"]), f"{row['gain']:.2f}", f"{row['gain_over_plain_numpy']:.3g}") for row in rows
    ]
    print_table(("stage", "ms", "times faster", "than plain NumPy"), table)


def draw(rows):
    """A row for each stage, a dot at its time."""
    entries = []
    for title in dict.fromkeys(row["title"] for row in rows):
        entries.append((title, []))
        for row in rows:
            if row["title"] == title:
                entries.append((row["stage"], [{"ms": (row["ms"], f"{figures(row['ms'])} ms")}]))
    return charts.dots("What each step gains: milliseconds", entries, log=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES[:3])
    parser.add_argument("--layer", default="block3_conv2", help="the convolution of VGG16")
    parser.add_argument("--rounds", type=positive_integer, default=7)
    parser.add_argument("--threads", type=positive_integer, default=os.cpu_count())
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the CSV file and the chart go")
    options = parser.parse_args()
    names = [layer.name for layer in vgg16().layers if isinstance(layer, Conv2D)]
    if options.layer not in names:
        parser.error(f"--layer: expected one of {', '.join(names)}, got {options.layer!r}")
    numba.set_num_threads(min(options.threads, numba.config.NUMBA_NUM_THREADS))

    cases = []
    if "layer" in options.cases:
        layer = Work(f"VGG16 {options.layer}", single(options.layer), 1, "weighted_sum")
        cases.append(("layer forward", f"{layer.title}, one image, forward", replace(layer, loss=None), Network))
        cases.append(("layer", f"{layer.title}, one image, forward and both gradients", layer, OneLayer))
    for name in ("cifar10", "cats-vs-dogs", "tiny"):
        if name in options.cases:
            cases.append((name, f"{WORKS[name].title}, batch {WORKS[name].batch_size}", WORKS[name], Network))
    rows = []
    for case in cases:
        found = measure(*case, options.rounds)
        show(found)
        rows += found
    write_rows(options.results / "performance_steps.csv", rows)
    charts.save(draw(rows), options.results / "performance_steps.svg")


if __name__ == "__main__":
    main()
