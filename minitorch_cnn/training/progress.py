"""What a training shows while it runs: a bar for each epoch, with the averages so far and the time that is left."""

from __future__ import annotations

from typing import Any, TextIO

from minitorch_cnn.files.progress_bar import print_above, progress_bar
from minitorch_cnn.training.counting import averages


def say(text: str, file: TextIO | None = None) -> None:
    """Print a line above the bar, to the output or to another `file`."""
    print_above(text, file)


def in_short(results: dict[str, float]) -> str:
    """The results of an epoch as the bar shows them at its end."""
    return ", ".join(f"{k} {v:.4f}" for k, v in results.items() if k not in ("seconds", "learning_rate"))


class Progress:
    """The part of a `Trainer` that says how far it is; without `progress` it counts all the same and shows nothing."""

    def _averages(self):
        sums, images = self.totals, max(self.totals["images"], 1)
        return averages(sums["loss"], sums["correct"], images, self.kinds)

    def names_of_results(self: Any) -> list[str]:
        """The names of the numbers that each epoch adds to the history."""
        measured = ["loss", *(["accuracy"] if any(self.kinds) else [])]
        validated = [f"val_{name}" for name in measured] if self.validation is not None else []
        return [*measured, "learning_rate", *validated, "seconds"]

    def _bar(self):
        return progress_bar(
            desc=f"epoch {self.epoch + 1}/{self.epochs}",
            total=len(self.batches.images),
            initial=self.totals["images"],
            unit=" images",
            disable=not self.progress,
            mininterval=0.2,
        )

    def _place(self):
        """Where the training is, in words; if a signal comes at the end of the last epoch, that is counted already."""
        if self.epoch == self.epochs:
            return f"after epoch {self.epoch} of {self.epochs}"
        return f"in epoch {self.epoch + 1} of {self.epochs} after batch {self.batch} of {len(self.batches)}"

    def _postfix(self, bar):
        shown = ", ".join(f"{name} {value:.4f}" for name, value in self._averages().items())
        left = ""
        if self.totals["seconds"] > 0:
            speed = self.totals["images"] / self.totals["seconds"]
            images = len(self.batches.images)
            remaining = (self.epochs - self.epoch) * images - self.totals["images"]
            left = f", all done in {bar.format_interval(remaining / speed)}"
        return f"{shown}{left}"
