"""One model in many threads: every answer has the bits of the calls made one after the other."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scenario_models import LABELS, SHAPE, ScaleByHand, X, small_net

from minitorch_cnn import losses, optimizers
from minitorch_cnn.gradients.grad_cam import grad_cam


def batch(number):
    return X[2 * (number % 8) : 2 * (number % 8) + 2]


def in_threads(work, count, threads=8):
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, range(count)))


def predict(model):
    return lambda number: model.predict(batch(number))


def saliency(model):
    def work(number):
        y = model.forward(batch(number))
        return model.backward(np.eye(5, dtype="float32")[[0, 3]] + 0 * y, input_gradient=True)

    return work


def heat(model):
    return lambda number: grad_cam(model, X[number % 16], "max_pool2d_1")


@pytest.mark.parametrize("work", [predict, saliency, heat])
@pytest.mark.parametrize("extra", [(), (ScaleByHand,)], ids=["own layers", "a layer by hand"])
def test_eight_threads_give_the_same_bits(work, extra):
    model = small_net(extra=[kind() for kind in extra])
    expected = [work(model)(number) for number in range(16)]
    for number, got in enumerate(in_threads(work(model), 160)):
        np.testing.assert_array_equal(got, expected[number % 16])


def test_the_first_predictions_of_a_fresh_model():
    for seed in range(12):
        expected = small_net(seed).predict(X)
        fresh = small_net(seed)
        for got in in_threads(lambda _, model=fresh: model.predict(X), 8):
            np.testing.assert_array_equal(got, expected)


def test_predicting_while_another_model_trains():
    model, other, alone = small_net(), small_net(1), small_net(1)
    expected = model.predict(X)

    def train(pupil):
        optimizer = optimizers.SGD(0.05, momentum=0.9)
        return [pupil.train_step(X, LABELS, losses.CrossEntropy(), optimizer) for _ in range(20)]

    with ThreadPoolExecutor(5) as pool:
        training = pool.submit(train, other)
        predictions = list(pool.map(lambda _: model.predict(X), range(60)))
    for got in predictions:
        np.testing.assert_array_equal(got, expected)
    assert training.result() == train(alone)
    np.testing.assert_array_equal(other.vector.values, alone.vector.values)


def test_definitions_in_one_thread_leave_the_others_alone():
    import minitorch_cnn as mtc

    model = small_net()
    compiled = model.predict(X)
    with mtc.definitions_only():
        plain = model.predict(X)

    def work(number):
        if number % 2:
            with mtc.definitions_only():
                return model.predict(X)
        return model.predict(X)

    for number, got in enumerate(in_threads(work, 40)):
        np.testing.assert_array_equal(got, plain if number % 2 else compiled)


WITHOUT_OPENMP = f"""
import numpy as np, numba
from concurrent.futures import ThreadPoolExecutor
import minitorch_cnn as mtc
from minitorch_cnn import layers, losses, optimizers

def net():
    stack = [layers.Conv2D(16, 3, activation="relu"), layers.MaxPool2D(2), layers.Flatten(), layers.Dense(5, "softmax")]
    return mtc.Sequential(stack, {SHAPE}, seed=0)

model, other = net(), net()
x = np.random.default_rng(0).standard_normal((8, *{SHAPE})).astype("float32")
expected = model.predict(x)
def train(_):
    for _ in range(30):
        other.train_step(x, np.arange(8) % 5, losses.CrossEntropy(), optimizers.SGD(0.01))
with ThreadPoolExecutor(6) as pool:
    training = pool.submit(train, 0)
    same = all(np.array_equal(y, expected) for y in pool.map(lambda _: model.predict(x), range(60)))
    training.result()
print(numba.threading_layer(), same)
"""


def test_where_numba_has_only_its_own_scheduler_threads_take_turns(tmp_path):
    import os

    environment = {**os.environ, "NUMBA_THREADING_LAYER": "workqueue"}
    done = subprocess.run([sys.executable, "-c", WITHOUT_OPENMP], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["workqueue", "True"], done.stderr[-2000:]
