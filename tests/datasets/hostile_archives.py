"""Makers of archives that would take much memory or time to unpack, and what `cifar10` must say of them."""

import gzip
import io
import struct
import tarfile
import zipfile
import zlib

MIB = 1 << 20
REFUSED = {}


def refused(message):
    def kept(make):
        REFUSED[make.__name__.replace("_", " ")] = (message, make)
        return make

    return kept


def header(kind=tarfile.REGTYPE, size=0, name="x"):
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def packed(*parts):
    """A gzip file of (bytes, how often)."""
    inflater = zlib.compressobj(1, wbits=31)
    return b"".join(inflater.compress(part) for part, times in parts for _ in range(times)) + inflater.flush()


@refused("one that is too long")
def a_name_of_200_MB():
    return packed((header(tarfile.GNUTYPE_LONGNAME, 200 * MIB), 1), (b"n" * MIB, 200))


@refused("one that is too long")
def a_pax_header_of_200_MB():
    return packed((header(tarfile.XHDTYPE, 200 * MIB), 1), (b"9 a=bcde\n" * (MIB // 9 + 1), 200))


@refused("expected ordinary headers, got one that is too long")
def a_thousand_pax_headers_for_one_file():
    records = b"".join(b"9 %04x=x\n" % i for i in range(1800)).ljust(1 << 14, b"\0")
    return packed((header(tarfile.XHDTYPE, 1 << 14) + records, 1000))


@refused("expected ordinary headers, got one that is too long")
def a_thousand_global_pax_headers():
    records = b"".join(b"9 %04x=x\n" % i for i in range(1800)).ljust(1 << 14, b"\0")
    return packed((header(tarfile.XGLTYPE, 1 << 14) + records, 1000))


@refused("at most 1,000 files")
def a_million_empty_files():
    return packed((header(), 500_000))


@refused("at most 1,000 files")
def a_million_folders():
    return packed((header(tarfile.DIRTYPE), 500_000))


@refused("one that is too long")
def a_file_with_holes_without_end():
    first = bytearray(header(tarfile.GNUTYPE_SPARSE, 0))
    first[386:482] = (b"%011o\0" % 1) * 8
    first[482] = 1
    first[148:156] = b"%06o\0 " % (sum(first[:148]) + 256 + sum(first[156:512]))
    return packed((bytes(first), 1), ((b"%011o\0" % 1) * 42 + b"\1" + bytes(7), 500_000))


@refused("256 MiB when unpacked")
def a_terabyte_of_zeros():
    return packed((header(size=(8 << 30) - 1), 1), (bytes(MIB), 300))


@refused("damaged archive")
def a_gzip_header_with_a_name_of_100_MB():
    return b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * (100 * MIB)


@refused("damaged archive")
def five_million_empty_gzip_files():
    return gzip.compress(b"") * 5_000_000


@refused("damaged archive")
def a_hundred_MB_of_empty_blocks():
    return b"\x1f\x8b\x08\x00" + bytes(6) + b"\0\0\0\xff\xff" * (20 * MIB)


def zip_list(number, size=0):
    """A .zip that lists `number` files of `size` bytes, of which none is there."""
    entry = b"PK\x01\x02" + struct.pack("<6H3I5H2I", 20, 20, 0, 8, 0, 0, 0, 9, size, 1, 0, 0, 0, 0, 0, 0) + b"x"
    lists = entry * number
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, number & 0xFFFF, number & 0xFFFF, len(lists), 0, 0)
    return lists + end


@refused("the list of what it contains has over 256,000 bytes")
def a_zip_of_two_million_files():
    return zip_list(2_000_000)


@refused("at most 1,000 files")
def a_zip_of_2_000_files():
    return zip_list(2000)


@refused("256 MiB when unpacked")
def a_zip_of_terabytes():
    return zip_list(1000, 1 << 31)


@refused("256 MiB when unpacked")
def a_zip_whose_sizes_are_elsewhere():
    extra = struct.pack("<HHQQ", 1, 16, 1 << 62, 1 << 62)
    entry = b"PK\x01\x02" + struct.pack("<6H3I5H2I", 45, 45, 0, 0, 0, 0, 0, 2**32 - 1, 2**32 - 1, 1, 20, 0, 0, 0, 0, 0)
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(entry) + 21, 2**32 - 1, 0)
    return entry + b"x" + extra + end


@refused("another compression")
def a_zip_compressed_with_bzip2():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("test_batch.bin", bytes(30 * MIB))
    return file.getvalue()


def an_npz_of_a_million_arrays():
    return b"PK\x03\x04" + zip_list(1_000_000)
