"""Surgery: cut layers off a trained model, put new ones on, freeze some of them and train the rest.

    base.cut(after="block5_pool")       block1_conv1 ... block5_pool | flatten ... predictions
    .extend([Flatten(), Dense(1)])      block1_conv1 ... block5_pool  flatten_1  dense_1
    .freeze(through="block5_pool")      the layers up to this one keep their weights while the others learn

In a network with branches, what a layer depends on stays, or is frozen, with it. There is no model inside a model, so
every layer can be named, frozen and saved like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from minitorch_cnn.arguments import flag
from minitorch_cnn.engine.layers.layer import Layer
from minitorch_cnn.engine.passes import Node
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.network.naming import name_layers


class Surgery:
    """What can be done to the layers of a `Model` whose shapes are known.

    `cut` and `extend` move the layers and their weights to a new model, so a large model is never in memory twice. The
    old model is then used up: using it again is an error that says so. `model.copy().cut(...)` keeps both models.
    """

    _layers: Any
    _nodes: Any
    vector: Any

    def cut(self: Any, after: str) -> Any:
        """The model that ends with the layer called `after`, and what it depends on, with its weights.

        A layer that stands at several places ends the model at the last of them. This model is used up. Raises
        ArgumentError if no layer has that name.
        """
        last, nodes = self.get_layer(after), self.nodes()
        end = max(node.output for node in nodes if node.layer is last)
        return self._move(below(nodes, end), [end], [], "cut")

    def extend(self: Any, layers: Layer | Sequence[Layer]) -> Any:
        """The model with the list `layers` added at its end; this model is used up.

        The old layers keep their names, their exact weights and whether they are frozen. The new layers draw initial
        weights from the model's seed and get names that are not taken. Raises ArgumentError for anything but new layers
        and for a name that is taken, and ShapeError if a layer does not fit; this model can then still be used.
        """
        nodes = self.nodes()
        if len(self.ends) > 1:
            raise ArgumentError(f"extend: expected a model with one output, got one with {len(self.ends)}")
        new = list(layers) if isinstance(layers, (list, tuple)) else [layers]
        if not new:
            raise ArgumentError("extend: expected at least one layer, got none")
        for layer in new:
            if not isinstance(layer, Layer):
                raise ArgumentError(f"extend: expected a list of layers, got {type(layer).__name__}")
            if layer.input_shape is not None:
                raise ArgumentError(f"{layer.name}: already belongs to a model; make a new layer for this one")
        return self._move(nodes, list(self.ends), new, "extend")

    @property
    def trainable(self: Any) -> bool:
        """Whether any layer learns. Setting it freezes all layers (False) or unfreezes them (True)."""
        return any(layer.learns if layer.input_shape else layer.trainable for layer in self.layers)

    @trainable.setter
    def trainable(self: Any, value: bool) -> None:
        for layer in self.layers:
            layer.trainable = flag(value, "trainable")
        self.forget()

    def freeze(self: Any, *, through: str | None = None, layers: Iterable[str] | None = None) -> Any:
        """Keep the weights of some layers unchanged in training; returns the model.

        `through` freezes the layer of that name and all that it depends on, up to the input; `layers` instead lists the
        names of the layers to freeze; without either, all layers are frozen. Other layers stay as they were. A frozen
        layer gets no gradient, no update and no weight decay, and a frozen BatchNorm uses its moving averages. If a
        trainable layer lies below, the gradient still passes through the frozen one.

        Raises ArgumentError for an unknown name, a layer without parameters, an empty list, or both arguments at once,
        so it never returns without having frozen what was asked for.
        """
        return self._set_trainable(False, "freeze", through, layers)

    def unfreeze(self: Any, *, through: str | None = None, layers: Iterable[str] | None = None) -> Any:
        """Let layers learn again; the arguments are those of `freeze`. Returns the model.

        To unfreeze all layers from some layer on, unfreeze all and freeze through the layer before it. An optimizer
        already in use starts the momentum of the unfrozen layers at zero and keeps that of the others.
        """
        return self._set_trainable(True, "unfreeze", through, layers)

    def _move(self: Any, nodes: list[Node], ends: list[int], new: list[Layer], act: str) -> Any:
        """A model of `nodes`, whose layers move there, and of the `new` layers behind them, which are checked first."""
        kept = list(dict.fromkeys(node.layer for node in nodes))
        for layer in kept:
            layer.named_by_user = True  # it must keep this name, by which weight files and optimizers know it
        name_layers([*kept, *new])
        made = {node.output: node.layer for node in nodes}
        _rehearse(new, made[ends[0]].output_shape)
        shapes = [self.input_shape] if self.inputs == 1 else list(self.input_shape)
        read = [number for number in range(len(shapes)) if any(number in node.inputs for node in nodes)]
        model = object.__new__(type(self))
        model._set_up(self.seed, self.dtype, self.preprocessing)
        model.backend, model.epochs_trained = self.backend, self.epochs_trained
        for layer in kept:
            layer.forget()
            layer._gradients.clear()
            layer.in_model = False
        shape = made[ends[0]].output_shape
        for layer in new:
            layer.build(shape)
            shape = layer.output_shape
        nodes, ends = renumbered(nodes, read, ends)
        behind = [Node(layer, (number,), number + 1) for number, layer in enumerate(new, len(read) + len(nodes) - 1)]
        if new:
            last = behind[0]._replace(inputs=(ends[0],))
            behind[0], ends = last, [behind[-1].output]
        model._take_nodes([*nodes, *behind], ends, [shapes[number] for number in read])
        model._lay_out()
        self._layers = self._nodes = self.vector = UsedUp(act)
        self.forget()
        return model

    def _set_trainable(self, trainable, act, through, layers):
        chosen = self._chosen(act, through, layers)
        for layer in chosen:
            layer.trainable = trainable
        self.forget()  # an earlier forward pass stored only what the old setting needs
        return self

    def _chosen(self, act, through, names):
        """The layers with parameters that the arguments of `freeze` select; ArgumentError if there are none."""
        self._require_built()
        with_parameters = [layer for layer in self.layers if layer.parameter_shapes()]
        choice = f"those with parameters are {', '.join(layer.name for layer in with_parameters) or 'none'}"
        if through is not None and names is not None:
            raise ArgumentError(f"{act}: expected either through or layers, got both")
        if names is not None:
            given = names
            names = [] if isinstance(names, (str, Layer)) or not hasattr(names, "__iter__") else list(names)
            if not names:
                raise ArgumentError(f"{act}: expected a list of layer names, got {given!r}; {choice}")
            chosen = [self.get_layer(name) for name in names]
            for layer in chosen:
                if layer not in with_parameters:
                    raise ArgumentError(f"{act}: {layer.name} has no parameters; {choice}")
            return chosen
        chosen = with_parameters
        if through is not None:
            last, nodes = self.get_layer(through), self.nodes()
            reached = [node.layer for node in below(nodes, *(node.output for node in nodes if node.layer is last))]
            chosen = [layer for layer in with_parameters if layer in reached]
        if not chosen:
            where = "in this model" if through is None else f"up to {through}"
            raise ArgumentError(f"{act}: no layer {where} has parameters; {choice}")
        return chosen


def below(nodes: Sequence[Node], *ends: int) -> list[Node]:
    """Those of the nodes that make the values `ends` and what they depend on, in their order."""
    needed, found = set(ends), []
    for node in reversed(nodes):
        if node.output in needed:
            needed.update(node.inputs)
            found.append(node)
    return found[::-1]


def renumbered(nodes: Sequence[Node], inputs: Sequence[int], ends: Sequence[int]) -> tuple[list[Node], list[int]]:
    """(nodes, ends) with new numbers of values: first the `inputs`, then an output for each node."""
    number = {old: new for new, old in enumerate([*inputs, *(node.output for node in nodes)])}
    moved = [Node(node.layer, tuple(number[old] for old in node.inputs), number[node.output]) for node in nodes]
    return moved, [number[old] for old in ends]


class UsedUp:
    """Stands in for the layers of a model once they have moved to another model; any use of it raises an error."""

    def __init__(self, act: str) -> None:
        self.act = act

    def refuse(self, *_: Any) -> NoReturn:
        """Raise the ArgumentError that says where the layers are now."""
        raise ArgumentError(
            f"this model was used up by {self.act}: its layers are in the model that {self.act} returned;"
            f" model.copy().{self.act}(...) keeps both"
        )

    __iter__ = __len__ = __getitem__ = segments = refuse
    values = property(refuse)


def _rehearse(layers, shape):
    """Check that the layers accept an input of `shape`, (H, W, C) or (D,), and leave them unchanged."""
    try:
        for layer in layers:
            layer.build(shape)
            shape = layer.output_shape
    finally:
        for layer in layers:
            layer.input_shape = layer.output_shape = None
