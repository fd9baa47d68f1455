"""What more processes gain: measured on this machine's cores, and a model of what lies beyond them.

    python benchmarks/parallel_scaling.py [--networks cifar10] [--steps 5] [--measured 1 2]

Needs mpi4py and mpiexec. Every rank keeps its batch, so the batch of all grows with the ranks: what is asked is how
much of a step is spent waiting for the sum of the gradients.

The model: a step takes as long as one rank's, and then the sum. A ring of P ranks passes each byte on 2 (P - 1) / P
times, in 2 (P - 1) messages:

    step(P) = step(1) + 2 (P - 1) (latency + bytes / (P bandwidth))        efficiency(P) = step(1) / step(P)

It assumes that nothing is sent before the last gradient is there (so it is here), that ranks are equally fast, that
adding costs nothing beside sending, and that nobody else uses the network. Bandwidths and latencies are nominal ones
(`INTERCONNECTS`), the steps of one rank are this machine's as measured. The prediction beside a measurement adds what
was measured apart: the ranks computing at the same time, and the sum. Ranks of one machine share its memory and caches,
so they compute more slowly together than one alone; ranks on machines of their own, as in the model, do not.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import charts
from tables import RESULTS, figures, print_table, write_rows

BATCHES = {"cifar10": 64, "cats-vs-dogs": 16, "vgg16": 2, "tiny": 4}
TITLES = {"cifar10": "CIFAR-10", "cats-vs-dogs": "Cats vs Dogs", "vgg16": "VGG16", "tiny": "tiny"}
RANKS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
# bytes a second in one direction, seconds for a message
INTERCONNECTS = {
    "1 Gbit Ethernet": (0.125e9, 50e-6),
    "10 Gbit Ethernet": (1.25e9, 20e-6),
    "100 Gbit InfiniBand": (12.5e9, 2e-6),
    "400 Gbit InfiniBand": (50e9, 2e-6),
    "NVLink 4": (450e9, 5e-6),
}


def sum_seconds(size, ranks, interconnect):
    """What a ring takes to add `size` bytes over so many ranks."""
    bandwidth, latency = INTERCONNECTS[interconnect]
    return 2 * (ranks - 1) * (latency + size / (ranks * bandwidth))


def measure(network, ranks, steps):
    """{"bytes", "step", "sum"} of a step on so many processes of this machine, each with one thread."""
    command = [sys.executable, Path(__file__).with_name("parallel_steps.py"), network, BATCHES[network], steps]
    if ranks > 1:
        beside = Path(sys.executable).with_name("mpiexec")
        launcher = str(beside) if beside.exists() else shutil.which("mpiexec")
        if launcher is None:
            sys.exit("parallel_scaling: expected mpiexec on the path; pip install mpi4py mpich")
        command = [launcher, "-n", ranks, *command]
    environment = os.environ | {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(part) for part in command], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def fastest(answers):
    """Of several measurements the smallest of each figure."""
    return {name: min(answer[name] for answer in answers) for name in answers[0]}


def compare(network, options):
    """Rows of what was measured of a network, with what the model says of them."""
    turns = {ranks: [] for ranks in sorted({1, *options.measured})}
    for _ in range(options.rounds):  # in turn, so that drift meets all alike
        for ranks, answers in turns.items():
            answers.append(measure(network, ranks, options.steps))
    measured = {ranks: fastest(answers) for ranks, answers in turns.items()}
    alone = measured[1]["compute"]
    return [
        {
            "network": network,
            "ranks": ranks,
            "images": BATCHES[network] * ranks,
            "bytes": found["bytes"],
            "compute_ms": found["compute"] * 1e3,
            "sum_ms": found["sum"] * 1e3 if ranks > 1 else 0.0,
            "predicted_ms": (found["compute"] + (found["sum"] if ranks > 1 else 0.0)) * 1e3,
            "step_ms": found["step"] * 1e3,
            "efficiency": alone / found["step"],
        }
        for ranks, found in measured.items()
    ]


def line(row):
    """A row of the printed table."""
    times = [figures(row[f"{name}_ms"]) for name in ("compute", "sum", "predicted", "step")]
    ratio = f"{row['step_ms'] / row['predicted_ms']:.2f}"
    return row["ranks"], figures(row["bytes"] / 1e6), *times, ratio, f"{row['efficiency']:.0%}"


def beyond(row):
    """Efficiencies that the model gives a network, for every interconnect and number of ranks."""
    step = row["compute_ms"] / 1e3
    return {
        name: {ranks: step / (step + sum_seconds(row["bytes"], ranks, name)) for ranks in RANKS}
        for name in INTERCONNECTS
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--networks", nargs="+", choices=list(BATCHES), default=[name for name in BATCHES if name != "tiny"]
    )
    parser.add_argument("--steps", type=int, default=5, help="steps that are timed (5)")
    parser.add_argument(
        "--rounds", type=int, default=3, help="times that each number of ranks is measured, in turn (3)"
    )
    parser.add_argument("--measured", nargs="+", type=int, default=[1, 2], help="numbers of ranks (1 2)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the CSV file and the chart go")
    options = parser.parse_args()

    rows, panels = [], []
    for network in options.networks:
        found = compare(network, options)
        rows += found
        print(f"{TITLES[network]}, {BATCHES[network]} images a rank, measured on this machine:")
        print_table(
            (
                "ranks",
                "MB summed",
                "compute ms",
                "sum ms",
                "predicted ms",
                "measured ms",
                "measured / predicted",
                "efficiency",
            ),
            [line(row) for row in found],
        )
        modelled = beyond(found[0])
        print(f"{TITLES[network]}, the model: efficiency by ranks, with the step of one rank as it was measured")
        print_table(
            ("interconnect", *map(str, RANKS)),
            [(name, *(f"{share:.0%}" for share in line.values())) for name, line in modelled.items()],
        )
        panels.append((TITLES[network], {name: list(line.items()) for name, line in modelled.items()}, True))
    write_rows(options.results / "parallel_scaling.csv", rows)
    charts.save(charts.lines("Efficiency by ranks, as modelled", panels), options.results / "parallel_scaling.svg")


if __name__ == "__main__":
    main()
