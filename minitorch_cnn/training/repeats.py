"""Whether a frozen layer repeats itself, so that its output for an image may be computed once and stored."""

from __future__ import annotations

import inspect
from typing import Any

from minitorch_cnn.engine.layers.by_hand import replaced

PACKAGE = __name__.partition(".")[0]
NO_OUTPUT = ("config", "count_parameters", "describe", "kind", "output_shape_for", "parameter_shapes")


def repeats(layer: Any) -> bool:
    """Whether equal inputs are known to give equal outputs, in training too.

    What a class of this package says of itself does not hold for a subclass from elsewhere that computes something
    else, nor where a method of the class, of this one layer or of its activation was replaced. Then it is not known,
    until that subclass or that layer says so too (`random = False`).
    """
    if "random" in vars(layer):
        return layer.random is False
    parts = [layer] if layer.activation is None else [layer, layer.activation]
    return layer.random is False and not any(map(_changed, parts))


def _changed(part: Any) -> bool:
    """Whether a layer or an activation may compute something else than its class in this package does."""
    for kind in type(part).__mro__:
        ours = kind.__module__.partition(".")[0] == PACKAGE
        if "random" in vars(kind) and not ours:
            break
        if any(_computes(name, each) and not (ours and _is_ours(each)) for name, each in vars(kind).items()):
            return True
        if "random" in vars(kind):
            break
    return replaced(part)


def _computes(name: str, each: Any) -> bool:
    method = inspect.isroutine(each) or isinstance(each, property)
    return method and name not in NO_OUTPUT and not name.startswith("__")


def _is_ours(each: Any) -> bool:
    function = each.fget if isinstance(each, property) else each
    return (getattr(function, "__module__", None) or PACKAGE).partition(".")[0] == PACKAGE
