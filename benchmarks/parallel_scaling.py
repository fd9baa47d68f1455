"""How much faster is training with more processes? Measured on this machine's cores, and modelled beyond them.

    python benchmarks/parallel_scaling.py [--networks cifar10] [--steps 5] [--measured 1 2]

Needs mpi4py and mpiexec. Every rank has a batch of the same size, so the whole batch grows with the number of ranks.
The question is which part of a step is spent on the sum of the gradients.

In the model a step takes as long as that of a single rank, plus the sum. A ring of P ranks sends each byte
2 (P - 1) / P times, in 2 (P - 1) messages:

    step(P) = step(1) + 2 (P - 1) (latency + bytes / (P bandwidth))        efficiency(P) = step(1) / step(P)

The model assumes that sending begins after the last gradient is computed (as it does here), that all ranks are equally
fast, that adding takes no time compared with sending, that nobody else uses the network, and that ranks do not slow
each other down. The few bytes for the loss and for interrupts are not counted. Bandwidths and latencies are the nominal
ones of `INTERCONNECTS`; the step of one rank is measured on this machine.

The same formula predicts two ranks on this machine, with the latency and bandwidth between two of its processes
measured beforehand. Here the last assumption does not hold, because ranks on one machine share its memory, caches and
clock. So a second prediction adds two measurements: both ranks computing at the same time, and the sum alone. Ranks on
machines of their own, as in the model, share nothing.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import charts
from tables import RESULTS, figures, markdown_table, print_table, write_in_page, write_rows

from minitorch_cnn.cli.arguments import positive_integer

BATCHES = {"cifar10": 64, "cats-vs-dogs": 16, "vgg16": 2, "tiny": 4}
TITLES = {"cifar10": "CIFAR-10", "cats-vs-dogs": "Cats vs Dogs", "vgg16": "VGG16", "tiny": "tiny"}
RANKS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
# name: (bytes per second in one direction, seconds per message)
INTERCONNECTS = {
    "1 Gbit Ethernet": (0.125e9, 50e-6),
    "10 Gbit Ethernet": (1.25e9, 20e-6),
    "100 Gbit InfiniBand": (12.5e9, 2e-6),
    "400 Gbit InfiniBand": (50e9, 2e-6),
    "NVLink 4": (450e9, 5e-6),
}


CHARTED = ("1 Gbit Ethernet", "10 Gbit Ethernet", "100 Gbit InfiniBand")
DOCS = Path(__file__).parents[1] / "docs" / "parallel.md"


def ring_seconds(size, ranks, bandwidth, latency):
    """Seconds that a ring of so many ranks takes to sum `size` bytes."""
    return 2 * (ranks - 1) * (latency + size / (ranks * bandwidth))


def run(ranks, *arguments):
    """The results of `parallel_steps.py` with so many processes on this machine, each with one thread."""
    command = [sys.executable, Path(__file__).with_name("parallel_steps.py"), *arguments]
    if ranks > 1:
        beside = Path(sys.executable).with_name("mpiexec")
        launcher = str(beside) if beside.exists() else shutil.which("mpiexec")
        if launcher is None:
            sys.exit("parallel_scaling: expected mpiexec on the PATH, found none; pip install mpi4py mpich")
        command = [launcher, "-n", ranks, *command]
    environment = os.environ | {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [str(part) for part in command]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(network, options):
    """{ranks: the smallest value of each result}, in bytes and seconds."""
    turns = {ranks: [] for ranks in sorted({1, *options.measured})}
    for _ in range(options.rounds):  # in turn, so that the machine's drift affects all alike
        for ranks, answers in turns.items():
            answers.append(run(ranks, network, BATCHES[network], options.steps))
    measured = {}
    for ranks, answers in turns.items():
        found = {name: min(answer[name] for answer in answers) for name in answers[0]}
        if ranks == 1:  # the same work under two names, as there is nothing to sum
            found["compute"] = found["step"] = min(found["compute"], found["step"])
        measured[ranks] = found
    return measured


def compared(network, measured, link):
    """Rows of measurements, beside the model's prediction."""
    alone = measured[1]["compute"]
    for ranks, found in measured.items():
        row = modelled_row(
            network, "this machine", ranks, found["bytes"], alone, ring_seconds(found["bytes"], ranks, **link)
        )
        sum_alone = found["sum"] if ranks > 1 else 0.0
        yield row | {
            "computing_ms": found["compute"] * 1e3,
            "sum_ms": sum_alone * 1e3,
            "measured_ms": found["step"] * 1e3,
            "measured_over_modelled": found["step"] * 1e3 / row["modelled_ms"],
            "measured_over_parts": found["step"] / (found["compute"] + sum_alone),
            "efficiency": alone / found["step"],
        }


