"""CIFAR-10 archives written field by field, with a few fields far off and all checksums right."""

import functools
import struct
import zlib

from file_targets import cifar10, members, records
from mutations import LONGEST

SIZES = (0, 1, 511, 512, 513, 3073, 30_730_000, 30_730_001, 2**31, 2**32 - 1, 2**32, 2**33, 2**62, 2**63, 2**64 - 1)
NAMES = (
    "", ".", "..", "/", "../data_batch_1.bin", "/data_batch_1.bin", "a/" * 300 + "data_batch_2.bin", "x" * 100,
    "x" * 101, "x" * 256, "x" * 70_000, "data_batch_3.bin/", "data_batch_3.bin/x", "data_batch_4.bin\0x", "a\nb",
    "\x1b[2J", "\u202e", "data_batch_1", "a.mat", "C:\\data_batch_5.bin", "batches.meta.txt", "test_batch.bin",
)  # fmt: skip
TYPES = b"0\x001234567LKNSVDMAXgxz \xff"
PAX = (
    "path", "size", "linkpath", "mtime", "uid", "gid", "uname", "charset", "hdrcharset", "comment", "GNU.sparse.major",
    "GNU.sparse.minor", "GNU.sparse.name", "GNU.sparse.realsize", "GNU.sparse.size", "GNU.sparse.numblocks",
    "GNU.sparse.offset", "GNU.sparse.numbytes", "GNU.sparse.map", "SCHILY.xattr.x", "",
)  # fmt: skip
VALUES = (
    *NAMES, "0", "1", "-1", "3073", "9" * 30, "9" * 5000, "nan", "inf", "1e400", "0x10", "1,2,3,4", "0," * 5000 + "1",
    "BINARY", "utf-8", "\ud800", "\u0661", "1_0", " 1",
)  # fmt: skip
METHODS = (1, 6, 9, 12, 14, 93, 95, 99, 0xFFFF)
EXTRAS = (
    b"", b"\x01\0\x10\0" + struct.pack("<QQ", 2**63, 2**63), b"\x01\0\xff\xff", b"\x01\0\0\0", b"\x75\x70\x04\0\x01abc",
    b"\0" * 60_000, b"\x01",
)  # fmt: skip
COUNTS = (0, 1, 2, 6, 7, 30, 100, 1000)


def mutated_archive(data, others, words, rng):
    """A new archive, a tar or a zip; `data` is not looked at."""
    return (_tar if rng.random() < 0.5 else _zip)(rng)[:LONGEST]


def _chosen(rng):
    """Good members, some changed: [(name, content)]."""
    found = members()
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        place = rng.randrange(len(found))
        name, content = found[place]
        change = rng.randrange(5)
        if change == 0:
            found[place] = rng.choice((name, "cifar-10-batches-bin/")) + rng.choice(NAMES), content
        elif change == 1:
            found[place] = name, rng.choice((b"", content[:-1], content * 2, records(3), b"\xff" * len(content)))
        elif change == 2:
            del found[place]
            found = found or members()
        elif change == 3:
            found += [(rng.choice((name, f"{name}.{number}")), b"") for number in range(rng.choice(COUNTS))]
        else:
            found.append((cifar10.NAMES_FILE, rng.choice((b"", b"a " * 10, b"a\x1b[2J " * 10, b"x" * 20_000))))
    return found


# Tar.


def _tar(rng):
    pieces = []
    for name, content in _chosen(rng):
        if rng.random() < 0.05:
            pieces.append(_extended(rng))
        if rng.random() < 0.02:
            pieces.append(_header("@LongLink", rng.choice(SIZES), rng.choice(b"LK")) + _filled(name.encode() + b"\0"))
        strange = rng.random() < 0.04
        size = rng.choice(SIZES) if strange else len(content)
        kind = rng.choice(TYPES) if rng.random() < 0.04 else TYPES[0]
        header = bytearray(_header(name, size, kind))
        if rng.random() < 0.04:
            _damage(header, rng)
        pieces.append(bytes(header) + _filled(content))
    end = b"\0" * rng.choice((1024, 1024, 1024, 0, 512, 10_240, 100_000))
    return b"".join(pieces) + end


