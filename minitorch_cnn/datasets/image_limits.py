"""What reading an image file may cost, judged from its header before any pixel is decoded.

A file of a hundred bytes can declare a billion pixels, and one of a megabyte can ask a decoder to run over the same
pixels ten thousand times. So the memory is estimated from the declared size, the kind of file and the requested size,
and what a decoder may read is limited as well.
"""

import contextlib
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minitorch_cnn.errors import DataError

MIB = 1 << 20
MOST_BYTES = 500 * MIB  # of the file, and of memory; an RGB photo of 125 million pixels takes 500 MB
LONGEST_SIDE = 65_535  # pixels; no JPEG file can have a longer one
MOST_PIXELS = 150_000_000  # some images take one byte per pixel, so that memory alone would not limit the time
SLOW_DECODERS = ("ppm", "ppm_plain", "bmp_rle")  # those that Pillow has written in Python
MOST_SLOW_PIXELS = 2_000_000
MOST_SCANNED = 3_000_000_000  # pixels times scans of a JPEG file; ordinary progressive files have about ten scans

# The most that is read before the pixels, for the pixels, and after them; PNG allows descriptions there.
HEADER_BYTES, HEADER_READS = 32 * MIB, 10_000
TIFF_HEADER_BYTES = MIB  # from its header Pillow makes a Python object for every strip of the image
PIXEL_READS = 500_000
SLOW_PIXEL_BYTES, SLOW_PIXEL_READS = 24 * MIB, 5_000_000
BYTES_OF_NUMBER = 5  # of a slow decoder's pixels: as text three digits and a space, and some for ends of line
TAIL_BYTES, TAIL_READS = MIB, 1000
PLAIN_BLOCK = 4096  # bytes; in numbers written as text Pillow needs time quadratic in the block to skip the comments

RESIZABLE_MODES = ("L", "LA", "RGB", "RGBA", "I")  # modes of Pillow; others are converted before they are resized
WEBP_BYTES = 13  # a pixel: its canvas, the one before it, and a copy on the way to Pillow
SLOW_BYTES = 40  # a pixel: Python objects
RESULT_BYTES = 24  # a pixel of the resized image: its copies with and without transparency, and the array
BITS, ORIENTATION, SAMPLES, STRIP_ROWS, TILE_WIDTH, TILE_HEIGHT = 258, 274, 277, 278, 322, 323  # tags of a TIFF file


class TooMuchRead(Exception):
    """A decoder wanted to read more than was allowed; no OSError, because Pillow expects and swallows some of those."""


