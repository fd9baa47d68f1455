"""`minitorch-cnn fine-tune --base`: other networks by name, and those in Keras files, on a few small photos."""

import json
import re
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minitorch_cnn as mtc
from minitorch_cnn import checkpoint, layers, models
from minitorch_cnn.cli import main
from minitorch_cnn.datasets import load_image
from minitorch_cnn.runs import RunFolder, fine_tune
from minitorch_cnn.runs.base import start_of

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from new_top_models import SHAPE, chain, residual

HEIGHT, WIDTH = SHAPE[:2]
LITE0 = Path(__file__).resolve().parents[2].parent / "shared" / "data"
NORMS = ("stem_bn", "block_bn")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Ten reddish cats and ten bluish dogs."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for split, count in (("train", 6), ("validation", 4)):
        for name, channel in (("cats", 0), ("dogs", 2)):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 120, (45, 39, 3), dtype=np.uint8)
                pixels[..., channel] += 120
                Image.fromarray(pixels).save(folder / split / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Networks as others saved them."""
    folder = tmp_path_factory.mktemp("files")
    residual().save(folder / "plain.keras")
    residual().save(folder / "plain.h5")
    residual(inside=True).save(folder / "inside.keras")
    residual(top=False, inside=True).save(folder / "no_top.keras")
    chain().save(folder / "chain.keras")
    residual().save_weights(folder / "weights.weights.h5")
    mtc.Sequential([layers.Flatten(), layers.Dense(2)], SHAPE, seed=0).save(folder / "dense.keras")
    mtc.Sequential([layers.GlobalAveragePool2D(), layers.Dense(2)], (8, 8, 1), seed=0).save(folder / "grey.keras")
    stack = [layers.Rescaling(1 / 255), layers.PReLU(name="by_pixel"), layers.GlobalAveragePool2D(), layers.Dense(2)]
    mtc.Sequential(stack, SHAPE, seed=0).save(folder / "by_pixel.keras")
    opened(folder / "inside.keras", folder / "open.keras")
    return folder


def opened(path, copy):
    """A copy of a file whose input may have any size."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                config = json.loads(data)
                for layer in config["config"]["layers"]:
                    if layer["class_name"] == "InputLayer":
                        layer["config"]["batch_shape"] = [None, None, None, 3]
                data = json.dumps(config).encode()
            new.writestr(name, data)


def tune(base, photos, out, *more, top=2, everything=1):
    words = ["fine-tune", "--base", base, "--data", photos, "--batch-size", 5, "--out", out, "--top-epochs", top,
             "--all-epochs", everything, "--quiet", *more]  # fmt: skip
    return main([*map(str, words)])


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, photos, files):
    folder = tmp_path_factory.mktemp("runs") / "tuned"
    assert tune(files / "plain.keras", photos, folder, "--preprocessing", "127/128", "--all-rate", 0.01) == 0
    return folder


def test_the_base_is_the_files_after_the_first_phase_and_its_norms_after_the_second(tuned, files):
    old = mtc.load_model(files / "plain.keras").cut(after="last_map")
    first, last = (checkpoint.load(tuned / f"checkpoint-{name}.npz")[0] for name in ("top", "all"))
    for layer in old.layers:
        for name, array in layer.parameters.items():
            assert np.array_equal(first["model", layer.name, name], array), (layer.name, name)
            same = np.array_equal(last["model", layer.name, name], array)
            assert same == (layer.name in NORMS), (layer.name, name)
    assert {key[1] for key in first if key[0] == "optimizer"} <= {"mean", "mean_square", "dense_1"}
    assert not any(norm in key for key in last if key[0] == "optimizer" for norm in NORMS)


def test_the_run_predicts_with_the_same_preprocessing(tuned, photos, capsys):
    model, names = RunFolder(tuned).load_model()
    photo = photos / "validation" / "dogs" / "1.png"
    pixels = load_image(photo, HEIGHT, WIDTH).astype(np.float32)
    assert names == ["cat", "dog"] and model.preprocessing.config()["kind"] == "standardize"
    dog = float(model.predict((pixels[None] - 127) / 128)[0, 0])
    assert main(["predict", str(tuned), str(photo)]) == 0
    answer, probability = capsys.readouterr().out.strip().split(", ")
    assert answer == ("dog" if dog > 0.5 else "cat")
    assert float(probability) == pytest.approx(max(dog, 1 - dog), abs=0.0051)
    assert [layer.name for layer in model.layers if layer.parameters and not layer.trainable] == list(NORMS)


