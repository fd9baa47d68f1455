"""A resumed training notices that its data are not those it began with, and says what differs."""

import json
import shutil

import numpy as np
import pytest
import small_run
from minitorch_cnn.callbacks import Checkpoint
from minitorch_cnn.preprocessing import Standardize
from PIL import Image

from minitorch_cnn import Sequential, checkpoint, datasets, layers, optimizers, runs
from minitorch_cnn.datasets.image_folder import ImageFolder
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.models import recipes

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 6, 5, 3), dtype=np.uint8)
LABELS = np.arange(30) % 2


def fit(path, x=PIXELS, labels=LABELS, validation=(PIXELS[:9], LABELS[:9]), resume=True, **options):
    stack = [layers.Conv2D(3, 3, activation="relu"), layers.Flatten(), layers.Dense(2, activation="softmax")]
    model = Sequential(stack, (6, 5, 3), seed=0, preprocessing=Standardize([120] * 3, [60] * 3))
    return model.fit(
        x, labels, optimizer=optimizers.SGD(0.01), epochs=2 if resume else 1, batch_size=8, progress=False,
        validation=validation, callbacks=[Checkpoint(path)], resume=path if resume else None, **options,
    )  # fmt: skip


def one_pixel_changed(x):
    x = x.copy()
    x[17, 3, 2, 1] ^= 1
    return x


ARRAYS = [
    ({"labels": 1 - LABELS}, "the training images have other labels than in the run"),
    ({"x": one_pixel_changed(PIXELS)}, "the training images have other pixels than in the run"),
    ({"x": 255 - PIXELS, "labels": 1 - LABELS}, "the training images have other pixels than in the run"),
    ({"x": PIXELS.astype(np.float32)}, "the training images had dtype uint8 in the run, now they have float32"),
    ({"x": PIXELS[:29], "labels": LABELS[:29]}, "had shape 30x6x5x3 in the run, now they have 29x6x5x3"),
    ({"x": PIXELS[::-1], "labels": LABELS[::-1]}, "the training images have other pixels than in the run"),
    ({"validation": (PIXELS[:9], 1 - LABELS[:9])}, "the validation images have other labels than in the run"),
    ({"validation": (PIXELS[1:10], LABELS[:9])}, "the validation images have other pixels than in the run"),
    ({"validation": None}, "the run had 9 validation images, now there are none"),
]


@pytest.mark.parametrize("changed, message", ARRAYS)
def test_other_arrays_are_refused_in_one_line(tmp_path, changed, message):
    fit(tmp_path / "c.npz", resume=False)
    with pytest.raises(CheckpointError) as caught:
        fit(tmp_path / "c.npz", **changed)
    assert str(caught.value) == f"{tmp_path / 'c.npz'}: this is not the training that was saved there: {message}" or (
        message.startswith("had shape") and str(caught.value).endswith(message)
    )


def test_a_validation_that_was_not_there_before_is_refused(tmp_path):
    fit(tmp_path / "c.npz", resume=False, validation=None)
    with pytest.raises(CheckpointError, match="the run had no validation images, now there are 9"):
        fit(tmp_path / "c.npz")


@pytest.mark.parametrize(
    "same",
    [
        {"x": PIXELS.copy(order="F")},
        {"x": np.concatenate([PIXELS, PIXELS])[:30]},
        {"labels": LABELS.astype(np.int32)},
        {"labels": LABELS.tolist()},
        {"workers": 0},
    ],
)
def test_the_same_data_in_another_form_are_taken(tmp_path, same):
    fit(tmp_path / "c.npz", resume=False)
    assert len(fit(tmp_path / "c.npz", **same)["loss"]) == 2


def test_frozen_features_do_not_hide_the_images(tmp_path):
    def train(x, epochs, resume):
        model = small_run.small_model().freeze(through="max_pool2d_1")
        labels = small_run.images_and_labels()[1]
        return model.fit(x, labels, optimizer=optimizers.SGD(0.01), epochs=epochs, progress=False,
                         callbacks=[Checkpoint(tmp_path / "c.npz")], resume=resume)  # fmt: skip

    x, _ = small_run.images_and_labels()
    train(x, 1, None)
    with pytest.raises(CheckpointError, match="the training images have other pixels"):
        train(x + 1, 2, tmp_path / "c.npz")
    assert len(train(x, 2, tmp_path / "c.npz")["loss"]) == 2


class Made:
    """Images made on demand, of which only the number is certain."""

    shape = PIXELS.shape

    def __len__(self):
        return len(PIXELS)

    def __getitem__(self, indices):
        return PIXELS[indices]


def test_images_made_on_demand_are_counted(tmp_path):
    fit(tmp_path / "c.npz", x=Made(), resume=False)
    assert len(fit(tmp_path / "c.npz", x=Made())["loss"]) == 2
    with pytest.raises(CheckpointError, match="other labels"):
        fit(tmp_path / "c.npz", x=Made(), labels=1 - LABELS)


def write_photos(folder):
    for part, count in (("train", 8), ("validation", 3)):
        for kind in ("cats", "dogs"):
            (folder / part / kind).mkdir(parents=True)
            for number in range(count):
                write_photo(folder / part / kind / f"{number}.bmp", number)
    return folder


def write_photo(path, seed, size=(6, 5)):
    pixels = np.random.default_rng([seed, *path.parent.name.encode()]).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)  # without compression, so all files have the same size


