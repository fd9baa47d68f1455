"""The chain rule: forward over the nodes of a network, backward over them in reverse.

    values     0 --> [conv2d] --> 1 --> [relu] --> 2 --> [dense] --> 3           forward
    gradients  d0 <- [conv2d] <- d1 <-- [relu] <- d2 <-- [dense] <- d3           backward

A node is a layer at its place: it reads values by number and writes one. The walk is written here once. To see
what happens on the way (for a clock, a search for NaN, Grad-CAM), pass an `Observer`.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from minitorch_cnn.arguments import check_floats
from minitorch_cnn.arrays import Array
from minitorch_cnn.engine.layers.by_hand import passes_of
from minitorch_cnn.engine.layers.merge import add
from minitorch_cnn.engine.values import Value, order
from minitorch_cnn.errors import ArgumentError, ShapeError


class Node(NamedTuple):
    """A layer at its place: the numbers of the values it reads, and of the one that it writes."""

    layer: Any
    inputs: tuple[int, ...]
    output: int

    def read(self, values: Mapping[int, Array]) -> Any:
        """The layer's input: the array that it reads, or a list of several."""
        arrays = [values[number] for number in self.inputs]
        return arrays[0] if len(arrays) == 1 else arrays


class Step(NamedTuple):
    """What a forward pass keeps of one node: its backward pass, and what that needs."""

    node: Node
    backward: Callable
    kept: Any
    shape: tuple  # of the output, and so of dy
    trainable: list[bool]  # what `trainable` says of its layers

    def run(self, dy: Array, need_dx: bool) -> tuple[list, dict]:
        """([dx of each input], gradients) for dy; ShapeError or ArgumentError for what does not fit this step."""
        name, got = self.node.layer.name, getattr(dy, "shape", None)
        if got != self.shape:
            raise ShapeError(f"{name}: expected dy of its output's shape {self.shape}, got {got}")
        check_floats(name, dy, "dy")
        now = trainable(self.node.layer)
        if now != self.trainable:
            was, is_now = ("frozen", "trainable") if any(now) and not all(self.trainable) else ("trainable", "frozen")
            raise ArgumentError(f"{name}: was {was} in the forward pass and is {is_now} now; run forward again")
        result = self.backward(dy, self.kept, need_dx=need_dx)
        if not (isinstance(result, tuple) and len(result) == 2):
            raise ArgumentError(f"{name}: expected (dx, gradients) from backward_pass, got {type(result).__name__}")
        dx, gradients = result
        return dx if isinstance(dx, list) else [dx], gradients


class Observer:
    """Sees every node of a pass; override what is of use. An exception ends the pass."""

    def before_forward(self, node: Node, x: Any) -> None:
        """Before the node reads x."""

    def after_forward(self, node: Node, x: Any, y: Array, kept: Any) -> None:
        """After the node made y (scores, if its activation is differentiated together with the loss) of x."""

    def after_loss(self, loss: float, dy: Array) -> None:
        """Between the passes: the loss, and its gradient for the prediction (or for the scores)."""

    def before_backward(self, node: Node, dy: Array) -> None:
        """Before the node receives dy."""

    def after_backward(self, node: Node, dy: Array, dx: Any, gradients: dict) -> None:
        """After the node made dx (None where it is not needed) and its parameters' `gradients` of dy."""


def trainable(layer: Any) -> list[bool]:
    """[whether it is trainable] for a layer, and for each of the layers that a stage runs."""
    return [each.trainable for each in getattr(layer, "layers", [layer])]


def chain(layers: Iterable) -> list[Node]:
    """The nodes of layers that stand one after the other; value 0 is the input."""
    return [Node(layer, (place,), place + 1) for place, layer in enumerate(layers)]


def graph(inputs: Sequence[Value], outputs: Sequence[Value]) -> tuple[list[Node], list[int]]:
    """(nodes, numbers of `outputs`) of values that were made by calling layers; `inputs` are the values 0, 1, ..."""
    values = order(inputs, outputs)
    number = {value: place for place, value in enumerate(values)}
    made = values[len(inputs) :]
    nodes = [Node(value.layer, tuple(number[each] for each in value.inputs), number[value]) for value in made]
    return nodes, [number[value] for value in outputs]


