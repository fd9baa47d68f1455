"""One image file as an array: whatever made the file, (height, width, 3) red-green-blue comes out."""

import contextlib
import pathlib
import threading

import numpy as np

from minitorch_cnn.errors import ArgumentError, DataError

MOST_PIXELS = 64_000_000  # a larger image is refused before it is decoded: it would take 500 MB and more
LARGE = 16_000_000  # pixels; such images are decoded one at a time, or a few in one batch would fill the memory
# Kinds of pixels that are scaled as they are, so that what follows has little to do; others become one of them first.
SCALED_AS_THEY_ARE = ("L", "LA", "RGB", "RGBA")
# Formats that hold pixels. Left out are those whose reader starts other programs (EPS) or that nobody trains on.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")

_one_large_image = threading.Lock()


def load_image(path, height, width):
    """Read an image file and bring it to a size.

    path           of a JPEG, PNG, GIF, BMP, WebP, TIFF or PPM file; of an animation the first picture
    height, width  in pixels; the image is squashed to that size, its proportions are not kept (bilinear, averaged over
                   the pixels that become one)

    The image is turned as its EXIF orientation says, transparent parts become white, and grey, palette and CMYK images
    become red-green-blue. Returns (height, width, 3) uint8. Raises DataError, naming the file, for what is no image, is
    damaged, or has more than 64 million pixels.
    """
    from PIL import Image, ImageOps

    size = image_size(height, width)
    with _opened(path) as image, _alone_if_large(image):
        # JPEG can be decoded at a half, quarter or eighth of its size. Twice the size wanted is still left, as square
        # because the picture may yet be turned.
        image.draft(None, (2 * max(size), 2 * max(size)))
        image.load()
        with contextlib.suppress(Exception):  # the pixels are there; EXIF data that cannot be read are no loss
            ImageOps.exif_transpose(image, in_place=True)
        if image.mode not in SCALED_AS_THEY_ARE or "transparency" in image.info:  # one colour that stands for none
            image = _plain(path, image)
        return np.array(_rgb(image.resize(size, Image.Resampling.BILINEAR)))


def check_image(path):
    """Raise DataError where a file is no image or too large. Only its header is read, so later damage is not seen."""
    with _opened(path):
        pass


def is_file(path):
    """Whether there is a regular file; False for a path that no file can have."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path):
    """Whether there is a folder; False for a path that none can have."""
    try:
        return path.is_dir()
    except OSError:
        return False


def image_size(height, width):
    """(width, height), Pillow's order, when both are positive integers."""
    for name, value in (("height", height), ("width", width)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 1 <= value <= 10_000:
            raise ArgumentError(f"image size: {name}: expected an integer from 1 to 10000, got {value!r}")
    return int(width), int(height)


@contextlib.contextmanager
def _opened(path):
    """The image of a file, its header read; every trouble with it inside becomes a DataError of one line."""
    from PIL import Image, UnidentifiedImageError

    path = pathlib.Path(path)
    if not is_file(path):  # which also keeps away from pipes, where opening would wait for ever
        raise DataError(f"{path}: expected an image file, found {'a folder' if is_folder(path) else 'none there'}")
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
    except UnidentifiedImageError:
        what = "an empty file" if path.stat().st_size == 0 else "something else"
        raise DataError(f"{path}: expected an image ({', '.join(FORMATS)}), got {what}") from None
    except Image.DecompressionBombError:
        raise DataError(f"{path}: expected at most {MOST_PIXELS // 1_000_000} million pixels, got many more") from None
    except Exception as error:  # decoders answer damaged files with almost any exception
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: expected a whole image, got a damaged one ({reason})") from None


@contextlib.contextmanager
def _alone_if_large(image):
    with _one_large_image if image.width * image.height > LARGE else contextlib.nullcontext():
        yield


def _plain(path, image):
    """Any other kind of pixel as one of the kinds that can be scaled."""
    from PIL import Image

    if image.mode.startswith("I"):  # grey of 16 bits: Pillow's own conversion would cut off at 255
        grey = np.clip(np.asarray(image), 0, 65535)
        image = Image.fromarray((grey // 256).astype(np.uint8))
    if image.mode == "F":
        raise DataError(f"{path}: expected 8 or 16 bits a channel, got an image of floating-point numbers")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _rgb(image):
    """Grey or colour, on white where it is transparent."""
    from PIL import Image

    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
