"""The two phases of fine-tuning: which photos each learns from, and which of its epochs is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from minitorch_cnn import models
from minitorch_cnn.datasets.augmentation import Augmentation
from minitorch_cnn.datasets.copies import MIRROR, Copies
from minitorch_cnn.engine.schedules import Cosine
from minitorch_cnn.files.printable import counted
from minitorch_cnn.models.recipes import Cycles
from minitorch_cnn.runs.base import ALL, recipe_of
from minitorch_cnn.runs.keeping import kept_epoch
from minitorch_cnn.runs.more_epochs import ends_of_cycles
from minitorch_cnn.runs.resuming import Resumable
from minitorch_cnn.training.ema import EMA

History = Mapping[str, Sequence[float]]
CHANGES: dict[str, Any] = {"rotate": 15.0, "zoom": 0.2, "shift": 0.1, "fill": "reflect"}  # of photos, second phase


def changed_copies(photos: Any, count: int, flip: bool) -> Copies:
    """What the second phase learns from: `count` changed copies of each photo."""
    return Copies(photos, [Augmentation(flip=flip, **CHANGES)] * count)


class Cosines(Cycles):
    """Cycles that fall to zero."""

    shape = Cosine


class Phases(Resumable):
    """The phases of one run, each with a history and a checkpoint in the run folder."""

    def top(self) -> History:
        """Train the new layers on the features of the photos and, as the settings say, of their mirror images."""
        photos, settings = self.dataset.train_images, self.settings
        if settings.mirrored and settings.flip:
            photos = Copies(photos, [None, MIRROR])
        return self._fit("top", photos, settings.top_rate, settings.top_epochs)

    def all(self) -> History:
        """Train the unfrozen layers gently: on new copies of the photos in every epoch, or on the features of a few.

        The recipe may let the layers of the base learn more slowly than the new ones, and average the weights.
        """
        settings, photos, recipe = self.settings, self.dataset.train_images, recipe_of(self.settings.base)
        more: dict[str, Any] = {
            "multipliers": dict.fromkeys(self.unfrozen, recipe.slower) if recipe.slower != 1 else None,
            "callbacks": [EMA(recipe.decay)] if recipe.decay else [],
        }
        if settings.unfreeze == ALL:
            change = Augmentation(flip=settings.flip, **CHANGES)
            return self._fit("all", photos, self._rate_of_all(photos), settings.all_epochs, augment=change, **more)
        copies = changed_copies(photos, settings.copies, settings.flip)
        return self._fit("all", copies, self._rate_of_all(copies), settings.all_epochs, **more)

    def unfreeze(self) -> str:
        """Unfreeze the layers that the second phase trains; returns what learns, in words."""
        lowest, learned = self.settings.unfreeze, set(self._that_learn())
        norms = models.unfreeze_base(self.model, None if lowest == ALL else lowest)
        self.unfrozen = [name for name in self._that_learn() if name not in learned]
        but = f", except {counted(len(norms), 'batch norm')} with their old statistics" if norms else ""
        return f"{'all layers learn' if lowest == ALL else f'{lowest} and the layers above it learn'}{but}"

    def kept_accuracy(self, history: History) -> float:
        """The validation accuracy of the weights that a phase has kept."""
        accuracies = history.get("val_accuracy")
        return float(accuracies[kept_epoch(self.settings, history)]) if accuracies else float("nan")

    def _that_learn(self):
        return [layer.name for layer in self.model.layers if layer.learns]

    def _rate_of_all(self, photos):
        """The learning rate of the second phase on these photos, which may fall to zero; again, if it is continued."""
        settings, steps = self.settings, -(-len(photos) // self.settings.batch_size)
        if not recipe_of(settings.base).falls:
            return settings.all_rate
        ends = [epochs * steps for epochs in ends_of_cycles(settings, "all_epochs")]
        return Cosine(settings.all_rate, ends[0]) if len(ends) == 1 else Cosines(settings.all_rate, ends)

    def _fit(self, name, photos, rate, epochs, multipliers=None, **options):
        labels = self.dataset.train_labels
        return self.fit(
            photos,
            photos.labels(labels) if isinstance(photos, Copies) else labels,
            name=f"-{name}",
            optimizer=recipe_of(self.settings.base).optimizer(rate, multipliers),
            epochs=epochs,
            **options,
        )
