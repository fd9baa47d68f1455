"""From which batch size on is the GPU faster? Every convolution algorithm on the processor and on the GPU.

    python benchmarks/im2col_cpu_vs_gpu.py [--networks cifar10] [--batch-sizes 1 32] [--layers conv2d_2] [--rounds 5]

For each convolution layer of the slides' networks, each batch size and each pass the table shows milliseconds, GFLOP/s
(two operations for each multiplication of the definition), and how many times faster that is than im2col in plain
NumPy. On the processor run the loops of the definition (unless they take too long), im2col in plain NumPy, im2col
compiled, row windows and Winograd; on the GPU im2col in plain CuPy, im2col with kernels, and row windows, the last two
in full float32 and in TF32.

Times on the GPU are measured by events on the GPU itself. Sending the arrays of a pass there and its result back is
measured separately. The last table shows the batch size from which the GPU is faster, if its arrays are there already,
and if all of them have to be sent. Results must agree before anything is timed.

Without a GPU only the processor's half runs, and the output says so.
"""

import argparse
import os
import sys
from datetime import date
from functools import partial
from pathlib import Path

import charts
import numba
import numpy as np
from conv_passes import NAIVE_OUTPUTS, differences, layers_of
from devices import CPU, GPU, Gpu, calls_of, fetch, gpu_or_reason, processor_name
from engines.conv_layer import PASSES
from measure import in_turn, timed
from tables import RESULTS, figures, print_table, write_rows
from works import cats_vs_dogs, cifar10, tiny, vgg16

NETWORKS = {  # name: (title, network, batch sizes)
    "cifar10": ("CIFAR-10 ConvNet", cifar10, (1, 8, 32, 128)),
    "cats-vs-dogs": ("Cats vs Dogs ConvNet", cats_vs_dogs, (1, 8, 32)),
    "vgg16": ("VGG16", vgg16, (1, 8)),
    "tiny": ("a tiny ConvNet", tiny, (1, 2)),
}
PLAIN = "cpu plain NumPy"
AGREE_TF32 = 1e-2  # of the largest value
SERIES = ("plain NumPy", "best of CPU", "plain CuPy", "best of GPU", "best of GPU, sent")


def measure(layer, first, gpu, rounds):
    """The table's rows for one layer: a dictionary for each pass and algorithm."""
    contestants = {name: calls_of(algorithm, layer, np) for name, algorithm in CPU.items()}
    if int(np.prod(layer.y_shape)) > NAIVE_OUTPUTS:
        contestants.pop("cpu naive")
    if gpu is not None:
        contestants |= {name: calls_of(algorithm, layer, gpu.xp) for name, algorithm in GPU.items()}
    rows = []
    for direction in PASSES[:1] + PASSES[2:] if first else PASSES:
        calls = {name: found[direction] for name, found in contestants.items()}
        differ = agreement({name: fetch(call()) for name, call in calls.items()}, direction)
        turns = {
            name: partial(gpu.timed, call) if name in GPU else partial(timed, call) for name, call in calls.items()
        }
        sent = gpu.transfers(layer, direction) if gpu is not None else 0.0
        for name, seconds in in_turn(turns, rounds).items():
            rows.append(
                {
                    "device": "gpu" if name in GPU else "cpu",
                    "algorithm": name,
                    "pass": direction,
                    "ms": round(seconds * 1e3, 5),
                    "sent_ms": round(sent * 1e3, 5) if name in GPU else 0.0,
                    "gflops": round(2 * layer.multiplications / seconds / 1e9, 3),
                    "difference": float(f"{differ[name]:.2g}"),
                }
            )
    return rows


def agreement(results, direction):
    """{name: difference from the first result}; TF32 rounds numbers to 10 bits, so it has a limit of its own."""
    exact = {name: result for name, result in results.items() if not name.endswith("TF32")}
    found = differences(exact, direction)
    first = next(iter(exact.values()))
    for name, result in results.items():
        if name not in exact:
            found[name] = float(abs(result - first).max() / abs(first).max())
            if not found[name] <= AGREE_TF32:
                sys.exit(f"{name}, {direction}: differs by {found[name]:.1e}; nothing was timed")
    return found


