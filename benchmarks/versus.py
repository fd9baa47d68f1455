"""Is this engine faster than others? The same network, weights and batch on the same machine, in turn.

    python benchmarks/versus.py [--work vgg16-step] [--batch-size 4] [--engines pytorch keras] [--rounds 15]
    python benchmarks/versus.py --backend cupy [--work all]
    python benchmarks/versus.py --isa avx2 [--work all]

Each engine runs in a process of its own, so that the threads and memory of one do not disturb another; engines that
are not installed are left out. First, all compute outputs, loss and gradients from the same weights, and these must
agree. Next, all run until they are compiled and warm. Then they take turns, a few steps each, round after round. Each
round gives a ratio, and the table shows the median of the ratios, because the machine's speed drifts but the ratio does
not. Peak memory is that of the process while it is timed, less what it took after its imports.

The ratio is an engine's time divided by ours: above 1 we are faster. The table is printed, and stored in
`results/versus.csv` and `results/versus.svg` together with what was measured before.

With `--backend cupy` the engines compute on an NVIDIA GPU, and the files are `results/versus_cupy.*`. There, results
are compared in full float32, steps are timed in TF32, and memory is that of the GPU.

With `--isa avx2` the engines use no newer instructions than those of most laptops (see `isa.py`), and the files are
`results/versus_avx2.*`.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import charts
import isa
import numpy as np
from engines import ENGINES, OURS
from process import Missing, Process
from tables import RESULTS, figures, print_table, read_rows, replace_rows
from works import WORKS, save_problem

from minitorch_cnn.arrays import library as array_library
from minitorch_cnn.cli.arguments import positive, positive_integer
from minitorch_cnn.errors import BackendError

STEPS_A_ROUND = 3
WARM_UP, WARM_UP_SECONDS = 2, 5.0  # at most so many steps after the first one, and none after so many seconds
PAUSE = 0.05  # seconds between two engines, so that the threads of the last one fall asleep
SLOW, SLOW_ROUNDS = 5, 3  # an engine that takes over 5 times our time runs in 3 rounds only

# How far may results be from ours? Outputs are compared by their largest difference, relative to the largest output.
# Gradients cannot be: if the input of a ReLU is zero up to rounding, or two numbers in a window of a max pool are equal
# up to rounding, the gradient may go one way in one engine and another way in the other. A single such tie makes the
# largest difference of two right results as large as the gradient itself. So for each parameter the norm of the
# difference is compared with the norm of the gradient. One tie among a million numbers makes that about a thousandth.
LIMITS = {"loss": 1e-5, "output": 2e-5, "gradient": 5e-3}
# On a GPU cuDNN may choose Winograd's algorithm in float32, whose transformations cost digits in every layer.
GPU_LIMITS = {"loss": 1e-4, "output": 1e-3, "gradient": 5e-2}


def start(names, path, threads, settings=None):
    """{name: Process} for the engines that are installed; `settings` are environment variables for them."""
    processes = {}
    for name in names:
        try:
            processes[name] = Process(ENGINES[name].target, path, threads, threads=threads, settings=settings)
        except Missing as missing:
            print(f"{name} is left out: {missing}")
    return processes


def check_equal(processes, folder, limits=LIMITS):
    """{name: {"loss", "output", "gradient": difference from ours}}; exits if one is too large."""
    found, differences = {}, {}
    for name, process in processes.items():
        found[name] = process.call("results", save_to=str(Path(folder) / "results.npz"))
    reference = next(iter(found.values()))
    for name, results in found.items():
        if results.keys() != reference.keys():
            different = ", ".join(results.keys() ^ reference.keys())
            sys.exit(f"{name}: expected the same results as ours, but only one has {different}")
        differ = {"loss": None, "output": None, "gradient": None}
        for result, ours in reference.items():
            kind = result.partition(" ")[0]
            norm = np.linalg.norm if kind == "gradient" else np.max
            its, ours = np.float64(results[result]).ravel(), np.float64(ours).ravel()
            difference = float(norm(abs(its - ours)) / norm(abs(ours)))
            limit = limits[kind]
            if not difference <= limit:
                sys.exit(f"{name}: {result} differs from ours by {difference:.1e}, over {limit}; nothing was timed")
            if difference > LIMITS[kind]:
                print(f"{name}: {result} differs from ours by {difference:.1e}, over the usual {LIMITS[kind]}")
            differ[kind] = max(difference, differ[kind] or 0)
        differences[name] = differ
    return differences


def time_in_turn(processes, rounds):
    """{name: [seconds per step in each round]}; None in the rounds that a slow engine does not take part in."""
    warm, ours = {}, next(iter(processes))
    for name, process in processes.items():
        process.time("run", 1)  # compiles, however long that takes
        warm[name] = process.time("run", WARM_UP, WARM_UP_SECONDS)[-1]
        process.forget_peak()
    times = {name: [] for name in processes}
    for number in range(rounds):
        order = list(processes)[:: -1 if number % 2 else 1]
        for name in order:
            if number >= SLOW_ROUNDS and warm[name] > SLOW * warm[ours]:
                times[name].append(None)
                continue
            time.sleep(PAUSE)
            calls = processes[name].time("run", STEPS_A_ROUND)
            times[name].append(statistics.median(calls) / ENGINES[name].steps)
    return times


def compare(work_name, batch_size, names, rounds, threads, backend="numpy", held_to=None):
    """The table's rows: a dictionary for each engine, ours first. All are held to the instruction set `held_to`."""
    work, ours = WORKS[work_name], OURS[backend]
    names = [ours, *(name for name in names if name != ours)]
    for name in list(names):
        if reason := ENGINES[name].cannot(work.loss is not None, work.chain):
            print(f"{name} is left out: {reason}")
            names.remove(name)
    settings = isa.environment(held_to) if held_to else {}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "problem.npz")
        save_problem(work, batch_size, path)
        for process in start([ours], path, threads, settings).values():
            process.call("run")  # puts compiled code on disk, so the compiler's memory is not counted below
            process.close()
        processes = start(names, path, threads, settings)
        try:
            limits = dict(LIMITS if backend == "numpy" else GPU_LIMITS)
            limits["gradient"] = max(limits["gradient"], work.gradient_limit or 0)
            differences = check_equal(processes, folder, limits)
            times = time_in_turn(processes, rounds)
            peaks = {
                name: process.peak() if backend == "numpy" else process.call("peak_bytes")
                for name, process in processes.items()
            }
            imports = [f"{name} {process.imports() / 1e6:.0f} MB" for name, process in processes.items()]
            print(f"imports take {', '.join(imports)}; the peaks below come on top")
        finally:
            for process in processes.values():
                process.close()
    rows = []
    for name, column in times.items():
        ratios = [its / ours for its, ours in zip(column, times[ours]) if its is not None]
        seconds = statistics.median(t for t in column if t is not None)
        rows.append(
            {
                "work": work_name,
                "batch_size": batch_size,
                "threads": threads,
                "engine": name,
                "version": processes[name].version,
                "ms": round(seconds * 1e3, 3),
                "images_per_second": round(batch_size / seconds, 2),
                "ratio": round(statistics.median(ratios), 4),
                "rounds": len(ratios),
                "peak_mb": round(peaks[name] / 1e6, 1),
                **{f"{kind}_difference": value for kind, value in differences[name].items()},
                **({"isa": isa.used_by(name, held_to)} if held_to else {}),
            }
        )
    return rows


