"""More epochs on a training that has ended: by another fit, or from its checkpoint."""

import numpy as np
import pytest
from minitorch_cnn.callbacks import Checkpoint, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from scenario_models import LABELS, X, small_net

from minitorch_cnn import datasets, optimizers
from minitorch_cnn.errors import CheckpointError

AUGMENT = datasets.Augmentation(flip=True, shift=0.2)


def fit(model, epochs, *callbacks, **options):
    options = {"optimizer": optimizers.Adam(0.01), "validation": (X[:8], LABELS[:8]), "class_weight": {0: 2.0},
               "augment": AUGMENT, **options}  # fmt: skip
    return model.fit(X, LABELS, epochs=epochs, batch_size=7, callbacks=callbacks, progress=False, **options)


@pytest.mark.parametrize("parts", [(2, 3), (1, 1, 3), (5, 0)])
def test_another_fit_goes_on_where_the_last_one_ended(parts):
    """With the same optimizer the sum is what one fit for all epochs trains, to the same bits."""
    whole, model, optimizer = small_net(), small_net(), optimizers.Adam(0.01)
    expected = fit(whole, sum(parts))
    losses = [loss for epochs in parts for loss in fit(model, epochs, optimizer=optimizer).get("loss", [])]
    assert losses == expected["loss"]
    np.testing.assert_array_equal(model.vector.values, whole.vector.values)


def test_a_finished_run_is_continued_from_its_checkpoint(tmp_path):
    def callbacks(folder):
        path = tmp_path / folder
        return (Checkpoint(path / "c.npz"), EarlyStopping(patience=9), ReduceLROnPlateau(patience=1, factor=0.5),
                ModelCheckpoint(path / "best.npz", save_best_only=True, restore_best=False))  # fmt: skip

    whole, model = small_net(), small_net()
    expected = fit(whole, 6, *callbacks("whole"))
    fit(small_net(), 4, *callbacks("parts"))
    found = fit(model, 6, *callbacks("parts"), resume=tmp_path / "parts" / "c.npz")
    assert {name: row for name, row in found.items() if name != "seconds"} == {
        name: row for name, row in expected.items() if name != "seconds"
    }
    for key, value in whole.state().items():
        np.testing.assert_array_equal(np.asarray(model.state()[key]), np.asarray(value), err_msg=str(key))


def test_a_finished_run_is_not_continued_with_other_weights_of_its_classes(tmp_path):
    path = tmp_path / "c.npz"
    fit(small_net(), 1, Checkpoint(path))
    with pytest.raises(CheckpointError, match="the training images have other weights than in the run"):
        fit(small_net(), 2, Checkpoint(path), resume=path, class_weight={0: 3.0})
