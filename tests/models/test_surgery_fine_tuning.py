"""Another learning rate for some layers, and gradients clipped by their global norm, against the plain formulas."""

import json
import math

import numpy as np
import pytest
from surgery_models import LABELS, LOSS, X, small_net, weights

from minitorch_cnn import checkpoint, definitions_only, layers, optimizers, schedules
from minitorch_cnn.engine.clipping import BLOCK, clip_to_norm, global_norm
from minitorch_cnn.errors import ArgumentError

RATE, DECAY, CLIP = 0.05, 0.1, 0.3
MULTIPLIERS = {"block1": 0.1, "block1_norm": 0.0, "dense_2": 2.0}
FACTORS = {"block1_conv1": 0.1, "block1_norm": 0.0, "block2_conv1": 1.0, "dense_1": 1.0, "dense_2": 2.0}


# The rules for one array, as Keras documents them: (w, g, state, rate, t) -> w.


def sgd(w, g, state, rate, t):
    state["m"] = 0.9 * state.get("m", 0.0) - rate * g
    return w - rate * DECAY * w + 0.9 * state["m"] - rate * g


def rmsprop(w, g, state, rate, t):
    state["v"] = 0.9 * state.get("v", 0.0) + 0.1 * g * g
    return w - rate * DECAY * w - rate * g / np.sqrt(state["v"] + 1e-7)


def adam(w, g, state, rate, t):
    state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * g
    state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * g * g
    corrected = rate * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    return w - rate * DECAY * w - corrected * state["m"] / (np.sqrt(state["v"]) + 1e-7)


RULES = {
    "sgd": (sgd, lambda **options: optimizers.SGD(RATE, 0.9, nesterov=True, weight_decay=DECAY, **options)),
    "rmsprop": (rmsprop, lambda **options: optimizers.RMSprop(RATE, weight_decay=DECAY, **options)),
    "adam": (adam, lambda **options: optimizers.Adam(RATE, weight_decay=DECAY, **options)),
}
OPTIONS = {
    "multipliers": {"multipliers": MULTIPLIERS},
    "clip": {"clip_norm": CLIP},
    "both": {"multipliers": MULTIPLIERS, "clip_norm": CLIP},
}


def arrays(model, what):
    return {(layer.name, name): getattr(layer, what)[name].copy() for layer in model.layers for name in layer.gradients}


@pytest.mark.parametrize("frozen", [[], ["block1_conv1", "dense_1"]], ids=["all", "some frozen"])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", RULES)
def test_steps_are_the_plain_formula(name, options, frozen):
    rule, make = RULES[name]
    options = OPTIONS[options]
    model, optimizer, states, clipped = small_net(dtype="float64"), make(**options), {}, 0
    if frozen:
        model.freeze(layers=frozen)
    for t in range(1, 5):
        model.loss_and_gradients(X, LABELS, LOSS)
        before, gradients = arrays(model, "parameters"), arrays(model, "gradients")
        norm = math.sqrt(sum(float((g**2).sum()) for g in gradients.values()))
        scale = min(1.0, options.get("clip_norm", math.inf) / norm)
        clipped += scale < 1
        optimizer.step(model)
        for key, w in before.items():
            rate = RATE * (FACTORS[key[0]] if "multipliers" in options else 1.0)
            expected = rule(w, gradients[key] * scale, states.setdefault(key, {}), rate, t)
            got = model.get_layer(key[0]).parameters[key[1]]
            np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13, err_msg=f"{key} {t}")
    assert {key[0] for key in states} == set(FACTORS) - set(frozen)
    assert bool(clipped) == ("clip_norm" in options)


def test_a_factor_of_0_keeps_a_layer_as_it_is():
    model = small_net()
    before = weights(model)
    optimizer = optimizers.Adam(0.1, weight_decay=0.5, multipliers={"block1_conv1": 0})
    for _ in range(3):
        model.train_step(X, LABELS, LOSS, optimizer)
    same = {key[0] for key, value in weights(model).items() if value == before[key]}
    assert same == {"block1_conv1"}


def test_factors_scale_a_schedule():
    model = small_net(dtype="float64")
    optimizer = optimizers.SGD(schedules.Step(0.4, every=1, factor=0.5), multipliers={"dense_2": 0.25})
    for rate in (0.4, 0.2, 0.1):
        model.loss_and_gradients(X, LABELS, LOSS)
        before, gradients = arrays(model, "parameters"), arrays(model, "gradients")
        optimizer.step(model)
        for layer, factor in (("dense_1", 1.0), ("dense_2", 0.25)):
            expected = before[layer, "kernel"] - rate * factor * gradients[layer, "kernel"]
            np.testing.assert_allclose(model.get_layer(layer).parameters["kernel"], expected, rtol=1e-13)


