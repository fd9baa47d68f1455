"""Numbers that go wrong end the training at the first bad step, which names the layer; odd data is no trouble."""

import numpy as np
import pytest
from minitorch_cnn.callbacks import Callback, Checkpoint
from minitorch_cnn.checkpoint import load
from minitorch_cnn.preprocessing import Standardize

from minitorch_cnn import Sequential, layers, losses, optimizers
from minitorch_cnn.arrays import definitions_only
from minitorch_cnn.errors import LabelError
from minitorch_cnn.training import TrainingError

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.fixture(autouse=True)
def nothing_to_compile():
    with definitions_only():
        yield


def small_model(**options):
    return Sequential(
        [
            layers.Conv2D(3, 3, activation="relu"),
            layers.BatchNorm(),
            layers.Dropout(0.2),
            layers.Flatten(),
            layers.Dense(4, activation="relu"),
            layers.Dense(3, activation="softmax"),
        ],
        input_shape=(6, 5, 2),
        seed=1,
        **options,
    )


def some_data(images=20):
    rng = np.random.default_rng(0)
    return rng.random((images, 6, 5, 2), dtype=np.float32), np.arange(images) % 3


class Spoil(Callback):
    """Do something to the model after a batch; remembers the weights of the step before the end."""

    def __init__(self, batch, act):
        self.batch, self.act = batch, act

    def on_batch_end(self, trainer):
        if trainer.batch == self.batch:
            self.act(trainer.model)
        self.weights = trainer.model.vector.values.copy()


def fit(model, x, labels, callbacks=(), **options):
    settings = dict(optimizer=optimizers.SGD(0.1), batch_size=5, progress=False, shuffle=False, workers=0)
    return model.fit(x, labels, callbacks=callbacks, **{**settings, **options})


def set_parameter(layer, name, value):
    def act(model):
        model.get_layer(layer).parameters[name].reshape(-1)[1] = value

    return act


BEGINNINGS = [
    (set_parameter("dense_1", "kernel", np.nan), "in dense_1: its kernel is not finite"),
    (set_parameter("batch_norm_1", "moving_mean", np.inf), "in batch_norm_1: its moving_mean is not finite"),
    (set_parameter("conv2d_1", "kernel", 3e38), "in the forward pass of batch_norm_1, from inputs of up to"),
    (set_parameter("batch_norm_1", "gamma", 3e38), "in the forward pass of batch_norm_1, from inputs of up to"),
    (set_parameter("dense_1", "bias", 3e38), "in the loss, from outputs of up to"),
]


@pytest.mark.parametrize("act, place", BEGINNINGS, ids=[place for _, place in BEGINNINGS])
def test_the_layer_where_it_began_is_named(act, place, tmp_path):
    if "moving_mean" in place:  # what the batches' own statistics hide, a frozen layer shows
        model = small_model()
        model.get_layer("batch_norm_1").trainable = False
    else:
        model = small_model()
    spoil = Spoil(2, act)
    with pytest.raises(TrainingError) as caught:
        fit(model, *some_data(), callbacks=[Checkpoint(tmp_path / "c.npz", 0), spoil])
    message = str(caught.value)
    assert "in epoch 1, batch 3; it began " + place in message
    assert message.endswith("try a learning rate below 0.1, or clip_norm") and "\n" not in message
    # The bad step changed nothing, and no checkpoint has what is not finite.
    assert np.array_equal(model.vector.values, spoil.weights, equal_nan=True)
    arrays, facts = load(tmp_path / "c.npz")
    assert facts["batch"] == 2 and all(np.isfinite(array).all() for array in arrays.values())


def test_an_image_that_is_no_image():
    x, labels = some_data()
    x[13, 2, 2, 0] = np.nan
    with pytest.raises(TrainingError, match=r"batch 3; it began in the input: image 4 of 5 in the batch.*the images$"):
        fit(small_model(), x, labels)


