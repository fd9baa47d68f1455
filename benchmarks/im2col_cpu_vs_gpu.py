"""From which batch size on is the GPU faster? Every convolution algorithm on the processor and on the GPU.

    python benchmarks/im2col_cpu_vs_gpu.py [--networks cifar10] [--batch-sizes 1 32] [--layers conv2d_2] [--rounds 5]

For each convolution layer of the slides' networks, each batch size and each pass the table shows milliseconds, GFLOP/s
(two operations for each multiplication of the definition), and how many times faster that is than im2col in plain
NumPy. On the processor run the loops of the definition (for one image, unless they take too long), im2col in plain
NumPy, im2col compiled, row windows and Winograd. On the GPU run im2col in plain CuPy, im2col with kernels and row
windows in full float32 and in TF32, the implicit GEMM on tensor cores where it serves the layer, and NVIDIA's cuDNN:
through PyTorch, and through its own frontend, where they are installed (see `cudnn_layers.py`).

Times on the GPU are those of CUDA graphs of ten calls, measured by events on the GPU itself, so the host's launches do
not count. Only plain CuPy cannot be captured; its times, marked with a star, include the host's. Sending the arrays of
a pass there and its result back is measured separately. The last table shows the batch size from which the GPU is
faster, if its arrays are there already, and if all of them have to be sent. The chart shows each algorithm over the
batch size, for all layers and passes of a training step. Results must agree before anything is timed.

Without a GPU only the processor's half runs, and the output says so.
"""

import argparse
import dataclasses
import os
import sys
from datetime import date
from functools import partial
from pathlib import Path

import charts
import cudnn_layers
import numba
import numpy as np
from conv_passes import differences, layers_of
from devices import (
    CALLS,
    CPU,
    GPU,
    IMPLICIT,
    LAUNCHES,
    Gpu,
    calls_of,
    fetch,
    gpu_or_reason,
    has_implicit_gemm,
    processor_name,
)
from engines.conv_layer import PASSES
from measure import in_turn, timed
from tables import RESULTS, figures, print_table, write_rows
from works import cats_vs_dogs, cifar10, tiny, vgg16

from minitorch_cnn.cli.arguments import positive_integer

NETWORKS = {  # name: (title, network, batch sizes)
    "cifar10": ("CIFAR-10 ConvNet", cifar10, (1, 8, 32, 128)),
    "cats-vs-dogs": ("Cats vs Dogs ConvNet", cats_vs_dogs, (1, 8, 32)),
    "vgg16": ("VGG16", vgg16, (1, 8)),
    "tiny": ("a tiny ConvNet", tiny, (1, 2)),
}
PLAIN, NAIVE = "cpu plain NumPy", "cpu naive"
NAIVE_OUTPUTS = 40_000  # elements of an image's output; above that the loops of `naive` take too long
AGREE_ROUNDED = 1e-2  # of the largest value
ROUNDED = "TF32", "cuDNN"  # cuDNN may choose Winograd's algorithm, which costs digits too
SERIES = {  # name in the chart: algorithms, the first one that the layer has
    "naive": (NAIVE,),
    "CPU im2col": (PLAIN,),
    "best CPU": (),
    "im2col": ("gpu im2col TF32",),
    "row windows": ("gpu row_windows TF32",),
    "implicit GEMM": (IMPLICIT, "gpu im2col TF32"),
    "cuDNN": ("gpu cuDNN TF32", "gpu cuDNN frontend TF32"),
}


def on_processor(layer):
    """{name: (calls, timer, fetch)} of the algorithms on the processor; a timer turns a call into a turn of it."""
    return {
        name: (calls_of(algorithm, layer, np), lambda call: partial(timed, call), lambda result, direction: result)
        for name, algorithm in CPU.items()
        if name != NAIVE
    }


def on_gpu(layer, gpu, libraries):
    """The same for the GPU, our algorithms and the libraries."""
    found = {
        name: (calls_of(algorithm, layer, gpu.xp), gpu.replays, lambda result, direction: fetch(result))
        for name, algorithm in GPU.items()
        if name != IMPLICIT or has_implicit_gemm(layer, gpu.xp)
    }
    if "PyTorch" in libraries:
        torch = libraries["PyTorch"]
        timer = partial(torch.replays, count=CALLS, launches=LAUNCHES)
        for name, tf32 in (("gpu cuDNN", False), ("gpu cuDNN TF32", True)):
            found[name] = torch.calls_of(layer, tf32), timer, torch.fetch
    if "cuDNN's frontend" in libraries:
        frontend = libraries["cuDNN's frontend"]
        found["gpu cuDNN frontend TF32"] = frontend.calls_of(layer), gpu.replays, frontend.fetch
    return found


