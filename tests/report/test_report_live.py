"""What moves on the page of a run, operated by keyboard and by touch; and the page without scripts."""

import base64
import hashlib
import re

import numpy as np
import pytest
import test_report_transfer
from report_browser import BROWSER
from report_hand import hand

from minitorch_cnn.report import Run, Sample, page, run_page, transfer_page
from minitorch_cnn.report import cell_images as cells
from minitorch_cnn.report.training_page import behind

SCRIPT = (page.HERE / "live.js").read_text(encoding="utf-8")
NAMES = ["cat", "dog", "<b>eel"]
RANDOM = np.random.default_rng(4)
IMAGES = RANDOM.integers(0, 256, (60, 20, 24, 3), dtype=np.uint8)
LABELS = np.arange(60) % 3
SCORES = RANDOM.dirichlet(np.ones(3), 60) + 0.3 * np.eye(3)[LABELS]
SCORES /= SCORES.sum(axis=1, keepdims=True)


def matrix(scores=SCORES):
    counts = np.zeros((3, 3), int)
    for truth, answer in zip(LABELS, scores.argmax(axis=1)):
        counts[truth, answer] += 1
    return counts


KERNELS = {epoch: (1 + 0.01 * epoch) * RANDOM.normal(size=(3, 3, 3, 8)).astype(np.float32) for epoch in range(0, 20, 2)}


@pytest.fixture
def made(make_run):
    return make_run(
        class_names=NAMES, confusion=matrix(), behind=behind(IMAGES, LABELS, SCORES, NAMES), learned=KERNELS
    )


def test_the_images_behind_a_cell_are_those_of_the_cell_most_confident_first():
    found = behind(IMAGES, LABELS, SCORES, NAMES)
    answers = SCORES.argmax(axis=1)
    for truth in range(3):
        for answer in range(3):
            places = np.flatnonzero((truth == LABELS) & (answers == answer))
            places = places[np.argsort(-SCORES[places].max(axis=1))][: 4 if truth == answer else 12]
            group = [each for each in found if (each.truth, each.prediction) == (NAMES[truth], NAMES[answer])]
            assert [each.probability for each in group] == pytest.approx(SCORES[places].max(axis=1).tolist())
            assert all(np.array_equal(each.image, IMAGES[place]) for each, place in zip(group, places))
    few = behind(IMAGES, LABELS, SCORES, NAMES, count=7)
    assert len({(each.truth, each.prediction) for each in few}) == 7  # one of each of seven cells before two of one


def test_the_page_says_how_many_images_it_shows_and_stays_within_its_bytes(made, read_page, monkeypatch):
    shown, images = read_page(run_page(made)), int(matrix().sum())
    assert f"The images behind the cells: {len(made.behind)} of {images}" in shown.text
    answers = SCORES.argmax(axis=1)
    dogs = int(((LABELS == 0) & (answers == 1)).sum())
    assert f"cat, predicted dog : {min(12, dogs)} of {dogs}" in shown.text.replace("dog:", "dog :")
    assert shown.text.count("<b>eel") > 3  # a name is text
    noise = [Sample(RANDOM.integers(0, 256, (300, 200, 3), dtype=np.uint8), "cat", "dog", 0.9, False)] * 400
    many = cells.cell_images(noise, matrix(), NAMES)
    assert 20 < many["shown"] < 400 and sum(len(t["uri"]) for t in many["groups"][0]["tiles"]) <= cells.MOST_BYTES
    assert cells.cell_images([], matrix(), NAMES) is None


def test_only_the_script_of_the_page_may_run(made, read_page):
    html = run_page(made)
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert read_page(html).all("meta")[2]["content"] == policy
    assert re.findall(r"<script>(.*?)</script>", html, re.DOTALL) == [SCRIPT]
    assert not re.search(r"fetch\(|XMLHttp|import\(|https?://(?!www\.w3\.org)|innerHTML|eval\(", SCRIPT)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    if BROWSER is None:
        pytest.skip("no chromium on this machine")
    with hand(tmp_path_factory.mktemp("browser")) as reader:
        yield reader


