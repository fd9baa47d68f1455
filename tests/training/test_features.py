"""Features of a frozen base, computed once: the same training, without the repeated work."""

import numpy as np
import pytest
import small_run
from minitorch_cnn.callbacks import Checkpoint

from minitorch_cnn import Sequential, datasets, features, layers, optimizers
from minitorch_cnn.engine import activations
from minitorch_cnn.errors import DataError
from minitorch_cnn.gradients.gallery import every_layer
from minitorch_cnn.training import features as training_features
from minitorch_cnn.training.repeats import repeats


def frozen_model(with_dropout_below=False):
    model = Sequential(
        [
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNorm(),
            *([layers.Dropout(0.3)] if with_dropout_below else []),
            layers.Conv2D(5, (2, 3), activation="relu"),
            layers.MaxPool2D(2),
            layers.Flatten(),
            layers.Dropout(0.4),
            layers.Dense(3, activation="softmax"),
        ],
        input_shape=(9, 7, 2),
        seed=2,
    )
    for layer in model.layers[:-1]:
        layer.trainable = False
    return model


def fit(model, cache, **options):
    x, labels = small_run.images_and_labels()
    settings = dict(
        optimizer=optimizers.SGD(0.1, momentum=0.9), epochs=3, batch_size=13, validation=small_run.images_and_labels(20)
    )
    history = model.fit(x, labels, **settings, cache_features=cache, progress=False, **options)
    return model.vector.values.copy(), {name: values for name, values in history.items() if name != "seconds"}


def count_forward(monkeypatch, layer):
    seen = []
    forward = layer.forward
    monkeypatch.setattr(layer, "forward", lambda x, training=False: seen.append(len(x)) or forward(x, training))
    monkeypatch.setattr(layer, "random", False, raising=False)  # else a layer with a method of its own is not cached
    return seen


def test_cached_training_is_the_same_training(monkeypatch):
    cached, plain = frozen_model(), frozen_model()
    calls = count_forward(monkeypatch, cached.layers[0])
    weights, history = fit(cached, True)
    expected, expected_history = fit(plain, False)
    np.testing.assert_allclose(weights, expected, rtol=1e-5, atol=1e-7)
    for name in history:
        assert history[name] == pytest.approx(expected_history[name], rel=1e-4)
    assert sum(calls) == 50 + 20  # every image once, not once an epoch


@pytest.mark.parametrize("below, depth", [(False, 5), (True, 2)])
def test_a_random_layer_ends_what_is_fixed(below, depth):
    assert features.fixed_depth(frozen_model(below)) == depth


def test_augmented_images_and_unfrozen_bases_are_not_cached():
    assert not features.worth_caching(frozen_model(), datasets.Augmentation(flip=True))
    assert not features.worth_caching(small_run.small_model(), None)
    assert features.worth_caching(frozen_model(), None)


def test_large_features_go_to_a_file(monkeypatch):
    x, _ = small_run.images_and_labels()
    in_memory = features.base_features(frozen_model(), x, progress=False)
    monkeypatch.setattr(features, "IN_MEMORY", 100)
    on_disk = features.base_features(frozen_model(), x, progress=False)
    assert isinstance(on_disk, np.memmap) and not isinstance(in_memory, np.memmap)
    assert np.array_equal(on_disk, in_memory)


