"""Logs for TensorBoard, written by the package tensorboardX."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from minitorch_cnn.errors import ArgumentError, CheckpointError, require
from minitorch_cnn.training.callback import Callback


class TensorBoard(Callback):
    """Write the history for TensorBoard: `tensorboard --logdir LOG_DIR` shows the curves while training runs.

    As in Keras, `log_dir/train` and `log_dir/validation` get "epoch_loss", "epoch_accuracy", ..., so both are curves of
    one chart, and the learning rate is "epoch_learning_rate". Needs `pip install -e ".[tensorboard]"`:
    MissingPackage otherwise. Raises CheckpointError if the folder cannot be written.
    """

    def __init__(self, log_dir: str | os.PathLike = "logs") -> None:
        if not isinstance(log_dir, (str, os.PathLike)):
            raise ArgumentError(f"TensorBoard: log_dir: expected the path of a folder, got {log_dir!r}")
        self.log_dir = Path(os.path.expanduser(log_dir))
        if self.log_dir.exists() and not self.log_dir.is_dir():
            raise ArgumentError(f"TensorBoard: log_dir: expected the path of a folder, got the file {str(log_dir)!r}")
        require("tensorboardX", "writing logs for TensorBoard")
        self.reset()

    def reset(self) -> None:
        self.writers: dict[str, Any] = {}

    def on_epoch_end(self, trainer: Any, results: dict[str, float]) -> None:
        if not trainer.ranks.reports:
            return
        proto = require("tensorboardX", "writing logs for TensorBoard").proto
        for name, value in results.items():
            part, plain = ("validation", name[4:]) if name.startswith("val_") else ("train", name)
            scalar = proto.summary_pb2.Summary.Value(tag=f"epoch_{plain}", simple_value=value)
            summary = proto.summary_pb2.Summary(value=[scalar])
            event = proto.event_pb2.Event(wall_time=time.time(), step=trainer.epoch, summary=summary)
            self._writer(part).write_event(event)
        for writer in self.writers.values():
            writer.flush()

    def on_interrupt(self, trainer: Any) -> str | None:
        self.on_train_end(trainer)
        return None

    def on_train_end(self, trainer: Any) -> None:
        for writer in self.writers.values():
            writer.close()
        self.reset()

    def _writer(self, part):
        """The event file of that part. `SummaryWriter` would write later, in a thread: what a crash loses."""
        if part not in self.writers:
            package = require("tensorboardX", "writing logs for TensorBoard")
            suffix = f".{time.time_ns()}"  # without it, two trainings of one second would write to one file
            try:
                (self.log_dir / part).mkdir(parents=True, exist_ok=True)
                events = str(self.log_dir / part / "events")
                self.writers[part] = package.event_file_writer.EventsWriter(events, suffix)
            except OSError as error:
                reason = error.strerror or error
                raise CheckpointError(f"{self.log_dir}: logs for TensorBoard cannot be written ({reason})") from None
        return self.writers[part]
