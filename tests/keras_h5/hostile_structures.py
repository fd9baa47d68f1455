"""Files whose inner structures contradict themselves: counts, addresses and sizes that are lies."""

import io
import struct
import zipfile

import h5py
import numpy as np
from hostile_files import ARCHIVE, CHUNKED, GROUPS, KERNEL, LATEST, SHAPE, hostile
from keras_targets import FIXTURES

USER_BLOCK = FIXTURES / "special" / "userblock512.h5"
NOTHING = 0xFFFF_FFFF_FFFF_FFFF


def patch(path, place, form, *values):
    """Write numbers at a place of the file, or at the places that `place` finds in its bytes."""
    data = bytearray(path.read_bytes())
    for start in [place] if isinstance(place, int) else place(bytes(data)):
        struct.pack_into(form, data, start, *values)
    path.write_bytes(data)


def every(signature, offset):
    """All places `offset` bytes behind a signature."""

    def find(data):
        places, start = [], data.find(signature)
        while start >= 0:
            places.append(start + offset)
            start = data.find(signature, start + 1)
        assert places
        return places

    return find


@hostile("the file is damaged")
def symbol_nodes_with_65535_entries(path):
    patch(path, every(b"SNOD", 6), "<H", 65_535)


@hostile("the file is damaged: a B-tree node lies beyond the end of the file")
def tree_with_65535_children(path):
    patch(path, every(b"TREE", 6), "<H", 65_535)


@hostile("the file is damaged: a heap of names lies beyond the end of the file")
def heap_of_names_without_end(path):
    patch(path, every(b"HEAP", 8), "<Q", 2**62)


@hostile("the file is damaged")
def heap_of_names_that_is_itself(path):
    data = path.read_bytes()
    for place in every(b"HEAP", 24)(data):
        patch(path, place, "<Q", place - 24)


@hostile("the file is damaged: a heap of strings is cut short")
def text_longer_than_its_heap(path):
    patch(path, every(b"GCOL", 24), "<Q", 2**63)


@hostile("the file is damaged: a heap of strings uses one number twice")
def texts_of_one_number(path):
    """Every entry of a heap is called number 1 and has no length."""
    data = bytearray(path.read_bytes())
    start = data.find(b"GCOL") + 16
    for place in range(start, start + 160, 16):
        struct.pack_into("<H6xQ", data, place, 1, 0)
    path.write_bytes(data)


@hostile("the file is damaged: a heap of strings is shorter than its header")
def heap_of_texts_of_no_size(path):
    patch(path, every(b"GCOL", 8), "<Q", 0)


@hostile("the file is damaged: an object header continues into itself")
def two_blocks_that_continue_in_each_other(path):
    data = bytearray(path.read_bytes())
    root = struct.unpack_from("<Q", data, 64)[0]
    first, second = len(data), len(data) + 24
    for here, there in ((first, second), (second, first)):
        data += struct.pack("<HHB3xQQ", 0x10, 16, 0, there, 24)
        assert here < len(data)
    struct.pack_into("<HHB3xQQ", data, root + 16, 0x10, 16, 0, first, 24)
    struct.pack_into("<Q", data, 40, len(data))
    path.write_bytes(data)


@hostile("a chunk lies outside its dataset or is stored twice", CHUNKED)
def chunks_at_one_place(path):
    """Every chunk says that it is the first one."""
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        file.create_dataset(KERNEL, data=np.ones(SHAPE, "f4"), chunks=(3, 3, 3, 2))
    data = bytearray(path.read_bytes())
    for place in every(b"TREE\x01", 24)(bytes(data)):
        for entry in range(struct.unpack_from("<H", data, place - 18)[0]):
            data[place + 56 * entry + 8 : place + 56 * entry + 48] = bytes(40)
    path.write_bytes(data)


@hostile("", CHUNKED)
def chunks_that_share_their_bytes(path):
    """Two chunks of zeros in one place are two chunks of zeros."""
    original = path.read_bytes()
    with h5py.File(path, "r+") as file:
        values = file[KERNEL][()]
        del file[KERNEL]
        dataset = file.create_dataset(KERNEL, data=values, chunks=(3, 3, 3, 2))
        first, second = (dataset.id.get_chunk_info(k).byte_offset for k in range(2))
    data = path.read_bytes()
    assert data.count(struct.pack("<Q", second)) == 1
    path.write_bytes(data.replace(struct.pack("<Q", second), struct.pack("<Q", first)))
    assert path.read_bytes() != original


