"""Memory for results: used again when an array is gone, never while somebody holds a part of it, and bounded."""

import gc
import threading

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import layers, optimizers
from minitorch_cnn.arrays import memory

SHAPE = (3, 50, 70, 11)


@pytest.fixture(autouse=True)
def nothing_kept():
    memory.release()
    yield
    memory.release()


def place(array):
    return array.__array_interface__["data"][0]


def kept():
    return sum(size * len(pieces) for size, pieces in memory._pieces.items())


@pytest.mark.parametrize(
    "shape, dtype", [(SHAPE, np.float32), (5, np.uint8), ((0, 3), np.float64), ((300, 1001), bool)]
)
def test_an_array_like_any_other(shape, dtype):
    array = memory.empty(shape, dtype)
    assert array.shape == np.empty(shape).shape and array.dtype == dtype
    assert array.flags.c_contiguous and array.flags.writeable
    assert array.size == 0 or place(array) % memory.LINE == 0
    array[...] = 1
    assert array.sum() == array.size


def test_the_next_array_of_that_size_lies_in_the_same_memory():
    array = memory.empty(SHAPE, np.float32)
    where = place(array)
    del array
    assert place(memory.empty(SHAPE, np.float32)) == where
    assert place(memory.empty((SHAPE[0] * SHAPE[1], *SHAPE[2:]), np.float32)) == where
    assert place(memory.empty((*SHAPE[:3], 9), np.float32)) == where  # a little smaller


@pytest.mark.parametrize(
    "part",
    [lambda y: y[1:2, ::7, 3], lambda y: y.T, lambda y: memoryview(y), lambda y: y.reshape(-1)[5:].view(np.uint8)],
)
def test_never_while_somebody_holds_a_part(part):
    array = memory.empty(SHAPE, np.float32)
    array[...] = 7
    held, where = part(array), place(array)
    before = np.array(held)
    del array
    others = [memory.empty(SHAPE, np.float32) for _ in range(3)]
    for other in others:
        other[...] = -1
    assert where not in map(place, others)
    np.testing.assert_array_equal(np.array(held), before)
    del held
    assert place(memory.empty(SHAPE, np.float32)) == where


def test_threads_never_get_the_same_memory():
    wrong = []

    def work(number):
        for _ in range(300):
            one, two = memory.empty(SHAPE, np.float32), memory.empty(SHAPE, np.float32)
            one[0, 0], two[0, 0] = number, -number
            if not ((one[0, 0] == number).all() and (two[0, 0] == -number).all()):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_it_never_keeps_much_more_than_was_in_use_at_once():
    most, others, rng = 0, kept(), np.random.default_rng(0)
    held = []
    for _ in range(600):
        if held and rng.random() < 0.5:
            held.pop(rng.integers(len(held)))
        else:
            held.append(memory.empty(int(rng.integers(300_000, 30_000_000)), np.uint8))
        most = max(most, sum(array.base.size for array in held))  # of whole pieces
        assert kept() <= (others + most) * (1 + 1 / memory.SHARE) + memory.SLACK
    assert len(held) > 3
    held.clear()
    memory.release()
    assert kept() == others


def test_a_training_gives_it_back():
    rng = np.random.default_rng(0)
    x, labels = rng.random((64, 31, 29, 3), dtype=np.float32), rng.integers(0, 5, 64)
    stack = [layers.Conv2D(24, 3), layers.BatchNorm(), layers.ReLU(), layers.Flatten(), layers.Dense(5, "softmax")]
    model = mtc.Sequential(stack, x.shape[1:], seed=0)
    model.train_step(x, labels, model.default_loss(), optimizers.SGD(0.01))
    memory.release()
    others = kept()
    model.fit(x, labels, optimizer=optimizers.SGD(0.01), batch_size=64, progress=False)
    gc.collect()
    feature_map = 64 * 29 * 27 * 24 * 4
    assert kept() - others < feature_map  # what is left: scratch memory, and what the model holds