def measure(layer, first, gpu, libraries, rounds):
    """The table's rows for one layer: a dictionary for each pass and algorithm."""
    contestants = on_processor(layer)
    if gpu is not None:
        contestants |= on_gpu(layer, gpu, libraries)
    rows = []
    for direction in PASSES[:1] + PASSES[2:] if first else PASSES:
        here = {name: (calls[direction], *rest) for name, (calls, *rest) in contestants.items() if calls}
        differ = agreement({name: get(call(), direction) for name, (call, _, get) in here.items()}, direction)
        turns = {name: timer(call) for name, (call, timer, _) in here.items()}
        sent = gpu.transfers(layer, direction) if gpu is not None else 0.0
        times = in_turn(turns, rounds)
        if int(np.prod(layer.y_shape[1:])) <= NAIVE_OUTPUTS:
            times[NAIVE], differ[NAIVE] = naive(layer, direction, rounds)
        for name, seconds in times.items():
            device = name.partition(" ")[0]
            launched = gpu is not None and name in here and here[name][0] in gpu.launched
            rows.append(
                {
                    "device": device,
                    "algorithm": name,
                    "pass": direction,
                    "ms": round(seconds * 1e3, 5),
                    "sent_ms": round(sent * 1e3, 5) if device == "gpu" else 0.0,
                    "gflops": round(2 * layer.multiplications / seconds / 1e9, 3),
                    "difference": float(f"{differ[name]:.2g}"),
                    "launched": int(launched),
                }
            )
        del turns
        if gpu is not None:
            gpu.forget()
    return rows


def naive(layer, direction, rounds):
    """(seconds, difference from im2col) of the definition's loops: those of one image, times the number of images."""
    one = dataclasses.replace(layer, N=1)
    calls = {name: calls_of(CPU[name], one, np)[direction] for name in (PLAIN, NAIVE)}
    differ = agreement({name: call() for name, call in calls.items()}, direction)
    return layer.N * in_turn({NAIVE: partial(timed, calls[NAIVE], 1)}, rounds)[NAIVE], differ[NAIVE]


def agreement(results, direction):
    """{name: difference from the first result}; TF32 rounds numbers to 10 bits, so it has a limit of its own."""
    exact = {name: result for name, result in results.items() if not any(word in name for word in ROUNDED)}
    found = differences(exact, direction)
    first = next(iter(exact.values()))
    for name, result in results.items():
        if name not in exact:
            found[name] = float(abs(result - first).max() / abs(first).max())
            if not found[name] <= AGREE_ROUNDED:
                sys.exit(f"{name}, {direction}: differs by {found[name]:.1e}; nothing was timed")
    return found


def show_layer(title, name, layer, rows):
    """Print one layer's table."""
    print(f"{title}, {name}: {layer.N} x {layer.H}x{layer.W}x{layer.C} -> {layer.out[0]}x{layer.out[1]}x{layer.K}\n")
    plain = {row["pass"]: row["ms"] for row in rows if row["algorithm"] == PLAIN}
    table = [
        (
            f"{row['pass']:16}{row['algorithm']}",
            figures(row["ms"]) + "*" * row["launched"],
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
            groups = by(at, "layer", "pass").values()
            for series, names in SERIES.items():
                times = [fastest(group, "cpu") if not names else first_of(group, names) for group in groups]
                if None not in times:  # every layer has it
                    curves.setdefault(series, []).append((batch_size, sum(times) / batch_size))
        panels.append((NETWORKS[network][0], curves, True))
    title = "Convolutions of a training step: ms per image over the batch size (GPU: TF32)"
    return charts.lines(title, panels, height=340)


def first_of(rows, names):
    """The milliseconds of the first of these algorithms that is among the rows; None if there is none."""
    ms = {row["algorithm"]: row["ms"] for row in rows}
    return next((ms[name] for name in names if name in ms), None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=["cifar10", "cats-vs-dogs", "vgg16"])
    parser.add_argument(
        "--batch-sizes", nargs="+", type=positive_integer, help="numbers of images (what suits the network)"
    )
    parser.add_argument("--layers", nargs="+", default=[""], help="only layers whose names begin like this")
    parser.add_argument("--rounds", type=positive_integer, default=5)
    parser.add_argument("--threads", type=positive_integer, default=os.cpu_count())
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the CSV file and the chart go")
    options = parser.parse_args()
    numba.set_num_threads(min(options.threads, numba.config.NUMBA_NUM_THREADS))

    xp, reason = gpu_or_reason()
    gpu = None if xp is None else Gpu(xp)
    print(f"GPU: {gpu.name}" if gpu else f"NO GPU, only the processor is measured: {reason}\n")
    libraries = cudnn_layers.installed(xp) if gpu else {}
    rows = []
    for network in options.networks:
        title, make, batch_sizes = NETWORKS[network]
        for batch_size in options.batch_sizes or batch_sizes:
            for name, layer, first in layers_of(make, batch_size):
                if not name.startswith(tuple(options.layers)):
                    continue
                found = measure(layer, first, gpu, libraries, options.rounds)
                show_layer(title, name, layer, found)
                about = {"date": date.today().isoformat(), "network": network, "layer": name, "batch_size": batch_size}
                about |= {"processor": processor_name(), "threads": options.threads, "gpu": gpu.name if gpu else ""}
                about |= {"library": libraries["PyTorch"].version if "PyTorch" in libraries else ""}
                rows += [about | row for row in found]
    if not rows:
        parser.error("no layer's name begins like that")
    if gpu is not None:
        show_crossing(rows)
    write_rows(options.results / "im2col_cpu_vs_gpu.csv", rows)
    charts.save(draw(rows), options.results / "im2col_cpu_vs_gpu.svg")


if __name__ == "__main__":
    main()
