"""`save`: writes files that every Keras can read, either completely or not at all.

Like Keras, `save` chooses the dialect by the file's name: `x.weights.h5` is written in that of Keras 3
(`dialect_weights_h5`), any other `.h5` in the one with lists of names, which Keras 1.2 to 3 and tf.keras can load
(`dialect_layer_names`). The file is written under a temporary name in the same folder, flushed to the disk, and then
renamed, so that other programs see either the old file or the new one.
"""

from __future__ import annotations

import errno
import json
import os
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_cnn.errors import ArgumentError, ShapeError, WeightsError, require
from minitorch_cnn.files.abandoned import temporary_file
from minitorch_cnn.files.regular import place_to_write
from minitorch_cnn.keras_h5.container import CONFIG_MEMBER, METADATA_MEMBER, WEIGHTS_MEMBER
from minitorch_cnn.keras_h5.target import WEIGHT_ORDER, Target, TargetLayer, shape_text

if TYPE_CHECKING:
    import h5py

Weights = Mapping[str, Mapping[str, np.ndarray]]

# Without a version Keras 2 assumes a file of Keras 1; this version implies kernels (rows, columns, in, out).
KERAS_3_VERSION = "3.15.1"  # the version whose `.keras` files look like ours
KERAS_VERSION, BACKEND = b"2.15.0", b"tensorflow"
LONGEST_NAME = 4_096  # bytes; each name occurs twice in the names of its weights, which share one attribute
LONGEST_ATTRIBUTE = 64_512  # an HDF5 object header holds 64 KB; Keras leaves 1 KB for everything else


def save(path: str | os.PathLike, target: Target, weights: Weights) -> None:
    """Write a model's weights to a file that Keras can load.

    Arguments: `path`, `x.weights.h5` for Keras 3 and tf.keras 2.15, any other `x.h5` or `x.hdf5` for all versions;
    `target`, the model, layer by layer (the file also lists layers without weights); `weights`, the arrays by layer and
    name, float32 or anything that casts to it; arrays of other libraries are converted with `numpy.asarray`.

    Raises ShapeError when an array is missing or does not have the shape in `target`; ArgumentError when the path has
    another ending, or when a layer's name cannot be stored in the file; WeightsError when the file cannot be written,
    in which case an existing file is unchanged.
    """
    path = os.fsdecode(path)
    name = os.path.basename(path).lower()
    if not name.endswith((".h5", ".hdf5")):
        raise ArgumentError(f"{path}: expected a name that ends in .h5 or .weights.h5, got {os.path.basename(path)!r}")
    by_class = name.endswith(".weights.h5")
    for layer in target.layers:
        if not _can_be_stored(layer.name, as_path=not by_class):
            advice = ", or save as .weights.h5" if _can_be_stored(layer.name, as_path=False) else ""
            raise ArgumentError(f"a layer named {ascii(layer.name)[:60]} cannot be saved; give it another name{advice}")
    _check(target, weights)
    with _replacing(path) as draft, _hdf5(draft) as file:
        if by_class:
            _write_classes(file, target, weights)
        else:
            _write_lists(file, target, weights)


def save_model(path: str | os.PathLike, target: Target, weights: Weights, description: dict[str, Any]) -> None:
    """Write a whole model, its description and its weights, to a file that Keras can load.

    Arguments and errors are those of `save`, but `path` is `x.keras`, for Keras 3, or `x.h5`, for tf.keras and Keras 2;
    `description` is what Keras calls the model's config, and `target` lists the layers in the order of Keras's own.
    """
    path = os.fsdecode(path)
    zipped = path.lower().endswith(".keras")
    for layer in target.layers:
        if not _can_be_stored(layer.name, as_path=not zipped):
            raise ArgumentError(f"a layer named {ascii(layer.name)[:60]} cannot be saved; give it another name")
    _check(target, weights)
    text = json.dumps(description)
    with _replacing(path) as draft:
        if zipped:
            _write_archive(draft, target, weights, text)
            return
        with _hdf5(draft) as file:
            file.attrs["backend"], file.attrs["keras_version"] = BACKEND, KERAS_VERSION
            file.attrs["model_config"] = text.encode()
            _write_lists(file.create_group("model_weights"), target, weights)


def _write_archive(draft: str, target: Target, weights: Weights, text: str) -> None:
    """Write the zip that Keras 3 calls `.keras`; nothing in it is compressed."""
    inside = f"{draft}.h5"
    try:
        with _hdf5(inside) as file:
            _write_classes(file, target, weights)
        metadata = {"keras_version": KERAS_3_VERSION, "date_saved": time.strftime("%Y-%m-%d@%H:%M:%S")}
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(METADATA_MEMBER, json.dumps(metadata))
            archive.writestr(CONFIG_MEMBER, text)
            archive.write(inside, WEIGHTS_MEMBER)
    finally:
        if os.path.exists(inside):
            os.unlink(inside)


