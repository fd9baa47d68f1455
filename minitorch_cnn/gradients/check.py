"""Is the backward pass right? Compare it with the definition of the derivative.

    dL/dw  ~  (L(w + h) - L(w - h)) / 2h            central difference, in float64

For a layer L = sum(y * r) with a random r, so dL/dy = r is different everywhere: an upstream gradient of ones would
hide transposed and cancelled terms. For a whole model with labels L is the loss itself.

The numbers are compared one by one in `compare.py`, which knows a kink from a bug. Of an array that disagrees
the report says in words what it looks like (`lessons/`); with `curves` it holds how the error of each array's worst
number depends on the step, in float32 and in float64.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minitorch_cnn.arrays import library_name, moved, namespace
from minitorch_cnn.arrays.dispatch import (
    BOTH,
    PACKAGE,
    TWINS_ONLY,
    changed_definitions,
    definitions_only,
    running,
    what_runs,
)
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.gradients.borrowed import in_float64
from minitorch_cnn.gradients.compare import Element, compare
from minitorch_cnn.gradients.problem import Problem, slope
from minitorch_cnn.gradients.step_curves import step_curve
from minitorch_cnn.gradients.symptoms import sample, symptom
from minitorch_cnn.network.model import Model

STEP = 1e-6
AGREEMENT = 1e-9  # of definition and twin, relative to the largest number of an array
TOLERANCE = 1e-6
MOST_DIAGNOSED, SAMPLE = 600, 400  # numbers compared to say what a wrong array looks like: all of so many, or a sample


@dataclass
class Report:
    """The result of a check: for every array its worst element, and the kinks that were met."""

    subject: str
    tolerance: float
    worst: dict = field(default_factory=dict)  # name of the array -> Element
    kinks: list = field(default_factory=list)
    checked: int = 0  # numbers compared one by one
    together: int = 0  # others, compared along a direction
    symptoms: dict = field(default_factory=dict)  # name of an array that disagrees -> what it looks like, in words
    where: str = ""  # in which layers of a model the bug can be, in words
    curves: dict = field(default_factory=dict)  # name of the array -> StepCurve of its worst element; "kink": the first
    verdict: str = ""  # where definition and twin differ: which of them is wrong, in words

    @property
    def passed(self) -> bool:
        """Whether every derivative that exists agrees, and definition and twin with each other."""
        return not self.verdict and all(element.error <= self.tolerance for element in self.worst.values())

    @property
    def failures(self) -> list[Element]:
        """The worst elements of the arrays that disagree."""
        return [element for element in self.worst.values() if not element.error <= self.tolerance]

    @property
    def compared(self) -> str:
        """How many numbers were compared, in words."""
        return f"{self.checked} numbers compared" + (f", {self.together:,} more together" if self.together else "")

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        verdict = "agrees" if self.passed else "DISAGREES"
        lines = [f"{self.subject}: backward {verdict} with central differences ({self.compared})"]
        for name, element in self.worst.items():
            lines.append(f"  {'ok ' if element.error <= self.tolerance else 'BAD'} {element}")
            lines += [f"      {self.symptoms[name]}"] if name in self.symptoms else []
            lines += [f"      {line}" for line in self.curves[name].lines()] if name in self.curves else []
        lines += [f"  kink {element}" for element in self.kinks]
        lines += [f"      {line}" for line in self.curves["kink"].lines()] if "kink" in self.curves else []
        lines += [f"  {line}" for line in (self.where, self.verdict) if line]
        return "\n".join(lines)


def gradient_check(
    subject: Any,
    x: Any = None,
    labels: Any = None,
    loss: Any = None,
    *,
    training: bool = False,
    step: float = STEP,
    tolerance: float = TOLERANCE,
    most: int = 200,
    seed: int = 0,
    curves: bool = False,
) -> Report:
    """Check a layer's or a whole model's backward pass; the subject itself is not changed.

    Definitions and twins are both checked: the definitions against central differences, the twins against the
    definitions, and where these two differ, the twins against central differences as well, so the report can say which
    is wrong. Inside `definitions_only()` only definitions are checked.

    Arguments: `subject` a layer or a model; `x` an input (N, ...), a list of arrays for several inputs, left out:
    random; `labels` and `loss` check a model through its loss; `training` as in forward (dropout repeats its mask);
    `step` h; `tolerance` on the error relative to the largest gradient of the array; `most` so many numbers of each
    array are compared one by one, drawn by `seed`, and the rest along a random direction, so none can hide; `curves`
    adds the error of each worst number over the step h.
    Returns a Report; `print` it.
    """
    rng = np.random.default_rng(seed)
    several = isinstance(x, (list, tuple)) and all(hasattr(each, "shape") for each in x)  # one array for each input
    x = x if x is None or several or hasattr(x, "shape") else np.asarray(x)
    shape = subject.input_shape
    if shape is None and x is None:
        lacks = "a model without an input shape" if isinstance(subject, Model) else f"{subject.name}, not built yet,"
        raise ArgumentError(f"gradient_check: {lacks} needs an x")
    if shape is None:
        shape = tuple(each.shape[1:] for each in x) if several else x.shape[1:]
        if isinstance(subject, Model):
            subject.build(shape)
    title, library = repr(subject), _library(subject, x[0] if several else x)
    with in_float64(subject, shape) as model:
        model.to(library)
        if x is None:
            shapes = [model.input_shape] if model.inputs == 1 else model.input_shape
            x = [rng.standard_normal((2, *shape)) for shape in shapes]
            x = x if model.inputs > 1 else x[0]
        arrays = [array.copy() for array in model.receive_all(x)]
        x = arrays if model.inputs > 1 else arrays[0]
        upstream = None
        if labels is None:
            shapes = [model.output_shape] if model.outputs == 1 else model.output_shape
            upstream = [moved(rng.standard_normal((len(arrays[0]), *shape)), namespace(arrays[0])) for shape in shapes]

        def check() -> Report:
            return _check(title, problem, step, tolerance, most, np.random.default_rng(seed), curves)

        both = what_runs() == BOTH
        with definitions_only() if both else running(what_runs()):
            problem = Problem(model, x, labels, loss, training, upstream)
            report, plain = check(), problem.outcome() if both else {}
        with running(TWINS_ONLY):
            if both and _differ(plain, twin := problem.outcome(), 1000 * problem.rounding):
                forward = {"": plain["prediction"]}, {"": twin["prediction"]}
                other_forward = _differ(*forward, 1000 * problem.rounding)
                return _which_is_wrong(report, check(), other_forward)
        return report


def _library(subject: Any, x: Any) -> str:
    """Where to compute: a model, where it is; a layer, where its input is, or else its parameters are."""
    if isinstance(subject, Model):
        return subject.backend
    return library_name(namespace(next(iter(subject.parameters.values()), np.zeros(0)) if x is None else x))


def failed(title: str, error: Exception) -> Report:
    """The report for a check that `error` ended: which line of the package raised it, and what it said."""
    places = [frame for frame in traceback.extract_tb(error.__traceback__) if PACKAGE in frame.filename]
    engine = [frame for frame in places if f"{PACKAGE}/engine" in frame.filename.replace("\\", "/")] or places
    where = f" in {engine[-1].filename.rpartition(PACKAGE)[2].lstrip('/')}, line {engine[-1].lineno}" if engine else ""
    words = (str(error).strip().splitlines() or [""])[0]
    changed = changed_definitions()
    end = f"; changed since the twin was made: {', '.join(changed)}" if changed else ""
    return Report(title, TOLERANCE, verdict=f"stopped by {type(error).__name__}{where}: {words}{end}")


def _differ(one: dict, other: dict, rounding: float) -> bool:
    """Whether two outcomes are more than rounding apart in any array."""
    for name, a in one.items():
        b = other[name]
        if a.shape != b.shape or a.dtype == object or b.dtype == object:
            return True
        largest = float(np.nanmax(abs(a), initial=0))
        if not np.allclose(a, b, rtol=0, atol=max(AGREEMENT * largest, rounding), equal_nan=True):
            return True
    return False


def _which_is_wrong(definition: Report, twin: Report, other_forward: bool) -> Report:
    """The report that holds the fault, with a verdict, for a definition and a twin that differ."""
    if definition.passed and twin.passed:
        definition.verdict = "definition and twin compute different things, each with the right derivative"
        report = definition
    elif definition.passed:
        twin.verdict = "the definition is right, its twin is wrong"
        report = twin
    else:
        definition.verdict = f"the definition is wrong, {'its twin is right' if twin.passed else 'and so is its twin'}"
        report = definition
    if other_forward:  # the symptoms explain a wrong backward pass, and would mislead
        report.symptoms, report.verdict = {}, f"the forward passes differ: {report.verdict}"
    if changed := changed_definitions():
        report.verdict += f"; changed since the twin was made: {', '.join(changed)}"
    return report


def _check(
    title: str, problem: Problem, step: float, tolerance: float, most: int, rng: np.random.Generator, curves: bool
) -> Report:
    """The backward pass of a problem's model, by the code that runs, against central differences."""
    model, report, wrong = problem.model, Report(title, tolerance), {}
    for name, array, gradient in problem.arrays():
        if gradient.shape != array.shape:
            report.worst[name] = Element(name, (), np.nan, np.nan, np.inf)
        else:
            compare(report, problem, name, array, gradient, step, most, rng)
        if name in report.worst and not report.worst[name].error <= tolerance:
            wrong[name] = array, gradient
    report.verdict = _without_dx(problem)
    for name in _first_wrong(model, wrong):
        report.symptoms[name] = _in_words(problem, name, *wrong[name], step, rng)
    if wrong and len(model.layers) > 1:
        report.where = _where(model, wrong)
    if curves:
        elements = {name: element for name, element in report.worst.items() if element.index}
        elements |= {"kink": report.kinks[0]} if report.kinks else {}
        report.curves = {name: step_curve(problem, element) for name, element in elements.items()}
    return report