def _header(name, size, kind):
    """The 512 bytes before a member, with their checksum."""
    if size < 8**11:
        number = b"%011o\0" % size
    else:
        number = b"\x80" + (size % 2**88).to_bytes(11, "big")
    encoded = name.encode("utf-8", "surrogatepass")
    header = bytearray(512)
    header[:100] = encoded[-100:].ljust(100, b"\0")
    header[100:124], header[124:136] = b"0000644\0" + b"0000000\0" * 2, number
    header[136:148], header[156], header[257:265] = b"00000000000\0", kind, b"ustar\x0000"
    _check(header)
    return bytes(header)


def _check(header):
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)


def _damage(header, rng):
    """One field of another kind, and the checksum made right."""
    start, stop = rng.choice(((0, 100), (100, 108), (108, 116), (124, 136), (136, 148), (157, 257), (257, 265),
                              (329, 337), (345, 500), (386, 482), (482, 495)))  # fmt: skip
    fillings = (b"\xff", b"\0", b" ", b"7", b"9", b"-1 ", b"\x80\xff", b"\x80" + b"\0" * 9 + b"\x01", b"a/")
    header[start:stop] = (rng.choice(fillings) * 512)[: stop - start]
    _check(header)


def _extended(rng):
    """A pax header for the next member, or for all that follow."""
    lines = b""
    for _ in range(rng.choice((1, 1, 2, 5, 300))):
        text = f" {rng.choice(PAX)}={rng.choice(VALUES)}\n".encode("utf-8", "surrogatepass")
        length = len(text) + len(str(len(text) + 2))
        length = rng.choice((length,) * 9 + (0, 1, 10**9, int("9" * 30)))
        lines += str(length).encode() + text
    return _header("./PaxHeaders/x", len(lines), rng.choice(b"xxxg")) + _filled(lines)


def _filled(content):
    return content + b"\0" * (-len(content) % 512)


# Zip.


def _zip(rng):
    file, listed, count = b"", b"", 0
    for name, content in _chosen(rng):
        method = rng.choice(METHODS) if rng.random() < 0.02 else rng.choice((0, 8))
        stored = zlib.compress(content)[2:-4] if method == 8 else content
        if rng.random() < 0.01:
            method, stored, content = 8, *_bomb()
        fields = {
            "flags": 0x800, "method": method, "time": 0, "date": 0x21, "checksum": zlib.crc32(content),
            "stored": len(stored), "size": len(content), "offset": len(file),
        }  # fmt: skip
        encoded = name.encode("utf-8", "surrogatepass")[-65_000:]
        extra = rng.choice(EXTRAS) if rng.random() < 0.05 else b""
        local, central = dict(fields), dict(fields)
        for header in (local, central):
            if rng.random() < 0.04:
                header[rng.choice(list(fields))] = rng.choice((*SIZES, rng.getrandbits(16)))
        file += _local(local, encoded, extra) + stored
        listed += _central(central, encoded, extra)
        count += 1
    comment = b"x" * rng.choice((0, 0, 0, 1, 65_535))
    end = [count, count, len(listed), len(file)]
    if rng.random() < 0.1:
        end[rng.randrange(4)] = rng.choice(SIZES)
    large = b""
    if rng.random() < 0.1:  # zip64
        record = struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, *(value % 2**64 for value in end))
        large = record + struct.pack("<4sLQL", b"PK\x06\x07", 0, rng.choice((len(file + listed), *SIZES)) % 2**64, 1)
    counts = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, *(n % 2**16 for n in end[:2]), *(n % 2**32 for n in end[2:]),
                         len(comment))  # fmt: skip
    return file + listed + large + counts + comment


@functools.cache
def _bomb():
    """(stored, content): as many zeros as a file may have, in a few kilobytes."""
    content = bytes(cifar10.LARGEST)
    return zlib.compress(content)[2:-4], content


def _local(fields, name, extra):
    short, long = ("flags", "method", "time", "date"), ("checksum", "stored", "size")
    return struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, *(fields[key] % 2**16 for key in short),
                       *(fields[key] % 2**32 for key in long), len(name), len(extra)) + name + extra  # fmt: skip


def _central(fields, name, extra):
    short, long = ("flags", "method", "time", "date"), ("checksum", "stored", "size")
    return struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, *(fields[key] % 2**16 for key in short),
                       *(fields[key] % 2**32 for key in long), len(name), len(extra), 0, 0, 0, 0,
                       fields["offset"] % 2**32) + name + extra  # fmt: skip
