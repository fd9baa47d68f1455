"""What a gradient check works on: a function L of many numbers, and its gradient according to the backward pass.

The numbers are the parameters of a model and its input. L is the loss, or, without labels, sum(y * r) with a random r.
`slope` is the difference quotient of L with respect to one of the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minitorch_cnn.arrays import Array, moved, namespace, on_host
from minitorch_cnn.engine import passes
from minitorch_cnn.network.model import Model

ROUNDING = 2e-15  # of L in float64, relative to the numbers that add up to it


class Problem:
    """L as a function of every number of `model` and of x (N, *input_shape), a list of arrays for several inputs.

    With `labels`, L is `loss` (None: the model's default loss); without, `upstream` has the r of sum(y * r) for each
    output.
    """

    def __init__(
        self, model: Model, x: Any, labels: Any, loss: Any, training: bool, upstream: Sequence[Array] | None = None
    ) -> None:
        self.model, self.x, self.training = model, x, training
        self.labels, self.loss = labels, (loss or model.default_loss()) if labels is not None else None
        self.state = {key: np.array(on_host(value)) for key, value in model.state().items()}
        self.upstream: Any = upstream
        self.rounding = ROUNDING * self.size()

    def in_dtype(self, dtype: str) -> Problem:
        """The same problem, computed in another dtype."""
        upstream = None if self.upstream is None else [each.astype(dtype) for each in self.upstream]
        self._rewind()
        model = self.model.copy(dtype)
        x = [each.astype(dtype) for each in self.inputs()]
        return Problem(model, x if len(x) > 1 else x[0], self.labels, self.loss, self.training, upstream)

    def inputs(self) -> list[Array]:
        """The arrays of x, one for each input."""
        return list(self.x) if isinstance(self.x, (list, tuple)) else [self.x]

    def names_of_inputs(self) -> list[str]:
        """What the inputs are called: input, or input_1, input_2, ..."""
        count = len(self.inputs())
        return ["input"] if count == 1 else [f"input_{number}" for number in range(1, count + 1)]

    def value(self) -> float:
        """L for the current numbers; random layers and moving averages start as in the first call."""
        self._rewind()
        if self.loss is not None:
            return self.model.loss_and_gradients(self.x, self.labels, self.loss, self.training)
        return float(sum((y * r).sum() for y, r in zip(self.forward(), self.upstream)))

    def forward(self) -> list[Array]:
        """The outputs for the current numbers."""
        y = self.model.forward(self.x, self.training)
        return [y] if self.model.outputs == 1 else y

    def size(self) -> float:
        """The sum of the absolute values of L's terms; the rounding error of L is proportional to it."""
        if self.loss is not None:
            return abs(self.value())
        self._rewind()
        return float(sum(abs(y * r).sum() for y, r in zip(self.forward(), self.upstream)))

    def arrays(self) -> list[tuple[str, Array, np.ndarray]]:
        """(name, array, gradient) for every trained parameter, and for the input if there are no labels."""
        self._rewind()
        model = self.model
        if self.loss is not None:
            model.loss_and_gradients(self.x, self.labels, self.loss, self.training)
        else:
            self.forward()
            dx = model.backward(self.upstream if model.outputs > 1 else self.upstream[0], input_gradient=True)
            dx = dx if isinstance(dx, list) else [dx]
        found = [(f"{layer.name}/{name}", layer.parameters[name], np.array(on_host(layer.gradients[name])))
                 for layer in model.layers for name in layer.gradients]  # fmt: skip
        if self.loss is not None:
            return found
        inputs = zip(self.names_of_inputs(), self.inputs(), dx)
        return [*found, *((name, x, np.array(on_host(each))) for name, x, each in inputs)]

    def without_dx(self) -> list[str]:
        """Names of the parameters whose gradient is another one if no gradient of the input is asked for."""
        if self.loss is not None:
            return []
        found = {name: gradient for name, _, gradient in self.arrays() if "/" in name}
        self._rewind()
        self.forward()
        self.model.backward(self.upstream if self.model.outputs > 1 else self.upstream[0], input_gradient=False)
        alone = {f"{layer.name}/{name}": np.array(on_host(layer.gradients[name]))
                 for layer in self.model.layers for name in layer.gradients}  # fmt: skip
        return [name for name, gradient in found.items() if not _equal(gradient, alone[name])]

    def outcome(self) -> dict[str, np.ndarray]:
        """All that one forward and one backward pass compute, by name, on the host."""
        found = {name: gradient for name, _, gradient in self.arrays()}
        self._rewind()
        outputs = [np.array(on_host(y)) for y in self.forward()]
        self.model.forget()
        names = ["prediction"] if len(outputs) == 1 else [f"prediction {number + 1}" for number in range(len(outputs))]
        return {**dict(zip(names, outputs)), **found}

    def walk(self, observer: passes.Observer) -> None:
        """Run one forward and one backward pass that `observer` watches."""
        self._rewind()
        if self.loss is not None:
            self.model.loss_and_gradients(self.x, self.labels, self.loss, self.training, observer)
            return
        nodes = self.model.nodes()
        needed = passes.need_gradients(nodes, range(self.model.inputs))
        outputs = self.model.ends
        _, steps = passes.forward(nodes, self.inputs(), self.training, needed, observer, outputs=outputs)
        passes.backward(steps, dict(zip(outputs, self.upstream)), needed, observer)

    def array(self, name: str) -> Array:
        """The array that `arrays` calls `name`; changing it in place changes L."""
        if name in self.names_of_inputs():
            return self.inputs()[self.names_of_inputs().index(name)]
        layer, _, parameter = name.rpartition("/")
        return self.model.get_layer(layer).parameters[parameter]

    def _rewind(self):
        trained = {(layer.name, name) for layer in self.model.layers for name in layer.trained()}
        for layer in self.model.layers:
            for name in layer.statistics:
                if (layer.name, name) not in trained and name in layer.parameters:
                    layer.parameters[name] = self.state[layer.name, name]
            if layer.random:
                layer.draws = int(self.state[layer.name, "draws"])


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two gradients in float64 are equal but for rounding."""
    if one.shape != other.shape:
        return False
    largest = float(np.nanmax(abs(one), initial=0))
    return bool(np.allclose(one, other, rtol=0, atol=1e-10 * largest, equal_nan=True))


def slope(problem: Problem, array: Array, index: tuple, ahead: float, behind: float) -> float:
    """(L(w + ahead) - L(w + behind)) / (ahead - behind) for the number w = array[index] of the problem."""
    before = float(array[index])
    array[index] = before + ahead
    high = problem.value()
    array[index] = before + behind
    low = problem.value()
    array[index] = before
    return (high - low) / (ahead - behind)


def slope_along(problem: Problem, array: Array, places: np.ndarray, signs: np.ndarray, step: float) -> float:
    """The difference quotient of L when the numbers at the flat indices `places` all move by `signs` * step."""
    flat, signs = array.reshape(-1), moved(signs, namespace(array))
    places = moved(places, namespace(array))
    before, values = flat[places].copy(), []
    for way in (step, -step):
        flat[places] = before + way * signs
        values.append(problem.value())
    flat[places] = before
    return (values[0] - values[1]) / (2 * step)
