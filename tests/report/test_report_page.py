"""The page of a run shows the given numbers, is self-contained, and is never half written."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest

from minitorch_cnn.errors import ArgumentError, CheckpointError, ShapeError
from minitorch_cnn.report import LayerRow, Run, Sample, run_page, write_report

HOSTILE = ["<script>alert(1)</script>", "\"><img src=x onerror='alert(1)'>", "]]>", "{{ 7 * 7 }}", "</style></title>"]


def test_the_page_shows_the_given_numbers(make_run, read_page):
    run = make_run()
    page = read_page(run_page(run))
    for words in [run.title, run.subtitle, *sum(run.commands, ()), *run.notes, *run.class_names]:
        assert words in page.text
    for name, value in run.facts:
        assert f"{name} {value}" in page.text
    for layer in run.layers:
        assert f"{layer.name} {layer.kind}" in page.text
        assert f"{layer.parameters:,}" in page.text
    assert "dense_1 holds 1,606,144 of the 1,676,842 parameters, 95.8% of the network." in page.text
    right, images = int(np.trace(run.confusion)), int(run.confusion.sum())
    assert f"{right:,} of {images:,} images are classified correctly, {right / images:.2%}" in page.text
    assert f"{run.history['val_loss'][-1]:.4f}" in page.text
    assert f"{max(run.history['val_accuracy']):.2%} (epoch 20)" in page.text
    assert f"{run.confusion[0, 0] / run.confusion[0].sum():.1%} of {run.confusion[0].sum()}" in page.text


def test_the_page_is_self_contained(make_run, read_page):
    page = read_page(run_page(make_run()))
    assert page.all("script") == [{}]  # test_report_live.py says which
    assert "default-src 'none'" in page.all("meta")[2]["content"]
    without_namespaces = page.html.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "http://" not in without_namespaces
    assert "https://" not in without_namespaces
    assert "@import" not in page.html
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))


def test_images_and_drawings_have_alternative_text(make_run, read_page):
    page = read_page(run_page(make_run()))
    assert len(page.all("img")) == 24 + 2
    assert all(attributes["alt"] for attributes in page.all("img"))
    drawings = page.drawings()
    assert len(drawings) == 2 + 4 + 1
    assert all(tree.attrib["role"] == "img" and tree.attrib["aria-label"] for tree in drawings)
    identifiers = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_names_are_shown_as_text(make_run, read_page, words):
    names = [words, *make_run().class_names[1:]]
    image = np.zeros((32, 32, 3), np.uint8)
    page = read_page(
        run_page(
            make_run(
                title=words,
                subtitle=words,
                commands=[(words, words)],
                facts=[(words, words)],
                layers=[LayerRow(words, words, (32, 32, 3), 5, detail=words)],
                class_names=names,
                samples=[Sample(image, words, words, 0.5, False)],
                notes=[words],
            )
        )
    )
    clean = read_page(run_page(make_run()))
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in clean.tags}
    assert all(not name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert page.text.count(words) >= 10
    assert page.drawings()


def test_names_with_invalid_characters_still_give_a_page(make_run, tmp_path):
    path = write_report(make_run(commands=[("again", "train \udcff")], notes=["\x00"]), tmp_path / "report.html")
    text = path.read_text(encoding="utf-8")
    assert "train \\xff" in text and "\\x00" in text


# Clears a terminal, C1 controls, reversed writing, and an end of line that only some programs know.
CONTROLS = "\x1b[2J\x07\x7f\x85\x9b\u061c\u200f\u202e\u2066\u2028"


def test_control_characters_are_visible_wherever_a_name_is_shown(make_run):
    words = f"a{CONTROLS}b"
    image = np.zeros((32, 32, 3), np.uint8)
    page = run_page(
        make_run(
            title=words, subtitle=words, commands=[(words, words)], facts=[(words, words)], notes=[words],
            layers=[LayerRow(words, words, (32, 32, 3), 5, detail=words)], skipped=[words],
            class_names=[words, *make_run().class_names[1:]], samples=[Sample(image, words, words, 0.5, False)],
        )
    )  # fmt: skip
    assert not set(page) & set(CONTROLS) - set("[2J")
    assert page.count("a\\x1b[2J\\x07\\x7f\\x85\\x9b\\u061c\\u200f\\u202e\\u2066\\u2028b") >= 12


PARTS = {
    "network": {"layers": []},
    "training": {"history": {}},
    "classes": {"confusion": None, "class_names": []},
    "predictions": {"samples": []},
    "filters": {"filters": None},
    "again": {"commands": []},
    "notes": {"notes": []},
}


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_left_out(make_run, read_page, part):
    page = read_page(run_page(make_run(**PARTS[part])))
    sections = [attributes["id"] for attributes in page.all("section")]
    assert sections == [name for name in PARTS if name != part]
    assert [a["href"] for a in page.all("a")] == [f"#{name}" for name in sections if name != "notes"]


def test_a_title_is_enough(read_page):
    page = read_page(run_page(Run("Only a title")))
    assert page.all("section") == page.all("a") == []
    assert "Only a title" in page.text


@pytest.mark.parametrize(
    "history",
    [
        {"loss": [2.0]},
        {"loss": [math.nan, math.nan], "val_accuracy": [math.nan, 0.5]},
        {"val_loss": [1.0, math.inf, 0.5], "learning_rate": [0.1]},
        {"loss": [], "accuracy": []},
        {"seconds": [1.0]},
    ],
)
def test_any_history_gives_a_page(make_run, read_page, history):
    page = read_page(run_page(make_run(history=history)))
    assert page.drawings()
    assert all(
        "nan" not in (node.attrib.get("d", "") + node.attrib.get("cy", ""))
        for tree in page.drawings()
        for node in tree.iter()
    )


@pytest.mark.parametrize("classes", [2, 13, 20, 21, 100])
def test_any_number_of_classes(make_run, read_page, classes):
    confusion = np.random.default_rng(0).integers(1, 100, (classes, classes))
    confusion[-1] = 0
    run = make_run(class_names=[f"class {i}" for i in range(classes)], confusion=confusion)
    page = read_page(run_page(run))
    assert "no images" in page.text
    assert len(page.html) < 1_000_000
    assert (("table", "confusion") in [(tag, attributes.get("class")) for tag, attributes in page.tags]) == (
        classes <= 20
    )


def test_a_confusion_matrix_of_zeros_is_left_out(make_run, read_page):
    page = read_page(run_page(make_run(confusion=np.zeros((10, 10), int))))
    assert "classes" not in [attributes["id"] for attributes in page.all("section")]


def test_wrong_predictions_come_first_and_are_sorted_by_confidence(make_run, read_page):
    image = np.zeros((8, 8), np.uint8)
    samples = [
        Sample(image, "cat", name, p, p > 0.7) for name, p in [("a", 0.2), ("b", 0.6), ("c", 0.8), ("d", math.nan)]
    ]
    page = read_page(run_page(make_run(samples=samples)))
    cards = [a["alt"] for a in page.all("img") if "predicted" in a["alt"]]
    assert cards == [f"cat, predicted {name}" for name in "badc"]
    assert "60.0%" in page.text


def test_more_samples_than_fit_are_counted(make_run, read_page):
    image = np.zeros((8, 8, 3), np.uint8)
    page = read_page(run_page(make_run(samples=[Sample(image, "cat", "dog", 0.9, False)] * 100)))
    assert "24 of 100" in page.text


def test_frozen_layers_are_counted_separately(make_run, read_page):
    layers = [
        LayerRow("old", "Conv2D", (32, 32, 8), 224, "frozen"),
        LayerRow("between", "Conv2D", (32, 32, 8), 584, "frozen, gradient passes"),
        LayerRow("new", "Dense", (10,), 81930),
    ]
    text = read_page(run_page(make_run(layers=layers))).text
    assert "of which trained 81,930" in text
    assert "of which frozen 808" in text
    assert "the gradient passes through some of them" in text


def test_a_typical_report_is_small(make_run, tmp_path):
    assert write_report(make_run(), tmp_path / "report.html").stat().st_size < 1_000_000
    photos = [
        Sample(np.random.default_rng(i).integers(0, 256, (224, 224, 3), dtype=np.uint8), "cat", "dog", 0.9, bool(i % 2))
        for i in range(48)
    ]
    assert len(run_page(make_run(samples=photos))) < 2_000_000


def test_folders_are_created_and_the_path_is_returned(make_run, tmp_path):
    path = write_report(make_run(), str(tmp_path / "runs" / "one" / "report.html"))
    assert path == tmp_path / "runs" / "one" / "report.html"
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]


def test_a_failed_write_keeps_the_old_report(make_run, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("the old one")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(
        CheckpointError, match=r"report\.html: cannot be written \(No space left on device\); the older"
    ):
        write_report(make_run(), path)
    assert path.read_text() == "the old one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_a_path_that_cannot_be_written_is_an_error_of_one_line(make_run, tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "report.html", tmp_path, ""):
        with pytest.raises(CheckpointError, match=r"^report: expected|report\.html: cannot be written") as error:
            write_report(make_run(), path)
        assert "\n" not in str(error.value)


def test_an_inconsistent_run_is_rejected(make_run):
    with pytest.raises(ShapeError, match=r"confusion: expected \(10, 10\) for 10 class names, got \(3, 3\)"):
        make_run(confusion=np.eye(3, dtype=int))
    with pytest.raises(ArgumentError, match=r"history: expected keys among loss, .*, got 'losss'"):
        make_run(history={"losss": [1.0]})


def test_importing_the_package_loads_no_template_engine():
    code = "import sys, minitorch_cnn.report; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_skipped_files_are_counted_and_named(make_run, read_page):
    page = read_page(run_page(make_run(skipped=["<b>666.jpg", *(f"{i}.jpg" for i in range(30))])))
    assert "31 files or folders were left out" in page.text
    assert "<b>666.jpg" in page.text and "and 11 more" in page.text
    assert "Skipped files" not in read_page(run_page(make_run())).text
