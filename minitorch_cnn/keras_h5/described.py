"""What a whole-model file describes, as plain data: a network of layers, and which values each of them reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

CHAIN_INPUT = ""  # the name of a Sequential's input, which no layer has


@dataclass(frozen=True)
class Reference:
    """A value in the network: output `output` of call `call` of the layer called `layer`, both counted from 0."""

    layer: str
    call: int = 0
    output: int = 0


@dataclass(frozen=True)
class Call:
    """One use of a layer: the values that it reads, and the names of other arguments that change its result.

    `number` is the other operand of an operation such as x + 3, and `number_first` whether it stands first: 3 - x.
    `keys` are the keys of the inputs if the layer is called with a dict.
    """

    inputs: tuple[Reference, ...]
    arguments: tuple[str, ...] = ()
    number: float | None = None
    number_first: bool = False
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class LayerDescription:
    """One layer: its class, the module that Keras would import it from (None in old files), its settings and calls.

    `network` is the network that the layer consists of, if it is itself a model. `registered` is the name under which a
    class of the author's own was registered.
    """

    class_name: str
    name: str
    module: str | None
    registered: str | None
    settings: dict[str, Any] = field(repr=False)
    calls: tuple[Call, ...] = ()
    network: Network | None = None
    build_shape: Any = None


@dataclass(frozen=True)
class Network:
    """A model: its layers in the file's order, and which values are its inputs and outputs.

    `keras` is the major version that wrote the file, as far as it says; only the outermost model has one. `input_keys`
    are the keys of its inputs in a call with a dict.
    """

    class_name: str
    name: str
    layers: tuple[LayerDescription, ...]
    inputs: tuple[Reference, ...]
    outputs: tuple[Reference, ...]
    build_shape: Any = None
    keras: int | None = None
    input_keys: tuple[str, ...] = ()

    def nested(self, path: str = "") -> Iterator[tuple[str, LayerDescription]]:
        """Yield (path, layer) of every layer that is itself a model; the path names the models around it."""
        for layer in self.layers:
            if layer.network is not None:
                yield f"{path}{layer.name}", layer
                yield from layer.network.nested(f"{path}{layer.name}/")

    def flat(self, path: str = "") -> Iterator[tuple[str, LayerDescription]]:
        """Yield (path, layer) of every layer that is not itself a model; the path names the models around it."""
        for layer in self.layers:
            if layer.network is not None:
                yield from layer.network.flat(f"{path}{layer.name}/")
            else:
                yield f"{path}{layer.name}", layer
