"""The networks of the slides, the network that CNN Explainer shows, residual networks, and new tops for any of them."""

from minitorch_cnn.models.cats_vs_dogs import cats_vs_dogs
from minitorch_cnn.models.cifar10 import cifar10
from minitorch_cnn.models.cifar10_fast import cifar10_fast
from minitorch_cnn.models.efficientnet_b0 import efficientnet_b0
from minitorch_cnn.models.mobilenet_v2 import mobilenet_v2
from minitorch_cnn.models.new_top import unfreeze_base, with_new_top
from minitorch_cnn.models.resnet50 import resnet50
from minitorch_cnn.models.resnet_cifar import resnet20, resnet_cifar
from minitorch_cnn.models.tiny_vgg import tiny_vgg
from minitorch_cnn.models.transfer_net import transfer_net
from minitorch_cnn.models.vgg16 import vgg16

__all__ = [
    "cats_vs_dogs",
    "cifar10",
    "cifar10_fast",
    "efficientnet_b0",
    "mobilenet_v2",
    "resnet20",
    "resnet50",
    "resnet_cifar",
    "tiny_vgg",
    "transfer_net",
    "unfreeze_base",
    "vgg16",
    "with_new_top",
]