def _without_dx(problem: Problem) -> str:
    """What goes wrong where no gradient of the input is asked for, as at the bottom of a network in training."""
    try:
        names = problem.without_dx()
    except Exception as error:
        words = (str(error).strip().splitlines() or [""])[0]
        return f"backward with need_dx=False is stopped by {type(error).__name__}: {words}"
    return f"backward with need_dx=False gives another gradient for {', '.join(names)}" if names else ""


def _first_wrong(model, wrong):
    """The arrays to say something about: those of the highest layer that has wrong ones; what is below follows from it.

    The input belongs to the lowest layer.
    """
    for layer in reversed(model.layers):
        names = [f"{layer.name}/{name}" for name in layer.gradients]
        names += [name for name in wrong if "/" not in name] if layer is model.layers[0] else []
        if found := [name for name in names if name in wrong]:
            return found
    return []


def _where(model, wrong):
    """The layers that can be at fault: what is wrong highest up, and what hands it its gradient.

    A wrong dx spoils all layers below and none above, so the bug is not below the highest wrong array.
    """
    suspects = []
    for layer in reversed(model.layers):
        names = [f"{layer.name}/{name}" for name in layer.gradients]
        if any(name in wrong for name in names):
            return f"look at {layer.name}" + (f", then at the dx of {', '.join(suspects)}" if suspects else "")
        suspects = [layer.name] if names else [*suspects, layer.name]
    return f"look at the dx of {', '.join(suspects)}"


def _shape_in_words(array, gradient):
    if gradient.dtype == object:
        return f"expected a gradient of shape {array.shape}, got {type(gradient.item()).__name__}"
    words = f"expected a gradient of shape {array.shape}, got {gradient.shape}"
    larger = gradient.ndim == array.ndim == 4 and gradient.size > array.size
    return words + (": the padding was not cut off" if larger else "")


def _in_words(problem, name, array, gradient, step, rng):
    """What a gradient that disagrees looks like beside the right one, of which all is computed or a sample."""
    if gradient.shape != array.shape:
        return _shape_in_words(array, gradient)
    known = sample(array.shape, SAMPLE, rng) if array.size > MOST_DIAGNOSED else np.ones(array.shape, bool)
    numerical = np.zeros(array.shape)
    for index in zip(*np.nonzero(known)):
        numerical[index] = slope(problem, array, index, step, -step)
    return symptom(problem, name, gradient, numerical, known)