def test_the_page_shows_the_graphs_surgery(tuned):
    page = re.sub(r"data:image/[^\"]*", "", (tuned / "report.html").read_text())
    for words in ("plain.keras", "top_pool", "predictions", "last_map", "Adam 0.001", "global_average_pool2d_1",
                  "--preprocessing 127/128", "frozen, gradient passes", "Grad-CAM"):  # fmt: skip
        assert words in page, words
    assert "fc1" not in page and "VGG" not in page and "blue, green, red" not in page


def test_a_resumed_run_gives_the_same_bits(tuned, photos, files, tmp_path, monkeypatch):
    def fails(self):
        raise RuntimeError("power cut")

    monkeypatch.setattr(fine_tune.Phases, "all", fails)
    with pytest.raises(RuntimeError, match="power cut"):
        tune(files / "plain.keras", photos, tmp_path / "cut", "--preprocessing", "127/128", "--all-rate", 0.01)
    monkeypatch.undo()
    assert main(["fine-tune", "--resume", str(tmp_path / "cut"), "--quiet"]) == 0
    whole, resumed = (checkpoint.load(folder / "model.npz")[0] for folder in (tuned, tmp_path / "cut"))
    assert whole.keys() == resumed.keys()
    for key in whole:
        assert np.array_equal(whole[key], resumed[key]), key


@pytest.mark.parametrize(
    "name, options, shape",
    [
        ("inside.keras", [], SHAPE),
        ("no_top.keras", [], SHAPE),
        ("plain.h5", ["--preprocessing", "tf"], SHAPE),
        ("chain.keras", ["--preprocessing", "unit"], SHAPE),
        ("inside.keras", ["--size", "33"], (33, 33, 3)),
        ("open.keras", ["--size", "35"], (35, 35, 3)),
    ],
)
def test_other_files(photos, files, tmp_path, capsys, name, options, shape):
    assert tune(files / name, photos, tmp_path / "run", *options, everything=0) == 0
    model, _ = RunFolder(tmp_path / "run").load_model()
    assert model.input_shape == shape
    assert (model.preprocessing is None) == (not {"tf", "unit"} & set(options))
    assert "after fine-tuning" not in capsys.readouterr().out
    assert not (tmp_path / "run" / "history-all.csv").exists() and (tmp_path / "run" / "report.html").exists()


def settings(base, **given):
    return fine_tune.settings_for(base, **given)


def test_an_open_input_is_as_wide_as_usual(files):
    assert start_of(settings(str(files / "open.keras"))).model.input_shape == (224, 224, 3)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """{name: (network, file without the top, file with it)} of 35x35 photos."""
    folder, found = tmp_path_factory.mktemp("published"), {}
    for name in ("resnet50", "mobilenet_v2", "efficientnet_b0"):
        model = getattr(models, name)(input_shape=(35, 35, 3), seed=5)
        paths = [folder / f"{name}{ending}.h5" for ending in ("", "_notop")]
        model.save_weights(paths[0])
        base = models.new_top.last_feature_map(model)[0]
        model = model.cut(after=base)
        model.save_weights(paths[1])
        found[name] = model, paths[1], paths[0]
    return found


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "efficientnet_b0"])
def test_networks_by_name_take_files_with_and_without_the_top(published, name):
    model, *paths = published[name]
    pixels = np.random.default_rng(2).integers(0, 256, (2, 35, 35, 3)).astype(np.uint8)
    for path in paths:
        begun = start_of(settings(name, weights=str(path), size=35))
        assert begun.kept == [layer.name for layer in model.layers]
        assert begun.model.copy().cut(after=begun.kept[-1]).fingerprints() == model.fingerprints()
        assert [row.name for row in begun.tossed][-1] == "predictions" and len(begun.tossed) in (2, 3)
        expected = model.predict(pixels).mean(axis=(1, 2))
        got = begun.model.copy().cut(after=begun.model.layers[-3].name).predict(pixels)
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)
    assert (model.preprocessing is None) == (name == "efficientnet_b0")


