"""The page and the command of `explain`: on the slides' networks, with a photo, with weights from a file."""

import numpy as np
import pytest
from PIL import Image
from report_browser import BROWSER, measure

import minitorch_cnn as mtc
from minitorch_cnn import layers, models
from minitorch_cnn.cli import main
from minitorch_cnn.report import (
    StepPage,
    draw_col2im,
    draw_im2col,
    draw_max_pool,
    draw_winograd_tile,
    render,
    step_page,
)
from minitorch_cnn.runs import RunFolder
from minitorch_cnn.runs.explain import explain, label_words


@pytest.fixture(scope="module", autouse=True)
def few_digits():
    """Uses eight digits instead of 32, because the plain definitions are slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minitorch_cnn.runs.explain.DIGITS", 8)
        yield


@pytest.fixture(scope="module")
def digits(few_digits):
    with mtc.definitions_only():
        return explain(gradients=True)


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "a photo.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)).save(path)
    return path


def page_of(subject, step, **changes):
    values = {"subtitle": step.optimizer, "images": subject.images, "labels": label_words(subject),
              "class_names": subject.class_names, "notes": subject.notes}  # fmt: skip
    return StepPage(f"One step of {subject.title}", step, **{**values, **changes})


def test_the_digits_network(digits, read_page):
    subject, step = digits
    assert step.images == 8 and step.loss_after < step.loss and len(step.layers) == 12
    page = read_page(step_page(page_of(subject, step)))
    for row in step.layers:
        assert f"{row.name} {row.kind}" in page.text and f"{row.gradient.rms:.1e}" in page.text
        assert all(f"{move.ratio:.1e}" in page.text for name, move in row.moves.items() if name == "kernel")
    assert "object at" not in page.text and f"the update takes {1e3 * step.update_seconds:.1f} ms" in page.text
    assert f"takes {1e3 * step.joined_seconds:.1f} ms for both passes" in page.text
    assert f"{step.loss_after:.4g}" in page.text and "1,676,842" in page.text
    assert len(page.all("img")) == 8 + 2 * len(step.outputs) + 4  # and the image, dL/dx, the kernel, dL/dkernel
    assert all(image["alt"] for image in page.all("img"))
    assert all(tree.attrib["aria-label"] for tree in page.drawings())
    assert page.all("script") == [] and len(page.drawings()) == 2 + 1 + 2


def test_hostile_names_are_shown_as_text(digits, read_page):
    words = "<script>alert(1)</script>"
    subject, step = digits
    page = read_page(step_page(page_of(subject, step, subtitle=words, labels=[words] * 8, class_names=[words] * 10,
                                       commands=[(words, words)], notes=[words])))  # fmt: skip
    assert page.text.count(words) >= 15 and page.all("script") == []


@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_and_the_console_is_empty(digits, tmp_path, width, dark):
    page = step_page(page_of(*digits, commands=[("again", "minitorch-cnn explain " + "photo.jpg " * 40)]))
    found = measure(page, width, dark, tmp_path)
    assert found["shown"] == width and found["needed"] <= width, found
    assert found["wide"] == [] and found["broken"] == 0 and found["console"] == []
    assert found["faint"] == [] and found["unnamed"] == []


@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_drawings_fit_into_a_page(tmp_path, width, dark):
    size = {} if width > 500 else {"width": 350}
    drawings = [draw_im2col(**size), draw_col2im(**size), draw_max_pool(np.arange(16).reshape(4, 4) % 7, **size),
                draw_winograd_tile(np.eye(6), np.ones((3, 3)), **size)]  # fmt: skip
    content = render("page.html").replace(
        "<main>", "<main>" + "".join(f"<section>{each}</section>" for each in drawings)
    )
    found = measure(content, width, dark, tmp_path)
    assert found["needed"] <= width and found["wide"] == [] and found["console"] == []
    assert found["faint"] == [] and found["unnamed"] == []


@pytest.mark.parametrize("name", ["cifar10", "cats_vs_dogs"])
def test_the_networks_of_the_slides_with_a_photo(name, photo):
    subject, step = explain(name, [photo], label="1")
    assert subject.images.shape == (1, *subject.model.input_shape) and list(subject.labels) == [1]
    assert step.loss_after < step.loss
    assert all(np.isfinite(row.activation.rms) for row in step.layers)


def test_vgg16_with_weights_that_lack_the_top(monkeypatch, photo, tmp_path, capsys):
    """Uses a narrow and small network in place of VGG16, which takes gigabytes."""
    from minitorch_cnn.runs import explain as module

    def small(include_top=True, seed=0):
        stack = [layers.Conv2D(4, 3, padding="same", activation="relu", name="block1_conv1"),
                 layers.MaxPool2D(2, name="block1_pool")]  # fmt: skip
        top = [layers.Flatten(name="flatten"), layers.Dense(6, activation="softmax", name="predictions")]
        return mtc.Sequential([*stack, *(top if include_top else [])], (8, 8, 3), seed=seed)

    monkeypatch.setitem(module.NETWORKS, "vgg16", (small, {}, 1e-3))
    donor = small(include_top=False, seed=9)
    path = tmp_path / "notop.h5"
    donor.save_weights(path)
    subject, _ = explain("vgg16", [photo], weights=path)
    assert any("1 of 2 layers have their weights from" in note and "predictions have" in note
               for note in subject.notes)  # fmt: skip
    page = tmp_path / "step.html"
    assert main(["explain", "vgg16", str(photo), "--weights", str(path), "--page", str(page)]) == 0
    said = capsys.readouterr().out
    assert "block1_conv1" in said and f"page: {page}" in said and "'" in page.read_text(encoding="utf-8")


def test_a_complete_file_sets_all_weights(tmp_path):
    path = tmp_path / "cifar.h5"
    models.cifar10(seed=4).save_weights(path)
    with mtc.definitions_only():
        subject, _ = explain("cifar10", weights=path)
    assert any("All 6 layers have their weights" in note for note in subject.notes)
    assert any("No image was" in note for note in subject.notes)


def test_a_finished_run_on_the_digits_is_explained_on_digits(tmp_path, digits):
    subject, _ = digits
    RunFolder(tmp_path).save_model(subject.model, subject.class_names)
    with mtc.definitions_only():
        again, step = explain(str(tmp_path))
    assert step.images == 8 and label_words(again) == label_words(subject)
    assert step.loss == pytest.approx(digits[1].loss_after, rel=0.3)  # after one step, with another dropout mask


def test_a_network_that_ends_in_a_feature_map():
    from minitorch_cnn.runs import explain as module

    name = "vgg16-no-top"
    function, arguments, rate = module.NETWORKS[name]
    module.NETWORKS[name] = (function, {**arguments, "input_shape": (32, 32, 3)}, rate)
    try:
        subject, step = explain(name)
    finally:
        module.NETWORKS[name] = (function, arguments, rate)
    assert step.loss_name == "MeanSquaredError" and len(step.layers) == 18
    assert step_page(page_of(subject, step)).count("<figure") >= 18


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["vgg99"], "vgg99: expected digits, a run folder, a .keras or .h5 file, or one of cifar10"),
        (["digits", "nowhere.png"], "nowhere.png: expected an image file"),
        (["digits", "--label", "ten"], "--label: expected a class from 0 to 9"),
        (["digits", "--label", "10"], "--label: expected a class from 0 to 9"),
        (["cifar10", "--weights", "nowhere.h5"], "nowhere.h5"),
        (["{folder}"], "expected the folder of a finished run, found no model.npz in it"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path, capsys, arguments, message):
    assert main(["explain", *[argument.format(folder=tmp_path) for argument in arguments]]) == 2
    said = capsys.readouterr().err
    assert message in said and len(said.strip().splitlines()) == 1


def test_the_command_prints_the_table(tmp_path, capsys):
    with mtc.definitions_only():
        assert main(["explain", "--label", "3", "--rate", "0.01", "--page", str(tmp_path / "step.html")]) == 0
    page = (tmp_path / "step.html").read_text(encoding="utf-8")
    assert "<h1>One step of the digits network</h1>" in page and page.count("dL/dmap:") == 8
    assert "dL/dx of the first image: red, green and blue" in page and "dL/dkernel of conv2d_1" in page
    said = capsys.readouterr().out
    assert "conv2d_1" in said and "update: |change| / |kernel|, healthy from 0.0001 to 0.01" in said
    assert "23.9M multiplications by the definition" in said
