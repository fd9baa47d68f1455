"""Ctrl-C: a training is told, finishes the batch at hand, and is left by an exception that says how to go on."""

import contextlib
import signal
import threading


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, after the batch at hand was finished and saved; the message says how to go on."""

    together = True  # on all ranks, if there are several


class Signals:
    """Context in which Ctrl-C, and the polite kill of a job queue, call a function.

    Outside the main thread, where Python allows none, it does nothing.
    """

    def __init__(self, react):
        self.react, self.before = react, {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, lambda number, frame: self.react())

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
