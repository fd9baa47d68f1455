"""Small files that ask for much: one thing in them is named, listed or nested many thousand times."""

import json
import struct

import h5py
import numpy as np
from hostile_files import GROUPS, KERNEL, LEGACY, NUMBERED, SHAPE, edit, hostile, replace_kernel

TOO_MUCH = "describes far more objects than any network has"


def list_layers(file, names):
    del file.attrs["layer_names"]
    for number, part in enumerate(np.array_split(np.array(names), 1 + len(names) // 3000)):
        file.attrs[f"layer_names{number}"] = part


@hostile(TOO_MUCH)
def one_group_of_many_weights_under_many_names(path):
    with h5py.File(path, "r+") as file:
        file.create_group("big").attrs["weight_names"] = np.array([b"%05d" % k for k in range(12_000)])
        for k in range(1000):
            file[f"l{k}"] = file["big"]
        list_layers(file, [b"l%d" % k for k in range(1000)])


@hostile(TOO_MUCH)
def one_group_on_ever_longer_paths(path):
    with h5py.File(path, "r+") as file:
        group = file.create_group("g")
        group["g"] = group
        group.attrs["weight_names"] = np.zeros(0)
        del file.attrs["layer_names"]
        names = ["/".join("g" * (20_000 + k)) for k in range(200)]
        file.attrs["layer_names"] = np.array(names, h5py.string_dtype())


@hostile(TOO_MUCH, NUMBERED)
def ten_thousand_layers_that_are_one(path):
    with h5py.File(path, "r+") as file:
        file.attrs["nb_layers"] = 10_000
        file["layer_0"].attrs["nb_params"] = 1000
        for k in range(10_000):
            if f"layer_{k}" not in file:
                file[f"layer_{k}"] = file["layer_0"]


@hostile(TOO_MUCH, GROUPS)
def one_group_of_variables_in_many_layers(path):
    with h5py.File(path, "r+") as file:
        variables = file.create_group("shared")
        for k in range(1000):
            variables.create_dataset(str(k), (1,), "f4")
        for k in range(3, 3000):
            file.create_group(f"layers/conv2d_{k}")["vars"] = variables


@hostile(TOO_MUCH, GROUPS)
def one_long_name_in_many_layers(path):
    with h5py.File(path, "r+") as file:
        variables = file.create_group("shared")
        variables["0"] = np.ones(1, "f4")
        variables.attrs["name"] = np.bytes_(b"n" * 60_000)
        for k in range(3, 6000):
            file.create_group(f"layers/conv2d_{k}")["vars"] = variables


@hostile(TOO_MUCH, GROUPS)
def layers_deep_down_at_a_long_place(path):
    with h5py.File(path, "r+") as file:
        variables = file.create_group("shared")
        variables["0"] = np.ones(1, "f4")
        group = file["layers"]
        for _ in range(12):
            group = group.create_group(f"functional{'l' * 60_000}/layers")
        for k in range(2000):
            group.create_group(f"dense_{k}")["vars"] = variables


@hostile(TOO_MUCH)
def names_that_overlap_in_their_heap(path):
    """Four hundred entries of one group, each a piece of the same name of six megabytes."""
    with h5py.File(path, "r+") as file:
        file.create_group("n" * 6_000_000)
        for k in range(400):
            file.create_group(f"z{k}")
    data = bytearray(path.read_bytes())
    heap = struct.unpack_from("<Q", data, 88)[0]  # the superblock has the root group's places
    names = struct.unpack_from("<Q", data, heap + 24)[0]
    offset = data.find(b"n" * 1000, names) - names
    place, count = data.find(b"SNOD"), 0
    while place >= 0:
        for entry in range(struct.unpack_from("<H", data, place + 6)[0]):
            struct.pack_into("<Q", data, place + 8 + 40 * entry, offset + count)
            count += 1
        place = data.find(b"SNOD", place + 4)
    path.write_bytes(data)


@hostile(TOO_MUCH)
def headers_of_empty_messages(path):
    """Two hundred groups whose headers continue in the same half megabyte of messages that say nothing."""
    with h5py.File(path, "r+") as file:
        for k in range(200):
            file.create_group(f"g{k}").attrs["weight_names"] = np.zeros(0)
            file[f"g{k}"].attrs["to_be_replaced"] = np.zeros(8)
        list_layers(file, [b"g%d" % k for k in range(200)])
    data = bytearray(path.read_bytes())
    place, size = len(data), 480_000
    name = data.find(b"to_be_replaced")
    while name >= 0:  # eight bytes of head and eight of sizes stand before an attribute's name
        struct.pack_into("<H", data, name - 16, 0x10)
        struct.pack_into("<QQ", data, name - 8, place, size)
        name = data.find(b"to_be_replaced", name + 1)
    data += bytes(size)
    struct.pack_into("<Q", data, 40, len(data))
    path.write_bytes(data)


@hostile(TOO_MUCH, GROUPS)
def every_layer_of_another_class(path):
    with h5py.File(path, "r+") as file:
        variables = file.create_group("shared")
        variables["0"] = np.ones(1, "f4")
        for k in range(24_000):
            file.create_group(f"layers/k{k}x")["vars"] = variables


@hostile("the file has 3001 layers with weights")
def one_layer_with_a_very_long_line(path):
    """Three thousand lines of a report, each filled up to the width of the longest."""
    with h5py.File(path, "r+") as file:
        file.create_group("wide").attrs["weight_names"] = np.array([b"%05d" % k for k in range(12_000)])
        file.create_group("narrow").attrs["weight_names"] = np.array([b"x"])
        for k in range(3000):
            file[f"l{k}"] = file["narrow"]
        list_layers(file, [b"wide"] + [b"l%d" % k for k in range(3000)])


@hostile("through the same filter twice")
def one_filter_many_times(path):
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk(SHAPE)
    for _ in range(20):
        settings.set_deflate(1)
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        space = h5py.h5s.create_simple(SHAPE)
        dataset = h5py.h5d.create(file["conv2d/conv2d"].id, b"kernel:0", h5py.h5t.IEEE_F32LE, space, settings)
        dataset.write(space, space, np.ones(SHAPE, "f4"))


@hostile("it declares more numbers than any computer can hold")
def no_numbers_and_an_endless_axis(path):
    replace_kernel(path, shape=(0, 123_456_789), dtype="f4")
    edit(path, struct.pack("<Q", 123_456_789), struct.pack("<Q", 2**63 - 1), -1)


@hostile("", LEGACY.with_name("tfk_model.h5"))
def version_in_strange_digits(path):
    """A digit for Python's `isdigit` and not for its `int`; the description makes the version count."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            layer["config"].pop("data_format", None)
            if layer["class_name"] == "Conv2D":
                layer["config"]["data_format"] = "channels_first"
        file.attrs["model_config"] = json.dumps(config)
        for place in (file, file["model_weights"]):
            place.attrs["keras_version"] = "2.²"