@hostile("the file is damaged: it declares that it begins at byte 1024, but it begins at byte 512", USER_BLOCK)
def user_block_of_another_size(path):
    patch(path, 512 + 24, "<Q", 1024)


@hostile("it is not an HDF5 file", USER_BLOCK)
def user_block_of_an_odd_size(path):
    path.write_bytes(path.read_bytes()[1:])


@hostile("the download is incomplete: have 27,920 of 18,446,744,073,709,551,615 bytes")
def file_without_end(path):
    patch(path, 40, "<Q", NOTHING)


@hostile("expected at most 100,000 strings, got 2,147,483,648")
def two_billion_names(path):
    """The number of names stands right behind the type, which ends in the text's padding and character set."""
    with h5py.File(path) as file:
        count = len(file.attrs["layer_names"])
    data = path.read_bytes()
    place = data.find(b"layer_names")
    place = data.find(struct.pack("<QQ", count, count), place)
    patch(path, place, "<Q", 2**31)


@hostile("the file is damaged: an attribute is cut short")
def a_few_names_more_than_there_are(path):
    with h5py.File(path) as file:
        count = len(file.attrs["layer_names"])
    data = path.read_bytes()
    place = data.find(struct.pack("<QQ", count, count), data.find(b"layer_names"))
    patch(path, place, "<Q", count + 5)


@hostile("", LATEST)
def fifty_thousand_attributes(path):
    with h5py.File(path, "r+", libver="latest") as file:
        for k in range(20_000):
            file.attrs[f"attribute {k}"] = k


@hostile("the file is damaged", LATEST)
def tree_of_impossible_depth(path):
    patch(path, every(b"BTHD", 12), "<H", 65_535)


@hostile("the file is damaged", LATEST)
def heap_whose_blocks_are_itself(path):
    """The heap's root block is said to be a table of blocks, at the place of the heap's own head."""
    data = path.read_bytes()
    for place in every(b"FRHP", 0)(data):
        patch(path, place + 132, "<QH", place, 8)


@hostile("nested in a circle or too deeply", GROUPS)
def layers_inside_layers_in_a_circle(path):
    with h5py.File(path, "r+") as file:
        file["layers/dense/one/two"] = np.zeros(3)
        file["layers/dense/one/again"] = file["layers/dense"]


def archive_with(path, member, entry_changes=(), end_changes=()):
    """The archive with numbers changed in one entry of its list: (offset, form, value)."""
    data = bytearray(path.read_bytes())
    place = data.find(b"PK\x01\x02")
    while bytes(data[place + 46 : place + 46 + len(member)]) != member.encode():
        place = data.find(b"PK\x01\x02", place + 1)
        assert place >= 0
    for offset, form, value in entry_changes:
        struct.pack_into(form, data, place + offset, value)
    end = data.rfind(b"PK\x05\x06")
    for offset, form, value in end_changes:
        struct.pack_into(form, data, end + offset, value)
    path.write_bytes(data)


@hostile("the file is damaged: the zip archive's member lies beyond the end of the file", ARCHIVE)
def archive_whose_sizes_are_elsewhere(path):
    """4 GB less a byte means "see the 64-bit field", which is not there."""
    archive_with(path, "model.weights.h5", [(20, "<I", 2**32 - 1), (24, "<I", 2**32 - 1)])


@hostile("the zip archive is over 4 GB or lists too many members", ARCHIVE)
def archive_whose_list_is_elsewhere(path):
    archive_with(path, "model.weights.h5", end_changes=[(12, "<I", 2**32 - 1), (16, "<I", 2**32 - 1)])


@hostile("the file is damaged: the zip archive's list is cut short", ARCHIVE)
def archive_with_65535_members(path):
    archive_with(path, "model.weights.h5", end_changes=[(8, "<H", 65_535), (10, "<H", 65_535)])


@hostile("the file is damaged: the zip archive's member does not begin with PK", ARCHIVE)
def archive_whose_member_is_elsewhere(path):
    archive_with(path, "model.weights.h5", [(42, "<I", 100)])


@hostile("", ARCHIVE)
def archive_with_a_deep_description(path):
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    members["config.json"] = b'{"class_name": "Sequential", "config": ' * 100_000 + b"[]" + b"}" * 100_000
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    path.write_bytes(stream.getvalue())
