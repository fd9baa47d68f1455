"""Batches: any batch of any epoch, from any start, with any number of threads, is the same batch."""

import gc
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

from minitorch_cnn.datasets import Augmentation, Batches
from minitorch_cnn.errors import ArgumentError

N = 23
IMAGES = np.random.default_rng(0).integers(0, 256, (N, 6, 9, 3), dtype=np.uint8)
LABELS = np.arange(N) % 4


class OnDemand:
    """Images that come when they are indexed, and count how often."""

    def __init__(self, images=IMAGES, pause=0.0):
        self.images, self.pause, self.calls = images, pause, 0

    def __len__(self):
        return len(self.images)

    def __getitem__(self, indices):
        assert isinstance(indices, np.ndarray) and np.issubdtype(indices.dtype, np.integer)
        self.calls += 1
        time.sleep(self.pause)
        return self.images[indices]


@pytest.fixture(autouse=True)
def no_thread_stays():
    before = set(threading.enumerate())
    yield
    assert not set(threading.enumerate()) - before


def make(images=IMAGES, labels=LABELS, batch_size=5, **kwargs):
    usual = {"seed": 3, "augment": Augmentation(flip=True, shift=0.3), "transform": lambda x: x / np.float32(255)}
    return Batches(images, labels, batch_size, **usual | kwargs)


def listed(batches):
    return [(x.copy(), None if y is None else y.copy()) for x, y in batches]


def assert_same(some, others):
    assert len(some) == len(others)
    for (x, y), (x2, y2) in zip(some, others):
        assert x.dtype == x2.dtype
        np.testing.assert_array_equal(x, x2)
        np.testing.assert_array_equal(y, y2)


@pytest.mark.parametrize("workers", [0, 1, 2, 5])
@pytest.mark.parametrize("prefetch", [1, 4, 100])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("images", [IMAGES, OnDemand()], ids=["array", "on demand"])
def test_any_start_with_any_number_of_threads(images, shuffle, prefetch, workers):
    whole = [listed(make(shuffle=shuffle, workers=0).epoch(epoch)) for epoch in range(3)]
    batches = make(images, shuffle=shuffle, workers=workers, prefetch=prefetch)
    assert len(batches) == 5
    for epoch in (2, 0, 1):
        for start in range(6):
            assert_same(listed(batches.epoch(epoch, start)), whole[epoch][start:])


def test_an_epoch_holds_every_image_once():
    orders = []
    for epoch in range(3):
        batches = Batches(np.arange(N), np.arange(N), 5, seed=1)
        xs, ys = zip(*batches.epoch(epoch))
        order = np.concatenate(xs)
        assert [len(x) for x in xs] == [5, 5, 5, 5, 3]
        assert np.array_equal(order, np.concatenate(ys))
        assert np.array_equal(np.sort(order), np.arange(N))
        orders.append(tuple(order))
    assert len(set(orders)) == 3
    assert tuple(np.concatenate([x for x, _ in Batches(np.arange(N), None, 5, seed=2).epoch(0)])) != orders[0]


def test_without_shuffling_or_labels():
    xs, ys = zip(*Batches(IMAGES, None, 10, shuffle=False).epoch(0))
    assert np.array_equal(np.concatenate(xs), IMAGES)
    assert ys == (None, None, None)


def test_augmentation_differs_between_epochs_and_batches():
    same = np.repeat(IMAGES[:1], 10, axis=0)
    batches = Batches(same, None, 5, augment=Augmentation(shift=0.4, flip=True))
    seen = {x.tobytes() for epoch in range(5) for x, _ in batches.epoch(epoch)}
    assert len(seen) == 10


@pytest.mark.parametrize("count, batch_size, drop_last, sizes", [
    (10, 5, False, [5, 5]), (11, 5, False, [5, 5, 1]), (11, 5, True, [5, 5]), (3, 5, False, [3]), (5, 5, True, [5]),
])  # fmt: skip
def test_sizes(count, batch_size, drop_last, sizes):
    batches = Batches(np.zeros((count, 2, 2, 3)), np.zeros(count), batch_size, drop_last=drop_last)
    assert len(batches) == len(sizes)
    assert [len(x) for x, _ in batches.epoch(0)] == sizes


