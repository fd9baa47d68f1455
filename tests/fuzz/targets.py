"""What reads files or words that may come from anywhere: where its inputs begin, and how it is used."""

import contextlib
import functools
import gzip
import importlib
import io
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from minitorch_cnn import Sequential, callbacks, checkpoint, cli, datasets, keras_h5, layers, optimizers, runs, training
from minitorch_cnn.errors import DataError
from minitorch_cnn.weight_files import read_class_index

HERE = Path(__file__).parent
FIXTURES = HERE.parent / "keras_h5" / "fixtures"
cifar10 = importlib.import_module("minitorch_cnn.datasets.cifar10")


@dataclass
class Target:
    """`seeds()`: good inputs; `use(data, folder)` reads one as a user would; `words`: edits with a meaning."""

    seeds: object
    use: object
    words: tuple = ()


@functools.cache
def small_model():
    return Sequential(
        [layers.Conv2D(2, 3, activation="relu"), layers.BatchNorm(), layers.Flatten(), layers.Dropout(0.1),
         layers.Dense(3, activation="softmax")], (6, 5, 3), seed=0,
    )  # fmt: skip


def written(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return path


# Weight files.


def weight_files(*patterns):
    return [
        path.read_bytes()
        for pattern in patterns
        for path in sorted(FIXTURES.glob(pattern))
        if path.stat().st_size < 70_000
    ]


def read_weights(data, folder, name="weights.h5"):
    path = written(folder, name, data)
    str(keras_h5.inspect(path))
    for fit in (lambda: keras_h5.read(path), lambda: small_model().copy().load_weights(path, by_name=True)):
        fit()


# Images.


def images():
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (14, 9, 3), dtype=np.uint8))
    for kind, options in (("PNG", {}), ("JPEG", {}), ("GIF", {}), ("BMP", {}), ("WEBP", {}), ("TIFF", {}), ("PPM", {}),
                          ("PNG", {"mode": "P"}), ("PNG", {"mode": "RGBA"}), ("JPEG", {"mode": "CMYK"}),
                          ("TIFF", {"mode": "I;16"}), ("JPEG", {"progressive": True}),
                          ("TIFF", {"compression": "tiff_lzw"})):  # fmt: skip
        options = dict(options)
        mode, file = options.pop("mode", "RGB"), io.BytesIO()
        image = picture.convert("L").convert("I;16") if mode == "I;16" else picture.convert(mode)
        image.save(file, kind, **options)
        yield file.getvalue()


def read_image(data, folder):
    image = datasets.load_image(written(folder, "image", data), 8, 7)
    assert image.shape == (8, 7, 3) and image.dtype == np.uint8


# CIFAR-10: a file among five good ones, or the list of names; and the archive.


@functools.cache
def records(count=2):
    return bytes(
        (number * 7) % 10 if at == 0 else (at + number) % 256 for number in range(count) for at in range(cifar10.RECORD)
    )


def cifar_files():
    return [b"b" + records(1), b"b" + records(3), b"n" + "\n".join(cifar10.CLASS_NAMES).encode()]


def read_cifar(data, folder):
    for name in (*cifar10.TRAIN_FILES, cifar10.TEST_FILE):
        written(folder, name, records(1))
    written(folder, cifar10.NAMES_FILE if data[:1] == b"n" else "data_batch_3.bin", data[1:])
    str(datasets.cifar10(folder))


def cifar_archives():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name in (*cifar10.TRAIN_FILES, cifar10.TEST_FILE):
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = cifar10.RECORD
            archive.addfile(member, io.BytesIO(records(1)))
    return [file.getvalue()]


def read_archive(data, folder):
    """The edits are made to what is in the archive; gzip's checksum would keep most others out."""
    str(datasets.cifar10(written(folder, "cifar.tar.gz", gzip.compress(data, 1))))


# Checkpoints and run folders.


