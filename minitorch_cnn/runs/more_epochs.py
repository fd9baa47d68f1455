"""More epochs on a finished run: a falling learning rate ends with the run, so they get another cycle of it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

from minitorch_cnn.errors import ArgumentError, CheckpointError
from minitorch_cnn.files.printable import counted
from minitorch_cnn.training import checkpoint


def with_more_epochs(
    settings: Any, epochs: int | None, path: Path, name: str = "epochs", planned: bool = True
) -> Any:  # fmt: skip
    """`settings` with so many `epochs` in all as the setting called `name`, for a run with its checkpoint at `path`.

    None leaves them as they are. Raises ArgumentError if the run already has more, or if it is not finished and its
    learning rate was `planned` for the epochs it has.
    """
    own = getattr(settings, name)
    if epochs is None or epochs == own:
        return settings
    done, had = checkpoint.load_last(path)[1].get("epoch") if checkpoint.exists(path) else 0, counted(own, "epoch")
    if planned and done != own:
        expected = f"expected {had}, for which the learning rate is planned, got {epochs}; finish them first"
        raise ArgumentError(f"--resume: {expected}")
    if epochs < own:
        raise ArgumentError(f"--resume: expected more than the {had} of this run, got {epochs}")
    earlier = ",".join(filter(None, [settings.earlier, str(own) if own else ""]))
    return replace(settings, **{name: epochs}, earlier=earlier)


def ends_of_cycles(settings: Any, name: str = "epochs") -> list[int]:
    """The numbers of epochs after which a cycle of the learning rate ends; CheckpointError if they are not rising."""
    words = [*filter(None, settings.earlier.split(",")), str(getattr(settings, name))]
    ends = [int(word) if word.isascii() and word.isdigit() else -1 for word in words]
    if any(later <= before for before, later in itertools.pairwise([0, *ends[:-1], ends[-1] or 1])):
        raise CheckpointError(f"earlier: expected rising numbers of epochs, got {settings.earlier[:40]!r}")
    return ends
