"""The class of a described layer in the words of Keras 2 and 3: old names, and operations such as x + y.

Keras 3 stores an operation (`keras.ops.gelu`) as a class of a module `ops`, tf.keras as the name of a function.
"""

from __future__ import annotations

from typing import Any

from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.files.printable import printable
from minitorch_cnn.keras_h5.described import LayerDescription
from minitorch_cnn.network.keras_kinds import KINDS

KERAS_1_SETTINGS = {
    "bias": "use_bias", "border_mode": "padding", "dim_ordering": "data_format", "nb_filter": "filters",
    "output_dim": "units", "p": "rate", "subsample": "strides",
}  # fmt: skip
KERAS_1_CLASSES = {"Convolution2D": "Conv2D", "SeparableConvolution2D": "SeparableConv2D"}
KERAS_1_MERGES = {"sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum", "concat": "Concatenate"}

# Operations such as x + y, which Keras 3 stores as classes and tf.keras as names of functions.
OPERATIONS = {"Add": "Add", "Maximum": "Maximum", "Multiply": "Multiply", "Subtract": "Subtract"}
OPERATIONS |= {"Divide": "Divide", "TrueDivide": "Divide"}
OPERATIONS |= {"Elu": "ELU", "LeakyRelu": "LeakyReLU", "Softmax": "Softmax"}
ACTIVATION_OPERATIONS = {
    "Exp": "exponential", "HardSigmoid": "hard_sigmoid", "HardSilu": "hard_silu", "Relu": "relu",
    "Relu6": "relu6", "Selu": "selu", "Sigmoid": "sigmoid", "Silu": "silu", "Softplus": "softplus",
    "Softsign": "softsign", "Tanh": "tanh",
}  # fmt: skip
FUNCTIONS = {
    "__operators__.add": "Add", "math.add": "Add", "math.multiply": "Multiply", "math.subtract": "Subtract",
    "math.truediv": "Divide", "math.divide": "Divide", "math.maximum": "Maximum", "nn.relu": "ReLU",
}  # fmt: skip
MODULES = ("keras", "tf_keras", "tensorflow", "keras_core", "builtins")
PACKAGES = ("Keras", "keras", "keras.src.applications.convnext", "keras.src.applications.inception_resnet_v2")


def class_of(described: LayerDescription) -> tuple[str, dict[str, Any]]:
    """(class, settings) in the words of Keras 2 and 3; ArgumentError for a class that is not Keras's own."""
    class_name, settings = described.class_name, described.settings
    module = described.module
    if _is_foreign(described):
        raise ArgumentError(quoted(described))
    if module is not None and ".ops" in module:
        if class_name == "Gelu" and isinstance(settings.get("approximate"), bool):
            name = "gelu_tanh" if settings["approximate"] else "gelu"
            return "Activation", {"name": settings.get("name"), "activation": name}
        if class_name in ACTIVATION_OPERATIONS:
            return "Activation", {**settings, "activation": ACTIVATION_OPERATIONS[class_name]}
        if class_name not in OPERATIONS:
            raise ArgumentError(quoted(described))
        return OPERATIONS[class_name], settings
    if class_name == "TFOpLambda":
        function = settings.get("function")
        if function == "nn.gelu":
            approximate = {"approximate" in call.arguments for call in described.calls}
            if len(approximate) > 1:
                raise ArgumentError("nn.gelu called both with and without approximate")
            name = "gelu_tanh" if True in approximate else "gelu"
            return "Activation", {"name": settings.get("name"), "activation": name}
        if not isinstance(function, str) or function not in FUNCTIONS:
            raise ArgumentError(quoted(described))
        return FUNCTIONS[function], {"name": settings.get("name")}
    settings = {KERAS_1_SETTINGS.get(key, key): value for key, value in settings.items()}
    if class_name == "Merge":
        mode = settings.pop("mode", None)
        class_name = KERAS_1_MERGES.get(mode, "Merge") if isinstance(mode, str) else "Merge"
        axis = settings.pop("concat_axis", -1)
        kept = ("name", "trainable")
        settings = {key: settings[key] for key in kept if key in settings}
        return class_name, {**settings, "axis": axis} if class_name == "Concatenate" else settings
    if "nb_row" in settings and "nb_col" in settings:
        settings["kernel_size"] = [settings.pop("nb_row"), settings.pop("nb_col")]
    return KERAS_1_CLASSES.get(class_name, class_name), settings


def _is_foreign(described: LayerDescription) -> bool:
    """Whether the class is not one of Keras's own, or hides another behind its name."""
    own, module = described.class_name, described.module
    if module is not None and module.split(".")[0] not in MODULES:
        return True
    return described.registered not in (None, own, *(f"{package}>{own}" for package in PACKAGES))


def quoted(described: LayerDescription) -> str:
    """The layer or operation as a message names it, with its module if it is not one of Keras's layers."""
    if not _is_foreign(described):
        if described.class_name == "TFOpLambda":
            return f"operation {printable(described.settings.get('function'))[:40]}"
        if described.module is not None and ".ops" in described.module:
            return f"operation {printable(described.class_name)[:40]}"
    own = described.registered or described.class_name
    module = f" of {printable(described.module)[:40]}" if described.module and described.class_name not in KINDS else ""
    return f"layer {printable(own)[:60]}{module}"
