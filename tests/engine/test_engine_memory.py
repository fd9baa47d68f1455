"""Memory for results: used again when an array is gone, never while somebody holds a part of it, and bounded."""

import gc
import itertools
import mmap
import os
import subprocess
import sys
import textwrap
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


def test_two_smaller_arrays_lie_in_the_place_of_a_large_one_and_the_other_way_round():
    large = 24 * memory.SMALLEST
    held = memory.empty(memory.BLOCK - large, np.uint8), memory.empty(large, np.uint8)  # a whole block
    where = place(held[1])
    assert where == place(held[0]) + held[0].size
    held = held[:1]
    small = [memory.empty(large // 2, np.uint8) for _ in range(2)]
    assert sorted(map(place, small)) == [where, where + large // 2]
    blocks = len(memory._blocks)
    del small
    assert place(memory.empty(large, np.uint8)) == where and len(memory._blocks) == blocks


def test_a_step_that_was_made_before_fetches_and_gives_back_nothing(monkeypatch):
    """The maps of this network have five sizes, so no two of its arrays share a place by their size alone."""
    rng = np.random.default_rng(0)
    x, labels = rng.random((32, 61, 59, 3), dtype=np.float32), rng.integers(0, 5, 32)
    stack = [layers.Conv2D(24, 3), layers.ReLU(), layers.MaxPool2D(2), layers.Conv2D(40, 3, activation="relu")]
    model = mtc.Sequential([*stack, layers.MaxPool2D(2), layers.Flatten(), layers.Dense(5, "softmax")], x.shape[1:])
    optimizer = optimizers.SGD(0.01)

    def steps():
        for _ in range(3):
            model.train_step(x, labels, model.default_loss(), optimizer)
            model.predict(x, batch_size=32)

    steps()
    changes, written = [], memory.written()
    monkeypatch.setattr(memory.Block, "__init__", lambda *_: changes.append("a new block"))
    monkeypatch.setattr(memory.Block, "give_back", lambda *_: changes.append("pages given back"))
    steps()
    assert not changes and memory.written() == written > 0


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
    most, others, rng = 0, memory.written(), np.random.default_rng(0)
    held = []
    for _ in range(2000):
        if held and rng.random() < 0.5:
            held.pop(rng.integers(len(held)))
        else:
            held.append(memory.empty(int(rng.integers(300_000, 30_000_000)), np.uint8))
        most = max(most, sum(array.base.size for array in held))  # of whole pages
        assert memory.written() <= (others + most) * (1 + 1 / memory.SHARE) + memory.SLACK
    assert len(held) > 3
    held.clear()
    memory.release()
    assert memory.written() == others


def test_no_two_arrays_overlap_and_gaps_fill_the_rest():
    rng, held = np.random.default_rng(1), []
    for number in range(1500):
        if held and rng.random() < 0.48:
            value, array = held.pop(rng.integers(len(held)))
            assert array[0] == array[-1] == value
        else:
            held.append((number % 251, memory.empty(int(rng.integers(262_144, 9_000_000)), np.uint8)))
            held[-1][1][[0, -1]] = number % 251
    del array
    memory.written()
    for block in memory._blocks:
        used = [(use.first, use.end) for use in memory._uses.values() if use.block is block]
        spans = sorted([*used, *((gap.first, gap.end) for gap in block.gaps)])
        assert [first for first, _ in spans[1:]] == [end for _, end in spans[:-1]]
        assert spans[0][0] == 0 and spans[-1][1] == block.size
        gaps = [(gap.first, gap.end) for gap in block.gaps]
        assert all(end < first for (_, end), (first, _) in itertools.pairwise(gaps))  # neighbours have been joined


def test_what_a_forked_process_writes_stays_its_own():
    script = """
        import os
        from minitorch_cnn.arrays import memory
        array = memory.empty(1 << 20, "uint8")
        array[:] = 1
        if (child := os.fork()) == 0:
            array[:] = 2
            os._exit(0)
        os.waitpid(child, 0)
        print(set(array.tolist()))
    """
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=120)
    assert run.stdout == "{1}\n", run.stderr


def test_where_the_system_refuses_a_block_it_asks_for_what_is_needed(monkeypatch):
    real, most = mmap.mmap, memory.BLOCK + 3 * mmap.PAGESIZE

    def limited(number, size, **options):
        if size > most:
            raise OSError("no memory")
        return real(number, size, **options)

    monkeypatch.setattr(memory.mmap, "mmap", limited)
    array = memory.empty(memory.BLOCK + 1, np.uint8)
    array[:] = 7
    with pytest.raises(MemoryError, match=f"no memory for {2 * memory.BLOCK:,} bytes"):
        memory.empty(2 * memory.BLOCK, np.uint8)
    assert (array == 7).all()


def test_a_training_gives_it_back():
    rng = np.random.default_rng(0)
    x, labels = rng.random((64, 31, 29, 3), dtype=np.float32), rng.integers(0, 5, 64)
    stack = [layers.Conv2D(24, 3), layers.BatchNorm(), layers.ReLU(), layers.Flatten(), layers.Dense(5, "softmax")]
    model = mtc.Sequential(stack, x.shape[1:], seed=0)
    model.train_step(x, labels, model.default_loss(), optimizers.SGD(0.01))
    memory.release()
    others = memory.written()
    model.fit(x, labels, optimizer=optimizers.SGD(0.01), batch_size=64, progress=False)
    gc.collect()
    feature_map = 64 * 29 * 27 * 24 * 4
    assert memory.written() - others < feature_map  # what is left: scratch memory, and what the model holds