def show_layer(title, name, layer, rows):
    """Print one layer's table."""
    print(f"{title}, {name}: {layer.N} x {layer.H}x{layer.W}x{layer.C} -> {layer.out[0]}x{layer.out[1]}x{layer.K}\n")
    plain = {row["pass"]: row["ms"] for row in rows if row["algorithm"] == PLAIN}
    table = [
        (
            f"{row['pass']:16}{row['algorithm']}",
            figures(row["ms"]),
            figures(row["sent_ms"]) if row["device"] == "gpu" else "-",
            figures(row["gflops"]),
            figures(plain[row["pass"]] / row["ms"]),
            f"{row['difference']:.0e}",
        )
        for row in rows
    ]
    print_table(("pass            algorithm", "ms", "sending ms", "GFLOP/s", "plain NumPy / it", "differs"), table)


def fastest(rows, device, sent=False):
    """The shortest time in ms among the rows of a device, with `sent` including transfers; None if there is no row."""
    return min((row["ms"] + sent * row["sent_ms"] for row in rows if row["device"] == device), default=None)


def by(rows, *keys):
    """{values of `keys`: the rows that have them}."""
    found = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return found


def show_crossing(rows):
    """Print the batch size from which the GPU is faster, for each layer and pass."""
    table = []
    for (network, layer, direction), found in by(rows, "network", "layer", "pass").items():
        wins = {}
        for sent in (False, True):
            batches = by(found, "batch_size").items()
            wins[sent] = min((n for (n,), at in batches if fastest(at, "gpu", sent) < fastest(at, "cpu")), default=None)
        largest = [row for row in found if row["batch_size"] == max(row["batch_size"] for row in found)]
        ratio = fastest(largest, "cpu") / fastest(largest, "gpu")
        table.append((f"{network} {layer}", direction, wins[False] or "never", wins[True] or "never", figures(ratio)))
    print("The smallest measured batch size at which the GPU is faster than the processor\n")
    print_table(("layer", "pass", "arrays there", "all sent", "CPU / GPU, largest batch"), table)


def draw(rows):
    """The chart: milliseconds that an image takes in all layers and passes of a network, over the batch size."""
    panels = []
    for (network,), found in by(rows, "network").items():
        curves = {}
        for (batch_size,), at in by(found, "batch_size").items():
            sums = dict.fromkeys(SERIES, 0.0)
            for group in by(at, "layer", "pass").values():
                one = {row["algorithm"]: row["ms"] for row in group}
                times = (
                    one[PLAIN], fastest(group, "cpu"), one.get("gpu plain CuPy"), fastest(group, "gpu"),
                    fastest(group, "gpu", sent=True),
                )  # fmt: skip
                for series, ms in zip(SERIES, times):
                    sums[series] = None if ms is None else sums[series] + ms
            for series, ms in sums.items():
                if ms is not None:
                    curves.setdefault(series, []).append((batch_size, ms / batch_size))
        panels.append((NETWORKS[network][0], curves, True))
    return charts.lines("Convolutions of a training step: ms per image over the batch size", panels, height=340)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=["cifar10", "cats-vs-dogs", "vgg16"])
    parser.add_argument("--batch-sizes", nargs="+", type=int, help="numbers of images (what suits the network)")
    parser.add_argument("--layers", nargs="+", default=[""], help="only layers whose names begin like this")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the CSV file and the chart go")
    options = parser.parse_args()
    numba.set_num_threads(min(options.threads, numba.config.NUMBA_NUM_THREADS))

    xp, reason = gpu_or_reason()
    gpu = None if xp is None else Gpu(xp)
    print(f"GPU: {gpu.name}\n" if gpu else f"NO GPU, only the processor is measured: {reason}\n")
    rows = []
    for network in options.networks:
        title, make, batch_sizes = NETWORKS[network]
        for batch_size in options.batch_sizes or batch_sizes:
            for name, layer, first in layers_of(make, batch_size):
                if not name.startswith(tuple(options.layers)):
                    continue
                found = measure(layer, first, gpu, options.rounds)
                show_layer(title, name, layer, found)
                about = {"date": date.today().isoformat(), "network": network, "layer": name, "batch_size": batch_size}
                about |= {"processor": processor_name(), "threads": options.threads, "gpu": gpu.name if gpu else ""}
                rows += [about | row for row in found]
    if not rows:
        parser.error("no layer's name begins like that")
    if gpu is not None:
        show_crossing(rows)
    write_rows(options.results / "im2col_cpu_vs_gpu.csv", rows)
    charts.save(draw(rows), options.results / "im2col_cpu_vs_gpu.svg")


if __name__ == "__main__":
    main()
