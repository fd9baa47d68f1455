"""`class_weight`, `sample_weight` and `validation_split`: Keras's numbers, and the same under everything fit can do."""

import numpy as np
import pytest
import small_run
import weights_in_keras
from minitorch_cnn.callbacks import Callback, Checkpoint

import minitorch_cnn as mtc
from minitorch_cnn import datasets, layers, losses, optimizers
from minitorch_cnn.errors import ArgumentError, CheckpointError, LabelError, ShapeError

# name: (loss of each epoch, validation loss of each epoch, trained kernel), from weights_in_keras.py with Keras 3.15
RECORDED = {
    'classes': (
        [1.4040058, 1.1353632],
        [1.2739074, 1.3594695],
        [0.6612763, 0.2309903, -0.3301889, -0.4675506, -0.2202536, 0.0078172, 0.311736, 0.3886513, 0.083899,
         -0.4396279, -0.5291196, 0.0958595],
    ),
    'one-hot': (
        [1.4040058, 1.1353632],
        [1.2739074, 1.3594695],
        [0.6612763, 0.2309903, -0.3301889, -0.4675506, -0.2202536, 0.0078172, 0.311736, 0.3886513, 0.083899,
         -0.4396279, -0.5291196, 0.0958595],
    ),
    'samples': (
        [1.4830682, 1.3271377],
        [1.2407449, 1.3722864],
        [0.7825246, 0.1780135, -0.3984604, -0.5717172, 0.0580338, -0.1663035, 0.2173306, 0.3699166, 0.197039,
         -0.3111337, -0.8025798, 0.2408254],
    ),
    'binary': (
        [1.0553881, 0.8823119],
        [0.8046681, 0.8993417],
        [0.4288196, 0.1026105, -0.0937199, -0.3569244],
    ),
    'several': (
        [0.9889739, 0.9501621],
        [0.7749557, 0.7814837],
        [0.3052067, 0.3868091, 0.0140969, -0.4617575, -0.1892794, 0.0166086, 0.2224715, 0.3759813],
    ),
    'squares': (
        [1.0605242, 1.3654346],
        [0.5699779, 0.4253626],
        [0.2734654, 0.2861115, 0.5042388, -0.1225455, -0.2838435, 0.0298962, -0.2433026, 0.0333465],
    ),
}  # fmt: skip
LOSSES = {"classes": losses.CrossEntropy, "one-hot": losses.CrossEntropy, "samples": losses.CrossEntropy,
          "binary": losses.BinaryCrossEntropy, "several": losses.BinaryCrossEntropy,
          "squares": losses.MeanSquaredError}  # fmt: skip


@pytest.mark.parametrize("name", RECORDED)
def test_the_numbers_of_keras(name):
    activation, units, _, _ = weights_in_keras.CASES[name]
    x, labels, kernel, settings = weights_in_keras.data(name)
    model = mtc.Sequential([layers.Dense(units, activation=activation)], input_shape=(4,), seed=0)
    model.layers[0].load({"kernel": kernel, "bias": np.zeros(units)})
    history = model.fit(
        x, labels, loss=LOSSES[name](), optimizer=optimizers.SGD(weights_in_keras.RATE), epochs=weights_in_keras.EPOCHS,
        batch_size=weights_in_keras.BATCH, shuffle=False, validation_split=0.3, progress=False, **settings,
    )  # fmt: skip
    losses_of_epochs, validation, trained = RECORDED[name]
    assert history["loss"] == pytest.approx(losses_of_epochs, abs=2e-6)
    assert history["val_loss"] == pytest.approx(validation, abs=2e-6)
    assert model.layers[0].parameters["kernel"].reshape(-1) == pytest.approx(trained, abs=2e-6)


@pytest.mark.parametrize("loss, shape, labels", [
    (losses.CrossEntropy(), (5, 3), [2, 0, 1, 1, 2]),
    (losses.BinaryCrossEntropy(), (5, 1), [1, 0, 1, 1, 0]),
    (losses.BinaryCrossEntropy(), (5, 2), np.arange(10).reshape(5, 2) % 2),
    (losses.MeanSquaredError(), (5, 2, 3, 2), np.arange(60).reshape(5, 2, 3, 2) / 60),
])  # fmt: skip
def test_each_loss_is_the_sum_of_weighted_examples(loss, shape, labels):
    """Against the loss of every example alone, from scores and from predictions."""
    rng, labels = np.random.default_rng(3), np.asarray(labels)
    weights = np.array([0, 0.5, 1, 2, 3.5])
    for method in ("from_scores", "value_and_gradient"):
        if not hasattr(loss, method):
            continue
        y = rng.random(shape) * 0.8 + 0.1
        value, gradient = getattr(loss, method)(y, labels, weights)
        alone = [getattr(loss, method)(y[i : i + 1], labels[i : i + 1]) for i in range(5)]
        assert value == pytest.approx(sum(w * one for w, (one, _) in zip(weights, alone)) / 5)
        wanted = np.concatenate([w * dy / 5 for w, (_, dy) in zip(weights, alone)])
        assert gradient == pytest.approx(wanted, rel=1e-12) and gradient.dtype == np.float64
    with pytest.raises(ShapeError, match=r"weights: expected one for each of the 5 examples, got \(4,\)"):
        loss.value_and_gradient(y, labels, weights[:4])


