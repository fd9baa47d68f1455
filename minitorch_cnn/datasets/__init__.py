"""Images to train on: the bundled digits, CIFAR-10, Cats vs Dogs and any image folder; batches and augmentation."""

from minitorch_cnn.datasets.augmentation import Augmentation
from minitorch_cnn.datasets.batches import Batches
from minitorch_cnn.datasets.cats_vs_dogs import cats_vs_dogs
from minitorch_cnn.datasets.cifar10 import cifar10
from minitorch_cnn.datasets.copies import Copies
from minitorch_cnn.datasets.dataset import Dataset
from minitorch_cnn.datasets.digits import digits
from minitorch_cnn.datasets.image_folder import ImageFolder, image_folder
from minitorch_cnn.datasets.images import load_image
from minitorch_cnn.datasets.mixup import Mixup

__all__ = [
    "Augmentation",
    "Batches",
    "Copies",
    "Dataset",
    "ImageFolder",
    "Mixup",
    "cats_vs_dogs",
    "cifar10",
    "digits",
    "image_folder",
    "load_image",
]
