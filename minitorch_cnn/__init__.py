"""A convolutional-network engine written out by hand on NumPy."""

from minitorch_cnn import names

names.install()

from minitorch_cnn import datasets, keras_h5, models  # noqa: E402
from minitorch_cnn.arrays import definitions_only  # noqa: E402
from minitorch_cnn.engine import convolution, layers, losses, optimizers, schedules  # noqa: E402
from minitorch_cnn.engine.values import Input  # noqa: E402
from minitorch_cnn.gradients.check import gradient_check  # noqa: E402
from minitorch_cnn.models import weight_files  # noqa: E402
from minitorch_cnn.models.load_model import load_model  # noqa: E402
from minitorch_cnn.network.model import Model  # noqa: E402
from minitorch_cnn.network.sequential import Sequential  # noqa: E402
from minitorch_cnn.training.captured_step import CapturedStep  # noqa: E402
from minitorch_cnn.twins.cuda.cublas import tf32  # noqa: E402

__version__ = "0.1.0"
__all__ = [
    "CapturedStep",
    "Input",
    "Model",
    "Sequential",
    "convolution",
    "datasets",
    "definitions_only",
    "gradient_check",
    "keras_h5",
    "layers",
    "load_model",
    "losses",
    "models",
    "optimizers",
    "schedules",
    "tf32",
    "weight_files",
]
