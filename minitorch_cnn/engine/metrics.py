"""How good a prediction is, in the terms a person asks for."""

from typing import Any

import numpy as np

from minitorch_cnn.arrays import Array, namespace


def predicted_classes(prediction: Array) -> Array:
    """Class numbers (N,): the largest of several outputs, or whether a single output is above one half."""
    if prediction.ndim == 2 and prediction.shape[1] > 1:
        return prediction.argmax(axis=1)
    return (prediction.reshape(len(prediction)) > 0.5).astype("int64")


def class_probabilities(prediction: Array) -> Array:
    """(N, classes) probabilities: the prediction itself, or (1 - p, p) for a single output p."""
    if prediction.shape[1] > 1:
        return prediction
    return namespace(prediction).concatenate([1 - prediction, prediction], axis=1)


def right_classes(prediction: Array, labels: Array) -> Array:
    """(N,) whether each prediction names the class of its label, an array in the same library."""
    if labels.ndim == 2:
        labels = labels.argmax(axis=1) if labels.shape[1] > 1 else labels[:, 0]
    return predicted_classes(prediction) == labels


def confusion_matrix(truth: Any, predicted: Any, classes: int) -> np.ndarray:
    """(classes, classes) counts on the host: row = true class, column = predicted class."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (np.asarray(truth), np.asarray(predicted)), 1)
    return matrix
