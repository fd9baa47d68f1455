"""Files made to do harm, each from a sound one by a small change. All are inert."""

import io
import random
import re
import struct
import zipfile
import zlib

import h5py
import numpy as np
from keras_targets import FIXTURES

LEGACY = FIXTURES / "seq" / "tfk_legacy_weights.h5"
GROUPS = FIXTURES / "seq" / "tfk_v3.weights.h5"
NAMED = FIXTURES / "seq" / "k3.weights.h5"
NUMBERED = FIXTURES / "keras1" / "keras0_nb_layers_theano.h5"
CHUNKED = FIXTURES / "special" / "chunked_gzip_shuffle.h5"
LATEST = FIXTURES / "special" / "libver_latest.h5"
ARCHIVE = FIXTURES / "seq" / "tfk_model.keras"
KERNEL = "conv2d/conv2d/kernel:0"
SHAPE = (3, 3, 3, 4)

MAKERS = {}


def hostile(expected, source=LEGACY):
    """Register a change of `source`; loading must raise an error that contains `expected`, or work if it is ""."""

    def register(change):
        MAKERS[change.__name__] = (expected, source, change)
        return change

    return register


def make(name, folder):
    """Write the file and return its path."""
    _, source, change = MAKERS[name]
    path = folder / f"{name}{''.join(source.suffixes)}"
    path.write_bytes(source.read_bytes())
    change(path)
    return path


def edit(path, old, new, count=1):
    """Replace bytes in place; the file keeps its length."""
    data = path.read_bytes()
    assert old in data and len(old) == len(new)
    path.write_bytes(data.replace(old, new, count))


def replace_kernel(path, **settings):
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        return file.create_dataset(KERNEL, **settings).id.get_offset()


@hostile("numbers are in another file (external storage)")
def external_storage(path):
    secret = path.with_name("secret.txt")
    secret.write_bytes(bytes(432))
    replace_kernel(path, shape=SHAPE, dtype="f4", external=[(str(secret), 0, 432)])


@hostile("numbers are in another file (external storage)")
def external_storage_in_a_device(path):
    replace_kernel(path, shape=SHAPE, dtype="f4", external=[("/dev/zero", 0, 432)])


@hostile("which is not followed", NAMED)
def external_link_to_a_variable(path):
    with h5py.File(path, "r+") as file:
        del file["layers/conv2d/vars/0"]
        file["layers/conv2d/vars/0"] = h5py.ExternalLink(str(LEGACY), KERNEL)


@hostile("which is not followed", GROUPS)
def soft_link_circle_among_groups(path):
    with h5py.File(path, "r+") as file:
        del file["layers/conv2d"]
        file["layers/conv2d"] = h5py.SoftLink("/layers/conv2d")


@hostile("two layers share the group", GROUPS)
def one_group_for_two_layers(path):
    with h5py.File(path, "r+") as file:
        del file["layers/conv2d_1"]
        file["layers/conv2d_1"] = file["layers/conv2d"]


@hostile("nested in a circle", GROUPS)
def model_inside_itself(path):
    with h5py.File(path, "r+") as file:
        file["layers/functional/layers"] = file["layers"]


@hostile("nested in a circle or too deeply", GROUPS)
def models_nested_a_thousand_times(path):
    with h5py.File(path, "r+") as file:
        group = file["layers"]
        for _ in range(1000):
            group = group.create_group("functional/layers")


@hostile("are not numbered from 0 to", GROUPS)
def variables_with_a_gap(path):
    with h5py.File(path, "r+") as file:
        file.move("layers/dense/vars/1", "layers/dense/vars/2")


@hostile("opaque, 2 bytes", NAMED)
def two_opaque_bytes_without_a_mark(path):
    with h5py.File(path, "r+") as file:
        del file["layers/conv2d/vars/0"]
        file["layers/conv2d/vars/0"] = np.zeros(SHAPE, "V2")


@hostile("expected a number from 0 to 10,000, got 2,147,483,648", NUMBERED)
def two_billion_layers(path):
    with h5py.File(path, "r+") as file:
        file.attrs["nb_layers"] = 2**31


@hostile("got 9,223,372,036,854,775,807", NUMBERED)
def most_weights_of_all(path):
    with h5py.File(path, "r+") as file:
        file["layer_1"].attrs["nb_params"] = 2**63 - 1


@hostile("is not a single integer", NUMBERED)
def layers_by_a_fraction(path):
    with h5py.File(path, "r+") as file:
        file.attrs["nb_layers"] = 11.0


@hostile("the part layer_names1 of the list layer_names is missing")
def list_with_a_missing_part(path):
    with h5py.File(path, "r+") as file:
        names = file.attrs["layer_names"]
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names2"] = names[:4], names[4:]


@hostile("expected a flat list of strings, got text of shape")
def table_of_names(path):
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = np.array([[b"conv2d", b"dense"], [b"a", b"b"]])


@hostile("is not a path below its group")
def name_that_climbs(path):
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = np.array([b"../conv2d"])


