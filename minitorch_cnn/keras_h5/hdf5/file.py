"""Files and groups: finding the object at a path of names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.hdf5 import attributes
from minitorch_cnn.keras_h5.hdf5.attributes import Attribute, attribute_name, parse_attribute
from minitorch_cnn.keras_h5.hdf5.datasets import Dataset
from minitorch_cnn.keras_h5.hdf5.dense_storage import read_dense
from minitorch_cnn.keras_h5.hdf5.global_heap import GlobalHeaps
from minitorch_cnn.keras_h5.hdf5.links import Link, parse_link
from minitorch_cnn.keras_h5.hdf5.object_header import (
    ATTRIBUTE,
    ATTRIBUTE_INFO,
    LAYOUT,
    LINK,
    LINK_INFO,
    SYMBOL_TABLE,
    Message,
    read_object_header,
)
from minitorch_cnn.keras_h5.hdf5.superblock import find_signature, read_superblock
from minitorch_cnn.keras_h5.hdf5.symbol_table import read_symbol_table
from minitorch_cnn.keras_h5.hdf5.text import shown
from minitorch_cnn.keras_h5.hdf5.window import Cursor, Window, damaged


class Node:
    """What groups and datasets have in common: an address, messages and attributes."""

    def __init__(self, file: File, address: int, messages: Sequence[Message]):
        self.file = file
        self.address = address
        self._messages = messages
        self._attributes: dict[str, Message] | None = None

    def has_attribute(self, name: str) -> bool:
        """Whether the object has an attribute of this name."""
        return name in self._all_attributes()

    def attribute_names(self) -> list[str]:
        """The names of all attributes, in no particular order."""
        return list(self._all_attributes())

    def integer(self, name: str) -> int:
        """The value of an attribute that must be a single integer."""
        return attributes.integer(self._attribute(name))

    def texts(self, name: str) -> list[str]:
        """The values of an attribute that must be a list of strings."""
        return attributes.texts(self._attribute(name), self.file.heaps)

    def text(self, name: str) -> str | None:
        """The value of an attribute that must be a single string; None if there is no such attribute."""
        if not self.has_attribute(name):
            return None
        values = self.texts(name)
        if len(values) != 1:
            raise WeightsError(f"attribute {name}: expected one string, got {len(values)}")
        return values[0]

    def _attribute(self, name: str) -> Attribute:
        if name not in self._all_attributes():
            raise WeightsError(f"attribute {name} is missing")
        return parse_attribute(self._all_attributes()[name])

    def _all_attributes(self) -> dict[str, Message]:
        if self._attributes is None:
            dense = (Message(ATTRIBUTE, 0, body) for body in self._dense(ATTRIBUTE_INFO, index_size=2))
            direct = (message for message in self._messages if message.kind == ATTRIBUTE)
            found: dict[str, Message] = {}
            for message in chain(direct, dense):
                name = attribute_name(message)
                if name in found:
                    raise damaged("two attributes of one object have the same name")
                found[name] = message
            self._attributes = found
        return self._attributes

    def _dense(self, kind: int, index_size: int) -> Iterator[bytes]:
        """Yield the messages in dense storage that an "info" message of this kind points to."""
        for message in self._messages:
            if message.kind == kind:
                cursor = message.cursor("dense storage")
                cursor.skip(1)
                cursor.skip(index_size if cursor.number(1) & 0x01 else 0)  # the largest creation index, if stored
                yield from read_dense(self.file.window, cursor.number(8), cursor.number(8))


class Group(Node):
    """A group, which maps names to groups and datasets."""

    def __init__(self, file: File, address: int, messages: Sequence[Message]):
        super().__init__(file, address, messages)
        self._links: dict[str, Link] | None = None

    def names(self) -> list[str]:
        """The names in the file's order, which has no meaning: HDF5 lists `conv2d_10` before `conv2d_2`."""
        return list(self._all_links())

    def __contains__(self, name: str) -> bool:
        return name in self._all_links()

    def group(self, path: str) -> Group:
        """The group at a path of names; raises WeightsError, naming the path, when there is none."""
        try:
            node = self._at(path)
        except WeightsError as error:
            raise WeightsError(f"{shown(path)}: {error}") from None
        if not isinstance(node, Group):
            raise WeightsError(f"{shown(path)}: it is not a group")
        return node

    def groups(self) -> Iterator[tuple[str, Group]]:
        """Yield the names and groups of its subgroups, without links that are not followed or objects that fail."""
        for name, link in self._all_links().items():
            if link.kind == "object":
                self.file.window.charge()
                with suppress(WeightsError):
                    node = self.file.node(link.address)
                    if isinstance(node, Group):
                        yield name, node

    def dataset(self, path: str) -> DatasetNode:
        """The dataset at a path of names; raises WeightsError, to which the caller adds the name."""
        node = self._at(path)
        if not isinstance(node, DatasetNode):
            raise WeightsError("it is not a dataset")
        return node

    def _at(self, path: str) -> Node:
        node: Node = self
        for name in path.split("/"):
            self.file.window.charge()
            if name in ("", ".", ".."):
                raise WeightsError("it is not a path inside the file")
            if not isinstance(node, Group) or name not in node._all_links():
                raise WeightsError("it is missing from the file")
            link = node._all_links()[name]
            if link.kind != "object":
                raise WeightsError(f"it is reached through an HDF5 {link.kind}, which is not followed")
            node = self.file.node(link.address)
        return node

    def _all_links(self) -> dict[str, Link]:
        if self._links is None:
            found: dict[str, Link] = {}
            for name, link in self._stored_links():
                text = name.decode("utf-8", "surrogateescape")
                if text in found:
                    raise damaged("two links of one group have the same name")
                found[text] = link
            self._links = found
        return self._links

    def _stored_links(self) -> Iterator[tuple[bytes, Link]]:
        for message in self._messages:
            if message.kind == SYMBOL_TABLE:
                cursor = message.cursor("a symbol table")
                yield from read_symbol_table(self.file.window, cursor.number(8), cursor.number(8))
            elif message.kind == LINK:
                yield parse_link(message.cursor("a link"))
        for body in self._dense(LINK_INFO, index_size=8):
            yield parse_link(Cursor(body, "a link"))


class DatasetNode(Node, Dataset):
    """A dataset with its attributes."""

    def __init__(self, file: File, address: int, messages: Sequence[Message]):
        Node.__init__(self, file, address, messages)
        Dataset.__init__(self, file.window, messages)


class File:
    """An HDF5 file; every object is decoded only once, however many names refer to it."""

    def __init__(self, window: Window, root_address: int):
        self.window = window
        self.heaps = GlobalHeaps(window)
        self._nodes: dict[int, Node] = {}
        root = self.node(root_address)
        if not isinstance(root, Group):
            raise damaged("its root is not a group")
        self.root = root

    def node(self, address: int) -> Node:
        """The group or dataset whose object header is at `address`."""
        if address not in self._nodes:
            messages = read_object_header(self.window, address)
            kinds = {message.kind for message in messages}
            if LAYOUT in kinds:
                self._nodes[address] = DatasetNode(self, address, messages)
            elif kinds & {SYMBOL_TABLE, LINK, LINK_INFO}:
                self._nodes[address] = Group(self, address, messages)
            else:
                raise WeightsError("it is neither a group nor a dataset")
        return self._nodes[address]


def open_hdf5(window: Window) -> File:
    """Open the HDF5 file in `window` by reading its superblock and its root group."""
    offset = find_signature(window)
    if offset is None:
        raise WeightsError("it is not an HDF5 file")
    return File(*read_superblock(window, offset))
