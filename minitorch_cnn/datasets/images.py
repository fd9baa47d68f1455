"""One image file as an array: whatever made the file, (height, width, 3) red-green-blue comes out."""

import contextlib
import pathlib

import numpy as np

from minitorch_cnn.errors import ArgumentError, DataError

MOST_PIXELS = 64_000_000  # a larger image is refused before it is decoded: it would take 200 MB and more
# Formats that hold pixels. Left out are those whose reader starts other programs (EPS) or that nobody trains on.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")


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
    with _opened(path) as image:
        # JPEG can be decoded at a half, quarter or eighth of its size. Twice the size wanted is still left, as square
        # because the picture may yet be turned.
        image.draft(None, (2 * max(size), 2 * max(size)))
        image.load()
        with contextlib.suppress(Exception):  # the pixels are there; EXIF data that cannot be read are no loss
            image = ImageOps.exif_transpose(image)
        return np.array(_rgb(path, image).resize(size, Image.Resampling.BILINEAR))


def check_image(path):
    """Raise DataError where a file is no image or too large. Only its header is read, so later damage is not seen."""
    with _opened(path):
        pass


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
    if not path.is_file():  # which also keeps away from pipes, where opening would wait for ever
        raise DataError(f"{path}: expected an image file, found {'a folder' if path.is_dir() else 'none there'}")
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


def _rgb(path, image):
    """Any kind of pixel as red, green and blue, 8 bits each."""
    from PIL import Image

    if image.mode.startswith("I"):  # grey of 16 bits: Pillow's own conversion would cut off at 255
        grey = np.clip(np.asarray(image), 0, 65535)
        image = Image.fromarray((grey // 256).astype(np.uint8))
    if image.mode == "F":
        raise DataError(f"{path}: expected 8 or 16 bits a channel, got an image of floating-point numbers")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
