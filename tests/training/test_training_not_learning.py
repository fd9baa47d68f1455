"""`fit` says in one line that a network is not learning, with the likeliest cause, and is silent if it is learning."""

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses, optimizers, schedules

LABELS = np.random.default_rng(1).integers(0, 10, 320)
IMAGES = np.random.default_rng(2).random((320, 12), np.float32) * 0.3
IMAGES[np.arange(320), LABELS] += 1


@pytest.fixture(autouse=True)
def only_definitions():
    with mtc.definitions_only():
        yield


def trained(
    capfd, x=IMAGES, labels=LABELS, rate=0.1, hidden_bias=0.0, batch_size=16, epochs=1, output=10, loss=None,
    first="glorot_uniform",
):  # fmt: skip
    """What `fit` printed to standard error about not learning."""
    end = layers.Dense(output, activation="softmax" if output > 1 else "sigmoid")
    hidden = layers.Dense(16, activation="relu", name="hidden", kernel_initializer=first)
    model = mtc.Sequential([hidden, end], input_shape=x.shape[1:], seed=0)
    model.layers[0].parameters["bias"][...] = hidden_bias
    loss = loss or (losses.CrossEntropy() if output > 1 else losses.BinaryCrossEntropy())
    model.fit(x, labels, loss=loss, optimizer=optimizers.SGD(rate), epochs=epochs, batch_size=batch_size)
    return [line for line in capfd.readouterr().err.splitlines() if line.startswith("warning: the network")]


@pytest.mark.parametrize(
    "settings, cause",
    [
        ({"x": IMAGES * 255, "rate": 0.05}, "the inputs reach "),
        ({"x": np.full_like(IMAGES, 0.5)}, "every input is 0.5: were the images loaded?"),
        ({"x": np.full_like(IMAGES, 255.0)}, "every input is 255: were"),
        ({"hidden_bias": -1000.0}, "every output of hidden is 0, so its ReLUs are dead: begin again"),
        ({"first": "zeros"}, "every weight of hidden is 0, so all images get the same output: begin"),
        ({"rate": 1e-7}, "try another learning rate than 1e-07"),
    ],
    ids=["0..255", "a constant", "white", "dead ReLUs", "zeros", "the rate"],
)
def test_the_likeliest_cause_comes_first_and_once(capfd, settings, cause):
    lines = trained(capfd, **settings, epochs=2)
    assert len(lines) == 1 and "the loss after epoch 1 is" in lines[0] and f"; {cause}" in lines[0]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"rate": 1e-7, "batch_size": 32},  # ten steps say nothing
        {"labels": LABELS % 2, "output": 1, "rate": 1e-7, "epochs": 2},  # the first epochs may look like it
        {"labels": (LABELS == 3) * 1, "output": 1, "rate": 0.1, "epochs": 4},  # one class is rare
        {"output": 10, "loss": losses.MeanSquaredError(), "labels": np.eye(10, dtype=np.float32)[LABELS], "rate": 1e-7},
    ],
    ids=["it learns", "few steps", "two classes", "rare", "squares"],
)
def test_no_false_alarm(capfd, settings):
    assert trained(capfd, **settings) == []


@pytest.mark.parametrize("schedule, lines", [(schedules.OneCycle(1e-6, 200), 0), (schedules.Cosine(1e-6, 200), 1)])
def test_nothing_is_said_while_the_learning_rate_rises(capfd, schedule, lines):
    """Ten epochs are planned; the rate of OneCycle rises during the first three."""
    assert len(trained(capfd, rate=schedule, epochs=2)) == lines


def test_two_classes_are_given_three_epochs(capfd):
    (line,) = trained(capfd, labels=LABELS % 2, output=1, rate=1e-7, epochs=4)
    assert "the loss after epoch 3 is" in line and "guessing has 0.69" in line


def test_label_smoothing_is_part_of_guessing(capfd):
    """One class is rare: the smallest loss that smoothed labels allow lies above that of guessing plain labels."""
    learns = {"labels": (LABELS == 3) * 1, "output": 2, "epochs": 4, "rate": 0.5}
    assert trained(capfd, **learns, loss=losses.CrossEntropy(label_smoothing=0.3)) == []
    (line,) = trained(capfd, **{**learns, "rate": 1e-7}, loss=losses.CrossEntropy(label_smoothing=0.3))
    share = 0.7 * (LABELS == 3).mean() + 0.15
    assert f"guessing has {-(share * np.log(share) + (1 - share) * np.log(1 - share)):.4g}" in line


def test_images_of_ones_own_that_know_no_slices_are_looked_at(capfd):
    class Images:
        shape, dtype = IMAGES.shape, IMAGES.dtype

        def __len__(self):
            return len(IMAGES)

        def __getitem__(self, rows):
            if isinstance(rows, slice):
                raise TypeError("rows must be an array of integers")
            return IMAGES[rows] * 255

    (line,) = trained(capfd, x=Images(), rate=0.05)
    assert "the inputs reach" in line