def best_layouts(rows):
    """[(library, row)] for the other libraries, each in its fastest layout."""
    best = {}
    for row in rows:
        library = ENGINES[row["engine"]].library
        if library != "minitorch_cnn" and (library not in best or float(row["ratio"]) < float(best[library]["ratio"])):
            best[library] = row
    return list(best.items())


def show(rows):
    """Print the table, and a sentence for each library."""
    first = rows[0]
    print(f"\n{WORKS[first['work']].title}, batch {first['batch_size']}, {first['threads']} threads, in turn\n")
    headings = ("engine", "ms", "images/s", "its time / ours", "rounds", "peak MB", "loss", "output", "gradients")
    table = []
    for row in rows:
        differences = [row[f"{kind}_difference"] for kind in ("loss", "output", "gradient")]
        table.append(
            (
                row["engine"],
                figures(row["ms"], 4),
                figures(row["images_per_second"]),
                f"{row['ratio']:.2f}",
                row["rounds"],
                f"{row['peak_mb']:.0f}",
                *("-" if value is None else f"{value:.0e}" for value in differences),
            )
        )
    print_table(headings, table)
    print("loss, output, gradients: the largest relative difference from ours")
    for row in rows:
        held = f", instructions: {row['isa']}" if "isa" in row else ""
        print(f"{row['engine']}: {row['version']}{held}")
    for library, row in best_layouts(rows):
        ratio = row["ratio"]
        verdict = "we are faster" if ratio > 1 else "we are slower"
        print(f"{row['engine']} takes {ratio:.2f} times our time: {verdict} than {library}")


