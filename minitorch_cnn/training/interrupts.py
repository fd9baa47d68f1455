"""Ctrl-C: a training is told, finishes the batch at hand, and is left by an exception that says how to go on."""

import contextlib
import signal
import threading


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, after the batch at hand was finished and saved; the message says how to go on."""

    together = True  # on all ranks, if there are several


class Interrupts:
    """Context that counts Ctrl-C, and the polite kill of a job queue; true once there was one, which `say` is told.

    The second is an ordinary KeyboardInterrupt. Outside the main thread, where Python allows none, it does nothing.
    """

    def __init__(self, say):
        self.say, self.count, self.before = say, 0, {}

    def __bool__(self):
        return self.count > 0

    def _react(self, number, frame):
        self.count += 1
        if self.count > 1:
            raise KeyboardInterrupt
        self.say("\nstopping after this batch (Ctrl-C again stops at once)")

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, self._react)

    def __exit__(self, *error):
        for number, handler in self.before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def deaf():
    """Context in which Ctrl-C is not heard: while an impatient user is told what the first one led to."""
    before = None
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
