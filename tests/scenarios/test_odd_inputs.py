"""Folders and layers that are a little odd, and what must not go wrong silently with them."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from minitorch_cnn import datasets, layers
from minitorch_cnn.errors import ArgumentError


def test_classes_have_the_same_numbers_on_every_system(tmp_path, monkeypatch):
    """Windows compares paths without regard to capitals, so there sorted paths have another order."""
    for name in ("zebra", "Bear", "ant", "Cat", "ANT eater"):
        (tmp_path / name).mkdir()
        for number in range(3):
            Image.fromarray(np.full((4, 4, 3), number, np.uint8)).save(tmp_path / name / f"{'aBc'[number]}.png")
    here = datasets.image_folder(tmp_path, 4, 4)
    monkeypatch.setattr(pathlib.PurePath, "__lt__", lambda self, other: str(self).lower() < str(other).lower())
    assert sorted([pathlib.Path("b"), pathlib.Path("C")]) == [pathlib.Path("b"), pathlib.Path("C")]
    there = datasets.image_folder(tmp_path, 4, 4)
    assert here.class_names == there.class_names == ("ANT eater", "Bear", "Cat", "ant", "zebra")
    assert here.train_images.paths == there.train_images.paths
    np.testing.assert_array_equal(here.train_labels, there.train_labels)


@pytest.mark.parametrize("kind", [layers.MaxPool2D, layers.AveragePool2D])
@pytest.mark.parametrize("padding", [2, (0, 2), ((0, 0), (3, 0)), ((0, 2), (1, 1))])
def test_a_pool_has_no_window_in_the_padding_alone(kind, padding):
    with pytest.raises(ArgumentError, match=r"pool2d: padding: expected less than the window of 2x2, got \(\("):
        kind(2, padding=padding)
    largest = kind((2, 3), strides=1, padding=((1, 1), (2, 2)))
    y = largest.forward(np.random.default_rng(0).standard_normal((1, 3, 4, 2)))
    assert y.shape == (1, 4, 6, 2) and np.isfinite(y).all()
