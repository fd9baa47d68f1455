"""What a checkpoint records of its data, so that a resumed training notices that it got other data.

Of an array it records shape, dtype and a checksum of evenly spread images (of all, up to 32 MiB), and a checksum of all
labels. Of an image folder it records the name and the size of every file, and checksums of up to 256 evenly spread
files. Names are relative to the folder of the data set, and times are not recorded: a folder that was moved or copied
holds the same data. An edit of a few images of a large data set that changes no size goes unnoticed.
"""

from __future__ import annotations

import os
import zlib
from typing import Any

import numpy as np

from minitorch_cnn.arrays import is_array, on_host
from minitorch_cnn.datasets.augmentation import Augmentation
from minitorch_cnn.datasets.copies import Copies
from minitorch_cnn.datasets.image_folder import ImageFolder
from minitorch_cnn.datasets.several import Several
from minitorch_cnn.datasets.weighted_labels import parted
from minitorch_cnn.files.printable import counted, printable

PIXEL_BYTES = 32 << 20  # the most bytes of an array that are read
SAMPLE = 256  # files that are read


def data_records(training: tuple[Any, Any], validation: tuple[Any, Any] | None) -> dict[str, Any]:
    """{"training": record, "validation": record or None} of two pairs (images (N, ...), labels (N, ...)), for JSON."""
    pairs = {"training": training, "validation": validation}
    roots = {part: _folder_of(pair[0]) if pair else None for part, pair in pairs.items()}
    above = {os.path.dirname(root) for root in roots.values() if root is not None}
    if len(above) == 1 and len(set(roots.values())) > 1:  # .../train and .../validation
        roots = dict.fromkeys(roots, above.pop())
    return {part: pair and _record(*pair, roots[part]) for part, pair in pairs.items()}


def _record(images, labels, root):
    """The record of one part; of images that are no array and have no `root` folder, only their number is certain."""
    labels, weights = parted(labels)
    if weights is not None:
        return {**_record(images, labels, root), "weights": zlib.crc32(np.ascontiguousarray(weights).data)}
    if isinstance(images, Several) or isinstance(labels, Several):
        several, answers = (part.parts if isinstance(part, Several) else [part] for part in (images, labels))
        parts = [_record(part, answers[0], None) for part in several]
        return {"images": len(images), "parts": parts, "labels": [_checksum_of_labels(part) for part in answers]}
    if isinstance(images, Copies):
        changes = [change.config() if isinstance(change, Augmentation) else change for change in images.changes]
        made = {"images": len(images), "copies": {"changes": changes, "seed": images.seed}}
        return {**_record(images.images, labels, root), **made}
    record = {"images": len(images), "labels": _checksum_of_labels(labels)}
    if root is not None:
        paths = [os.path.abspath(path) for path in images.paths]
        names = [path[len(root) :].replace(os.sep, "/").lstrip("/") for path in paths]
        sample = range(0, len(paths), -(-len(paths) // SAMPLE))
        record["size"] = [images.height, images.width, *([1] if images.channels == 1 else [])]
        record["files"] = [[name, _size(path)] for name, path in zip(names, paths)]
        record["sample"] = {names[number]: _checksum_of_file(paths[number]) for number in sample}
    elif is_array(images):
        step = -(-images.nbytes // PIXEL_BYTES) or 1
        record["shape"], record["dtype"] = list(images.shape), str(images.dtype)
        record["pixels"] = zlib.crc32(np.ascontiguousarray(on_host(images[::step])).data)
    return record


def _folder_of(images):
    """The folder that the files of an ImageFolder have in common; None for other images."""
    images = images.images if isinstance(images, Copies) else images
    if not isinstance(images, ImageFolder) or not images.paths:
        return None
    try:
        return os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in images.paths])
    except ValueError:  # on several drives of Windows
        return ""


def difference(stored: dict[str, Any], own: dict[str, Any]) -> str | None:
    """How the data differ from those `stored` in a checkpoint, in words, or None.

    Arguments: {"training": record, "validation": record or None}, both alike.
    """
    files = _files(stored), _files(own)
    if all(files):
        for verb, here, there in (("is missing", *files), ("is new", *files[::-1])):
            names = [name for name in here if name not in there]
            if names:
                are = "is" if len(names) == 2 else "are"
                others = f", and so {are} {counted(len(names) - 1, 'other')}" if names[1:] else ""
                return f"the image file {printable(names[0])} {verb}{others}"
    for part in ("training", "validation"):
        before, now = stored[part], own[part]
        if before is None or now is None:
            if before is not now:
                had = counted(before["images"], f"{part} image") if before else f"no {part} images"
                return f"the run had {had}, now there {_are(now['images'] if now else 'none')}"
        elif before != now:
            return _difference(part, before, now)
    return None


def _are(count):
    return "is 1" if count == 1 else f"are {count:,}" if isinstance(count, int) else f"are {count}"


def _difference(part, before, now):
    if before.get("files") != now.get("files") and before.get("files") and now.get("files"):
        return _changed_file(part, before["files"], now["files"])
    for name, file in (before.get("sample") or {}).items():
        if now.get("sample", {}).get(name, file) != file:
            return f"the image file {printable(name)} has changed"
    for what in ("size", "shape", "dtype"):
        if before.get(what) != now.get(what):
            was, is_now = (_words(record.get(what)) for record in (before, now))
            return f"the {part} images had {what} {was} in the run, now they have {is_now}"
    if before.get("pixels") != now.get("pixels"):
        return f"the {part} images have other pixels than in the run"
    if before["images"] != now["images"]:
        return f"the run had {counted(before['images'], f'{part} image')}, now there {_are(now['images'])}"
    if before.get("copies") != now.get("copies"):
        return f"the copies of the {part} images are changed in another way than in the run"
    for what in ("labels", "weights"):
        if before.get(what) != now.get(what):
            return f"the {part} images have other {what} than in the run"
    return None


def _changed_file(part, before, now):
    sizes = dict(map(tuple, before))
    for name, size in now:
        if name not in sizes:
            return f"the image file {printable(name)} was not among the {part} images of the run"
        if size != sizes[name]:
            return f"the image file {printable(name)} has changed (it had {sizes[name]:,} bytes, now {size:,})"
    return f"the {part} images are in another order than in the run"


def _files(records):
    """{name: None} of all files of both parts; empty for data that are not files."""
    return {name: None for record in records.values() if record for name, _ in record.get("files") or ()}


def _words(value):
    return printable("x".join(map(str, value)) if isinstance(value, list) else value)[:60]


def _checksum_of_labels(labels):
    labels = on_host(labels) if is_array(labels) else np.asarray(labels)
    if labels.dtype.kind in "iubf":
        labels = labels.astype(np.float64)
    raw = str(labels.tolist()).encode() if labels.dtype.hasobject else labels.tobytes()
    return zlib.crc32(raw, len(labels))


def _checksum_of_file(path):
    try:
        with open(path, "rb") as file:
            return zlib.crc32(file.read())
    except OSError:
        return None


def _size(path):
    try:
        return os.stat(path).st_size
    except OSError:
        return None