def test_a_weight_of_two_is_an_example_twice_and_evaluate_agrees():
    x, labels = small_run.images_and_labels(21)
    model = small_run.small_model()
    weights = np.random.default_rng(0).integers(0, 3, 21)
    twice = np.repeat(np.arange(21), weights)
    measured = model.evaluate(x, labels, sample_weight=weights, batch_size=8)
    repeated = model.evaluate(x[twice], labels[twice], batch_size=5)
    assert measured["loss"] * 21 == pytest.approx(repeated["loss"] * len(twice), rel=1e-5)
    assert measured["accuracy"] == model.evaluate(x, labels)["accuracy"]  # every example counts once there


def weighted_fit(model, x, labels, **options):
    weights = np.random.default_rng(4).random(len(x))
    options = {"optimizer": optimizers.SGD(0.05, momentum=0.9), "epochs": 2, "batch_size": 13, "progress": False,
               "sample_weight": weights, "validation_split": 0.2, **options}  # fmt: skip
    return model.fit(x, labels, **options)


def test_workers_and_a_frozen_base_change_nothing():
    """The weights stay with their images when batches are prepared in threads, and when features replace images."""
    x, labels = small_run.images_and_labels()
    trained = []
    for options in ({"workers": 0}, {"workers": 3}, {"cache_features": False}, {"cache_features": True}):
        model = small_run.small_model()
        if "cache_features" in options:
            model.freeze(layers=["conv2d_1", "batch_norm_1"])
        history = weighted_fit(model, x, labels, **options)
        trained.append((model.get_layer("dense_1").parameters["kernel"], history["loss"], history["val_loss"]))
    for first, second in (trained[:2], trained[2:]):
        assert first[0] == pytest.approx(second[0], abs=1e-6)
        assert first[1:] == (pytest.approx(second[1], rel=1e-6), pytest.approx(second[2], rel=1e-6))
    assert np.array_equal(trained[0][0], trained[1][0])


class Cut(Callback):
    def on_batch_end(self, trainer):
        if (trainer.epoch, trainer.batch) == (1, 2):
            raise KeyError("power")


def test_a_resumed_training_has_the_same_bits_and_refuses_other_weights(tmp_path):
    x, labels = small_run.images_and_labels()
    whole = small_run.small_model()
    weighted_fit(whole, x, labels)
    path = tmp_path / "c.npz"
    with pytest.raises(KeyError, match="power"):
        weighted_fit(small_run.small_model(), x, labels, callbacks=[Checkpoint(path, 0), Cut()])
    for options, message in (
        ({"sample_weight": np.ones(50)}, "the training images have other weights than in the run"),
        ({"sample_weight": None}, "the training images have other weights than in the run"),
        ({"validation_split": 0.3}, "the training images had shape 40x9x7x2 in the run, now they have 35x9x7x2"),
    ):
        with pytest.raises(CheckpointError, match=message):
            weighted_fit(small_run.small_model(), x, labels, callbacks=[Checkpoint(path)], resume=path, **options)
    resumed = small_run.small_model()
    weighted_fit(resumed, x, labels, callbacks=[Checkpoint(path)], resume=path)
    for key, array in whole.state().items():
        assert np.array_equal(array, resumed.state()[key]), key


def test_several_outputs_have_the_weights_of_their_example():
    rng = np.random.default_rng(0)
    x, numbers, targets = rng.random((9, 4), dtype=np.float32), rng.integers(0, 3, 9), rng.random((9, 2))
    weights = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1.0])

    def fit(rows, **options):
        inner = mtc.Input((4,))
        outputs = [layers.Dense(3, activation="softmax")(inner), layers.Dense(2)(inner)]
        model = mtc.Model(inner, outputs, seed=2)
        model.fit(x[rows], [numbers[rows], targets[rows]], optimizer=optimizers.SGD(0.1), batch_size=9, shuffle=False,
                  progress=False, **options)  # fmt: skip
        return model

    weighted = fit(slice(0, 9), sample_weight=weights)
    part = fit(slice(3, 9), sample_weight=np.full(6, 6 / 9))  # 6 examples, divided by 9 as well
    for key, array in weighted.state().items():
        assert array == pytest.approx(part.state()[key], abs=1e-6), key


def test_the_split_takes_the_last_ones_before_shuffling():
    x, labels = small_run.images_and_labels(10)
    seen = []

    class Watch(Callback):
        def on_train_begin(self, trainer):
            seen.append((trainer.batches.images, trainer.validation[0], trainer.validation[1]))

    small_run.small_model().fit(x, labels, optimizer=optimizers.SGD(0.1), validation_split=0.25, callbacks=[Watch()],
                                progress=False)  # fmt: skip
    ((train, held_out, answers),) = seen
    assert np.array_equal(train, x[:7]) and np.array_equal(held_out, x[7:])  # floor(10 * 0.75) as in Keras
    assert np.array_equal(answers, labels[7:])