def test_no_room_for_the_features_is_said_before_any_is_computed(monkeypatch):
    """A file that only announces its size would end the process by a signal when the disk is full."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    model, (x, _) = frozen_model(), small_run.images_and_labels()
    calls = count_forward(monkeypatch, model.layers[0])
    monkeypatch.setattr(features, "IN_MEMORY", 100)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(DataError, match=r"^features: .*: no room for 0\.0 GiB \(File too large\)$"):
            features.base_features(model, x, progress=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not calls


def test_the_user_is_told(capsys):
    x, labels = small_run.images_and_labels()
    frozen_model().fit(x, labels, optimizer=optimizers.SGD(), batch_size=13)
    assert "features cached: 50 images" in capsys.readouterr().err


def test_a_cached_training_resumes(tmp_path):
    path = tmp_path / "checkpoint.npz"
    whole, history = fit(frozen_model(), True, callbacks=[Checkpoint(tmp_path / "other.npz")])

    class Stop(Checkpoint):
        def on_batch_end(self, trainer):
            super().on_batch_end(trainer)
            if (trainer.epoch, trainer.batch) == (1, 2):
                raise RuntimeError

    with pytest.raises(RuntimeError):
        fit(frozen_model(), True, callbacks=[Stop(path, 0)])
    resumed, resumed_history = fit(frozen_model(), True, callbacks=[Checkpoint(path)], resume=path)
    assert np.array_equal(whole, resumed)
    assert history == resumed_history


class Noisy(layers.Conv2D):
    """Says nothing of randomness, and has it."""

    rng = np.random.default_rng(0)

    def forward_pass(self, x, training=False):
        y, kept = super().forward_pass(x, training)
        return y + training * self.rng.standard_normal(y.shape).astype(y.dtype), kept


class Louder(layers.Conv2D):
    def scores(self, x, training=False):
        y, kept = super().scores(x, training)
        return 2 * y, kept


class Named(layers.Conv2D):
    """Computes what its base class does."""

    def describe(self):
        return "named"

    def __repr__(self):
        return "named"


class Wider(layers.Conv2D):
    """Another property than its base class."""

    pixels = property(lambda self: ((1, 1), (1, 1)))


class Steep(activations.Tanh):
    def forward(self, x):
        return 2 * super().forward(x)


@pytest.mark.parametrize("kind, says, cached", [
    (layers.Conv2D, None, True), (Named, None, True), (Noisy, None, False), (Noisy, True, False),
    (Louder, None, False), (Louder, False, True), (Wider, None, False),
])  # fmt: skip
def test_what_a_subclass_changes_is_cached_only_once_it_says_that_it_repeats_itself(kind, says, cached):
    own = kind if says is None else type("Own", (kind,), {"random": says})
    model = Sequential([own(3, 3, trainable=False), layers.Flatten(), layers.Dense(2)], (6, 5, 2), seed=0)
    assert training_features.fixed_depth(model) == (2 if cached else 0)


def test_a_layer_with_a_method_of_its_own_is_not_cached():
    model = frozen_model()
    depth, first = training_features.fixed_depth(model), model.layers[0]
    right = first.forward_pass
    first.forward_pass = lambda x, training=False: right(x, training)
    assert training_features.fixed_depth(model) == 0 < depth
    first.random = False
    assert training_features.fixed_depth(model) == depth


def test_a_class_of_the_package_that_was_changed_is_not_cached(monkeypatch):
    right = layers.Conv2D.forward_pass
    monkeypatch.setattr(layers.Conv2D, "forward_pass", lambda self, x, training=False: right(self, x, training))
    assert training_features.fixed_depth(frozen_model()) == 0
    monkeypatch.undo()
    monkeypatch.setattr(activations.ReLU, "forward", lambda self, x: 2 * x)
    assert training_features.fixed_depth(frozen_model()) == 0
    monkeypatch.undo()
    assert training_features.fixed_depth(frozen_model()) > 0


def test_an_activation_that_was_changed_is_not_cached():
    model = Sequential(
        [layers.Conv2D(3, 3, activation="tanh", trainable=False), layers.Flatten(), layers.Dense(2)], (6, 5, 2)
    )
    assert training_features.fixed_depth(model) == 2
    model.layers[0].activation.forward = lambda x: 3 * x
    assert training_features.fixed_depth(model) == 0
    model.layers[0].activation = Steep()
    assert training_features.fixed_depth(model) == 0


def test_every_layer_and_activation_of_the_package_repeats_itself_unless_it_says_otherwise():
    subjects = [layer for layer, _, _ in every_layer()] + [layers.Activation(name) for name in activations.ACTIVATIONS]
    assert [layer for layer in subjects if repeats(layer) is not (layer.random is False)] == []
    assert sum(layer.random is False for layer in subjects) > 50
