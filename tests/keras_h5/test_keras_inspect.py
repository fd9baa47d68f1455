"""The report on a file, and fingerprints."""

import numpy as np
import pytest
from keras_models import all_weights
from keras_targets import FIXTURES, reference, target

from minitorch_cnn.keras_h5 import fingerprint, inspect, load

REPORT = """\
: weights by layer name (`layer_names`)
written by Keras 1 on TensorFlow, judging by the names of its weights; the file states no version
5 layers with weights, 709 numbers in 21,792 bytes

layer in the file  weights                 goes to   fingerprint
convolution2d_1    kernel 4x3x3x3, bias 4  conv2d    0f40b8033a25  axes from (out, in, rows, columns)
convolution2d_2    kernel 4x4x3x3, bias 4  conv2d_1  4ec8ce4d8e60  axes from (out, in, rows, columns)
maxpooling2d_1     (none)
convolution2d_3    kernel 6x4x3x3, bias 6  conv2d_2  6a241f493fd8  axes from (out, in, rows, columns)
maxpooling2d_2     (none)
flatten_1          (none)
dense_1            kernel 24x8, bias 8     dense     71670f9fd4d7  rows reordered from (c, h, w)
dropout_1          (none)
dense_2            kernel 8x3, bias 3      dense_1   52b8f11a6713

fits the model: matching arrays for all of its 5 layers with weights
note: the rows of the dense kernel after the Flatten were reordered from (c, h, w) to (h, w, c)"""


def test_the_page(tmp_path):
    path = FIXTURES / "keras1" / "keras1_tensorflow_th.h5"
    assert str(inspect(path, target("seq"))) == f"{path}{REPORT}"


@pytest.mark.parametrize(
    ("name", "dialect", "writer"),
    [
        ("seq/tfk_legacy_weights.h5", "`layer_names`", "Keras 2.21.0, backend tensorflow"),
        ("seq/k3_model.h5", "`model_weights`", "Keras 3.15.1, backend tensorflow"),
        ("seq/tf212_v3.weights.h5", "`_layer_checkpoint_dependencies`", "TensorFlow 2.12 to 2.14; the file states"),
        ("seq/tfk_v3.weights.h5", "`layers`", "TensorFlow 2.15 or Keras 3.0 to 3.5; the file states"),
        ("seq/k3.weights.h5", "`layers`", "Keras 3.6 or later; the file states"),
        ("seq/k3_model.keras", ".keras archive", "Keras 3.15.1"),
        ("keras1/keras0_nb_layers_theano.h5", "`nb_layers`", "Keras 0.x; the file states"),
        ("keras1/keras2_theano_backend.h5", "`layer_names`", "Keras 2.1.6, backend theano"),
        ("special/dtype_float32_bigendian.h5", "kernel 3x3x3x4 big-endian float32", "Keras 2"),
        ("special/k3_bfloat16_model.h5", "kernel 3x3x3x4 bfloat16", "Keras 3"),
    ],
)
def test_dialect_and_writer(name, dialect, writer):
    text = str(inspect(FIXTURES / name))
    assert dialect in text
    assert f"written by {writer}" in text


@pytest.mark.parametrize(
    "name", ["seq/tfk_model.h5", "seq/tf213_v3.weights.h5", "seq/k3_model.keras", "keras1/keras1_tensorflow_th.h5"]
)
def test_fingerprints_prove_the_load(name):
    report, loaded = inspect(FIXTURES / name, target("seq")), load(FIXTURES / name, target("seq"))
    expected = {layer: fingerprint(arrays) for layer, arrays in reference("seq").items()}
    for rows in (report.layers, loaded.report.layers):
        assert {row.goes_to: row.fingerprint for row in rows if row.goes_to} == expected
    assert report.fits and not report.missing and not report.problems


def test_a_fingerprint_is_that_of_the_values():
    arrays = all_weights("norm")["first_norm"]
    once = fingerprint(arrays)
    assert once == fingerprint(dict(reversed(arrays.items())))
    assert once == fingerprint({name: array.astype(np.float64) for name, array in arrays.items()})
    assert once == fingerprint({name: array[::-1].copy()[::-1] for name, array in arrays.items()})
    changed = {name: array.copy() for name, array in arrays.items()}
    changed["gamma"][2] = np.nextafter(changed["gamma"][2], np.float32(1))
    assert once != fingerprint(changed)
    assert len(once) == 12 and fingerprint({}) == "-"


def test_a_file_that_does_not_fit_is_described_all_the_same():
    report = inspect(FIXTURES / "nested" / "tfk_model.h5", target("seq"))
    assert report.fits is False
    assert report.missing == ["conv2d", "conv2d_1", "conv2d_2", "dense", "dense_1"]
    assert "does not fit the model: matching arrays for 0 of its 5 layers with weights, not for conv2d" in str(report)


def test_a_layer_that_cannot_be_read_is_named():
    report = inspect(FIXTURES / "hostile" / "dtype_compound.h5")
    assert (report.layers[0].name, report.layers[0].fingerprint) == ("conv2d", "not readable")
    assert "compound (records)" in report.layers[0].weights


def test_values_that_are_no_numbers_are_reported():
    path = FIXTURES / "hostile" / "nan_inf_weights.h5"
    report = inspect(path, target("seq"))
    assert report.fits is False
    assert report.problems[0] == (  # a command has no such option, so the message says where it is
        "the file's conv2d has NaN or infinite values in its kernel; in Python, allow_nonfinite=True loads them anyway"
    )
    assert np.isnan(load(path, target("seq"), allow_nonfinite=True).weights["conv2d"]["kernel"]).any()
