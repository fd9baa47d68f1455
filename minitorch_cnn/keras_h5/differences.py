"""Where a model computes something else than the one that a whole-model file describes, although its weights fit.

A stride, an activation or an epsilon leaves no trace in the shapes of the weights, so such a file loads without an
error, and the model's predictions are not those of the file's author. This may be intended, so it is only mentioned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from minitorch_cnn.keras_h5.hdf5.text import shown
from minitorch_cnn.keras_h5.model_config import ConfigLayer, ModelConfig
from minitorch_cnn.keras_h5.stored import StoredLayer
from minitorch_cnn.keras_h5.target import Target, TargetLayer

COMPARED = ("activation", "strides", "padding", "pool_size", "epsilon", "dilation_rate")
SAME = {"swish": "silu", "hard_swish": "hard_silu"}
POOLS = ("MaxPooling2D", "AveragePooling2D", "GlobalMaxPooling2D", "GlobalAveragePooling2D")
ACTIVATION_LAYERS = ("Activation", "ReLU", "Softmax", "LeakyReLU", "ELU", "PReLU")
CLOSE = 1e-3  # two epsilons that differ by less, relatively, are the same number rounded
MOST_SHOWN = 6
# Settings that a report shows, unless they are these values, which have no effect.
SHOWN: dict[str, tuple] = {
    "pool_size": (), "strides": (1, (1, 1)), "dilation_rate": (1, (1, 1)), "groups": (1,), "epsilon": (), "rate": (),
    "alpha": (), "negative_slope": (0.0,), "max_value": (), "axis": (-1,),
}  # fmt: skip


def differences(config: ModelConfig, pairs: Sequence[tuple[StoredLayer, TargetLayer]], target: Target) -> str | None:
    """One line that says where the model differs from the description; None if it does not, as far as both tell."""
    described = {path: layer for path, layer in config.paths()}
    flat = config.flat()
    apart = any(layer.class_name in ACTIVATION_LAYERS for layer in flat)
    apart = apart or any(layer.kind in ACTIVATION_LAYERS for layer in target.layers)
    found = []
    for stored, layer in pairs:
        theirs = described.get(stored.path or "")
        if theirs is not None:
            found += _compare(theirs.settings, layer, apart)
    theirs_pools = [layer for layer in flat if layer.class_name in POOLS]
    our_pools = [layer for layer in target.layers if layer.kind in POOLS]
    if len(theirs_pools) != len(our_pools):
        found.append(f"it has {len(theirs_pools)} pooling layers, this model {len(our_pools)}")
    else:
        for pool, layer in zip(theirs_pools, our_pools):
            found += _compare_pools(pool, layer, apart)
    if not found:
        return None
    more = f", and {len(found) - MOST_SHOWN} more" if len(found) > MOST_SHOWN else ""
    return f"the model that the file describes differs from this one: {', '.join(found[:MOST_SHOWN])}{more}"


def settings_text(layer: ConfigLayer) -> str:
    """A described layer in a few words: `Conv2D relu, same, strides 2x2`."""
    settings, words = layer.settings, []
    activation = _plain(settings.get("activation"))
    if isinstance(activation, str) and activation != "linear":
        words.append(shown(activation))
    if isinstance(settings.get("padding"), str):
        words.append(shown(settings["padding"]))
    for key, neutral in SHOWN.items():
        value = _plain(settings.get(key))
        if value is not None and value not in neutral:
            words.append(f"{key} {_text(value)}")
    return f"{shown(layer.class_name)} {', '.join(words)}".strip()


def _compare_pools(pool: ConfigLayer, layer: TargetLayer, apart: bool) -> list[str]:
    if pool.class_name != layer.kind:
        return [f"{layer.name}: {pool.class_name} in the file, here {layer.kind}"]
    settings = dict(pool.settings)
    if "pool_size" in settings and settings.get("strides") is None:
        settings["strides"] = settings["pool_size"]
    return _compare(settings, layer, apart)


def _compare(theirs: Mapping[str, Any], layer: TargetLayer, apart: bool) -> list[str]:
    """The settings that differ; `apart` is whether activations may be layers of their own, which hides them."""
    found = []
    for key in COMPARED:
        if key not in theirs or key not in layer.settings:
            continue
        their, our = _plain(theirs[key]), _plain(layer.settings[key])
        if their is None or our is None or (key == "activation" and apart and "linear" in (their, our)):
            continue
        if key == "padding" and not (isinstance(our, str) and isinstance(their, str)):
            continue
        if key == "epsilon" and isinstance(their, (int, float)) and abs(their - our) <= CLOSE * our:
            continue
        if their != our:
            found.append(f"{layer.name}: {key} {_text(their)} in the file, here {_text(our)}")
    return found


def _plain(value: Any) -> Any:
    """A setting in a form that can be compared: pairs as tuples, activations by name; None if it has another form."""
    if isinstance(value, dict):
        value = value.get("config") if value.get("class_name") == "function" else None
    if isinstance(value, (list, tuple)):
        return tuple(value)
    return SAME.get(value, value) if isinstance(value, str) else value


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return "x".join(str(each)[:20] for each in value[:4])
    return shown(value) if isinstance(value, str) else str(value)[:40]
