"""A shorter form of `long_run.py`; and that it would see a leak."""

import mmap

import long_run
import pytest

from minitorch_cnn.callbacks import CSVLog

pytestmark = pytest.mark.skipif(not long_run.Path("/proc/self/statm").exists(), reason="memory is read from /proc")


def test_nothing_grows_in_four_hundred_steps():
    states = long_run.watch(400)
    assert states[-1][0] == 400 and len(states) == 10
    assert long_run.grown(states) is None


def test_a_leak_is_seen(monkeypatch):
    kept = []
    before = CSVLog.on_epoch_end

    def leaking(self, trainer, results):
        pages = mmap.mmap(-1, 1 << 20)  # fresh ones, whatever other tests have left in the allocator
        pages.write(bytes(1 << 20))
        kept.append((pages, open("/dev/null")))  # noqa: SIM115
        before(self, trainer, results)

    monkeypatch.setattr(CSVLog, "on_epoch_end", leaking)
    assert "memory" in long_run.grown(long_run.watch(200))
    for pages, file in kept:
        pages.close()
        file.close()
