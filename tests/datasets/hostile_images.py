"""Makers of image files that take as much memory or time as an image can, and what reading them must say.

`WORST` are accepted and close to a limit; `REFUSED` are beyond one, though each file is small.
"""

import io
import struct
import zlib

from PIL import Image, ImageFile

WORST, REFUSED = {}, {}


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, *chunks, colour=2, bits=8, interlaced=0, pixels=b"", tail=()):
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    parts = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", pixels or zlib.compress(bytes(100))), *tail]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def zeros(count):
    """`count` zero bytes, compressed a megabyte at a time."""
    packer = zlib.compressobj(1)
    block = bytes(1 << 20)
    parts = [packer.compress(block[: min(1 << 20, count - at)]) for at in range(0, count, 1 << 20)]
    return b"".join(parts) + packer.flush()


def interlaced_png(side):
    """A PNG in seven passes over every 8x8 pixels."""
    passes = [(8, 8), (8, 8), (4, 8), (4, 4), (2, 4), (2, 2), (1, 2)]
    starts = [(0, 0), (4, 0), (0, 4), (2, 0), (0, 2), (1, 0), (0, 1)]
    sizes = [(-(-(side - x) // dx), -(-(side - y) // dy)) for (dx, dy), (x, y) in zip(passes, starts)]
    return png(side, side, interlaced=1, pixels=zeros(sum(rows * (1 + 3 * columns) for columns, rows in sizes)))


def saved(mode, width, height, format, **options):
    file = io.BytesIO()
    Image.new(mode, (width, height)).save(file, format, **options)
    return file.getvalue()


def noise(width, height, format, **options):
    file = io.BytesIO()
    ImageFile.MAXBLOCK = 1 << 27
    picture = Image.effect_noise((512, 512), 100)
    large = Image.new("L", (width, height))
    for x in range(0, width, 512):
        for y in range(0, height, 512):
            large.paste(picture, (x, y))
    Image.merge("RGB", [large] * 3).save(file, format, **options)
    return file.getvalue()


def scans(width, height, times):
    """A progressive JPEG image whose last scan is repeated."""
    data = saved("RGB", width, height, "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * times + data[-2:]


def gif(width, height, x, y, before=b"", tail=b""):
    """A GIF whose one frame of a pixel lies at (x, y)."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + before
    return head + b"," + struct.pack("<HHHHB", x, y, 1, 1, 0) + b"\x02\x02\x44\x01\x00;" + tail


def tiff(tags, data=b""):
    """A TIFF file of one directory: (tag, type, values as bytes)."""
    size = {1: 1, 2: 1, 3: 2, 4: 4}
    place, entries, rest = 8 + 2 + 12 * len(tags) + 4, b"", b""
    for tag, kind, value in tags:
        count = len(value) // size[kind]
        inside = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", place + len(rest))
        rest += value if len(value) > 4 else b""
        entries += struct.pack("<HHI", tag, kind, count) + inside
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4) + rest + data


def exif_bomb(tags, size):
    """EXIF data in which each of many tags claims the same `size` bytes."""
    entries = b"".join(struct.pack("<HHII", 256 + tag, 1, size, 8) for tag in range(tags))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", tags) + entries + bytes(4 + size)


def jpeg_with_exif(data):
    parts = [data[at : at + 65_000] for at in range(0, len(data), 65_000)]
    segments = [b"\xff\xe1" + struct.pack(">H", len(part) + 8) + b"Exif\0\0" + part for part in parts]
    return b"\xff\xd8" + b"".join(segments) + saved("RGB", 9, 9, "JPEG")[20:]  # without the resolution of JFIF


def numbers(*values):
    return struct.pack(f"<{len(values)}I", *values)


def plain_tiff(width, height, compression=1, *more, data=bytes(3)):
    tags = [
        (256, 4, numbers(width)),
        (257, 4, numbers(height)),
        (258, 3, struct.pack("<3H", 8, 8, 8)),
        (259, 3, struct.pack("<H", compression)),
        (262, 3, struct.pack("<H", 2)),
        (277, 3, struct.pack("<H", 3)),
    ]
    return tiff(sorted(tags + list(more)), data)


def bmp_rle(width, height, runs):
    palette = b"".join(bytes([i, i, i, 0]) for i in range(256))
    start = 14 + 40 + len(palette)
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + head + palette + runs


def worst(name, make):
    WORST[name] = make


def refused(name, message, make):
    REFUSED[name] = (message, make)


worst("PNG, RGB, 125 million pixels", lambda: saved("RGB", 12_480, 10_000, "PNG"))
worst("PNG, RGBA, 65 million pixels", lambda: saved("RGBA", 8_100, 8_000, "PNG"))
worst("PNG, grey with transparency, 65 million", lambda: saved("LA", 8_100, 8_000, "PNG"))
worst("PNG, palette with transparency, 57 million", lambda: saved("P", 8_100, 7_000, "PNG", transparency=0))
worst("PNG, one colour transparent, 42 million", lambda: saved("RGB", 6_100, 7_000, "PNG", transparency=(0, 0, 0)))
worst("PNG, 16 bits grey, 85 million pixels", lambda: saved("I;16", 8_500, 10_000, "PNG"))
worst("PNG, one bit, 100 million pixels", lambda: saved("1", 10_000, 10_000, "PNG"))
worst("PNG, 16 bits RGB, 125 million pixels", lambda: png(
    12_480, 10_000, bits=16, pixels=zeros(10_000 * (1 + 6 * 12_480))))  # fmt: skip
worst("PNG, interlaced, 125 million pixels", lambda: interlaced_png(11_180))
worst("PNG, one column of 65,535 pixels", lambda: saved("RGB", 1, 65_535, "PNG"))
worst("PNG, 240 compressed profiles after the pixels", lambda: png(
    1, 1, pixels=zlib.compress(bytes(4)), tail=[chunk(b"iCCP", b"x\0\0" + zeros(1 << 20))] * 240))  # fmt: skip
worst("JPEG, 108 million pixels", lambda: saved("RGB", 12_000, 9_000, "JPEG"))
worst("JPEG, noise, 85 million pixels at 4:4:4, progressive", lambda: noise(
    9_200, 9_200, "JPEG", progressive=True, subsampling=0, quality=80))  # fmt: skip
worst("JPEG, 108 million pixels, progressive", lambda: saved("RGB", 12_000, 9_000, "JPEG", progressive=True))
worst("JPEG, CMYK, 125 million pixels", lambda: saved("CMYK", 12_480, 10_000, "JPEG"))
worst("JPEG, 24 million pixels and 110 scans", lambda: scans(6_000, 4_000, 100))
worst("JPEG, EXIF tags that share 30 kB", lambda: jpeg_with_exif(exif_bomb(2_700, 30_000)))
worst("JPEG, EXIF tags that share 300 kB", lambda: jpeg_with_exif(exif_bomb(2_300, 300_000)))
worst("JPEG, EXIF tags that share 4 MB", lambda: jpeg_with_exif(exif_bomb(60_000, 4_000_000)))
worst("PNG, EXIF tags that share 4 MB", lambda: png(
    1, 1, chunk(b"eXIf", exif_bomb(60_000, 4_000_000)), pixels=zlib.compress(bytes(4))))  # fmt: skip
worst("WebP, lossless, 30 million pixels", lambda: saved("RGB", 6_000, 5_000, "WEBP", lossless=True))
worst("WebP, noise, 25 million pixels", lambda: noise(5_000, 5_000, "WEBP"))
worst("WebP, RGBA, 20 million pixels", lambda: saved("RGBA", 5_000, 4_200, "WEBP"))
worst("GIF, 100 million pixels", lambda: saved("P", 10_000, 10_000, "GIF"))
worst("GIF, 55 million pixels with transparency", lambda: saved("P", 8_000, 7_000, "GIF", transparency=0))
worst("GIF, a frame of one pixel far outside", lambda: gif(1, 1, 9_000, 9_000))
worst("TIFF, RGB, LZW, 60 million pixels", lambda: saved("RGB", 8_000, 5_500, "TIFF", compression="tiff_lzw"))
worst("TIFF, RGB, JPEG, 45 million pixels", lambda: saved("RGB", 5_000, 5_500, "TIFF", compression="jpeg"))
worst("TIFF, CMYK, Deflate", lambda: saved("CMYK", 7_000, 5_600, "TIFF", compression="tiff_adobe_deflate"))
worst("TIFF, RGBA, turned", lambda: saved("RGBA", 5_600, 5_600, "TIFF", compression="tiff_lzw", tiffinfo={274: 6}))
worst("TIFF, RGB, not compressed, 60 million", lambda: saved("RGB", 7_800, 5_000, "TIFF"))
worst("TIFF, a strip for each of 60,000 rows", lambda: plain_tiff(
    1, 60_000, 1, (273, 4, numbers(*range(1000, 61_000))), (278, 4, numbers(1)), data=bytes(100_000)))  # fmt: skip
worst("PPM, RGB, 124 million pixels", lambda: b"P6 12400 10000 255\n" + bytes(3 * 124_000_000))
worst("PPM, 2 million pixels of 0 to 254", lambda: b"P6 2000 1000 254\n" + bytes(3 * 2_000_000))
worst("PPM, 2 million pixels as text", lambda: b"P3 2000 1000 255\n" + b"255 " * 6_000_000)
worst("PPM, half a million comments", lambda: b"P3 10 10 255\n" + b"#\n" * 500_000 + b"7 " * 300)
worst("BMP, 2 million pixels in runs of one", lambda: bmp_rle(2000, 1000, (b"\1\7" * 2000 + b"\0\0") * 1000))
worst("BMP, a million ends of line", lambda: bmp_rle(2000, 1000, b"\0\0" * 8_000_000))

refused("PNG of 68 bytes, 1x60,000,000", "at most 65535 pixels a side", lambda: png(1, 60_000_000))
refused("PNG of 151 million pixels", "at most 150 million pixels", lambda: png(15_100, 10_000, colour=0))
refused("PNG, RGBA, 66 million pixels", "which takes 508 until it is", lambda: png(8_250, 8_000, colour=6))
refused("PNG, 30,000 chunks", "too much besides", lambda: png(9, 9, *[chunk(b"tEXt", b"a\0b")] * 30_000))
refused("PNG, 9,000 compressed profiles", "too much besides", lambda: png(
    9, 9, *[chunk(b"iCCP", b"x\0\0" + zeros(1 << 20))] * 9_000))  # fmt: skip
refused("PNG, compressed text without end", "a damaged one", lambda: png(
    9, 9, *[chunk(b"zTXt", b"x%d\0\0" % i + zeros(1_000_000)) for i in range(2_000)]))  # fmt: skip
refused("PNG, profiles after the pixels", "too much besides", lambda: png(
    1, 1, pixels=zlib.compress(bytes(4)), tail=[chunk(b"iCCP", b"x\0\0" + zeros(1 << 20))] * 9_000))  # fmt: skip
refused("JPEG, 100,000 markers", "too much besides", lambda: b"\xff\xd8" + b"\xff\xe1\0\2" * 100_000)
refused("JPEG, 24 million pixels and 2,000 scans", "about ten scans, got 2,0", lambda: scans(6_000, 4_000, 2_000))
refused("JPEG, CMYK, progressive, 65,000x10,000", "million pixels", lambda: b"\xff\xd8\xff\xc2\0\x14\x08" + struct.pack(
    ">HHB", 65_000, 10_000, 4) + b"".join(bytes([i, 0x11, 0]) for i in range(4)) + b"\xff\xda\0\x0e\x04"
    + bytes(11))  # fmt: skip
refused("WebP, 16,383x16,383", "", lambda: webp_canvas(16_383, 16_383))
refused("GIF, a frame far outside", "exceeds limit", lambda: gif(1, 1, 65_000, 65_000))
refused("GIF, a comment without end", "too much besides", lambda: gif(
    9, 9, 0, 0, b"!\xfe" + (b"\xff" + bytes(255)) * 100_000 + b"\0"))  # fmt: skip
refused("TIFF, a million strips", "", lambda: plain_tiff(
    1, 60_000, 1, (273, 4, numbers(*[0] * 1_000_000)), (278, 4, numbers(1))))  # fmt: skip
refused("TIFF, 60,000 tags of one megabyte", "", lambda: tiff(
    [(256, 4, numbers(9)), (257, 4, numbers(9))], b"")[:8] + tag_bomb())  # fmt: skip
refused("TIFF, a tile of 40,000x10,000", "million pixels", lambda: plain_tiff(
    1, 1, 8, (322, 4, numbers(40_000)), (323, 4, numbers(10_000)), (324, 4, numbers(0)), (325, 4, numbers(100)),
    ))  # fmt: skip
refused("PPM, a comment of 50 MB", "too much besides", lambda: b"P6 #" + b"x" * 50_000_000 + b"\n9 9 255\n")
refused("PPM, 10 million comments", "too much besides", lambda: b"P3 10 10 255\n" + b"#\n" * 10_000_000 + b"7 " * 300)
refused("PPM, 6 million pixels of 0 to 254", "at most 2 million pixels", lambda: b"P6 3000 2000 254\n")


def webp_canvas(width, height):
    """An animated WebP of a tiny frame on a large canvas."""
    frames = io.BytesIO()
    small = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    small[0].save(frames, "WEBP", save_all=True, append_images=small[1:])
    data = bytearray(frames.getvalue())
    data[24:30] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes(data)


def tag_bomb():
    """A directory in which each of many tags claims the same megabyte."""
    entries = b"".join(struct.pack("<HHII", 256 + tag, 1, 1 << 20, 0) for tag in range(60_000))
    return struct.pack("<H", 60_000) + entries + bytes(1 << 20)
