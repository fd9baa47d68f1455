"""A convolutional-network engine written out by hand on NumPy."""

from minitorch_cnn import (
    convolution,
    datasets,
    keras_h5,
    layers,
    losses,
    models,
    optimizers,
    schedules,
    weight_files,
)
from minitorch_cnn.backend import definitions_only
from minitorch_cnn.backend.cublas import tf32
from minitorch_cnn.gradient_check import gradient_check
from minitorch_cnn.sequential import Sequential
from minitorch_cnn.training.captured_step import CapturedStep

__version__ = "0.1.0"
__all__ = [
    "CapturedStep",
    "Sequential",
    "convolution",
    "datasets",
    "definitions_only",
    "gradient_check",
    "keras_h5",
    "layers",
    "losses",
    "models",
    "optimizers",
    "schedules",
    "tf32",
    "weight_files",
]
