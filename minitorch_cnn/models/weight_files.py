"""Published weights: their addresses and checksums, downloading them, and ImageNet's class names.

    path = weight_files.fetch("vgg16", top=True)
    model = models.vgg16(weights=path)
    weight_files.top5(model.predict(photos)[0])       # [("n02123045", "tabby", 0.82), ...]

A file is used only if it has the published checksum, whether it has just been downloaded or was there already. Nobody
has published one for MobileNetV2: there the checksum of the first download is recorded beside the file, and holds for
later ones.
"""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.errors import ArgumentError, DataError, ShapeError
from minitorch_cnn.files import download
from minitorch_cnn.files.printable import printable
from minitorch_cnn.files.regular import read_small
from minitorch_cnn.files.replacing import replacing

GOOGLE = "https://storage.googleapis.com/"  # from where Keras itself downloads
KERAS = f"{GOOGLE}tensorflow/keras-applications/"
GITHUB = "https://github.com/"


@dataclass(frozen=True)
class PublishedFile:
    """A file on the web: its name, its addresses, its MD5 checksum if one is published, and its size if it is known."""

    name: str
    urls: tuple[str, ...]
    md5: str | None
    size: int | None = None  # bytes


def _file(name: str, md5: str | None, *places: str, size: int | None = None) -> PublishedFile:
    return PublishedFile(name, tuple(place + name for place in places), md5, size)


VGG16 = f"{KERAS}vgg16/", f"{GITHUB}fchollet/deep-learning-models/releases/download/v0.1/"
RESNET = f"{KERAS}resnet/", f"{GITHUB}keras-team/keras-applications/releases/download/resnet/"
MOBILENET_V2 = (f"{KERAS}mobilenet_v2/",)
EFFICIENTNET = (f"{GOOGLE}keras-applications/",)

# (model, with the top): file
WEIGHTS = {
    ("vgg16", True): _file(
        "vgg16_weights_tf_dim_ordering_tf_kernels.h5", "64373286793e3c8b2b4e3219cbf3544b", *VGG16, size=553_467_096
    ),
    ("vgg16", False): _file(
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc", *VGG16, size=58_889_256
    ),
    ("resnet50", True): _file(
        "resnet50_weights_tf_dim_ordering_tf_kernels.h5", "2cb95161c43110f7111970584f804107", *RESNET
    ),
    ("resnet50", False): _file(
        "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", "4d473c1dd8becc155b73f8504c6f6626", *RESNET
    ),
    ("mobilenet_v2", True): _file("mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5", None, *MOBILENET_V2),
    ("mobilenet_v2", False): _file(
        "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", None, *MOBILENET_V2
    ),
    ("efficientnet_b0", True): _file("efficientnetb0.h5", "902e53a9f72be733fc0bcb005b3ebbac", *EFFICIENTNET),
    ("efficientnet_b0", False): _file("efficientnetb0_notop.h5", "50bc09e76180e00e4465e1a485ddc09d", *EFFICIENTNET),
}
CLASS_INDEX = PublishedFile(
    "imagenet_class_index.json",
    (
        "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json",
        "https://s3.amazonaws.com/deep-learning-models/image-models/imagenet_class_index.json",
    ),
    "c2c37ea517e94d9795004a39431a14cb",
)
CLASSES = 1000
LARGEST_CLASS_INDEX = 1 << 20  # bytes; the real file is about 35 kB
LARGEST_RECORD = 100  # bytes of the checksum of a first download


def fetch(model: str, top: bool = True, folder: str | Path | None = None, progress: bool = True) -> Path:
    """The path of the published Keras weights of `model`; downloads them if they are not there yet.

    Arguments: `model` "vgg16", "resnet50", "mobilenet_v2" or "efficientnet_b0"; `top` whether the weights include the
    dense layers; `folder` for the file, by default the cache folder ($MINITORCH_CNN_CACHE, or the system's cache
    folder); `progress` shows a bar.
    Raises ArgumentError for another model, DataError when the download fails or the checksum is wrong.
    """
    model = model.replace("-", "_") if isinstance(model, str) else model
    if (model, bool(top)) not in WEIGHTS:
        raise ArgumentError(f"weights: expected one of {', '.join(networks())}, got {model!r}")
    return _fetch(WEIGHTS[model, bool(top)], folder, progress)