def rename(folder):
    (folder / "train/dogs/7.bmp").rename(folder / "train/dogs/x\x1b[2J.bmp")


FOLDERS = [
    (lambda folder: (folder / "train/cats/3.bmp").unlink(), "the image file train/cats/3.bmp is missing"),
    (lambda folder: write_photo(folder / "validation/cats/9.bmp", 9), "the image file validation/cats/9.bmp is new"),
    (rename, "the image file train/dogs/7.bmp is missing"),
    (
        lambda folder: write_photo(folder / "train/cats/3.bmp", 5, size=(9, 9)),
        "the image file train/cats/3.bmp has changed (it had 150 bytes, now 306)",
    ),
    (lambda folder: write_photo(folder / "validation/dogs/1.bmp", 5), "validation/dogs/1.bmp has changed"),
    (
        lambda folder: [path.unlink() for path in (folder / "train/dogs").iterdir() if path.stem in "4567"],
        "the image file train/dogs/4.bmp is missing, and so are 3 others",
    ),
]


@pytest.fixture
def run_on_photos(tmp_path, monkeypatch):
    """A run folder after one of two epochs on the photos in `tmp_path`/photos."""

    def model(dataset, seed):
        stack = [layers.Conv2D(3, 3, activation="relu"), layers.Flatten(), layers.Dense(2, activation="softmax")]
        return Sequential(stack, (6, 5, 3), seed=seed, preprocessing=Standardize([120] * 3, [60] * 3))

    def load(data, progress):
        return datasets.image_folder(data, 6, 5)

    monkeypatch.setitem(recipes.RECIPES, "digits", recipes.Recipe("Small", load, model, 2, 4, 0.01))
    write_photos(tmp_path / "photos")
    settings = runs.Settings("digits", str(tmp_path / "photos"), 2, 4, 0.01, 0)
    save = runs.RunFolder.save_model

    def cut(*_):
        raise RuntimeError("power cut")

    monkeypatch.setattr(runs.RunFolder, "save_model", cut)
    with pytest.raises(RuntimeError):
        runs.start(settings, tmp_path / "run", progress=False)
    monkeypatch.setattr(runs.RunFolder, "save_model", save)
    return tmp_path / "run"


@pytest.mark.parametrize("change, message", FOLDERS)
def test_a_changed_file_is_named(run_on_photos, change, message):
    change(run_on_photos.parent / "photos")
    with pytest.raises(CheckpointError) as caught:
        runs.resume(run_on_photos, progress=False)
    assert message in str(caught.value) and str(caught.value).isprintable()


def test_a_folder_that_was_moved_or_copied_is_the_same(run_on_photos):
    elsewhere = run_on_photos.parent / "deeper" / "elsewhere"
    shutil.copytree(run_on_photos.parent / "photos", elsewhere, copy_function=shutil.copyfile)  # with other times
    shutil.rmtree(run_on_photos.parent / "photos")
    config = json.loads((run_on_photos / "config.json").read_text())
    config["settings"]["data"] = str(elsewhere)
    (run_on_photos / "config.json").write_text(json.dumps(config))
    runs.resume(run_on_photos, progress=False)
    assert (run_on_photos / "model.npz").exists()


def test_a_file_missing_from_a_folder_without_parts_is_named_though_the_split_changes(tmp_path):
    folder = tmp_path / "photos"
    for kind in ("cats", "dogs"):
        (folder / kind).mkdir(parents=True)
        for number in range(15):
            write_photo(folder / kind / f"{number}.bmp", number)

    def train(resume):
        data = datasets.image_folder(folder, 6, 5)
        fit(tmp_path / "c.npz", data.train_images, data.train_labels, (data.test_images, data.test_labels), resume)

    train(resume=False)
    train(resume=True)
    (folder / "dogs" / "11.bmp").unlink()
    with pytest.raises(CheckpointError, match=r"the image file dogs/11.bmp is missing$"):
        train(resume=True)


def test_the_order_of_files_counts(tmp_path):
    paths = sorted((write_photos(tmp_path / "photos") / "train").glob("*/*"))
    labels = np.array([path.parent.name == "dogs" for path in paths], int)
    fit(tmp_path / "c.npz", ImageFolder(paths, labels, 6, 5), labels, None, resume=False)
    with pytest.raises(CheckpointError, match="in another order"):
        fit(tmp_path / "c.npz", ImageFolder(paths[::-1], labels[::-1], 6, 5), labels[::-1], None)


def test_an_older_checkpoint_is_continued_and_says_what_is_not_compared(tmp_path, capsys):
    path = tmp_path / "c.npz"
    fit(path, resume=False)
    arrays, facts = checkpoint.load(path)
    settings = facts.pop("settings")
    facts |= {"seed": settings["seed"], "batch_size": settings["batch_size"], "optimizer": "SGD", "images": 30}
    facts["callbacks"] = [row[:2] for row in facts["callbacks"]]
    del facts["data"]
    checkpoint.save(path, arrays, facts)
    assert len(fit(path, labels=1 - LABELS)["loss"]) == 2
    line = f"{path}: written by an older version, which did not record its data and settings, so they are not compared"
    assert capsys.readouterr().err == f"{line}\n"
    checkpoint.save(path, arrays, facts | {"images": 31})
    with pytest.raises(CheckpointError, match="images was 31 in the run and is now 30"):
        fit(path)
