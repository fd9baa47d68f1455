"""What reads files or words that may come from anywhere: where its inputs begin, and how it is used."""

import functools

from archive_mutations import mutated_archive
from command_target import ELSEWHERE, command_lines, run_command
from facts_mutations import mutated_checkpoint, mutated_json
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
    read_tar_or_zip,
    read_weights,
    read_zip,
    weight_files,
)
from image_mutations import mutated_image
from keras_files import good_h5, good_keras, mutated_keras
from meaning_targets import good_models, use_checkpoint, use_keras, use_model
from model_mutations import mutated_model
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
    ".keras by meaning": Target(good_keras, functools.partial(use_keras, name="m.keras"), mutated=mutated_keras),
    "whole-model .h5 by meaning": Target(good_h5, functools.partial(use_keras, name="m.h5"), mutated=mutated_keras),
    "image": Target(lambda: list(images()), read_image, IMAGE, mib=1000),
    "image by meaning": Target(lambda: list(images()), read_image, mib=1000, mutated=mutated_image),
    "image folder": Target(folder_names, read_folder, NAMES),
    "CIFAR-10 files": Target(cifar_files, read_cifar, NAMES),
    "CIFAR-10 .tar.gz": Target(cifar_archives, read_archive, TAR),
    "CIFAR-10 .zip": Target(cifar_zips, read_zip, ZIP),
    "CIFAR archive by meaning": Target(
        lambda: cifar_archives() + cifar_zips(), read_tar_or_zip, mutated=mutated_archive
    ),
    "checkpoint": Target(checkpoints, read_checkpoint, NPZ),
    "checkpoint, by meaning": Target(checkpoints, use_checkpoint, mutated=mutated_checkpoint),
    "model of a run": Target(run_models, read_model, NPZ, mib=800),
    "model of a run, by meaning": Target(good_models, use_model, mib=800, mutated=mutated_model),
    "config of a run": Target(configs, read_config, JSON),
    "config of a run, by meaning": Target(configs, read_config, mutated=mutated_json),
    "history of a run": Target(histories, read_a_history, CSV),
    "class index": Target(class_indexes, read_classes, JSON),
    "progress of the exercises": Target(progress_files, read_progress, JSON),
    "command line": Target(command_lines, run_command, named=(ELSEWHERE,)),
}
