"""Recognises a file's dialect by its content.

=======================================  =================================  =======================================
the root of the HDF5 file has            dialect                            written by
=======================================  =================================  =======================================
attribute `nb_layers`                    `dialect_nb_layers`                Keras 0.1 to 0.3 (2015 to 2016)
attribute `layer_names`                  `dialect_layer_names`              Keras 1 and 2, tf.keras, published VGG16
group `model_weights`                    `dialect_layer_names` inside it    Keras 1.0.7 to 3, whole model
group `layers`                           `dialect_weights_h5`               TensorFlow 2.15, Keras 3
group `_layer_checkpoint_dependencies`   `dialect_weights_h5`               TensorFlow 2.12 to 2.14
=======================================  =================================  =======================================
"""

from __future__ import annotations

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5 import dialect_layer_names, dialect_nb_layers, dialect_weights_h5
from minitorch_cnn.keras_h5.container import Container
from minitorch_cnn.keras_h5.given_numbers import add_given_numbers
from minitorch_cnn.keras_h5.hdf5 import Group
from minitorch_cnn.keras_h5.hdf5.text import shown
from minitorch_cnn.keras_h5.stored import StoredFile
from minitorch_cnn.keras_h5.windows_names import split_names


def read_stored(container: Container) -> StoredFile:
    """Everything the file says about its weights, without reading any; raises WeightsError if it has none."""
    stored = _read_dialect(container)
    add_given_numbers(stored)
    return stored


def _read_dialect(container: Container) -> StoredFile:
    root = split_names(container.hdf5.root, dialect_weights_h5.CONTAINERS)
    if root.has_attribute("nb_layers"):
        return dialect_nb_layers.read(root)
    if dialect_layer_names.has_list(root, "layer_names") or "model_weights" in root:
        return dialect_layer_names.read(root)
    if any(name in root for name in dialect_weights_h5.CONTAINERS):
        return dialect_weights_h5.read(root, container.config, container.keras_version, container.zipped)
    if "graph" in root and root.group("graph").has_attribute("nb_params"):
        raise WeightsError("it is a Graph model of Keras 0.x, which is not supported")
    if layers := [name for name, group in root.groups() if name != "optimizer" and _has_variables(group)]:
        raise WeightsError(
            f"it holds the attributes ({_names(layers)}) of a subclassed model, which have no order;"
            " save the weights of a Sequential or Functional model"
        )
    raise WeightsError(
        "it is HDF5, but not Keras weights: no layer_names, nb_layers, model_weights or layers at its root"
        f" (it has {_names(root.names()) or 'nothing'})"
    )


def _has_variables(group: Group) -> bool:
    try:
        return "vars" in group and bool(group.group("vars").names())
    except WeightsError:
        return False


def _names(names: list[str]) -> str:
    return ", ".join(shown(name) for name in names[:8])