def test_a_page_is_operated_by_keyboard_and_by_touch(made, reader, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(run_page(made), encoding="utf-8")
    losses, accuracies = made.history["loss"], made.history["val_accuracy"]
    counts = matrix()
    reader.open(path, width=390)
    # The curves: the slider with the keyboard, a chart with a finger.
    reader.see("document.querySelector('#training input').focus()")
    reader.press("Home", "ArrowRight", "ArrowRight")
    readings = "[...document.querySelectorAll('.reading')].map(node => node.textContent)"
    loss, accuracy, *_ = reader.see(readings)
    assert loss.startswith(f"epoch 3: training {losses[2]:.4f}, validation")
    assert accuracy.endswith(f"validation {accuracies[2]:.2%}")
    said = reader.see("document.querySelector('#training input').getAttribute('aria-valuetext')")
    assert said.startswith(f"epoch 3. Loss: training {losses[2]:.4f}") and f"{accuracies[2]:.2%}" in said
    place = (48 + (410 - 48) * 11 / 19) / 420
    reader.touch("#training .charts svg", place)
    assert reader.see(readings)[0].startswith(f"epoch 12: training {losses[11]:.4f}")
    charts = reader.see("""[...document.querySelectorAll('#training .charts svg')].map(svg => [
        [...svg.querySelectorAll('.mark circle')].map(dot => [dot.cx.baseVal.value, dot.cy.baseVal.value]),
        [...svg.querySelectorAll('[data-words] path')].map(path => path.getAttribute('d'))])""")
    for (dots, lines), curves in zip(charts, (2, 2, 1, 1)):
        points = [tuple(map(float, point.split())) for line in lines for point in line.strip("M").split("L")]
        assert len(dots) == curves  # and each dot is on its curve
        assert all(min(abs(x - X) + abs(y - Y) for X, Y in points) < 0.2 for x, y in dots)
    # The matrix: arrow keys and Enter, then a finger; then the lists.
    reader.see("document.querySelector('.confusion button[tabindex=\"0\"]').focus()")
    reader.press("ArrowRight", "Enter")
    status, groups = "#classes .status", "[...document.querySelectorAll('[data-cell]')].filter(g => !g.hidden)"
    shown = reader.see(f"{groups}.map(g => [g.dataset.cell, g.querySelectorAll('img').length])")
    assert shown == [["0,1", min(12, counts[0, 1])]]
    assert f"predicted dog: {min(12, counts[0, 1])} of {counts[0, 1]} image" in reader.text(status)
    assert reader.see("document.querySelector('details.cells').open")
    reader.touch(".confusion tbody tr:nth-child(3) td:nth-of-type(3) button")
    assert f"true class <b>eel, predicted <b>eel: 4 of {counts[2, 2]} images" in reader.text(status)
    assert reader.see("document.querySelector('[aria-pressed=true]').textContent") == str(counts[2, 2])
    reader.see("document.querySelectorAll('.control select')[0].focus()")
    reader.press("ArrowUp")
    reader.see("document.querySelectorAll('.control select')[1].focus()")
    reader.press("ArrowUp", "ArrowUp", "ArrowUp")
    assert reader.text(status).endswith(f"of {counts[1].sum()} images shown")
    assert set(reader.see(f"{groups}.map(g => g.dataset.cell[0])")) == {"1"}
    # The filters, epoch by epoch.
    reader.see("document.querySelector('#filters input').focus()")
    reader.press("Home")
    assert reader.text("#filters output") == "before training"
    reader.press("ArrowRight")
    change = np.linalg.norm(KERNELS[2] - KERNELS[0]) / np.linalg.norm(KERNELS[0])
    assert reader.text("#filters output") == f"after epoch 2, changed by {change:.1%}"
    assert reader.see("[...document.querySelectorAll('.film figure')].filter(f => !f.hidden).length") == 1
    assert reader.read_page(390) == {"wide": False, "faint": [], "unnamed": [], "broken": 0} and reader.console == []


def test_phases_of_fine_tuning_are_read_like_one_training(reader, tmp_path):
    path = tmp_path / "report.html"
    run = test_report_transfer.make(behind=[Sample(IMAGES[0], "dog", "cat", 0.75, False)])
    path.write_text(transfer_page(run), encoding="utf-8")
    reader.open(path)
    reader.see("document.querySelector('#training input').focus()")
    reader.press("Home", "ArrowRight", "ArrowRight")
    readings = reader.see("[...document.querySelectorAll('.reading')].map(node => node.textContent)")
    assert readings == [
        "epoch 3: training 0.2000, validation 0.1875, a small net 0.6000",
        "epoch 3: validation 96.00%, a small net 70.31%",
    ]
    reader.touch(".confusion tbody tr:nth-child(2) td:nth-of-type(1) button")
    assert reader.text("#classes .status") == "true class dog, predicted cat: 1 of 14 images shown"
    assert reader.console == []


def test_without_scripts_the_page_shows_all_of_it(made, reader, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(run_page(made), encoding="utf-8")
    reader.open(path, scripts=False)
    assert reader.see("document.querySelectorAll('.control, .hint, .reading, .mark, button').length") == 0
    assert reader.see("[...document.querySelectorAll('.film figure')].filter(f => f.offsetParent).length") == 6
    assert "6 of them are shown; the others need scripts." in reader.text("#filters noscript")
    reader.touch(".cells summary")
    assert reader.see("document.querySelector('.cells').open")
    assert reader.see("[...document.querySelectorAll('.tiles img')].filter(i => i.naturalWidth).length") == len(
        made.behind
    )
    assert reader.see("document.querySelectorAll('#training title').length") == 2 * 40 + 2 * 20


def test_a_map_of_many_classes_shows_its_images_too(make_run, reader, tmp_path):
    names = [f"class {number}" for number in range(30)]
    counts = 5 * np.eye(30, dtype=int)
    counts[2, 3] = 2
    sample = Sample(IMAGES[0], "class 2", "class 3", 0.75, False)
    run = make_run(class_names=names, confusion=counts, behind=[sample], samples=[])
    path = tmp_path / "report.html"
    path.write_text(run_page(run), encoding="utf-8")
    reader.open(path)
    reader.see("document.querySelector('svg[data-map]').focus()")
    reader.press("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight")
    assert reader.text("#classes .status") == "2 × class 2, predicted class 3; Enter shows them"
    reader.press("Enter")
    assert reader.text("#classes .status") == "true class class 2, predicted class 3: 1 of 2 images shown"
    reader.touch("svg[data-map]", (118 + 16 * 4.5) / (118 + 16 * 30 + 2), (24 + 16 * 4.5) / (24 + 16 * 30 + 20))
    assert reader.text("#classes .status") == "true class class 4, predicted class 4: 0 of 5 images shown"
    assert reader.console == []


def test_a_film_needs_two_pictures_that_differ(read_page):
    for learned in ({}, {0: KERNELS[0]}, {0: KERNELS[0], 5: KERNELS[0].copy()}):
        assert "How they were learned" not in read_page(run_page(Run("x", filters=KERNELS[0], learned=learned))).text
