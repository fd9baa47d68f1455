"""Signals: training finishes the current batch, saves, and ends with an exception that says how to continue.

Three signals ask a program to end: SIGINT is Ctrl-C, SIGTERM comes from a job queue or from `kill`, and SIGHUP says
that the terminal was closed or the connection lost. `nohup` makes a program ignore SIGHUP, and that is respected.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

WORDS = {
    getattr(signal, name): words  # Windows has no SIGHUP
    for name, words in {
        "SIGINT": "interrupted",
        "SIGTERM": "ended by a signal (SIGTERM)",
        "SIGHUP": "ended because the terminal was closed (SIGHUP)",
    }.items()
    if hasattr(signal, name)
}


class Ended(KeyboardInterrupt):
    """Raised when the signal `number` ends the program; the exit code is 128 + number, as in a shell."""

    def __init__(self, number: int = signal.SIGINT, message: str = "") -> None:
        super().__init__(message or WORDS[signal.Signals(number)])
        self.number = number


class Interrupted(Ended):
    """Raised once the current batch is finished and saved after a signal; the message says how to continue."""

    together = True  # on all ranks, if there are several


class Interrupts:
    """Context that counts Ctrl-C, SIGTERM and SIGHUP; it is true after the first, which `say` tells the user.

    A second Ctrl-C raises an ordinary KeyboardInterrupt, but not before `say` has returned: a progress bar cut off
    while it holds its lock could not be closed. The other signals are often sent twice (by `timeout`, by a shell that
    ends), so a second one changes nothing here, and raises Ended afterwards. Outside the main thread Python allows no
    signal handlers, so the context does nothing there.

    Outside of training SIGTERM and SIGHUP end Python at once, even where it hangs in a library; a shell then shows
    the same exit codes.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say, self.said = say, False
        self.number = 0  # of the first signal
        self.at_once = False  # whether Ctrl-C was pressed after it
        self.before: dict[int, Any] = {}  # the signal handlers to restore

    def __bool__(self) -> bool:
        return self.number > 0

    def _react(self, number: int, frame: FrameType | None) -> None:
        if self.number:
            self.at_once |= number == signal.SIGINT
        else:
            self.number = number
            try:
                self.say("\nstopping after this batch (Ctrl-C again stops at once)")
            finally:
                self.said = True
        if self.at_once and self.said:
            raise KeyboardInterrupt

    def __enter__(self) -> None:
        self.before = _handle(self._react)

    def __exit__(self, *error: object) -> None:
        if self.number not in (0, signal.SIGINT):  # another one must not cut off the message about this one
            self.before = {number: _raise if old == signal.SIG_DFL else old for number, old in self.before.items()}
        _restore(self.before)


@contextlib.contextmanager
def ignore_interrupts() -> Iterator[None]:
    """Context that ignores all three signals, so that another one cannot cut off the message about the first."""
    before = _handle(signal.SIG_IGN)
    try:
        yield
    finally:
        _restore(before)


def ignore_interrupts_from_now_on() -> None:
    """Ignore all three signals while Python ends."""
    _handle(signal.SIG_IGN)


def _handle(handler: Any) -> dict[int, Any]:
    """Set the handler of the three signals; returns {number: the handler before}."""
    before: dict[int, Any] = {}
    if threading.current_thread() is not threading.main_thread():
        return before
    for number in WORDS:
        old = signal.getsignal(number)
        ignored = number != signal.SIGINT and old == signal.SIG_IGN
        if old is not None and not ignored:  # None: set by C code, and could not be restored
            before[number] = signal.signal(number, handler)
    return before


def _raise(number, frame):
    raise Ended(number)


def _restore(before: dict[int, Any]) -> None:
    for number, handler in before.items():
        signal.signal(number, handler)
