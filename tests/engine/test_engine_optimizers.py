"""Optimizers against the plain formulas, written out here number by number as Keras documents them."""

import math

import numpy as np
import pytest
from engine_helpers import normal, one_line
from minitorch_cnn.optimizers import SGD, Adam, RMSprop, adam_update, rmsprop_update, sgd_update

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses, optimizers, schedules
from minitorch_cnn.errors import ArgumentError

STEPS = 5


# Each rule is a generator for one weight: it is sent a gradient and yields the weight after the step.


def sgd(w, rates, decay=0.0, momentum=0.0, nesterov=False):
    m = 0.0
    for rate in rates:
        g = yield w
        w = w - w * decay * rate
        m = momentum * m - rate * g
        w = w + momentum * m - rate * g if nesterov else w + m
    yield w


def rmsprop(w, rates, decay=0.0, rho=0.9, epsilon=1e-7):
    v = 0.0
    for rate in rates:
        g = yield w
        w = w - w * decay * rate
        v = rho * v + (1 - rho) * g**2
        w = w - rate * g / math.sqrt(v + epsilon)
    yield w


def adam(w, rates, decay=0.0, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    m = v = 0.0
    for t, rate in enumerate(rates, 1):
        g = yield w
        w = w - w * decay * rate
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        epsilon_hat = epsilon / math.sqrt(1 - beta_2**t)  # Keras adds epsilon before the correction
        w = w - rate * (m / (1 - beta_1**t)) / (math.sqrt(v / (1 - beta_2**t)) + epsilon_hat)
    yield w


FALLING = schedules.Step(0.2, every=2, factor=0.5)

# name: (optimizer, rule, its options, learning rates)
CASES = {
    "sgd": (lambda: SGD(0.1), sgd, {}, [0.1] * STEPS),
    "sgd, decay": (lambda: SGD(0.1, weight_decay=0.3), sgd, {"decay": 0.3}, [0.1] * STEPS),
    "sgd, momentum": (lambda: SGD(0.1, 0.9), sgd, {"momentum": 0.9}, [0.1] * STEPS),
    "sgd, nesterov": (lambda: SGD(0.1, 0.9, True), sgd, {"momentum": 0.9, "nesterov": True}, [0.1] * STEPS),
    "sgd, nesterov, decay, schedule": (
        lambda: SGD(FALLING, 0.7, True, weight_decay=0.3),
        sgd,
        {"momentum": 0.7, "nesterov": True, "decay": 0.3},
        [0.2, 0.2, 0.1, 0.1, 0.05],
    ),
    "rmsprop": (lambda: RMSprop(0.01), rmsprop, {}, [0.01] * STEPS),
    "rmsprop, all options": (
        lambda: RMSprop(FALLING, rho=0.6, epsilon=0.01, weight_decay=0.2),
        rmsprop,
        {"rho": 0.6, "epsilon": 0.01, "decay": 0.2},
        [0.2, 0.2, 0.1, 0.1, 0.05],
    ),
    "adam": (lambda: Adam(0.01), adam, {}, [0.01] * STEPS),
    "adam, all options": (
        lambda: Adam(FALLING, beta_1=0.7, beta_2=0.8, epsilon=0.01, weight_decay=0.2),
        adam,
        {"beta_1": 0.7, "beta_2": 0.8, "epsilon": 0.01, "decay": 0.2},
        [0.2, 0.2, 0.1, 0.1, 0.05],
    ),
}


def small_model(dtype="float64"):
    return mtc.Sequential([layers.Dense(3), layers.Dense(2)], (4,), seed=1, dtype=dtype)


def gradients(step):
    """Some zeros, some small, some large."""
    return normal((4 * 3 + 3 + 3 * 2 + 2,), step) * np.tile([1, 0, 1e-4, 10, 1], 5)[:23]


def descend(optimizer, model):
    """The parameters after each step, with made-up gradients."""
    trace = []
    for step in range(STEPS):
        (segment,) = model.segments()
        segment.gradients[:] = gradients(step)
        optimizer.step(model)
        trace.append(segment.parameters.copy())
    return trace


@pytest.mark.parametrize("twins", [True, False], ids=["twin", "definition"])
@pytest.mark.parametrize("name", CASES)
def test_rule(name, twins):
    make, rule, options, rates = CASES[name]
    model = small_model()
    each_weight = [rule(float(w), rates, **options) for w in model.vector.values]
    for one in each_weight:
        next(one)
    wanted = [[one.send(float(g)) for one, g in zip(each_weight, gradients(step))] for step in range(STEPS)]
    if twins:
        trace = descend(make(), model)
    else:
        with mtc.definitions_only():
            trace = descend(make(), model)
    np.testing.assert_allclose(trace, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", CASES)
def test_float32_follows(name):
    exact = descend(CASES[name][0](), small_model())
    model = small_model("float32")
    optimizer = CASES[name][0]()
    trace = descend(optimizer, model)
    assert trace[-1].dtype == np.float32
    np.testing.assert_allclose(trace, exact, rtol=2e-5, atol=2e-6)
    assert all(array.dtype == np.float32 for array in optimizer.state().values())


@pytest.mark.parametrize("size", [0, 1, 40_001])  # 40 001: two full blocks of the twin and a rest
@pytest.mark.parametrize(
    "update, slots, options",
    [
        (sgd_update, 0, (None, 0.1, 0.0, False, 0.3)),
        (sgd_update, 1, (0.1, 0.9, False, 0.0)),
        (sgd_update, 1, (0.1, 0.9, True, 0.3)),
        (rmsprop_update, 1, (0.01, 0.9, 1e-7, 0.1)),
        (adam_update, 2, (0.01, 0.9, 0.999, 1e-7, 0.1, 0.02)),
    ],
)
def test_twin_is_its_definition(update, slots, options, size):
    results = []
    for version in (update, update.definition):
        w, g, *state = [normal((size,), i) for i in range(2 + slots)]
        state = [np.abs(array) for array in state]
        version(w, g, *state, *options)
        results.append([w, *state])
        assert np.array_equal(g, normal((size,), 1))
    for one, other in zip(*results):
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-15)


def test_one_step_by_hand():
    model = mtc.Sequential([layers.Dense(1, use_bias=False)], (1,), seed=0, dtype="float64")
    kernel = model.layers[0].parameters["kernel"]
    optimizer = SGD(0.5, momentum=0.5, weight_decay=0.1)
    kernel[...] = 4  # prediction 8 for x = 2, wanted 6: loss 4, dkernel = 2 * 2 * 2
    assert model.train_step([[2.0]], [6.0], losses.MeanSquaredError(), optimizer) == 4
    assert kernel == 4 - 0.5 * 0.1 * 4 - 0.5 * 8
    kernel[...] = 4
    model.train_step([[2.0]], [6.0], losses.MeanSquaredError(), optimizer)
    assert kernel == 4 - 0.2 + 0.5 * -4 - 4
    assert optimizer.steps == 2


@pytest.mark.parametrize("make", [case[0] for case in CASES.values()], ids=CASES)
def test_state_moves_to_another_optimizer(make):
    """Two steps, a break, three steps: the same as five."""
    model, broken = small_model(), small_model()
    wanted = descend(make(), model)[-1]
    first, second = make(), make()
    for step in range(STEPS):
        optimizer = first if step < 2 else second
        if step == 2:
            second.prepare(broken)
            second.load_state({key: array.copy() for key, array in first.state().items()})
            second.steps = first.steps
        broken.segments()[0].gradients[:] = gradients(step)
        optimizer.step(broken)
    np.testing.assert_array_equal(broken.vector.values, wanted)
    keys = {("dense_1", "kernel"), ("dense_1", "bias"), ("dense_2", "kernel"), ("dense_2", "bias")}
    assert {key[1:] for key in second.state()} == (keys if second.slots else set())


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_config_makes_the_same_optimizer(name):
    kind = optimizers.OPTIMIZERS[name]
    optimizer = kind(0.25, weight_decay=0.5)
    again = kind(0.25, **optimizer.config())
    assert repr(again) == repr(optimizer) and "0.25" in repr(optimizer) and "weight_decay=0.5" in repr(optimizer)


@pytest.mark.parametrize("rate", [-0.1, "fast", None, float("nan"), [0.1]])
def test_learning_rates_that_mean_nothing(rate):
    optimizer = SGD()
    for give in (SGD, lambda rate: setattr(optimizer, "learning_rate", rate)):
        with pytest.raises(ArgumentError) as error:
            give(rate)
        assert one_line(error, "learning_rate", repr(rate))
    assert optimizer.learning_rate == 0.01


def test_learning_rate_can_be_changed_on_the_way():
    optimizer = SGD(0.5)
    optimizer.learning_rate = np.float32(0.25)
    assert optimizer.learning_rate == 0.25 and type(optimizer.learning_rate) is float
    optimizer.learning_rate = FALLING
    optimizer.steps = 2
    assert optimizer.learning_rate == 0.1


@pytest.mark.parametrize("momentum", [-0.1, 1.5])
def test_momentum_that_means_nothing(momentum):
    with pytest.raises(ArgumentError) as error:
        SGD(momentum=momentum)
    assert one_line(error, "momentum", repr(momentum))


HALF = math.sqrt(0.5)

# (schedule, {step: learning rate})
SCHEDULES = [
    (schedules.Constant(0.3), {0: 0.3, 1000: 0.3}),
    (schedules.Step(0.8, 3, 0.5), {0: 0.8, 2: 0.8, 3: 0.4, 5: 0.4, 6: 0.2, 9: 0.1}),
    (schedules.Step(0.8, 1), {0: 0.8, 1: 0.08, 2: 0.008}),
    (schedules.Cosine(1.0, 4), {0: 1, 1: (1 + HALF) / 2, 2: 0.5, 3: (1 - HALF) / 2, 4: 0, 9: 0}),
    (schedules.Cosine(1.0, 2, final=0.2), {0: 1, 1: 0.6, 2: 0.2, 3: 0.2}),
    (schedules.OneCycle(1.0, 10, 0.4), {0: 0.04, 2: 0.52, 4: 1, 7: 0.500002, 10: 4e-6, 99: 4e-6}),
    (schedules.OneCycle(2.0, 8, 0.5, 10, 100), {0: 0.2, 1: 0.2 + 0.9 * (1 - HALF), 4: 2, 6: 1.001, 8: 0.002}),
    (schedules.OneCycle(1.0, 4, warmup=0), {0: 1, 2: 0.500002}),
    (schedules.OneCycle(1.0, 4, warmup=1), {0: 0.04, 2: 0.52, 4: 1}),
    (schedules.Triangle(2.0, 10, 0.4, 0.2, 0.1), {0: 0.4, 1: 0.8, 2: 1.2, 4: 2, 7: 1.1, 10: 0.2, 99: 0.2}),
    (schedules.Triangle(1.0, 4, warmup=0), {0: 1, 1: 0.75, 4: 0, 5: 0}),
    (schedules.Triangle(1.0, 4, warmup=1), {0: 0.2, 2: 0.6, 4: 1}),
]


@pytest.mark.parametrize("schedule, rates", SCHEDULES, ids=lambda value: repr(value) if callable(value) else "")
def test_schedule(schedule, rates):
    again = type(schedule)(**schedule.config())
    for step, rate in rates.items():
        assert schedule(step) == again(step) == pytest.approx(rate, rel=1e-12, abs=1e-15)
    assert repr(again) == repr(schedule)


def test_every_schedule_is_in_the_table():
    assert {type(schedule) for schedule, _ in SCHEDULES} == set(schedules.SCHEDULES.values())
