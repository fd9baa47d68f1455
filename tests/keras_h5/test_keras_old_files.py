"""Conventions that changed over the years: axis order, Theano's kernels, the order of a flattened map."""

import pytest
from keras_models import weight_value
from keras_targets import assert_weights_equal, reference, target
from old_keras import (
    KERAS_2,
    KERAS_2_THEANO,
    TENSORFLOW_1,
    THEANO_1,
    UNNAMED_1,
    stored_form,
    write_names,
    write_numbers,
)

from minitorch_cnn.errors import ArgumentError, WeightsError
from minitorch_cnn.keras_h5 import Target, TargetLayer, inspect, load


@pytest.mark.parametrize(
    ("form", "spelling", "options"),
    [
        ({}, None, {"kernels": "tensorflow"}),
        ({"turned": True}, None, {"kernels": "theano"}),
        ({"filters_first": True, "channels_first_rows": True}, None, {"kernels": "tensorflow"}),
        ({"filters_first": True, "channels_first_rows": True, "turned": True}, None, {"kernels": "theano"}),
        ({}, TENSORFLOW_1, {}),
        ({"turned": True}, THEANO_1, {}),
        ({"filters_first": True, "channels_first_rows": True}, TENSORFLOW_1, {}),
        ({"filters_first": True, "channels_first_rows": True, "turned": True}, THEANO_1, {}),
        ({"turned": True}, UNNAMED_1, {"kernels": "theano"}),
        ({"filters_first": True}, TENSORFLOW_1, {"flatten_order": "channels_last"}),
        ({"turned": True}, TENSORFLOW_1, {"kernels": "theano"}),
    ],
)
def test_keras_0_and_1(tmp_path, form, spelling, options):
    stored = stored_form(reference("seq"), **form)
    if spelling is None:
        write_numbers(tmp_path / "old.h5", stored)
    else:
        write_names(tmp_path / "old.h5", stored, spelling)
    assert_weights_equal(load(tmp_path / "old.h5", target("seq"), **options).weights, reference("seq"))


@pytest.mark.parametrize(
    ("attributes", "spelling", "form", "options"),
    [
        ({"backend": "tensorflow", "keras_version": "2.1.6"}, KERAS_2, {}, {}),
        ({"backend": "theano", "keras_version": "2.1.6"}, KERAS_2_THEANO, {"turned": True}, {}),
        ({"backend": "cntk", "keras_version": "2.2.4"}, KERAS_2, {}, {}),
        ({"backend": "theano", "keras_version": "2.0.8"}, KERAS_2_THEANO, {}, {"kernels": "tensorflow"}),
        ({"keras_version": "2.0.0"}, KERAS_2, {}, {}),
        ({"keras_version": "2.2.4-tf"}, KERAS_2, {"channels_first_rows": True}, {"flatten_order": "channels_first"}),
    ],
)
def test_keras_2(tmp_path, attributes, spelling, form, options):
    write_names(tmp_path / "two.h5", stored_form(reference("seq"), **form), spelling, attributes)
    assert_weights_equal(load(tmp_path / "two.h5", target("seq"), **options).weights, reference("seq"))


def sequential(conv_format, flatten_format, key="data_format", conv="Conv2D"):
    flatten = {"name": "flatten"} | ({"data_format": flatten_format} if flatten_format else {})
    layers = [
        {"class_name": conv, "config": {"name": "conv2d", key: conv_format}},
        {"class_name": "Flatten", "config": flatten},
    ]
    return {"class_name": "Sequential", "config": layers}


@pytest.mark.parametrize(
    ("version", "conv_format", "flatten_format", "channels_first_rows"),
    [
        ("2.0.0", "channels_first", None, True),
        ("2.1.5", "channels_first", None, True),
        ("2.1.6", "channels_first", "channels_last", True),
        ("2.1.6", "channels_first", "channels_first", False),
        ("2.2.4", "channels_first", "channels_first", False),
        ("2.15.0", "channels_first", "channels_first", False),
        ("2.2.4", "channels_first", None, False),
        ("2.1.5", "channels_last", None, False),
        ("2.2.4", "channels_last", "channels_last", False),
    ],
)
def test_flatten_order_of_whole_models(tmp_path, version, conv_format, flatten_format, channels_first_rows):
    write_names(
        tmp_path / "whole.h5",
        stored_form(reference("seq"), channels_first_rows=channels_first_rows),
        KERAS_2,
        {"backend": "tensorflow", "keras_version": version},
        sequential(conv_format, flatten_format),
    )
    assert_weights_equal(load(tmp_path / "whole.h5", target("seq")).weights, reference("seq"))


