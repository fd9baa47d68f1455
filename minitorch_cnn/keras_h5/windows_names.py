r"""Files written on Windows by TensorFlow 2.13 and 2.14, whose names hold paths with backslashes.

Elsewhere `_layer_checkpoint_dependencies` is a group with a group `dense` in it. On Windows the path was joined with a
backslash, which HDF5 does not split, so the root has one group called `_layer_checkpoint_dependencies\dense`. Keras
itself cannot load such a file. Here the names are split, and the groups look like those of any other file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.hdf5 import Group
from minitorch_cnn.keras_h5.hdf5.text import shown

SEPARATOR = "\\"


class SplitGroup(Group):
    """A group of the names below one part of such paths; `own` is the group that ends there, if there is one."""

    def __init__(self, root: Group, own: Group | None, address: int):
        super().__init__(root.file, own.address if own is not None else address, own._messages if own else ())
        self.own, self.below = own, dict[str, Group]()

    def names(self) -> list[str]:
        """The names of its own group and those that were split."""
        return list(dict.fromkeys([*(self.own.names() if self.own is not None else ()), *self.below]))

    def __contains__(self, name: str) -> bool:
        return name in self.below or (self.own is not None and name in self.own)

    def group(self, path: str) -> Group:
        """The group called `path`; raises WeightsError when there is none."""
        if path in self.below:
            return self.below[path]
        if self.own is None:
            raise WeightsError(f"{shown(path)}: it is missing from the file")
        return self.own.group(path)

    def groups(self) -> Iterator[tuple[str, Group]]:
        """Yield the names and groups of its subgroups."""
        yield from self.below.items()
        if self.own is not None:
            yield from ((name, group) for name, group in self.own.groups() if name not in self.below)


def split_names(root: Group, containers: Sequence[str]) -> Group:
    """`root` with its names split at backslashes if it is of such a file, else `root` itself."""
    names = [name for name in root.names() if SEPARATOR in name]
    if not any(name.split(SEPARATOR)[0] in containers for name in names):
        return root
    addresses = count(-1, -1)  # no object in a file has a negative one
    top = SplitGroup(root, root, next(addresses))
    for name in sorted(names):  # a group comes before those whose names continue its own
        *above, last = name.split(SEPARATOR)
        place = top
        for part in above:
            inner = place.below.get(part)
            if not isinstance(inner, SplitGroup):
                inner = place.below[part] = SplitGroup(root, inner, next(addresses))
            root.file.window.charge(len(part))
            place = inner
        if last in place.below:
            raise WeightsError(f"two groups are called {shown(name)}")
        place.below[last] = SplitGroup(root, root.group(name), next(addresses))
    return top
