"""Definitions and their twins, function by function: do they agree, and if not, which one is wrong?

    convolution/im2col.py: backward_input     definition 0.0e+00     numba 2.2e-16     ok

Both compute the same cases, on odd shapes in float64, and so does an independent version in plain Python loops
(`oracles.py`). The numbers are the largest differences from that, relative to its largest value. Whatever agrees can be
recorded as what the twin was made for (`arrays/fingerprints.py`).
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from minitorch_cnn.arrays import library, on_host
from minitorch_cnn.arrays.dispatch import (
    DEFINITIONS,
    NEEDED,
    RECORD,
    TWINS,
    TWINS_ONLY,
    Dispatcher,
    Guard,
    definitions_only,
    missing_packages,
    recorded,
    running,
)
from minitorch_cnn.engine import activations, convolution, layers, losses, passes
from minitorch_cnn.engine.convolution.geometry import NO_PADDING
from minitorch_cnn.errors import require
from minitorch_cnn.gradients import oracles
from minitorch_cnn.network.sequential import Sequential
from minitorch_cnn.twins.stages import conv_pool, conv_relu, in_stages

TOLERANCE = 1e-9  # relative, in float64
PIXELS = 1e-6  # for what computes in float32 whatever it is given
CONVOLUTIONS: dict[str, Callable] = {"forward": oracles.convolution, "backward_input": oracles.convolution_input,
                "backward_kernel": oracles.convolution_kernel}  # fmt: skip
STAGES = {guard.title: guard for guard in (conv_relu.GUARD, conv_pool.GUARD)}
GUARDS = {**STAGES, passes.JOINT.title: passes.JOINT}
__all__ = ["Comparison", "compare_twins", "record"]
_ = activations, losses, layers  # whose definitions are in DEFINITIONS once they are imported


@dataclass
class Comparison:
    """How far a definition and its twins are from an independent result, relative to its largest value."""

    title: str
    definition: float
    twins: dict[str, float] = field(default_factory=dict)  # "numba" or "cuda": how far
    tolerance: float = TOLERANCE
    changed: list[str] = field(default_factory=list)  # what is no longer as recorded

    @property
    def passed(self) -> bool:
        """Whether the definition and every twin agree with the independent result."""
        return all(error <= self.tolerance for error in (self.definition, *self.twins.values()))

    @property
    def verdict(self) -> str:
        """Which one is wrong, and what was changed, in words."""
        words = [] if self.definition <= self.tolerance else ["the definition is wrong"]
        words += [f"the {name} twin is wrong" for name, error in self.twins.items() if not error <= self.tolerance]
        if self.changed:
            words.append(f"changed since its twin was made: {', '.join(self.changed)}")
        return "; ".join(words) or "agree"

    def __str__(self) -> str:
        numbers = [f"definition {self.definition:.1e}", *(f"{name} {error:.1e}" for name, error in self.twins.items())]
        return f"{'ok ' if self.passed else 'BAD'} {self.title}: {', '.join(numbers)}; {self.verdict}"


def compare_twins(backend: str = "numpy") -> Iterator[Comparison]:
    """A Comparison for every definition that has a twin, and for every stage."""
    import_definitions()
    for title, dispatcher in DEFINITIONS.items():
        name = TWINS[backend]
        twin = dispatcher.find(name)
        oracle, tolerance, cases = _cases(title)
        result = Comparison(title, 0.0, {name: 0.0} if twin else {}, tolerance)
        for arguments in cases:
            wanted = outcome(oracle, arguments, "numpy")
            with definitions_only():
                got = outcome(dispatcher.definition, arguments, backend)
            result.definition = max(result.definition, difference(got, wanted))
            if twin:
                with running(TWINS_ONLY):
                    got = outcome(twin, arguments, backend)
                result.twins[name] = max(result.twins[name], difference(got, wanted))
        if twin or not result.passed:
            dispatcher.guard.look()
            result.changed = dispatcher.guard.changed if title in recorded()["twins"] else []
            yield result
    if backend == "numpy" and "numba" not in missing_packages():
        yield from map(_compare_stage, STAGES.values())


def import_definitions() -> None:
    """Import every module of `engine` and `datasets`, so that all definitions are in DEFINITIONS."""
    for room in ("engine", "datasets"):
        package = importlib.import_module(f"minitorch_cnn.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


def record(checked: bool = False) -> list[str]:
    """Hold every twin to its definition, and record what the definitions say; the titles of those that do not agree.

    Nothing is recorded where one disagrees. With `checked`, the comparison has just been made. Raises MissingPackage
    where a package is missing without which some twin cannot be compared.
    """
    for package in NEEDED[TWINS["numpy"]]:
        require(package, "recording what the twins are made for")
    wrong = [] if checked else [result.title for result in compare_twins() if not result.passed]
    if wrong:
        return wrong
    definitions, twins = {}, {}
    for title, guard in _guards().items():
        prints = guard.look()
        definitions.update(prints)
        twins[title] = sorted(prints)
    text = {"definitions": dict(sorted(definitions.items())), "twins": dict(sorted(twins.items()))}
    RECORD.write_text(json.dumps(text, indent=1) + "\n")
    recorded.cache_clear()
    return []


def stale() -> list[str]:
    """The titles of twins whose definitions are not as recorded."""
    guards = _guards()
    for guard in guards.values():
        guard.look()
    gone = sorted(recorded()["twins"].keys() - guards.keys())
    return [title for title, guard in guards.items() if guard.changed] + gone


def _guards() -> dict[str, Guard]:
    import_definitions()
    has_twin = [one for one in DEFINITIONS.values() if any(_is_there(one, folder) for folder in TWINS.values())]
    return {**{one.title: one.guard for one in has_twin}, **GUARDS}


def _is_there(dispatcher: Dispatcher, folder: str) -> bool:
    """Whether a twin is written in `folder`, read from its file: the libraries need not be installed."""
    file = RECORD.parent.joinpath(folder, *dispatcher.path.split(".")).with_suffix(".py")
    return file.exists() and f"\ndef {dispatcher.definition.__name__}(" in file.read_text()


def outcome(function: Callable, arguments: tuple, backend: str) -> list[np.ndarray]:
    """Every array that the function returns or changes, on the host in float64."""
    xp = library(backend)
    own = [xp.array(value) if isinstance(value, np.ndarray) else value for value in arguments]
    try:
        result = function(*own)
    except Exception:  # an edit that cannot run: nothing it returns is right
        return []
    arrays = [*(result if isinstance(result, tuple) else [result]), *own]
    return [np.array(on_host(array), np.float64) for array in arrays if hasattr(array, "shape")]


def difference(got: list[np.ndarray], wanted: list[np.ndarray]) -> float:
    """The largest difference relative to the largest wanted value; infinity where shapes differ."""
    if [array.shape for array in got] != [array.shape for array in wanted]:
        return float("inf")
    differences = [float(abs(a - b).max() / max(abs(b).max(), 1e-30)) for a, b in zip(got, wanted) if a.size]
    return float("inf") if any(np.isnan(differences)) else max(differences)


def _cases(title: str) -> tuple[Callable, float, list[tuple]]:
    """(the independent function, tolerance, arguments of each case) of a definition."""
    rng = np.random.default_rng(0)
    name = title.partition(": ")[2]
    if title.startswith("convolution/"):
        return CONVOLUTIONS[name], TOLERANCE, list(convolution_cases(name, rng))
    make, tolerance = _CASES[title], PIXELS if title.startswith("datasets/") else TOLERANCE
    return getattr(oracles, name), tolerance, make(rng)


def convolution_cases(name: str, rng: np.random.Generator) -> Iterator[tuple]:
    """Windows that are not square, strides with a remainder, one-sided padding, more than one tile of Winograd's."""
    geometries = [
        ((2, 7, 9, 3), (3, 3), 5, (1, 1), ((1, 1), (1, 1))),
        ((1, 6, 5, 2), (3, 2), 3, (2, 1), ((0, 1), (1, 0))),
        ((2, 6, 9, 4), (3, 3), 2, (1, 1), NO_PADDING),
        ((1, 5, 4, 3), (1, 1), 2, (1, 1), NO_PADDING),
    ]
    for shape, window, K, strides, padding in geometries:
        x, kernel = rng.standard_normal(shape), rng.standard_normal((*window, shape[3], K))
        dy = rng.standard_normal(oracles.convolution(x, kernel, strides, padding).shape)
        if name == "forward":
            yield x, kernel, strides, padding
            yield x, kernel, strides, padding, rng.standard_normal(K)
        elif name == "backward_input":
            yield dy, kernel, shape, strides, padding
        else:
            yield x, dy, kernel.shape, strides, padding