class LimitedFile(io.BufferedReader):
    """An image file whose reads are counted; TooMuchRead when they exceed what is allowed."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(io.FileIO(path))
        self.path = path
        self.size = self.seek(0, io.SEEK_END)
        self.seek(0)
        if self.size > MOST_BYTES:
            raise DataError(f"{path}: expected at most {MOST_BYTES // MIB} MiB, got {self.size // MIB:,}")
        self.longest_read = MOST_BYTES
        tiff = self.peek(2)[:2] in (b"II", b"MM")
        self.allow(TIFF_HEADER_BYTES if tiff else HEADER_BYTES, HEADER_READS)

    def allow(self, bytes_left: int, reads_left: int) -> None:
        """Allow this much from now on."""
        self.bytes_left, self.reads_left = bytes_left, reads_left

    def read(self, size: int | None = -1, /) -> bytes:
        most = min(self.bytes_left + 1, self.longest_read)
        data = super().read(most if size is None or size < 0 else min(size, most))
        self.bytes_left -= len(data)
        self.reads_left -= 1
        if self.bytes_left < 0 or self.reads_left < 0:
            raise TooMuchRead
        return data


def check_cost(file: LimitedFile, image: Any, full_size: tuple[int, int], size: tuple[int, int]) -> None:
    """Raise DataError if decoding and resizing an image would take too much memory or time.

    Arguments: `image` as Pillow opened it from `file`, which may decode JPEG at less than its `full_size`; `size`
    (width, height) to which it will be resized.
    """
    shape = "x".join(map(str, full_size))
    if max(full_size) > LONGEST_SIDE:
        raise DataError(f"{file.path}: expected at most {LONGEST_SIDE} pixels a side, got {shape}")
    slow = _decoder(image) in SLOW_DECODERS
    most = MOST_SLOW_PIXELS if slow else MOST_PIXELS
    pixels = max(math.prod(full_size), _tiled_pixels(image))
    if pixels > most:
        kind = f" of {_decoder(image)}" if slow else ""
        raise DataError(
            f"{file.path}: expected at most {most // 1_000_000} million pixels{kind}, got {pixels:,} ({shape})"
        )
    needed = memory_needed(file, image, full_size, size)
    if needed > MOST_BYTES:
        raise DataError(
            f"{file.path}: expected an image that takes at most {MOST_BYTES // MIB} MiB of memory, "
            f"got {shape} ({image.mode}), which takes {needed // MIB:,} until it is {size[0]}x{size[1]}"
        )


def memory_needed(file: LimitedFile, image: Any, full_size: tuple[int, int], size: tuple[int, int]) -> int:
    """The most bytes that are held at one time while the image is decoded and resized; arguments as for `check_cost`"""
    pixels = image.width * image.height
    stored = pixels * {"1": 1, "L": 1, "P": 1}.get(image.mode, 2 if image.mode.startswith("I;16") else 4)
    converted = 0 if image.mode in RESIZABLE_MODES else 4 * pixels
    if image.mode in ("LA", "RGBA"):
        converted = 4 * pixels  # colours weighted by their opacity, so that transparent ones do not count
    elif "transparency" in image.info:
        converted = 8 * pixels
    resized = 4 * size[0] * image.height + RESULT_BYTES * size[0] * size[1]  # Pillow resizes rows first, then columns
    return stored + max(_decoder_bytes(file, image, math.prod(full_size), stored), converted + resized)


@contextlib.contextmanager
def reading_pixels(file: LimitedFile, image: Any, full_size: tuple[int, int]) -> Iterator[None]:
    """Context in which the image may be loaded: what the pixels need may be read, and little after them.

    Raises DataError for a JPEG image of too many scans.
    """
    in_strips = image.format == "TIFF" and image.info.get("compression") == "jpeg"
    if in_strips or (image.format in ("JPEG", "MPO") and _in_several_scans(file, image)):
        scans = _count(file, b"\xff\xda")
        if scans * math.prod(_block_size(image) if in_strips else full_size) > MOST_SCANNED:
            raise DataError(f"{file.path}: expected a JPEG image of about ten scans, got {scans:,}")
    slow = _decoder(image) in SLOW_DECODERS
    if slow:
        numbers = math.prod(full_size) * len(image.getbands())
        file.allow(min(SLOW_PIXEL_BYTES, BYTES_OF_NUMBER * numbers + TAIL_BYTES), SLOW_PIXEL_READS)
    else:
        file.allow(MOST_BYTES, PIXEL_READS)
    if _decoder(image) == "ppm_plain":
        file.longest_read = PLAIN_BLOCK
    load_end = image.load_end

    def limited_end():
        file.allow(TAIL_BYTES, TAIL_READS)
        load_end()

    image.load_end = limited_end
    try:
        yield
    finally:
        del image.load_end  # it refers to the image, which would keep its memory occupied for a while


def _decoder(image):
    """Pillow's name of the decoder."""
    return image.tile[0][0] if image.tile else ""


def _decoder_bytes(file, image, full_pixels, stored):
    """The most bytes that the decoder holds besides the decoded image of `stored` bytes."""
    if image.format == "WEBP":
        return WEBP_BYTES * full_pixels + 2 * file.size
    if image.format == "TIFF":
        tags, compression = image.tag_v2, image.info.get("compression")
        turned = stored if tags.get(ORIENTATION, 1) != 1 else 0
        if compression == "raw":
            return turned + file.size
        samples = max(4, tags.get(SAMPLES, 1) * max(tags.get(BITS, (1,))) // 8)
        return turned + file.size + math.prod(_block_size(image)) * samples * (3 if compression == "jpeg" else 1)
    if image.format in ("JPEG", "MPO") and _in_several_scans(file, image):
        blocks = [vertical * horizontal for _, vertical, horizontal, _ in image.layer]
        return 2 * full_pixels * sum(blocks) // max(blocks)  # every coefficient of the image, in two bytes
    return SLOW_BYTES * full_pixels if _decoder(image) in SLOW_DECODERS else 0


def _in_several_scans(file, image):
    """Whether the pixels of a JPEG file are complete only after several scans; the file is at the end of the first."""
    if image.info.get("progressive"):
        return True
    place, channels = file.tell(), len(image.layer)
    file.seek(max(0, place - 8 - 2 * channels))
    begins = file.read(5)
    file.seek(place)
    return begins != b"\xff\xda" + (6 + 2 * channels).to_bytes(2, "big") + bytes([channels])


def _block_size(image):
    """(width, height) of a tile or strip of a TIFF file, which is decoded at a time."""
    tags, (width, height) = image.tag_v2, image.size
    if TILE_WIDTH in tags:
        return tags[TILE_WIDTH], tags[TILE_HEIGHT]
    return width, min(height, tags.get(STRIP_ROWS, height))


def _tiled_pixels(image):
    """The pixels of all tiles of a TIFF file together; the last ones may extend beyond the image."""
    if image.format != "TIFF":
        return 0
    return math.prod(-(-side // block) * block for side, block in zip(image.size, _block_size(image)))


def _count(file, marker):
    """How often `marker` is in the file, with few of its bytes in memory."""
    found, last, place = 0, b"", file.tell()
    file.seek(0)
    while block := file.read1(MIB):
        found += (last + block).count(marker)
        last = block[-1:]
    file.seek(place)
    return found
