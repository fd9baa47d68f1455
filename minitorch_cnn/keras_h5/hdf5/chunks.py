"""Chunked datasets: pieces of equal size, each located through a B-tree and possibly compressed.

A few kilobytes of gzip can expand to gigabytes, so compressed lengths are never trusted. A chunk has the size that the
dataset declares, decompression stops there, and the caller has already compared the shape with the model's.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from math import prod

import numpy as np

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.hdf5 import btree_v1
from minitorch_cnn.keras_h5.hdf5.window import Cursor, Window, damaged

Buffer = bytes | bytearray | memoryview

MOST_CHUNKS = 100_000  # a network of half a gigabyte has about two thousand

GZIP, SHUFFLE, FLETCHER32 = 1, 2, 3
FLETCHER_BLOCK = 2**16  # words
OTHER_FILTERS = {4: "szip", 5: "nbit", 6: "scale-offset", 32000: "lzf", 32001: "blosc", 32004: "lz4", 32015: "zstd"}


@dataclass(frozen=True)
class Filter:
    """One step that was applied when a chunk was written; reading undoes the steps in reverse order."""

    number: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """One stored chunk: where it starts in the array and in the file, and a bit for each filter that was skipped."""

    start: tuple[int, ...]
    address: int
    size: int
    skipped_filters: int


def parse_filters(cursor: Cursor) -> tuple[Filter, ...]:
    """Parse a filter message; raises WeightsError, naming the filter, for compression other than gzip."""
    version, count = cursor.number(1), cursor.number(1)
    if version not in (1, 2):
        raise WeightsError(f"HDF5 filter version {version} is not supported")
    if version == 1:
        cursor.skip(6)
    filters: list[Filter] = []
    for _ in range(count):
        number = cursor.number(2)
        name_size = cursor.number(2) if version == 1 or number >= 256 else 0
        cursor.skip(2)
        value_count = cursor.number(2)
        cursor.skip(name_size + (-name_size % 8 if version == 1 else 0))
        values = tuple(cursor.number(4) for _ in range(value_count))
        if version == 1 and value_count % 2:
            cursor.skip(4)
        if number not in (GZIP, SHUFFLE, FLETCHER32):
            name = OTHER_FILTERS.get(number, f"filter {number}")
            raise WeightsError(f"weights compressed with {name} are not supported, only gzip")
        if any(number == step.number for step in filters):  # 255 repeated filters would take 255 times as long
            raise WeightsError("weights that passed through the same filter twice are not supported")
        filters.append(Filter(number, values))
    return tuple(filters)


def list_chunks(window: Window, tree: int, shape: tuple[int, ...], chunk_shape: tuple[int, ...]) -> list[Chunk]:
    """List the chunks of a dataset; raises WeightsError unless the shape's chunks are all there exactly once."""
    counts = [-(-size // step) for size, step in zip(shape, chunk_shape)]
    expected = prod(counts)
    if expected > MOST_CHUNKS or expected * 24 > window.size:
        raise WeightsError(f"it declares {expected:,} chunks, more than the file can hold")
    chunks: dict[tuple[int, ...], Chunk] = {}
    for key, address in btree_v1.walk(window, tree, btree_v1.CHUNKS, 8 + 8 * (len(shape) + 1)):
        cursor = Cursor(key, "a chunk")
        size, skipped = cursor.number(4), cursor.number(4)
        start = tuple(cursor.number(8) for _ in shape)
        inside = all(begin % step == 0 and begin < length for begin, step, length in zip(start, chunk_shape, shape))
        if not inside or start in chunks:
            raise damaged("a chunk lies outside its dataset or is stored twice")
        window.require(address, size, "a chunk")
        chunks[start] = Chunk(start, address, size, skipped)
    if len(chunks) != expected:
        raise WeightsError(f"only {len(chunks)} of its {expected} chunks were written")
    return list(chunks.values())


def read_chunk(window: Window, chunk: Chunk, filters: tuple[Filter, ...], size: int, item_size: int) -> Buffer:
    """The `size` bytes of one chunk with its filters undone."""
    checksums = sum(4 for step in filters if step.number == FLETCHER32)
    if chunk.size > 2 * size + checksums + 1024:  # compression enlarges incompressible data by a thousandth
        raise damaged("a chunk is stored in far more bytes than it holds")
    data: Buffer
    data = bytearray(chunk.size)
    window.read_into(data, chunk.address, "a chunk")
    for position in reversed(range(len(filters))):
        if chunk.skipped_filters >> position & 1:
            continue
        step = filters[position]
        if step.number == FLETCHER32:
            data = _without_checksum(data)
        elif step.number == GZIP:
            data = _inflated(data, size + checksums)
        else:
            data = _unshuffled(data, item_size)
    if len(data) != size:
        raise damaged("a chunk does not have the size that its dataset declares")
    return data


def _inflated(data: Buffer, limit: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, limit + 1)
    except zlib.error:
        raise damaged("a compressed chunk cannot be decompressed") from None


def _unshuffled(data: Buffer, item_size: int) -> Buffer:
    """Undo shuffling, which stores the first bytes of all numbers, then all second bytes, ...: a transposed table."""
    whole = len(data) - len(data) % item_size
    restored = bytearray(data)  # an incomplete number at the end keeps its place
    table = np.frombuffer(data, np.uint8, whole).reshape(item_size, -1)
    np.frombuffer(restored, np.uint8, whole).reshape(-1, item_size)[...] = table.T
    return restored


def _without_checksum(data: Buffer) -> memoryview:
    """The data without its last four bytes, after comparing these with Fletcher's checksum of the rest."""
    if len(data) < 4:
        raise damaged("a chunk is shorter than its checksum")
    body, stored = memoryview(data)[:-4], int.from_bytes(data[-4:], "little")
    simple, weighted = fletcher_sums(body)
    if (stored & 0xFFFF) % 65535 != simple or (stored >> 16) % 65535 != weighted:
        raise damaged("a chunk's checksum is wrong")
    return body


def fletcher_sums(data: Buffer) -> tuple[int, int]:
    """The two sums, modulo 65535, of Fletcher's checksum over big-endian 16-bit words w_1 ... w_n.

    The first is w_1 + ... + w_n; the second adds up the first sum after every word: n w_1 + (n-1) w_2 + ... + w_n. Both
    are computed block by block, so that no sum exceeds 64 bits and a large chunk needs no second array of its size.
    """
    simple = weighted = 0
    for start in range(0, len(data), 2 * FLETCHER_BLOCK):
        block = bytes(data[start : start + 2 * FLETCHER_BLOCK])
        words = np.frombuffer(block + b"\0" * (len(block) % 2), ">u2").astype(np.uint64)
        weights = np.arange(len(words), 0, -1, dtype=np.uint64)
        weighted = (weighted + len(words) * simple + int(words @ weights)) % 65535
        simple = (simple + int(words.sum())) % 65535
    return simple, weighted