def test_transform_comes_last():
    batches = make(transform=lambda x: (x.dtype, x.shape))
    assert [x for x, _ in batches.epoch(0)][-1] == (np.uint8, (3, 6, 9, 3))


def test_batches_are_prepared_ahead_and_no_further():
    images = OnDemand()
    epoch = make(images, batch_size=1, workers=2, prefetch=3).epoch(0)
    next(epoch)
    deadline = time.monotonic() + 60
    while images.calls < 4 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.05)
    assert images.calls == 4  # the one taken, and three ahead
    epoch.close()


def test_closing_drops_what_nobody_began():
    images = OnDemand(pause=0.02)
    epoch = make(images, batch_size=1, workers=1, prefetch=8).epoch(0)
    next(epoch)
    epoch.close()
    assert images.calls <= 3


def test_threads_work_at_the_same_time():
    meeting = threading.Barrier(3)
    batches = make(batch_size=5, augment=None, transform=lambda x: meeting.wait(5) * 0 + x, workers=3, prefetch=3)
    x, _ = next(epoch := batches.epoch(0, start=2))  # three batches that wait for each other
    assert len(x) == 5
    epoch.close()


class Trouble(Exception):
    pass


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_trouble_in_a_thread_arrives(workers):
    def transform(x):
        if np.any(x == 12):
            raise Trouble("number 12")
        return x

    batches = Batches(np.arange(N), None, 5, shuffle=False, transform=transform, workers=workers)
    seen = []
    with pytest.raises(Trouble, match="number 12"):
        for x, _ in batches.epoch(0):
            seen.append(x[0])
    assert seen == [0, 5]
    # The next epoch is not the worse for it.
    assert len(listed(batches.epoch(0, start=3))) == 2


@pytest.mark.parametrize("how", ["close", "forget", "break", "exception", "never begun"])
def test_leaving_early(how):
    epoch = make(OnDemand(pause=0.002), batch_size=1, workers=3, prefetch=8).epoch(0)
    if how == "close":
        next(epoch)
        epoch.close()
    elif how == "forget":
        next(epoch)
    elif how == "break":
        for _ in epoch:
            break
    elif how == "exception":
        with pytest.raises(Trouble):
            for _ in epoch:
                raise Trouble
    del epoch
    gc.collect()  # and `no_thread_stays` looks for what is left


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_ctrl_c_ends_the_program(workers):
    code = f"""
        import numpy as np, time
        from minitorch_cnn.datasets import Batches
        def slow(x):
            time.sleep(0.05)
            return x
        for x, _ in Batches(np.zeros((10_000, 2, 2, 3)), None, 1, transform=slow, workers={workers}).epoch(0):
            print("a batch", flush=True)
    """
    program = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert program.stdout.readline() == "a batch\n"
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=100)
    finally:
        program.kill()
    assert errors.strip().endswith("KeyboardInterrupt")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"batch_size": 0}, "batch_size: expected an integer of at least 1, got 0"),
        ({"batch_size": 2.0}, r"batch_size: .* got 2\.0"),
        ({"seed": -1}, "seed: expected an integer of at least 0, got -1"),
        ({"workers": -1}, "workers: .* got -1"),
        ({"prefetch": 0}, "prefetch: .* got 0"),
        ({"labels": LABELS[:-1]}, "expected a label for each of 23 images, got 22"),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "expected at least 1 image, got 0"),
        ({"batch_size": 24, "drop_last": True}, "expected at least 24 images, got 23"),
    ],
    ids=str,
)
def test_arguments_that_do_not_fit(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        make(**arguments)


@pytest.mark.parametrize("place, message", [((-1, 0), "epoch: "), ((0, -1), "start: "), ((0, 6), "from 0 to 5, got 6")])
def test_places_that_do_not_exist(place, message):
    with pytest.raises(ArgumentError, match=message):
        make().epoch(*place)
