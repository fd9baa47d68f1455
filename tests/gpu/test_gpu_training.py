"""`fit` and the command line with a model on a GPU, on the stand-in: the training of the host, but for rounding."""

import numpy as np
import pytest
from engine_helpers import normal, one_line
from gpu_helpers import on_standin, there
from minitorch_cnn.callbacks import Callback, Checkpoint, EarlyStopping
from minitorch_cnn.preprocessing import Standardize
from standin_arrays import device

import minitorch_cnn as mtc
from minitorch_cnn import datasets, layers, losses, models, optimizers, runs, schedules
from minitorch_cnn.arrays import on_host
from minitorch_cnn.cli import main
from minitorch_cnn.datasets import Augmentation
from minitorch_cnn.datasets.batches import Batches
from minitorch_cnn.datasets.to_device import resident, sent_ahead
from minitorch_cnn.errors import BackendError
from minitorch_cnn.models.recipes import RECIPES, Recipe
from minitorch_cnn.training import Trainer, TrainingError
from minitorch_cnn.training.gpu_memory import needs, out_of_memory

IMAGES = np.random.default_rng(0).integers(0, 256, (53, 8, 10, 3)).astype("uint8")
LABELS = (IMAGES[:, 2:5, 3:6].mean(axis=(1, 2, 3)) * 3 / 256).astype("int64")


class Folder:
    """Images that come one batch at a time, like those of an ImageFolder."""

    shape, dtype = IMAGES.shape, IMAGES.dtype

    def __len__(self):
        return len(IMAGES)

    def __getitem__(self, indices):
        return IMAGES[indices]


def net(backend, dropout=0.3):
    stack = [
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layers.MaxPool2D(2),
        layers.Conv2D(8, 3, padding="same", activation="relu"),
        layers.Dropout(dropout),
        layers.Flatten(),
        layers.Dense(3, "softmax"),
    ]
    model = mtc.Sequential(stack, (8, 10, 3), seed=2, preprocessing=Standardize.of(IMAGES))
    return model.to(backend)


def fit(model, images=IMAGES, epochs=3, **options):
    optimizer = optimizers.SGD(schedules.OneCycle(0.05, 21), momentum=0.9, nesterov=True, weight_decay=5e-4)
    options = {"augment": Augmentation(flip=True, shift=0.2), "validation": (IMAGES[:9], LABELS[:9]), **options}
    return model.fit(images, LABELS, optimizer=optimizer, epochs=epochs, batch_size=8, progress=False, **options)


def test_fifty_steps_agree_with_the_host_s(xp):
    """Same seed: same weights, order, augmentation and dropout; the losses differ by rounding only."""

    class Losses(Callback):
        def __init__(self):
            self.seen, self.before = [], 0.0

        def on_batch_end(self, trainer):
            self.seen.append(trainer.totals["loss"] - self.before)
            self.before = trainer.totals["loss"]

        def on_epoch_end(self, trainer, results):
            self.before = 0.0

    found = []
    with mtc.definitions_only():
        found.append(Losses())
        fit(net("numpy"), epochs=8, callbacks=found)
    found.append(Losses())
    fit(net("cupy"), epochs=8, callbacks=found[1:])
    assert len(found[0].seen) == len(found[1].seen) == 56
    np.testing.assert_allclose(found[1].seen[:50], found[0].seen[:50], rtol=1e-3)


def test_the_images_stay_on_the_device_where_they_fit(standin):
    for images, free, fits in [(IMAGES, 8 << 30, True), (IMAGES, IMAGES.nbytes, False), (Folder(), 8 << 30, False)]:
        device.free = free
        assert there(resident(images, standin)) is fits


