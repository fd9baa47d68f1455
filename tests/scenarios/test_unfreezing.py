"""Layers that are frozen and unfrozen while a model trains."""

import numpy as np
import pytest
from minitorch_cnn.callbacks import Callback, Checkpoint
from scenario_models import LABELS, SHAPE, X, small_net

import minitorch_cnn as mtc
from minitorch_cnn import checkpoint, layers, optimizers
from minitorch_cnn.errors import ArgumentError, CheckpointError


class Unfreeze(Callback):
    """Unfreezes the base after an epoch, or after a batch of it."""

    def __init__(self, epoch=1, batch=None):
        self.when = epoch, batch

    def on_batch_end(self, trainer):
        if (trainer.epoch, trainer.batch) == self.when:
            trainer.model.unfreeze()

    def on_epoch_end(self, trainer, results):
        if (trainer.epoch, None) == self.when:
            trainer.model.unfreeze()


def frozen_net():
    return small_net(3).freeze(through="batch_norm_1")


def fit(model, *callbacks, epochs=4, **options):
    options = {"optimizer": optimizers.SGD(0.05, momentum=0.9), "validation": (X[:5], LABELS[:5]), **options}
    return model.fit(X, LABELS, epochs=epochs, batch_size=5, callbacks=callbacks, progress=False, **options)


@pytest.mark.parametrize("when", [(1, None), (1, 2), (0, 4), (2, 1)])
def test_a_base_unfrozen_by_a_callback_learns_although_its_features_are_cached(when):
    cached, plain = frozen_net(), frozen_net()
    before = cached.get_layer("conv2d_1").parameters["kernel"].copy()
    histories = [fit(cached, Unfreeze(*when)), fit(plain, Unfreeze(*when), cache_features=False)]
    assert np.abs(cached.get_layer("conv2d_1").parameters["kernel"] - before).max() > 1e-3
    np.testing.assert_allclose(cached.vector.values, plain.vector.values, rtol=2e-3, atol=2e-5)
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(histories[0][name], histories[1][name], rtol=1e-3)


def test_a_base_unfrozen_before_the_first_batch_learns():
    class Begin(Callback):
        def on_train_begin(self, trainer):
            trainer.model.unfreeze()

    cached, plain = frozen_net(), small_net(3)
    fit(cached, Begin(), epochs=2)
    fit(plain, epochs=2)
    np.testing.assert_array_equal(cached.vector.values, plain.vector.values)


@pytest.mark.parametrize("cut", [(1, 4), (2, 2)])
def test_a_training_that_unfroze_its_base_is_resumed_unfrozen(tmp_path, cut):
    class Cut(Callback):
        def on_batch_end(self, trainer):
            if (trainer.epoch, trainer.batch) == cut:
                trainer.interrupts.number = 2

    whole, model = frozen_net(), frozen_net()
    fit(whole, Unfreeze(1))
    with pytest.raises(KeyboardInterrupt):
        fit(model, Unfreeze(1), Checkpoint(tmp_path / "c.npz"), Cut())
    model = frozen_net()
    fit(model, Unfreeze(1), Checkpoint(tmp_path / "c.npz"), resume=tmp_path / "c.npz")
    assert model.get_layer("conv2d_1").trainable
    np.testing.assert_array_equal(model.vector.values, whole.vector.values)


def test_a_checkpoint_with_a_strange_list_of_trainable_layers_changes_nothing(tmp_path):
    path = tmp_path / "c.npz"
    fit(frozen_net(), Checkpoint(path), epochs=1)
    arrays, facts = checkpoint.load(path)
    for strange in ({"conv2d_1": True, "dense_1": "yes"}, {"conv2d_1": True, "nothing": False}):
        checkpoint.save(path, arrays, {**facts, "trainable": strange})
        model = frozen_net()
        with pytest.raises(CheckpointError, match="not a checkpoint of this training"):
            fit(model, Checkpoint(path), resume=path)
        assert not model.get_layer("conv2d_1").trainable


def test_model_trainable_freezes_and_unfreezes_all_layers():
    for model in (small_net(), mtc.Sequential([layers.Flatten(), layers.Dense(5, activation="softmax")])):
        assert model.trainable
        model.trainable = False
        assert not model.trainable
        model.predict(X)
        with pytest.raises(ArgumentError, match="every layer is frozen"):
            fit(model)
        model.trainable = True
        before = model.vector.values.copy()
        fit(model, epochs=1)
        assert not (model.vector.values == before).all()
    with pytest.raises(ArgumentError, match="trainable: expected True or False, got 'no'"):
        model.trainable = "no"


def test_the_keras_recipe_a_frozen_base_under_a_new_top():
    base = small_net().cut(after="conv2d_2")
    base.trainable = False
    model = base.extend([layers.Flatten(), layers.Dense(5, activation="softmax")])
    before = model.get_layer("conv2d_1").parameters["kernel"].copy()
    assert model.trainable and model.input_shape == SHAPE
    fit(model)
    np.testing.assert_array_equal(model.get_layer("conv2d_1").parameters["kernel"], before)
