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


def trained(edit):
    """The weights after three steps of a small network in which every definition is used.

    With the optimizer that `edit` needs, or with each of them if it is None.
    """
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
    for name in kinds if edit is None else [edit.optimizer]:
        x = mtc.Input((11, 10, 3))
        y = x
        for layer in (
            layers.Conv2D(4, 3, padding="same", algorithm="row_windows"),
            layers.Conv2D(6, 3, padding=((1, 0), (0, 1)), activation="relu", algorithm="im2col"),
            layers.Conv2D(6, 3, padding="same", activation="relu", algorithm="winograd"),
            layers.DepthwiseConv2D(3, padding="same"), layers.ReLU(max_value=0.25),
            layers.MaxPool2D(3, 2), layers.Activation("silu"), layers.Activation("gelu"),
            layers.Activation("hard_silu"),
            layers.Conv2D(5, (2, 3), padding="same", activation="relu", algorithm="row_windows"),
            layers.MaxPool2D(2),
            layers.BatchNorm(), layers.ReLU(),
        ):  # fmt: skip
            y = layer(y)
        y = layers.ReLU()(layers.Add()([y, layers.BatchNorm()(layers.Conv2D(5, 1)(y))]))
        y = layers.Add()([y, layers.GlobalAveragePool2D(keepdims=True)(y)])
        y = layers.Multiply()([y, layers.Conv2D(y.shape[2], 1)(layers.GlobalAveragePool2D(keepdims=True)(y))])
        y = layers.Dense(7, activation="relu")(layers.Flatten()(layers.Dropout(0.3)(y)))
        preprocessing = Standardize([120.0, 110, 100], [60.0, 70, 80])
        model = mtc.Model(x, layers.Dense(3, activation="softmax")(y), seed=0, preprocessing=preprocessing)
        augment = datasets.Augmentation(**moves[name]) if name in moves else None
        model.fit(
            images, np.arange(12) % 3, optimizer=kinds[name](), epochs=1, batch_size=5, augment=augment, workers=0,
            progress=False,
        )  # fmt: skip
        stacks[name] = [
            float(np.abs(array).sum(dtype=np.float64)) for array in model.state().values() if np.ndim(array)
        ]
    return stacks


def checked_by_the_command(edit):
    """(exit code, output) of `minitorch-cnn check-gradients`, brief."""
    from minitorch_cnn.cli import main

    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = main(["check-gradients", "--brief", "--most", "5"])
    return code, output.getvalue()


def compared(edit):
    """(whether all functions agree, the lines of those that do not), up to the one that `edit` changed."""
    from minitorch_cnn.gradients.twins import compare_twins

    lines = []
    for result in compare_twins():
        if not result.passed:
            lines.append(str(result))
            if edit is not None and edit.names in lines[-1]:
                break
    return not lines, "\n".join(lines)


def trained_and_compared(edit):
    """Both, in that order."""
    return {"trained": trained(edit), "compared": compared(edit)}


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
        result = WORKS[work](EDITS.get(name))
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
