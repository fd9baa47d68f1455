"""The networks of the slides, and the network that CNN Explainer shows."""

from minitorch_cnn.models.cats_vs_dogs import cats_vs_dogs
from minitorch_cnn.models.cifar10 import cifar10
from minitorch_cnn.models.tiny_vgg import tiny_vgg
from minitorch_cnn.models.transfer_net import transfer_net
from minitorch_cnn.models.vgg16 import vgg16

__all__ = ["cats_vs_dogs", "cifar10", "tiny_vgg", "transfer_net", "vgg16"]
