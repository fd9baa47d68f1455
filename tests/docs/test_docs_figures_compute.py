"""What the figures' scripts compute, in a browser, beside the engine over random inputs."""

import json

import figures
import numpy as np
import pytest
from figure_browser import run
from figures import digit, lessons, microscope, stack, winograd
from site_browser import BROWSER

from minitorch_cnn import Sequential, definitions_only, layers, losses
from minitorch_cnn.engine.activations import Softmax
from minitorch_cnn.engine.convolution.geometry import NO_PADDING
from minitorch_cnn.engine.convolution.im2col import col2im, im2col
from minitorch_cnn.engine.layers.max_pool2d import max_pool, max_pool_backward
from minitorch_cnn.engine.philox import random_bits

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")


def random_steps(rng):
    """The arrays of steps on random images, odd in size; each with the numbers that the engine computed."""
    for size, window in (((5, 6), (3, 2)), ((7, 4), (2, 3)), ((3, 3), (3, 3))):
        H, W, C = *size, int(rng.integers(1, 4))
        x, kernel = rng.standard_normal((1, H, W, C)), rng.standard_normal((*window, C, 1))
        target = rng.standard_normal((1, H - window[0] + 1, W - window[1] + 1, 1))
        yield microscope.small_arrays(x, kernel, target, 0.3)["arrays"]
    for size in (6, 8):
        half = size // 2 - 1
        shapes = [(1, size, size, 1), (3, 3, 1, 2), (2,), (half * half * 2, 5), (5,)]
        x, *weights = (rng.standard_normal(shape) for shape in shapes)
        yield digit.traced(x, int(rng.integers(5)), *weights, 0.1)[0]
    x, kernel, bias, dy = (rng.standard_normal(shape) for shape in ((5, 3), (3, 4), (4,), (5, 4)))
    yield stack.layer_arrays(x, kernel, bias, dy)
    yield stack.stack_arrays(x, kernel, rng.standard_normal((4, 2)), rng.standard_normal((5, 2)), 0.1)
    yield winograd.arrays(rng.standard_normal((6, 6)), rng.standard_normal((3, 3)))


def test_the_script_computes_what_the_engine_computes(tmp_path):
    steps = list(random_steps(np.random.default_rng(0)))
    found = run("", f"""
      return {figures.to_json(steps)}.map(arrays => {{
        for (const array of Object.values(arrays)) if (array.rule) array.values = array.values.map(() => 0);
        new Figures.rules.Net(arrays).compute();
        return Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, array.values]));
      }});
    """, tmp_path)  # fmt: skip
    assert len(found) == len(steps) == 8
    for arrays, computed in zip(steps, found):
        for name, array in arrays.items():
            assert np.allclose(computed[name], array["values"], rtol=0, atol=1e-6), name


def test_what_a_reader_changes_is_computed_as_the_engine_computes_it(tmp_path):
    cases = list(changes(np.random.default_rng(1)))
    asked = json.dumps([[name, arguments] for name, arguments, _ in cases], default=np.ndarray.tolist)
    found = run("", f"return {asked}.map(([name, values]) => Figures.compute[name](...values));", tmp_path)
    assert {name for name, *_ in cases} == {*run("", "return Object.keys(Figures.compute)", tmp_path, "names")}
    for (name, arguments, wanted), got in zip(cases, found, strict=True):
        for key, value in (wanted if isinstance(wanted, dict) else {None: wanted}).items():
            one = got if key is None else got[key]
            if isinstance(value, list):
                assert one == value, (name, arguments)
            else:
                assert np.allclose(one, value, rtol=1e-9, atol=1e-7 if name == "quotient" else 1e-9), (
                    name,
                    key,
                    arguments,
                )


