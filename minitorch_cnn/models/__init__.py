"""The networks of the slides."""

from minitorch_cnn.models.cifar10 import cifar10

__all__ = ["cifar10"]
