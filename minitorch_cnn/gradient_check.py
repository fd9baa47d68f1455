"""Is the backward pass right? Compare it with the definition of the derivative.

    dL/dw  ~  (L(w + h) - L(w - h)) / 2h            central difference, in float64

For a layer L = sum(y * r) with a random r, so dL/dy = r is different everywhere: an upstream gradient of ones would
hide transposed and cancelled terms. For a whole model with labels L is the loss itself.

At a kink (a ReLU's zero, a tie of two numbers in a pool) the function has two one-sided slopes and no derivative; the
check recognises one by comparing the slopes to the left and to the right, and does not call it a bug.
"""

from dataclasses import dataclass, field

import numpy as np

from minitorch_cnn.backend import library_name, moved, namespace, on_host
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.sequential import Sequential

STEP = 1e-6
TOLERANCE = 1e-6
KINK_STEPS = (1e-6, 1e-7, 1e-8)
ROUNDING = 2e-15  # of L, relative to the numbers that add up to it


@dataclass
class Element:
    """One number of one array: what backward says its derivative is, and what the difference quotient says."""

    name: str
    index: tuple
    backward: float
    numerical: float
    error: float  # |backward - numerical| / the largest gradient in the array, or what L's rounding lets one see of it
    kink: bool = False

    def __str__(self):
        place = f"{self.name}[{', '.join(map(str, self.index))}]"
        note = "  (a kink: the slopes to the left and right differ)" if self.kink else ""
        return f"{place}: backward {self.backward:+.9e}, numerical {self.numerical:+.9e}, error {self.error:.1e}{note}"


@dataclass
class Report:
    """The result of a check: for every array its worst element, and the kinks that were met."""

    subject: str
    tolerance: float
    worst: dict = field(default_factory=dict)  # name of the array -> Element
    kinks: list = field(default_factory=list)
    checked: int = 0

    @property
    def passed(self):
        """Whether every derivative that exists agrees."""
        return all(element.error <= self.tolerance for element in self.worst.values())

    @property
    def failures(self):
        """The worst elements of the arrays that disagree."""
        return [element for element in self.worst.values() if not element.error <= self.tolerance]

    def __bool__(self):
        return self.passed

    def __str__(self):
        verdict = "agrees" if self.passed else "DISAGREES"
        lines = [f"{self.subject}: backward {verdict} with central differences ({self.checked} numbers compared)"]
        lines += [f"  {'ok ' if e.error <= self.tolerance else 'BAD'} {e}" for e in self.worst.values()]
        lines += [f"  kink {element}" for element in self.kinks]
        return "\n".join(lines)


def gradient_check(subject, x=None, labels=None, loss=None, *, training=False, step=STEP, tolerance=TOLERANCE,
                   most=200, seed=0):  # fmt: skip
    """Check a layer's or a whole model's backward pass; the subject itself is not changed.

    Arguments: `subject` a layer or a Sequential; `x` an input (N, ...), left out: random; `labels` and `loss` check a
    model through its loss; `training` as in forward (dropout repeats its mask); `step` h; `tolerance` on the
    error relative to the largest gradient of the array; at `most` so many numbers of each array, drawn by `seed`.
    Returns a Report; `print` it.
    """
    rng = np.random.default_rng(seed)
    x = x if x is None or hasattr(x, "shape") else np.asarray(x)
    if isinstance(subject, Sequential):
        if subject.input_shape is None:
            if x is None:
                raise ArgumentError("gradient_check: a model without an input shape needs an x")
            subject.build(x.shape[1:])
        model = subject.copy("float64")
        title = repr(subject)
    else:
        if x is None and subject.input_shape is None:
            raise ArgumentError(f"gradient_check: {subject.name} has no input shape yet, so it needs an x")
        model = _model_of(subject, subject.input_shape or x.shape[1:])
        where = x if x is not None else next(iter(subject.parameters.values()), rng.random(0))
        model.to(library_name(namespace(where)))
        title = repr(subject)
    x = model.receive(rng.standard_normal((2, *model.input_shape)) if x is None else x).copy()
    problem = _Problem(model, x, labels, loss, training, rng)
    report = Report(title, tolerance)
    for name, array, gradient in problem.arrays():
        _compare(report, problem, name, array, gradient, step, most, rng)
    return report


def _model_of(layer, input_shape):
    """A float64 model of a copy of one layer, with its values."""
    twin = type(layer)(**layer.config())
    for name in ("key", "draws"):
        if hasattr(layer, name):
            setattr(twin, name, getattr(layer, name))
    twin.named_by_user = True
    model = Sequential([twin], input_shape, seed=0, dtype="float64")
    for name, array in layer.parameters.items():
        twin.parameters[name] = array
    return model