def test_a_network_by_name_through_the_command(published, photos, tmp_path):
    weights = published["mobilenet_v2"][1]
    assert tune("mobilenet-v2", photos, tmp_path / "run", "--weights", weights, "--size", 35, top=1) == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["settings"]["base"] == "mobilenet_v2"
    assert "MobileNetV2" in (tmp_path / "run" / "report.html").read_text()


def test_the_defaults_are_those_of_the_base():
    vgg16, other, file = settings("vgg16"), settings("resnet50"), settings("x.keras")
    assert vgg16 == fine_tune.FineTuneSettings(None, None)
    assert (vgg16.size, other.size, file.size) == (224, 224, 0)
    assert settings("resnet50", top_epochs=3).top_epochs == 3


def test_the_validation_photos_choose_an_epoch_only_where_no_recipe_does(tmp_path):
    for folder, classes in (("pets", ("cats", "dogs")), ("fruit", ("apples", "pears"))):
        for name in classes:
            (tmp_path / folder / name).mkdir(parents=True)
    keep = [settings("vgg16", data=data).keep for data in (None, str(tmp_path / "pets"), str(tmp_path / "fruit"))]
    assert keep == ["last", "last", "best"]
    assert settings("vgg16", keep="best").keep == "best"
    assert settings("vgg16", data=str(tmp_path / "missing")).keep == "best"


def test_unknown_settings_are_refused():
    with pytest.raises(TypeError):
        settings("resnet50", colour="red")


MISTAKES = [
    (["--base", "resnet50"], "expected --weights FILE; get it: minitorch-cnn weights fetch resnet50 --no-top"),
    (["--base", "efficientnet-b0"], "minitorch-cnn weights fetch efficientnet_b0 --no-top"),
    (["--base", "nowhere.keras"], "or a .keras or .h5 file, found no nowhere.keras"),
    (["--base", "resnet50", "--weights", "x.h5", "--preprocessing", "tf"], "resnet50 has its own, got tf too"),
    (["--base", "mobilenet_v2", "--weights", "{files}/plain.h5"], "plain.h5"),
    (["--base", "{files}/plain.keras"], "say it as the network was trained: --preprocessing caffe"),
    (["--base", "{files}/plain.keras", "--preprocessing", "rgb"], "got 'rgb'"),
    (["--base", "{files}/inside.keras", "--preprocessing", "tf"], "its first layers scale pixels already"),
    (["--base", "{files}/inside.keras", "--weights", "x.h5"], "inside.keras holds its own weights, got x.h5 too"),
    (["--base", "{files}/weights.weights.h5", "--preprocessing", "tf"], "weights.weights.h5"),
    (["--base", "{files}/dense.keras", "--preprocessing", "tf"], "dense.keras: expected a feature map"),
    (["--base", "{files}/grey.keras", "--preprocessing", "none"], "(8, 8, 1), expected (H, W, 3) for photos"),
    (["--base", "{files}/by_pixel.keras", "--size", "50"], "its weights are for images of 40x37, got 50x50"),
    (["--base", "{photos}"], ""),
]  # fmt: skip


