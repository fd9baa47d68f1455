"""`minitorch-cnn explain`: one traced training step of a network on images of the user's choice."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn import datasets
from minitorch_cnn.datasets.preprocessing import Standardize
from minitorch_cnn.engine import optimizers
from minitorch_cnn.engine.layers import BatchNorm
from minitorch_cnn.errors import ArgumentError, WeightsError, require
from minitorch_cnn.lessons.step import StepTrace
from minitorch_cnn.lessons.trace import trace_step
from minitorch_cnn.models.new_top import has_preprocessing
from minitorch_cnn.models.recipes import RECIPES
from minitorch_cnn.network.cost import MOST_MIB, images_at_once
from minitorch_cnn.runs import RunFolder
from minitorch_cnn.runs.answers import require_answer
from minitorch_cnn.runs.input_images import grey, image_shape, input_images
from minitorch_cnn.runs.keras_file import is_keras_file, model_in_file
from minitorch_cnn.runs.networks import NETWORKS, known_name

DIGITS = 32  # images in the step of the digits network
SCALED = 2  # digits that another network sees if no image is given
UNKNOWN = (
    "The file does not say how photos are preprocessed, so each channel here has mean 0 and deviation 1;"
    " --preprocessing says it."
)


@dataclass
class Subject:
    """A network, the images (N, H, W, 3) uint8 and labels of a step, and notes for the reader."""

    title: str
    model: Any
    images: Any
    labels: Any = None  # (N,) class numbers; None: the network's own predictions
    class_names: list = field(default_factory=list)
    rate: float = 0.01
    notes: list = field(default_factory=list)


def explain(
    name: str = "digits",
    image_files: Sequence[str | Path] = (),
    weights: str | Path | None = None,
    label: str | None = None,
    rate: float | None = None,
    preprocessing: str | None = None,
    gradients: bool = False,
) -> tuple[Subject, StepTrace]:
    """Trace one training step and return (Subject, StepTrace).

    Arguments: `name` is digits, a network of the package, a run folder, or a Keras file; `image_files` are photos (left
    out: digits of the package); `weights` is a Keras weight file; `label` is a class number or name for the photos
    (left out: the network's own predictions); `rate` is the learning rate; `preprocessing` is how photos become the
    input of the network in a Keras file, in words (`datasets.preprocessing.from_words`); `gradients` keeps those of the
    first image and its feature maps. Raises ArgumentError for an unknown name, label or preprocessing, and the
    UserErrors of reading the files.
    """
    if preprocessing is not None and not is_keras_file(name):
        raise ArgumentError(f"--preprocessing: {name} has its own, got {preprocessing:.60} too")
    known = known_name(name)
    subject = _subject(known, image_files, preprocessing)
    if weights is not None:
        subject.notes.append(_load(subject.model, weights))
    if rate is not None:
        subject.rate = rate
    if len(subject.model.output_shape) == 1:
        require_answer(known, subject.model)
    labels = _labels(subject, label)
    optimizer = optimizers.SGD(subject.rate, momentum=0.9, nesterov=True)
    if sum(layer.count_parameters() for layer in subject.model.layers) > 20_000_000:
        optimizer = optimizers.SGD(subject.rate)  # without momentum, whose vector would take 500 MB for a single step
    return subject, trace_step(subject.model, subject.images, labels, optimizer, gradients=gradients)


def _subject(name, files, preprocessing):
    if name == "digits":
        digits = datasets.digits()
        model = RECIPES["digits"].model(digits, 0)
        subject = Subject("The digits network", model, digits.train_images[:DIGITS], digits.train_labels[:DIGITS],
                          list(digits.class_names), RECIPES["digits"].learning_rate)  # fmt: skip
        subject.notes.append("The network still has its initial weights; name a run folder to see a trained one.")
    elif name in NETWORKS:
        function, arguments, rate = NETWORKS[name]
        subject = Subject(name, function(**arguments), None, rate=rate)
        _keep_statistics(subject)
    elif Path(name).is_dir():
        model, class_names = RunFolder(name).load_model()
        subject = Subject(str(name), model, None, class_names=class_names, rate=1e-3)
        most = _at_once(name, model)
        if not files and _sees_digits(model, class_names):
            digits, count = datasets.digits(), min(DIGITS, most)
            subject.images, subject.labels = digits.train_images[:count], digits.train_labels[:count]
    elif is_keras_file(name):
        subject = Subject(str(name), model_in_file(name, words=preprocessing), None, rate=1e-4)
        if subject.model.inputs > 1 or subject.model.outputs > 1:
            raise ArgumentError(f"{name}: expected a network with one input and one output")
        _at_once(name, subject.model)
        _keep_statistics(subject)
        if preprocessing is None and not has_preprocessing(subject.model):
            subject.notes.append(UNKNOWN)
    else:
        expected = f"digits, a run folder, a .keras or .h5 file, or one of {', '.join(NETWORKS)}"
        raise ArgumentError(f"{name}: expected {expected}")
    if files:
        subject.images, subject.labels = input_images(name, subject.model, files), None
    elif subject.images is None:
        subject.images = _scaled_digits(*image_shape(name, subject.model))
        subject.notes.append("No image was given, so the network sees handwritten digits, scaled to its input size.")
    if subject.model.preprocessing is None and preprocessing is None and not has_preprocessing(subject.model):
        subject.model.preprocessing = Standardize.of(subject.images)
    return subject


def _keep_statistics(subject):
    """Freeze the batch norms: the mean and variance of an image or two are far from those of the training."""
    if not (norms := [layer.name for layer in subject.model.layers if isinstance(layer, BatchNorm)]):
        return
    subject.model.freeze(layers=norms)
    subject.notes.append(
        f"Its {len(norms)} batch norms are frozen, so they use their stored statistics, not this batch's."
    )


def _at_once(name, model):
    """How many images a training step may take; ArgumentError if not even one."""
    most = images_at_once(model, step=True)
    if most < 1:
        raise ArgumentError(f"{name}: a training step of its model would take over {MOST_MIB} MiB for an image")
    return most


def _sees_digits(model, class_names):
    digits = datasets.digits()
    return list(class_names) == list(digits.class_names) and model.input_shape == digits.train_images.shape[1:]


def _scaled_digits(height, width, channels):
    Image = require("PIL.Image", "scaling the handwritten digits")
    images = datasets.digits().train_images[:SCALED]
    scaled = np.stack(
        [np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)) for image in images]
    )
    return scaled if channels == 3 else grey(scaled)


def _load(model, weights):
    """Load the layers that a weight file holds; returns a sentence that says which."""
    with_weights = [layer.name for layer in model.layers if layer.parameters]
    try:
        model.load_weights(weights)
        return f"All {len(with_weights)} layers have their weights from {weights}."
    except WeightsError as error:
        # The file may lack the top of the network; its other layers are found by name.
        loaded = model.load_weights(weights, by_name=True)
        missing = [name for name in with_weights if name not in loaded.weights]
        if not loaded.weights:
            raise error
    return (
        f"{len(loaded.weights)} of {len(with_weights)} layers have their weights from {weights};"
        f" {', '.join(missing)} have their initial weights."
    )


def _labels(subject, label):
    """Labels for the loss: those of the data, the given one, or else the network's own predictions."""
    model, count = subject.model, len(subject.images)
    if len(model.output_shape) > 1:
        subject.notes.append("The output is a feature map, not a prediction; the loss is the mean of its squares.")
        return np.zeros((count, *model.output_shape), model.dtype)
    classes = max(2, model.output_shape[0])
    if label is not None:
        subject.labels = np.full(count, _class_number(label, classes, subject.class_names))
    elif subject.labels is None:
        answers = model.predict(subject.images)
        single = model.output_shape[0] == 1
        subject.labels = (answers[:, 0] > 0.5).astype(int) if single else answers.argmax(axis=1)
        subject.notes.append("No label was given, so the step makes the network more certain of its own prediction.")
    return subject.labels


def _class_number(label, classes, names):
    if label in names:
        return names.index(label)
    if label.isascii() and label.isdigit() and int(label) < classes:
        return int(label)
    known = f" or one of {', '.join(names)[:300]}" if names else ""
    raise ArgumentError(f"--label: expected a class from 0 to {classes - 1}{known}, got {label!r}")


def label_words(subject: Subject) -> list[str]:
    """The label of each image in words."""
    if subject.labels is None:
        return [""] * len(subject.images)
    names = subject.class_names
    return [names[int(label)] if int(label) < len(names) else f"class {int(label)}" for label in subject.labels]
