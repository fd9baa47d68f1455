"""Ctrl-C: training finishes the current batch, saves, and ends with an exception that says how to continue."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any


class Interrupted(KeyboardInterrupt):
    """Raised at Ctrl-C once the current batch is finished and saved; the message says how to continue."""

    together = True  # on all ranks, if there are several


class Interrupts:
    """Context that counts Ctrl-C and a job queue's SIGTERM; it is true after the first, which `say` tells the user.

    The second raises an ordinary KeyboardInterrupt, but not before `say` has returned: a progress bar cut off while it
    holds its lock could not be closed. Outside the main thread Python allows no signal handlers, so the context does
    nothing there.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say, self.said, self.count = say, False, 0
        self.before: dict[int, Any] = {}  # the signal handlers to restore

    def __bool__(self) -> bool:
        return self.count > 0

    def _react(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count == 1:
            try:
                self.say("\nstopping after this batch (Ctrl-C again stops at once)")
            finally:
                self.said = True
        if self.count > 1 and self.said:
            raise KeyboardInterrupt

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, self._react)

    def __exit__(self, *error: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def ignore_interrupts() -> Iterator[None]:
    """Context that ignores Ctrl-C, so that pressing it again cannot cut off the message about the first one."""
    before = None
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
