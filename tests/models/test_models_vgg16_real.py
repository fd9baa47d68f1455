"""VGG16 with its real weights against Keras: the features of two photos, and the first layer that would go wrong.

The weights and the photos lie beside the repository, in shared/data/vgg16, and are not part of it.
"""

from pathlib import Path

import numpy as np
import pytest

from minitorch_cnn import models

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "vgg16"
WEIGHTS = DATA / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
PHOTOS = DATA / "features.npz"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not (WEIGHTS.is_file() and PHOTOS.is_file()), reason=f"no real VGG16 weights in {DATA}"),
]

# Published values of the real weights: (layer, parameter, index): value.
KNOWN = {
    ("block1_conv1", "kernel", (0, 0, 0, 0)): 0.42947057,
    ("block1_conv1", "bias", (0,)): 0.73429835,
    ("block1_conv1", "bias", (25,)): 0.7446502,
    ("block1_conv2", "kernel", (2, 2, 63, 63)): 0.016082443,
    ("block2_conv1", "bias", (1,)): 0.06440781,
    ("block5_conv1", "kernel", (1, 0, 63, 269)): -0.011236359,
    ("block5_conv2", "bias", (510,)): 0.23517226,
    ("block5_conv3", "kernel", (0, 2, 0, 400)): -0.008714244,
}


@pytest.fixture(scope="module")
def model():
    return models.vgg16(include_top=False, weights=WEIGHTS)


def test_the_weights_are_the_published_ones(model):
    for (layer, name, index), value in KNOWN.items():
        assert model.get_layer(layer).parameters[name][index] == np.float32(value), (layer, name)
    assert len(set(model.fingerprints().values())) == 13


def test_every_layer_is_kerass(model):
    """Each channel's value in the corner and its mean, layer by layer; at the end the whole feature map."""
    wanted = dict(np.load(PHOTOS))
    y = model.receive(wanted["images_uint8_rgb"])
    for layer in model.layers:
        y = layer.forward(y)
        layer.forget()
        corner, mean = wanted[f"corner.{layer.name}"], wanted[f"chanmean.{layer.name}"]
        assert np.abs(y[:, 0, 0] - corner).max() < 1e-5 * y.max(), layer.name
        assert np.abs(y.mean(axis=(1, 2), dtype="float64") - mean).max() < 1e-5 * mean.max(), layer.name
    largest = wanted["features_f64"].max()
    assert np.abs(y - wanted["features"]).max() < 1e-4 * largest  # measured: 3e-7
    assert np.abs(y - wanted["features_f64"]).max() < 1e-4 * largest  # measured: 3e-7; Keras itself: 2e-7


def test_the_same_weights_in_the_transfer_net(model):
    """Any size of image; the base frozen, the features those of the base alone."""
    net = models.transfer_net(weights=WEIGHTS, input_shape=(48, 48, 3))
    assert {name: net.fingerprints()[name] for name in model.fingerprints()} == model.fingerprints()
    assert not any(net.get_layer(name).trainable for name in model.fingerprints())
