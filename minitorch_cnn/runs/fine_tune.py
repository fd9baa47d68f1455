"""`minitorch-cnn fine-tune`, the lecture's recipe: replace the top of VGG16, train the new top, then train everything.

    phase "top"   the base is frozen; its features are computed once, and the new layers learn from them
    phase "all"   everything is unfrozen and trained at a low learning rate, on randomly flipped photos

Each phase has its own checkpoint in the run folder, so `--resume` continues the phase that was interrupted.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minitorch_cnn import datasets, models, parallel
from minitorch_cnn.arrays import library, on_host
from minitorch_cnn.engine import optimizers
from minitorch_cnn.engine.metrics import class_probabilities
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.printable import printable
from minitorch_cnn.report.transfer_training import read_history, write_transfer_training_report
from minitorch_cnn.runs.folder import RunFolder
from minitorch_cnn.runs.train import CHECKPOINT_SECONDS, command_line, gather_skipped, write_report
from minitorch_cnn.training import checkpoint
from minitorch_cnn.training.callbacks import Checkpoint, CSVLog

MOMENTUM = 0.9


@dataclass
class FineTuneSettings:
    """The settings of a fine-tuning run, which are all that a resumed run needs."""

    weights: str
    data: str | None
    size: int = 150  # photos are scaled to size x size
    top_epochs: int = 25
    all_epochs: int = 2
    batch_size: int = 32
    top_rate: float = 1e-4
    all_rate: float = 2e-5
    seed: int = 0
    beside: str | None = None  # the run folder of a training from scratch, for the report
    backend: str = "numpy"


def start(settings: FineTuneSettings, out: str | Path | None = None, progress: bool = True) -> RunFolder:
    """Fine-tune in a new run folder (`out`, or else runs/fine-tune-DATE-TIME); returns it when both phases are done."""
    ranks = parallel.world()
    folder = ranks.from_first(lambda: RunFolder.fresh("fine-tune", out))
    return _run(folder, settings, progress, ranks, fresh=True)


def resume(path: str | Path, progress: bool = True) -> RunFolder:
    """Continue an interrupted fine-tuning run; returns the run folder."""
    ranks = parallel.world()
    folder = RunFolder(path)
    settings = ranks.from_first(lambda: folder.read_settings(FineTuneSettings))
    return _run(folder, settings, progress, ranks, fresh=False)


def _run(folder, settings, progress, ranks, fresh):
    command = command_line(ranks, f"minitorch-cnn fine-tune --resume {shlex.quote(str(folder.path))}")
    names = [f"checkpoint-{phase}.npz" for phase in ("all", "top")]
    with folder.training(ranks, command, fresh, names):
        return _run_inside(folder, settings, progress and ranks.reports, ranks, fresh, command)


def _run_inside(folder, settings, progress, ranks, fresh, command):
    say = print if progress else (lambda text: None)
    library(settings.backend)  # raises an error before the data is loaded if the backend is missing
    ranks.choose_device(settings.backend)

    def load():
        return datasets.cats_vs_dogs(settings.data, settings.size, settings.size, progress=progress)

    dataset = ranks.in_turn(load)
    say(dataset)
    if settings.beside is not None:
        read_history(settings.beside)  # raises an error now, not after the training, if the run is missing
    model = models.transfer_net(
        weights=settings.weights, input_shape=(settings.size, settings.size, 3), seed=settings.seed
    ).to(settings.backend)
    if fresh and ranks.reports:
        folder.write_config(settings, model)
    say(f"run folder: {printable(folder.path)}")
    base = [layer.name for layer in model.layers if layer.parameters and not layer.trainable]
    from_file = {name: mark for name, mark in model.fingerprints().items() if name in base}
    filters_before = np.array(on_host(model.get_layer(base[0]).parameters["kernel"]))

    say(f"\nphase 1: {', '.join(name for name in model.fingerprints() if name not in base)} learn; the base is frozen")

    def phase(name, rate, epochs, augment):
        return _phase(folder, name, model, dataset, settings, rate, epochs, augment, progress, ranks, command, fresh)

    top = phase("top", settings.top_rate, settings.top_epochs, None)
    unchanged = {name: mark for name, mark in model.fingerprints().items() if name in base} == from_file
    if not unchanged:
        raise CheckpointError(
            f"{folder.path}: the frozen base differs from the one in {settings.weights}; was the file replaced?"
        )
    top_accuracy = _last(top, "val_accuracy")
    same = f"all {len(base)} base layers still equal the file's, bit for bit"
    say(f"base frozen: validation accuracy {top_accuracy:.4f}; {same}")

    model.unfreeze()
    say("\nphase 2: all layers learn, at a low learning rate")
    flips = datasets.Augmentation(flip=True)
    everything = phase("all", settings.all_rate, settings.all_epochs, flips)
    dataset = gather_skipped(dataset, ranks)
    if not ranks.reports:
        return folder

    folder.save_model(model, dataset.class_names)
    probabilities = class_probabilities(model.predict(dataset.test_images, batch_size=settings.batch_size))
    accuracy = float(np.mean(probabilities.argmax(axis=1) == dataset.test_labels))
    print(f"validation accuracy {top_accuracy:.4f} with the base frozen, {accuracy:.4f} after fine-tuning")
    write_report(
        folder,
        command,
        lambda: write_transfer_training_report(
            folder.report, settings, model, dataset, top, everything, probabilities, base, filters_before
        ),
    )
    return folder


def _phase(folder, name, model, dataset, settings, rate, epochs, augment, progress, ranks, command, fresh):
    path = folder.path / f"checkpoint-{name}.npz"
    return model.fit(
        dataset.train_images,
        dataset.train_labels,
        optimizer=optimizers.SGD(rate, momentum=MOMENTUM),
        epochs=epochs,
        batch_size=settings.batch_size,
        validation=(dataset.test_images, dataset.test_labels),
        augment=augment,
        callbacks=[CSVLog(folder.path / f"history-{name}.csv"), Checkpoint(path, CHECKPOINT_SECONDS, command)],
        progress=progress,
        resume=path if ranks.from_first(lambda: not fresh and checkpoint.exists(path)) else None,
        ranks=ranks,
    )


def _last(history, name):
    return history[name][-1] if history.get(name) else float("nan")