def _can_be_stored(name: str, as_path: bool) -> bool:
    """Whether HDF5 can store a name as a string, and if `as_path` also as a path, where `/` separates groups."""
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
        raise ShapeError(f"{unknown[0]}: there are weights for this layer, but the model does not have it")
    for layer in target.layers:
        given = weights.get(layer.name, {})
        if set(given) != set(layer.weights):
            expected, got = (", ".join(sorted(names)) or "none" for names in (layer.weights, given))
            raise ShapeError(f"{layer.name}: expected weights {expected}, got {got}")
        for name, shape in layer.weights.items():
            found = tuple(given[name].shape)
            if found != tuple(shape):
                raise ShapeError(f"{layer.name}: expected {name} {shape_text(shape)}, got {shape_text(found)}")


def _write_lists(file: h5py.Group, target: Target, weights: Weights) -> None:
    """Write `layer_names`, and for each layer a group with `weight_names` and arrays at `layer/kernel:0`."""
    file.attrs["backend"], file.attrs["keras_version"] = BACKEND, KERAS_VERSION
    _write_names(file, "layer_names", [layer.name for layer in target.layers])
    for layer in target.layers:
        group = file.require_group(layer.name)  # it exists already if another layer's weights are stored below it
        arrays = {f"{layer.name}/{name}:0": array for name, array in _arrays(layer, weights)}
        _write_names(group, "weight_names", list(arrays))
        for full_name, array in arrays.items():
            group.create_dataset(full_name, data=array)


def _write_classes(file: h5py.File, target: Target, weights: Weights) -> None:
    """Write arrays at `layers/conv2d_1/vars/0`, and the layer's name as an attribute of `vars`, as in Keras 3.6."""
    file.create_group("vars").attrs["name"] = target.name
    container = file.create_group("layers")
    counts: dict[str, int] = {}
    for layer in target.layers:
        number = counts[layer.group_name] = counts.get(layer.group_name, -1) + 1
        name = f"{layer.group_name}_{number}" if number else layer.group_name
        variables = container.create_group(f"{name}/vars")
        variables.attrs["name"] = layer.name
        for position, (_, array) in enumerate(_arrays(layer, weights)):
            variables.create_dataset(str(position), data=array)


def _write_names(group: h5py.Group, attribute: str, names: list[str]) -> None:
    """Write a list of names as fixed-length strings, which every version can read; a long list is split into parts."""
    texts = np.array([name.encode() for name in names]) if names else np.zeros(0)
    if texts.nbytes <= LONGEST_ATTRIBUTE:
        group.attrs[attribute] = texts
        return
    names_in_one = LONGEST_ATTRIBUTE // texts.itemsize
    for number, part in enumerate(np.array_split(texts, -(-len(texts) // names_in_one))):
        group.attrs[f"{attribute}{number}"] = part


def _arrays(layer: TargetLayer, weights: Weights) -> list[tuple[str, np.ndarray]]:
    """(name, array) of what Keras stores for a layer, in its order; for a Normalization that includes a count."""
    arrays = [(name, np.ascontiguousarray(weights[layer.name][name], dtype="<f4")) for name in _in_order(layer)]
    counted = layer.kind == "Normalization" and bool(arrays)
    return [*arrays, ("count", np.zeros((), "<i4"))] if counted else arrays


def _in_order(layer: TargetLayer) -> list[str]:
    """The names of the layer's weights in the order in which Keras writes and reads them.

    Names that Keras does not have, of a layer written by a user, come last, in the layer's own order.
    """
    known = [name for name in WEIGHT_ORDER if name in layer.weights]
    return known + [name for name in layer.weights if name not in known]


@contextmanager
def _hdf5(draft: str) -> Iterator[h5py.File]:
    """Yield a new HDF5 file at `draft`, which this process may have locked already."""
    h5py = require("h5py", "saving a Keras weight file")  # reading does not need it
    with h5py.File(draft, "w", locking=False) as file:
        yield file


@contextmanager
def _replacing(path: str) -> Iterator[str]:
    """Yield the name of a file to write, which replaces `path` when the block ends without an error.

    Otherwise it is deleted. If `path` is a link, the file that it leads to is replaced.
    """
    try:
        final = place_to_write(path)
        with temporary_file(final) as (empty, draft):
            empty.close()
            yield str(draft)
            with open(draft, "rb+") as written:
                os.fsync(written.fileno())
            os.replace(draft, final)
    # h5py raises RuntimeError when the disk is full on closing, ValueError or TypeError when two names collide.
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        raise WeightsError(f"{path}: not saved: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """One line for HDF5's error message of several lines."""
    number = getattr(error, "errno", None)
    for candidate in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM):
        if number == candidate or f"errno = {candidate}," in str(error):
            return os.strerror(candidate)
    return " ".join(str(getattr(error, "strerror", None) or error).split())[:200]
