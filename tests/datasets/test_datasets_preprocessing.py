"""A preprocessing that makes no sense is refused in one line when it is built, not by the numbers that come out."""

import numpy as np
import pytest

from minitorch_cnn import Sequential, layers
from minitorch_cnn.datasets.preprocessing import Caffe, Standardize, from_config
from minitorch_cnn.errors import ArgumentError, ShapeError

NO_NUMBERS = [
    [float("nan")],
    [float("inf")],
    [],
    ["a"],
    "12",
    [True],
    [None],
    [[1.0]],
    [10**400],
    [10**5000],
    None,
    5,
    {},
]


@pytest.mark.parametrize("values", NO_NUMBERS, ids=[str(number) for number in range(len(NO_NUMBERS))])
def test_what_is_not_a_list_of_numbers(values):
    for name, arguments in (("mean", (values, [1.0])), ("std", ([1.0], values))):
        with pytest.raises(ArgumentError, match=f"preprocessing: {name}: expected a finite number") as caught:
            Standardize(*arguments)
        assert str(caught.value).isprintable() and len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "mean, std, message",
    [
        ([1, 2], [1], "a mean and an std for each channel, got 2 and 1"),
        ([1], [0], "std: expected a number above 0.* std 0"),
        ([1], [-2], "std: expected a number above 0.* std -2"),
        ([0], [1e-40], "std: expected a number above 0"),
        ([1e300], [1.0], "std: expected a number above 0.* mean 1e"),
    ],
    ids=str,
)
def test_deviations_that_nothing_can_be_divided_by(mean, std, message):
    with pytest.raises(ArgumentError, match=message):
        Standardize(mean, std)


@pytest.mark.parametrize(
    "config",
    [5, "unit", [1], {}, {"kind": None}, {"kind": []}, {"kind": "unit", "scale": 1}, {"kind": "standardize"}],
    ids=str,
)
def test_descriptions_of_no_preprocessing(config):
    with pytest.raises(ArgumentError, match="preprocessing: "):
        from_config(config)


@pytest.mark.parametrize("preprocessing", [Standardize([1, 2], [3, 4]), Standardize([1], [2]), Caffe()], ids=[2, 1, 3])
def test_a_model_of_another_number_of_channels(preprocessing):
    with pytest.raises(ShapeError, match=r"preprocessing: expected .*, got \(8, 8, 4\)"):
        Sequential([layers.Conv2D(2, 3)], (8, 8, 4), preprocessing=preprocessing)
    with pytest.raises(ShapeError, match=r"preprocessing: expected .*, got \(5, 8, 8, 4\)"):
        preprocessing(np.zeros((5, 8, 8, 4), np.uint8))