def networks() -> list[str]:
    """The names of the networks with published weights."""
    return list(dict.fromkeys(name for name, _ in WEIGHTS))


def imagenet_classes(folder: str | Path | None = None, progress: bool = True) -> list[tuple[str, str]]:
    """ImageNet's 1000 classes as (WordNet id, name) in the order of VGG16's output; downloads the list once."""
    return read_class_index(_fetch(CLASS_INDEX, folder, progress))


def read_class_index(path: str | Path) -> list[tuple[str, str]]:
    """[(WordNet id, name)] from a JSON file {"0": ["n01440764", "tench"], ... "999": ...}.

    Raises DataError (one line) when the file is missing or has any other content.
    """
    try:
        index = json.loads(read_small(path, LARGEST_CLASS_INDEX))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected JSON ({error})") from None
    if not isinstance(index, dict) or index.keys() != {str(number) for number in range(CLASSES)}:
        raise DataError(f'{path}: expected the classes "0" to "{CLASSES - 1}"')
    classes = [index[str(number)] for number in range(CLASSES)]
    for number, entry in enumerate(classes):
        pair = isinstance(entry, list) and len(entry) == 2 and all(isinstance(text, str) and text for text in entry)
        if not pair or not all(text.isprintable() for text in entry):
            raise DataError(f"{path}: class {number}: expected a WordNet id and a name, got {str(entry)[:60]!r}")
    return [tuple(entry) for entry in classes]


def top5(probabilities: Any, classes: list[tuple[str, str]] | None = None) -> list[tuple[str, str, float]]:
    """The five most likely ImageNet classes of one image: [(WordNet id, name, probability)], best first.

    Arguments: `probabilities` (1000,), one row of VGG16's prediction; `classes` as `imagenet_classes` returns them, by
    default fetched. Raises ShapeError for another shape, ArgumentError when a probability is not finite.
    """
    probabilities = np.asarray(probabilities)
    if probabilities.shape != (CLASSES,):
        raise ShapeError(f"top5: expected probabilities of shape ({CLASSES},), of one image; got {probabilities.shape}")
    if not np.isfinite(probabilities).all():
        raise ArgumentError("top5: expected finite probabilities, got NaN or infinity")
    classes = imagenet_classes() if classes is None else classes
    best = np.argsort(-probabilities, kind="stable")[:5]
    return [(*classes[index], float(probabilities[index])) for index in best]


def _fetch(file: PublishedFile, folder: str | Path | None, progress: bool) -> Path:
    folder = download.cache_folder() / "weights" if folder is None else Path(folder)
    size = f" ({file.size:,} bytes)" if file.size else ""
    advice = f"put the file{size} into {folder} yourself; to use another file, load it by its path"
    record = folder / f"{file.name}.md5"
    md5 = file.md5 or _recorded(record)
    path = download.fetch(file.urls, md5 and f"md5:{md5}", folder, file.name, progress, advice=advice)
    if md5 is None:
        found = download.checksum_of(path, "md5").removeprefix("md5:")
        with replacing(record) as out:
            out.write(f"{found}\n".encode())
        note = f"{path}: nobody has published a checksum of this file; from now on the one of these"
        print(printable(f"{note} {path.stat().st_size:,} bytes holds, md5 {found}, kept in {record}"), file=sys.stderr)
    return path


def _recorded(record: Path) -> str | None:
    """The checksum of the first download; None if there was none, and DataError for anything else in its place."""
    try:
        text = read_small(record, LARGEST_RECORD).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{record}: cannot be read ({error.strerror})") from None
    if not re.fullmatch("[0-9a-f]{32}", text):
        raise DataError(f"{record}: expected an MD5 checksum, got {text[:40]!r}; remove it to accept the file anew")
    return text
