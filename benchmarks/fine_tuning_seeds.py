"""`minitorch-cnn fine-tune` with several seeds: what it reaches with the base frozen, and what the second phase gains.

    python benchmarks/fine_tuning_seeds.py --out FOLDER [--seeds 5] [--share] -- --weights FILE --data DIR [...]

What follows `--` is handed to the command. Each seed trains in a run folder of its own in FOLDER, and a folder that is
there already is continued, or only read if it is finished. The table has the validation accuracy and loss after each
phase, the photos that the second phase put right and made wrong with McNemar's p, and the minutes. Below it stand the
means with their standard deviations over the seeds. It is stored in `results/fine_tuning_seeds.csv`.

What frozen layers make of the photos is the same for every seed. With `--share` all seeds train in one process, and it
is computed once, for the first of them; so only the first one's minutes are those of the command.
"""

import argparse
import csv
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from tables import RESULTS, print_table, replace_rows

from minitorch_cnn.cli import main as minitorch_cnn
from minitorch_cnn.cli.arguments import positive_integer
from minitorch_cnn.report.changed import mcnemar
from minitorch_cnn.training import features


def share_features():
    """Let all trainings of this process use the same stored features."""
    compute, kept = features.base_features, {}

    def stored(model, images, **options):
        key = len(images), features.fixed_depth(model), np.asarray(images[:1]).tobytes()
        if key not in kept:
            kept[key] = compute(model, images, **options)
        return kept[key]

    features.base_features = stored


def run(folder, seed, words, share):
    """Train with that seed, unless it is done; returns the minutes that this took, or had taken before."""
    noted = folder / "minutes.txt"
    if (folder / "report.html").exists():
        return float(noted.read_text()) if noted.exists() else None
    begun = ["--resume", str(folder)] if (folder / "config.json").exists() else [*words, "--out", str(folder)]
    own = [] if "--resume" in begun else ["--seed", str(seed)]
    began = time.perf_counter()
    command = ["fine-tune", *begun, *own]
    if share:
        if code := minitorch_cnn(command):
            raise SystemExit(code)
    else:
        if code := subprocess.run([sys.executable, "-m", "minitorch_cnn.cli", *command]).returncode:
            raise SystemExit(code)
    minutes = (time.perf_counter() - began) / 60
    if not own:
        return None  # a part of it was done before
    noted.write_text(f"{minutes:.2f}")
    return minutes


def table(folder, name):
    """The rows of a CSV file of the run."""
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def after(folder, phase, keep):
    """(accuracy, loss) on the validation photos of the epoch that a phase kept."""
    epochs = table(folder, f"history-{phase}.csv")
    kept = epochs[-1] if keep == "last" else min(epochs, key=lambda epoch: float(epoch["val_loss"]))
    return float(kept["val_accuracy"]), float(kept["val_loss"])


def measured(folder, seed, size, keep, minutes):
    """The seed's entry in the table."""
    was, now = ([row["class"] == row["predicted"] for row in table(folder, f"predictions{part}.csv")]
                for part in ("-top", ""))  # fmt: skip
    right, wrong = (sum(a == old and b != old for a, b in zip(was, now)) for old in (False, True))
    frozen, tuned = after(folder, "top", keep), after(folder, "all", keep)
    return {
        "size": size, "keep": keep, "seed": seed, "frozen_accuracy": frozen[0], "frozen_loss": round(frozen[1], 4),
        "accuracy": tuned[0], "loss": round(tuned[1], 4), "put_right": right, "made_wrong": wrong,
        "p": round(mcnemar(right, wrong), 3), "minutes": "" if minutes is None else round(minutes, 1),
    }  # fmt: skip


def show(entries):
    """Print the table and the means."""
    print_table(tuple(entries[0]), [tuple(entry.values()) for entry in entries])
    for name in ("frozen_accuracy", "frozen_loss", "accuracy", "loss"):
        values = [entry[name] for entry in entries]
        spread = f" +- {statistics.stdev(values):.4f}" if len(values) > 1 else ""
        print(f"{name}: {statistics.mean(values):.4f}{spread}")
    right, wrong = (sum(entry[name] for entry in entries) for name in ("put_right", "made_wrong"))
    print(f"all seeds: {right} put right, {wrong} made wrong")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where the run folders go")
    parser.add_argument("--seeds", type=positive_integer, default=5, help="how many, from 0")
    parser.add_argument("--share", action="store_true", help="compute the features of the photos once for all seeds")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the CSV file goes")
    parser.add_argument("words", nargs="+", help="the options of `minitorch-cnn fine-tune`, after --")
    options = parser.parse_args()
    words, entries = options.words, []
    size, keep = (words[words.index(name) + 1] if name in words else usual
                  for name, usual in (("--size", "224"), ("--keep", "last")))  # fmt: skip
    if options.share:
        share_features()
    for seed in range(options.seeds):
        folder = options.out / f"seed-{seed}"
        minutes = run(folder, seed, words, options.share)
        entries.append(measured(folder, seed, size, keep, minutes))
        replace_rows(options.results / "fine_tuning_seeds.csv", entries[-1:], ("size", "keep", "seed"))
    show(entries)


if __name__ == "__main__":
    main()
