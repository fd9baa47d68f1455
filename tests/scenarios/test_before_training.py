"""What is wrong with a training is said before the first batch, not after the first epoch."""

import numpy as np
import pytest
from minitorch_cnn.callbacks import Callback, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from scenario_models import LABELS, X, small_net

from minitorch_cnn import optimizers
from minitorch_cnn.errors import ArgumentError, LabelError, ShapeError


class NoBatch(Callback):
    def on_batch_end(self, trainer):
        pytest.fail("a batch was trained on")


def fit(*callbacks, model=None, **options):
    options = {"optimizer": optimizers.SGD(0.01), "progress": False, **options}
    return (model or small_net()).fit(X, LABELS, callbacks=callbacks, **options)


VALIDATIONS = [
    ((X[:0], LABELS[:0]), ShapeError, "fit: validation: expected at least one image, got none"),
    ((X[:, :-1], LABELS), ShapeError, r"fit: validation: expected images of shape \(N, 20, 18, 3\), got \(16, 19,"),
    ((X, LABELS + 3), LabelError, "fit: validation labels: CrossEntropy: expected class numbers 0 to 4, got 3 to 7"),
    (X, ArgumentError, r"fit: validation: expected a pair \(x, labels\).*, got ndarray"),
]


@pytest.mark.parametrize("validation, error, message", VALIDATIONS)
def test_a_validation_that_cannot_be_measured(validation, error, message):
    with pytest.raises(error, match=message):
        fit(NoBatch(), validation=validation)


@pytest.mark.parametrize(
    "kind", [EarlyStopping, ReduceLROnPlateau, lambda name: ModelCheckpoint("x.npz", name, save_best_only=True)]
)
@pytest.mark.parametrize(
    "monitor, validation, message",
    [
        ("val_loss", None, "monitors 'val_loss', but there is no validation"),
        ("val_los", (X, LABELS), "expected one of loss, accuracy, learning_rate, val_loss, .* got 'val_los'"),
        ("acc", None, "expected one of loss, accuracy, learning_rate, seconds to monitor, got 'acc'"),
    ],
)
def test_a_callback_that_watches_what_is_not_there(kind, monitor, validation, message):
    model = small_net().freeze(through="conv2d_2")
    model.forward = None
    with pytest.raises(ArgumentError, match=message):
        fit(kind(monitor), model=model, validation=validation)  # and before the features of the base are computed


def test_a_callback_of_ones_own_may_add_what_another_one_watches():
    class Add(Callback):
        def on_batch_end(self, trainer):
            pass

        def on_epoch_end(self, trainer, results):
            results["error"] = 1 - results["accuracy"]

    stop = EarlyStopping("error", patience=0)
    fit(Add(), stop, epochs=2)
    assert 0 <= stop.best <= 1


def test_the_names_in_the_history_are_those_that_were_announced():
    announced = {}

    class Ask(Callback):
        def on_train_begin(self, trainer):
            announced["names"] = trainer.names_of_results()

    for validation in (None, (X, LABELS)):
        history = fit(Ask(), validation=validation)
        assert list(history) == announced["names"]
    history = small_net().fit(X, np.eye(5)[LABELS], optimizer=optimizers.SGD(0), progress=False, callbacks=[Ask()])
    assert list(history) == announced["names"]
