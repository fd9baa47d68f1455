"""Gradient accumulation: batches in pieces train the weights that whole batches do."""

import numpy as np
import pytest
import small_run
from minitorch_cnn.callbacks import Callback, Checkpoint

import minitorch_cnn as mtc
from minitorch_cnn import datasets, layers, optimizers
from minitorch_cnn.errors import ArgumentError, CheckpointError, TrainingError
from minitorch_cnn.parallel.ranks import Alone

N = 47  # 47 = 3 * 12 + 11: the last batch is smaller, and so is its last piece


def net(dtype="float64"):
    return mtc.Sequential(
        [layers.Conv2D(4, (3, 2), activation="relu"), layers.MaxPool2D(2), layers.Dropout(0.25), layers.Flatten(),
         layers.Dense(5, activation="relu"), layers.Dropout(0.3), layers.Dense(3, activation="softmax")],
        input_shape=(9, 7, 2), seed=5, dtype=dtype,
    )  # fmt: skip


def fit(model, size, steps, **options):
    x, labels = small_run.images_and_labels(N)
    settings = {"optimizer": optimizers.SGD(0.1, momentum=0.9, clip_norm=0.5), "epochs": 3, "progress": False,
                "class_weight": {0: 2.0}, "validation_split": 0.1, **options}  # fmt: skip
    return model.fit(x, labels, batch_size=size, gradient_accumulation_steps=steps, **settings)


@pytest.mark.parametrize("size, steps", [(4, 3), (6, 2), (1, 12), (5, 9), (100, 2)])
@pytest.mark.parametrize("options", [
    {}, {"augment": datasets.Augmentation(flip=True, shift=0.2)}, {"shuffle": False, "workers": 0},
    {"class_weight": None, "optimizer": optimizers.Adam(0.003)},
])  # fmt: skip
def test_pieces_train_what_whole_batches_train(size, steps, options):
    whole, pieces = net(), net()
    expected, found = fit(whole, size * steps, 1, **options), fit(pieces, size, steps, **options)
    assert pieces.vector.values == pytest.approx(whole.vector.values, rel=1e-9, abs=1e-11)
    for name in ("loss", "accuracy", "val_loss"):
        assert found[name] == pytest.approx(expected[name], rel=1e-10)
    assert {layer.draws for layer in pieces.layers if layer.random} == {
        layer.draws for layer in whole.layers if layer.random
    }


def test_with_several_inputs_and_outputs_and_cached_features():
    rng = np.random.default_rng(0)
    x, labels = [rng.random((N, 4)), rng.random((N, 3))], [rng.integers(0, 3, N), rng.random((N, 2))]

    def make():
        first, second = mtc.Input((4,)), mtc.Input((3,))
        y = layers.Dropout(0.2)(layers.Concatenate()([layers.Dense(5)(first), second]))
        outputs = [layers.Dense(3, activation="softmax")(y), layers.Dense(2)(y)]
        return mtc.Model([first, second], outputs, seed=1, dtype="float64")

    models = []
    for size, steps in ((12, 1), (5, 3), (4, 3)):
        model = make()
        model.fit(x, labels, optimizer=optimizers.SGD(0.1), batch_size=size, gradient_accumulation_steps=steps,
                  progress=False, sample_weight=np.linspace(0, 2, N))  # fmt: skip
        models.append(model.vector.values)
    assert models[2] == pytest.approx(models[0], rel=1e-10)
    assert models[1] != pytest.approx(models[0], rel=1e-10)  # batches of 15
    frozen = [net().freeze(layers=["conv2d_1"]) for _ in range(2)]
    fit(frozen[0], 12, 1, cache_features=False)
    fit(frozen[1], 4, 3)
    assert frozen[1].vector.values == pytest.approx(frozen[0].vector.values, rel=1e-9, abs=1e-11)


def test_batch_norm_has_the_statistics_of_the_pieces():
    """As documented: a piece is normalised by itself, so one update equals that of no whole batch."""
    rng = np.random.default_rng(2)
    x, labels = rng.random((6, 5)), rng.random((6, 1))

    def model():
        return mtc.Sequential([layers.BatchNorm(), layers.Dense(1)], input_shape=(5,), seed=0, dtype="float64")

    pieces, expected = model(), model()
    pieces.fit(x, labels, optimizer=optimizers.SGD(0.1), batch_size=4, gradient_accumulation_steps=2, shuffle=False,
               progress=False)  # fmt: skip
    sums = 0
    for rows, weight in ((slice(0, 4), 4 / 6), (slice(4, 6), 2 / 6)):
        expected.loss_and_gradients(x[rows], labels[rows], expected.default_loss())
        sums = sums + weight * expected.segments()[0].gradients
    expected.segments()[0].gradients[...] = sums
    optimizers.SGD(0.1).step(expected)
    for key, value in expected.state().items():
        assert pieces.state()[key] == pytest.approx(np.asarray(value), rel=1e-12), key


class Cut(Callback):
    def on_batch_end(self, trainer):
        if (trainer.epoch, trainer.batch) == (1, 2):
            raise KeyError("power")


def test_it_resumes_to_the_same_bits_with_the_same_steps_only(tmp_path):
    whole, path = net("float32"), tmp_path / "c.npz"
    fit(whole, 4, 3)
    with pytest.raises(KeyError, match="power"):
        fit(net("float32"), 4, 3, callbacks=[Checkpoint(path, 0), Cut()])
    with pytest.raises(CheckpointError, match="gradient_accumulation_steps was 3 in the run and is now none"):
        fit(net("float32"), 12, 1, callbacks=[Checkpoint(path)], resume=path)
    resumed = net("float32")
    fit(resumed, 4, 3, callbacks=[Checkpoint(path)], resume=path)
    assert np.array_equal(resumed.vector.values, whole.vector.values)


def test_what_diverges_is_found_in_its_piece_and_wrong_numbers_are_one_line():
    x, labels = small_run.images_and_labels(10)
    x[7] = np.nan
    with pytest.raises(TrainingError, match="in the input: image 8 of 10 in the batch contains numbers that are not"):
        net().fit(x, labels, optimizer=optimizers.SGD(0.1), batch_size=5, gradient_accumulation_steps=2, shuffle=False,
                  progress=False)  # fmt: skip
    for steps in (0, 1.5, "2"):
        with pytest.raises(ArgumentError, match="fit: gradient_accumulation_steps: expected a whole number of at leas"):
            fit(net(), 4, steps)

    class Two(Alone):
        size = 2

    with pytest.raises(ArgumentError, match="gradient_accumulation_steps: expected 1 where several processes train"):
        fit(net(), 4, 2, ranks=Two())
