"""The layers of a model, which can be read like a list and not be changed like one.

A layer put into a list would have no shapes and no place in the parameter vector: the summary would show it, and no
step would train it. So each way to change the list is refused in a line that names the way that works.
"""

from __future__ import annotations

from typing import Any, NoReturn

from minitorch_cnn.errors import ArgumentError


class LayerList(tuple):
    """The layers in order."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise ArgumentError(
            "model.layers cannot be changed: model.extend([...]) puts layers at the end, model.cut(after=...) takes"
            " layers away, and each returns the model to go on with"
        )

    append = extend = insert = pop = remove = clear = reverse = sort = _refuse
    __setitem__ = __delitem__ = __iadd__ = _refuse
