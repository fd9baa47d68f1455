"""load_image: every kind of file becomes (height, width, 3) uint8, or one line that names it."""

import os
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from minitorch_cnn.datasets import load_image
from minitorch_cnn.datasets.images import check_image
from minitorch_cnn.errors import ArgumentError, DataError

RED, GREEN, WHITE, GREY = (255, 0, 0), (0, 255, 0), (255, 255, 255), (128, 128, 128)


def halves(mode, left, right, width=40, height=20):
    """An image whose left and right half have one value each."""
    image = Image.new(mode, (width, height), right)
    image.paste(left, (0, 0, width // 2, height))
    return image


def palette(transparent=False):
    image = halves("P", 0, 1)
    image.putpalette([*RED, *GREEN])
    if transparent:
        image.info["transparency"] = 1
    return image


def one_colour_for_none(mode, left, right):
    """An image in which the right half's colour is said to be transparent."""
    image = halves(mode, left, right)
    image.info["transparency"] = right
    return image


def sixteen_bits(transparent=False):
    values = np.full((20, 40), 128 * 256 + 77, np.uint16)
    values[:, :20] = 65535
    image = Image.fromarray(values)
    if transparent:
        image.info["transparency"] = 128 * 256 + 77
    return image


# name, image, what is left and right of the result, how far off the format may be
KINDS = [
    ("rgb.png", halves("RGB", RED, GREEN), RED, GREEN, 0),
    ("rgb.jpg", halves("RGB", RED, GREEN), RED, GREEN, 8),
    ("rgb.bmp", halves("RGB", RED, GREEN), RED, GREEN, 0),
    ("rgb.webp", halves("RGB", RED, GREEN), RED, GREEN, 8),
    ("rgb.tif", halves("RGB", RED, GREEN), RED, GREEN, 0),
    ("rgb.ppm", halves("RGB", RED, GREEN), RED, GREEN, 0),
    ("grey.png", halves("L", 255, 128), WHITE, GREY, 0),
    ("grey.jpg", halves("L", 255, 128), WHITE, GREY, 3),
    ("one_bit.png", halves("1", 1, 0), WHITE, (0, 0, 0), 0),
    ("sixteen_bits.png", sixteen_bits(), WHITE, GREY, 0),
    ("sixteen_bits_for_none.png", sixteen_bits(transparent=True), WHITE, WHITE, 0),
    ("palette.gif", palette(), RED, GREEN, 0),
    ("palette.png", palette(), RED, GREEN, 0),
    ("transparent_palette.png", palette(True), RED, WHITE, 0),
    ("transparent.png", halves("RGBA", (*RED, 255), (*GREEN, 0)), RED, WHITE, 0),
    ("half_transparent.png", halves("RGBA", (*RED, 255), (0, 0, 0, 127)), RED, GREY, 0),
    ("transparent_grey.png", halves("LA", (128, 255), (0, 0)), GREY, WHITE, 0),
    ("green_for_none.png", one_colour_for_none("RGB", RED, GREEN), RED, WHITE, 0),
    ("black_for_none.png", one_colour_for_none("L", 128, 0), GREY, WHITE, 0),
    ("cmyk.jpg", halves("CMYK", (0, 255, 255, 0), (255, 0, 255, 0)), RED, GREEN, 3),
    ("wrong_ending.png", None, RED, GREEN, 8),
]


@pytest.mark.parametrize("name, image, left, right, tolerance", KINDS, ids=[kind[0] for kind in KINDS])
def test_every_kind(tmp_path, name, image, left, right, tolerance):
    path = tmp_path / name
    if image is None:
        halves("RGB", RED, GREEN).save(path, format="JPEG")
    else:
        image.save(path)
    check_image(path, 20, 30)
    loaded = load_image(path, 10, 16)
    assert loaded.shape == (10, 16, 3) and loaded.dtype == np.uint8 and loaded.flags.writeable
    np.testing.assert_allclose(loaded[:, :6].astype(int) - left, 0, atol=tolerance)
    np.testing.assert_allclose(loaded[:, -6:].astype(int) - right, 0, atol=tolerance)
    assert np.array_equal(load_image(str(path), np.int64(10), 16), loaded)


@pytest.mark.parametrize(
    "orientation, turned",
    [
        (1, lambda x: x),
        (2, lambda x: x[:, ::-1]),
        (3, lambda x: x[::-1, ::-1]),
        (4, lambda x: x[::-1]),
        (5, lambda x: x.transpose(1, 0, 2)),
        (6, lambda x: np.rot90(x, -1)),
        (7, lambda x: x[::-1, ::-1].transpose(1, 0, 2)),
        (8, np.rot90),
        (77, lambda x: x),
    ],
)
def test_exif_orientation(tmp_path, orientation, turned):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "x.png", exif=exif)
    expected = turned(pixels)
    assert np.array_equal(load_image(tmp_path / "x.png", *expected.shape[:2]), expected)


def test_a_result_that_takes_too_much(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "x.png")
    for check in (load_image, check_image):
        with pytest.raises(DataError, match=r"got 9x9 \(RGB\), which takes 2,289 until it is 10000x10000"):
            check(tmp_path / "x.png", 10_000, 10_000)


def test_a_photo_of_108_million_pixels_is_read_without_a_warning(tmp_path):
    Image.new("RGB", (12_000, 9_000), RED).save(tmp_path / "x.jpg")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.abs(load_image(tmp_path / "x.jpg", 8, 8).astype(int) - RED).max() <= 3


def test_a_film_behind_a_photo_is_not_taken_for_scans(tmp_path):
    """Phones append a film of some MB to a photo; in it, every two bytes appear by chance."""
    Image.new("RGB", (7000, 5000), RED).save(tmp_path / "x.jpg")
    with open(tmp_path / "x.jpg", "ab") as file:
        file.write(b"\xff\xda" * 200 + np.random.default_rng(0).bytes(1_000_000))
    assert load_image(tmp_path / "x.jpg", 8, 8).shape == (8, 8, 3)


def test_a_long_exif_description_is_not_searched(tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 3, "x" * 70_000
    halves("RGB", RED, GREEN).save(tmp_path / "x.png", exif=exif)
    assert load_image(tmp_path / "x.png", 8, 8)[0, 0].tolist() == list(RED)


def test_unreadable_exif_is_no_loss(tmp_path):
    halves("RGB", RED, GREEN).save(tmp_path / "x.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xffgarbage")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert load_image(tmp_path / "x.jpg", 8, 8).shape == (8, 8, 3)


def test_squashes_and_averages(tmp_path):
    stripes = np.zeros((40, 60, 3), np.uint8)
    stripes[:, ::2] = 200
    Image.fromarray(stripes).save(tmp_path / "x.png")
    small = load_image(tmp_path / "x.png", 10, 3)
    assert np.abs(small.astype(int) - 100).max() <= 3


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_photo_decoded_at_less_than_its_size(tmp_path, orientation):
    """What the short cut for large JPEG files changes is hardly to be seen."""
    row, column = np.mgrid[0:900, 0:1400]
    waves = [128 + 100 * np.sin(row / a + column / b) for a, b in [(70, 90), (50, -80), (110, 60)]]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.stack(waves, axis=-1).astype(np.uint8))
    image.save(tmp_path / "x.jpg", exif=exif, quality=95)
    whole = image if orientation == 1 else image.transpose(Image.Transpose.ROTATE_270)
    expected = np.asarray(whole.resize((150, 100), Image.Resampling.BILINEAR)).astype(int)
    difference = np.abs(load_image(tmp_path / "x.jpg", 100, 150) - expected)
    assert difference.mean() < 1.5 and difference.max() < 12


def png_of_size(width, height):
    """A PNG file that says it is that large and holds next to nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def jpeg(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "good.jpg")
    return (tmp_path / "good.jpg").read_bytes()


@pytest.mark.parametrize(
    "contents, message, header_tells",
    [
        (lambda _: b"", "got an empty file", True),
        (lambda _: b"a text, not an image", "expected an image .* got something else", True),
        (lambda _: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "got something else", True),
        (lambda _: png_of_size(14000, 10000), r"500 MiB of memory, got 14000x10000 \(RGB\), which takes 535", True),
        (lambda _: png_of_size(60000, 60000), r"at most 150 million pixels, got 3,600,000,000 \(60000x60000\)", True),
        (lambda _: png_of_size(1, 60_000_000), "at most 65535 pixels a side, got 1x60000000", True),
        (lambda _: png_of_size(8000, 8000), "expected a whole image, got a damaged one", False),
        (lambda folder: jpeg(folder)[:-500], "expected a whole image, got a damaged one", False),
        (lambda folder: jpeg(folder)[:100], "expected a", False),
    ],
)
def test_files_that_are_no_images(tmp_path, contents, message, header_tells):
    path = tmp_path / "photo.jpg"
    path.write_bytes(contents(tmp_path))
    for check in [lambda: load_image(path, 20, 30)] + [lambda: check_image(path, 20, 30)] * header_tells:
        with pytest.raises(DataError, match=message) as caught:
            check()
        assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


BOMB = r"""
import re, sys, threading
from pathlib import Path
from minitorch_cnn.datasets import load_image

def peak():
    return int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

load_image(sys.argv[1], 9, 9)
before = peak()
threads = [threading.Thread(target=load_image, args=(sys.argv[2], 150, 150)) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(peak() - before)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is read from /proc")
def test_a_small_file_of_many_transparent_pixels_takes_its_pixels_twice_and_one_at_a_time(tmp_path):
    """25 million pixels of four bytes are 100 MB; three threads that met such files took 400 MB each."""
    Image.new("RGBA", (5000, 5000), (*RED, 128)).save(tmp_path / "bomb.png")
    halves("RGBA", (*RED, 255), (*GREEN, 0)).save(tmp_path / "small.png")
    command = [sys.executable, "-c", BOMB, tmp_path / "small.png", tmp_path / "bomb.png"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) < 300
    assert (tmp_path / "bomb.png").stat().st_size < 500_000


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_edges_do_not_bleed(tmp_path, mode):
    """What is transparent has a colour too, here black; scaled with its weight of zero, none of it is seen."""
    colour, nothing = ((*RED, 255), (0, 0, 0, 0)) if mode == "RGBA" else ((200, 255), (0, 0))
    halves(mode, colour, nothing, 41, 21).save(tmp_path / "x.png")
    loaded = load_image(tmp_path / "x.png", 7, 9).astype(int)
    full = np.array(Image.open(tmp_path / "x.png").convert("RGBA"), float)
    on_white = full[..., :3] * full[..., 3:] / 255 + 255 - full[..., 3:]
    expected = np.asarray(Image.fromarray(on_white.astype(np.uint8)).resize((9, 7), Image.Resampling.BILINEAR))
    assert np.abs(loaded - expected).max() <= 2


def test_places_that_are_no_files(tmp_path):
    for absent in ("absent.jpg", "a" * 300, "a\0b"):
        with pytest.raises(DataError, match="found no such file"):
            load_image(tmp_path / absent, 8, 8)
    with pytest.raises(DataError, match="found a folder"):
        load_image(tmp_path, 8, 8)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        with pytest.raises(DataError, match="expected an image file"):
            load_image(tmp_path / "pipe.jpg", 8, 8)


def test_numbers_without_a_range_are_refused(tmp_path):
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / "x.tif")
    with pytest.raises(DataError, match="floating-point"):
        load_image(tmp_path / "x.tif", 8, 8)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.gif", "x.bmp", "x.webp", "x.tif", "x.ppm"])
def test_changed_bytes(tmp_path, name):
    """Damage anywhere: an image of the right size, or one line."""
    noise = np.random.default_rng(0).integers(0, 256, (12, 15, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    data, rng = (tmp_path / name).read_bytes(), np.random.default_rng(1)
    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            damaged[rng.integers(0, len(data) if rng.random() < 0.5 else 60)] = rng.integers(0, 256)
        (tmp_path / name).write_bytes(damaged)
        try:
            assert load_image(tmp_path / name, 9, 7).shape == (9, 7, 3)
        except DataError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("size", [(0, 8), (8, -1), (8.0, 8), (8, "8"), (True, 8), (8, 10_001), (None, 8)], ids=str)
def test_sizes_that_are_none(tmp_path, size):
    jpeg(tmp_path)
    with pytest.raises(ArgumentError, match="expected an integer from 1 to 10000"):
        load_image(tmp_path / "good.jpg", *size)
