"""Where does the time of a training step go? Each layer's share, by the definitions, their twins, and fused.

    python benchmarks/step_by_layer.py [--work cifar10-fast-step] [--rounds 5]

    definitions    NumPy alone
    twins          compiled, one layer after the other
    fused          as a training runs them: neighbours that are quicker together run as one

A row is what runs as one in the end, so a convolution and its pool share a row in every column. Forward and backward
passes are counted together. Each number is the median of the rounds, in which twins and fused layers take turns; the
definitions, which compile nothing and take long, make a single step.
"""

import argparse
import contextlib
import os
import statistics
import time
from pathlib import Path
from unittest import mock

import charts
import numba
from engines.minitorch import Network
from tables import RESULTS, figures, print_table, write_rows
from works import WORKS, make_problem

import minitorch_cnn as mtc
from minitorch_cnn.cli.arguments import positive_integer
from minitorch_cnn.engine.passes import Observer

WAYS = ("definitions", "twins", "fused")
STEPS = tuple(name for name, work in WORKS.items() if work.loss == "cross_entropy")


class Clock(Observer):
    """Adds up the seconds of both passes for each value that a layer makes: {number of the value: seconds}."""

    def __init__(self):
        self.seconds = {}

    def before_forward(self, node, x):
        """Start the clock."""
        self.started = time.perf_counter()

    def after_forward(self, node, x, y, kept):
        """Stop it."""
        self.seconds[node.output] = time.perf_counter() - self.started

    def before_backward(self, node, dy):
        """Start it again."""
        self.started = time.perf_counter()

    def after_backward(self, node, dy, dx, gradients):
        """Stop it, and add."""
        self.seconds[node.output] += time.perf_counter() - self.started


def rows_of(model):
    """[(title, numbers of its layers' values)], one for each of the model's stages."""
    found, nodes = [], iter(model.nodes())
    for stage in model.stages():
        inside = [next(nodes)]
        while inside[-1].output != stage.output:
            inside.append(next(nodes))
        shape = inside[0].layer.input_shape
        shape = shape[0] if isinstance(shape[0], tuple) else shape  # of a merge's first input
        found.append((f"{' + '.join(kind(node.layer) for node in inside)} on {'x'.join(map(str, shape))}",
                      [node.output for node in inside]))  # fmt: skip
    return found


def kind(layer):
    """What a layer is, in a word or two."""
    if hasattr(layer, "kernel_size"):
        return f"{type(layer).__name__} {layer.kernel_size[0]}x{layer.kernel_size[1]}"
    given = getattr(layer.activation, "name", None)
    return given if type(layer).__name__ == "Activation" else type(layer).__name__


def step(network, way):
    """({number of a value: seconds}, seconds of both passes, seconds of the update) of one step."""
    model, clock = network.model, Clock()
    with contextlib.ExitStack() as stack:
        if way == "definitions":
            stack.enter_context(mtc.definitions_only())
        elif way == "fused":
            stages = model.stages()
            stack.enter_context(mock.patch.object(model, "nodes", lambda: stages))
        started = time.perf_counter()
        model.loss_and_gradients(network.x, network.target, network.loss, training=True, observer=clock)
        passes = time.perf_counter()
        network.optimizer.step(model)
        return clock.seconds, passes - started, time.perf_counter() - passes


def measure(network, rounds):
    """The table's rows as dictionaries: the title, and milliseconds for each way."""
    taken = {"definitions": [step(network, "definitions")], "twins": [], "fused": []}
    for number in range(1 + rounds):
        for way in WAYS[1:]:
            done = step(network, way)
            if number:  # the first one warms up
                taken[way].append(done)
    titles = rows_of(network.model)
    table = [{"part": title} for title, _ in titles] + [{"part": "loss and the rest"}, {"part": "update"}]
    for way, steps in taken.items():
        found = [
            [sum(seconds.get(number, 0) for number in numbers) for _, numbers in titles] for seconds, _, _ in steps
        ]
        whole = [[*parts, passes - sum(parts), update] for parts, (_, passes, update) in zip(found, steps)]
        for row, times in zip(table, zip(*whole)):
            row[f"{way}_ms"] = round(statistics.median(times) * 1e3, 3)
    return table


def show(title, table):
    """Print the table by layer, and with the layers of a kind added up."""
    kinds = {}
    for row in table:
        kinds.setdefault(row["part"].partition(" on ")[0], []).append(row)
    added = [
        {"part": f"{len(rows)} x {part}" if len(rows) > 1 else part}
        | {f"{way}_ms": sum(row[f"{way}_ms"] for row in rows) for way in WAYS}
        for part, rows in kinds.items()
    ]
    total = {"part": "sum"} | {f"{way}_ms": sum(row[f"{way}_ms"] for row in table) for way in WAYS}
    for heading, rows in ("by layer", table), ("by kind", [*added, total]):
        print(f"{title}: both passes, ms, {heading}\n")
        share = [f"{100 * row['fused_ms'] / total['fused_ms']:.0f} %" for row in rows]
        lines = [(row["part"], *(figures(row[f"{way}_ms"]) for way in WAYS), part) for row, part in zip(rows, share)]
        print_table(("", *WAYS, "share of the last"), lines)


def draw(table):
    """A row for each part, with a dot for each way."""
    entries = [
        (row["part"], [{way: (row[f"{way}_ms"], f"{figures(row[f'{way}_ms'])} ms") for way in WAYS}]) for row in table
    ]
    return charts.dots("A training step by layer: milliseconds", entries, log=True, names=330)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", choices=STEPS, default="cifar10-fast-step")
    parser.add_argument("--batch-size", type=positive_integer)
    parser.add_argument("--rounds", type=positive_integer, default=5)
    parser.add_argument("--threads", type=positive_integer, default=os.cpu_count())
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the CSV file and the chart go")
    options = parser.parse_args()
    numba.set_num_threads(min(options.threads, numba.config.NUMBA_NUM_THREADS))
    work = WORKS[options.work]
    images = options.batch_size or work.batch_size
    table = measure(Network(make_problem(work, images)), options.rounds)
    show(f"{work.title}, {images} images", table)
    write_rows(options.results / "step_by_layer.csv", table)
    charts.save(draw(table), options.results / "step_by_layer.svg")


if __name__ == "__main__":
    main()
