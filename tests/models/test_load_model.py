"""`load_model`: networks that Keras saved compute here what Keras computed (`record_keras_models.py`)."""

import io
import tarfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from minitorch_cnn.preprocessing import from_words

import minitorch_cnn as mtc

ARCHIVE = Path(__file__).parent / "fixtures" / "keras_models.tar.xz"
with tarfile.open(ARCHIVE) as archive:
    NAMES = sorted(name for name in archive.getnames() if not name.endswith(".npz"))
STORED = Path(__file__).parent.parent / "keras_h5" / "fixtures"
WHOLE = sorted(path for folder in ("seq", "nested") for path in (STORED / folder).glob("*model.*"))
PRETRAINED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "efficientnet_lite0"


@cache
def stored(name):
    """The bytes of a file in the archive."""
    with tarfile.open(ARCHIVE) as archive:
        return archive.extractfile(name).read()


def recorded(name):
    """What Keras computed with the model in the file `name`."""
    return np.load(io.BytesIO(stored(f"{name.rpartition('.')[0]}.npz")))


def written(name, folder):
    """The path of a copy of the file."""
    path = folder / name
    path.write_bytes(stored(name))
    return path


def numbered(known, letter):
    """x0, x1, ... of a recording."""
    return [known[key] for key in sorted(known) if key[0] == letter and key[1:].isdigit()]


@pytest.mark.parametrize("name", NAMES)
def test_outputs_and_gradients_are_those_of_keras(name, tmp_path):
    model, known = mtc.load_model(written(name, tmp_path)), recorded(name)
    x, expected = numbered(known, "x"), numbered(known, "y")
    y = model.forward(x if len(x) > 1 else x[0])
    for ours, theirs in zip(y if len(expected) > 1 else [y], expected, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=3e-6 * np.abs(theirs).max())
    if "dx" in known:
        dx = model.backward(known["dy"], input_gradient=True)
        np.testing.assert_allclose(dx, known["dx"], rtol=1e-4, atol=1e-5 * np.abs(known["dx"]).max())


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_files_of_every_version(path):
    known = np.load(path.parent / "ref.npz")
    np.testing.assert_allclose(mtc.load_model(path).predict(known["x"]), known["out"], atol=1e-6)


def test_the_preprocessing_that_the_file_does_not_say():
    path, words = WHOLE[0], "10,20,30/2"
    x = np.random.default_rng(0).integers(0, 256, (2, 12, 12, 3)).astype(np.uint8)
    expected = mtc.load_model(path).predict((x.astype(np.float32) - [10, 20, 30]) / 2)
    for preprocessing in (words, from_words(words)):
        np.testing.assert_allclose(mtc.load_model(path, preprocessing=preprocessing).predict(x), expected, atol=1e-5)


@pytest.mark.shared
@pytest.mark.skipif(not PRETRAINED.is_dir(), reason=f"no pretrained network in {PRETRAINED}")
def test_a_pretrained_network():
    known = np.load(PRETRAINED / "efficientnet_lite0_reference.npz")
    model = mtc.load_model(PRETRAINED / "efficientnet_lite0.keras")
    y = model.predict((known["images"].astype(np.float32) - 127) / 128)
    np.testing.assert_allclose(y, known["probabilities"], atol=1e-5)
