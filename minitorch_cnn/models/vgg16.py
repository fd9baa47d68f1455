"""VGG16 (Simonyan and Zisserman 2015, arXiv:1409.1556, configuration D), with Keras's layer names."""

from pathlib import Path

from minitorch_cnn.datasets.preprocessing import Caffe
from minitorch_cnn.engine import layers
from minitorch_cnn.models.published import check_arguments, with_weights
from minitorch_cnn.network.sequential import Sequential

BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))  # (convolutions, filters); a pool follows each block


def vgg16(
    include_top: bool = True, input_shape: tuple[int, int, int] = (224, 224, 3), classes: int = 1000,
    seed: int | None = 0, weights: str | Path | None = None,
) -> Sequential:  # fmt: skip
    """224x224x3 -> 13 convolutions in five blocks, each with a pool -> 7x7x512 -> twice dense 4096 -> softmax.

    Arguments: `include_top` False ends the network at `block5_pool`; `input_shape` (H, W, C) of at least 32x32 pixels;
    `classes` of the top; `weights` the path of a Keras weight file, or None for initial weights drawn from `seed`.
    Keras's published weights (`weight_files.fetch("vgg16", top=...)`) fit images of any size without the top, but only
    224x224x3 and 1000 classes with the top.

    The layers are called block1_conv1 ... block5_pool, flatten, fc1, fc2, predictions. Colour images of uint8 go
    through the preprocessing that VGG was trained with: RGB to BGR, minus ImageNet's mean.

    Raises ShapeError for another input shape, ArgumentError when arguments contradict each other, and WeightsError when
    the weights do not fit.
    """
    check_arguments("vgg16", include_top, input_shape, classes, weights)
    stack: list[layers.Layer] = []
    for block, (convolutions, filters) in enumerate(BLOCKS, 1):
        for number in range(1, convolutions + 1):
            stack.append(
                layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"block{block}_conv{number}")
            )
        stack.append(layers.MaxPool2D(2, name=f"block{block}_pool"))
    if include_top:
        stack += [
            layers.Flatten(name="flatten"),
            layers.Dense(4096, activation="relu", name="fc1"),
            layers.Dense(4096, activation="relu", name="fc2"),
            layers.Dense(classes, activation="softmax", name="predictions"),
        ]
    preprocessing = Caffe() if input_shape[2] == 3 else None
    model = Sequential(stack, input_shape, seed=seed, preprocessing=preprocessing)
    return with_weights(model, weights)