def changes(rng):
    """(function, arguments, what the engine gives) for random inputs of every function of compute.js."""
    for trial in range(8):
        w, b, x = rng.standard_normal(3) * 2
        t = rng.random()
        neuron = Sequential([layers.Dense(1, activation="sigmoid")], input_shape=(1,), dtype="float64")
        neuron.layers[0].parameters["kernel"], neuron.layers[0].parameters["bias"] = [[w]], [b]
        loss = neuron.loss_and_gradients(np.array([[x]]), np.array([[t]]), losses.MeanSquaredError())
        gradients = {name: float(one.item()) for name, one in neuron.layers[0].gradients.items()}
        yield "neuron", [w, b, x, t], {"loss": loss, "dw": gradients["kernel"], "db": gradients["bias"]}
        yield "quotient", [w, b, x, t, 1e-5], gradients["kernel"]

        start, rate, momentum = rng.standard_normal(2) * 5, rng.random() * 0.1, rng.random()
        path = lessons.descent_path(np.array([1.0, 25.0]), start, rate, momentum, 20)
        yield "descend", [[1, 25], start, rate, momentum, 20], path

        scores, label = rng.standard_normal(5) * 8, int(rng.integers(5))
        loss, dscores = losses.CrossEntropy().from_scores(scores[None], np.array([label]))
        yield "softmax", [scores, label], {"loss": loss, "dscores": dscores[0], "p": Softmax().forward(scores)}

        x, dy = rng.standard_normal(6) * 3 + 1, rng.standard_normal(6)
        gamma, beta = rng.standard_normal(2)
        yield "batchNorm", [x, dy, gamma, beta, 1e-3], lessons.batch_norm_of(x, dy, gamma, beta, 1e-3)

        draw, rate = int(rng.integers(50)), float(rng.choice([0.0, 0.25, 0.5, 0.8]))
        x, dy = rng.standard_normal((2, 12))
        layer = layers.Dropout(rate)
        layer.key, layer.draws = (3, 4), draw
        with definitions_only():
            y, kept = layer.forward_pass(x, training=True)
            dx, _ = layer.backward_pass(dy, kept)
        yield "dropout", [x, dy, random_bits(12, (3, 4), draw) / 2**32, rate], {"y": y, "dx": dx}

        trained = [None if one == 2 else bool(one) for one in rng.integers(0, 3, 6)]
        yield "visited", [trained], lessons.visited_by(trained)

        slope, depth = rng.standard_normal(), int(rng.integers(1, 12))
        both = [lessons.residual_gradients(slope, depth, shortcut) for shortcut in (False, True)]
        yield "residual", [slope, depth], {"plain": np.array(both[0]), "shortcut": np.array(both[1])}

        steps, step, rate = 2 * int(rng.integers(2, 60)), int(rng.integers(100)), rng.random()
        for kind, made in lessons.schedules_of(rate, steps).items():
            yield "schedule", [kind, step, steps, rate], made(step)

        size, window = int(rng.integers(4, 7)), int(rng.integers(2, 4))
        stride = 1 if trial < 4 else int(rng.integers(1, 4))  # windows that overlap, and that leave pixels out
        out = (size - window) // stride + 1
        x, dy = rng.integers(0, 5, (1, size, size, 1)).astype(float), rng.standard_normal((1, out, out, 1))  # ties
        y, winner = max_pool.definition(x, (window,) * 2, (stride,) * 2, NO_PADDING)
        dx = max_pool_backward.definition(dy, winner, x.shape, (window,) * 2, (stride,) * 2, NO_PADDING)
        yield "pool", [x.ravel(), size, window, stride, dy.ravel()], {"y": y.ravel(), "dx": dx.ravel()}

        padding = int(rng.integers(0, 2))
        geometry = (window,) * 2, (stride,) * 2, ((padding,) * 2,) * 2
        pixels = im2col(np.arange(1, size * size + 1).reshape(1, size, size, 1), *geometry) - 1
        columns = rng.standard_normal(pixels.shape)
        dx = col2im(columns, (1, size, size, 1), *geometry)
        yield "im2col", [size, window, stride, padding], pixels
        yield "col2im", [columns, pixels, size], dx.ravel()
