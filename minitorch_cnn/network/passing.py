"""The passes of a network: forward, loss, backward. The walk itself is in `engine/passes.py`."""

from __future__ import annotations

import threading
from typing import Any

from minitorch_cnn.arrays import Array
from minitorch_cnn.engine import passes
from minitorch_cnn.engine.passes import Observer, need_gradients
from minitorch_cnn.errors import ArgumentError, LabelError, ShapeError
from minitorch_cnn.network.joint import joint
from minitorch_cnn.twins.stages import in_stages


class LastPass(threading.local):
    """What the last `forward` of each thread keeps for `backward`; copies and pickles start empty."""

    steps: list | None = None

    def __reduce__(self) -> tuple:
        return LastPass, ()


class Passing:
    """The part of a `Model` that runs its passes."""

    def forward(self: Any, x: Any, training: bool = False) -> Any:
        """The prediction (N, ...) for x (N, *input_shape); each thread stores what its `backward` needs."""
        inputs = self.receive_all(x)
        nodes = self.stages()
        keep = {node.output for node in nodes}
        y, self._last.steps = passes.forward(nodes, inputs, training, keep, outputs=self.ends)
        return y

    def backward(self: Any, dy: Any, input_gradient: bool | None = None) -> Any:
        """Fill `layer.gradients` from dy = dL/dprediction, after `forward`; returns dL/dinput, or None.

        The backward pass stops at the lowest trainable layers. With `input_gradient` True it continues to the input and
        returns its gradient, with False it does not; left out, it does unless the bottom of the model is frozen. With
        several outputs dy is a list, with several inputs the result is one.
        """
        nodes = self.nodes()
        if input_gradient is None:
            lowest = self.lowest_trainable()
            input_gradient = not any(node.layer.parameter_shapes() for node in nodes[:lowest])
        wanted = self._gradients_of_outputs(dy)
        if not self._last.steps:
            raise ArgumentError(f"{self.layers[-1].name}: backward needs a forward pass before it")
        self.segments()
        needed = need_gradients(nodes, range(self.inputs) if input_gradient else ())
        steps = [step for step in self._last.steps if step.node.output in needed]
        found = passes.backward(steps, wanted, needed)
        dx = [found.get(number) for number in range(self.inputs)]
        return dx[0] if self.inputs == 1 else dx

    def _gradients_of_outputs(self: Any, dy: Any) -> dict[int, Array]:
        """{number of an output: its dy}, checked."""
        made = {node.output: node.layer for node in self._nodes}
        several = one_for_each(dy, len(self.ends), "dy")
        found: dict[int, Array] = {}
        for number, each in zip(self.ends, several):
            each = self._here(each)
            if each.dtype.kind not in "fiub":
                raise ArgumentError(f"{made[number].name}: expected dy of real numbers, got dtype {each.dtype}")
            each = each.astype(self.dtype, copy=False)
            if tuple(each.shape[1:]) != made[number].output_shape:
                wanted = ", ".join(map(str, made[number].output_shape))
                raise ShapeError(f"{made[number].name}: expected dy of shape (N, {wanted}), got {tuple(each.shape)}")
            found[number] = found[number] + each if number in found else each
        return found

    def loss_and_gradients(
        self: Any,
        x: Any,
        labels: Any,
        loss: Any,
        training: bool = True,
        observer: Observer | None = None,
        input_gradient: bool = False,
    ) -> float:
        """The loss (float) of one batch x (N, *input_shape); fills `layer.gradients` of the trainable layers.

        If the loss belongs to the last layer's activation (cross-entropy after softmax), both are differentiated
        together, from the scores. With several outputs, `labels` is a list, and `loss` one loss for all or a list; the
        losses add up. An `observer` sees the layers one by one (`engine/passes.py`); with `input_gradient` the backward
        pass continues to the input, whatever is frozen, and the observer sees dL/dinput as a `dx`.
        """
        inputs = self.receive_all(x)
        nodes = self.nodes()
        needed = need_gradients(nodes, range(self.inputs) if input_gradient else ())
        losses = self.loss_of_each(loss)
        labels = one_for_each(labels, len(self.ends), "labels")
        together = self.together(losses)
        self.forget()
        self.segments()
        walked = self.stages() if observer is None else nodes
        y, steps = passes.forward(walked, inputs, training, needed, observer, together.keys(), self.ends)
        total, predictions, dys = self.compare(y if len(self.ends) > 1 else [y], losses, labels, together)
        self.prediction = predictions[0] if len(predictions) == 1 else predictions
        if observer is not None:
            observer.after_loss(total, dys[self.ends[-1]])
        passes.backward(steps, dys, needed, observer)
        return total

    def compare(
        self: Any, made: list, losses: list, labels: list, together: dict[int, Any]
    ) -> tuple[float, list, dict[int, Array]]:
        """(loss, predictions, {number of an output: dL/doutput}) for what was `made` for each output.

        That is the prediction or, where activation and loss are taken `together`, the scores.
        """
        total, predictions = 0.0, []
        dys: dict[int, Array] = {}
        for number, each, wanted, prediction in zip(self.ends, losses, labels, made):
            if number in together:
                value, dy = each.from_scores(prediction, wanted)
                prediction = together[number].activation.forward(prediction)
            else:
                value, dy = each.value_and_gradient(prediction, wanted)
            predictions.append(prediction)
            dys[number] = dys[number] + dy if number in dys else dy
            total += value
        return total, predictions, dys

    def together(self: Any, losses: Any) -> dict[int, Any]:
        """{number of an output: its layer} of those whose activation is differentiated together with their loss."""
        read = {number for node in self._nodes for number in node.inputs}
        made = {node.output: node.layer for node in self._nodes}
        return {
            number: made[number]
            for number, loss in zip(self.ends, losses)
            if number not in read and self.ends.count(number) == 1 and joint(loss, made[number])
        }

    def stages(self: Any) -> list[passes.Node]:
        """The nodes, with a stage in place of neighbours that can run as one (`twins/stages/`)."""
        return in_stages(self.nodes(), self.ends)

    def forget(self: Any) -> None:
        """Drop what the last `forward` of this thread stored for `backward`."""
        self._last.steps = None


def one_for_each(given: Any, count: int, what: str) -> list:
    """`given` as a list with one for each of `count` outputs; LabelError if their number differs."""
    if count == 1:
        return [given]
    if not isinstance(given, (list, tuple)) or len(given) != count:
        got = f"a list of {len(given)}" if isinstance(given, (list, tuple)) else type(given).__name__
        raise LabelError(f"{what}: expected a list with one for each of the {count} outputs, got {got}")
    return list(given)