def test_a_loss_that_is_no_number():
    class Broken(losses.CrossEntropy):
        def from_scores(self, scores, labels):
            value, gradient = super().from_scores(scores, labels)
            return (np.inf if labels[0] == 10 % 3 else value), gradient

    wanted = r"the loss is inf in epoch 1, batch 3; it began in the loss, from outputs of up to [\d.]+: .*below 0.1"
    with pytest.raises(TrainingError, match=wanted):
        fit(small_model(), *some_data(), loss=Broken())
    x, labels = some_data()
    with pytest.raises(TrainingError, match=r"in epoch 1, batch 1; .* in the loss, .*: check the labels and the loss"):
        fit(small_model(), x, np.roll(labels, -1), loss=Broken())


class Root(layers.Layer):
    """A layer of somebody's own that has no answer to numbers below zero."""

    def output_shape_for(self, input_shape):
        return input_shape

    def forward(self, x, training=False):
        self.cache = x
        return np.sqrt(x)

    def backward(self, dy, need_dx=True):
        return dy / 2 / np.sqrt(self.cache)


def test_a_layer_in_the_middle_that_makes_no_numbers():
    model = Sequential(
        [layers.Conv2D(3, 3), layers.BatchNorm(), Root(), layers.Flatten(), layers.Dense(3, activation="softmax")],
        input_shape=(6, 5, 2),
        seed=1,
    )
    with pytest.raises(
        TrainingError, match=r"batch 1; it began in the forward pass of root_1, from inputs .*: check the images and"
    ):
        fit(model, *some_data())


def frozen_below_dense(kernel_value=None):
    """A model whose base is frozen, so that its features are computed once."""
    model = small_model()
    model.freeze(through="batch_norm_1")
    if kernel_value is not None:
        set_parameter("conv2d_1", "kernel", kernel_value)(model)
    return model


def test_a_frozen_base_that_came_with_numbers_that_are_none():
    wanted = (
        r"the features computed by the frozen base are not finite; it began in conv2d_1: its kernel is not finite:"
        r" check the initial weights"
    )
    with pytest.raises(TrainingError, match=wanted):
        fit(frozen_below_dense(np.nan), *some_data())
    with pytest.raises(TrainingError, match=r"began in conv2d_1: its kernel .*: check the initial weights"):
        fit(frozen_below_dense(np.nan), *some_data(), cache_features=False)


def test_features_of_an_image_that_is_none():
    x, labels = some_data(40)
    x[33, 2, 2, 0] = np.nan
    wanted = r"features .* began in the input: image 34 of 40 contains numbers that are not finite: check the images$"
    with pytest.raises(TrainingError, match=wanted):
        fit(frozen_below_dense(), x, labels)
    x, labels = some_data()
    validation = x.copy()
    validation[7] = np.inf
    with pytest.raises(TrainingError, match=r"features .* image 8 of 20 .*: check the images"):
        fit(frozen_below_dense(), x, labels, validation=(validation, labels))


def test_training_above_a_frozen_base_names_the_layer():
    model = frozen_below_dense()
    with pytest.raises(TrainingError, match=r"batch 3; it began in dense_2: its kernel is not finite.*rate below"):
        fit(model, *some_data(), callbacks=[Spoil(2, set_parameter("dense_2", "kernel", np.inf))])


def test_a_validation_that_goes_wrong():
    """The training images are in order; the first epoch shows that the others are not."""
    x, labels = some_data()
    wrong = x.copy()
    wrong[17, 0, 0, 1] = np.nan
    with pytest.raises(
        TrainingError, match=r"^the validation loss is nan after epoch 1; .*: image 18 of 20 .* the images$"
    ):
        fit(small_model(), x, labels, validation=(wrong, labels))
    model = small_model()
    with pytest.raises(
        TrainingError, match=r"after epoch 1; it began in batch_norm_1: its moving_variance is not finite"
    ):
        fit(model, x, labels, validation=(x, labels),
            callbacks=[Spoil(4, set_parameter("batch_norm_1", "moving_variance", np.nan))])  # fmt: skip


def test_weights_that_were_none_before_the_first_step():
    model = small_model()
    set_parameter("dense_1", "kernel", np.nan)(model)
    with pytest.raises(TrainingError, match=r"batch 1; it began in dense_1: its kernel .*check the initial weights"):
        fit(model, *some_data())


