"""The network that a Keras file describes, as a network of ours, with initial weights.

Models inside models are flattened: their layers stand in the outer network under their own names, or, where two models
have layers of the same name, under `inner/name`. A layer that is called twice is one layer at two places.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from minitorch_cnn.arguments import LONGEST_NAME
from minitorch_cnn.engine.passes import graph
from minitorch_cnn.engine.values import Input, Value
from minitorch_cnn.errors import ArgumentError, ShapeError, WeightsError
from minitorch_cnn.files.printable import printable
from minitorch_cnn.keras_h5.described import CHAIN_INPUT, Call, LayerDescription, Network, Reference
from minitorch_cnn.models.keras_layers import Made, make_layer, obstacles_in_calls
from minitorch_cnn.network.model import Model
from minitorch_cnn.network.sequential import Sequential

MOST_NODES = 50_000  # of the flattened network: a model that is called twice in a model that is called twice, ...
MOST_NAMED = 12  # obstacles in one message


class OpenShape(ArgumentError):
    """The file leaves the shape of its input open."""


@dataclass
class Flattened:
    """Our model, and for each of its layers the path in the file: its name after those of the models around it."""

    model: Any
    paths: dict[str, str] = field(repr=False)


def model_of_architecture(
    network: Network, input_shape: tuple | None = None, seed: int | None = None, dtype: Any = "float32",
    most: int | None = None, check: Callable | None = None,
) -> Flattened:  # fmt: skip
    """The described network; `input_shape` fills in sizes that the file leaves open.

    With `most` it may have so many weights, and `check` is called as `network.cost.check_cost` is, both before any
    memory is allocated for it. Raises WeightsError that lists everything in the
    description that has no counterpart here, and ShapeError where the layers do not fit together.
    """
    builder = _Builder(network)
    inputs = [Input(shape) for shape in _input_shapes(network, input_shape)]
    outputs = builder.run(network, "", inputs)
    paths = {name: path for path, name in builder.names.items()}
    numbers = sum(layer.count_parameters() for layer in builder.built)
    if most is not None and numbers > most:
        raise WeightsError(f"it describes {numbers:,} weights, far more than a file of its size can hold")
    if check is not None:
        nodes, ends = graph(inputs, outputs)
        check(nodes, [value.shape for value in inputs], ends, dtype)
    model = Model(inputs, outputs, seed=seed, dtype=dtype)
    return Flattened(_as_chain(model), paths)


class _Builder:
    """Makes our layers, one for each described layer, and connects them."""

    def __init__(self, network: Network) -> None:
        self.names = _unique_names(network)
        self.layers: dict[str, Made] = {}
        self.nodes = 0
        self.built: dict[Any, None] = {}  # the layers that have been connected
        obstacles: dict[str, list[str]] = {}  # what is not supported: the layers that need it
        for path, described in network.nested():
            for reason in obstacles_in_calls(described):
                obstacles.setdefault(reason, []).append(path)
        for path, described in network.flat():
            if described.class_name == "InputLayer":
                continue
            name = self.names[path]
            try:
                self.layers[path] = make_layer(described, name, network.keras)
            except ArgumentError as error:
                reason = str(error).removeprefix(f"{name}: ")
                obstacles.setdefault(reason, []).append(name)
            except Exception as error:  # a constructor may raise almost anything when its arguments make no sense
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                obstacles.setdefault(f"its settings make no sense ({_shown(reason)})", []).append(name)
            for reason in obstacles_in_calls(described):
                obstacles.setdefault(reason, []).append(name)
        if obstacles:
            raise WeightsError(_listed(obstacles))

    def run(self, network: Network, path: str, inputs: list[Value]) -> list[Value]:
        """The outputs of a described network for values that it reads."""
        if len(inputs) != len(network.inputs):
            raise WeightsError(
                f"{_shown(path) or 'the network'}: expected {len(network.inputs)} inputs, got {len(inputs)}"
            )
        made: dict[tuple[str, int], list[Value]] = {
            (reference.layer, reference.call): [value] for reference, value in zip(network.inputs, inputs)
        }
        for layer, number, call in _in_order(network):
            values = [self._value(made, reference) for reference in call.inputs]
            made[layer.name, number] = self._call(layer, f"{path}{layer.name}", values)
        return [self._value(made, reference) for reference in network.outputs]

    def _call(self, layer: LayerDescription, path: str, values: list[Value]) -> list[Value]:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise WeightsError(f"expected at most {MOST_NODES:,} layers after flattening, got more")
        if layer.network is not None:
            return self.run(layer.network, f"{path}/", values)
        if not values:
            raise WeightsError(f"{_shown(path)}: it reads nothing")
        value = self.layers[path](values, self.names[path])
        self.built[value.layer] = None
        return [value]

    def _value(self, made: dict, reference: Reference) -> Value:
        values = made[reference.layer, reference.call]
        if reference.output >= len(values):
            raise WeightsError(f"{_shown(reference.layer)}: it has no output number {reference.output}")
        return values[reference.output]


def _in_order(network: Network) -> list[tuple[LayerDescription, int, Call]]:
    """(layer, number of the call, call) of every call, each after those that it reads, otherwise in the file's order.

    WeightsError for a value that no layer makes, and for a layer that reads, over others, its own result.
    """
    calls = {(layer.name, number): (layer, call) for layer in network.layers for number, call in enumerate(layer.calls)}
    done = {(reference.layer, reference.call) for reference in network.inputs}
    wanted = [*calls, *((each.layer, each.call) for each in network.outputs)]
    found: list[tuple[LayerDescription, int, Call]] = []
    for start in wanted:
        waiting, entered = [start], set()
        while waiting:
            key = waiting[-1]
            if key in done:
                waiting.pop()
                continue
            if key not in calls:
                raise WeightsError(f"{_shown(key[0])}: it is read, but nothing in the file makes it")
            layer, call = calls[key]
            before = [(each.layer, each.call) for each in call.inputs]
            missing = [each for each in before if each not in done]
            if not missing:
                done.add(key)
                found.append((layer, key[1], call))
                waiting.pop()
            elif key in entered:
                raise WeightsError(f"{_shown(key[0])}: it depends on itself")
            else:
                entered.add(key)
                waiting += reversed(missing)
    return found


def _unique_names(network: Network) -> dict[str, str]:
    """{path: our name}: the layer's own name, or with the models around it where it is not the only one."""
    paths = [path for path, layer in network.flat() if layer.class_name != "InputLayer"]
    own = {path: layer.name for path, layer in network.flat()}
    times = Counter(own[path] for path in paths)
    names = {path: own[path] if times[own[path]] == 1 else path for path in paths}
    for name in names.values():
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise WeightsError(f"expected names of layers that can be printed, got {_shown(name)}")
    if len(set(names.values())) < len(names):
        raise WeightsError("two layers have the same name")
    return names


