"""How does the time per image depend on the batch size, the number of threads and the size of the image?

    python benchmarks/scaling.py [--networks vgg16] [--batch-sizes 1 8] [--threads 1 2] [--sizes 64 128] [--rounds 5]

For the forward pass and the training step of the CIFAR-10 ConvNet and of VGG16's convolutions the table shows
milliseconds per image, GFLOP/s (counting the operations of the definitions of convolutions and dense layers), and how
many times faster an image is than at the first point of the sweep. All points of a sweep take turns, round after round.
"""

import argparse
import math
import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import charts
import numba
from engines.minitorch import Network
from measure import in_turn, timed
from tables import RESULTS, figures, print_table, write_rows
from works import WORKS, Work, make_problem

from minitorch_cnn.cli.arguments import positive_integer


@dataclass(frozen=True)
class Plan:
    """What is measured of a network: batch sizes, the batch size for the other sweeps, and image sizes."""

    title: str
    step: Work
    batch_sizes: tuple
    batch_size: int
    sizes: tuple


PLANS = {
    "cifar10": Plan("CIFAR-10", WORKS["cifar10"], (1, 2, 4, 8, 16, 32, 64, 128, 256), 128, ()),
    "vgg16": Plan("VGG16", WORKS["vgg16-step"], (1, 2, 4, 8), 2, (32, 64, 96, 128, 160, 192, 224)),
    "tiny": Plan("tiny", WORKS["tiny"], (1, 2), 2, (12, 16)),
}
SWEEPS = {"batch": "ms per image over batch", "threads": "times faster over threads", "size": "GFLOP/s over image size"}


def operations(model, trains):
    """Operations per image, two for each multiplication; a step has three passes, but needs no dx of the input."""
    layers = [layer for layer in model.layers if "kernel" in layer.parameter_shapes()]
    counts = [2 * layer.parameters["kernel"].size * math.prod(layer.output_shape[:-1]) for layer in layers]
    return 3 * sum(counts) - counts[0] if trains else sum(counts)


def run_with(threads, network, images):
    """Run the network once on the first `images` images with so many threads."""
    numba.set_num_threads(threads)
    network.run(images)


def sweep(plan, work, kind, values, options):
    """The table's rows: a dictionary for each of the `values` of a sweep."""
    fixed = {"batch": plan.batch_size, "threads": max(options.threads), "size": None}
    points = {value: fixed | {kind: value} for value in values}
    largest = max(point["batch"] for point in points.values())
    networks = {size: None for size in dict.fromkeys(point["size"] for point in points.values())}
    for size in networks:
        networks[size] = Network(make_problem(work, largest, size))
    contestants = {}
    for value, point in points.items():
        run = partial(run_with, point["threads"], networks[point["size"]], point["batch"])
        run()  # compiled and warm
        contestants[value] = partial(timed, run)
    times = in_turn(contestants, options.rounds)
    rows = []
    for value, seconds in times.items():
        point = points[value]
        model = networks[point["size"]].model
        each = seconds / point["batch"]
        first = rows[0]["ms_per_image"] if rows else each * 1e3
        rows.append(
            {
                "sweep": kind,
                "batch_size": point["batch"],
                "threads": point["threads"],
                "image": model.input_shape[0],
                "ms_per_image": each * 1e3,
                "gflops": operations(model, work.loss is not None) / each / 1e9,
                "times_faster": first / (each * 1e3),
            }
        )
    return rows


def show(rows):
    """Print the table of one sweep."""
    table = [
        (
            f"{row['network']} {row['work']}",
            row["batch_size"],
            row["threads"],
            row["image"],
            figures(row["ms_per_image"]),
            figures(row["gflops"]),
            f"{row['times_faster']:.2f}",
        )
        for row in rows
    ]
    print_table(("network", "batch", "threads", "image", "ms per image", "GFLOP/s", "times faster"), table)


def draw(rows):
    """The chart: a panel for each sweep, with a line for each network's forward pass and step."""
    across = {"batch": "batch_size", "threads": "threads", "size": "image"}
    up = {"batch": "ms_per_image", "threads": "times_faster", "size": "gflops"}
    panels = []
    for kind, title in SWEEPS.items():
        curves = {}
        for row in rows:
            if row["sweep"] == kind:
                name = f"{PLANS[row['network']].title} {row['work']}"
                curves.setdefault(name, []).append((row[across[kind]], row[up[kind]]))
        if curves:
            panels.append((title, curves, kind == "batch"))
    return charts.lines("Time per image", panels)


def main():
    cores = numba.config.NUMBA_NUM_THREADS
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--networks", nargs="+", choices=list(PLANS), default=[name for name in PLANS if name != "tiny"]
    )
    parser.add_argument("--works", nargs="+", choices=("forward", "step"), default=("forward", "step"))
    parser.add_argument("--sweeps", nargs="+", choices=list(SWEEPS), default=list(SWEEPS))
    parser.add_argument(
        "--batch-sizes", nargs="+", type=positive_integer, help="numbers of images (what suits the network)"
    )
    parser.add_argument(
        "--threads", nargs="+", type=positive_integer, default=list(range(1, min(cores, os.cpu_count()) + 1))
    )
    parser.add_argument("--sizes", nargs="+", type=positive_integer, help="widths of the images in pixels")
    parser.add_argument("--rounds", type=positive_integer, default=5)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the CSV file and the chart go")
    options = parser.parse_args()
    if max(options.threads) > cores:
        parser.error(f"--threads: at most {cores} here")

    rows = []
    for network in options.networks:
        plan = PLANS[network]
        for name in options.works:
            work = plan.step if name == "step" else replace(plan.step, loss=None)
            values = {
                "batch": options.batch_sizes or plan.batch_sizes,
                "threads": options.threads,
                "size": plan.sizes and (options.sizes or plan.sizes),
            }
            for kind in options.sweeps:
                if values[kind]:
                    found = sweep(plan, work, kind, values[kind], options)
                    found = [{"network": network, "work": name} | row for row in found]
                    show(found)
                    rows += found
    if not rows:
        parser.error("nothing to run: this network has one image size only")
    write_rows(options.results / "scaling.csv", rows)
    charts.save(draw(rows), options.results / "scaling.svg")


if __name__ == "__main__":
    main()
