"""A shorter form of `long_run.py`; and that it would see a leak."""

import mmap
import threading

import long_run
import pytest
from minitorch_cnn.callbacks import CSVLog

pytestmark = pytest.mark.skipif(not long_run.Path("/proc/self/statm").exists(), reason="memory is read from /proc")


@pytest.mark.parametrize("steps", [160, pytest.param(400, marks=pytest.mark.campaign)])
def test_nothing_grows(steps):
    states = long_run.watch(steps)
    assert states[-1][0] == steps and len(states) == 10
    assert long_run.grown(states) is None


def memory():
    pages = mmap.mmap(-1, 1 << 20)  # fresh ones, whatever other tests have left in the allocator
    pages.write(bytes(1 << 20))
    return pages.close


def open_files():
    return open("/dev/null").close


def threads():
    end = threading.Event()
    threading.Thread(target=end.wait, daemon=True).start()
    return end.set


@pytest.mark.parametrize("leak", [memory, open_files, threads])
def test_a_leak_is_seen(leak, monkeypatch):
    kept = []
    before = CSVLog.on_epoch_end

    def leaking(self, trainer, results):
        kept.append(leak())
        before(self, trainer, results)

    monkeypatch.setattr(CSVLog, "on_epoch_end", leaking)
    assert long_run.grown(long_run.watch(160)).startswith(leak.__name__.replace("_", " "))
    for end in kept:
        end()
