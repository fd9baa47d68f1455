"""What was written before the package had rooms can still be read: names, checkpoints."""

import importlib
from pathlib import Path

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import layers, names, optimizers

FOLDER = Path(__file__).parent / "fixtures" / "former_checkpoint"


def former_net():
    """The network whose checkpoint, and whose weights after two epochs, were kept by the package as it was."""
    stack = [
        layers.Conv2D(6, 3, padding="same", activation="relu"),
        layers.MaxPool2D(2),
        layers.BatchNorm(),
        layers.Dropout(0.3),
        layers.Conv2D(5, (3, 2), activation="relu"),
        layers.Flatten(),
        layers.Dense(4, activation="softmax"),
    ]
    return mtc.Sequential(stack, (9, 8, 3), seed=3)


def test_a_former_checkpoint_goes_on_to_the_same_weights():
    model = former_net()
    x = np.random.default_rng(0).standard_normal((24, 9, 8, 3)).astype("float32")
    model.fit(
        x, np.arange(24) % 4, optimizer=optimizers.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
        epochs=2, batch_size=7, progress=False, resume=FOLDER / "checkpoint.npz",
    )  # fmt: skip
    with np.load(FOLDER / "after_two_epochs.npz") as expected:
        state = {f"{layer} {name}": array for (layer, name), array in model.state().items() if name != "draws"}
        assert state.keys() == set(expected.files)
        for name, array in state.items():
            np.testing.assert_allclose(array, expected[name], rtol=2e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", names.PLACES)
def test_a_short_name_is_the_module_in_its_room(name):
    short = importlib.import_module(f"minitorch_cnn.{name}")
    room = importlib.import_module(f"minitorch_cnn.{names.PLACES[name]}")
    assert short is room and short.__name__ == short.__spec__.name == f"minitorch_cnn.{names.PLACES[name]}"
    assert getattr(mtc, name) is short


def test_short_names_reach_inside_packages_without_a_second_copy():
    inside = importlib.import_module("minitorch_cnn.layers.conv2d")
    assert inside.Conv2D is mtc.layers.Conv2D
    assert importlib.import_module("minitorch_cnn.convolution.im2col") is mtc.convolution.im2col
    with pytest.raises(ModuleNotFoundError, match="nothing_of_the_kind"):
        importlib.import_module("minitorch_cnn.layers.nothing_of_the_kind")


def test_the_names_of_the_design_are_there():
    for module, members in {
        mtc: "Sequential gradient_check layers losses optimizers models datasets keras_h5 convolution schedules",
        mtc.layers: "Conv2D MaxPool2D AveragePool2D GlobalAveragePool2D Flatten Dropout Dense BatchNorm ReLU Layer",
        mtc.losses: "CrossEntropy BinaryCrossEntropy MeanSquaredError",
        mtc.optimizers: "SGD RMSprop Adam",
        mtc.models: "vgg16 cifar10 cats_vs_dogs",
        mtc.keras_h5: "inspect load save",
        importlib.import_module("minitorch_cnn.training"): "fit Trainer TrainingError",
    }.items():
        for name in members.split():
            assert hasattr(module, name), f"{module.__name__}.{name}"