def modelled(network, measured):
    """Rows of the model's predictions for other machines."""
    alone, size = measured[1]["compute"], measured[1]["bytes"]
    for name, (bandwidth, latency) in INTERCONNECTS.items():
        for ranks in RANKS:
            yield modelled_row(network, name, ranks, size, alone, ring_seconds(size, ranks, bandwidth, latency))


def modelled_row(network, interconnect, ranks, size, alone, ring):
    return {
        "network": network,
        "interconnect": interconnect,
        "ranks": ranks,
        "images": BATCHES[network] * ranks,
        "bytes": size,
        "computing_ms": alone * 1e3,
        "modelled_sum_ms": ring * 1e3,
        "modelled_ms": (alone + ring) * 1e3,
        "efficiency": alone / (alone + ring),
    }


def comparison_table(rows):
    """Headings and lines of the table of measurements."""
    headings = (
        "network", "images per rank", "MB summed", "ranks", "computing, ms", "sum, ms", "modelled step, ms",
        "measured, ms", "measured / model", "measured / (computing + sum)", "efficiency",
    )  # fmt: skip
    return headings, [
        (
            TITLES[row["network"]],
            BATCHES[row["network"]],
            figures(row["bytes"] / 1e6),
            row["ranks"],
            *(figures(row[name]) for name in ("computing_ms", "sum_ms", "modelled_ms", "measured_ms")),
            *(f"{row[name]:.2f}" for name in ("measured_over_modelled", "measured_over_parts")),
            f"{row['efficiency']:.0%}",
        )
        for row in rows
    ]


def model_table(rows, ranks):
    """Headings and lines of the model's table: the sum beside the step, and efficiencies for these numbers of ranks."""
    headings = ("network", "interconnect", "sum of 256 / step of one", *(f"{count} ranks" for count in ranks))
    lines = []
    for network in dict.fromkeys(row["network"] for row in rows):
        for name in INTERCONNECTS:
            by_ranks = {row["ranks"]: row for row in rows if (row["network"], row["interconnect"]) == (network, name)}
            last = by_ranks[RANKS[-1]]
            ratio = figures(last["modelled_sum_ms"] / last["computing_ms"], 2)
            efficiencies = (f"{by_ranks[count]['efficiency']:.0%}" for count in ranks)
            lines.append((TITLES[network], name, ratio, *efficiencies))
    return headings, lines


def draw(rows):
    """The chart: a panel for each network, efficiency over the number of ranks."""
    panels, rows = [], sorted(rows, key=lambda row: row["interconnect"] == "this machine")  # the measured ones last
    for network in dict.fromkeys(row["network"] for row in rows):
        curves = {}
        for row in rows:
            if row["network"] == network and row["interconnect"] in (*CHARTED, "this machine"):
                name = {"this machine": "measured here"}.get(row["interconnect"], row["interconnect"])
                curves.setdefault(name, []).append((row["ranks"], row["efficiency"]))
        panels.append((TITLES[network], curves, False))
    return charts.lines("Efficiency by ranks: modelled, and measured here", panels)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    networks = [name for name in BATCHES if name != "tiny"]
    parser.add_argument("--networks", nargs="+", choices=list(BATCHES), default=networks)
    parser.add_argument("--steps", type=positive_integer, default=5, help="number of timed steps (5)")
    parser.add_argument("--rounds", type=positive_integer, default=3, help="turns of each number of ranks (3)")
    parser.add_argument(
        "--measured", nargs="+", type=positive_integer, default=[1, 2], help="numbers of ranks to measure (1 2)"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the CSV file and the chart go")
    parser.add_argument("--docs", action="store_true", help="put the tables into docs/parallel.md as well")
    options = parser.parse_args()

    link = run(2, "link", 0, options.steps)
    speed, latency = figures(link["bandwidth"] / 1e9), figures(link["latency"] * 1e6)
    said = f"Between two processes of this machine: {speed} GB/s, {latency} microseconds per message"
    print(f"{said}\n")
    here, beyond = [], []
    for network in options.networks:
        measured = measure(network, options)
        found = list(compared(network, measured, link))
        print_table(*comparison_table(found))
        here, beyond = here + found, beyond + list(modelled(network, measured))
    print("The model for more ranks: the sum of 256 ranks divided by the step of one, and the efficiency")
    print_table(*model_table(beyond, RANKS))
    columns = list(here[0])
    write_rows(
        options.results / "parallel_scaling.csv",
        [{column: row.get(column, "") for column in columns} for row in here + beyond],
    )
    charts.save(draw(here + beyond), options.results / "parallel_scaling.svg")
    if options.docs:
        write_in_page(DOCS, "measured", f"{said}.\n\n{markdown_table(*comparison_table(here))}")
        write_in_page(DOCS, "modelled", markdown_table(*model_table(beyond, (2, 8, 64, 256))))


if __name__ == "__main__":
    main()
