"""Reading one image file as an array: every supported format becomes red-green-blue, or grey if that is asked for."""

import contextlib
import os
import threading
from pathlib import Path

import numpy as np

from minitorch_cnn.datasets.image_limits import (
    MIB,
    ORIENTATION,
    RESIZABLE_MODES,
    LimitedFile,
    TooMuchRead,
    check_cost,
    memory_needed,
    reading_pixels,
)
from minitorch_cnn.errors import ArgumentError, DataError, require
from minitorch_cnn.files.printable import printable

LARGE = 64 * MIB  # of memory; larger images are decoded one at a time, because a few at once could fill the memory
LONGEST_EXIF = 1 << 16  # bytes; a longer description is not searched for the orientation
# Raster formats, without those whose reader starts other programs (EPS) and those unusual in training.
FORMATS = {  # Pillow's name: the beginning of its module's name
    "JPEG": "Jpeg", "PNG": "Png", "GIF": "Gif", "BMP": "Bmp", "WEBP": "WebP", "TIFF": "Tiff", "PPM": "Ppm",
}  # fmt: skip
TURNS = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270", 7: "TRANSVERSE",
    8: "ROTATE_90",
}  # fmt: skip
PURPOSE = "reading an image file"

CHANNELS = {"rgb": 3, "grayscale": 1}  # by Keras's names

_one_large_image = threading.Lock()


def load_image(path: str | Path, height: int, width: int, color_mode: str = "rgb") -> np.ndarray:
    """Read an image file and return it resized, as an array (height, width, 3) uint8, or (height, width, 1).

    Arguments: `path` of a JPEG, PNG, GIF, BMP, WebP, TIFF or PPM file, of which the first frame is read; `height` and
    `width` in pixels, to which the image is resized regardless of its proportions (bilinear, with averaging when it
    shrinks); `color_mode` "rgb" or "grayscale", one channel: 0.299 red + 0.587 green + 0.114 blue.

    The image is rotated according to its EXIF orientation, transparent parts become white, and grey, palette and CMYK
    images become red-green-blue. Raises DataError, naming the file, when it is not an image, is damaged, or would take
    more than 500 MiB of memory (for example 125 million RGB pixels, or half as many with transparency).
    """
    Image = require("PIL.Image", PURPOSE)
    size, channels = image_size(height, width), channels_of(color_mode)
    with _opened(path, size) as (file, image, full_size), _alone_if_large(file, image, full_size, size):
        if image.mode == "F":
            raise DataError(f"{path}: expected 8 or 16 bits per channel, got an image of floating-point numbers")
        with reading_pixels(file, image, full_size):
            image.load()
        orientation = _orientation(image)
        if image.mode.startswith("I;16"):
            image = _with_alpha(image) if "transparency" in image.info else image.convert("I")
        elif image.mode not in RESIZABLE_MODES or "transparency" in image.info:  # one colour means transparent
            image = image.convert("RGBA" if image.has_transparency_data else "RGB")
        turned = orientation in (5, 6, 7, 8)  # rows become columns
        image = _rgb(image.resize(size[::-1] if turned else size, Image.Resampling.BILINEAR))
        image = image.transpose(Image.Transpose[TURNS[orientation]]) if orientation in TURNS else image
        return np.array(image.convert("L") if channels == 1 else image).reshape(height, width, channels)


def channels_of(color_mode: str) -> int:
    """How many channels an image has in that `color_mode`; ArgumentError for an unknown one."""
    if not isinstance(color_mode, str) or color_mode not in CHANNELS:
        raise ArgumentError(f"color_mode: expected {' or '.join(CHANNELS)}, got {color_mode!r}")
    return CHANNELS[color_mode]


def check_image(path: str | Path, height: int, width: int) -> None:
    """Raise DataError if a file is not an image or takes too much memory; arguments as for `load_image`.

    Only the header is read, so other damage is missed.
    """
    with _opened(path, image_size(height, width)):
        pass


