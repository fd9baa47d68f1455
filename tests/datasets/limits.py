"""The worst files that a stranger can send, and what reading each takes in a process of its own.

python tests/datasets/limits.py              a table of MiB and seconds of processor time
python tests/datasets/limits.py "image: GIF" only the files whose name contains this
"""

import json
import re
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import hostile_archives
import hostile_images

KERAS_TESTS = Path(__file__).parents[1] / "keras_h5"
IMAGE_MIB, IMAGE_SECONDS = 600, 10
ARCHIVE_MIB, ARCHIVE_SECONDS = 100, 10
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def mib(mark):
    return int(re.search(rf"{mark}:\s*(\d+) kB", STATUS.read_text())[1]) / 1024


def measure(paths, reader="image"):
    """Read each file in one new process: a list of {message, MiB, seconds}; message "" if it was accepted."""
    command = [sys.executable, __file__, "--read", reader, *map(str, paths)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr[-2000:]
    assert not result.stderr, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def read_image(path):
    from minitorch_cnn.datasets import load_image
    from minitorch_cnn.datasets.images import check_image

    check_image(path, 150, 150)
    load_image(path, 150, 150)


def read_archive(path):
    from minitorch_cnn.datasets import cifar10

    cifar10(path)


def read_arrays(path):
    from minitorch_cnn.errors import CheckpointError
    from minitorch_cnn.files.npz import read_npz

    read_npz(path, CheckpointError)


def read_weights(path):
    sys.path.insert(0, str(KERAS_TESTS))
    from keras_targets import target

    from minitorch_cnn import keras_h5
    from minitorch_cnn.errors import WeightsError

    warnings.filterwarnings("ignore", message=".*: left out ")
    messages = []
    for use in (keras_h5.inspect, keras_h5.read, lambda path: keras_h5.load(path, target("seq"))):
        try:
            str(use(path))
        except WeightsError as error:
            messages.append(error)
    if messages:
        raise messages[-1]


READERS = {"image": read_image, "archive": read_archive, "arrays": read_arrays, "weights": read_weights}


def read(reader, paths):
    from PIL import Image

    from minitorch_cnn.errors import UserError

    with tempfile.TemporaryDirectory() as folder:  # whatever is imported late is imported now
        for ending in ("png", "gif", "webp", "tif", "jpg", "ppm", "bmp"):
            small = Path(folder, f"small.{ending}")
            Image.new("RGB", (9, 9)).save(small)
            read_image(small)
    if reader == "weights":
        read_weights(KERAS_TESTS / "fixtures" / "seq" / "tfk_legacy_weights.h5")
    warnings.filterwarnings("ignore", module=r"PIL\.")  # as the command line does
    for path in paths:
        RESET.write_text("5")
        before, start, message = mib("VmRSS"), time.process_time(), ""
        try:
            READERS[reader](path)
        except UserError as error:
            message = str(error)
        seconds = time.process_time() - start
        print(json.dumps({"message": message, "MiB": mib("VmHWM") - before, "seconds": seconds}))


def main(part):
    print(f"{'file':65} {'bytes':>12} {'MiB':>6} {'s':>6}  answer")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        for name, (reader, make) in makers(Path(folder)).items():
            if part not in name:
                continue
            path.write_bytes(make())
            (found,) = measure([path], reader)
            answer = found["message"].replace(f"{path}: ", "") or "read"
            size, mib, seconds = path.stat().st_size, found["MiB"], found["seconds"]
            print(f"{name[:65]:65} {size:12,} {mib:6.0f} {seconds:6.2f}  {answer[:110]}", flush=True)


def makers(folder):
    """{name: (reader, function that returns the bytes)} of every file; weight files are made in `folder`."""
    sys.path.insert(0, str(KERAS_TESTS))
    import hostile_amplifiers  # noqa: F401  registers its files
    import hostile_files
    import hostile_structures  # noqa: F401

    images = hostile_images.WORST | {name: make for name, (_, make) in hostile_images.REFUSED.items()}
    return (
        {f"image: {name}": ("image", make) for name, make in images.items()}
        | {f"archive: {name}": ("archive", make) for name, (_, make) in hostile_archives.REFUSED.items()}
        | {"model.npz: a million arrays": ("arrays", hostile_archives.an_npz_of_a_million_arrays)}
        | {
            f"weights: {name.replace('_', ' ')}": ("weights", lambda n=name: hostile_files.make(n, folder).read_bytes())
            for name in hostile_files.MAKERS
        }
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--read"]:
        read(sys.argv[2], sys.argv[3:])
    else:
        main(sys.argv[1] if len(sys.argv) > 1 else "")
