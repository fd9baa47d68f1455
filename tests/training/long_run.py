"""Ten thousand steps of a training with everything in it; memory, open files and threads before and after.

    python tests/training/long_run.py [--steps 10000]

Exit code 1 where something has grown: a leak of half a kilobyte a step would be four megabytes.
"""

import argparse
import gc
import os
import sys
import tempfile
import threading
from pathlib import Path

import small_run
from minitorch_cnn.callbacks import Callback, Checkpoint, CSVLog, EarlyStopping

from minitorch_cnn import datasets, optimizers

BATCHES = 8  # of an epoch; each begins and ends its own threads
GROWTH_MB = 4.0  # the allocator's own ups and downs, and the history: a few hundred bytes an epoch


def state():
    """(memory in MB, open files, threads) of this process now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, len(os.listdir("/proc/self/fd")), threading.active_count()


class Watch(Callback):
    """The state after every tenth of the training."""

    def __init__(self, epochs):
        self.every, self.states = max(1, epochs // 10), []

    def on_epoch_end(self, trainer, results):
        if (trainer.epoch + 1) % self.every == 0:
            self.states.append((trainer.optimizer.steps, *state()))


def watch(steps):
    """Train for so many steps; the states on the way."""
    epochs = -(-steps // BATCHES)
    x, labels = small_run.images_and_labels(BATCHES * 6)
    watching = Watch(epochs)
    with tempfile.TemporaryDirectory() as folder:
        small_run.small_model().fit(
            x, labels, optimizer=optimizers.Adam(1e-3), epochs=epochs, batch_size=6, validation=(x[:9], labels[:9]),
            augment=datasets.Augmentation(flip=True, shift=0.2, rotate=10), progress=False,
            callbacks=[CSVLog(Path(folder, "h.csv")), EarlyStopping(patience=epochs), watching,
                       Checkpoint(Path(folder, "c.npz"), seconds=0.5)],
        )  # fmt: skip
    return watching.states


def grown(states):
    """What has grown between a fifth of the training, when all caches are full, and its end; None where nothing has."""
    (_, memory, files, threads), last = states[1], states[-1]
    if last[1] - memory > GROWTH_MB:
        return f"memory: {memory:.1f} MB, then {last[1]:.1f} MB"
    if last[2] > files:
        return f"open files: {files}, then {last[2]}"
    return f"threads: {threads}, then {last[3]}" if last[3] > threads else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10_000)
    states = watch(parser.parse_args().steps)
    print(f"{'steps':>8} {'memory MB':>10} {'open files':>11} {'threads':>8}")
    for steps, memory, files, threads in states:
        print(f"{steps:>8,} {memory:>10.1f} {files:>11} {threads:>8}")
    problem = grown(states)
    print(problem or "nothing has grown")
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
