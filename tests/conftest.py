"""Every run says at its end how many slow tests (marked `campaign`) it left out, and how to run them.

In continuous integration, where CI_STEP names the step, a run fails if a test was skipped for a reason that
`expected_skips.py` does not list.
"""

import gc
import os
import signal

from expected_skips import unexpected

left_out, skipped = [], []
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests were started with nohup, which child processes inherit


def pytest_collection_finish():
    """Before the first test: child processes get one BLAS thread, and garbage collection leaves the tests alone.

    Two BLAS threads spin while they wait for each other, and what pytest holds are thousands of objects. A child
    process prints as a user's does, through a buffer, whatever the environment here says.
    """
    os.environ.pop("PYTHONUNBUFFERED", None)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.collect()
    gc.freeze()


def pytest_deselected(items):
    left_out.extend(item for item in items if item.get_closest_marker("campaign"))


def pytest_runtest_logreport(report):
    if report.skipped and not hasattr(report, "wasxfail"):
        path, line, reason = report.longrepr
        skipped.append((f"{path}:{line}", reason.removeprefix("Skipped: ")))


def pytest_collectreport(report):  # a whole file that skips itself
    if report.skipped:
        pytest_runtest_logreport(report)


def pytest_sessionfinish(session):
    step = os.environ.get("CI_STEP")
    if step and unexpected(skipped, step) and session.exitstatus == 0:
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter):
    if os.environ.get("CI_STEP"):
        for place, reason in sorted(set(unexpected(skipped, os.environ["CI_STEP"]))):
            terminalreporter.write_line(f"SKIPPED for a reason not in tests/expected_skips.py: {place}: {reason}")
    if left_out:
        count = f"{len(left_out)} test{'s' * (len(left_out) > 1)}"
        terminalreporter.write_line(f"NOT RUN: {count} marked campaign; pytest -m campaign runs them")
