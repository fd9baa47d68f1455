"""Random numbers: the bits of the generator's authors, the same on every path, and a seed that decides everything."""

import numpy as np
import pytest
from engine_helpers import normal

import minitorch_cnn as mtc
from minitorch_cnn import initializers, layers, losses, optimizers
from minitorch_cnn.engine.layers.dropout import drop, scale, threshold
from minitorch_cnn.engine.philox import philox, random_bits

# The known answers of Random123 (Salmon et al. 2011), kat_vectors, philox4x32 10
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text):
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize("counter, key, answer", KNOWN)
def test_philox_known_answers(counter, key, answer):
    got = philox(words(counter), words(key))
    assert [int(word) for word in got] == words(answer)
    assert all(word.dtype == np.uint32 for word in got)
    columns = philox([np.full(3, word, np.uint32) for word in words(counter)], words(key))
    assert [word.tolist() for word in columns] == [[word] * 3 for word in words(answer)]


def test_random_bits_are_the_blocks_one_after_the_other():
    key, draw = (7, 3), (5 << 32) + 9
    bits = random_bits(10, key, draw)
    blocks = [philox((index, 0, 9, 5), key) for index in range(3)]
    assert bits.tolist() == [int(word) for block in blocks for word in block][:10]
    assert random_bits(0, key, draw).tolist() == []


# (rate, key, draw): the largest and smallest words, and rates that divide badly
STREAMS = [
    (0.5, (0, 0), 0),
    (0.3, (12345, 4), 7),
    (0.9, (0xFFFFFFFF, 0xFFFFFFFF), 2**64 - 1),
    (0.001, (1, 0), 2**32),
    (1 - 2**-40, (3, 1), 1),
    (1e-12, (3, 1), 2),
]


@pytest.mark.parametrize("shape", [(1,), (3, 5), (2, 3, 5, 7), (3, 11_001)])  # the last one: more than two blocks
@pytest.mark.parametrize("rate, key, draw", STREAMS)
def test_the_twin_drops_the_same(shape, rate, key, draw):
    for dtype in ("float32", "float64"):
        x = normal(shape, 1, dtype)
        y, keep = drop(x, rate, key, draw)
        plain, plain_keep = drop.definition(x, rate, key, draw)
        np.testing.assert_array_equal(keep, plain_keep)
        np.testing.assert_array_equal(y, plain)
        np.testing.assert_array_equal(scale(x, keep, rate), scale.definition(x, keep, rate))
        bits = random_bits(x.size, key, draw).reshape(shape)
        np.testing.assert_array_equal(keep, bits >= threshold(rate))


def test_bits_equal_to_the_threshold_are_kept():
    bits = random_bits(5, (8, 9), 0)
    rate = int(bits[3]) / 2**32  # exact in float64
    for version in (drop, drop.definition):
        _, keep = version(np.ones(5), rate, (8, 9), 0)
        assert keep.tolist() == (bits >= bits[3]).tolist() and keep[3]


def test_the_layout_of_memory_does_not_change_the_mask():
    x = normal((6, 8))
    for view in (np.asfortranarray(x), x[::2, ::3], x.T):
        for version in (drop, drop.definition):
            y, keep = version(view, 0.4, (1, 2), 3)
            wanted, wanted_keep = drop(view.copy(order="C"), 0.4, (1, 2), 3)
            np.testing.assert_array_equal(keep, wanted_keep)
            np.testing.assert_array_equal(y, wanted)


def dropout_layer(rate, seed=0, place=0):
    stack = [*(layers.ReLU() for _ in range(place)), layers.Dropout(rate)]
    return mtc.Sequential(stack, (50, 80), seed=seed, dtype="float64").layers[-1]


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.5, 0.9])
def test_share_that_is_kept_and_mean(rate):
    x = np.ones((10, 50, 80))
    y = dropout_layer(rate).forward(x, training=True)
    deviation = np.sqrt(rate * (1 - rate) / x.size)
    assert abs((y != 0).mean() - (1 - rate)) < 4 * deviation
    assert abs(y.mean() - 1) < 4 * deviation / (1 - rate)
    assert set(np.unique(y)) == {0, 1 / (1 - rate)}
    for axis in (0, 1, 2):  # no stripes: every row and column keeps its share
        shares = (y != 0).mean(axis=tuple({0, 1, 2} - {axis}))
        assert np.abs(shares - (1 - rate)).max() < 5.5 * deviation * np.sqrt(len(shares))


