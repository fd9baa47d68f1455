"""A step that cannot fit into the machine's memory is refused before it begins."""

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import layers, optimizers
from minitorch_cnn.errors import TooLittleMemory
from minitorch_cnn.files import memory
from minitorch_cnn.training import host_memory

IMAGES, LABELS = np.zeros((6, 20, 30, 3), np.uint8), np.arange(6) % 2


def net():
    stack = [
        layers.Conv2D(8, 3, padding="same"),
        layers.MaxPool2D(2),
        layers.Flatten(),
        layers.Dense(1, activation="sigmoid"),
    ]
    return mtc.Sequential(stack, (20, 30, 3), seed=0)


def test_how_many_images_fit(monkeypatch):
    """An image takes 20 x 30 x 8 + 1 numbers of 4 bytes, the weights 1,425 numbers and as many gradients."""
    model = net()
    each, weights = (20 * 30 * 8 + 1) * 4, 2 * (8 * 28 + 10 * 15 * 8 + 1) * 4
    monkeypatch.setattr(host_memory, "machine_memory", lambda: weights + 4 * each)
    with pytest.raises(TooLittleMemory, match=r"a step with 6 images takes at least .* at most 4 images fit"):
        model.fit(IMAGES, LABELS, optimizer=optimizers.SGD(0.1), batch_size=64, progress=False)
    model.fit(IMAGES, LABELS, optimizer=optimizers.SGD(0.1), batch_size=4, progress=False)
    monkeypatch.setattr(host_memory, "machine_memory", lambda: weights)
    with pytest.raises(TooLittleMemory, match="a smaller network, take less"):
        model.fit(IMAGES, LABELS, optimizer=optimizers.SGD(0.1), batch_size=1, progress=False)
    model.freeze(through="conv2d_1")  # what a frozen layer gives is not kept, and it has no gradients
    monkeypatch.setattr(host_memory, "machine_memory", lambda: 2 * (10 * 15 * 8 + 1) * 4 + 8 * 28 * 4 + 6 * 4)
    model.fit(IMAGES, LABELS, optimizer=optimizers.SGD(0.1), batch_size=64, progress=False)


def test_the_memory_of_the_machine(tmp_path, monkeypatch):
    total = memory.machine_memory()
    assert total is None or 1 << 28 < total < 1 << 46
    if total is None:
        return
    (tmp_path / "limit").write_text("123456789\n")
    (tmp_path / "none").write_text("max\n")
    monkeypatch.setattr(memory, "LIMITS", [tmp_path / "none", tmp_path / "missing"])
    without = memory.machine_memory()
    monkeypatch.setattr(memory, "LIMITS", [tmp_path / "limit", tmp_path / "none"])
    with open("/proc/meminfo") as file:
        swap = next(int(line.split()[1]) << 10 for line in file if line.startswith("SwapTotal:"))
    assert without >= total and memory.machine_memory() == 123456789 + swap