def test_wherever_the_images_come_from_the_training_is_the_same(standin):
    histories, weights = [], []
    for images, free in [(IMAGES, 8 << 30), (IMAGES, 0), (Folder(), 8 << 30)]:
        device.free = free
        model = net("cupy")
        history = fit(model, images, workers=2)
        history.pop("seconds")
        histories.append(history)
        weights.append({key: np.asarray(on_host(value)).tobytes() for key, value in model.state().items()})
    assert histories[0] == histories[1] == histories[2] and weights[0] == weights[1] == weights[2]
    assert histories[0]["loss"][-1] < histories[0]["loss"][0]


def test_batches_sent_ahead_are_the_batches(xp):
    batches = Batches(IMAGES, LABELS, 8, seed=1)
    for (x, y), (gx, gy) in zip(batches.epoch(0), sent_ahead(batches.epoch(0), xp), strict=True):
        assert there(gx)
        np.testing.assert_array_equal(on_host(gx), x)
        np.testing.assert_array_equal(gy, y)


def test_a_batch_is_still_there_when_the_next_one_was_asked_for(xp):
    """The loop does so before it waits for a step, and a step that went wrong is looked into after that."""
    batches = Batches(IMAGES, LABELS, 5, seed=1)
    wanted, sent = batches.epoch(0), sent_ahead(batches.epoch(0), xp)
    before, looked_at = next(sent), 0
    for after in sent:
        np.testing.assert_array_equal(on_host(before[0]), next(wanted)[0])
        before, looked_at = after, looked_at + 1
    assert looked_at > 3


def test_left_and_taken_up_again_to_the_same_bits(xp, tmp_path):
    whole = net("cupy")
    fit(whole, callbacks=[EarlyStopping(patience=9)])
    first, second = net("cupy"), net("cupy")
    fit(first, epochs=1, callbacks=[EarlyStopping(patience=9), Checkpoint(tmp_path / "c.npz")])
    fit(second, callbacks=[EarlyStopping(patience=9), Checkpoint(tmp_path / "c.npz")], resume=tmp_path / "c.npz")
    for key, value in whole.state().items():
        np.testing.assert_array_equal(on_host(second.state()[key]), on_host(value), err_msg=str(key))


def test_the_step_is_a_graph_and_the_last_batch_is_not(xp):
    trainer = Trainer(net("cupy"), IMAGES, LABELS, optimizer=optimizers.SGD(0.01), batch_size=8, progress=False)
    trainer.run()
    assert trainer.step.graph is not None and trainer.step.reason is None


@pytest.mark.parametrize("free", [8 << 30, 0], ids=["features there", "features sent"])
def test_a_frozen_base_is_computed_once(standin, free):
    results = []
    for backend in ("numpy", "cupy"):
        device.free = free
        model = net(backend).freeze(through="conv2d_2")
        with mtc.definitions_only():
            results.append(fit(model, augment=None)["val_loss"])
    np.testing.assert_allclose(*results, rtol=1e-5)


def test_an_output_that_is_an_image(xp):
    """No accuracy belongs to it; the losses are the host's."""
    found = []
    for backend in ("numpy", "cupy"):
        stack = [layers.Conv2D(4, 3, padding="same", activation="relu"), layers.Conv2D(3, 3, padding="same")]
        model = mtc.Sequential(stack, (8, 10, 3), seed=2).to(backend)
        images = (IMAGES / 255).astype("float32")
        history = model.fit(images, images, optimizer=optimizers.SGD(0.1), epochs=2, batch_size=8, progress=False,
                            validation=(images[:9], images[:9]))  # fmt: skip
        found.append(history)
        assert {"loss", "val_loss"} <= history.keys() and not any("accuracy" in name for name in history)
        assert history["loss"][1] < history["loss"][0]
    np.testing.assert_allclose(found[1]["loss"], found[0]["loss"], rtol=1e-4)


def test_divergence_is_named(xp):
    with pytest.raises(TrainingError) as error:
        net("cupy").fit(IMAGES, LABELS, optimizer=optimizers.SGD(1e30), batch_size=8, progress=False)
    assert one_line(error, "diverged", "learning rate")