def test_names_are_whole_words():
    """`dense_1` is not `dense_10`, and of several names that fit the longest counts."""
    model = small_net().extend([layers.Dense(2, name="dense_10"), layers.Dense(2, name="dense_1_extra")])
    optimizer = optimizers.SGD(multipliers={"dense": 0.5, "dense_1": 0.25, "dense_1_extra": 0.125})
    optimizer.prepare(model)
    found = {key[0]: factor for segment, _, factor in optimizer._pieces for key in segment.spans}
    expected = {"dense_1": 0.25, "dense_2": 0.5, "dense_10": 0.5, "dense_1_extra": 0.125}
    assert {name: found[name] for name in expected} == expected and found["block1_conv1"] == 1.0


def test_pieces_are_as_long_as_they_can_be():
    model = small_net()
    (whole,) = model.segments()
    plain, split = optimizers.SGD(), optimizers.SGD(multipliers={"block1": 0.5, "block2": 0.5, "dense_2": 0.25})
    for optimizer, count in ((plain, 1), (split, 3)):
        optimizer.prepare(model)
        assert len(optimizer._pieces) == count
        assert sum(segment.parameters.size for segment, *_ in optimizer._pieces) == whole.parameters.size
        assert all(segment.parameters.base is not None for segment, *_ in optimizer._pieces)  # views
        for segment, *_ in optimizer._pieces:
            for (layer, name), (start, stop) in segment.spans.items():
                expected = model.get_layer(layer).parameters[name]
                assert np.shares_memory(segment.parameters[start:stop], expected)
                assert np.array_equal(segment.parameters[start:stop], expected.reshape(-1))


@pytest.mark.parametrize("name", ["blok1", "block", "block1_pool", "flatten_1", "dense_", "conv1", ""])
def test_a_name_that_fits_no_layer_is_an_error(name):
    model, optimizer = small_net(), optimizers.SGD(0.1, multipliers={"dense": 1.0, name: 0.5})
    before = weights(model)
    for meet in (optimizer.prepare, optimizer.step):
        with pytest.raises(ArgumentError) as raised:
            meet(model)
        assert f"multipliers: no layer with parameters is called {name!r}; there are block1_conv1" in str(raised.value)
    assert weights(model) == before and optimizer.steps == 0


@pytest.mark.parametrize("factor", [-0.1, math.inf, math.nan, "0.1", None, [0.1]])
def test_factors_that_mean_nothing(factor):
    with pytest.raises(ArgumentError, match="expected a name and a factor of at least 0, got 'dense'"):
        optimizers.Adam(multipliers={"dense": factor})


@pytest.mark.parametrize("multipliers", [0.1, ["dense"], [("dense", 0.1)], {3: 0.1}])
def test_multipliers_that_mean_nothing(multipliers):
    with pytest.raises(ArgumentError, match="multipliers: expected"):
        optimizers.RMSprop(multipliers=multipliers)


@pytest.mark.parametrize("limit", [0, -1, math.nan, "1", [1]])
def test_norms_that_mean_nothing(limit):
    with pytest.raises(ArgumentError, match="clip_norm: expected a number above 0"):
        optimizers.SGD(clip_norm=limit)


def test_multipliers_can_be_changed_on_the_way():
    """The momentum of every layer stays."""
    model, optimizer = small_net(), optimizers.SGD(0.1, momentum=0.9)
    model.train_step(X, LABELS, LOSS, optimizer)
    before = {key: array.copy() for key, array in optimizer.state().items()}
    optimizer.multipliers = MULTIPLIERS
    optimizer.prepare(model)
    assert before.keys() == optimizer.state().keys()
    assert all(np.array_equal(array, before[key]) for key, array in optimizer.state().items())


@pytest.mark.parametrize("kind", optimizers.OPTIMIZERS)
def test_the_description_makes_the_same_optimizer(kind):
    optimizer = optimizers.OPTIMIZERS[kind](0.25, clip_norm=2, multipliers={"dense": 0.5})
    description = json.loads(json.dumps(optimizer.config()))
    assert description["clip_norm"] == 2.0 and description["multipliers"] == {"dense": 0.5}
    again = optimizers.OPTIMIZERS[kind](0.25, **description)
    assert repr(again) == repr(optimizer) and again.config() == optimizer.config()
    assert not {"clip_norm", "multipliers"} & optimizers.OPTIMIZERS[kind]().config().keys()