def one_convolution(channels=3, filters=3, size=3):
    weights = {"conv": {"kernel": weight_value("conv", "kernel", (size, size, channels, filters))}}
    shapes = {"kernel": (size, size, channels, filters)}
    return weights, Target([TargetLayer("conv", "Conv2D", shapes)])


def test_a_kernel_that_fits_in_both_orders_is_not_guessed(tmp_path):
    weights, model = one_convolution()
    path = tmp_path / "both.h5"
    write_names(path, stored_form(weights, filters_first=True), TENSORFLOW_1)
    with pytest.raises(WeightsError, match="both axis orders; pass dim_ordering='th'"):
        load(path, model)
    assert_weights_equal(load(path, model, dim_ordering="th").weights, weights)
    write_names(path, stored_form(weights), TENSORFLOW_1)
    assert_weights_equal(load(path, model, dim_ordering="tf").weights, weights)


@pytest.mark.parametrize(("order", "filters_first"), [("th", True), ("tf", False)])
def test_the_description_decides_what_shapes_leave_open(tmp_path, order, filters_first):
    weights, model = one_convolution()
    config = sequential(order, None, key="dim_ordering", conv="Convolution2D")
    write_names(tmp_path / "whole.h5", stored_form(weights, filters_first=filters_first), TENSORFLOW_1, config=config)
    assert_weights_equal(load(tmp_path / "whole.h5", model).weights, weights)


def test_other_layers_decide_what_one_shape_leaves_open(tmp_path):
    first, _ = one_convolution()
    weights = first | {"next": {"kernel": weight_value("next", "kernel", (3, 3, 3, 5))}}
    shapes = {name: {"kernel": arrays["kernel"].shape} for name, arrays in weights.items()}
    model = Target([TargetLayer(name, "Conv2D", shape) for name, shape in shapes.items()])
    write_names(tmp_path / "old.h5", stored_form(weights, filters_first=True), TENSORFLOW_1)
    assert_weights_equal(load(tmp_path / "old.h5", model).weights, weights)


@pytest.mark.parametrize("write", [write_numbers, lambda path, weights: write_names(path, weights, UNNAMED_1)])
def test_unknown_kernel_direction_is_asked_for(tmp_path, write):
    write(tmp_path / "old.h5", reference("seq"))
    with pytest.raises(WeightsError, match="pass kernels='theano'"):
        load(tmp_path / "old.h5", target("seq"))
    report = inspect(tmp_path / "old.h5", target("seq"))
    assert not report.fits
    assert "kernels='theano'" in str(report)


def test_one_by_one_kernels_have_no_direction(tmp_path):
    weights, model = one_convolution(channels=2, filters=5, size=1)
    write_numbers(tmp_path / "old.h5", weights)
    assert_weights_equal(load(tmp_path / "old.h5", model).weights, weights)


def test_keras_2_names_without_a_version(tmp_path):
    """Keras takes them for version 1 and changes nothing; there is no doubt about axes or direction to ask about."""
    write_names(tmp_path / "x.h5", reference("seq"), KERAS_2)
    assert_weights_equal(load(tmp_path / "x.h5", target("seq")).weights, reference("seq"))
    said = "written by Keras 2 or later, judging by the names of its weights; the file states no version"
    assert said in str(inspect(tmp_path / "x.h5"))


@pytest.mark.parametrize(
    ("attributes", "options", "said"),
    [
        ({"backend": "theano", "keras_version": "2.1.6"}, {}, True),
        ({"backend": "theano", "keras_version": "2.1.6"}, {"flatten_order": "channels_last"}, False),
        ({"backend": "theano", "keras_version": "2.2.4"}, {}, False),
        ({"backend": "tensorflow", "keras_version": "2.1.6"}, {}, False),
    ],
)
def test_what_is_taken_for_granted_is_said(tmp_path, attributes, options, said):
    write_names(tmp_path / "x.h5", reference("seq"), KERAS_2_THEANO, attributes)
    report = load(tmp_path / "x.h5", target("seq"), **options).report
    assert any("pass flatten_order='channels_first'" in note for note in report.notes) == said
    assert str(report).count("flatten_order") == said


@pytest.mark.parametrize("option", ["kernels", "dim_ordering", "flatten_order", "running_std", "dtype"])
def test_options_that_mean_nothing(tmp_path, option):
    with pytest.raises(ArgumentError, match=f"{option}: expected one of .* got 'caffe'"):
        load(tmp_path / "any.h5", target("seq"), **{option: "caffe"})