def test_out_of_memory_names_the_batch_that_fits(standin):
    model = net("cupy")
    fixed, each = needs(model)
    device.limit, device.free = 53 * 8 * 10 * 4 * 4 - 1, int((fixed + 20.5 * each) / 0.9)
    with pytest.raises(BackendError) as error:
        model.fit(IMAGES, LABELS, optimizer=optimizers.SGD(0.1), batch_size=53, progress=False)
    assert one_line(error, "batch of 53", "batch of 10 should fit: --batch-size 10")  # beside the graph's memory
    with pytest.raises(BackendError) as error:
        net("cupy").predict(IMAGES, batch_size=53)
    assert one_line(error, "batch of 53", "batch of 20 should fit")
    device.free = 8 << 30  # on which it should fit, but it has not
    with pytest.raises(BackendError) as error:
        model.fit(IMAGES, LABELS, optimizer=optimizers.SGD(0.1), batch_size=53, progress=False)
    assert one_line(error, "batch of 53", "batch of 26 should fit")
    device.free = 10
    with pytest.raises(BackendError) as error:
        model.fit(IMAGES, LABELS, optimizer=optimizers.SGD(0.1), batch_size=53, progress=False)
    assert one_line(error, "not even one image")


def test_the_memory_of_a_graph_can_be_used_by_a_smaller_one(standin):
    """Free memory is what neither pool holds; what the graph's pool holds was free before, and will be again."""
    model = net("cupy")
    fixed, each = needs(model)
    device.free, graph_pool = 10, standin.cuda.MemoryPool()
    graph_pool.free_all_blocks = lambda: None  # all of it is in use
    graph_pool.held = int((fixed + 2 * 20.5 * each) / 0.9)
    assert "batch of 20 should fit" in str(out_of_memory(model, 53, graph_pool))


def test_what_a_step_needs_grows_with_the_network():
    fixed, each = needs(models.cifar10())
    assert fixed == 4 * 4 * 1_676_842
    assert 0.5e6 < each < 2e6
    assert needs(models.cats_vs_dogs())[1] > 10 * each


@pytest.fixture
def small_recipe(monkeypatch):
    data = datasets.Dataset("small", IMAGES[:40], LABELS[:40], IMAGES[40:], LABELS[40:], ("a", "b", "c"))
    recipe = Recipe("Small", lambda data_folder, progress: data, lambda dataset, seed: net("numpy"), 2, 8, 0.05)
    monkeypatch.setitem(RECIPES, "digits", recipe)


def test_the_command_line(xp, small_recipe, tmp_path, capsys):
    folder = tmp_path / "run"
    assert main(["train", "--backend", "cupy", "--out", str(folder), "--quiet"]) == 0
    assert "test accuracy" in capsys.readouterr().out
    assert not on_standin(xp) or "gemm" in device.launches
    assert runs.RunFolder(folder).read_settings(runs.Settings).backend == "cupy"
    assert (folder / "report.html").stat().st_size > 1000
    model, _ = runs.RunFolder(folder).load_model()
    assert model.backend == "numpy" and np.isfinite(model.predict(IMAGES[:3])).all()
    assert main(["train", "--resume", str(folder), "--backend", "numpy"]) == 2
    assert "got --backend too" in capsys.readouterr().err


def test_a_run_folder_from_before_there_was_a_backend(tmp_path):
    folder = runs.RunFolder(tmp_path)
    settings = runs.Settings("digits", None, 1, 8, 0.1, 0)
    folder.write_config(settings, net("numpy"))
    folder.config.write_text(folder.config.read_text().replace(',\n  "backend": "numpy"', ""))
    assert "backend" not in folder.config.read_text() and folder.read_settings(runs.Settings) == settings


def test_losses_are_in_the_history_as_floats(xp):
    history = fit(net("cupy"), epochs=1)
    assert all(type(value) is float for values in history.values() for value in values)
    assert isinstance(
        net("cupy").train_step(normal((3, 8, 10, 3)), [0, 1, 2], losses.CrossEntropy(), optimizers.SGD()), float
    )
