"""What a weight file holds, in one form for all dialects, before anything is compared with a model."""

from __future__ import annotations

from dataclasses import dataclass, field

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.hdf5 import DatasetNode, Group
from minitorch_cnn.keras_h5.model_config import ModelConfig
from minitorch_cnn.keras_h5.target import WEIGHT_ORDER, Shape
from minitorch_cnn.keras_h5.weight_names import weight_role


@dataclass
class StoredWeight:
    """One array in the file.

    `name` is the file's spelling ("block1_conv1_W_1:0"); `role` is ours ("kernel"), where the name tells; `dataset` is
    None and `problem` says why, if the array may not be read.
    """

    name: str
    role: str | None
    dataset: DatasetNode | None = None
    problem: str | None = None

    @property
    def shape(self) -> Shape | None:
        """The shape the file declares."""
        return self.dataset.shape if self.dataset is not None else None

    @property
    def type_name(self) -> str:
        """The number type, in words."""
        return self.dataset.datatype.name if self.dataset is not None else "?"


@dataclass
class StoredLayer:
    """One layer in the file.

    `name` is None where the dialect keeps no names; `label` is how messages call it either way. `kind` is the class in
    small letters ("conv2d") where the dialect keeps that. `nested_in` is the place of the model inside the model it
    belongs to, "" at the top. `inner_name` is the layer's name as its weights' names have it, which may be another.
    """

    name: str | None
    label: str
    kind: str | None
    weights: list[StoredWeight]
    nested_in: str = ""
    inner_name: str | None = None


@dataclass
class StoredFile:
    """A weight file that was understood.

    `dialect` and `era` say in words what the file is and when such files were written. `in_order` is whether `layers`
    stand in the model's order; `.weights.h5` files only order the layers of one class. `keras` is the major version
    whose conventions hold (0, 1, 2, 3), None where that makes no difference.
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
    """The array at `path` under `group`, checked as far as that goes without reading a number of it."""
    group.file.window.charge(len(name))
    weight = StoredWeight(name, weight_role(name))
    try:
        weight.dataset = group.dataset(path)
        if _is_bfloat16(weight.dataset, keras):
            weight.dataset.use_bfloat16()
        weight.dataset.check()
    except WeightsError as error:
        weight.problem = str(error)
    return weight


def name_by_shape(weights: list[StoredWeight], absent: tuple[str, ...] = ()) -> None:
    """Give numbered weights their roles where shapes leave no doubt: kernel and bias, or the four of normalization.

    A normalization with three arrays lacks its gamma or its beta; only `absent`, what a description says, tells which.
    """
    axes = [len(weight.shape) if weight.shape is not None else 0 for weight in weights]
    normalization = [name for name in WEIGHT_ORDER[2:] if name not in absent]
    if axes and axes[0] >= 2 and axes[1:] in ([], [1]):
        roles = WEIGHT_ORDER[:2]
    else:
        roles = normalization if axes == [1] * len(normalization) else ()
    for role, weight in zip(roles, weights):
        weight.role = role


def _is_bfloat16(dataset: DatasetNode, keras: int | None) -> bool:
    """Keras 3 stores bfloat16 as two opaque bytes: marked in `.weights.h5`, without any mark in whole-model files."""
    opaque = dataset.datatype.size == 2 and dataset.datatype.name.startswith("opaque")
    if opaque and dataset.has_attribute("dtype"):
        return dataset.text("dtype") == "bfloat16"
    return opaque and keras == 3
