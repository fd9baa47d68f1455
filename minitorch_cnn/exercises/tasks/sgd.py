"""sgd_step(parameters, gradients, velocity, trainable, rate, momentum) changes the arrays in place."""

import numpy as np

from minitorch_cnn.exercises.checking import Wrong
from minitorch_cnn.exercises.exercise import Mistake, Task, numbers

STEPS = 3


def _case(rate, momentum, frozen=(), seed=0, moving=(), level=(), gradients_of_frozen=True):
    """Three parameters; frozen ones may still have a gradient, and a velocity from before they were frozen.

    The gradients of those in `level` are 0. The gradients stand in the order in which a backward pass finds them.
    """
    shapes = {"conv/kernel": (2, 2, 1, 3), "conv/bias": (3,), "dense/kernel": (4, 2)}
    parameters = {name: numbers(seed + i, *shape) for i, (name, shape) in enumerate(shapes.items())}
    gradients = {
        name: numbers(seed + 10 + i, *shape) * (name not in level)
        for i, (name, shape) in reversed([*enumerate(shapes.items())])
        if gradients_of_frozen or name not in frozen
    }
    velocity = {name: numbers(seed + 20, *shape) * (name in moving) for name, shape in shapes.items()}
    trainable = {name: name not in frozen for name in shapes}
    return {"parameters": parameters, "gradients": gradients, "velocity": velocity, "trainable": trainable,
            "rate": rate, "momentum": momentum}  # fmt: skip


def _cases():
    moving = ("conv/kernel", "dense/kernel")
    return [
        _case(0.1, 0.9),
        _case(0.02, 0.7, frozen=("conv/kernel", "conv/bias")),
        _case(0.3, 0.8, frozen=("conv/kernel",), seed=3, moving=moving),
        _case(0.2, 0.5, frozen=("dense/kernel",), seed=5, gradients_of_frozen=False),
        _case(0.05, 0.6, seed=7, moving=moving, level=("dense/kernel",)),
        _case(0.4, 0.0, seed=9, moving=moving),
    ]


def _small():
    """A single number, moving or at rest, and one beside it that is frozen and may lack its gradient."""
    cases = []
    for rate, momentum in ((0.1, 0.5), (0.2, 0.9), (0.2, 0.0)):
        for moving, gradient in ((0.0, 1.0), (2.0, 1.0), (2.0, 0.0)):
            for frozen, lacking in ((False, False), (True, False), (True, True)):
                names = ["w", "frozen"] if frozen else ["w"]
                cases.append({
                    "parameters": {name: np.array([5.0]) for name in names},
                    "gradients": {name: np.array([gradient]) for name in names if name == "w" or not lacking},
                    "velocity": {name: np.array([moving]) for name in names},
                    "trainable": {name: name == "w" for name in names}, "rate": rate, "momentum": momentum,
                })  # fmt: skip
    return cases


def _large():
    """The trainable arrays of a small ConvNet, and a frozen one."""
    shapes = {"conv": (3, 3, 64, 128), "dense": (1600, 512), "bias": (512,), "frozen": (3, 3, 64, 64)}
    parameters, gradients, velocity = (
        {name: numbers(seed, *shape) for name, shape in shapes.items()} for seed in range(3)
    )
    trainable = {name: name != "frozen" for name in shapes}
    return {"parameters": parameters, "gradients": gradients, "velocity": velocity, "trainable": trainable,
            "rate": 1e-6, "momentum": 0.9}  # fmt: skip


def _call(function, arguments):
    """The parameters and velocities after a few steps."""
    parameters, velocity = arguments["parameters"], arguments["velocity"]
    arrays = {**parameters, **{f"velocity of {name}": array for name, array in velocity.items()}}
    first = next(name for name, trained in arguments["trainable"].items() if trained)
    before = parameters[first].copy()
    gradients = {name: array.copy() for name, array in arguments["gradients"].items()}
    for _ in range(STEPS):
        returned = function(*arguments.values())
    if np.array_equal(arrays[first], before):
        hint = "`w = w - ...` makes a new array and leaves the old one unchanged: w -= ... and w[...] = ... change it"
        if parameters[first] is not arrays[first] or returned is not None:
            raise Wrong(f"sgd_step: the array of {first} did not change: the layer still holds the old numbers", hint)
        raise Wrong(f"sgd_step: {first} did not change", hint)
    for name, array in gradients.items():
        if not np.array_equal(array, arguments["gradients"][name]):
            raise Wrong(
                f"sgd_step: changes the gradient of {name}", "the caller still needs the gradients: only read them"
            )
    return arrays