def need_gradients(nodes: Iterable[Node], inputs: Collection[int] = ()) -> set[int]:
    """The numbers of the values whose gradient is needed, since something below them learns.

    With `inputs`, the gradients of those inputs of the network are asked for as well. A node whose output is not among
    them is not visited by the backward pass.
    """
    needed = set(inputs)
    for node in nodes:
        if node.layer.learns or not needed.isdisjoint(node.inputs):
            needed.add(node.output)
    return needed


def forward(
    nodes: Sequence[Node],
    inputs: Sequence[Array],
    training: bool = False,
    keep: Collection[int] = (),
    observer: Observer | None = None,
    scores: Collection[int] = (),
    outputs: Sequence[int] = (),
) -> tuple[Any, list[Step]]:
    """(prediction, steps): the last node's output for `inputs` (values 0, 1, ...), and what `backward` needs.

    Only nodes whose output number is in `keep` leave a Step. A node whose output is in `scores` stops before its
    activation, and the Step goes back from there. A value is dropped as soon as no node reads it any more. With several
    `outputs` the prediction is the list of these values.
    """
    outputs = outputs or (nodes[-1].output,)
    values = dict(enumerate(inputs))
    readers = Counter(number for node in nodes for number in set(node.inputs))
    readers.update(set(outputs))
    steps = []
    for node in nodes:
        x, layer = node.read(values), passes_of(node.layer)
        if observer is not None:
            observer.before_forward(node, x)
        if node.output in scores:
            (y, kept), backward_pass = node.layer.scores(x, training), node.layer.backward_scores
        else:
            (y, kept), backward_pass = layer.forward_pass(x, training), layer.backward_pass
        if observer is not None:
            observer.after_forward(node, x, y, kept)
        if node.output in keep:
            steps.append(Step(node, backward_pass, kept, tuple(y.shape), trainable(node.layer)))
        for number in set(node.inputs):
            readers[number] -= 1
            if not readers[number]:
                del values[number]
        values[node.output] = y
        del x, y, kept
    predictions = [values[number] for number in outputs]
    return predictions[0] if len(predictions) == 1 else predictions, steps


def backward(
    steps: list[Step], dy: Any, needed: set[int], observer: Observer | None = None, store: bool = True
) -> dict[int, Array]:
    """Walk back through `steps`, which are used up, from dy = dL/d(last output); {number of a value: its gradient}.

    A network with several outputs has a `dy` for each, {number of its value: dL/dvalue}. The values returned are the
    `needed` ones that no step wrote, such as the input; gradients of other values are not computed. The parameters'
    gradients are left in `layer.gradients`, unless `store` is False.
    """
    waiting = dict(dy) if isinstance(dy, dict) else {steps[-1].node.output: dy} if steps else {}
    visited = set()
    while steps:
        step = steps.pop()
        if step.node.output not in waiting:  # no output that has a dy depends on it
            continue
        node, dy = step.node, waiting.pop(step.node.output)
        if observer is not None:
            observer.before_backward(node, dy)
        dx, gradients = step.run(dy, not needed.isdisjoint(node.inputs))
        if store:
            # A layer that stands at several places has changed the loss at each of them: its gradients add up as well.
            owner = getattr(node.layer, "owner", node.layer)  # a stage of several layers names the one with parameters
            node.layer.take_gradients(gradients, add=owner in visited)
            visited.add(owner)
        if observer is not None:
            observer.after_backward(node, dy, dx[0] if len(dx) == 1 else dx, gradients)
        for number, gradient in zip(node.inputs, dx):
            if number in needed:
                # A value that was used twice has two ways to change the loss: their gradients add up.
                waiting[number] = add(waiting[number], gradient) if number in waiting else gradient
        del dy, dx, step, gradients
    return waiting