def draw(rows):
    """The chart of all rows in the CSV file: a dot for each library at its time divided by ours."""
    entries = []
    keys = dict.fromkeys((row["work"], row["batch_size"]) for row in rows)
    for key in sorted(keys, key=lambda key: (list(WORKS).index(key[0]), int(key[1]))):
        here = [row for row in rows if (row["work"], row["batch_size"]) == key]
        entries.append((f"{WORKS[key[0]].title}, batch {key[1]}", []))
        for library, row in best_layouts(here):
            ratio = float(row["ratio"])
            not_held = " (not held)" if row.get("isa") == isa.MACHINES else ""
            entries.append((library + not_held, [{"its time / ours": (ratio, f"{ratio:.2f}")}]))
    held_to = {row["isa"].upper() for row in rows if row.get("isa", isa.MACHINES) != isa.MACHINES}
    title = " ".join(["Times of other engines divided by ours (fastest layout)", *(f"with {name}" for name in held_to)])
    return charts.dots(title, entries, log=True, at_one="minitorch_cnn", names=330)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", choices=[*WORKS, "all"], default="cifar10")
    parser.add_argument("--batch-size", type=positive_integer, help="number of images (what suits the work)")
    parser.add_argument("--engines", nargs="+", help="names, or how they begin: " + ", ".join(ENGINES))
    parser.add_argument("--backend", choices=list(OURS), default="numpy", help="the processor, or an NVIDIA GPU")
    parser.add_argument("--isa", choices=isa.names(), help="use no newer instructions than these, on the processor")
    parser.add_argument("--rounds", type=positive_integer, default=15)
    parser.add_argument("--threads", type=positive_integer, default=os.cpu_count())
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the CSV file and the chart go")
    parser.add_argument(
        "--at-most", type=positive, help="exit with 1 if we take more than so many times PyTorch's time"
    )
    options = parser.parse_args()
    here = [name for name, entry in ENGINES.items() if entry.backend == options.backend]
    wanted = options.engines or here
    names = [name for name in here if name.startswith(tuple(wanted))]
    if unknown := [start for start in wanted if not any(name.startswith(start) for name in here)]:
        parser.error(f"no engine is called {', '.join(unknown)}; there are {', '.join(here)}")
    try:
        array_library(options.backend)
    except BackendError as error:
        print(f"versus.py: {error}", file=sys.stderr)
        sys.exit(2)
    if options.isa and options.backend != "numpy":
        parser.error(f"--isa is for the processor, but the backend is {options.backend}")
    works = [name for name in WORKS if name != "tiny"] if options.work == "all" else [options.work]

    slower = None  # the largest of our times divided by that of PyTorch's fastest layout
    for work in works:
        batch_size = options.batch_size or WORKS[work].batch_size_for(options.backend)
        rows = compare(work, batch_size, names, options.rounds, options.threads, options.backend, options.isa)
        show(rows)
        kind = options.isa or (options.backend if options.backend != "numpy" else None)
        path = options.results / (f"versus_{kind}.csv" if kind else "versus.csv")
        replace_rows(path, rows, ("work", "batch_size"))
        charts.save(draw(read_rows(path)), path.with_suffix(".svg"))
        pytorch = dict(best_layouts(rows)).get("PyTorch")
        if pytorch:
            slower = max(1 / pytorch["ratio"], slower or 0)
    if options.at_most is not None:
        if slower is None:
            sys.exit("--at-most: expected PyTorch to compare with, but it was left out")
        if slower > options.at_most:
            sys.exit(f"we take {slower:.2f} times the time of PyTorch's best layout, more than {options.at_most}")


if __name__ == "__main__":
    main()
