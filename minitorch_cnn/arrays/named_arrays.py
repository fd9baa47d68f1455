"""The arrays of a layer by name: assigning to a name writes into the array, after checking the shape.

The arrays may be views of one long vector that the optimizer works on; another array in their place would be cut off
from it.
"""

from collections.abc import Iterator, MutableMapping
from typing import Any

from minitorch_cnn.arrays.libraries import Array, moved, namespace
from minitorch_cnn.errors import ArgumentError, ShapeError


class NamedArrays(MutableMapping):
    """A view of `arrays` ({name: array}), which belong to the layer `owner`."""

    def __init__(self, owner: Any, arrays: dict[str, Array]) -> None:
        self.owner, self.arrays = owner, arrays

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]

    def __setitem__(self, name: str, value: Any) -> None:
        """Copy `value`, an array or numbers, into the array called `name`; ShapeError where the shapes differ."""
        if name not in self.arrays:
            known = self.owner.parameter_shapes()
            if name not in known:
                raise ArgumentError(f"{self.owner.name}: no parameter is called {name!r}; there are {', '.join(known)}")
            self.arrays[name] = value
            return
        array = self.arrays[name]
        value = moved(value, namespace(array), array.dtype)
        if value.shape != array.shape:
            raise ShapeError(f"{self.owner.name}: {name} has shape {array.shape}, got {value.shape}")
        array[...] = value

    def __delitem__(self, name: str) -> None:
        raise ArgumentError(f"{self.owner.name}: {name} cannot be taken away; a layer keeps its arrays")

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name!r}: {array.dtype}{array.shape}' for name, array in self.arrays.items())}}}"

    def rebind(self, name: str, array: Array) -> None:
        """Let `name` stand for `array` itself from now on."""
        self.arrays[name] = array
