"""Published weights and what belongs to them: where they are, what they must be, how to get them.

    path = weight_files.fetch("vgg16", top=True)
    model = models.vgg16(weights=path)
    weight_files.top5(model.predict(photos)[0])       # [("n02123045", "tabby", 0.82), ...]

A file is used only if its checksum is the published one, whether it was downloaded now or lay there already.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minitorch_cnn.errors import ArgumentError, DataError, ShapeError
from minitorch_cnn.files import download
from minitorch_cnn.files.regular import read_small

KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
KERAS_FIRST = "https://github.com/fchollet/deep-learning-models/releases/download/v0.1/"


@dataclass(frozen=True)
class PublishedFile:
    """One file on the network: its name, the places that have it, the MD5 of its bytes, and for large ones how many."""

    name: str
    urls: tuple
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
LARGEST_CLASS_INDEX = 1 << 20  # bytes; the real one has some ten thousand


def fetch(model, top=True, folder=None, progress=True):
    """The path of the published Keras weights of `model`, downloaded where they are not there yet.

    Arguments: `model` "vgg16"; `top` with the dense layers or without; `folder` to keep the file in, left out: the
    cache folder ($MINITORCH_CNN_CACHE, or the system's place for caches); `progress` shows a bar.
    Raises ArgumentError for another model, DataError where the file cannot be had or its checksum is wrong.
    """
    if (model, bool(top)) not in WEIGHTS:
        names = ", ".join(dict.fromkeys(name for name, _ in WEIGHTS))
        raise ArgumentError(f"weights: expected one of {names}, got {model!r}")
    return _fetch(WEIGHTS[model, bool(top)], folder, progress)


def imagenet_classes(folder=None, progress=True):
    """ImageNet's 1000 classes in the order of VGG16's output, as (WordNet id, name); the list is downloaded once."""
    return read_class_index(_fetch(CLASS_INDEX, folder, progress))


def read_class_index(path):
    """[(WordNet id, name)] from a JSON file {"0": ["n01440764", "tench"], ... "999": ...}.

    Raises DataError (one line) for a file that is missing or anything else.
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


def top5(probabilities, classes=None):
    """The five likeliest ImageNet classes of one image: [(WordNet id, name, probability)], the likeliest first.

    Arguments: `probabilities` (1000,), one row of what VGG16 predicts; `classes` as `imagenet_classes` gives them, left
    out: fetched. Raises ShapeError for another shape, ArgumentError where a probability is not a number.
    """
    probabilities = np.asarray(probabilities)
    if probabilities.shape != (CLASSES,):
        raise ShapeError(f"top5: expected probabilities of shape ({CLASSES},), one image's; got {probabilities.shape}")
    if not np.isfinite(probabilities).all():
        raise ArgumentError("top5: expected probabilities, got some that are not numbers")
    classes = imagenet_classes() if classes is None else classes
    best = np.argsort(-probabilities, kind="stable")[:5]
    return [(*classes[index], float(probabilities[index])) for index in best]


def _fetch(file, folder, progress):
    folder = download.cache_folder() / "weights" if folder is None else Path(folder)
    size = f" ({file.size:,} bytes)" if file.size else ""
    advice = f"put the file{size} into {folder} yourself; to use any other, load it by its path"
    return download.fetch(file.urls, f"md5:{file.md5}", folder, file.name, progress, advice=advice)
