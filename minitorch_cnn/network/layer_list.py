"""The layers of a model, which can be read like a list but not changed like one.

A layer put into a plain list would have no shapes and no place in the parameter vector: the summary would show it, but
no step would train it. So every attempt to change the list raises an error that names the way that works.
"""

from __future__ import annotations

from typing import Any, NoReturn

from minitorch_cnn.errors import ArgumentError


class LayerList(tuple):
    """The layers in order."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise ArgumentError(
            "model.layers cannot be changed: model.extend([...]) adds layers at the end, model.cut(after=...) removes"
            " layers, and both return a new model"
        )

    append = extend = insert = pop = remove = clear = reverse = sort = _refuse
    __setitem__ = __delitem__ = __iadd__ = _refuse
