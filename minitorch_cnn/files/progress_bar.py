"""A progress bar: that of tqdm where it is installed, otherwise one line when the work is done."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any, TextIO


def progress_bar(**settings: Any) -> Any:
    """A new bar, a context manager with tqdm's methods.

    Arguments: those of `tqdm`, of which a `PlainBar` uses `desc`, `total`, `initial`, `unit`, `unit_scale`, `disable`.
    """
    try:
        from tqdm import tqdm
    except ImportError:
        return PlainBar(**settings)
    return tqdm(dynamic_ncols=True, **settings)


def print_above(text: str, file: TextIO | None = None) -> None:
    """Print a line above a bar that may be on the screen, to the output or to another `file`."""
    try:
        from tqdm import tqdm
    except ImportError:
        print(text, file=file)
    else:
        tqdm.write(text, file)


class PlainBar:
    """Stands in for `tqdm`: it counts like a bar, and prints one line on standard error when it is closed."""

    def __init__(
        self, desc: str = "", total: int | None = None, initial: int = 0, unit: str = "it", unit_scale: bool = False,
        disable: bool = False, **of_the_screen: Any,
    ) -> None:  # fmt: skip
        self.desc, self.total, self.n = desc, total, initial
        self.unit, self.unit_scale, self.disable = unit.strip(), unit_scale, disable
        self.postfix, self.started = "", time.perf_counter()

    def __enter__(self) -> PlainBar:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def update(self, n: int = 1) -> None:
        """Count `n` more."""
        self.n += n

    def set_postfix_str(self, text: str = "", refresh: bool = True) -> None:
        """Set what the line ends with."""
        self.postfix = text

    def close(self) -> None:
        """Print the line, once."""
        if self.disable:
            return
        self.disable = True
        count = f"{self.n / 1e6:.1f} M{self.unit}" if self.unit_scale else f"{self.n} {self.unit}"
        if self.total is not None and self.n < self.total and not self.unit_scale:
            count = f"{self.n} of {self.total} {self.unit}"
        line = f"{self.desc}: {count} in {self.format_interval(time.perf_counter() - self.started)}"
        with contextlib.suppress(OSError, ValueError, AttributeError):  # no standard error: nobody to tell
            print(", ".join(filter(None, [line, self.postfix])), file=sys.stderr, flush=True)

    @staticmethod
    def format_interval(seconds: float) -> str:
        """A time as minutes and seconds, or hours, minutes and seconds: "02:07", "1:02:07"."""
        minutes, seconds = divmod(int(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"
