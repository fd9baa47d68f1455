"""Dataset, the split, and the digits in the package."""

import re
import subprocess
import sys

import numpy as np
import pytest

from minitorch_cnn.datasets import Dataset, digits
from minitorch_cnn.datasets.split import stratified_split
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.files.printable import counted


def parts(**changed):
    return {
        "name": "toy",
        "train_images": np.zeros((5, 4, 6, 3), np.uint8),
        "train_labels": np.array([0, 1, 0, 1, 0]),
        "test_images": np.zeros((2, 4, 6, 3), np.uint8),
        "test_labels": np.array([1, 0]),
        "class_names": ["cat", "dog"],
        **changed,
    }


@pytest.mark.parametrize("arguments, words", [
    ((0, "file"), "0 files"), ((1, "file"), "1 file"), ((1024, "file"), "1,024 files"), ((1.0, "second"), "1 second"),
    ((1, "class", "classes"), "1 class"), ((2, "class", "classes"), "2 classes"), ((0.25, "second"), "0.25 seconds"),
])  # fmt: skip
def test_a_count_agrees_with_its_noun(arguments, words):
    assert counted(*arguments) == words


def test_says_what_it_is():
    assert str(Dataset(**parts())) == "toy: 5 training and 2 test images of 4x6x3 in 2 classes"
    one = parts(skipped=["a"], class_names=["a"])
    one |= {"test_images": one["test_images"][:1], "test_labels": one["test_labels"][:1] * 0}
    one |= {"train_labels": one["train_labels"] * 0}
    assert re.search(r" and 1 test image of .* in 1 class; 1 file skipped$", str(Dataset(**one)))
    assert str(Dataset(**parts(skipped=["a", "b"]))).endswith("in 2 classes; 2 files skipped")
    assert repr(Dataset(**parts())) == f"<Dataset {Dataset(**parts())}>"
    assert Dataset(**parts()).class_names == ("cat", "dog")


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"train_images": np.zeros((5, 4, 6, 3), np.float32)}, r"train_images: expected uint8 .* got float32 \(5, 4"),
        ({"train_images": np.zeros((5, 4, 6), np.uint8)}, r"train_images: expected .* got uint8 \(5, 4, 6\)"),
        ({"test_images": [1, 2]}, "test_images: expected uint8 .* got list None"),
        ({"test_images": np.zeros((2, 6, 4, 3), np.uint8)}, r"expected images of \(4, 6, 3\) .* got \(6, 4, 3\)"),
        ({"train_labels": np.zeros(4, np.int64)}, r"train_labels: expected int64 labels \(5,\), got int64 \(4,\)"),
        ({"test_labels": np.zeros(2, np.float32)}, "test_labels: expected int64 .* got float32"),
        ({"test_labels": [0, 1]}, "test_labels: expected int64 .* got list"),
        ({"test_labels": np.array([0, 2])}, "test_labels: expected labels from 0 to 1, got 0 to 2"),
        ({"train_labels": np.array([0, 0, 0, 0, -1])}, "train_labels: expected labels from 0 to 1, got -1 to 0"),
    ],
)
def test_parts_that_do_not_fit(changed, message):
    with pytest.raises(ArgumentError, match=message) as caught:
        Dataset(**parts(**changed))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("count, fraction, taken", [(1797, 1 / 4, 450), (100, 0.2, 20), (40, 0.5, 20)])
def test_split_takes_the_same_share_of_each_class(count, fraction, taken):
    labels = np.random.default_rng(1).integers(0, 5, count)
    first, second = stratified_split(labels, fraction, seed=3)
    assert len(second) == taken
    assert np.array_equal(np.sort(np.concatenate([first, second])), np.arange(count))
    shares = np.bincount(labels[second], minlength=5) - fraction * np.bincount(labels, minlength=5)
    assert np.abs(shares).max() <= 1
    assert np.array_equal(stratified_split(labels, fraction, seed=3)[1], second)
    if count > 50:
        assert not np.array_equal(stratified_split(labels, fraction, seed=4)[1], second)


@pytest.mark.parametrize("counts", [[1], [2, 1, 3], [1] * 7, [2] * 50, [3, 40, 1, 2, 5], []])
@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.5, 0.99])
def test_split_leaves_no_class_without_a_training_image(counts, fraction):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    first, second = stratified_split(labels, fraction, seed=2)
    kept, taken = (np.bincount(labels[part].astype(int), minlength=len(counts)) for part in (first, second))
    assert (kept >= 1).all() and (taken[np.array(counts, int) > 1] >= 1).all()
    assert sorted([*first, *second]) == list(range(len(labels)))


def test_digits():
    data = digits()
    assert data.train_images.shape == (1347, 32, 32, 3) and data.test_images.shape == (450, 32, 32, 3)
    assert np.bincount(data.train_labels, minlength=10).min() >= 130
    assert np.bincount(data.test_labels, minlength=10).min() >= 43
    assert data.train_images.min() == 0 and data.train_images.max() == 255
    grey = data.train_images[..., :1]
    assert np.array_equal(data.train_images, np.repeat(grey, 3, axis=-1))
    # No image in both parts, and each caller has its own copy.
    seen = {image.tobytes() for image in data.train_images}
    assert not any(image.tobytes() in seen for image in data.test_images)
    data.train_images[:] = 7
    assert digits().train_images[0].max() == 255
    assert np.array_equal(digits().test_images, data.test_images)


def test_digits_look_like_digits():
    """The nearest training image has the right label nearly always, so images and labels belong together."""
    data = digits()
    train, test = (images[..., 0].reshape(len(images), -1).astype(np.float64) for images in
                   (data.train_images, data.test_images))  # fmt: skip
    distances = (train**2).sum(1) - 2 * test @ train.T
    assert (data.train_labels[distances.argmin(1)] == data.test_labels).mean() > 0.97


def test_importing_is_light():
    heavy = ["numba", "PIL", "pooch", "requests", "scipy", "h5py", "tqdm"]
    code = f"import sys, minitorch_cnn.datasets; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
