"""The two phases of fine-tuning: which photos each learns from, and which of its epochs is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minitorch_cnn import models, parallel
from minitorch_cnn.datasets.augmentation import Augmentation
from minitorch_cnn.datasets.copies import Copies
from minitorch_cnn.datasets.dataset import Dataset
from minitorch_cnn.runs.base import ALL, recipe_of
from minitorch_cnn.runs.folder import RunFolder
from minitorch_cnn.runs.keeping import keeping, kept_epoch, weights_of
from minitorch_cnn.runs.train import CHECKPOINT_SECONDS
from minitorch_cnn.training import checkpoint
from minitorch_cnn.training.callbacks import Checkpoint, CSVLog

History = Mapping[str, Sequence[float]]
CHANGES: dict[str, Any] = {"rotate": 15.0, "zoom": 0.2, "shift": 0.1, "fill": "reflect"}  # of photos, second phase


@dataclass
class Phases:
    """The phases of one run, each with a history and a checkpoint in the run `folder`; `fresh` runs begin anew."""

    folder: RunFolder
    model: Any
    dataset: Dataset
    settings: Any  # FineTuneSettings
    ranks: parallel.Alone
    command: str  # which continues the run
    progress: bool
    fresh: bool

    def top(self) -> History:
        """Train the new layers on the features of the photos and, as the settings say, of their mirror images."""
        photos, settings = self.dataset.train_images, self.settings
        if settings.mirrored and settings.flip:
            photos = Copies(photos, [None, Augmentation(flip=True)])
        return self._fit("top", photos, settings.top_rate, settings.top_epochs)

    def all(self) -> History:
        """Train the unfrozen layers gently: on new copies of the photos in every epoch, or on the features of a few."""
        settings, photos = self.settings, self.dataset.train_images
        change = Augmentation(flip=settings.flip, **CHANGES)
        if settings.unfreeze == ALL:
            return self._fit("all", photos, settings.all_rate, settings.all_epochs, change)
        copies = Copies(photos, [change] * settings.copies)
        return self._fit("all", copies, settings.all_rate, settings.all_epochs)

    def unfreeze(self) -> str:
        """Unfreeze the layers that the second phase trains; returns what learns, in words."""
        lowest = self.settings.unfreeze
        norms = models.unfreeze_base(self.model, None if lowest == ALL else lowest)
        but = f", except the {len(norms)} batch norms, which keep their statistics" if norms else ""
        return f"{'all layers learn' if lowest == ALL else f'{lowest} and the layers above it learn'}{but}"

    def kept_accuracy(self, history: History) -> float:
        """The validation accuracy of the weights that a phase has kept."""
        accuracies = history.get("val_accuracy")
        return float(accuracies[kept_epoch(self.settings, history)]) if accuracies else float("nan")

    def _fit(self, name, photos, rate, epochs, augment=None):
        path, labels = self.folder.path / f"checkpoint-{name}.npz", self.dataset.train_labels
        return self.model.fit(
            photos,
            photos.labels(labels) if isinstance(photos, Copies) else labels,
            optimizer=recipe_of(self.settings.base).optimizer(rate),
            epochs=epochs,
            batch_size=self.settings.batch_size,
            validation=(self.dataset.test_images, self.dataset.test_labels),
            class_weight=weights_of(self.settings, self.dataset),
            augment=augment,
            callbacks=[
                *keeping(self.settings, epochs),
                CSVLog(self.folder.path / f"history-{name}.csv"),
                Checkpoint(path, CHECKPOINT_SECONDS, self.command),
            ],
            progress=self.progress,
            resume=path if self.ranks.from_first(lambda: not self.fresh and checkpoint.exists(path)) else None,
            ranks=self.ranks,
        )
