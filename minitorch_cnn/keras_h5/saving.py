"""Save: files that every Keras reads, written whole or not at all.

`x.weights.h5` becomes the dialect of Keras 3 (`dialect_weights_h5`), since Keras decides by that ending; any other
`.h5` becomes the lists of names that Keras 1.2 to 3 and tf.keras load (`dialect_layer_names`). The file is written
beside its place under another name, forced to the disk, and renamed over it: whoever looks sees the old file or the
new one.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from minitorch_cnn.errors import ArgumentError, ShapeError, WeightsError
from minitorch_cnn.keras_h5.target import WEIGHT_ORDER, Target, TargetLayer, shape_text

if TYPE_CHECKING:
    import h5py

Weights = Mapping[str, Mapping[str, np.ndarray]]

# Keras 2 takes a file without a version for one of Keras 1; this one says that kernels are (rows, columns, in, out).
KERAS_VERSION, BACKEND = b"2.15.0", b"tensorflow"
LONGEST_NAME = 4_096  # bytes; each stands twice in its weights' names, and those in one attribute
LONGEST_ATTRIBUTE = 64_512  # an HDF5 object header holds 64 KB; Keras leaves 1 KB for everything else


def save(path: str | os.PathLike, target: Target, weights: Weights) -> None:
    """Write a model's weights where Keras can load them.

    Arguments:
        path: `x.weights.h5` for Keras 3 and tf.keras 2.15, any other `x.h5` or `x.hdf5` for all versions.
        target: the model, layer by layer; layers without weights are listed in the file too.
        weights: the arrays by layer and name, float32 or anything that casts to it; an array of another library is
            taken through `numpy.asarray`.

    Raises:
        ShapeError: an array is missing, or has another shape than its layer.
        ArgumentError: a path with another ending, or a layer's name that the file cannot hold.
        WeightsError: the file cannot be written; a file that was there before is unchanged.
    """
    path = os.fsdecode(path)
    name = os.path.basename(path).lower()
    if not name.endswith((".h5", ".hdf5")):
        raise ArgumentError(f"{path}: expected a name that ends in .h5 or .weights.h5, got {os.path.basename(path)!r}")
    by_class = name.endswith(".weights.h5")
    for layer in target.layers:
        if not _can_be_kept(layer.name, as_path=not by_class):
            advice = ", or save as .weights.h5" if _can_be_kept(layer.name, as_path=False) else ""
            raise ArgumentError(f"a layer named {ascii(layer.name)[:60]} cannot be saved; give it another name{advice}")
    _check(target, weights)
    with _replacing(path) as file:
        (_write_classes if by_class else _write_lists)(file, target, weights)


def _can_be_kept(name: str, as_path: bool) -> bool:
    """Whether HDF5 can hold a name: as a text, and `as_path` as the place of a group, where `/` separates groups."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return False
    parts = name.split("/") if as_path else []
    return "\0" not in name and size <= LONGEST_NAME and not {"", ".", ".."} & set(parts)


def _check(target: Target, weights: Weights) -> None:
    """Raise ShapeError unless there is exactly one array of the right shape for every weight."""
    unknown = sorted(set(weights) - {layer.name for layer in target.layers})
    if unknown:
        raise ShapeError(f"{unknown[0]}: there are weights for it, but the model has no such layer")
    for layer in target.layers:
        given = weights.get(layer.name, {})
        if set(given) != set(layer.weights):
            expected, got = (", ".join(sorted(names)) or "none" for names in (layer.weights, given))
            raise ShapeError(f"{layer.name}: expected weights {expected}, got {got}")
        for name, shape in layer.weights.items():
            got = tuple(given[name].shape)
            if got != tuple(shape):
                raise ShapeError(f"{layer.name}: expected {name} {shape_text(shape)}, got {shape_text(got)}")


def _write_lists(file: h5py.File, target: Target, weights: Weights) -> None:
    """`layer_names`, and for each layer a group with `weight_names` and arrays at `layer/kernel:0`."""
    file.attrs["backend"], file.attrs["keras_version"] = BACKEND, KERAS_VERSION
    _write_names(file, "layer_names", [layer.name for layer in target.layers])
    for layer in target.layers:
        group = file.require_group(layer.name)  # it is there already where another layer's weights lie below it
        names = {f"{layer.name}/{name}:0": name for name in _in_order(layer)}
        _write_names(group, "weight_names", list(names))
        for full_name, name in names.items():
            group.create_dataset(full_name, data=_float32(weights[layer.name][name]))


def _write_classes(file: h5py.File, target: Target, weights: Weights) -> None:
    """`layers/conv2d_1/vars/0`, with the layer's own name as an attribute of `vars` as Keras 3.6 and later write it."""
    file.create_group("vars").attrs["name"] = target.name
    container = file.create_group("layers")
    counts: dict[str, int] = {}
    for layer in target.layers:
        number = counts[layer.group_name] = counts.get(layer.group_name, -1) + 1
        name = f"{layer.group_name}_{number}" if number else layer.group_name
        variables = container.create_group(f"{name}/vars")
        variables.attrs["name"] = layer.name
        for position, weight in enumerate(_in_order(layer)):
            variables.create_dataset(str(position), data=_float32(weights[layer.name][weight]))


def _write_names(group: h5py.Group, attribute: str, names: list[str]) -> None:
    """A list of names as fixed-length texts, the one encoding that every version reads; too long a list in parts."""
    texts = np.array([name.encode() for name in names]) if names else np.zeros(0)
    if texts.nbytes <= LONGEST_ATTRIBUTE:
        group.attrs[attribute] = texts
        return
    names_in_one = LONGEST_ATTRIBUTE // texts.itemsize
    for number, part in enumerate(np.array_split(texts, -(-len(texts) // names_in_one))):
        group.attrs[f"{attribute}{number}"] = part


def _in_order(layer: TargetLayer) -> list[str]:
    """The layer's weights in Keras's order, which is the order in which Keras reads them back."""
    return sorted(layer.weights, key=WEIGHT_ORDER.index)


def _float32(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, dtype="<f4")


@contextmanager
def _replacing(path: str) -> Iterator[h5py.File]:
    """An HDF5 file that takes the place of `path` when the block ends well, and leaves no trace when it does not."""
    import h5py  # only saving needs the library

    final = os.path.realpath(path)  # a link stays a link
    draft = f"{final}.{secrets.token_hex(4)}.part"
    try:
        try:
            with h5py.File(draft, "x") as file:
                yield file
            with open(draft, "rb+") as written:
                os.fsync(written.fileno())
            os.replace(draft, final)
        finally:
            if os.path.exists(draft):
                os.unlink(draft)
    # h5py raises RuntimeError when the disk fills up while it closes, the others where two names claim one place.
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        raise WeightsError(f"{path}: not saved: {_reason(error, final)}") from None


def _reason(error: Exception, path: str) -> str:
    """One line for what HDF5 says in several."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        return f"there is no folder {folder}"
    if os.path.isdir(path):
        return "it is a folder"
    number = getattr(error, "errno", None)
    for candidate in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM):
        if number == candidate or f"errno = {candidate}," in str(error):
            return os.strerror(candidate)
    return " ".join(str(error).split())[:200]