def test_the_state_moves_to_another_optimizer():
    """Two steps, a break, two steps: the bits of four. The state knows layers, not pieces: multipliers may differ."""
    whole, broken = small_net(), small_net()
    make = RULES["adam"][1]
    first, second, alone = make(**OPTIONS["both"]), make(**OPTIONS["both"]), make(**OPTIONS["both"])
    for step in range(4):
        whole.train_step(X, LABELS, LOSS, alone)
        if step == 2:
            second.prepare(broken)
            second.load_state({key: array.copy() for key, array in first.state().items()})
            second.steps = first.steps
        broken.train_step(X, LABELS, LOSS, first if step < 2 else second)
    assert weights(whole) == weights(broken)
    other = make()
    other.prepare(broken)
    other.load_state(alone.state())
    assert all(np.array_equal(array, alone.state()[key]) for key, array in other.state().items())


def test_a_run_with_both_resumes_to_the_same_bits(tmp_path):
    from minitorch_cnn.callbacks import Callback

    from minitorch_cnn.training import Trainer

    def trainer(model, *callbacks):
        settings = {"optimizer": RULES["sgd"][1](**OPTIONS["both"]), "epochs": 3, "batch_size": 2, "progress": False}
        return Trainer(model, X, LABELS, callbacks=callbacks, **settings)

    class Save(Callback):
        def on_batch_end(self, trainer):
            if (trainer.epoch, trainer.batch) == (1, 2):
                checkpoint.save(tmp_path / "c.npz", *trainer.state())

    whole, resumed = small_net(), small_net()
    trainer(whole, Save()).run()
    second = trainer(resumed)
    second.load(tmp_path / "c.npz")
    second.run()
    assert weights(whole) == weights(resumed)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_global_norm(dtype):
    rng = np.random.default_rng(0)
    vectors = [rng.standard_normal(size).astype(dtype) for size in (0, 1, 7, BLOCK, 2 * BLOCK + 3)]
    exact = math.sqrt(math.fsum(float(value) ** 2 for vector in vectors for value in vector))
    assert global_norm(vectors) == pytest.approx(exact, rel=1e-14)
    assert global_norm([]) == 0.0 and type(global_norm(vectors)) is float


def test_the_norm_of_float32_is_summed_safely():
    """Squares beyond float32's range, and 16 million equal numbers, where a float32 sum stands still at 2^24."""
    assert global_norm([np.full(4, 3e30, "float32")]) == pytest.approx(6e30, rel=1e-6)
    assert global_norm([np.full(4, 2e-30, "float32")]) == pytest.approx(4e-30, rel=1e-6)
    ones = np.ones(1 << 24, "float32")
    assert global_norm([ones, ones[:100]]) == math.sqrt((1 << 24) + 100)


@pytest.mark.parametrize("twins", [True, False], ids=["twin", "definition"])
def test_clipping_shortens_and_keeps_the_direction(twins):
    vectors = [np.array([3.0, 0.0], "float32"), np.array([-4.0], "float32")]
    clip_to_norm(vectors, 10.0)
    assert [vector.tolist() for vector in vectors] == [[3.0, 0.0], [-4.0]]
    clip_to_norm(vectors, 0.5)
    np.testing.assert_allclose(np.concatenate(vectors), [0.3, 0.0, -0.4], rtol=1e-6)
    assert vectors[0].dtype == np.float32

    model = small_net()
    step = model.train_step if twins else definitions_only()(model.train_step)
    step(X, LABELS, LOSS, optimizers.SGD(1.0, clip_norm=1e-3))
    held = [array for layer in model.layers for array in layer.gradients.values()]
    assert global_norm([array.reshape(-1) for array in held]) == pytest.approx(1e-3, rel=1e-5)


def test_a_gradient_that_is_no_number_is_not_hidden():
    model, optimizer = small_net(), optimizers.SGD(0.1, clip_norm=1.0)
    for strange in (math.nan, math.inf):
        model.loss_and_gradients(X, LABELS, LOSS)
        model.get_layer("dense_2").gradients["bias"] = [strange, 0, 0]
        optimizer.step(model)
        assert math.isnan(model.get_layer("dense_2").parameters["bias"][0])
