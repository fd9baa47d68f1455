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

import numpy as np

from minitorch_cnn.arrays.dispatch import (
    DEFINITIONS,
    NEEDED,
    RECORD,
    TWINS,
    TWINS_ONLY,
    Dispatcher,
    Guard,
    Unfit,
    definitions_only,
    missing_packages,
    recorded,
    running,
)
from minitorch_cnn.engine import activations, convolution, layers, losses, passes
from minitorch_cnn.engine.convolution.geometry import NO_PADDING
from minitorch_cnn.engine.values import Input
from minitorch_cnn.errors import require
from minitorch_cnn.gradients import oracles
from minitorch_cnn.gradients import window_oracles as windows
from minitorch_cnn.gradients.comparison import TOLERANCE, Comparison, difference, outcome
from minitorch_cnn.gradients.convolution_cases import convolution_cases, depthwise_cases
from minitorch_cnn.network.joint import GUARD as JOINT
from minitorch_cnn.network.model import Model
from minitorch_cnn.twins import stages
from minitorch_cnn.twins.stages import add_relu, conv_norm, conv_pool, conv_relu, in_stages, norm_relu, padded_conv

PIXELS = 1e-6  # for what computes in float32 whatever it is given
CONVOLUTIONS: dict[str, Callable] = {"forward": windows.convolution, "backward_input": windows.convolution_input,
                "backward_kernel": windows.convolution_kernel}  # fmt: skip
DEPTHWISE: dict[str, Callable] = {"forward": windows.depthwise, "backward_input": windows.depthwise_input,
             "backward_kernel": windows.depthwise_kernel}  # fmt: skip
STAGES = {
    stage.GUARD.title: stage.GUARD for stage in (conv_relu, conv_pool, conv_norm, norm_relu, add_relu, padded_conv)
}
GUARDS = {**STAGES, stages.WALK.title: stages.WALK, JOINT.title: JOINT}
__all__ = ["Comparison", "compare_twins", "record"]
_ = activations, losses, layers  # whose definitions are in DEFINITIONS once they are imported


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


def _cases(title: str) -> tuple[Callable, float, list[tuple]]:
    """(the independent function, tolerance, arguments of each case) of a definition."""
    rng = np.random.default_rng(0)
    name = title.partition(": ")[2]
    if title.startswith("convolution/depthwise.py"):
        return DEPTHWISE[name], TOLERANCE, list(depthwise_cases(name, rng))
    if title.startswith("convolution/"):
        return CONVOLUTIONS[name], TOLERANCE, list(convolution_cases(name, rng))
    make, tolerance = _CASES[title], PIXELS if title.startswith("datasets/") else TOLERANCE
    return getattr(windows if name in ("max_pool", "max_pool_backward") else oracles, name), tolerance, make(rng)


def _pools(rng: np.random.Generator) -> list[tuple]:
    geometries = [((2, 7, 5, 3), (3, 2), (2, 1), ((1, 1), (0, 1))), ((2, 6, 4, 2), (2, 2), (2, 2), NO_PADDING)]
    return [(rng.permutation(np.linspace(-1, 1, int(np.prod(shape)))).reshape(shape), *rest)
            for shape, *rest in geometries]  # fmt: skip


def _pools_backward(rng: np.random.Generator) -> list[tuple]:
    cases = []
    for x, window, strides, padding in _pools(rng):
        y, winner = windows.max_pool(x, window, strides, padding)
        cases.append((rng.standard_normal(y.shape), winner.astype("uint8"), x.shape, window, strides, padding))
    return cases


