"""The base class of callbacks: code that `fit` calls when training begins and ends, and after every batch and epoch.

Every method gets the `Trainer` (`training/loop.py`), which has `model`, `optimizer`, `epoch`, `batch`, `history` and
`stop(reason)`.
"""

from __future__ import annotations

import contextlib
from typing import Any


class Callback:
    """Base class: override the methods you need. `state` and `load_state` let a resumed run continue exactly.

    If several processes train together, each of them calls its callbacks; only the one whose `trainer.ranks.reports` is
    true should write files or print.
    """

    def reset(self) -> None:
        """Forget what an earlier training left: called by each `fit`, before a checkpoint is loaded."""

    def on_train_begin(self, trainer: Any) -> None:
        """Called before the first batch, after a checkpoint has been loaded."""

    def on_batch_end(self, trainer: Any) -> None:
        """Called after the update of batch `trainer.batch - 1` of epoch `trainer.epoch`."""

    def on_evaluation_begin(self, trainer: Any) -> None:
        """Called after the last batch of an epoch, before the validation images are measured."""

    def on_evaluation_end(self, trainer: Any) -> None:
        """Undo what `on_evaluation_begin` did to the model.

        Called when every callback's `on_epoch_end` is done, or an exception ends the training before; the last callback
        is called first.
        """

    def on_epoch_end(self, trainer: Any, results: dict[str, float]) -> None:
        """Called after an epoch; `results` is its row of the history."""

    def on_interrupt(self, trainer: Any) -> str | None:
        """Called at Ctrl-C after the current batch, before training ends; may return a line for the user."""
        return None

    def on_train_end(self, trainer: Any) -> None:
        """Called after the last epoch."""

    def state(self) -> tuple[dict, dict[str, Any]]:
        """({name: array}, {name: anything JSON can hold}), to be saved in a checkpoint."""
        return {}, {}

    def load_state(self, arrays: dict, facts: dict[str, Any]) -> None:
        """Restore what `state` returned."""


def prepare_evaluation(trainer: Any, evaluation: contextlib.ExitStack) -> None:
    """Call `on_evaluation_begin` of every callback; closing `evaluation` calls `on_evaluation_end` in reverse order."""
    for callback in trainer.callbacks:
        evaluation.callback(callback.on_evaluation_end, trainer)
        callback.on_evaluation_begin(trainer)