@pytest.mark.parametrize("arguments, message", MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_a_mistake_is_one_line_and_exit_code_2(photos, files, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    given = [word.format(photos=photos, files=files) for word in arguments]
    assert main(["fine-tune", "--data", str(photos), "--quiet", *given]) == 2
    said = capsys.readouterr().err
    assert message in said and len(said.strip().splitlines()) == 1, said
    assert not list(tmp_path.rglob("config.json"))


COMMANDS = [
    (["summary", "plain.keras"], ["stem_conv", "block_add", "predictions"]),
    (["summary", "plain.h5"], ["block_add"]),
    (["summary", "open.keras"], ["112x112x8"]),
    (["predict", "inside.keras", "photo.png"], ["class "]),
    (["predict", "plain.keras", "photo.png", "--preprocessing", "unit"], ["class "]),
    (
        ["explain", "inside.keras", "photo.png", "--page", "page.html"],
        ["block_add", "2 batch norms are frozen", "page: "],
    ),
    (["explain", "plain.keras", "photo.png"], ["does not say how photos are preprocessed"]),
    (["explain", "plain.keras", "photo.png", "photo.png", "--preprocessing", "tf", "--label", "4"], ["2 images"]),
    (["weights", "inspect", "plain.h5", "--model", "plain.keras"], ["fits the model"]),
]


@pytest.mark.parametrize("command, words", COMMANDS, ids=[" ".join(command) for command, _ in COMMANDS])
def test_commands_open_files(files, photos, tmp_path, monkeypatch, capsys, command, words):
    monkeypatch.chdir(files)
    photo = Image.open(photos / "validation" / "cats" / "0.png")
    photo.save(files / "photo.png")
    assert main(command) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in words), said


def test_predicting_with_a_file_is_predicting_with_the_model(files, photos, capsys):
    photo = photos / "validation" / "cats" / "0.png"
    pixels = load_image(photo, HEIGHT, WIDTH)[None]
    answers = mtc.load_model(files / "plain.keras").predict(pixels.astype(np.float32) / 127.5 - 1)[0]
    assert main(["predict", str(files / "plain.keras"), str(photo), "--preprocessing", "tf"]) == 0
    assert capsys.readouterr().out.strip() == f"class {answers.argmax()}, {answers.max():.2f}"
    for command in (["predict", str(files / "plain.keras"), str(photo)],
                    ["explain", "vgg16", "--preprocessing", "tf"]):  # fmt: skip
        assert main(command) == 2
        assert "--preprocessing" in capsys.readouterr().err


HUGE = {
    "an average over 4000x4000": ([layers.AveragePool2D(4000), layers.Flatten()], (4700, 4700, 2), "seconds for one"),
    "three activations on 4728x4728": (
        [layers.Sigmoid(), layers.Tanh(), layers.Softmax(), layers.GlobalMaxPool2D()], (4728, 4728, 2), "MiB for one",
    ),
    "a wide image of one row": ([layers.ZeroPad2D(30_000), layers.GlobalAveragePool2D()], (1, 2**20, 3), "MiB for one"),
}  # fmt: skip


@pytest.mark.parametrize("name", HUGE)
def test_a_file_that_would_take_too_much_is_refused_at_once(photos, tmp_path, capsys, name):
    stack, shape, words = HUGE[name]
    path = tmp_path / "huge.keras"
    mtc.Sequential([type(layer)(**layer.config()) for layer in stack], shape, seed=0).save(path)
    assert mtc.load_model(path).input_shape == shape  # the library leaves the judgement to its user
    for command in (["summary", path], ["predict", path, "x.png", "--preprocessing", "tf"], ["explain", path],
                    ["fine-tune", "--data", photos, "--base", path, "--preprocessing", "tf"],
                    ["weights", "inspect", path, "--model", path], ["check-gradients", path]):  # fmt: skip
        assert main([*map(str, command)]) == 2
        said = capsys.readouterr().err
        assert words in said and said.count("\n") == 1, said


@pytest.mark.shared
@pytest.mark.campaign
@pytest.mark.skipif(not LITE0.is_dir(), reason=f"no pretrained network in {LITE0}")
def test_a_pretrained_network_learns_cats_and_dogs(tmp_path):
    """Frozen, it gets 98.3 % of the validation photos right."""
    import tarfile

    with tarfile.open(LITE0 / "cats_and_dogs.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    base = LITE0 / "efficientnet_lite0" / "efficientnet_lite0.keras"
    words = ["fine-tune", "--base", base, "--preprocessing", "127/128", "--data", tmp_path / "cats_and_dogs",
             "--all-epochs", 0, "--out", tmp_path / "run", "--quiet"]  # fmt: skip
    assert main([*map(str, words)]) == 0
    rows = (tmp_path / "run" / "history-top.csv").read_text().splitlines()
    accuracy = float(rows[-1].split(",")[rows[0].split(",").index("val_accuracy")])
    assert accuracy >= 0.983
