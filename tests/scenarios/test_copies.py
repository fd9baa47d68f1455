"""Copies, pickles and freeing, at any moment of a model's life."""

import copy
import gc
import pickle
import weakref
from pathlib import Path

import numpy as np
import pytest
from scenario_models import LABELS, Noise, Scale, ScaleByHand, X, small_net

from minitorch_cnn import callbacks, losses, models, optimizers
from minitorch_cnn.errors import ArgumentError

LOSS = losses.CrossEntropy()
WAYS = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "copy": lambda model: model.copy(),
}
MOMENTS = {
    "fresh": lambda model: None,
    "after predict": lambda model: model.predict(X),
    "between forward and backward": lambda model: model.forward(X, training=True),
    "after backward": lambda model: model.backward(np.ones_like(model.forward(X, training=True))),
    "after a step": lambda model: model.train_step(X, LABELS, LOSS, optimizers.Adam()),
    "after fit": lambda model: model.fit(X, LABELS, optimizer=optimizers.SGD(0.1), epochs=1, progress=False),
    "frozen": lambda model: model.freeze(through="conv2d_1"),
}


@pytest.mark.parametrize("extra", [(), (Scale, ScaleByHand, Noise)], ids=["package's layers", "layers of one's own"])
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("way", WAYS)
def test_a_copy_at_any_moment_is_independent_and_equal(way, moment, extra):
    model = small_net(extra=[kind() for kind in extra])
    MOMENTS[moment](model)
    twin = WAYS[way](model)
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
    assert [layer.trainable for layer in twin.layers] == [layer.trainable for layer in model.layers]
    expected = model.predict(X)
    np.testing.assert_array_equal(twin.predict(X), expected)
    steps = [each.train_step(X, LABELS, LOSS, optimizers.SGD(0.1, momentum=0.9)) for each in (twin, model)]
    assert steps[0] == steps[1]  # the same dropout as well
    np.testing.assert_array_equal(twin.vector.values, model.vector.values)
    twin.train_step(X, LABELS, LOSS, optimizers.SGD(0.1))
    assert not np.array_equal(twin.vector.values, model.vector.values)


def test_a_copied_layer_alone_can_be_used_elsewhere():
    model = small_net()
    layer = copy.deepcopy(model.layers[0])
    np.testing.assert_array_equal(layer.forward(X), model.layers[0].forward(X))
    layer.parameters["bias"] = np.ones(16)
    assert not model.layers[0].parameters["bias"].any()
    layer.name = "elsewhere"


def test_a_copy_in_another_dtype():
    model = small_net(extra=[Scale(2)])
    twin = model.copy("float64")
    assert {array.dtype.name for layer in twin.layers for array in layer.parameters.values()} == {"float64"}
    np.testing.assert_allclose(twin.predict(X), model.predict(X), rtol=1e-4, atol=1e-6)
    assert twin.layers[6].power == 2


def test_a_backward_pass_after_a_copy_still_has_its_forward_pass():
    model = small_net()
    y = model.forward(X)
    twin = copy.deepcopy(model)
    assert model.backward(np.ones_like(y), input_gradient=True).shape == X.shape
    with pytest.raises(ArgumentError, match="needs a forward pass"):
        twin.backward(np.ones_like(y))


USES = {
    "built": lambda model: None,
    "predicted": lambda model: model.predict(X),
    "forward kept": lambda model: model.forward(X),
    "stepped": lambda model: model.train_step(X, LABELS, LOSS, optimizers.SGD(0.1)),
    "trained": lambda model: model.fit(
        X, LABELS, optimizer=optimizers.SGD(0.1), epochs=2, validation=(X, LABELS), progress=False,
        callbacks=[callbacks.EarlyStopping()],
    ),
    "features cached": lambda model: model.freeze(through="conv2d_1").fit(
        X, LABELS, optimizer=optimizers.SGD(0.1), epochs=1, progress=False
    ),
    "copied": lambda model: model.copy().predict(X),
    "evaluated": lambda model: model.evaluate(X, LABELS),
}  # fmt: skip


@pytest.mark.parametrize("use", USES)
def test_a_model_that_nobody_holds_is_freed_at_once(use):
    gc.collect()
    gc.disable()
    try:
        model = small_net(extra=[Scale(), ScaleByHand()])
        USES[use](model)
        gone = weakref.ref(model), weakref.ref(model.layers[0]), weakref.ref(model.layers[0].parameters["kernel"].base)
        del model
        assert [reference() for reference in gone] == [None, None, None]
    finally:
        gc.enable()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_building_vgg16_again_and_again_takes_no_more_memory():
    gc.collect()
    gc.disable()
    try:
        sizes = []
        for _ in range(6):
            base = models.vgg16(include_top=False, input_shape=(32, 32, 3))
            base.predict(np.zeros((1, 32, 32, 3), "float32"))
            sizes.append(int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20)
        assert max(sizes[2:]) - sizes[1] < 20  # MiB; the base has 56
    finally:
        gc.enable()