class _Problem:
    """A function from numbers to one number, and the gradient that backward claims for it."""

    def __init__(self, model, x, labels, loss, training, rng):
        self.model, self.x, self.training = model, x, training
        self.labels, self.loss = labels, (loss or model.default_loss()) if labels is not None else None
        self.state = {key: np.array(on_host(value)) for key, value in model.state().items()}
        if self.labels is None:
            self.upstream = moved(rng.standard_normal(model.forward(x, training).shape), namespace(x))
        self.rounding = ROUNDING * self.size()

    def value(self):
        """L at the present numbers; random layers and moving averages begin as at the first call."""
        self._rewind()
        if self.loss is not None:
            return self.model.loss_and_gradients(self.x, self.labels, self.loss, self.training)
        return float((self.model.forward(self.x, self.training) * self.upstream).sum())

    def size(self):
        """The sum of the numbers that add up to L, all taken as positive: L is rounded in proportion to it."""
        if self.loss is not None:
            return abs(self.value())
        self._rewind()
        return float(abs(self.model.forward(self.x, self.training) * self.upstream).sum())

    def arrays(self):
        """(name, array, gradient) for every trained parameter and for the input."""
        self._rewind()
        model = self.model
        if self.loss is not None:
            model.loss_and_gradients(self.x, self.labels, self.loss, self.training)
            dx = None
        else:
            model.forward(self.x, self.training)
            dx = model.backward(self.upstream, input_gradient=True)
        found = [(f"{layer.name}/{name}", layer.parameters[name], np.array(on_host(layer.gradients[name])))
                 for layer in model.layers for name in layer.gradients]  # fmt: skip
        return found if dx is None else [*found, ("input", self.x, np.array(on_host(dx)))]

    def _rewind(self):
        trained = {(layer.name, name) for layer in self.model.layers for name in layer.trained()}
        for layer in self.model.layers:
            for name in layer.statistics:
                if (layer.name, name) not in trained and name in layer.parameters:
                    layer.parameters[name] = self.state[layer.name, name]
            if hasattr(layer, "draws"):
                layer.draws = int(self.state[layer.name, "draws"])


def _compare(report, problem, name, array, gradient, step, most, rng):
    """Compare up to `most` numbers of one array and put the worst into the report."""
    chosen = range(array.size) if array.size <= most else np.sort(rng.choice(array.size, most, replace=False))
    largest = max(float(np.abs(gradient[np.isfinite(gradient)]).max(initial=0)), 1e-8)
    visible = max(largest, problem.rounding / step / report.tolerance)  # below it a quotient is all rounding
    worst = None
    for flat in chosen:
        index = tuple(int(i) for i in np.unravel_index(flat, array.shape))
        numerical = _slope(problem, array, index, step, -step)
        error = abs(numerical - gradient[index]) / max(visible, abs(numerical))
        error = float(error) if np.isfinite(error) else np.inf
        element = Element(name, index, float(gradient[index]), numerical, error)
        report.checked += 1
        if element.error > report.tolerance and _is_kink(problem, array, index, element, largest):
            element.kink = True
            report.kinks.append(element)
        elif worst is None or element.error > worst.error:
            worst = element
    if worst is not None:
        report.worst[name] = worst


def _slope(problem, array, index, ahead, behind):
    """(L(w + ahead) - L(w + behind)) / (ahead - behind)."""
    before = float(array[index])
    array[index] = before + ahead
    high = problem.value()
    array[index] = before + behind
    low = problem.value()
    array[index] = before
    return (high - low) / (ahead - behind)


def _is_kink(problem, array, index, element, largest):
    """Whether backward's value is explained by a kink at or near the point.

    At a kink the slopes to the two sides stay apart however small the step, and backward gives one of them or one in
    between; near a kink the slopes move to what backward says once the step no longer reaches it. A bug does neither.
    """
    stays_apart = True
    for step in KINK_STEPS:
        right, left = _slope(problem, array, index, step, 0.0), _slope(problem, array, index, 0.0, -step)
        low, high, middle = min(left, right), max(left, right), (left + right) / 2
        rounding = problem.rounding / step
        noise = 1e-4 * largest + rounding
        if high - low <= 4 * noise:
            stays_apart = False
            if abs(element.backward - middle) <= TOLERANCE * largest + rounding < abs(element.numerical - middle):
                return True
    return stays_apart and low - noise <= element.backward <= high + noise