def _normed(rng: np.random.Generator) -> list[tuple]:
    """(x, dy, five vectors (C,)) with a few channels and with many."""
    shapes = ((2, 5, 7, 3), (3, 130), (131, 5))
    return [(*(rng.standard_normal(shape) + 2 for _ in range(2)), *rng.standard_normal((5, shape[-1])))
            for shape in shapes]  # fmt: skip


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
    "more_activations.py: bent_relu": lambda rng: [
        (3 * rng.standard_normal((3, 5, 7)), *bends) for bends in ((0.0, 2.0, 0.0), (0.2, np.inf, 0.0), (0.5, 3.0, 1.0))
    ],
    "more_activations.py: bent_relu_backward": lambda rng: [
        (*(3 * rng.standard_normal((2, 3, 5, 7))), *bends)
        for bends in ((0.0, 2.0, 0.0), (0.2, np.inf, 0.0), (0.5, 3.0, 1.0))
    ],
    "more_activations.py: silu": lambda rng: [(3 * rng.standard_normal((3, 5, 7)),)],
    "more_activations.py: silu_backward": lambda rng: [tuple(3 * rng.standard_normal((2, 3, 5, 7)))],
    "more_activations.py: hard_silu": lambda rng: [(3 * rng.standard_normal((3, 5, 7)),)],
    "more_activations.py: hard_silu_backward": lambda rng: [tuple(3 * rng.standard_normal((2, 3, 5, 7)))],
    "more_activations.py: gelu": lambda rng: [(3 * rng.standard_normal((3, 5, 7)),)],
    "more_activations.py: gelu_backward": lambda rng: [tuple(3 * rng.standard_normal((2, 3, 5, 7)))],
    "more_activations.py: erf": lambda rng: [(3 * rng.standard_normal((3, 5, 7)),)],
    "layers/average_pool2d.py: image_mean": lambda rng: [
        (rng.standard_normal(shape),) for shape in ((2, 3, 5, 7), (1, 40, 40, 4))
    ],
    "layers/average_pool2d.py: image_mean_backward": lambda rng: [
        (rng.standard_normal((2, C)), size) for C, size in ((7, (3, 5)), (4, (40, 2)))
    ],
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
    "layers/merge.py: add": lambda rng: [tuple(rng.standard_normal((2, 3, 5, 7, 3)))],
    "layers/merge.py: multiply": lambda rng: [
        tuple(map(rng.standard_normal, shapes))
        for shapes in (((2, 3, 5),) * 2, ((2, 3, 5, 7), (2, 1, 1, 7)), ((3, 1, 1, 4), (3, 2, 5, 4)))
    ],
    "layers/merge.py: factors_backward": lambda rng: [
        tuple(rng.standard_normal((2, *shape))) for shape in ((2, 3, 5, 7), (1, 40, 9, 131))
    ],
    "layers/batch_norm.py: moments": lambda rng: [(x,) for x, *_ in _normed(rng)],
    "layers/batch_norm.py: normalise": lambda rng: [(x, *vectors[:3]) for x, _, *vectors in _normed(rng)],
    "layers/batch_norm.py: sums_backward": lambda rng: [(dy, x, *vectors[:2]) for x, dy, *vectors in _normed(rng)],
    "layers/batch_norm.py: normalise_backward": lambda rng: [(dy, x, *vectors) for x, dy, *vectors in _normed(rng)],
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
        model = _network(guard, algorithm, shape)
        try:
            with running(TWINS_ONLY):
                both = [_everything(model, nodes, x) for nodes in (model.nodes(), in_stages(model.nodes()))]
            apart = difference(*both[::-1])
        except Unfit:  # arrays that fit the layers do not fit their twins
            apart = np.inf
        result.twins["numba"] = max(result.twins["numba"], apart)
    guard.look()
    result.changed = guard.changed
    return result


def _network(guard: Guard, algorithm: str, shape: tuple) -> Model:
    """A network in which the stage stands."""
    x = Input(shape)
    if guard in (conv_relu.GUARD, conv_pool.GUARD):
        y = layers.Conv2D(5, 3, padding="same", activation="relu", algorithm=algorithm)(x)
        y = layers.MaxPool2D(2)(y) if guard is conv_pool.GUARD else y
    elif guard is padded_conv.GUARD:
        y = layers.Conv2D(4, 3, algorithm=algorithm)(layers.ZeroPad2D(((1, 2), (0, 1)))(x))
        y = layers.DepthwiseConv2D((3, 2), 2, use_bias=False)(layers.ZeroPad2D(((0, 1), (2, 0)))(y))
    else:
        y = layers.Conv2D(3, 3, padding="same", algorithm=algorithm)(x) if guard is not norm_relu.GUARD else x
        y = layers.Add()([x, y]) if guard is add_relu.GUARD else layers.BatchNorm()(y)
        y = layers.ReLU()(y)
        if guard is conv_norm.GUARD:
            y = layers.BatchNorm()(layers.DepthwiseConv2D(3, 2, "same")(y))
        if guard is not add_relu.GUARD:
            y = layers.ReLU(max_value=1.0)(layers.BatchNorm()(y))
    return Model(x, y, seed=0, dtype="float64")


def _everything(model: Model, nodes: list, x: np.ndarray) -> list[np.ndarray]:
    model.segments()
    needed = passes.need_gradients(nodes, {0})
    y, steps = passes.forward(nodes, [x], True, needed)
    dx = passes.backward(steps, np.random.default_rng(2).standard_normal(y.shape), needed)[0]
    gradients = [array for layer in model.layers for array in layer.gradients.values()]
    return [np.array(array) for array in (y, dx, *gradients)]
