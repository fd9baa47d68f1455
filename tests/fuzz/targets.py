"""What reads files or words that may come from anywhere: where its inputs begin, and how it is used."""

import functools

from command_target import ELSEWHERE, command_lines, run_command
from file_targets import (
    cifar_archives,
    cifar_files,
    cifar_zips,
    class_indexes,
    folder_names,
    images,
    read_archive,
    read_cifar,
    read_classes,
    read_folder,
    read_image,
    read_weights,
    read_zip,
    weight_files,
)
from run_targets import (
    checkpoints,
    configs,
    histories,
    progress_files,
    read_a_history,
    read_checkpoint,
    read_config,
    read_model,
    read_progress,
    run_models,
)
from target import Target

JSON = (
    b"{", b"}", b"[", b"]", b'"', b"null", b"NaN", b"-1", b"1e999", b"[" * 50_000, b"\\ud800", b"\\u001b", b"{}",
    b"0.5", b'"batch_size": 0', b'"data": "photos"', b'"dataset": "cifar10"', b"true", b"1" * 5000,
)  # fmt: skip
HDF5 = (
    b"\x89HDF\r\n\x1a\n", b"TREE", b"SNOD", b"HEAP", b"OHDR", b"OCHK", b"FRHP", b"GCOL", b"layer_names", b"\xff" * 8,
)  # fmt: skip
NPZ = (
    *JSON, b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"\x93NUMPY", b"'descr': '|O'", b"'shape': (9999999999,)",
    b"<f4", b'"class": "Conv2D"', b'"filters": 99999999', b'"padding": 999999999', b'"units"', b'"strides": 0',
    b'{"class": "ZeroPad2D", "padding": 900}, ', b'"name": "\\u001b[2J"',
)  # fmt: skip
IMAGE = (b"IHDR", b"IDAT", b"PLTE", b"\xff\xda", b"\xff\xc0", b"II*\0", b"WEBP")
TAR = (b"../../x", b"/etc/x", b"ustar", b"0000777", b"L", b"x")
ZIP = (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"../../x", b"\x08\x00", b"\xff" * 4)
NAMES = (b"/", b"\n", b"train/", b"val/", b"..", b"a" * 300, b"\x1b[2J", b"\xff", "é\u202e".encode(), b".hidden")
CSV = (b",", b"\n", b'"', b"\0", b"nan", b"inf", b"-1e308", b"loss", b"epoch", b"1" * 5000, b"\xff", b'"' * 9)

TARGETS = {
    "weights .h5": Target(
        lambda: weight_files("seq/k3*.h5", "seq/tfk*.h5", "special/*.h5", "keras1/keras1*.h5"), read_weights, HDF5
    ),
    "weights .keras": Target(
        lambda: weight_files("seq/k3*.keras", "seq/tfk*.keras"),
        functools.partial(read_weights, name="w.keras"),
        HDF5 + NPZ,
    ),
    "image": Target(lambda: list(images()), read_image, IMAGE, mib=1000),
    "image folder": Target(folder_names, read_folder, NAMES),
    "CIFAR-10 files": Target(cifar_files, read_cifar, NAMES),
    "CIFAR-10 .tar.gz": Target(cifar_archives, read_archive, TAR),
    "CIFAR-10 .zip": Target(cifar_zips, read_zip, ZIP),
    "checkpoint": Target(checkpoints, read_checkpoint, NPZ),
    "model of a run": Target(run_models, read_model, NPZ, mib=800),
    "config of a run": Target(configs, read_config, JSON),
    "history of a run": Target(histories, read_a_history, CSV),
    "class index": Target(class_indexes, read_classes, JSON),
    "progress of the exercises": Target(progress_files, read_progress, JSON),
    "command line": Target(command_lines, run_command, named=(ELSEWHERE,)),
}