def _steps(change):
    """{name: array} after the steps, where `change(w, g, v, rate, momentum, trained)` makes one; g may be None."""

    def run(parameters, gradients, velocity, trainable, rate, momentum):
        for _ in range(STEPS):
            for name, w in parameters.items():
                w[...], velocity[name][...] = change(
                    w, gradients.get(name), velocity[name], rate, momentum, trainable[name]
                )
        return {**parameters, **{f"velocity of {name}": array for name, array in velocity.items()}}

    return run


def _right(w, g, v, rate, momentum, trained):
    if not trained:
        return w, v
    v = momentum * v - rate * g
    return w + v, v


def _only(formula):
    """Apply `formula` (w, g, v, rate, momentum) to trainable parameters only."""

    def change(w, g, v, rate, momentum, trained):
        return formula(w, g, v, rate, momentum) if trained else (w, v)

    return change


def _frozen_too(w, g, v, rate, momentum, trained):
    return _right(w, 0 if g is None else g, v, rate, momentum, True)


def _frozen_by_zero_gradient(w, g, v, rate, momentum, trained):
    return _right(w, g if trained else 0, v, rate, momentum, True)


def _velocity_of_frozen(w, g, v, rate, momentum, trained):
    moved, v = _frozen_too(w, g, v, rate, momentum, True)
    return (moved if trained else w), v


def _new_sign(w, g, v, rate, momentum):
    return w - (momentum * v - rate * g), momentum * v - rate * g


def _positive_velocity(w, g, v, rate, momentum):
    v = momentum * v + g
    return w - rate * v, v


def _mistake(hint, change):
    return Mistake(hint, _steps(change), joint=True)


TASKS = (
    Task(
        "sgd_step",
        (),
        _cases,
        _steps(_right),
        (
            _mistake(
                "the velocity of a frozen layer changed, so the layer would jump when it is unfrozen. Skip it entirely",
                _velocity_of_frozen,
            ),
            _mistake(
                "a frozen layer moved: if trainable[name] is False, skip this name, and its velocity too",
                _frozen_too,
            ),
            _mistake(
                "a frozen layer still moves by its old velocity: a gradient of zero is not enough, so skip it entirely",
                _frozen_by_zero_gradient,
            ),
            _mistake(
                "the step goes uphill: v = momentum * v - rate * g already contains the minus, so w += v",
                _only(_new_sign),
            ),
            _mistake(
                "the step follows the gradient: it should go against it, v = momentum * v - rate * g",
                _only(lambda w, g, v, rate, momentum: (w + momentum * v + rate * g, momentum * v + rate * g)),
            ),
            _mistake(
                "the velocity has the opposite sign: v = momentum * v + rate * g with w -= v takes the same steps, but"
                " here v contains the minus, and w += v",
                _only(
                    lambda w, g, v, rate, momentum: (w - (momentum * v + rate * g), momentum * v + rate * g),
                ),
            ),
            _mistake(
                "the velocity is not stored: v[...] = momentum * v - rate * g keeps it for the next step",
                _only(lambda w, g, v, rate, momentum: (w + momentum * v - rate * g, v)),
            ),
            _mistake(
                "a parameter whose gradient is 0 stopped: only frozen ones are skipped, this one still has a velocity",
                lambda w, g, v, rate, momentum, trained: _right(w, g, v, rate, momentum, trained and g.any()),
            ),
            _mistake(
                "the momentum is missing: this is plain SGD",
                _only(lambda w, g, v, rate, momentum: (w - rate * g, -rate * g)),
            ),
            _mistake(
                "the momentum is missing: this is plain SGD",
                _only(lambda w, g, v, rate, momentum: (w - rate * g, v)),
            ),
            _mistake(
                "the rate is not part of the velocity: that gives the same steps only while the rate is constant."
                " Here v = momentum * v - rate * g",
                _only(_positive_velocity),
            ),
            _mistake(
                "the gradient is weighted by 1 - momentum: that is a moving average; here v = momentum * v - rate * g",
                _only(
                    lambda w, g, v, rate, momentum: (
                        w + momentum * v - (1 - momentum) * rate * g,
                        momentum * v - (1 - momentum) * rate * g,
                    )
                ),
            ),
            _mistake(
                "this is Nesterov momentum, w += momentum * v - rate * g with the new v; here w += v",
                _only(
                    lambda w, g, v, rate, momentum: (
                        w + momentum * (momentum * v - rate * g) - rate * g,
                        momentum * v - rate * g,
                    )
                ),
            ),
        ),
        _large,
        _call,
        keeps=False,
        look="follow one number on paper for three steps, first with momentum 0, then with momentum 0.5: which value"
        " does the velocity have after each? And what should happen to a frozen one?",
        small=_small,
        after=f"after {STEPS} calls with these gradients",
    ),
)