def small_trainer():
    x, labels = np.zeros((4, 6, 5, 3), np.float32), np.array([0, 1, 2, 0])
    return training.Trainer(small_model().copy(), x, labels, optimizer=optimizers.SGD(0.1, momentum=0.9), batch_size=2,
                            callbacks=[callbacks.EarlyStopping("loss")], progress=False)  # fmt: skip


def checkpoints():
    trainer = small_trainer()
    trainer.optimizer.prepare(trainer.model)
    return [_saved(*trainer.state())]


def _saved(arrays, facts):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.npz"
        checkpoint.save(path, arrays, facts)
        return path.read_bytes()


def read_checkpoint(data, folder):
    data = _checksums_made_right(data)
    small_trainer().load(written(folder, "checkpoint.npz", data))


def _checksums_made_right(data):
    """With the checksums of its members as they should be, so that edits get as far as those of somebody malicious."""
    import struct
    import zlib

    data, place = bytearray(data), 0
    while (place := data.find(b"PK\x01\x02", place)) >= 0 and place + 46 <= len(data):
        (size,) = struct.unpack_from("<I", data, place + 20)
        (header,) = struct.unpack_from("<I", data, place + 42)
        if header + 30 <= len(data):
            names = sum(struct.unpack_from("<HH", data, header + 26))
            checksum = struct.pack("<I", zlib.crc32(data[header + 30 + names : header + 30 + names + size]))
            data[place + 16 : place + 20] = data[header + 14 : header + 18] = checksum
        place += 4
    return bytes(data)


@functools.cache
def run_models():
    model = small_model()
    arrays = {key: value for key, value in model.state().items() if key[1] != "draws"}
    return [_saved(arrays, {"model": model.config(), "class_names": ["a", "b", "c"]})]


def read_model(data, folder):
    model, names = runs.RunFolder(written(folder, "model.npz", _checksums_made_right(data)).parent).load_model()
    model.predict(np.zeros((1, *model.input_shape), np.float32))
    assert all(isinstance(name, str) for name in names)


def configs():
    settings = '{"dataset": "digits", "data": null, "epochs": 3, "batch_size": 64, "learning_rate": 0.02, "seed": 0}'
    return [f'{{"settings": {settings}, "model": {{}}}}'.encode()]


def read_config(data, folder):
    written(folder, "config.json", data)
    settings = runs.RunFolder(folder).read_settings(runs.Settings)
    assert isinstance(settings.dataset, str) and settings.epochs >= 0


def class_indexes():
    return [("{" + ", ".join(f'"{n}": ["n{n:08}", "name {n}"]' for n in range(1000)) + "}").encode()]


def read_classes(data, folder):
    assert len(read_class_index(written(folder, "index.json", data))) == 1000


# The command line: each byte stands for a word.

WORDS = (
    "train", "fine-tune", "predict", "summary", "weights", "fetch", "inspect", "check-gradients", "--help", "--data",
    "--epochs", "--batch-size", "--learning-rate", "--seed", "--out", "--resume", "--quiet", "--weights", "--model",
    "--size", "--most", "--no-top", "--", "-", "", "0", "1", "-1", "1e400", "nan", "9" * 400, "cifar10", "digits",
    "cats-vs-dogs", "vgg16", "run", "image.png", "weights.h5", "config.json", "nowhere", "run/model.npz", "..", "/",
    "/dev/null", "a\x1b[2Jb", "é\u202e", "\udcff", "x" * 5000, "a\nb", "=", "--epochs=2", "--model=run", "%s{0}",
)  # fmt: skip


COMMANDS = (
    "predict run image.png",
    "weights inspect weights.h5 --model run",
    "summary run",
    "train digits --epochs 1 --out nowhere",
    "train --resume run",
    "fine-tune --weights weights.h5 --data nowhere",
    "weights fetch vgg16 --no-top",
    "summary cifar10 --batch-size 1",
)


def command_lines():
    return [bytes(WORDS.index(word) for word in command.split()) for command in COMMANDS]


