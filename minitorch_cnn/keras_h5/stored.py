"""The contents of a weight file, in one form for all dialects, before they are compared with a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.hdf5 import DatasetNode, Group
from minitorch_cnn.keras_h5.hdf5.datatypes import Datatype
from minitorch_cnn.keras_h5.model_config import ModelConfig
from minitorch_cnn.keras_h5.target import BATCH_NORMALIZATION, KERNEL_AND_BIAS, Shape
from minitorch_cnn.keras_h5.weight_names import weight_role


class Numbers(Protocol):
    """Where the numbers of a weight are: a dataset of the file, or its description."""

    shape: Shape | None
    datatype: Datatype

    def read(self) -> np.ndarray:
        """The array."""
        ...

    def declared_bytes(self) -> int:
        """Its size in memory."""
        ...


@dataclass
class StoredWeight:
    """One array in the file.

    `name` is its name in the file ("block1_conv1_W_1:0"); `role` is our name for it ("kernel"), if it is known. If the
    array cannot be read, `problem` says why, and `dataset` may be None.
    """

    name: str
    role: str | None
    dataset: Numbers | None = None
    problem: str | None = None

    @property
    def shape(self) -> Shape:
        """The shape that the file declares; () if the array cannot be read."""
        return (self.dataset.shape or ()) if self.dataset is not None else ()

    @property
    def is_counter(self) -> bool:
        """Whether these are integers that only Keras needs, such as a count of batches or a random state."""
        numbers = self.dataset.datatype if self.dataset is not None else None
        return numbers is not None and numbers.numpy is not None and not numbers.is_float and len(self.shape) < 2

    @property
    def of_another_type(self) -> bool:
        """Whether this is an array of something else than floats, such as a count or a text; no layer here has one."""
        return self.dataset is not None and self.dataset.shape is not None and not self.dataset.datatype.is_float

    @property
    def type_name(self) -> str:
        """The number type as messages call it."""
        return self.dataset.datatype.name if self.dataset is not None else "?"


@dataclass
class StoredLayer:
    """One layer in the file.

    `name` is None if the dialect stores no names; `label` is the name used in messages either way. `kind` is the class
    in snake case ("conv2d") if the dialect stores it. `nested_in` is the path of the nested model that the layer
    belongs to, "" at the top. `inner_name` is the layer's name within the names of its weights, which may differ.
    `path` is the layer's name after those of the models around it ("base/conv1"), if the file describes the model.
    """

    name: str | None
    label: str
    kind: str | None
    weights: list[StoredWeight]
    nested_in: str = ""
    inner_name: str | None = None
    path: str | None = None


@dataclass
class StoredFile:
    """The description of a weight file.

    `dialect` and `era` say what kind of file it is and which versions wrote such files. `in_order` is whether `layers`
    are in the model's order; `.weights.h5` files only order the layers of one class. `keras` is the major version whose
    conventions the file follows (0, 1, 2, 3), or None if that makes no difference.
    """

    dialect: str
    era: str
    layers: list[StoredLayer]
    in_order: bool
    keras: int | None
    keras_version: str | None = None
    backend: str | None = None
    config: ModelConfig | None = None
    notes: list[str] = field(default_factory=list)

    def weighted(self) -> list[StoredLayer]:
        """The layers that have weights."""
        return [layer for layer in self.layers if layer.weights]


def stored_weight(group: Group, path: str, name: str, keras: int | None = None) -> StoredWeight:
    """Describe the array at `path` below `group`, checked as far as possible without reading its numbers."""
    group.file.window.charge(len(name))
    weight = StoredWeight(name, weight_role(name))
    try:
        weight.dataset = dataset = group.dataset(path)
        if _is_bfloat16(dataset, keras):
            dataset.use_bfloat16()
        dataset.check()
        if 0 in weight.shape:  # no layer has such a weight
            raise WeightsError(f"it is empty: its shape is {'x'.join(map(str, weight.shape))}")
    except WeightsError as error:
        weight.problem = str(error)
    return weight


# The weights of classes that have others than a convolution or a batch normalization, in Keras's order.
ROLES = {
    "depthwise_conv2d": ("depthwise_kernel", "bias"),
    "layer_normalization": ("gamma", "beta"),
    "layer_scale": ("gamma",),
    "normalization": ("mean", "variance", "count"),
    "p_re_lu": ("alpha",),
    "separable_conv2d": ("depthwise_kernel", "pointwise_kernel", "bias"),
}


def name_by_shape(weights: list[StoredWeight], absent: tuple[str, ...] = (), kind: str | None = None) -> None:
    """Set the roles of numbered weights: by their class, or if their shapes are unambiguous.

    These are kernel and bias, or a batch normalization's four. A normalization with fewer arrays has no gamma or no
    beta; only the model's description tells which is `absent`, so without it they keep no role.
    """
    if kind in ROLES:
        named = [role for role in ROLES[kind] if role not in absent]
        if kind == "layer_normalization" and len(weights) < len(named):
            return
        for role, weight in zip(named, weights):
            weight.role = role
        return
    axes = [len(weight.shape) for weight in weights]
    normalization = [name for name in BATCH_NORMALIZATION if name not in absent]
    roles: Sequence[str]
    if axes and axes[0] >= 2 and axes[1:] in ([], [1]):
        roles = KERNEL_AND_BIAS
    else:
        roles = normalization if axes == [1] * len(normalization) else ()
    for role, weight in zip(roles, weights):
        weight.role = role


def _is_bfloat16(dataset: DatasetNode, keras: int | None) -> bool:
    """Whether these are bfloat16, which Keras 3 stores as two opaque bytes, marked only in `.weights.h5`."""
    opaque = dataset.datatype.size == 2 and dataset.datatype.name.startswith("opaque")
    if opaque and dataset.has_attribute("dtype"):
        return dataset.text("dtype") == "bfloat16"
    return opaque and keras == 3