@hostile("missing")
def name_with_control_characters(path):
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = np.array([b"conv\n\x1b[31m\r2d" + b"x" * 5000])


@hostile("attribute keras_version: expected a version")
def version_that_is_none(path):
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = "two"


@hostile("expected one string, got 2")
def two_backends(path):
    with h5py.File(path, "r+") as file:
        file.attrs["backend"] = np.array([b"theano", b"tensorflow"])


@hostile("it holds no values")
def null_dataset(path):
    replace_kernel(path, data=h5py.Empty("f4"))


@hostile("32-bit integer")
def whole_numbers(path):
    replace_kernel(path, data=np.ones(SHAPE, np.int32))


@hostile("text, not floating-point")
def numbers_as_texts(path):
    replace_kernel(path, data=np.full(SHAPE, b"1.0"))


@hostile("unusual kind")
def foreign_floats(path):
    odd = h5py.h5t.IEEE_F32LE.copy()
    odd.set_ebias(99)
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        space = h5py.h5s.create_simple(SHAPE)
        h5py.h5d.create(file["conv2d/conv2d"].id, b"kernel:0", odd, space)


@hostile("only 1 of its 2 chunks were written")
def half_of_it_written(path):
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        dataset = file.create_dataset(KERNEL, SHAPE, "f4", chunks=(3, 3, 3, 2))
        dataset.id.write_direct_chunk((0, 0, 0, 0), bytes(216))


@hostile("does not have the size that its dataset declares", CHUNKED)
def chunk_that_unfolds_too_far(path):
    write_chunk(path, zlib.compress(bytes(200_000_000)))


@hostile("does not have the size that its dataset declares", CHUNKED)
def chunk_that_is_too_short(path):
    write_chunk(path, zlib.compress(bytes(10)))


@hostile("cannot be decompressed", CHUNKED)
def chunk_of_noise(path):
    write_chunk(path, bytes(range(200)))


def write_chunk(path, data):
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        dataset = file.create_dataset(KERNEL, SHAPE, "f4", chunks=SHAPE, compression="gzip")
        dataset.id.write_direct_chunk((0, 0, 0, 0), data[:800])


@hostile("checksum is wrong")
def chunk_with_a_wrong_checksum(path):
    values = np.random.default_rng(0).normal(size=SHAPE).astype("f4")
    place = 0
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        dataset = file.create_dataset(KERNEL, data=values, chunks=SHAPE, fletcher32=True)
        place = dataset.id.get_chunk_info(0).byte_offset
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@hostile("compressed with lzf are not supported")
def another_compression(path):
    replace_kernel(path, data=np.zeros(SHAPE, "f4"), chunks=SHAPE, compression="lzf")


@hostile("lies beyond the end of the file")
def data_beyond_the_end(path):
    offset = replace_kernel(path, data=np.ones(SHAPE, "f4"))
    edit(path, struct.pack("<QQ", offset, 432), struct.pack("<QQ", 2**40, 432))


@hostile("an array's shape needs")
def stored_size_is_another(path):
    offset = replace_kernel(path, data=np.ones(SHAPE, "f4"))
    edit(path, struct.pack("<QQ", offset, 432), struct.pack("<QQ", offset, 16))


@hostile("the file is damaged")
def every_tree_node_is_its_own_child(path):
    data = bytearray(path.read_bytes())
    place = data.find(b"TREE")
    while place >= 0:
        data[place + 5] = 1
        data[place + 32 : place + 40] = struct.pack("<Q", place)
        place = data.find(b"TREE", place + 1)
    path.write_bytes(data)


@hostile("the file is damaged", CHUNKED)
def chunk_tree_is_its_own_child(path):
    data = bytearray(path.read_bytes())
    place = data.find(b"TREE\x01")
    while place >= 0:
        data[place + 5] = 1
        data[place + 24 + 48 : place + 24 + 56] = struct.pack("<Q", place)
        place = data.find(b"TREE\x01", place + 1)
    path.write_bytes(data)


@hostile("the file is damaged")
def header_continues_in_itself(path):
    data = bytearray(path.read_bytes())
    root = struct.unpack_from("<Q", data, 64)[0]
    size = struct.unpack_from("<I", data, root + 8)[0]
    data[root + 16 : root + 24] = struct.pack("<HHB3x", 0x10, 16, 0)
    data[root + 24 : root + 40] = struct.pack("<QQ", root + 16, size)
    path.write_bytes(data)


@hostile("the file is damaged")
def text_of_another_length(path):
    data = path.read_bytes()
    place = data.find(b"GCOL")
    path.write_bytes(data.replace(struct.pack("<Q", place), struct.pack("<Q", len(data) - 20)))


@hostile("is split into several parts")
def part_of_a_family(path):
    data = bytearray(path.read_bytes())
    data[48:56] = struct.pack("<Q", 96)
    path.write_bytes(data)


@hostile("expected HDF5 superblock version 0 to 3")
def version_of_the_future(path):
    data = bytearray(path.read_bytes())
    data[8] = 9
    path.write_bytes(data)


