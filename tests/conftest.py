"""Every run says at its end how many slow tests (marked `campaign`) it left out, and how to run them."""

import gc
import os
import signal

left_out = []
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests were started with nohup, which child processes inherit


def pytest_collection_finish():
    """Before the first test: child processes get one BLAS thread, and garbage collection leaves the tests alone.

    Two BLAS threads spin while they wait for each other, and what pytest holds are thousands of objects.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.collect()
    gc.freeze()


def pytest_deselected(items):
    left_out.extend(item for item in items if item.get_closest_marker("campaign"))


def pytest_terminal_summary(terminalreporter):
    if left_out:
        count = f"{len(left_out)} test{'s' * (len(left_out) > 1)}"
        terminalreporter.write_line(f"NOT RUN: {count} marked campaign; pytest -m campaign runs them")
