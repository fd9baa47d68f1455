"""Targets of the fuzzer: checkpoints, and what else lies in a run folder or in that of the exercises."""

import contextlib
import functools
import io
import json
import os
import tempfile
from pathlib import Path

import numpy as np
from small_work import small_work, write_photos
from target import in_lines, small_model, written

from minitorch_cnn import callbacks, checkpoint, optimizers, runs, training
from minitorch_cnn.cli.exercise import _list_exercises
from minitorch_cnn.errors import ArgumentError, UserError
from minitorch_cnn.exercises.progress import Course
from minitorch_cnn.lessons import cnn_explainer
from minitorch_cnn.network import summary
from minitorch_cnn.report import Run, TransferRun
from minitorch_cnn.report.run_page import run_page
from minitorch_cnn.report.training_page import layer_rows
from minitorch_cnn.report.transfer_page import transfer_page
from minitorch_cnn.report.transfer_training import read_history
from minitorch_cnn.runs import fine_tune


@contextlib.contextmanager
def inside(folder):
    """Context in which `folder` is the current one."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def small_trainer():
    x, labels = np.zeros((4, 6, 5, 3), np.float32), np.array([0, 1, 2, 0])
    return training.Trainer(small_model().copy(), x, labels, optimizer=optimizers.SGD(0.1, momentum=0.9), batch_size=2,
                            callbacks=[callbacks.EarlyStopping("loss")], progress=False)  # fmt: skip


def checkpoints():
    trainer = small_trainer()
    trainer.optimizer.prepare(trainer.model)
    return [_saved(*trainer.state())]


def _saved(arrays, facts):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.npz"
        checkpoint.save(path, arrays, facts)
        return path.read_bytes()


def read_checkpoint(data, folder):
    data = _checksums_made_right(data)
    small_trainer().load(written(folder, "checkpoint.npz", data))


def _checksums_made_right(data):
    """With the checksums of its members as they should be, so that edits get as far as those of somebody malicious."""
    import struct
    import zlib

    data, place = bytearray(data), 0
    while (place := data.find(b"PK\x01\x02", place)) >= 0 and place + 46 <= len(data):
        (size,) = struct.unpack_from("<I", data, place + 20)
        (header,) = struct.unpack_from("<I", data, place + 42)
        if header + 30 <= len(data):
            names = sum(struct.unpack_from("<HH", data, header + 26))
            checksum = struct.pack("<I", zlib.crc32(data[header + 30 + names : header + 30 + names + size]))
            data[place + 16 : place + 20] = data[header + 14 : header + 18] = checksum
        place += 4
    return bytes(data)


@functools.cache
def run_models():
    model = small_model()
    arrays = {key: value for key, value in model.state().items() if key[1] != "draws"}
    return [_saved(arrays, {"model": model.config(), "class_names": ["a", "b", "c"]})]


def read_model(data, folder):
    """All that a run folder is used for: predictions, the summary, a page, an export."""
    model, names = runs.RunFolder(written(folder, "model.npz", _checksums_made_right(data)).parent).load_model()
    model.predict(np.zeros((1, *model.input_shape), np.float32))
    in_lines(summary.summary(model))
    assert all(name.isprintable() for name in names)
    run_page(Run("a model", layers=layer_rows(model), input_shape=model.input_shape, class_names=names))
    with contextlib.suppress(ArgumentError):  # it is no Tiny VGG
        cnn_explainer.export(model, folder / "export")


def configs():
    settings = {"dataset": "digits", "data": None, "epochs": 2, "batch_size": 4, "learning_rate": 0.02, "seed": 0}
    tuning = {"weights": "weights.h5", "data": "photos", "size": 9, "top_epochs": 1, "all_epochs": 1, "batch_size": 2,
              "top_rate": 1e-4, "all_rate": 1e-5, "seed": 0, "beside": "."}  # fmt: skip
    kinds = (settings, settings | {"dataset": "cifar10", "backend": "numpy"}, tuning)
    return [json.dumps({"settings": kind, "model": {}}).encode() for kind in kinds]


def read_config(data, folder):
    """Go on with the run whose settings these are, down to its report."""
    write_photos(folder / "photos")
    written(folder, "history.csv", histories()[0])
    small_weights(folder / "weights.h5")
    written(folder, "config.json", data)
    with small_work(), inside(folder), contextlib.redirect_stdout(io.StringIO()) as said:
        try:
            runs.resume(".", progress=False)
        except UserError:
            fine_tune.resume(".", progress=False)
    in_lines(said.getvalue())
    assert Path(folder, "report.html").exists()


def small_weights(path):
    """A weight file for the base of `small_work.small_transfer_net`."""
    from small_work import small_transfer_net

    small_transfer_net(input_shape=(9, 9, 3)).save_weights(path)


def histories():
    head = "epoch,loss,accuracy,learning_rate,val_loss,val_accuracy,seconds"
    rows = ["1,0.9,0.4,0.01,0.8,0.5,3.1", "2,0.7,0.6,0.02,nan,0.7,3.0", "3,0.6,0.7,0.01,inf,0.8,2.9"]
    return ["\n".join([head, *rows[:count]]).encode() for count in (2, 3, 0)]


def read_a_history(data, folder):
    written(folder, "history.csv", data)
    transfer_page(TransferRun("beside another", scratch=read_history(folder)))


def progress_files():
    from minitorch_cnn.exercises.course import EXERCISES
    from minitorch_cnn.exercises.progress import _digest

    known = {
        exercise.name: {"state": state, "right": [], "says": "it is wrong", "file": _digest(exercise.stub)}
        for exercise, state in zip(EXERCISES, ("done", "wrong", "begun", "not begun"))
    }
    return [json.dumps(known, indent=1).encode()]


def read_progress(data, folder):
    mine = Course(folder)
    mine.start()
    written(folder, "progress.json", data)
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert _list_exercises(mine) == 0
    in_lines(said.getvalue())
