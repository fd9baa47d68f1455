"""Opens a weight file and finds the HDF5 data in it; its content decides, never its name.

A `.keras` file can be HDF5 (TensorFlow 2.12 wrote such files), and a `.h5` file can be a web page that a download
returned instead. A file that is neither HDF5 nor a `.keras` archive is rejected with a hint at what it seems to be.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import FileIO

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.hdf5 import File, Window, open_hdf5
from minitorch_cnn.keras_h5.hdf5.superblock import find_signature
from minitorch_cnn.keras_h5.model_config import LONGEST_CONFIG, ModelConfig, parse_config, parse_version
from minitorch_cnn.keras_h5.zip_member import Member, find_member, list_members, open_member

WEIGHTS_MEMBER, CONFIG_MEMBER, METADATA_MEMBER = "model.weights.h5", "config.json", "metadata.json"
CHECKPOINT_HINT = (
    "it is part of a TensorFlow checkpoint, not an HDF5 file;"
    " in TensorFlow, load it and call model.save_weights('x.weights.h5')"
)

# The first bytes of other kinds of files, and what to say about them.
OTHER_BEGINNINGS = (
    (b"<", "it is a web page or XML, not weights: the server sent a page instead of the file"),
    (b"version https://git-lfs", "it is a Git LFS pointer; fetch the real file with `git lfs pull`"),
    (b"model_checkpoint_path", CHECKPOINT_HINT),
    (b"\x1f\x8b", "it is gzip-compressed; unpack it first"),
    (b"\x93NUMPY", "it is a NumPy array (.npy), not a Keras weight file"),
    (b"\x80", "it seems to be a Python pickle (PyTorch?), which can run code when it is opened, so it is not opened"),
)
TENSORFLOW_INDEX_END = bytes.fromhex("57fb808b247547db")


@dataclass
class Container:
    """An open weight file: its HDF5 part, its size in bytes, and the additional contents of a `.keras` archive."""

    hdf5: File
    size: int
    zipped: bool = False
    config: ModelConfig | None = None
    keras_version: str | None = None
    config_text: str | bytes | None = None

    def description(self) -> str | bytes | None:
        """The JSON text that describes the model; None if the file has none, like one that holds only weights."""
        if self.zipped:
            return self.config_text or None
        return self.hdf5.root.text("model_config")


@contextmanager
def opened(path: str | os.PathLike) -> Iterator[Container]:
    """Open the weight file at `path` for a `with` block; every error is a WeightsError that names the path."""
    path = os.path.expanduser(os.fsdecode(path))
    try:
        with ExitStack() as files:
            file = files.enter_context(_open_regular_file(path))
            yield _container(Window(file, 0, os.fstat(file.fileno()).st_size), os.path.basename(path), files)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror or error}") from None


def _open_regular_file(path: str) -> FileIO:
    """Open without buffering; pipes and devices are rejected first, because opening one can block forever."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        checkpoint = os.path.exists(f"{path}.index")
        hint = f"; {os.path.basename(path)}.index exists: {CHECKPOINT_HINT}" if checkpoint else ""
        raise WeightsError(f"no such file{hint}") from None
    except ValueError as error:  # a path with a zero byte in it
        raise WeightsError(str(error)) from None
    if stat.S_ISDIR(mode):
        saved_model = os.path.exists(os.path.join(path, "saved_model.pb"))
        kind = "a folder (TensorFlow SavedModel)" if saved_model else "a folder"
        raise WeightsError(f"it is {kind}, expected a .keras or .h5 file")
    if not stat.S_ISREG(mode):
        raise WeightsError("it is not a regular file")
    return open(path, "rb", buffering=0)


def _container(window: Window, name: str, files: ExitStack) -> Container:
    if window.size == 0:
        raise WeightsError("the file is empty")
    if window.read(0, min(4, window.size), "the file") == b"PK\x03\x04":
        return _from_archive(window, files)
    if find_signature(window) is None:
        raise WeightsError(_what_else(window, name))
    return Container(open_hdf5(window), window.size)


def _from_archive(window: Window, files: ExitStack) -> Container:
    members = list_members(window)
    weights = find_member(members, WEIGHTS_MEMBER)
    if weights is None:
        names = {member.name for member in members}
        if "model.weights.npz" in names:
            raise WeightsError("it is a Keras archive with its weights in .npz; save it with its weights in HDF5")
        if any(name.endswith("data.pkl") for name in names):
            raise WeightsError("it is a PyTorch file, not a Keras weight file")
        if any(name.endswith(".npy") for name in names):
            raise WeightsError("it is a NumPy archive (.npz), not a Keras weight file")
        raise WeightsError(f"it is a zip archive without {WEIGHTS_MEMBER}")
    text = _text(window, members, CONFIG_MEMBER, files)
    version = parse_version(_text(window, members, METADATA_MEMBER, files))
    inside = open_member(window, weights, files)
    if find_signature(inside) is None:
        raise WeightsError(f"{WEIGHTS_MEMBER} in the zip archive is not an HDF5 file")
    return Container(open_hdf5(inside), window.size, True, parse_config(text), version, text)


def _text(window: Window, members: list[Member], name: str, files: ExitStack) -> bytes:
    """The bytes of a small member, or none: descriptions help, but weights can be read without them."""
    member = find_member(members, name)
    if member is None or max(member.size, member.stored_size) > LONGEST_CONFIG:
        return b""
    inside = open_member(window, member, files)
    return inside.read(0, inside.size, name)


def _what_else(window: Window, name: str) -> str:
    """Guess what kind of file it is if not HDF5."""
    start = window.read(0, min(4096, window.size), "the file")
    end = window.read(max(0, window.size - 8), min(8, window.size), "the file")
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    for beginning, meaning in OTHER_BEGINNINGS:
        if text.startswith(beginning):
            return meaning
    if text.startswith(b"{"):
        sharded = b"weight_map" in start or name.endswith(".weights.json")
        return "it lists the parts of a sharded Keras 3 file; save the weights in one file" if sharded else "it is JSON"
    if end == TENSORFLOW_INDEX_END or ".data-00000-of-" in name:
        return CHECKPOINT_HINT
    return f"it is not an HDF5 file (it begins with {start[:8]!r}); the download may have failed"
