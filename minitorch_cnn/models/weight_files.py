"""Published weights: their addresses and checksums, downloading them, and ImageNet's class names.

    path = weight_files.fetch("vgg16", top=True)
    model = models.vgg16(weights=path)
    weight_files.top5(model.predict(photos)[0])       # [("n02123045", "tabby", 0.82), ...]

A file is used only if it has the published checksum, whether it has just been downloaded or was there already.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.errors import ArgumentError, DataError, ShapeError
from minitorch_cnn.files import download
from minitorch_cnn.files.regular import read_small

KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
KERAS_FIRST = "https://github.com/fchollet/deep-learning-models/releases/download/v0.1/"


@dataclass(frozen=True)
class PublishedFile:
    """A file on the web: its name, its addresses, the MD5 checksum, and for a large file its size in bytes."""

    name: str
    urls: tuple[str, ...]
    md5: str
    size: int | None = None


def _vgg16(name, md5, size):
    return PublishedFile(name, (KERAS + name, KERAS_FIRST + name), md5, size)


# (model, with the top): file
WEIGHTS = {
    ("vgg16", True): _vgg16(
        "vgg16_weights_tf_dim_ordering_tf_kernels.h5", "64373286793e3c8b2b4e3219cbf3544b", 553_467_096
    ),
    ("vgg16", False): _vgg16(
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc", 58_889_256
    ),
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


def fetch(model: str, top: bool = True, folder: str | Path | None = None, progress: bool = True) -> Path:
    """The path of the published Keras weights of `model`; downloads them if they are not there yet.

    Arguments: `model` "vgg16"; `top` whether the weights include the dense layers; `folder` for the file, by default
    the cache folder ($MINITORCH_CNN_CACHE, or the system's cache folder); `progress` shows a bar.
    Raises ArgumentError for another model, DataError when the download fails or the checksum is wrong.
    """
    if (model, bool(top)) not in WEIGHTS:
        names = ", ".join(dict.fromkeys(name for name, _ in WEIGHTS))
        raise ArgumentError(f"weights: expected one of {names}, got {model!r}")
    return _fetch(WEIGHTS[model, bool(top)], folder, progress)


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


def _fetch(file, folder, progress):
    folder = download.cache_folder() / "weights" if folder is None else Path(folder)
    size = f" ({file.size:,} bytes)" if file.size else ""
    advice = f"put the file{size} into {folder} yourself; to use another file, load it by its path"
    return download.fetch(file.urls, f"md5:{file.md5}", folder, file.name, progress, advice=advice)
