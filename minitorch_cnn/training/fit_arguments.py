"""The arguments of `fit`, checked before anything is computed; ArgumentError names the one that is wrong."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from minitorch_cnn.arguments import check_loss, check_optimizer, flag, has_method, shown, whole
from minitorch_cnn.datasets.dataset import Dataset
from minitorch_cnn.datasets.several import together
from minitorch_cnn.errors import ArgumentError


def check_images(x: Any, what: str) -> None:
    """Check that `x` is an array, or at least a sequence such as an ImageFolder."""
    if not (hasattr(x, "__len__") and hasattr(x, "__getitem__")) or isinstance(x, (str, bytes, dict)):
        parts = "; its parts are train_images and train_labels" if isinstance(x, Dataset) else ""
        raise ArgumentError(f"{what}: expected an array or a sequence, got {type(x).__name__}{parts}")


def checked_data(model: Any, x: Any, labels: Any, augment: Any) -> tuple[Any, Any]:
    """The images and their labels, each as one sequence; lists of them for several inputs or outputs."""
    x, labels = together(x, model.inputs, "fit: x"), together(labels, model.outputs, "fit: labels")
    if model.inputs > 1 and augment is not None:
        raise ArgumentError("fit: augment: expected a network with one input, got one with several")
    check_images(x, "fit: x")
    if labels is not None:
        check_images(labels, "fit: labels")
    if len(x) == 0:
        raise ArgumentError("fit: expected at least one image to train on, got none")
    if labels is None or len(labels) != len(x):
        got = "none" if labels is None else len(labels)
        raise ArgumentError(f"fit: expected a label for each of the {len(x)} images, got {got}")
    return x, labels


def checked_accumulation(steps: Any, processes: int) -> int:
    """The number of batches that make one update."""
    steps = whole(steps, "fit: gradient_accumulation_steps")
    if steps > 1 and processes > 1:
        raise ArgumentError("fit: gradient_accumulation_steps: expected 1 where several processes train one model")
    return steps


def fresh_callbacks(callbacks: Any) -> list:
    """`callbacks` as a list of Callback objects, each of which begins anew."""
    if isinstance(callbacks, (str, bytes)) or not isinstance(callbacks, Iterable):
        raise ArgumentError(f"fit: callbacks: expected a list of callbacks, got {shown(callbacks)}")
    found = list(callbacks)
    for each in found:
        if not (has_method(each, "on_train_begin") and has_method(each, "reset")):
            raise ArgumentError(f"fit: callbacks: expected objects of subclasses of Callback, got {shown(each)}")
    for each in found:
        each.reset()
    return found


def check_arguments(
    optimizer: Any, loss: Any, validation: Any, augment: Any, class_weight: Any, sample_weight: Any, **flags: Any
) -> None:
    """Check those arguments of `fit` that later code would only stumble over; `flags` are True or False."""
    check_optimizer(optimizer, "fit")
    if loss is not None:
        check_loss(loss, "fit: loss")
    if validation is not None and not (isinstance(validation, (tuple, list)) and len(validation) in (2, 3)):
        expected = "a pair (x, labels), or (x, labels, sample weights)"
        raise ArgumentError(f"fit: validation: expected {expected}, got {type(validation).__name__}")
    for part in validation or ():
        check_images(part, "fit: validation")
    if augment is not None and (isinstance(augment, type) or not callable(augment)):
        raise ArgumentError(f"fit: augment: expected a function (images, rng) -> images, got {shown(augment)}")
    if class_weight is not None and sample_weight is not None:
        raise ArgumentError("fit: expected class_weight or sample_weight, got both")
    for name, value in flags.items():
        flag(value, f"fit: {name}")


def check_resume(path: Any) -> Any:
    """`path` with a `~` at its beginning replaced by the home folder, or None; ArgumentError if it is no path."""
    if path is not None and not isinstance(path, (str, os.PathLike)):
        raise ArgumentError(f"fit: resume: expected the path of a checkpoint, got {shown(path)}")
    return None if path is None else os.path.expanduser(path)
