"""A training through the command line that takes a second, in which one fault happens.

    python small_training.py ACT EPOCH BATCH train --out RUN

The recipe "digits" is replaced by a small one with dropout, batch normalisation and augmentation that saves a
checkpoint after every batch, and the network of `fine-tune` by a small one (`small_tuning.py`). `ACT` is "none" or the
name of a function below, which is called after batch BATCH of epoch EPOCH, when the checkpoint of that batch has been
written. EPOCH counts from 0; for the two phases of fine-tuning it is `top.0` or `all.0`.
"""

import ctypes
import os
import resource
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
from minitorch_cnn.callbacks import Checkpoint
from minitorch_cnn.preprocessing import Standardize
from small_tuning import small_transfer_net

from minitorch_cnn import Sequential, cli, datasets, layers, models, runs, training
from minitorch_cnn.arrays.dispatch import definitions_everywhere
from minitorch_cnn.models import recipes
from minitorch_cnn.runs import resuming, train

EPOCHS, BATCH_SIZE, IMAGES = 3, 13, 47  # 3 * 13 + 8


def small_data(*_):
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (IMAGES + 15, 12, 10, 3), dtype=np.uint8)
    labels = rng.integers(0, 3, IMAGES + 15)
    train, test = slice(0, IMAGES), slice(IMAGES, None)
    return datasets.Dataset("small", images[train], labels[train], images[test], labels[test], ("a", "b", "c"))


def small_model(dataset, seed):
    return Sequential(
        [
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNorm(),
            layers.MaxPool2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ],
        dataset.train_images.shape[1:],
        seed=seed,
        preprocessing=Standardize.of(dataset.train_images),
    )


RECIPE = recipes.Recipe(
    title="Small", load=small_data, model=small_model, epochs=EPOCHS, batch_size=BATCH_SIZE, learning_rate=0.01,
    augment={"flip": True, "shift": 0.2},
)  # fmt: skip


def kill(trainer):
    os.kill(os.getpid(), signal.SIGKILL)


def kill_last_rank(trainer):
    if trainer.ranks.rank == trainer.ranks.size - 1:
        kill(trainer)


def fail_on_last_rank(trainer):
    if trainer.ranks.rank == trainer.ranks.size - 1:
        raise ValueError("an unexpected error")


def ctrl_c(trainer):
    os.kill(os.getpid(), signal.SIGINT)


def terminate(trainer):
    """As `timeout` does: once to the process, once to its group."""
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)


def hang_up(trainer):
    """As at the end of a terminal: once from the system, once from the shell."""
    os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGHUP)


def kill_while_writing(trainer):
    """Kill the process when the next checkpoint is half written."""
    write = np.savez

    def killed(file, **arrays):
        write(file, **{name: arrays[name] for name in list(arrays)[:2]})
        file.flush()
        kill(trainer)

    np.savez = killed


def checkpoint_of(trainer):
    """The path of the training's checkpoint."""
    (path,) = [callback.path for callback in trainer.callbacks if isinstance(callback, Checkpoint)]
    return path


def move_away(trainer):
    folder = checkpoint_of(trainer).parent
    folder.rename(folder.with_name("moved"))


def move_away_and_begin_another(trainer):
    move_away(trainer)
    checkpoint_of(trainer).parent.mkdir()


def move_away_and_ctrl_c(trainer):
    move_away(trainer)
    ctrl_c(trainer)


def delete_folder(trainer):
    shutil.rmtree(checkpoint_of(trainer).parent)


def ctrl_c_twice(trainer):
    """Press Ctrl-C again while the checkpoint of the first Ctrl-C is being written."""
    write = np.savez

    def interrupted(file, **arrays):
        write(file, **{name: arrays[name] for name in list(arrays)[:2]})
        ctrl_c(trainer)
        write(file, **arrays)

    np.savez = interrupted
    ctrl_c(trainer)


def full_disk(trainer):
    """From now on every file that is written is /dev/full, which never has space."""
    real = os.fdopen

    def full(handle, *arguments):
        os.dup2(os.open("/dev/full", os.O_WRONLY), handle)
        return real(handle, *arguments)

    os.fdopen = full


def quota(trainer):
    """From now on the system limits files to half the size of a checkpoint."""
    size = checkpoint_of(trainer).stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))


def fill_disk(trainer):
    """Write a file until the disk is full."""
    import errno

    with open(checkpoint_of(trainer).parent.parent / "filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC


def full_before_model(trainer):
    _before(runs.RunFolder, "save_model", full_disk)


def full_before_report(trainer):
    _before(train, "write_training_report", full_disk)


def _before(owner, name, act):
    """From now on call `act` before each call of `owner.name`."""
    function = getattr(owner, name)
    setattr(owner, name, lambda *arguments: (act(None), function(*arguments))[1])


def no_memory(trainer):
    """From now on the system grants no more memory; then request a large array."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken, taken))
    np.empty(1 << 30, np.uint8)


def read_only(trainer):
    checkpoint_of(trainer).parent.chmod(0o555)


def clock_jumps(trainer):
    """The wall clock jumps back and forth by days, the monotonic clock once by an hour, as after a long sleep."""
    days, calls, wall, steady = (1, -2, 5, -4), [0], time.time, time.monotonic

    def jumping():
        calls[0] += 1
        return wall() + 86400 * days[calls[0] % 4]

    time.time, time.monotonic = jumping, lambda: steady() + 3600


def kill_workers(trainer):
    """Raise an exception in the threads that prepare batches, whatever they are doing."""
    for thread in threading.enumerate():
        if thread.name.startswith("batches"):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))


def wait(trainer):
    """Wait until the test says to continue."""
    folder = checkpoint_of(trainer).parent
    (folder.parent / "waiting").touch()
    deadline = time.monotonic() + 300
    while not (folder.parent / "go").exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def slow(trainer):
    time.sleep(0.02)


def diverge(trainer):
    trainer.model.get_layer("conv2d_1").parameters["kernel"][0, 0, 0, 0] = np.inf


def watch(act, epoch, batch):
    tell = training.Trainer._tell
    *phase, epoch = epoch.split(".")

    def telling(trainer, event, *arguments):
        tell(trainer, event, *arguments)
        here = (trainer.epoch, trainer.batch) == (int(epoch), int(batch))
        there = here and (not phase or checkpoint_of(trainer).stem == f"checkpoint-{phase[0]}")
        if event == "on_batch_end" and (act is slow or there):
            act(trainer)

    training.Trainer._tell = telling


def main():
    name, epoch, batch, *arguments = sys.argv[1:]
    recipes.RECIPES["digits"] = RECIPE
    models.transfer_net = small_transfer_net
    resuming.CHECKPOINT_SECONDS = 0.0
    if name != "none":
        watch(globals()[name], epoch, batch)
    sys.argv[1:] = arguments
    with definitions_everywhere():  # nothing to compile
        return cli.main()


if __name__ == "__main__":
    sys.exit(main())
