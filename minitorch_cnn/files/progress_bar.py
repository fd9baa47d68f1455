"""A progress bar: that of tqdm where it is installed, otherwise one line when the work is done.

What is shown must never end or stop the work: the terminal may be closed meanwhile, or the reader of a pipe may end or
fall asleep. So a text that cannot be written now is dropped.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
import sys
import time
from typing import Any, TextIO


def progress_bar(**settings: Any) -> Any:
    """A new bar, a context manager with tqdm's methods; a single line at the end where standard error is a file.

    Arguments: those of `tqdm`, of which a `PlainBar` uses `desc`, `total`, `initial`, `unit`, `unit_scale`, `disable`.
    """
    try:
        from tqdm import tqdm
    except ImportError:
        return PlainBar(**settings)
    if _is_a_file(sys.stderr):
        return PlainBar(**settings)
    try:
        return tqdm(dynamic_ncols=True, file=Unfailing(sys.stderr), **settings)
    except OSError:  # tqdm flushes the error output itself, whose reader may have ended
        return PlainBar(**settings)


def print_above(text: str, file: TextIO | None = None) -> None:
    """Print a line above a bar that may be on the screen, to the output or to another `file`."""
    stream = Unfailing(file or sys.stdout)
    try:
        from tqdm import tqdm
    except ImportError:
        stream.write(f"{text}\n")
    else:
        tqdm.write(str(text), stream)
    stream.flush()


def _is_a_file(stream: TextIO | None) -> bool:
    """Whether what is written to `stream` goes to a file on a disk, where a bar would leave all its states."""
    try:
        return stream is sys.__stderr__ and stat.S_ISREG(os.fstat(stream.fileno()).st_mode)  # type: ignore[union-attr]
    except (OSError, ValueError, AttributeError):
        return False


class Unfailing:
    """A text stream from which nothing comes back: no error, and no waiting for a reader of a full pipe.

    `stream` is None where the program was started without it (`2>&-`).
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.stream: Any = stream

    def write(self, text: str) -> None:
        """Write `text`, or drop it."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if self._has_room():
                self.stream.write(text)

    def flush(self) -> None:
        """Flush the stream if that is possible now."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            try:
                if self._has_room():
                    self.stream.flush()
            except BrokenPipeError:  # its reader has ended, and what waits to be written would fail again at the end
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self.stream.fileno())
                os.close(nowhere)

    def _has_room(self):
        """Whether a write would not wait; also true where nobody can say, as for a file in memory or on Windows."""
        try:
            return bool(select.select([], [self.stream], [], 0)[1])
        except (OSError, ValueError, TypeError):
            return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def __eq__(self, other: object) -> bool:  # tqdm compares streams to find the bars on the same screen
        return self.stream is getattr(other, "stream", other)

    def __hash__(self) -> int:
        return hash(self.stream)


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
        stream = Unfailing(sys.stderr)
        stream.write(", ".join(filter(None, [line, self.postfix])) + "\n")
        stream.flush()

    @staticmethod
    def format_interval(seconds: float) -> str:
        """A time as minutes and seconds, or hours, minutes and seconds: "02:07", "1:02:07"."""
        minutes, seconds = divmod(int(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"
