"""Keras 0.x (2015 to March 2016): everything by number, no names at all.

The root has an attribute `nb_layers`; group `layer_7` with an attribute `nb_params` holds the datasets `param_0`,
`param_1`. Every layer of the Sequential has a group, pooling and dropout too. The file names neither layers nor
version, backend or axis order: the order of layers is all there is, and whether the kernels are Theano's (turned by
180 degrees) must be told. The first VGG16 conversion that went round the world, `vgg16_weights.h5`, is of this kind.

Source: keras 0.1.0 to 0.3.3, `keras/models.py`, `Sequential.save_weights`.
"""

from __future__ import annotations

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.hdf5 import Group
from minitorch_cnn.keras_h5.stored import StoredFile, StoredLayer, name_by_shape, stored_weight

MOST_LAYERS = 10_000
MOST_WEIGHTS = 1_000


def read(root: Group) -> StoredFile:
    """Every layer in order."""
    layers = []
    for k in range(_count(root, "nb_layers", MOST_LAYERS)):
        group = root.group(f"layer_{k}")
        count = _count(group, "nb_params", MOST_WEIGHTS)
        weights = [stored_weight(group, f"param_{i}", f"layer_{k}/param_{i}") for i in range(count)]
        name_by_shape(weights)
        layers.append(StoredLayer(None, f"layer_{k}", None, weights))
    return StoredFile("Keras 0.x weights (`nb_layers`)", "Keras 0.x", layers, in_order=True, keras=0)


def _count(group: Group, name: str, limit: int) -> int:
    count = group.integer(name)
    if not 0 <= count <= limit:
        raise WeightsError(f"attribute {name} says {count:,}, which is no count of a network's parts")
    return count