def _pools(rng: np.random.Generator) -> list[tuple]:
    geometries = [((2, 7, 5, 3), (3, 2), (2, 1), ((1, 1), (0, 1))), ((2, 6, 4, 2), (2, 2), (2, 2), NO_PADDING)]
    return [(rng.permutation(np.linspace(-1, 1, int(np.prod(shape)))).reshape(shape), *rest)
            for shape, *rest in geometries]  # fmt: skip


def _pools_backward(rng: np.random.Generator) -> list[tuple]:
    cases = []
    for x, window, strides, padding in _pools(rng):
        y, winner = oracles.max_pool(x, window, strides, padding)
        cases.append((rng.standard_normal(y.shape), winner.astype("uint8"), x.shape, window, strides, padding))
    return cases


def _vectors(rng: np.random.Generator, slots: int, *settings: tuple) -> list[tuple]:
    """w, g and `slots` vectors of an optimizer's state, for each row of settings."""
    return [(rng.standard_normal(37), rng.standard_normal(37), *abs(rng.standard_normal((slots, 37))), *rest)
            for rest in settings]  # fmt: skip


def _images(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (3, 6, 5, 3), dtype=np.uint8)


def _moves(rng: np.random.Generator) -> list[tuple]:
    flips, shifts = np.array([True, False, True]), np.array([[2, -1], [0, 3], [-4, 1]])
    return [(_images(rng), flips, shifts, fill) for fill in ("nearest", "zero", "reflect")]