def stored_size(path: str | Path) -> tuple[int, int]:
    """(height, width) in pixels of the image in a file, as it is stored; only the header is read. Raises DataError."""
    with _opened(path, (1, 1)) as (_, _, (width, height)):
        return height, width


def is_file(path: Path) -> bool:
    """Whether `path` is a regular file; False if it is not a valid path at all."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder; False if it is not a valid path at all."""
    try:
        return path.is_dir()
    except OSError:
        return False


def image_size(height: int, width: int) -> tuple[int, int]:
    """(width, height), which is Pillow's order; raises ArgumentError unless both are from 1 to 10000."""
    for name, value in (("height", height), ("width", width)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 1 <= value <= 10_000:
            raise ArgumentError(f"image size: {name}: expected an integer from 1 to 10000, got {value!r}")
    return int(width), int(height)


@contextlib.contextmanager
def _opened(path, size):
    """Context with (file, image, its full size); only the header is read, and any error becomes a DataError."""
    Image = require("PIL.Image", PURPOSE)
    path = Path(os.path.expanduser(path))
    if not is_file(path):  # this also excludes pipes, which could block for ever when opened
        raise DataError(f"{path}: expected an image file, found {'a folder' if is_folder(path) else 'no such file'}")
    try:
        with LimitedFile(path) as file, _identified(file) as image:
            full_size = image.size
            # JPEG can be decoded at a half, a quarter or an eighth of its size. We keep at least twice the requested
            # size, in both directions the larger of the two because the image may still be rotated.
            image.draft(None, (2 * max(size), 2 * max(size)))
            check_cost(file, image, full_size, size)
            yield file, image, full_size
    except DataError:
        raise
    except PermissionError:
        raise DataError(f"{path}: cannot be read (permission denied)") from None
    except TooMuchRead:
        raise DataError(f"{path}: expected an ordinary image, got one with too much besides its pixels") from None
    except Image.DecompressionBombError as error:
        raise DataError(f"{path}: expected an ordinary image ({error})") from None
    except Exception as error:  # decoders raise almost any exception for damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: expected a whole image, got a damaged one ({printable(reason)[:300]})") from None


def _identified(file):
    """The image that Pillow opens from a LimitedFile.

    `PIL.Image.open` does the same but warns about images that are large for Pillow, not for the limits here.
    """
    Image = require("PIL.Image", PURPOSE)
    for name, module in FORMATS.items():
        require(f"PIL.{module}ImagePlugin", PURPOSE)
        open_format, accepts = Image.OPEN[name]
        if accepts(file.peek(16)[:16]) is True:
            return open_format(file, "")
    what = "something else" if file.size else "an empty file"
    raise DataError(f"{file.path}: expected an image ({', '.join(FORMATS)}), got {what}")


@contextlib.contextmanager
def _alone_if_large(*cost):
    with _one_large_image if memory_needed(*cost) > LARGE else contextlib.nullcontext():
        yield


def _orientation(image):
    """The EXIF orientation, from 1 to 8; 1 if there is none or it cannot be read."""
    if len(image.info.get("exif") or "") > LONGEST_EXIF:
        return 1
    with contextlib.suppress(Exception):  # the pixels are decoded already; unreadable EXIF data can be ignored
        return image.getexif().get(ORIENTATION, 1)
    return 1


def _with_alpha(image):
    """A 16-bit grey image of which one value means transparent, as RGBA with 8 bits."""
    Image = require("PIL.Image", PURPOSE)
    values = np.asarray(image.convert("I"))
    alpha = np.where(values == image.info["transparency"], 0, 255).astype(np.uint8)
    return Image.fromarray(np.dstack([(np.clip(values, 0, 65535) // 256).astype(np.uint8)] * 3 + [alpha]))


def _rgb(image):
    """Convert a grey or colour image to RGB, with white behind transparent parts."""
    Image = require("PIL.Image", PURPOSE)
    if image.mode == "I":  # 16-bit grey: Pillow's own conversion would clip at 255
        image = Image.fromarray((np.clip(np.asarray(image), 0, 65535) // 256).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
