"""Reading one image file as an array: every supported format becomes (height, width, 3) red-green-blue."""

import contextlib
import threading
from pathlib import Path

import numpy as np

from minitorch_cnn.errors import ArgumentError, DataError, require

MOST_PIXELS = 64_000_000  # a larger image is rejected before decoding, which would take 500 MB or more
LARGE = 16_000_000  # pixels; larger images are decoded one at a time, because a few at once could fill the memory
# Pillow modes that can be resized directly, which leaves few pixels for later steps; others are converted to one first.
RESIZABLE_MODES = ("L", "LA", "RGB", "RGBA")
# Raster formats, without those whose reader starts other programs (EPS) and those unusual in training.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
PURPOSE = "reading an image file"

_one_large_image = threading.Lock()


def load_image(path: str | Path, height: int, width: int) -> np.ndarray:
    """Read an image file and return it resized, as an array (height, width, 3) uint8.

    Arguments: `path` of a JPEG, PNG, GIF, BMP, WebP, TIFF or PPM file, of which the first frame is read; `height` and
    `width` in pixels, to which the image is resized regardless of its proportions (bilinear, with averaging when it
    shrinks).

    The image is rotated according to its EXIF orientation, transparent parts become white, and grey, palette and CMYK
    images become red-green-blue. Raises DataError, naming the file, when it is not an image, is damaged, or has more
    than 64 million pixels.
    """
    Image, ImageOps = require("PIL.Image", PURPOSE), require("PIL.ImageOps", PURPOSE)
    size = image_size(height, width)
    with _opened(path) as image, _alone_if_large(image):
        # JPEG can be decoded at a half, a quarter or an eighth of its size. We keep at least twice the requested size,
        # in both directions the larger of the two because the image may still be rotated.
        image.draft(None, (2 * max(size), 2 * max(size)))
        image.load()
        with contextlib.suppress(Exception):  # the pixels are decoded already; unreadable EXIF data can be ignored
            ImageOps.exif_transpose(image, in_place=True)
        if image.mode not in RESIZABLE_MODES or "transparency" in image.info:  # one colour means transparent
            image = _plain(path, image)
        return np.array(_rgb(image.resize(size, Image.Resampling.BILINEAR)))


def check_image(path: str | Path) -> None:
    """Raise DataError if a file is not an image or is too large; only the header is read, so other damage is missed."""
    with _opened(path):
        pass


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
def _opened(path):
    """Context with an image of which only the header is read; any error inside becomes a DataError of one line."""
    Image = require("PIL.Image", PURPOSE)
    path = Path(path)
    if not is_file(path):  # this also excludes pipes, which could block for ever when opened
        raise DataError(f"{path}: expected an image file, found {'a folder' if is_folder(path) else 'no such file'}")
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise DataError(
                    f"{path}: expected at most {MOST_PIXELS // 1_000_000} million pixels, "
                    f"got {image.width}x{image.height}"
                )
            yield image
    except DataError:
        raise
    except Image.UnidentifiedImageError:
        what = "an empty file" if path.stat().st_size == 0 else "something else"
        raise DataError(f"{path}: expected an image ({', '.join(FORMATS)}), got {what}") from None
    except Image.DecompressionBombError:
        raise DataError(f"{path}: expected at most {MOST_PIXELS // 1_000_000} million pixels, got many more") from None
    except Exception as error:  # decoders raise almost any exception for damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: expected a whole image, got a damaged one ({reason})") from None


@contextlib.contextmanager
def _alone_if_large(image):
    with _one_large_image if image.width * image.height > LARGE else contextlib.nullcontext():
        yield


def _plain(path, image):
    """Convert an image of any other mode to RGB, or to RGBA if it has transparency."""
    if image.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion would clip at 255
        grey = np.clip(np.asarray(image), 0, 65535)
        image = require("PIL.Image", PURPOSE).fromarray((grey // 256).astype(np.uint8))
    if image.mode == "F":
        raise DataError(f"{path}: expected 8 or 16 bits per channel, got an image of floating-point numbers")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _rgb(image):
    """Convert a grey or colour image to RGB, with white behind transparent parts."""
    if image.has_transparency_data:
        Image = require("PIL.Image", PURPOSE)
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
