"""Remembers the filters of the first layer after each epoch, for the page of a run."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.report.training_page import first_filters
from minitorch_cnn.training.callback import Callback
from minitorch_cnn.training.facts import is_whole

MOST = 24  # kernels that are kept


class FilterRecord(Callback):
    """Keeps `kernels` {epochs learned: kernel (KH, KW, C, K)} of the first layer, if that is a convolution of images.

    There are at most 24, evenly spaced however long the training becomes: when there are more, every second one is
    dropped. The first and the latest always stay. They are part of a checkpoint, so a resumed run has them too.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.kernels: dict[int, np.ndarray] = {}
        self.stride = 1

    def on_train_begin(self, trainer: Any) -> None:
        kernel = first_filters(trainer.model)
        if any(kernel is None or kept.shape != kernel.shape for kept in self.kernels.values()):
            raise CheckpointError("FilterRecord: the filters in the checkpoint are not filters of this model")
        if not self.kernels and kernel is not None and trainer.batch == 0:
            self._keep(trainer.epoch, kernel)

    def on_epoch_end(self, trainer: Any, results: dict[str, float]) -> None:
        kernel = first_filters(trainer.model)
        if kernel is not None:
            self._keep(trainer.epoch + 1, kernel)

    def _keep(self, epoch: int, kernel: np.ndarray) -> None:
        first = min(self.kernels, default=epoch)
        self.kernels = {kept: each for kept, each in self.kernels.items() if (kept - first) % self.stride == 0}
        self.kernels[epoch] = kernel
        while len(self.kernels) > MOST:
            self.stride *= 2
            kept = [each for each in self.kernels if (each - first) % self.stride == 0 or each == epoch]
            self.kernels = {each: self.kernels[each] for each in kept}

    def state(self) -> tuple[dict, dict[str, Any]]:
        return {(str(epoch),): kernel for epoch, kernel in self.kernels.items()}, {"stride": self.stride}

    def load_state(self, arrays: dict, facts: dict[str, Any]) -> None:
        kernels = {int(name): kernel for (name,), kernel in arrays.items()}
        stride = facts["stride"]
        if not is_whole(stride) or stride < 1 or len(kernels) > MOST or not all(map(is_whole, kernels)):
            raise ValueError("FilterRecord: its epochs are not valid")
        if any(kernel.dtype.kind != "f" for kernel in kernels.values()):
            raise ValueError("FilterRecord: its kernels are not valid")
        self.kernels, self.stride = dict(sorted(kernels.items())), stride