def run_command(data, folder):
    """Trainings and downloads are left out: what is looked at is what the words lead to."""
    written(folder, "image.png", next(images()))
    written(folder, "weights.h5", weight_files("seq/tfk_legacy_weights.h5")[0])
    (folder / "run").mkdir(exist_ok=True)
    written(folder / "run", "model.npz", run_models()[0])
    said = io.StringIO()
    arguments = [WORDS[byte % len(WORDS)] for byte in data[:12]]
    with _without_long_work(), contextlib.chdir(folder) if sys.version_info >= (3, 11) else _chdir(folder):
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
                code = cli.main(arguments)
        except SystemExit as ended:  # argparse
            code = ended.code
            assert "Traceback" not in said.getvalue()
        else:
            lines = said.getvalue().splitlines()
            assert len(lines) <= 1 and all(line.isprintable() for line in lines), lines
    assert code in (0, 1, 2), code


@contextlib.contextmanager
def _without_long_work():
    fine_tune, gradient_check, gradient_gallery, models, weight_files = (
        importlib.import_module(f"minitorch_cnn.{name}")
        for name in ("fine_tune", "gradient_check", "gradient_gallery", "models", "weight_files")
    )

    def not_here(*_, **__):
        raise DataError("not while fuzzing")

    with contextlib.ExitStack() as stack:
        for module, name in ((runs, "_train"), (fine_tune, "_run"), (weight_files, "_fetch"), (models, "vgg16"),
                             (models, "transfer_net"), (gradient_check, "gradient_check"),
                             (gradient_gallery, "every_layer")):  # fmt: skip
            before = getattr(module, name)
            setattr(module, name, not_here)
            stack.callback(setattr, module, name, before)
        yield


@contextlib.contextmanager
def _chdir(folder):
    import os

    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


JSON = (
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"null",
    b"NaN",
    b"-1",
    b"1e999",
    b"[" * 50_000,
    b"\\ud800",
    b"\\u001b",
    b"{}",
    b"0.5",
)
HDF5 = (
    b"\x89HDF\r\n\x1a\n",
    b"TREE",
    b"SNOD",
    b"HEAP",
    b"OHDR",
    b"OCHK",
    b"FRHP",
    b"GCOL",
    b"layer_names",
    b"\xff" * 8,
)
NPZ = (
    *JSON,
    b"PK\x03\x04",
    b"PK\x01\x02",
    b"PK\x05\x06",
    b"\x93NUMPY",
    b"'descr': '|O'",
    b"'shape': (9999999999,)",
    b"<f4",
    b'"class": "Conv2D"',
    b'"filters": 99999999',
    b'"padding": 999999999',
    b'"units"',
    b'"strides": 0',
)

TARGETS = {
    "weights .h5": Target(
        lambda: weight_files("seq/k3*.h5", "seq/tfk*.h5", "special/*.h5", "keras1/keras1*.h5"), read_weights, HDF5
    ),
    "weights .keras": Target(
        lambda: weight_files("seq/k3*.keras", "seq/tfk*.keras"),
        functools.partial(read_weights, name="w.keras"),
        HDF5 + NPZ,
    ),
    "image": Target(
        lambda: list(images()), read_image, (b"IHDR", b"IDAT", b"PLTE", b"\xff\xda", b"\xff\xc0", b"II*\0", b"WEBP")
    ),
    "CIFAR-10 files": Target(cifar_files, read_cifar),
    "CIFAR-10 archive": Target(cifar_archives, read_archive, (b"../../x", b"/etc/x", b"ustar", b"0000777", b"L", b"x")),
    "checkpoint": Target(checkpoints, read_checkpoint, NPZ),
    "model of a run": Target(run_models, read_model, NPZ),
    "config of a run": Target(configs, read_config, JSON),
    "class index": Target(class_indexes, read_classes, JSON),
    "command line": Target(command_lines, run_command),
}
