"""Callbacks: what else happens while `fit` trains. Each is told when a batch or an epoch has ended.

A callback is given the `Trainer` (`training/loop.py`), which has `model`, `optimizer`, `epoch`, `batch`, `history`, and
`stop(reason)`.
"""

import csv
import io
import time
from pathlib import Path

from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.files.replacing import replacing
from minitorch_cnn.training import checkpoint
from minitorch_cnn.training.diagnosis import finite


class Callback:
    """Base: override what is of use. `state` and `load_state` let a resumed run go on where it was.

    Where several processes train together, each has the callbacks; what writes or prints, `trainer.ranks.reports` does.
    """

    def on_train_begin(self, trainer):
        """Before the first batch, after a checkpoint has been read."""

    def on_batch_end(self, trainer):
        """After the update of batch `trainer.batch - 1` of epoch `trainer.epoch`."""

    def on_epoch_end(self, trainer, results):
        """After an epoch; `results` is its row of the history."""

    def on_interrupt(self, trainer):
        """Ctrl-C: the batch at hand is finished, training ends. May return a line for the user."""

    def on_train_end(self, trainer):
        """After the last epoch."""

    def state(self):
        """({name: array}, {name: anything JSON can hold}) to be kept in a checkpoint."""
        return {}, {}

    def load_state(self, arrays, facts):
        """Take back what `state` returned."""


class EarlyStopping(Callback):
    """Stop when `monitor` was no better for `patience` epochs; then, with `restore_best`, take the best weights."""

    def __init__(self, monitor="val_loss", patience=5, restore_best=True):
        self.monitor, self.patience, self.restore_best = monitor, patience, restore_best
        self.best, self.waited, self.weights = None, 0, {}

    def on_epoch_end(self, trainer, results):
        if self.monitor not in results:
            raise ArgumentError(f"EarlyStopping: expected one of {', '.join(results)} to monitor, got {self.monitor!r}")
        value = results[self.monitor]
        sign = 1 if self.monitor.endswith("accuracy") else -1
        if self.best is None or sign * value > sign * self.best:
            self.best, self.waited = value, 0
            if self.restore_best:
                self.weights = {key: array.copy() for key, array in _weights(trainer.model).items()}
        else:
            self.waited += 1
            if self.waited >= self.patience:
                trainer.stop(f"{self.monitor} has not improved on {self.best:.4f} for {self.patience} epochs")

    def on_train_end(self, trainer):
        for (layer, name), array in self.weights.items():
            trainer.model.get_layer(layer).parameters[name] = array

    def state(self):
        return dict(self.weights), {"best": self.best, "waited": self.waited}

    def load_state(self, arrays, facts):
        self.weights, self.best, self.waited = dict(arrays), facts["best"], facts["waited"]


class LearningRate(Callback):
    """Set the learning rate of each epoch: `schedule(epoch)`, epochs counted from 0."""

    def __init__(self, schedule):
        self.schedule = schedule

    def on_train_begin(self, trainer):
        trainer.optimizer.learning_rate = self.schedule(trainer.epoch)

    def on_epoch_end(self, trainer, results):
        trainer.optimizer.learning_rate = self.schedule(trainer.epoch + 1)


class CSVLog(Callback):
    """Keep the history in a CSV file, one row an epoch; the file is whole at every moment."""

    def __init__(self, path):
        self.path = Path(path)

    def on_epoch_end(self, trainer, results):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        names = list(trainer.history)
        writer.writerow(["epoch", *names])
        for number, row in enumerate(zip(*(trainer.history[name] for name in names)), 1):
            writer.writerow([number, *row])
        if not trainer.ranks.reports:
            return
        with replacing(self.path) as file:
            file.write(text.getvalue().encode())


class Checkpoint(Callback):
    """Save everything to `path` after each epoch and, within an epoch, every `seconds`, and at Ctrl-C.

    `fit(..., resume=path)` goes on from there to the same bits. `resume_command` is what the message at Ctrl-C advises.
    """

    def __init__(self, path, seconds=60.0, resume_command=None):
        self.path, self.seconds = Path(path), seconds
        self.resume_command = resume_command or f"fit(..., resume={str(self.path)!r})"
        self.saved = time.monotonic()

    def on_train_begin(self, trainer):
        self.saved = time.monotonic()

    def on_batch_end(self, trainer):
        if time.monotonic() - self.saved >= self.seconds and trainer.batch < len(trainer.batches):
            self.save(trainer)

    def on_epoch_end(self, trainer, results):
        trainer.after_epoch = self  # saved when the epoch counter has moved on and every callback has been heard

    def on_interrupt(self, trainer):
        self.save(trainer)
        return f"saved {self.path}; go on with: {self.resume_command}"

    def save(self, trainer):
        """Write the checkpoint now; not with weights that are no numbers any more, which the next step will report."""
        if trainer.ranks.reports and finite(trainer.model.vector.values):
            checkpoint.save(self.path, *trainer.state(), keep_previous=True)
        self.saved = time.monotonic()

    def on_train_end(self, trainer):
        if trainer.ranks.reports:
            checkpoint.previous(self.path).unlink(missing_ok=True)  # the last one is whole, and there will be no other


def _weights(model):
    return {(layer.name, name): array for layer in model.layers for name, array in layer.parameters.items()}
