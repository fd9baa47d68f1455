"""What a training shows while it runs: a bar for each epoch, with the averages so far and the time that is left."""

from __future__ import annotations

from typing import TextIO

from minitorch_cnn.engine.metrics import averages
from minitorch_cnn.files.progress_bar import print_above, progress_bar


def say(text: str, file: TextIO | None = None) -> None:
    """Print a line above the bar, to the output or to another `file`."""
    print_above(text, file)


class Progress:
    """The part of a `Trainer` that says how far it is; without `progress` it counts all the same and shows nothing."""

    def _averages(self):
        sums, images = self.totals, max(self.totals["images"], 1)
        return averages(sums["loss"], sums["correct"], images, self.kinds)

    def _bar(self):
        return progress_bar(
            desc=f"epoch {self.epoch + 1}/{self.epochs}",
            total=len(self.batches.images),
            initial=self.totals["images"],
            unit=" images",
            disable=not self.progress,
            mininterval=0.2,
        )

    def _postfix(self, bar):
        shown = ", ".join(f"{name} {value:.4f}" for name, value in self._averages().items())
        left = ""
        if self.totals["seconds"] > 0:
            speed = self.totals["images"] / self.totals["seconds"]
            images = len(self.batches.images)
            remaining = (self.epochs - self.epoch) * images - self.totals["images"]
            left = f", all done in {bar.format_interval(remaining / speed)}"
        return f"{shown}{left}"
