"""Image files written field by field, with a few fields far off and all checksums right."""

import functools
import io
import random
import struct
import zlib

from mutations import LONGEST
from PIL import Image

FAR = (0, 1, 2, 3, 8, 255, 256, 4000, 7999, 8000, 8001, 30_000, 65_535, 65_536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
SHAPES = ((9, 14), (9, 14), (1, 1), (1, 3000), (3000, 1), (300, 250), (257, 3))


def mutated_image(data, others, words, rng):
    """A new image file of a random format; `data` is not looked at."""
    return rng.choice((png, png, gif, bmp, tiff, ppm, jpeg, webp))(Fields(rng))[:LONGEST]


class Fields:
    """Draws the fields of a file: most as they are given, a few far off."""

    def __init__(self, rng):
        self.rng = rng
        self.chance = rng.choice((0, 0.05, 0.05, 0.2))
        self.height, self.width = rng.choice(SHAPES)

    def __call__(self, usual, *others):
        """`usual`, or one of `others` and numbers that are far off."""
        return self.rng.choice((*others, *FAR)) if self.rng.random() < self.chance else usual

    def choice(self, *choices):
        return self.rng.choice(choices)


def _words(layout, *numbers):
    """Numbers as bytes; those too large lose their upper bits."""
    sizes = [struct.calcsize(f"<{letter}") for letter in layout[1:]]
    return struct.pack(layout, *(int(number) % 256**size for number, size in zip(numbers, sizes)))


def png(field):
    width, height = field.width, field.height
    depth, colour, samples = field.choice((8, 0, 1), (8, 2, 3), (8, 6, 4), (8, 4, 2), (8, 3, 1), (1, 3, 1), (16, 2, 3),
                                          (16, 0, 1), (1, 0, 1), (4, 0, 1))  # fmt: skip
    row = b"\0" + b"\x5a" * -(-width * depth * samples // 8)
    header = _words(">LLBBBBB", field(width), field(height), field(depth, 1, 2, 4, 16, 32), field(colour, 0, 3, 5, 6),
                    field(0), field(0), field(0, 1, 1))  # fmt: skip
    pixels = zlib.compress(row * height, 1)
    chunks = [(b"IHDR", header)]
    if colour == 3:
        chunks.append((b"PLTE", b"\1\2\3" * min(field(256, 0, 1, 300), 1000)))
    extra = (
        (b"tRNS", b"\0" * min(field(samples * 2, 0, 1, 256), 1000)), (b"gAMA", _words(">L", field(45455))),
        (b"cHRM", b"\xff" * 32), (b"sBIT", b"\xff" * 9), (b"pHYs", _words(">LLB", field(1), field(0), 1)),
        (b"iCCP", b"x\0\0" + _large_text()), (b"zTXt", b"x\0\0" + _large_text()), (b"tEXt", b"x\0" + b"y" * 100_000),
        (b"iTXt", b"x\0\1\0\0\0" + _large_text()), (b"eXIf", _exif(field)), (b"IEND", b""), (b"CgBI", b"\0" * 4),
        (b"acTL", _words(">LL", field(3), field(0))),
        (b"fcTL", _words(">LLLLLHHBB", 0, field(width), field(height), field(0), field(0), field(1), field(0),
                         field(0, 1, 2), field(0, 1))),
        (b"fdAT", _words(">L", field(1)) + pixels),
    )  # fmt: skip
    chunks += field.rng.sample(extra, field.choice(0, 0, 1, 2, 4))
    for _ in range(field.choice(1, 1, 1, 0, 3)):
        chunks.append((b"IDAT", pixels))
    chunks += field.rng.sample(extra, field.choice(0, 0, 1)) + [(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _words(">L", field(len(body))) + kind + body + _words(">L", zlib.crc32(kind + body)) for kind, body in chunks
    )


@functools.cache
def _large_text():
    return zlib.compress(bytes(70 << 20), 9)


def _exif(field):
    return b"II*\0" + _words("<L", field(8)) + _directory(field, ((274, 3, 1, field(6, 1, 2, 3, 4, 5, 7, 8, 9)),))


def _directory(field, tags, following=0):
    """A TIFF directory of (tag, type, count, value)."""
    entries = b"".join(_words("<HHLL", tag, field(kind), field(count), value) for tag, kind, count, value in tags)
    return _words("<H", field(len(tags))) + entries + _words("<L", following)


def gif(field):
    width, height = field.width, field.height
    flags = field.choice(0xF7, 0x80, 0x00, 0xF0)
    palette = b"\1\2\3" * (2 << (flags & 7)) if flags & 0x80 else b""
    file = b"GIF89a" + _words("<HHBBB", field(width), field(height), flags, field(0), field(0)) + palette
    for _ in range(field.choice(1, 1, 2, 50)):
        if field.rng.random() < 0.5:
            file += b"!\xf9\4" + _words("<BHB", field.choice(0, 1, 4, 8, 12, 255), field(0), field(0)) + b"\0"
        if field.rng.random() < 0.2:
            file += field.choice(b"!\xff\x0bNETSCAPE2.0\3\1\xff\xff\0", b"!\xfe" + b"\xffx" * 255, b"!\xfe\0")
        frame = field(0), field(0), field(width), field(height)
        file += b"," + _words("<HHHHB", *frame, field.choice(0, 0, 0x40, 0x80)) + bytes([field(8, 2, 12) % 256])
        file += field.choice(b"\x0a\x00\x01\x04\x18\xa0\xc0\x82\x0d\x04\0", b"\x02\x44\x01\0", b"\xff" + b"\x5a" * 255)
        file += b"\0"
    return file + b";"


def bmp(field):
    width, height, bits = field.width, field.height, field.choice(1, 4, 8, 16, 24, 32)
    pixels = b"\x5a" * (-(-width * bits // 32) * 4 * height)
    size = field(field.choice(40, 40, 12, 108, 124, 64))
    if size == 12:
        header = _words("<LHHHH", size, field(width), field(height), field(1), field(bits, 0, 2, 15, 64))
    else:
        tall = field.choice(height, height, -height)
        numbers = (field(width, -1), field(tall, -(2**31)), field(1), field(bits, 0, 2, 15, 64), field(0, 1, 2, 3, 6),
                   field(0), field(0), field(0), field(0, 256, 257), field(0))  # fmt: skip
        header = _words("<LLLHHLLLLLL", size, *numbers) + field.choice(b"\0", b"\xff", b"\x0f") * 84
        header = header[: min(max(size, 40), 124)]
    palette = b"\1\2\3\0" * min(field(1 << bits if bits <= 8 else 0), 300)
    start = field(14 + len(header) + len(palette))
    return b"BM" + _words("<LLL", field(len(pixels)), 0, start) + header + palette + pixels


def ppm(field):
    kind = field.choice(b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"Pf", b"PF", b"Py", b"P7")
    numbers = [field(field.width), field(field.height), field(255, 1, 65_535, 65_536, 254)]
    if kind in (b"P1", b"P4"):
        numbers = numbers[:2]
    texts = [str(number).encode() for number in numbers]
    if field.rng.random() < field.chance:
        texts[field.rng.randrange(len(texts))] = field.choice(
            b"-1", b"9" * 400, b"1.5", b"nan", b"0x9", b"", b"#" + b"x" * 100_000 + b"\n9"
        )
    text = kind + field.choice(b"\n", b" ", b"\n# a comment\n") + b" ".join(texts) + b"\n"
    count = min(field.width * field.height * 3, 10**6)
    return text + (b"1 " * count if kind in (b"P1", b"P2", b"P3") else b"\x5a" * count)


def tiff(field):
    width, height, samples = field.width, field.height, field.choice(1, 3, 4)
    bits, photometric = field.choice(8, 8, 1, 16, 32, 64), field.choice(0, 1, 2, 3, 5, 6, 8)
    compression = field.choice(1, 1, 1, 5, 8, 32773, 7, 2, 4, 32946, 50000, 34712)
    raw = b"\x5a" * (-(-width * bits * samples // 8) * height)
    pixels = {8: zlib.compress(raw), 32946: zlib.compress(raw)}.get(compression, raw)[:200_000]
    place = field(8)
    tags = [
        (254, 4, 1, field(0)), (256, 4, 1, field(width)), (257, 4, 1, field(height)), (258, 3, 1, field(bits)),
        (259, 3, 1, field(compression)), (262, 3, 1, field(photometric)), (266, 3, 1, field(1, 2)),
        (273, 4, 1, place), (274, 3, 1, field(1, 6, 8)), (277, 3, 1, field(samples)), (278, 4, 1, field(height)),
        (279, 4, 1, field(len(pixels))), (284, 3, 1, field(1, 2)), (317, 3, 1, field(1, 2, 3)),
        (320, 3, field(768), 8), (338, 3, 1, field(0, 1, 2)), (339, 3, 1, field(1, 2, 3, 4)),
    ]  # fmt: skip
    if field.rng.random() < 0.2:
        tags += [(322, 4, 1, field(16)), (323, 4, 1, field(16)), (324, 4, 1, 8), (325, 4, 1, field(len(pixels)))]
    tags = [tag for tag in tags if field.rng.random() > field.chance / 2]
    start = 8 + len(pixels)
    following = field.choice(0, 0, 0, start, 8, 2**32 - 1)
    return b"II*\0" + _words("<L", field(start)) + pixels + _directory(field, tags, following)


@functools.cache
def _saved(kind, size, options):
    file = io.BytesIO()
    picture = Image.frombytes("RGB", size, random.Random(0).randbytes(size[0] * size[1] * 3))
    picture.save(file, kind, **dict(options))
    return file.getvalue()


def jpeg(field):
    """A file of Pillow's, some of whose segments are changed, left out, doubled or added."""
    options = field.choice((), (("progressive", True),), (("subsampling", 2),), (("restart_marker_blocks", 1),))
    data = _saved("JPEG", (min(field.width, 300), min(field.height, 300)), options)
    place, pieces = 2, []
    while data[place + 1] != 0xDA:
        size = 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        pieces.append(data[place : place + size])
        place += size
    scans = [data[place:-2]]
    for number, piece in enumerate(pieces):
        if 0xC0 <= piece[1] <= 0xC2:
            components = b"".join(
                bytes([field(index + 1) % 256, field(0x11, 0x22, 0x41, 0x14, 0x44) % 256, field(0) % 256])
                for index in range(3)
            )
            frame = _words(">BHHB", field(8, 12), field(field.height), field(field.width), field(3, 1, 4)) + components
            kind = field(piece[1], 0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA) % 256
            pieces[number] = bytes([0xFF, kind]) + _words(">H", field(len(frame) + 2)) + frame
    for _ in range(field.choice(0, 0, 1, 2)):
        body = field.choice(b"Exif\0\0" + _exif(field), b"ICC_PROFILE\0" + bytes([field(1) % 256, field(1) % 256]),
                            b"Adobe\0\x64\0\0\0\0" + bytes([field(2, 0, 1) % 256]), _words(">H", field(1)))  # fmt: skip
        marker = field.choice(0xE1, 0xE2, 0xEE, 0xDD, 0xDB, 0xC4, 0xDC, 0xFE)
        pieces.insert(field.rng.randrange(len(pieces)), bytes([0xFF, marker]) + _words(">H", len(body) + 2) + body)
    if field.rng.random() < field.chance:
        scans *= field.choice(2, 10, 300)
    if field.rng.random() < field.chance:
        del pieces[field.rng.randrange(len(pieces))]
    return b"\xff\xd8" + b"".join(pieces + scans) + b"\xff\xd9"


def webp(field):
    """A file of Pillow's, in an extended container."""
    size = min(field.width, 300), min(field.height, 300)
    data = _saved("WEBP", size, field.choice((), (("lossless", True),), (("quality", 1),)))
    frame = bytearray(data[12:])
    if field.rng.random() < field.chance * 2:  # the size within the frame
        place = 8 + (6 if frame[:4] == b"VP8 " else 1)
        frame[place : place + 4] = _words("<HH", field(size[0]), field(size[1], 16_383, 0x3FFF))
    chunks = []
    if field.rng.random() < 0.6:
        canvas = field(size[0] - 1) % 2**24, field(size[1] - 1) % 2**24
        flags = field.choice(0, 0x02, 0x10, 0x3E, 0xFF)
        three = [number.to_bytes(3, "little") for number in canvas]
        chunks.append(b"VP8X" + _words("<LL", 10, flags) + b"".join(three))
        if flags & 2:
            chunks.append(b"ANIM" + _words("<LLH", 6, field(0), field(0)))
            for _ in range(field.choice(1, 2, 50)):
                numbers = field(0), field(0), field(size[0] - 1), field(size[1] - 1), field(100)
                body = b"".join((number % 2**24).to_bytes(3, "little") for number in numbers) + b"\0" + bytes(frame)
                chunks.append(b"ANMF" + _words("<L", field(len(body))) + body)
        chunks.append(field.choice(b"", b"EXIF" + _words("<L", 30) + (_exif(field) + b"\0" * 30)[:30],
                                   b"ICCP" + _words("<L", 4) + b"abcd"))  # fmt: skip
    body = b"WEBP" + b"".join(chunks) + bytes(frame)
    return b"RIFF" + _words("<L", field(len(body))) + body