def test_validation_may_have_weights_as_in_keras():
    x, labels = small_run.images_and_labels(20)
    weights = np.linspace(0, 2, 20)
    model = small_run.small_model()
    history = model.fit(x, labels, optimizer=optimizers.SGD(0.0), validation=(x, labels, weights), progress=False)
    assert history["val_loss"][0] == pytest.approx(model.evaluate(x, labels, sample_weight=weights)["loss"])
    assert history["val_loss"][0] != pytest.approx(model.evaluate(x, labels)["loss"])


class OwnLoss(losses.Loss):
    def value_and_gradient(self, prediction, labels):
        return 0.0, prediction * 0


WRONG = [
    ({"validation_split": 1.0}, "fit: validation_split: expected a number from 0 to below 1, got 1.0"),
    ({"validation_split": -0.1}, "fit: validation_split: expected a number from 0 to below 1, got -0.1"),
    ({"validation_split": "half"}, "fit: validation_split: expected a number from 0 to below 1, got 'half'"),
    ({"validation_split": 0.99}, "validation_split: 0.99 of 20 images would leave 0 for training and 20 for"),
    ({"validation_split": 0.5, "validation": (1, 2)}, "validation: expected an array or a sequence, got int"),
    ({"class_weight": [1, 2]}, r"fit: class_weight: expected {class number: weight}, got \[1, 2\]"),
    ({"class_weight": {3: 1.0}}, "fit: class_weight: expected class numbers 0 to 2, got 3"),
    ({"class_weight": {"cat": 1.0}}, "fit: class_weight: expected class numbers 0 to 2, got 'cat'"),
    ({"class_weight": {1: -1}}, "fit: class_weight: class 1: expected a number of at least 0, got -1"),
    ({"class_weight": {1: 2}, "sample_weight": np.ones(20)}, "fit: expected class_weight or sample_weight, got both"),
    ({"sample_weight": np.ones(19)}, "fit: sample_weight: expected a number for each of the 20 examples, got float64"),
    ({"sample_weight": [[1], [1, 2]]}, "fit: sample_weight: expected a number for each of the 20 examples"),
    ({"sample_weight": ["a"] * 20}, "fit: sample_weight: expected a number for each of the 20 examples, got"),
    ({"sample_weight": np.full(20, np.nan)}, "fit: sample_weight: expected numbers of at least 0, got nan to nan"),
    ({"sample_weight": -np.ones(20)}, "fit: sample_weight: expected numbers of at least 0, got -1.0 to -1.0"),
    ({"sample_weight": np.ones(20), "loss": OwnLoss()},
     r"OwnLoss.value_and_gradient takes no weights; define value_and_gradient\(prediction, labels, weights\)"),
]  # fmt: skip


@pytest.mark.parametrize("options, message", WRONG)
def test_what_does_not_fit_is_one_line_before_anything_is_trained(options, message):
    x, labels = small_run.images_and_labels(20)
    with pytest.raises(ArgumentError, match=message) as caught:
        small_run.small_model().fit(x, labels, optimizer=optimizers.SGD(0.1), progress=False, **options)
    assert "\n" not in str(caught.value)


def test_what_has_no_classes_takes_no_class_weight_and_a_folder_no_split():
    x = np.zeros((4, 3), np.float32)
    model = mtc.Sequential([layers.Dense(2, activation="sigmoid")], input_shape=(3,), seed=0)
    with pytest.raises(ArgumentError, match="class_weight: expected one class for each image, which this model does"):
        model.fit(x, np.zeros((4, 2)), optimizer=optimizers.SGD(0.1), class_weight={0: 2}, progress=False)
    regression = mtc.Sequential([layers.Dense(1)], input_shape=(3,), seed=0)
    with pytest.raises(ArgumentError, match="class_weight: expected class numbers 0 to 1 as labels"):
        regression.fit(x, np.full(4, 0.5), optimizer=optimizers.SGD(0.1), class_weight={0: 2}, progress=False)
    folder = datasets.image_folder.__globals__["ImageFolder"](["a.png"] * 4, [0, 0, 1, 1], 9, 7)
    model = mtc.Sequential([layers.Flatten(), layers.Dense(2, activation="softmax")], input_shape=(9, 7, 3), seed=0)
    with pytest.raises(ArgumentError, match="validation_split: expected images in an array, got ImageFolder; for a"):
        model.fit(folder, folder.labels, optimizer=optimizers.SGD(0.1), validation_split=0.5, progress=False)
    with pytest.raises(LabelError, match="expected a label for each"):
        model.evaluate(np.zeros((4, 9, 7, 3)), [0, 1, 1], sample_weight=[1, 1, 1])
