"""The networks that have a name on the command line, and the model that any such name stands for."""

from pathlib import Path
from typing import Any

from minitorch_cnn import models
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.runs.folder import RunFolder
from minitorch_cnn.runs.keras_file import is_keras_file, model_in_file

# name: (function of `models`, its arguments, learning rate of a single step, as `explain` makes it)
NETWORKS: dict[str, tuple] = {
    "cifar10": (models.cifar10, {}, 0.03),
    "cifar10-fast": (models.cifar10_fast, {}, 0.01),
    "cats-vs-dogs": (models.cats_vs_dogs, {}, 0.02),
    "vgg16": (models.vgg16, {}, 1e-4),
    "vgg16-no-top": (models.vgg16, {"include_top": False}, 1e-4),
    "transfer-net": (models.transfer_net, {}, 1e-4),
    "tiny-vgg": (models.tiny_vgg, {}, 0.01),
    "resnet20": (models.resnet20, {}, 1e-3),
    "resnet50": (models.resnet50, {}, 1e-4),
    "mobilenet-v2": (models.mobilenet_v2, {}, 1e-4),
    "efficientnet-b0": (models.efficientnet_b0, {}, 1e-4),
}


def known_name(name: str) -> str:
    """`name` as NETWORKS has it, which may be written with _ for -; any other name as it is."""
    return name.replace("_", "-") if name.replace("_", "-") in NETWORKS else name


def named_model(name: str) -> Any:
    """The network that `name` stands for: one of NETWORKS, or the model in a run folder or in a Keras file.

    Raises ArgumentError if it is neither, and CheckpointError or WeightsError if it cannot be read.
    """
    if known_name(name) in NETWORKS:
        function, arguments, _ = NETWORKS[known_name(name)]
        return function(**arguments)
    if Path(name).is_dir():
        return RunFolder(name).load_model()[0]
    if is_keras_file(name):
        return model_in_file(name)
    raise ArgumentError(f"{name}: expected a run folder, a .keras or .h5 file, or one of {', '.join(NETWORKS)}")
