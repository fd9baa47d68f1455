"""Is this version as fast as another one? The same steps by two checkouts in turn, in one run.

    git worktree add /tmp/before HEAD~10
    python benchmarks/two_versions.py /tmp/before --work all

Each checkout runs in a process of its own; they take turns, so the machine's drift falls on both. The ratio is this
version's time divided by the other's: above 1, this version is slower. Only public names are used, so any two versions
can be compared.
"""

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

from minitorch_cnn.cli.arguments import positive_integer

HERE = Path(__file__).resolve().parents[1]
WORKS = {
    "tiny": "models.tiny_vgg(), (4, 64, 64, 3), losses.CrossEntropy()",
    "cifar10": "models.cifar10(dropout=True), (128, 32, 32, 3), losses.CrossEntropy()",
    "cats-vs-dogs": "models.cats_vs_dogs(dropout=True), (32, 150, 150, 3), losses.BinaryCrossEntropy()",
    "vgg16-forward": "models.vgg16(include_top=False, input_shape=(224, 224, 3)), (8, 224, 224, 3), None",
    "vgg16-step": (
        "models.vgg16(include_top=False, input_shape=(224, 224, 3)), (4, 224, 224, 3), losses.MeanSquaredError()"
    ),
}
WORKER = """
import sys, time
import numpy as np
from minitorch_cnn import losses, models, optimizers

model, shape, loss = {work}
rng = np.random.default_rng(0)
x = rng.standard_normal(shape).astype("float32")
optimizer = optimizers.SGD(1e-4, momentum=0.9)
if loss is None:
    run = lambda: model.predict(x)
else:
    N, out = len(x), model.output_shape
    labels = np.zeros((N, *out), "float32") if len(out) > 1 else np.arange(N) % max(out[0], 2)
    run = lambda: model.train_step(x, labels, loss, optimizer)
for _ in range(2):
    run()
print("ready", flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    run()
    print(time.perf_counter() - start, flush=True)
"""


class Version:
    """One checkout's process, ready to run steps of a work."""

    def __init__(self, folder, work):
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER.format(work=WORKS[work])], env=environment, cwd=folder, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        if self.process.stdout.readline().strip() != "ready":
            sys.exit(f"two_versions: {folder}: the step failed; its message stands above")

    def seconds(self):
        """The time of one more step."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self):
        """Let the process go."""
        self.process.stdin.close()
        self.process.wait()


def compare(other, work, rounds):
    """(median ms of the other version, of this one, median and extremes of the ratios)."""
    versions = [Version(folder, work) for folder in (other, HERE)]
    times = ([], [])
    for number in range(rounds):
        for which in (0, 1) if number % 2 else (1, 0):
            times[which].append(versions[which].seconds())
    for version in versions:
        version.end()
    ratios = [ours / theirs for theirs, ours in zip(*times)]
    medians = [1000 * statistics.median(row) for row in times]
    return *medians, statistics.median(ratios), min(times[1]) / min(times[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("other", type=Path, metavar="FOLDER", help="the checkout to compare this one with")
    parser.add_argument("--work", choices=[*WORKS, "all"], default="cifar10", help="which steps (cifar10)")
    parser.add_argument("--rounds", type=positive_integer, default=25, metavar="N", help="steps of each version (25)")
    options = parser.parse_args()
    if not (options.other / "minitorch_cnn" / "__init__.py").exists():
        sys.exit(f"two_versions: {options.other}: expected a checkout with a folder minitorch_cnn, found none")
    print(f"{'work':<15}{'other, ms':>11}{'this, ms':>11}{'ratio of medians':>18}{'of the fastest':>16}")
    for work in [name for name in WORKS if name != "tiny"] if options.work == "all" else [options.work]:
        theirs, ours, ratio, fastest = compare(options.other.resolve(), work, options.rounds)
        print(f"{work:<15}{theirs:>11.1f}{ours:>11.1f}{ratio:>18.3f}{fastest:>16.3f}", flush=True)


if __name__ == "__main__":
    main()