def _input_shapes(network: Network, input_shape: tuple | None) -> list[tuple[int, ...]]:
    """The shapes of the inputs, without the batch axis."""
    by_name = {layer.name: layer for layer in network.layers}
    shapes = []
    for reference in network.inputs:
        described = _open_shape(network, reference, by_name)
        name = printable(reference.layer)[:60] or "the network"
        if input_shape is not None and len(network.inputs) == 1:
            fits = described is None or (
                len(described) == len(input_shape) and all(a in (None, b) for a, b in zip(described, input_shape))
            )
            if not fits:
                raise ShapeError(f"input_shape: expected {_sizes(described)} as the file says, got {input_shape}")
            described = list(input_shape)
        if described is None or not all(isinstance(size, int) and size > 0 for size in described):
            raise OpenShape(
                f"{name}: the file leaves its input's shape open ({_sizes(described)}); pass"
                " load_model(path, input_shape=(H, W, C))"
            )
        shapes.append(tuple(described))
    return shapes


def _open_shape(network: Network, reference: Reference, by_name: dict[str, LayerDescription]) -> list | None:
    """The shape that a description gives an input, where sizes may be None; None if it gives none."""
    if reference.layer != CHAIN_INPUT:
        settings = by_name[reference.layer].settings if reference.layer in by_name else {}
        shape: Any = settings.get("batch_shape") or settings.get("batch_input_shape")
    else:
        shape, first = network.build_shape, network.layers[0]
        if first.network is not None and not isinstance(shape, list):
            inner = {layer.name: layer for layer in first.network.layers}
            return _open_shape(first.network, first.network.inputs[0], inner)
        shape = shape if isinstance(shape, list) else first.build_shape
    plain = isinstance(shape, list) and all(size is None or isinstance(size, int) for size in shape)
    return shape[1:] if plain else None


def _as_chain(model: Model) -> Any:
    """A Sequential of the same layers if each reads the one before, else the model itself."""
    chain = [((place,), place + 1) for place in range(len(model.layers))]
    nodes = model.nodes()
    if [(node.inputs, node.output) for node in nodes] != chain or model.inputs != 1 or model.ends != [len(nodes)]:
        return model
    return Sequential.from_config(model.config())


def _listed(obstacles: dict[str, list[str]]) -> str:
    """One line that names everything that stands in the way."""
    texts = []
    for reason, names in [*obstacles.items()][:MOST_NAMED]:
        first = f"{_shown(names[0])}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        texts.append(f"{reason} ({first})")
    more = len(obstacles) - len(texts)
    return "not supported: " + "; ".join(texts) + (f"; and {more} more" if more else "")


def _sizes(shape: Any) -> str:
    return "nothing" if shape is None else printable(tuple(shape))[:60]


def _shown(name: str) -> str:
    return printable(name.rstrip("/"))[:60]