def test_a_gradient_that_is_no_number_stops_before_the_update():
    class Broken(losses.CrossEntropy):
        def from_scores(self, scores, labels):
            value, gradient = super().from_scores(scores, labels)
            return value, gradient if labels[0] != 15 % 3 or np.isnan(scores).any() else gradient / 0

    model = small_model()
    with pytest.raises(TrainingError, match=r"a gradient is not finite, the loss is \d.*in the gradient that dense_2"):
        fit(model, *some_data(), loss=Broken())
    assert np.isfinite(model.vector.values).all()


def test_a_learning_rate_that_is_too_large_leaves_a_finite_checkpoint(tmp_path):
    with pytest.raises(TrainingError, match=r"it began in \w+"):
        fit(small_model(), *some_data(), optimizer=optimizers.SGD(1e38), epochs=5,
            callbacks=[Checkpoint(tmp_path / "c.npz", 0)])  # fmt: skip
    if (tmp_path / "c.npz").exists():
        assert all(np.isfinite(array).all() for array in load(tmp_path / "c.npz")[0].values())


WRONG_LABELS = [
    (lambda labels: np.where(labels == 2, 3, labels), "expected class numbers 0 to 2, got 0 to 3"),
    (lambda labels: labels - 1, "expected class numbers 0 to 2, got -1 to 1"),
    (lambda labels: labels + 0.5, "expected class numbers 0 to 2"),
    (lambda labels: np.where(labels == 2, np.nan, labels), "expected numbers, got some that are not finite"),
    (lambda labels: np.eye(4)[labels], "expected labels of shape"),
    (lambda labels: labels.astype(str), "expected labels that are numbers"),
]


@pytest.mark.parametrize("part", ["training", "validation"])
@pytest.mark.parametrize("change, message", WRONG_LABELS)
def test_wrong_labels_are_refused_before_anything_is_trained(change, message, part):
    x, labels = some_data()
    model = small_model()
    before = model.vector.values.copy()
    wrong = change(labels)
    with pytest.raises(LabelError, match=f"fit: {part} labels: .*{message}"):
        if part == "training":
            fit(model, x, wrong)
        else:
            fit(model, x, labels, validation=(x, wrong))
    assert np.array_equal(model.vector.values, before)


def test_a_validation_label_is_missing():
    x, labels = some_data()
    with pytest.raises(LabelError, match="a label for each of the 20 validation images, got 19"):
        fit(small_model(), x, labels, validation=(x, labels[:-1]))


@pytest.mark.parametrize("pixel", [0, 7, 255])
def test_constant_images(pixel):
    """Nothing to learn from, and nothing that divides by their spread of zero."""
    x = np.full((20, 6, 5, 2), pixel, np.uint8)
    model = small_model(preprocessing=Standardize.of(x))
    history = fit(model, x, np.arange(20) % 3, epochs=3)
    assert np.isfinite(history["loss"]).all() and np.isfinite(model.vector.values).all()
    assert np.isfinite(model.predict(x)).all()


@pytest.mark.parametrize("batch_size", [1, 19])
def test_batches_of_one_image(batch_size):
    """A batch normalisation after a dense layer sees one number a channel: its spread is zero."""
    model = Sequential(
        [layers.Flatten(), layers.Dense(4), layers.BatchNorm(), layers.Dense(3, activation="softmax")],
        input_shape=(6, 5, 2),
        seed=1,
    )
    history = fit(model, *some_data(), batch_size=batch_size, epochs=2)
    assert np.isfinite(history["loss"]).all() and np.isfinite(model.vector.values).all()


def test_a_class_without_images():
    """Class 1 is in no batch; training, measuring and the table of mistakes take it as it is."""
    from minitorch_cnn.metrics import confusion_matrix

    from minitorch_cnn.report import draw_confusion

    x, labels = some_data()
    labels = np.where(labels == 1, 2, labels)
    model = small_model()
    history = fit(model, x, labels, epochs=2, validation=(x, labels))
    assert np.isfinite(history["val_loss"]).all()
    matrix = confusion_matrix(labels, model.predict(x).argmax(axis=1), 3)
    assert matrix[1].sum() == 0 and "nan" not in draw_confusion(matrix, ["a", "b", "c"]).lower()
