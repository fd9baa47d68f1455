"""Runs edited copies of the package, each in a process of its own that begins with NumPy and Numba imported.

    python edited_package.py WORK PACKAGE FOLDER NAME...

prints a JSON line for each name of `edits.EDITS` (or "unchanged"): what `WORK` returns in a copy with that edit.
"""

import contextlib
import io
import json
import os
import shutil
import sys
from pathlib import Path

import numba  # noqa: F401  (imported once for all copies)
import numpy as np
from edits import EDITS


def trained():
    """The weights after three steps of a small network in which every definition is used, with each optimizer."""
    import minitorch_cnn as mtc
    from minitorch_cnn import datasets, layers, optimizers
    from minitorch_cnn.datasets.preprocessing import Standardize

    stacks = {}
    moves = {"SGD": {"flip": True, "rotate": 9}, "SGD and shifts": {"shift": 0.2}}
    kinds = {
        "SGD": lambda: optimizers.SGD(0.02, momentum=0.9), "SGD and shifts": lambda: optimizers.SGD(0.02, momentum=0.9),
        "RMSprop": lambda: optimizers.RMSprop(0.01), "Adam": lambda: optimizers.Adam(0.01),
    }  # fmt: skip
    images = np.random.default_rng(0).integers(0, 256, (12, 11, 10, 3), dtype=np.uint8)
    for name, optimizer in kinds.items():
        model = mtc.Sequential([
            layers.Conv2D(4, 3, padding="same", algorithm="row_windows"),
            layers.Conv2D(6, 3, padding=((1, 0), (0, 1)), activation="relu", algorithm="im2col"),
            layers.Conv2D(6, 3, padding="same", activation="relu", algorithm="winograd"),
            layers.MaxPool2D(3, 2),
            layers.Conv2D(5, (2, 3), padding="same", activation="relu", algorithm="row_windows"),
            layers.MaxPool2D(2),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(7, activation="relu"),
            layers.Dense(3, activation="softmax"),
        ], (11, 10, 3), seed=0, preprocessing=Standardize([120.0, 110, 100], [60.0, 70, 80]))  # fmt: skip
        augment = datasets.Augmentation(**moves[name]) if name in moves else None
        model.fit(
            images, np.arange(12) % 3, optimizer=optimizer(), epochs=1, batch_size=5, augment=augment, workers=0,
            progress=False,
        )  # fmt: skip
        stacks[name] = [
            float(np.abs(array).sum(dtype=np.float64)) for array in model.state().values() if np.ndim(array)
        ]
    return stacks


def checked_by_the_command():
    """(exit code, output) of `minitorch-cnn check-gradients`, brief."""
    from minitorch_cnn.cli import main

    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = main(["check-gradients", "--brief", "--most", "5"])
    return code, output.getvalue()


def compared():
    """(whether all functions agree, the lines of those that do not)."""
    from minitorch_cnn.gradients.twins import compare_twins

    lines = [str(result) for result in compare_twins() if not result.passed]
    return not lines, "\n".join(lines)


def trained_and_compared():
    """Both, in that order."""
    return {"trained": trained(), "compared": compared()}


WORKS = {"trained and compared": trained_and_compared, "command": checked_by_the_command}


def run(work, package, folder, name):
    """What `work` returns in a copy with the edit `name`, and what was said on the error output."""
    copy = Path(folder) / "minitorch_cnn"
    shutil.copytree(package, copy)
    if name in EDITS:
        EDITS[name].apply(copy)
    sys.path.insert(0, str(folder))
    error = io.StringIO()
    with contextlib.redirect_stderr(error):
        import minitorch_cnn

        assert Path(minitorch_cnn.__file__).parent == copy
        result = WORKS[work]()
    return {"edit": name, "result": result, "said": error.getvalue()}


def main(work, package, folder, *names):
    for number, name in enumerate(names):
        place = Path(folder) / str(number)
        place.mkdir(parents=True)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(write, json.dumps(run(work, package, place, name)).encode())
            except BaseException as error:
                os.write(write, json.dumps({"edit": name, "result": None, "said": repr(error)}).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as answer:
            print(answer.read(), flush=True)
        os.waitpid(child, 0)
        shutil.rmtree(place)


if __name__ == "__main__":
    main(*sys.argv[1:])