@hostile("addresses of 4")
def short_addresses(path):
    data = bytearray(path.read_bytes())
    data[13] = 4
    path.write_bytes(data)


@hostile("the file is damaged", LATEST)
def new_tree_counts_too_many(path):
    data = bytearray(path.read_bytes())
    place = data.find(b"BTHD")
    data[place + 24 : place + 26] = b"\xff\xff"
    path.write_bytes(data)


@hostile("the file is damaged", LATEST)
def new_heap_points_outside(path):
    data = bytearray(path.read_bytes())
    place = data.find(b"FRHP")
    data[place + 132 : place + 140] = struct.pack("<Q", 2**50)
    path.write_bytes(data)


@hostile("describes far more objects than any network has")
def attribute_that_never_ends(path):
    """Three thousand names, all of them the same text of four megabytes."""
    text = h5py.string_dtype()
    with h5py.File(path, "r+") as file:
        file.attrs["long"] = np.array(["n" * 4_000_000], dtype=text)
        file.attrs["layer_names"] = np.array([f"{k:05}" for k in range(3000)], dtype=text)
    data = path.read_bytes()
    place_of_long = re.search(re.escape(struct.pack("<I", 4_000_000)) + b".{12}", data, re.DOTALL)[0]
    names = re.search(rb"(?:\x05\0\0\0.{12}){3000}", data, re.DOTALL)[0]
    path.write_bytes(data.replace(names, 3000 * place_of_long))


@hostile("would expand to 1,073,741,824 bytes", ARCHIVE)
def archive_that_unfolds(path):
    rewrite_archive(path, size=2**30)


@hostile("is encrypted or compressed with an unsupported method", ARCHIVE)
def archive_with_a_password(path):
    rewrite_archive(path, flags=1)


@hostile("is encrypted or compressed with an unsupported method", ARCHIVE)
def archive_of_another_compression(path):
    rewrite_archive(path, method=99)


@hostile("does not have the size that it declares", ARCHIVE)
def archive_with_a_wrong_size(path):
    rewrite_archive(path, size=50_000)


@hostile("lists too many members", ARCHIVE)
def archive_with_a_huge_list(path):
    data = bytearray(path.read_bytes())
    end = data.rfind(b"PK\x05\x06")
    data[end + 12 : end + 16] = struct.pack("<I", 2**31)
    path.write_bytes(data)


@hostile("the file is damaged", ARCHIVE)
def archive_with_a_list_outside(path):
    data = bytearray(path.read_bytes())
    end = data.rfind(b"PK\x05\x06")
    data[end + 16 : end + 20] = struct.pack("<I", 2**31)
    path.write_bytes(data)


def rewrite_archive(path, size=None, flags=0, method=8):
    """Compress the weights and change what the list at the end says of them."""
    with zipfile.ZipFile(path) as file:
        data = file.read("model.weights.h5")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("model.weights.h5", data)
    archive = bytearray(stream.getvalue())
    entry = archive.rfind(b"PK\x01\x02")
    struct.pack_into("<HH", archive, entry + 8, flags, method)
    struct.pack_into("<I", archive, entry + 24, len(data) if size is None else size)
    path.write_bytes(archive)


@hostile("", GROUPS)
def strange_things_that_nobody_asks_for(path):
    """Links, types and attributes outside the layers do no harm and are not looked at."""
    with h5py.File(path, "r+") as file:
        file["outside"] = h5py.ExternalLink("/etc/hostname", "/")
        file["optimizer/loop"] = h5py.SoftLink("/optimizer/loop")
        file["table"] = np.zeros(3, [("a", "f4"), ("b", "i8")])
        file.attrs["reference"] = file["layers"].ref
        file.attrs["flag"] = True


def mutants(count, seed):
    """Random edits of four sound files: bits, whole words, copies of other places, cuts."""
    random_numbers = random.Random(seed)
    sources = [path.read_bytes() for path in (LEGACY, NAMED, CHUNKED, LATEST)]
    for _ in range(count):
        data = bytearray(random_numbers.choice(sources))
        for _ in range(random_numbers.choice([1, 1, 2, 8])):
            anywhere = random_numbers.random() < 0.5
            place = random_numbers.randrange(len(data) if anywhere else min(3000, len(data)))
            kind = random_numbers.randrange(5)
            if kind == 0:
                data[place] ^= 1 << random_numbers.randrange(8)
            elif kind == 1:
                data[place] = random_numbers.choice([0, 1, 127, 128, 255])
            elif kind == 2:
                word = random_numbers.choice([0, 2**64 - 1, 2**63, random_numbers.randrange(len(data))])
                data[place : place + 8] = struct.pack("<Q", word)
            elif kind == 3:
                other, length = random_numbers.randrange(len(data)), random_numbers.randrange(1, 64)
                data[place : place + length] = data[other : other + length]
            elif random_numbers.random() < 0.2:
                del data[max(1, place) :]
        yield bytes(data)
