"""What newcomers ran into: each of these ended in a foreign error, or went on in silence with something else."""

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import layers, optimizers
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.training.callbacks import Checkpoint

RNG = np.random.default_rng(0)
IMAGES = RNG.random((7, 8, 6, 3)).astype("float32")


def autoencoder():
    return mtc.Sequential([layers.Conv2D(3, 3, padding="same")], input_shape=(8, 6, 3), seed=0)


def test_a_network_whose_output_is_an_image_trains_without_an_accuracy(tmp_path, capfd):
    settings = {"batch_size": 3, "validation": (IMAGES, IMAGES)}
    model, path = autoencoder(), tmp_path / "checkpoint.npz"
    optimizer = optimizers.SGD(0.01)
    history = model.fit(IMAGES, IMAGES, optimizer=optimizer, epochs=2, callbacks=[Checkpoint(path)], **settings)
    assert history.keys() == {"loss", "val_loss", "learning_rate", "seconds"}
    assert history["loss"][1] < history["loss"][0] and "accuracy" not in capfd.readouterr().err
    expected = float(np.mean((model.predict(IMAGES) - IMAGES) ** 2))
    assert model.evaluate(IMAGES, IMAGES).keys() == {"loss"}
    assert model.evaluate(IMAGES, IMAGES)["loss"] == pytest.approx(expected, rel=1e-5)
    resumed, straight = autoencoder(), autoencoder()
    resumed.fit(IMAGES, IMAGES, optimizer=optimizers.SGD(0.01), epochs=3, resume=path, progress=False, **settings)
    straight.fit(IMAGES, IMAGES, optimizer=optimizers.SGD(0.01), epochs=3, progress=False, **settings)
    np.testing.assert_array_equal(resumed.predict(IMAGES), straight.predict(IMAGES))


def test_the_gradients_of_several_outputs_are_checked():
    x = mtc.Input((5, 4, 2))
    y = layers.Conv2D(3, 2, activation="tanh")(x)
    model = mtc.Model(x, [y, layers.Dense(2)(layers.Flatten()(y))], seed=0)
    report = mtc.gradient_check(model)
    assert report.passed, str(report)


class Doubled(layers.Flatten):
    """A layer whose dx is twice what it should be."""

    def backward_pass(self, dy, kept, need_dx=True):
        dx, gradients = super().backward_pass(dy, kept, need_dx)
        return 2 * dx, gradients


def test_a_wrong_gradient_below_one_of_several_outputs_is_found():
    x = mtc.Input((5, 4, 2))
    y = layers.Conv2D(3, 2, activation="tanh")(x)
    assert not mtc.gradient_check(mtc.Model(x, [y, layers.Dense(2)(Doubled()(y))], seed=0)).passed


@pytest.mark.parametrize("pad", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", ["conv2d_1", "batch_norm_1"])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("definitions", [False, True])
def test_a_layer_is_frozen_or_not_in_both_passes(pad, training, name, first, definitions):
    x = mtc.Input((8, 6, 3))
    y = layers.ZeroPad2D(1)(x) if pad else x
    model = mtc.Model(x, layers.ReLU()(layers.BatchNorm()(layers.Conv2D(5, 3)(y))), seed=0, dtype="float64")
    layer = model.get_layer(name)

    def passes():
        layer.trainable = first
        dy = np.ones_like(model.forward(IMAGES, training=training))
        layer.trainable = not first
        was, now = ("trainable", "frozen") if first else ("frozen", "trainable")
        if definitions and first and name == "conv2d_1":  # frozen and the lowest: nobody asks it for anything
            model.backward(dy)
            assert layer.gradients == {}
            return
        with pytest.raises(ArgumentError, match=f"was {was} in the forward pass and is {now} now"):
            model.backward(dy)

    if definitions:
        with mtc.definitions_only():
            passes()
    else:
        passes()


def test_a_relu_without_room_stays_one(tmp_path):
    model = mtc.Sequential([layers.ReLU(max_value=0)], input_shape=(4,))
    model.save(tmp_path / "x.keras")
    assert mtc.load_model(tmp_path / "x.keras").predict(np.ones((1, 4), "float32")).max() == 0


def test_an_input_is_no_output():
    x = mtc.Input((4,))
    for outputs in (x, [layers.Dense(2)(x), x]):
        with pytest.raises(ArgumentError, match="got one of the inputs"):
            mtc.Model(x, outputs)