def test_masks_differ_from_draw_to_draw_layer_to_layer_and_seed_to_seed():
    x = np.ones((4, 50, 80))
    first = dropout_layer(0.5)
    masks = [first.forward(x, training=True) != 0 for _ in range(3)]
    masks += [dropout_layer(0.5, place=1).forward(x, training=True) != 0]
    masks += [dropout_layer(0.5, seed=1).forward(x, training=True) != 0]
    assert first.draws == 3
    for i in range(5):
        for j in range(i):
            assert abs((masks[i] == masks[j]).mean() - 0.5) < 4 * 0.5 / np.sqrt(x.size), (i, j)
    np.testing.assert_array_equal(dropout_layer(0.5).forward(x, training=True) != 0, masks[0])


@pytest.mark.parametrize("rate, training", [(0.5, False), (0, True)])
def test_dropout_switched_off(rate, training):
    layer, x = dropout_layer(rate), normal((2, 50, 80))
    assert np.array_equal(layer.forward(x, training), x) and layer.draws == 0
    assert np.array_equal(layer.backward(x), x)


def net(seed, dtype="float32"):
    stack = [
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layers.BatchNorm(),
        layers.MaxPool2D(2),
        layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(7, "relu"),
        layers.Dropout(0.5),
        layers.Dense(3, "softmax"),
    ]
    return mtc.Sequential(stack, (6, 5, 2), seed=seed, dtype=dtype)


def trained(model, steps=4):
    """Everything that is left after a few steps, as bytes."""
    optimizer = optimizers.Adam(0.01)
    x = normal((5, 6, 5, 2), 8)
    values = [model.train_step(x, [0, 1, 2, 2, 1], losses.CrossEntropy(), optimizer) for _ in range(steps)]
    state = {key: np.asarray(value).tobytes() for key, value in model.state().items()}
    return values, state, {key: array.tobytes() for key, array in optimizer.state().items()}, model.predict(x).tobytes()


def test_one_seed_one_result():
    assert trained(net(5)) == trained(net(5))


def test_another_seed_another_result():
    one, other = net(5), net(6)
    before = [model.get_layer("conv2d_1").parameters["kernel"].copy() for model in (one, other)]
    assert not np.array_equal(*before)
    assert trained(one)[0] != trained(other)[0]


def test_a_seed_that_is_drawn_can_be_used_again():
    drawn = net(None)
    assert drawn.seed != net(None).seed
    assert trained(drawn) == trained(net(drawn.seed))


def test_twins_and_definitions_train_alike():
    twins = net(5, "float64")
    trained(twins)
    with mtc.definitions_only():
        plain = net(5, "float64")
        trained(plain)
    for key, value in twins.state().items():
        np.testing.assert_allclose(plain.state()[key], value, rtol=1e-9, atol=1e-12)


def test_every_dtype_begins_with_the_same_weights():
    for key, value in net(3, "float64").state().items():
        assert np.array_equal(net(3).state()[key], np.asarray(value).astype("float32"))


def test_a_layer_keeps_its_weights_when_the_layers_after_it_change():
    """The weights of layer i follow from the seed and i alone."""
    short = mtc.Sequential([layers.Dense(5), layers.Dense(2)], (3,), seed=4)
    long = mtc.Sequential([layers.Dense(5), layers.Dense(2), layers.Dense(7)], (3,), seed=4)
    for key, array in short.state().items():
        assert np.array_equal(long.state()[key], array)
    assert not np.array_equal(*(mtc.Sequential([layers.Dense(3), layers.Dense(3)], (3,), seed=4).state()[key]
                                for key in [("dense_1", "kernel"), ("dense_2", "kernel")]))  # fmt: skip


@pytest.mark.parametrize(
    "shape, fan_in, fan_out", [((300, 200), 300, 200), ((3, 5, 40, 60), 600, 900), ((1, 1, 90, 400), 90, 400)]
)
def test_glorot_uniform(shape, fan_in, fan_out):
    values = initializers.glorot_uniform(np.random.default_rng(0), shape)
    limit = np.sqrt(6 / (fan_in + fan_out))
    assert values.shape == shape and np.abs(values).max() <= limit
    assert np.abs(values).max() > 0.999 * limit
    assert abs(values.mean()) < 4 * limit / np.sqrt(3 * values.size)
    assert values.var() == pytest.approx(limit**2 / 3, rel=0.02)


def test_fresh_layers():
    model = mtc.Sequential([layers.Conv2D(3, 2), layers.BatchNorm()], (4, 5, 2), seed=0)
    conv, norm = model.layers
    assert not conv.parameters["bias"].any()
    assert {name: set(array) for name, array in norm.parameters.items()} == {
        "gamma": {1}, "beta": {0}, "moving_mean": {0}, "moving_variance": {1},
    }  # fmt: skip
