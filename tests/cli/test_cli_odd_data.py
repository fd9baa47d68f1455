"""`train`, `predict` and the page on data that has nothing to teach."""

import dataclasses

import numpy as np
import pytest
from minitorch_cnn.preprocessing import Standardize
from PIL import Image

from minitorch_cnn import Sequential, layers
from minitorch_cnn.arrays import definitions_only
from minitorch_cnn.cli import main
from minitorch_cnn.models import recipes

FILES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]


def small_net(dataset, seed):
    images, classes = dataset.train_images, len(dataset.class_names)
    stack = [layers.Conv2D(2, 5, strides=4, activation="relu"), layers.BatchNorm(), layers.Flatten(),
             layers.Dense(classes, activation="softmax")]  # fmt: skip
    return Sequential(stack, images.shape[1:], seed=seed, preprocessing=Standardize.of(images))


def record(label, pixel):
    return bytes([label]) + bytes(np.full(3072, pixel, np.uint8))


@pytest.fixture
def train(tmp_path, monkeypatch):
    """train(records, *arguments): train on CIFAR-10 files that all hold these records; the exit code."""
    small = dataclasses.replace(recipes.RECIPES["cifar10"], model=small_net)
    monkeypatch.setitem(recipes.RECIPES, "cifar10", small)

    def train(content, *arguments):
        for name in FILES:
            (tmp_path / name).write_bytes(content)
        words = ["train", "cifar10", "--data", tmp_path, "--out", tmp_path / "run", "--epochs", 2, "--quiet"]
        with definitions_only():
            return main([str(word) for word in [*words, *arguments]])

    return train


ODD = {
    "constant images": (b"".join(record(label, 7) for label in range(10)), 4),
    "one class of ten": (b"".join(record(3, pixel) for pixel in (1, 90, 200)), 4),
    "batches of one image": (b"".join(record(label, 20 * label) for label in range(3)), 1),
    "one image to a file, the last batch of one": (record(9, 255), 2),
    "one batch larger than everything": (record(0, 0), 10**9),
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_data_is_trained_on_and_reported(train, odd, tmp_path, capsys):
    content, batch_size = ODD[odd]
    assert train(content, "--batch-size", batch_size) == 0
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert ">nan" not in page and ">inf" not in page
    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(tmp_path / "a.png")
    with definitions_only():
        assert main(["predict", str(tmp_path / "run"), str(tmp_path / "a.png")]) == 0
    assert 0.0 <= float(capsys.readouterr().out.split(", ")[-1]) <= 1.0


def test_a_label_out_of_range_is_refused_with_its_file_and_image(train, capsys):
    assert train(record(1, 3) + record(10, 4)) == 2
    assert "data_batch_1.bin: image 1: expected a label from 0 to 9, got 10" in capsys.readouterr().err


def test_too_little_memory_is_one_line(monkeypatch, capsys):
    def too_large(folder):
        raise MemoryError("Unable to allocate 3 TiB\nwith more to say")

    monkeypatch.setattr("minitorch_cnn.runs.RunFolder.load_model", too_large)
    assert main(["predict", "run", "a.png"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("minitorch-cnn: too little memory (Unable to allocate 3 TiB); a smaller batch size")
    assert len(said.splitlines()) == 1
