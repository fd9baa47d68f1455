"""How fast is each convolution algorithm, on each convolution layer of the slides' networks, in each of three passes?

    python benchmarks/conv_algorithms.py [--networks vgg16] [--batch-sizes 1] [--layers block3] [--rounds 7]

The columns for each layer and pass:

    ms             milliseconds
    GFLOP/s        two operations for each multiplication of the definition, so an algorithm that needs fewer
                   multiplications can exceed the machine's peak
    of sgemm       the share of what NumPy's matrix product (sgemm) reached at that moment
    scratch MB     memory needed beside the result, measured
    touched MB     bytes that the cores read and write (`costs.py`)
    differs        the largest difference from the first row's result, relative to its largest number

A star marks what "auto" chooses. The last table shows how far that is from the fastest algorithm; the rule in
`convolution.choose` is based on it.

All algorithms take turns, round after round, after their results have been found to agree. The forward pass includes
bias and ReLU. The first layer of a network needs no gradient for its input. PyTorch, if it is installed, runs in a
process of its own in both of its layouts, and the faster one counts. `naive` is left out where it would take minutes.
"""

import argparse
import os
import statistics
from pathlib import Path

import charts
import numba
from conv_passes import PYTORCH, layers_of, measure_layer, start_pytorch
from engines.conv_layer import PASSES
from tables import RESULTS, figures, print_table, write_rows
from works import cats_vs_dogs, cifar10, tiny, vgg16

from minitorch_cnn import convolution
from minitorch_cnn.cli.arguments import positive_integer

NETWORKS = {  # name: (title, network, batch sizes)
    "cifar10": ("CIFAR-10 ConvNet", cifar10, (128,)),
    "cats-vs-dogs": ("Cats vs Dogs ConvNet", cats_vs_dogs, (32,)),
    "vgg16": ("VGG16", vgg16, (1, 8)),
    "tiny": ("a tiny ConvNet", tiny, (2,)),
}


def best(rows):
    """The fastest row that is not PyTorch's."""
    return min((row for row in rows if row["algorithm"] not in PYTORCH), key=lambda row: row["ms"])


def by_pass(rows):
    """{(network, layer, batch size, pass): rows}."""
    found = {}
    for row in rows:
        found.setdefault((row["network"], row["layer"], row["batch_size"], row["pass"]), []).append(row)
    return found


def show_layer(title, name, layer, rows):
    """Print one layer's table."""
    sides = "x".join(map(str, layer.out))
    print(
        f"{title}, {name}: {layer.N} x {layer.H}x{layer.W}x{layer.C} -> {sides}x{layer.K},"
        f" {2 * layer.multiplications / 1e9:.3g} GFLOP a pass; sgemm {rows[0]['sgemm_gflops']:.0f} GFLOP/s\n"
    )
    table = []
    for row in rows:
        table.append(
            (
                f"{row['pass']:16}{row['algorithm']}{' *' if row['auto'] else ''}",
                figures(row["ms"]),
                figures(row["gflops"]),
                f"{row['share_of_sgemm']:.2f}",
                figures(row["scratch_mb"]),
                figures(row["touched_mb"]),
                f"{row['difference']:.0e}",
            )
        )
    print_table(
        ("pass            algorithm", "ms", "GFLOP/s", "of sgemm", "scratch MB", "touched MB", "differs"), table
    )


def show_rule(rows):
    """Print what "auto" chooses beside the fastest algorithm, and PyTorch beside that."""
    table, behind = [], []
    for (network, layer, batch_size, direction), found in by_pass(rows).items():
        auto = next((row for row in found if row["auto"]), None)
        if auto is None:
            continue
        winner = best(found)
        behind.append(auto["ms"] / winner["ms"])
        theirs = min((row["ms"] for row in found if row["algorithm"] in PYTORCH), default=None)
        table.append(
            (
                f"{network} {layer}",
                batch_size,
                direction,
                auto["algorithm"],
                winner["algorithm"],
                f"{behind[-1]:.2f}",
                "-" if theirs is None else f"{theirs / auto['ms']:.2f}",
            )
        )
    if not table:
        return
    headings = ("layer", "batch", "pass", "auto chooses", "fastest", "auto / fastest", "PyTorch / auto")
    print_table(headings, table)
    print(
        f"auto chooses the fastest algorithm in {sum(b == 1 for b in behind)} of {len(behind)} cases;"
        f" its time divided by the fastest one's is {statistics.median(behind):.2f} in the median"
        f" and {max(behind):.2f} at most"
    )


def draw(rows):
    """The chart: the share of sgemm's speed that each algorithm reaches; layers are rows, passes are panels."""
    entries, heading = [], None
    for network, layer, batch_size in dict.fromkeys(key[:3] for key in by_pass(rows)):
        if heading != (network, batch_size):
            heading = network, batch_size
            entries.append((f"{NETWORKS[network][0]}, batch {batch_size}", []))
        cells = []
        for direction in PASSES:
            found = by_pass(rows).get((network, layer, batch_size, direction), [])
            shares = {row["algorithm"]: row["share_of_sgemm"] for row in found if row["algorithm"] not in PYTORCH}
            theirs = [row["share_of_sgemm"] for row in found if row["algorithm"] in PYTORCH]
            shares |= {"PyTorch": max(theirs)} if theirs else {}
            cells.append({name: (share, "") for name, share in shares.items()})
        entries.append((layer, cells))
    title = "Speed of each convolution, as a share of NumPy's sgemm"
    return charts.dots(title, entries, panels=PASSES, at_one="sgemm", width=900, names=200)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=["cifar10", "cats-vs-dogs", "vgg16"])
    parser.add_argument(
        "--batch-sizes", nargs="+", type=positive_integer, help="numbers of images (what suits the network)"
    )
    parser.add_argument("--layers", nargs="+", default=[""], help="only layers whose names begin like this")
    parser.add_argument("--algorithms", nargs="+", choices=convolution.algorithms(), default=convolution.algorithms())
    parser.add_argument("--no-pytorch", action="store_true")
    parser.add_argument("--rounds", type=positive_integer, default=7)
    parser.add_argument("--threads", type=positive_integer, default=os.cpu_count())
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the CSV file and the chart go")
    options = parser.parse_args()
    options.threads = min(options.threads, numba.config.NUMBA_NUM_THREADS)
    numba.set_num_threads(options.threads)

    processes = {} if options.no_pytorch else start_pytorch(options.threads)
    rows = []
    for network in options.networks:
        title, make, batch_sizes = NETWORKS[network]
        for batch_size in options.batch_sizes or batch_sizes:
            for name, layer, first in layers_of(make, batch_size):
                if name.startswith(tuple(options.layers)):
                    found = measure_layer(layer, first, options.algorithms, processes, options.rounds, options.threads)
                    show_layer(title, name, layer, found)
                    about = {"network": network, "layer": name, "batch_size": batch_size, "threads": options.threads}
                    about |= {"input": "x".join(map(str, layer.x_shape[1:])), "filters": layer.K}
                    rows += [about | row for row in found]
    for process in processes.values():
        process.close()
    if not rows:
        parser.error("no layer's name begins like that")
    show_rule(rows)
    write_rows(options.results / "conv_algorithms.csv", rows)
    charts.save(draw(rows), options.results / "conv_algorithms.svg")


if __name__ == "__main__":
    main()
