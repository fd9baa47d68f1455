"""Keras 0.x (2015 to March 2016): everything is numbered, and there are no names.

The root has an attribute `nb_layers`; group `layer_7` with an attribute `nb_params` holds the datasets `param_0`,
`param_1`. Every layer of the Sequential has a group, even pooling and dropout. The file stores no layer names, version,
backend or axis order, only the order of the layers, so the user has to state whether the kernels are Theano's (rotated
by 180 degrees). The first widely shared conversion of VGG16, `vgg16_weights.h5`, has this form.

Source: keras 0.1.0 to 0.3.3, `keras/models.py`, `Sequential.save_weights`.
"""

from __future__ import annotations

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.hdf5 import Group
from minitorch_cnn.keras_h5.stored import StoredFile, StoredLayer, name_by_shape, stored_weight

MOST_LAYERS = 10_000
MOST_WEIGHTS = 1_000


def read(root: Group) -> StoredFile:
    """Describe a file of Keras 0.x: every layer, in order."""
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
        raise WeightsError(f"attribute {name}: expected a number from 0 to {limit:,}, got {count:,}")
    return count
