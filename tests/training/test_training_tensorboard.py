"""TensorBoard logs, read back with the package's own description of the format."""

import struct
import sys

import pytest
import small_run
from minitorch_cnn.callbacks import Callback, Checkpoint, TensorBoard

from minitorch_cnn import optimizers
from minitorch_cnn.errors import ArgumentError, CheckpointError, MissingPackage


def fit(*callbacks, **options):
    x, labels = small_run.images_and_labels(20)
    options = {"validation": (x[:5], labels[:5]), "epochs": 3, "optimizer": optimizers.SGD(0.1), **options}
    return small_run.small_model().fit(x, labels, batch_size=8, callbacks=callbacks, progress=False, **options)


def scalars(folder):
    """[(name, step, value)] of all event files: records of length (8 bytes), checksum (4), event, checksum (4)."""
    events = pytest.importorskip("tensorboardX.proto.event_pb2", reason="tensorboardX is not installed")
    found = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        data, place = path.read_bytes(), 0
        while place < len(data):
            (length,) = struct.unpack_from("<Q", data, place)
            event = events.Event.FromString(data[place + 12 : place + 12 + length])
            found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
            place += 16 + length
    return found


def test_the_history_is_there_in_both_folders(tmp_path):
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    history = fit(TensorBoard(tmp_path / "logs"))
    for part, before in (("train", ""), ("validation", "val_")):
        found = scalars(tmp_path / "logs" / part)
        for name in ("loss", "accuracy"):
            values = [(step, value) for tag, step, value in found if tag == f"epoch_{name}"]
            assert [step for step, _ in values] == [0, 1, 2]  # epochs from 0, as in Keras
            assert [value for _, value in values] == pytest.approx(history[before + name], rel=1e-6)
    assert ("epoch_learning_rate", 2, pytest.approx(0.1)) in scalars(tmp_path / "logs" / "train")


def test_a_resumed_training_goes_on_at_its_epoch_and_a_reused_callback_begins_anew(tmp_path):
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")

    class Cut(Callback):
        def on_batch_end(self, trainer):
            if (trainer.epoch, trainer.batch) == (1, 2):
                raise KeyError("power")

    board, path = TensorBoard(tmp_path / "logs"), tmp_path / "c.npz"
    with pytest.raises(KeyError, match="power"):
        fit(board, Checkpoint(path, 0), Cut())
    fit(board, Checkpoint(path), resume=path)
    losses = [step for tag, step, _ in scalars(tmp_path / "logs" / "train") if tag == "epoch_loss"]
    assert sorted(losses) == [0, 1, 2]
    fit(board, epochs=1)
    assert len([1 for tag, *_ in scalars(tmp_path / "logs" / "train") if tag == "epoch_loss"]) == 4


def test_without_the_package_it_is_one_line_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingPackage, match="writing logs for TensorBoard needs tensorboardX") as caught:
        TensorBoard(tmp_path)
    assert "pip install" in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "train").write_text("a file")
    with pytest.raises(ArgumentError, match="TensorBoard: log_dir: expected the path of a folder, got the file"):
        TensorBoard(tmp_path / "logs" / "train")
    with pytest.raises(CheckpointError, match="logs: logs for TensorBoard cannot be written"):
        fit(TensorBoard(tmp_path / "logs"))
    with pytest.raises(ArgumentError, match="TensorBoard: log_dir: expected the path of a folder, got 3"):
        TensorBoard(3)
