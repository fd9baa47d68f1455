"""The activation that a layer of a Keras file ends in: a name, or a layer of its own with settings.

`Conv2D(8, 3, activation=ReLU(max_value=6))` is stored as the settings of that ReLU. Such an object is read only if it
computes the same as an activation that has a name.
"""

from __future__ import annotations

from typing import Any

from minitorch_cnn.engine import activations
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.files.printable import printable

SAME_ACTIVATIONS = {"swish": "silu", "silu": "swish", "hard_swish": "hard_silu", "hard_silu": "hard_swish"}
MODULES = (None, "keras.layers", "tf_keras.layers")

# {class: [(our name, the settings with which it is that)]}; a setting that is left out is that of the first one.
OBJECTS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "ELU": [("elu", {"alpha": 1})],
    "LeakyReLU": [("leaky_relu", {"negative_slope": 0.2})],
    "ReLU": [
        ("relu", {"max_value": None, "negative_slope": 0, "threshold": 0}),
        ("relu6", {"max_value": 6, "negative_slope": 0, "threshold": 0}),
    ],
    "Softmax": [("softmax", {"axis": -1})],
}
RENAMED = {"LeakyReLU": {"alpha": "negative_slope"}}
WITHOUT_EFFECT = ("name", "trainable", "dtype")


def activation_name(value: Any) -> str:
    """Our name of an activation that is written as a text, as None, or as an object; ArgumentError names others."""
    if value is None:
        return "linear"
    if isinstance(value, dict):
        own, inner = value.get("class_name"), value.get("config")
        if own == "function" and isinstance(inner, str):
            value = inner
        elif own == "Activation" and _is_keras_s(value) and isinstance(inner, dict):
            return activation_name(inner.get("activation"))
        else:
            return _name_of_object(value)
    if isinstance(value, str):
        for name in (value, SAME_ACTIVATIONS.get(value, value)):
            if name in activations.ACTIVATIONS:
                return name
    raise ArgumentError(f"activation {printable(value)[:40]}")


def _name_of_object(value: dict[str, Any]) -> str:
    own, inner = value.get("class_name"), value.get("config")
    if not isinstance(own, str):
        raise ArgumentError(f"activation {printable(value)[:40]}")
    given = {key: each for key, each in inner.items() if key not in WITHOUT_EFFECT} if isinstance(inner, dict) else {}
    settings = {RENAMED.get(own, {}).get(key, key): each for key, each in given.items()}
    known = OBJECTS.get(own, []) if _is_keras_s(value) else []
    for name, needed in known:
        whole = {**known[0][1], **settings}
        if whole.keys() == needed.keys() and all(_same(whole[key], needed[key]) for key in needed):
            return name
    usual = known[0][1] if known else {}
    others = {key: each for key, each in settings.items() if key not in usual or not _same(each, usual[key])}
    module, registered = value.get("module"), value.get("registered_name")
    named = own if module in MODULES else f"{printable(module)}.{own}"
    named = registered if isinstance(registered, str) else named
    raise ArgumentError(f"activation {printable(named)[:40]}({_shown(others)})")


def _is_keras_s(value: dict[str, Any]) -> bool:
    return value.get("module") in MODULES and value.get("registered_name") is None


def _shown(settings: dict[str, Any]) -> str:
    """The settings that are numbers or texts, as they would be written in Python."""
    plain = {key: each for key, each in settings.items() if isinstance(each, (int, float, str))}
    texts = [f"{key}={round(each, 6) if isinstance(each, float) else repr(each)}" for key, each in plain.items()]
    return printable(", ".join(texts))[:80]


def _same(value: Any, expected: Any) -> bool:
    """Whether two numbers are equal in float32, as some versions store them, or both are None."""
    if value is None or expected is None:
        return value is expected
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and abs(value - expected) <= 1e-7 * abs(expected)