def _samples(rng: np.random.Generator) -> list[tuple]:
    matrices = (np.array([[1, 0, 0], [0, 1, 0]]) + 0.2 * rng.standard_normal((3, 2, 3))).astype("float32")
    images = _images(rng).astype("float32")
    return [(images, matrices, fill) for fill in ("nearest", "zero", "reflect")]


_CASES: dict[str, Callable[[np.random.Generator], list[tuple]]] = {
    "activations.py: relu_backward": lambda rng: [tuple(rng.standard_normal((2, 3, 5, 7, 3)))],
    "matmul.py: matmul": lambda rng: [
        (rng.standard_normal((m, k)), rng.standard_normal((k, n))) for m, k, n in ((3, 9, 5), (19, 7, 21), (21, 19, 1))
    ] + [(rng.standard_normal((7, 19)).T, rng.standard_normal((5, 7)).T)],
    "reductions.py: channel_sum": lambda rng: [(rng.standard_normal(s),) for s in ((3, 4, 5), (300, 7), (1031, 3))],
    "losses.py: softmax_cross_entropy": lambda rng: [
        (rng.standard_normal((4, 5)), np.eye(5)[[0, 3, 3, 1]]), (rng.standard_normal((3, 4)), rng.random((3, 4))),
    ],
    "layers/dropout.py: drop": lambda rng: [
        (rng.standard_normal((3, 7, 5)), 0.4, (12345, 3), 7), (rng.standard_normal((33,)), 0.75, (1, 2), 2**33 + 1, 6),
    ],
    "layers/dropout.py: scale": lambda rng: [(rng.standard_normal((3, 7, 5)), rng.random((3, 7, 5)) > 0.5, 0.4)],
    "layers/max_pool2d.py: max_pool": _pools,
    "layers/max_pool2d.py: max_pool_backward": _pools_backward,
    "optimizers.py: sgd_update": lambda rng: [
        *_vectors(rng, 1, (0.1, 0.9, False, 0.01), (0.1, 0.9, True, 0.0)),
        *_vectors(rng, 0, (None, 0.1, 0.0, False, 0.3)),
    ],
    "optimizers.py: rmsprop_update": lambda rng: _vectors(rng, 1, (0.1, 0.9, 1e-7, 0.01), (0.1, 0.8, 1e-3, 0.0)),
    "optimizers.py: adam_update": lambda rng: _vectors(rng, 2, (0.1, 0.9, 0.999, 1e-7, 0.01, 0.03)),
    "datasets/preprocessing.py: standardize": lambda rng: [(_images(rng), rng.random(3), rng.standard_normal(3))],
    "datasets/affine.py: move": _moves,
    "datasets/affine.py: resample": _samples,
}  # fmt: skip


# Stages are held to the twins of the layers that they run as one.


def _compare_stage(guard: Guard) -> Comparison:
    """How far a small network with the stage is from the same network layer by layer: prediction and gradients."""
    shape = (9, 7, 3)
    x = np.random.default_rng(1).standard_normal((2, *shape))
    result = Comparison(guard.title, 0.0, {"numba": 0.0})
    for algorithm in convolution.algorithms():
        conv = layers.Conv2D(5, 3, padding="same", activation="relu", algorithm=algorithm)
        pools = [layers.MaxPool2D(2)] if guard is conv_pool.GUARD else []
        model = Sequential([conv, *pools], shape, seed=0, dtype="float64")
        with running(TWINS_ONLY):
            one_by_one, together = (_everything(model, nodes, x) for nodes in (model.nodes(), in_stages(model.nodes())))
        result.twins["numba"] = max(result.twins["numba"], difference(together, one_by_one))
    guard.look()
    result.changed = guard.changed
    return result


def _everything(model: Sequential, nodes: list, x: np.ndarray) -> list[np.ndarray]:
    model.segments()
    needed = passes.need_gradients(nodes, {0})
    y, steps = passes.forward(nodes, [x], True, needed)
    dx = passes.backward(steps, np.random.default_rng(2).standard_normal(y.shape), needed)[0]
    return [np.array(array) for array in (y, dx, *model.layers[0].gradients.values())]
