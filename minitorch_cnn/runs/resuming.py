"""What `train` and `fine-tune` have in common: a training in a run folder that continues where it was interrupted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.datasets.dataset import Dataset
from minitorch_cnn.datasets.image_folder import ImageFolder
from minitorch_cnn.errors import CheckpointError, MissingPackage
from minitorch_cnn.files.printable import printable
from minitorch_cnn.parallel.ranks import Alone
from minitorch_cnn.runs.folder import RunFolder
from minitorch_cnn.runs.keeping import keeping, weights_of
from minitorch_cnn.runs.own_folder import uneven
from minitorch_cnn.training import checkpoint
from minitorch_cnn.training.callback import Callback
from minitorch_cnn.training.callbacks import Checkpoint, CSVLog
from minitorch_cnn.training.progress import say

CHECKPOINT_SECONDS = 20.0
MOST_LINES = 5  # about what was left out


@dataclass
class Resumable:
    """The training of `model` in the run `folder`, which another process may have begun unless it is `fresh`.

    `settings` are those of `train` or of `fine-tune`; `command` continues the run.
    """

    folder: RunFolder
    model: Any
    dataset: Dataset
    settings: Any
    ranks: Alone
    command: str
    progress: bool
    fresh: bool

    def record_settings(self) -> None:
        """Write the settings to the folder if it does not have them yet."""
        stored = None if self.fresh or not self.ranks.reports else self.folder.read_settings(type(self.settings))
        if self.ranks.reports and stored != self.settings:
            self.folder.write_config(self.settings, self.model)

    def checkpoint_to_continue(self, name: str = "") -> Path | None:
        """The checkpoint of the phase called `name` (such as "-top"), if there is one to continue from."""
        path = self._checkpoint(name)
        return path if self.ranks.from_first(lambda: not self.fresh and checkpoint.exists(path)) else None

    def fit(
        self, images: Any, labels: Any, *, epochs: int, name: str = "", callbacks: Sequence[Callback] = (),
        **options: Any,
    ) -> dict[str, list[float]]:  # fmt: skip
        """Train as `model.fit` does, with the `options` that differ, from the checkpoint on if there is one."""
        return self.model.fit(
            images,
            labels,
            epochs=epochs,
            batch_size=self.settings.batch_size,
            validation=(self.dataset.test_images, self.dataset.test_labels),
            class_weight=weights_of(self.settings, self.dataset),
            callbacks=[
                *callbacks,
                *keeping(self.settings, epochs),
                CSVLog(self.folder.path / f"history{name}.csv"),
                Checkpoint(self._checkpoint(name), CHECKPOINT_SECONDS, self.command),
            ],
            progress=self.progress,
            resume=self.checkpoint_to_continue(name),
            ranks=self.ranks,
            **options,
        )

    def _checkpoint(self, name):
        return self.folder.path / f"checkpoint{name}.npz"


def stored_settings(folder: RunFolder, kind: Any, *checks: Callable[[Any], Any]) -> Any:
    """The settings of the dataclass `kind` in a run folder; CheckpointError, which names the file, if a check fails."""
    settings = folder.read_settings(kind)
    try:
        for check in checks:
            check(settings)
    except CheckpointError as error:
        raise CheckpointError(f"{folder.config}: {error}") from None
    return settings


def describe(dataset: Dataset, settings: Any, tell: Callable[[object], None]) -> None:
    """Tell what the data are, which folders were left out, and how uneven the classes are, unless they are weighted."""
    tell(dataset)
    for what in [what for what in dataset.skipped if ": a " in what][:MOST_LINES]:
        tell(f"left out: {what}")
    counts = np.bincount(dataset.test_labels, minlength=len(dataset.class_names))
    if untested := [name for name, count in zip(dataset.class_names, counts) if not count]:
        tell(f"no images to test: {', '.join(untested)[:300]}")
    if not settings.class_weights and (line := uneven(dataset.train_labels, dataset.class_names)):
        tell(line)


def gather_skipped(dataset: Dataset, ranks: Alone) -> Dataset:
    """`dataset` with the damaged files that any rank has found; each rank reads only its share of the images.

    What a resumed run has not read, because other processes did before, is read for that, so its report names the same.
    """
    images = dataset.train_images
    if isinstance(images, ImageFolder):
        checked = set().union(*ranks.gather(images.checked))
        images.check([i for i in range(len(images)) if i not in checked][ranks.rank :: ranks.size])
    found = [path for paths in ranks.gather(list(dataset.skipped)) for path in paths]
    return replace(dataset, skipped=list(dict.fromkeys(found)))


def command_line(ranks: Alone, command: str) -> str:
    """`command` as the user types it to run it on as many processes as now."""
    return f"mpiexec -n {ranks.size} {command}" if ranks.size > 1 else command


def write_report(folder: RunFolder, command: str, write: Callable[[], object]) -> None:
    """Call `write` and print where the report is, or which package is missing; the run itself is saved by then.

    `command` continues the run; for a finished run it only writes the report.
    """
    try:
        write()
    except MissingPackage as error:
        say(f"{printable(folder.report)} was not written: {printable(error)}; then: {printable(command)}", sys.stderr)
    else:
        say(f"report: {printable(folder.report)}")
