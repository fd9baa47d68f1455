"""ModelCheckpoint: files of every epoch or of the best, restored, resumed, and refused in time."""

import numpy as np
import pytest
import small_run
from minitorch_cnn.callbacks import Callback, Checkpoint, ModelCheckpoint

import minitorch_cnn as mtc
from minitorch_cnn import layers, optimizers
from minitorch_cnn.errors import ArgumentError, CheckpointError, WeightsError

VALUES = [0.9, 0.5, 0.7, 0.5, 0.6]  # the second epoch is the best; the fourth is no better


class Given(Callback):
    """Puts given values where the validation loss would stand, and keeps each epoch's weights."""

    def __init__(self):
        self.weights = []

    def on_epoch_end(self, trainer, results):
        results["val_loss"] = VALUES[trainer.epoch]
        self.weights.append(trainer.model.vector.values.copy())


def fit(model, *callbacks, **options):
    x, labels = small_run.images_and_labels(20)
    options = {"validation": (x[:5], labels[:5]), "epochs": len(VALUES), "optimizer": optimizers.SGD(0.1), **options}
    return model.fit(x, labels, batch_size=8, callbacks=callbacks, progress=False, **options)


FILES = pytest.mark.parametrize("name, weights_only", [
    ("best.npz", False), ("best.keras", False), ("best.h5", False), ("best.weights.h5", True), ("old.h5", True),
])  # fmt: skip


@FILES
def test_the_best_epoch_is_saved_and_restored(tmp_path, name, weights_only):
    given, model = Given(), small_run.small_model()
    best = ModelCheckpoint(tmp_path / name, save_best_only=True, save_weights_only=weights_only, restore_best=True)
    fit(model, given, best)
    assert np.array_equal(model.vector.values, given.weights[1])
    if not weights_only:
        again = mtc.load_model(tmp_path / name)
        x = small_run.images_and_labels(4)[0]
        np.testing.assert_array_equal(again.predict(x), model.predict(x))
    fit(small_run.small_model(), Given(), best, epochs=1)  # begins anew: its first epoch is its best
    assert best.best == VALUES[0]


def test_every_epoch_has_a_file_of_its_name(tmp_path, capsys):
    given = Given()
    fit(small_run.small_model(), given, ModelCheckpoint(tmp_path / "e{epoch:02d}-{val_loss:.2f}.npz", verbose=1))
    names = [f"e{number:02d}-{value:.2f}.npz" for number, value in enumerate(VALUES, 1)]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    for path, weights in zip(sorted(tmp_path.iterdir()), given.weights):
        assert np.array_equal(mtc.load_model(path).vector.values, weights)
    assert f"epoch 2: saved {tmp_path / names[1]}" in "".join(capsys.readouterr())


def test_every_epoch_is_saved_without_a_validation_too(tmp_path):
    fit(small_run.small_model(), ModelCheckpoint(tmp_path / "{epoch}.npz"), validation=None, epochs=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.npz", "2.npz"]


def test_the_best_with_its_epoch_in_the_name_is_found_again(tmp_path):
    given, model = Given(), small_run.small_model()
    fit(model, given, ModelCheckpoint(tmp_path / "{epoch}.npz", save_best_only=True, restore_best=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.npz", "2.npz"]
    assert np.array_equal(model.vector.values, given.weights[1])


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_resumed_training_knows_its_best_epoch(tmp_path, epoch):
    class Cut(Callback):
        def on_batch_end(self, trainer):
            if (trainer.epoch, trainer.batch) == (epoch, 2):
                raise KeyError("power")

    def best(folder):
        return ModelCheckpoint(tmp_path / folder / "best.npz", save_best_only=True, restore_best=True)

    whole = small_run.small_model()
    fit(whole, Given(), best("whole"))
    path = tmp_path / "c.npz"
    with pytest.raises(KeyError, match="power"):
        fit(small_run.small_model(), Given(), best("cut"), Checkpoint(path, 0), Cut())
    model = small_run.small_model()
    fit(model, Given(), best("cut"), Checkpoint(path), resume=path)
    assert np.array_equal(model.vector.values, whole.vector.values)
    for key, array in model.state().items():
        assert np.array_equal(array, whole.state()[key]), key


@pytest.mark.parametrize("ending", [".npz", ".keras", ".h5"])
def test_a_missing_folder_is_made_for_every_format(ending, tmp_path):
    fit(small_run.small_model(), Given(), ModelCheckpoint(tmp_path / "new" / "folder" / f"best{ending}"))
    assert (tmp_path / "new" / "folder" / f"best{ending}").is_file()
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(CheckpointError, match="cannot be written"):
        fit(small_run.small_model(), Given(), ModelCheckpoint(tmp_path / "file" / f"best{ending}"))


def test_a_file_that_is_gone_costs_no_weights(tmp_path):
    class Remove(Callback):
        def on_epoch_end(self, trainer, results):
            if trainer.epoch == len(VALUES) - 1:
                (tmp_path / "best.npz").unlink()

    model, given = small_run.small_model(), Given()
    best = ModelCheckpoint(tmp_path / "best.npz", save_best_only=True, restore_best=True)
    with pytest.raises(WeightsError, match=r"best.npz: there is no model file here") as caught:
        fit(model, given, best, Remove())
    assert np.array_equal(model.vector.values, given.weights[-1]) and len(caught.value.history["loss"]) == 5


WRONG = [
    ((3,), {}, "ModelCheckpoint: filepath: expected the path of a file, got 3"),
    (("a.npz",), {"restore_best": True}, "ModelCheckpoint: restore_best: expected save_best_only=True with it"),
    (("{epoch.npz",), {}, "ModelCheckpoint: filepath: '{epoch.npz' cannot be filled in"),
    (("{}.npz",), {}, "ModelCheckpoint: filepath: '{}.npz' cannot be filled in"),
    (("a.npz",), {"save_weights_only": True}, "ModelCheckpoint: filepath: expected a name that ends in .h5, got"),
    (("a.npz",), {"mode": "best"}, "ModelCheckpoint: mode: expected one of auto, min, max, got 'best'"),
]


@pytest.mark.parametrize("arguments, options, message", WRONG)
def test_wrong_arguments_are_one_line(arguments, options, message):
    with pytest.raises(ArgumentError, match=message) as caught:
        ModelCheckpoint(*arguments, **options)
    assert "\n" not in str(caught.value)


def test_what_could_not_be_saved_is_refused_before_the_first_batch(tmp_path):
    class Never(Callback):
        def on_batch_end(self, trainer):
            raise AssertionError("trained")

    class Dense(layers.Dense):
        pass

    own = mtc.Sequential([layers.Flatten(), Dense(3, activation="softmax")], input_shape=(9, 7, 2), seed=0)
    for model, callback, message in (
        (small_run.small_model(), ModelCheckpoint("best.pth"), "expected a name that ends in .npz, .keras or .h5, got"),
        (own, ModelCheckpoint("best.npz"), "dense_1: expected a layer of minitorch_cnn.layers, got Dense"),
    ):
        with pytest.raises(ArgumentError, match=message):
            fit(model, callback, Never())
    with pytest.raises(ArgumentError, match="ModelCheckpoint: monitors 'val_loss', but there is no validation"):
        fit(small_run.small_model(), ModelCheckpoint("a.npz", save_best_only=True), Never(), validation=None)
    with pytest.raises(ArgumentError, match=r"filepath: expected one of epoch, loss, .* in braces, got") as caught:
        fit(small_run.small_model(), ModelCheckpoint(tmp_path / "{vall_loss}.npz"), epochs=1)
    assert not caught.value.history
