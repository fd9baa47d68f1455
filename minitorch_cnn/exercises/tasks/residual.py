"""residual_forward(x, kernel1, kernel2) -> hidden, y; residual_backward(dy, x, hidden, y, kernel1, kernel2) -> ..."""

import numpy as np

from minitorch_cnn.exercises.exercise import Mistake, Task, numbers, numerical_gradients, whole_numbers

KINK = 1e-3  # no sum before a ReLU may be closer to 0, because difference quotients are wrong there


def _sums(x, kernel1, kernel2):
    """The hidden values before and after their ReLU, and the sum before the last ReLU."""
    before = x @ kernel1
    hidden = np.maximum(before, 0)
    return before, hidden, x + hidden @ kernel2


def _forward(x, kernel1, kernel2):
    _, hidden, total = _sums(x, kernel1, kernel2)
    return {"hidden": hidden, "y": np.maximum(total, 0)}


def _arrays(make, N, D, U):
    return {"x": make(N, D), "kernel1": make(D, U), "kernel2": make(U, D)}


def _smooth(arrays):
    before, _, total = _sums(**arrays)
    return min(np.abs(before).min(), np.abs(total).min()) > KINK


def _case(N, D, U, seed, times=1):
    """Arrays whose sums before the ReLUs are not close to 0; the seed is raised until that is so.

    `times` the numbers give sums that are far above 0.
    """
    while True:
        shapes = {"x": (N, D), "kernel1": (D, U), "kernel2": (U, D)}
        arrays = {name: times * numbers(seed + i, *shape) for i, (name, shape) in enumerate(shapes.items())}
        if _smooth(arrays):
            return arrays
        seed += 3


def _backward_case(N, D, U, seed, times=1):
    arrays = _case(N, D, U, seed, times)
    return _with_dy(arrays, numbers(seed + 3, N, D))


def _with_dy(arrays, dy):
    x, kernels = arrays["x"], {name: arrays[name] for name in ("kernel1", "kernel2")}
    return {"dy": dy, "x": x, **_forward(**arrays), **kernels}


def _small(backward=False):
    cases = [_arrays(whole_numbers, N, D, U) for N in (1, 2) for D in (1, 2) for U in (1, 2)]
    cases += [{**case, "kernel2": -case["kernel2"]} for case in cases]
    smooth = [case for case in cases if _smooth(case)]
    return [_with_dy(case, whole_numbers(*case["x"].shape)) for case in smooth] if backward else smooth


def _truth(dy, x, hidden, y, kernel1, kernel2):
    return numerical_gradients(lambda **arrays: _forward(**arrays)["y"], dy, x=x, kernel1=kernel1, kernel2=kernel2)


def _backward(
    dy, x, hidden, y, kernel1, kernel2, last=True, inner=True, shortcut=1.0, branch=1.0, unmasked_shortcut=False
):
    """The three gradients; the options leave out a ReLU's mask or a path."""
    dtotal = dy * (y > 0) if last else dy
    dhidden = dtotal @ kernel2.T
    dbefore = dhidden * (hidden > 0) if inner else dhidden
    dx = shortcut * (dy if unmasked_shortcut else dtotal) + branch * (dbefore @ kernel1.T)
    return {"dx": dx, "dkernel1": x.T @ dbefore, "dkernel2": hidden.T @ dtotal}


TASKS = (
    Task(
        "residual_forward",
        ("hidden", "y"),
        lambda: [_case(4, 3, 3, 0), _case(7, 4, 2, 1), _case(2, 3, 5, 2, times=3)],
        lambda **arrays: _forward(**arrays),
        (
            Mistake(
                "the hidden layer has no ReLU, so the two products are one: hidden = max(x @ kernel1, 0)",
                lambda x, kernel1, kernel2: {"hidden": x @ kernel1, "y": np.maximum(x + x @ kernel1 @ kernel2, 0)},
                joint=True,
            ),
            Mistake(
                "the shortcut is missing: x itself is added to the sum before the last ReLU",
                lambda x, kernel1, kernel2: {"y": np.maximum(_sums(x, kernel1, kernel2)[1] @ kernel2, 0)},
                look="set both kernels to 0: what should the block return for a positive x?",
            ),
            Mistake(
                "the last ReLU is missing: y = max(x + hidden @ kernel2, 0)",
                lambda **arrays: {"y": _sums(**arrays)[2]},
            ),
            Mistake(
                "the shortcut is added after the last ReLU: it belongs inside, so that y is never negative",
                lambda x, kernel1, kernel2: {"y": x + np.maximum(_sums(x, kernel1, kernel2)[1] @ kernel2, 0)},
            ),
            Mistake(
                "hidden is the sum before its ReLU: it should be max(x @ kernel1, 0)",
                lambda **arrays: {"hidden": _sums(**arrays)[0]},
            ),
        ),
        lambda: _arrays(lambda *shape: numbers(0, *shape) / 20, 256, 512, 512),
        look="draw the block as a diagram with two paths from x to y: what happens on each, and where do they meet?",
        small=_small,
    ),
    Task(
        "residual_backward",
        ("dx", "dkernel1", "dkernel2"),
        lambda: [_backward_case(4, 3, 3, 0), _backward_case(7, 4, 2, 1), _backward_case(2, 3, 5, 2, times=3)],
        _truth,
        (
            Mistake(
                "the shortcut is missing: x was used twice, so dx is the sum of both paths, dsum + dhidden @ kernel1.T",
                lambda **arrays: {"dx": _backward(**arrays, shortcut=0.0)["dx"]},
                look="by how many paths does x reach y? From how many does its gradient come?",
            ),
            Mistake(
                "only the shortcut: x also reached y through both kernels, so add dhidden @ kernel1.T",
                lambda **arrays: {"dx": _backward(**arrays, branch=0.0)["dx"]},
                look="by how many paths does x reach y? From how many does its gradient come?",
            ),
            Mistake(
                "the mean of both paths: gradients of a value that was used twice add up",
                lambda **arrays: {"dx": _backward(**arrays, shortcut=0.5, branch=0.5)["dx"]},
            ),
            Mistake(
                "the last ReLU is left out: dsum = dy where y > 0, and 0 elsewhere, comes before everything else",
                lambda **arrays: _backward(**arrays, last=False),
                joint=True,
            ),
            Mistake(
                "the shortcut took dy itself: the sum comes before the last ReLU, so both paths get dy * (y > 0)",
                lambda **arrays: {"dx": _backward(**arrays, unmasked_shortcut=True)["dx"]},
                look="where a y is 0, no small change of x moves it: what does dy of such a y contribute to dx?",
            ),
            Mistake(
                "the ReLU of the hidden layer is left out: its gradient passes only where hidden > 0",
                lambda **arrays: _backward(**arrays, inner=False),
            ),
        ),
        lambda: _with_dy(_arrays(lambda *shape: numbers(0, *shape) / 20, 256, 512, 512), numbers(1, 256, 512)),
        look="go through the diagram of the forward pass from y back to x. What happens at each ReLU, and what where"
        " the two paths part?",
        small=lambda: _small(backward=True),
    ),
)
