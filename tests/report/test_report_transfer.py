"""The page of transfer learning shows the given numbers, leaves out what is missing, and is self-contained."""

import math

import numpy as np
import pytest
from report_browser import BROWSER, measure

from minitorch_cnn.errors import ArgumentError, CheckpointError, ShapeError
from minitorch_cnn.report import (
    Explanation,
    LayerRow,
    Phase,
    Sample,
    TransferRun,
    transfer_page,
    write_transfer_report,
)

HOSTILE = ["<script>alert(1)</script>", "\"><img src=x onerror='alert(1)'>", "]]>", "{{ 7 * 7 }}", "</style></title>"]
KEPT = [
    LayerRow("block1_conv1", "Conv2D", (32, 32, 64), 1792, "frozen", "64 of 3x3, same, relu"),
    LayerRow("block1_conv2", "Conv2D", (32, 32, 64), 36928, "frozen"),
    LayerRow("block1_pool", "MaxPool2D", (16, 16, 64)),
    LayerRow("block2_conv1", "Conv2D", (16, 16, 128), 73856, "frozen"),
    LayerRow("block2_pool", "MaxPool2D", (8, 8, 128)),
]
TOSSED = [LayerRow("fc1", "Dense", (4096,), 4096000), LayerRow("predictions", "Dense", (1000,), 4097000)]
ADDED = [
    LayerRow("flatten", "Flatten", (8192,)),
    LayerRow("dense_1", "Dense", (256,), 2097408),
    LayerRow("dropout", "Dropout", (256,)),
    LayerRow("dense_2", "Dense", (1,), 257),
]
TOP = {"loss": [0.5, 0.25], "accuracy": [0.8, 0.9], "val_loss": [0.4, 0.3125], "val_accuracy": [0.85, 0.9375]}
ALL = {"loss": [0.2], "val_loss": [0.1875], "val_accuracy": [0.96], "seconds": [1800.0]}


def photo(seed=0, side=60):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def make(**changes):
    """A small run of transfer learning with made-up results."""
    before = np.random.default_rng(0).normal(size=(3, 3, 3, 16)).astype(np.float32)
    seen = Sample(photo(), "cat", "dog", 0.75, False)
    values = {
        "title": "Cats and dogs by transfer",
        "subtitle": "With photos of 32×32",
        "facts": [("seed", 7)],
        "references": [("the book", 0.97)],
        "input_shape": (32, 32, 3),
        "kept": KEPT,
        "tossed": TOSSED,
        "added": ADDED,
        "phases": [
            Phase("base frozen", TOP | {"seconds": [6.0, 6.0]}, detail="features once"),
            Phase("everything trained", ALL, dict.fromkeys((layer.name for layer in KEPT), "trained")),
        ],
        "scratch": {"val_loss": [0.7, 0.65, 0.6], "val_accuracy": [0.5, 0.6, 0.703125]},
        "scratch_name": "a small net",
        "class_names": ["cat", "dog"],
        "confusion": np.array([[480, 20], [14, 486]]),
        "samples": [seen, Sample(photo(1), "dog", "cat", 0.875, False), Sample(photo(2), "dog", "dog", 0.99, True)],
        "filters_before": before,
        "filters_after": before * 1.0625,
        "moved": [("block2_conv1", 0.03125), ("block2_conv2", 0.0625)],
        "explanations": [Explanation(seen, np.linspace(0, 1, 3600).reshape(60, 60), "cat")],
        "skipped": [f"broken {i}.jpg" for i in range(3)],
        "commands": [("the same again", "minitorch-cnn fine-tune --seed 7")],
        "notes": ["The weights are under CC BY 4.0."],
    }
    return TransferRun(**(values | changes))


def test_the_page_shows_the_given_numbers(read_page):
    page = read_page(transfer_page(make()))
    for words in [
        "accuracy, everything trained 96.00%",
        "accuracy, base frozen 93.75%",
        "accuracy, a small net 70.31%",
        "accuracy, the book 97%",
        "training time 30.2 min",
        "seed 7",
        "The layers of VGG16 up to block2_pool stay",
        "1 base frozen features once 2,097,665 94.9% 2 12 s 93.75%",
        "2 everything trained 2,210,241 100.0% 1 30.0 min 96.00%",
        "966 of 1,000 images are classified correctly, 96.60%",
        "true class: cat ; heat map for cat",
        "changed them by 6.25%",
        "block2_conv1 3.12%",
        "block2_conv2 6.25%",
        "or a link that leads elsewhere. broken 0.jpg broken 1.jpg broken 2.jpg",
        "minitorch-cnn fine-tune --seed 7",
        "The weights are under CC BY 4.0.",
    ]:
        assert words in page.text
    for layer in [*KEPT, *TOSSED, *ADDED]:
        assert f"{layer.name} {layer.kind}" in page.text
        assert f"{layer.parameters:,}" in page.text


def test_the_accuracy_of_a_phase_can_be_given(read_page):
    page = read_page(transfer_page(make(phases=[Phase("one", ALL, accuracy=0.5), Phase("two", {})], seconds=40)))
    assert "accuracy, one 50.00%" in page.text
    assert "accuracy, two" not in page.text
    assert "training time 40 s" in page.text
    assert "2 two 2,097,665 94.9% – – –" in page.text


def test_only_mistakes_are_shown_the_most_confident_first(read_page):
    page = read_page(transfer_page(make()))
    assert [image["alt"] for image in page.all("img") if ", predicted" in image["alt"]] == [
        "dog, predicted cat",
        "cat, predicted dog",
    ]


def test_items_that_do_not_fit_are_counted(read_page):
    sample = Sample(photo(), "cat", "dog", 0.75, False)
    page = read_page(
        transfer_page(
            make(
                samples=[sample] * 30,
                explanations=[Explanation(sample, np.zeros((60, 60)))] * 20,
                skipped=[f"<{i}>.jpg" for i in range(2033)],
            )
        )
    )
    assert "24 of 30 mistakes" in page.text
    assert "2,033 files or folders were left out" in page.text
    assert "<19>.jpg and 2,013 more" in page.text
    assert "<20>.jpg" not in page.text
    assert len([image for image in page.all("img") if "heat map" in image["alt"]]) == 12


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_names_are_shown_as_text(read_page, words):
    layer = LayerRow(words, words, (32, 32, 3), 5, detail=words)
    other = LayerRow(words + "2", words, (32, 32, 3), 5, detail=words)
    sample = Sample(photo(), words, words, 0.5, False)
    run = make(
        title=words,
        subtitle=words,
        base=words,
        facts=[(words, words)],
        references=[(words, 0.5)],
        kept=[layer],
        tossed=[layer],
        added=[other],
        phases=[Phase(words, TOP, {words: "frozen"}, detail=words), Phase(words, ALL)],
        scratch_name=words,
        class_names=[words, "dog"],
        samples=[sample],
        explanations=[Explanation(sample, np.zeros((60, 60)), words)],
        skipped=[words],
        commands=[(words, words)],
        notes=[words],
    )
    page = read_page(transfer_page(run))
    clean = read_page(transfer_page(make()))
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in clean.tags}
    assert all(not name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert page.text.count(words) >= 20
    assert page.drawings()


PARTS = {
    "surgery": {"kept": [], "tossed": [], "added": []},
    "training": {"phases": [], "scratch": {}},
    "classes": {"confusion": None, "class_names": []},
    "mistakes": {"samples": []},
    "where": {"explanations": []},
    "filters": {"filters_before": None, "filters_after": None},
    "moved": {"moved": []},
    "skipped": {"skipped": []},
    "again": {"commands": []},
    "notes": {"notes": []},
}


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_left_out(read_page, part):
    changes = PARTS[part] | ({"phases": [Phase("one", ALL)]} if part == "surgery" else {})
    page = read_page(transfer_page(make(**changes)))
    sections = [attributes["id"] for attributes in page.all("section")]
    assert sections == [name for name in PARTS if name != part]
    assert [a["href"] for a in page.all("a")] == [f"#{name}" for name in sections if name not in ("skipped", "notes")]


def test_a_title_is_enough(read_page):
    page = read_page(transfer_page(TransferRun("Only a title")))
    assert page.all("section") == page.all("a") == page.all("dl") == []
    assert "Only a title" in page.text


@pytest.mark.parametrize(
    "empty", [("kept",), ("tossed",), ("added",), ("kept", "tossed"), ("kept", "added"), ("tossed", "added")]
)
def test_a_missing_group_is_left_out(read_page, empty):
    page = read_page(transfer_page(make(**{name: [] for name in empty}, phases=[Phase("one", ALL)])))
    wide = "".join(page.drawings()[0].itertext())
    for name, word in (("kept", "Keep"), ("tossed", "Toss"), ("added", "Add")):
        assert (word in wide) == (name not in empty)


@pytest.mark.parametrize(
    ("phases", "scratch"),
    [
        ([Phase("nothing", {})], {}),
        ([Phase("one", {"loss": [1.0]})], {}),
        ([Phase("one", {"loss": [math.nan, math.inf]}), Phase("two", {"val_accuracy": [0.5, math.nan]})], {}),
        ([], {"val_loss": [0.5, 0.25], "seconds": [1, 2]}),
        ([Phase("one", {"val_loss": [0.5]}), Phase("none", {"loss": []})], {"val_loss": [0.5] * 9, "val_accuracy": []}),
        ([Phase(str(i), {"loss": [i + 0.5], "seconds": [math.nan]}) for i in range(5)], {}),
    ],
    ids=range(6),
)
def test_any_history_gives_a_page(read_page, phases, scratch):
    page = read_page(transfer_page(make(phases=phases, scratch=scratch)))
    for tree in page.drawings():
        for node in tree.iter():
            assert not {"nan", "inf"} & {node.attrib.get(name) for name in ("x", "y", "cx", "cy", "d")}
            assert "nan" not in node.attrib.get("d", "")


def test_filters_of_one_time_only_and_unchanged_filters(read_page):
    kernel = np.ones((3, 3, 3, 4), np.float32)
    alone = read_page(transfer_page(make(filters_before=None, filters_after=kernel)))
    assert "After fine-tuning" in alone.text and "Before fine-tuning" not in alone.text and "changed" not in alone.text
    same = read_page(transfer_page(make(filters_before=kernel, filters_after=kernel.copy())))
    assert "left them as they are" in same.text and "changed them" not in same.text and "The change" not in same.text
    assert "Before and after" in same.text and "After fine-tuning" not in same.text
    nothing = read_page(transfer_page(make(filters_before=0 * kernel, filters_after=kernel)))
    assert "After fine-tuning" in nothing.text and "changed them" not in nothing.text


@pytest.mark.parametrize("count, shown", [(29, 29), (30, 30), (31, 16), (95, 24)])
def test_of_many_layers_that_moved_some_are_shown(read_page, count, shown):
    page = read_page(transfer_page(make(moved=[(f"layer{number}", 0.01 * (number + 1)) for number in range(count)])))
    bars = [tree for tree in page.drawings() if "How far the layers moved" in tree.get("aria-label")]
    assert len(bars) == -(-shown // 10)
    assert (f"{shown} of {count} layers are shown" in page.text) == (shown < count)
    assert "layer0 1.00%" in page.text


def test_layers_that_did_not_move_are_no_section(read_page):
    page = read_page(transfer_page(make(moved=[("block2_conv1", 0.0)])))
    assert "How far did the old layers move" not in page.text


def test_filters_from_caffe_are_shown_as_red_green_blue():
    blue_first = np.zeros((1, 1, 3, 1), np.float32)
    blue_first[0, 0, 0] = 1
    none = {"samples": [], "explanations": [], "filters_before": None}
    turned = transfer_page(make(filters_after=blue_first[:, :, ::-1], **none))
    shown = transfer_page(make(filters_after=blue_first, bgr=True, **none))
    pictures = [page[page.index("data:image/png") :].split('"')[0] for page in (turned, shown)]
    assert pictures[0] == pictures[1]
    assert "shown as red, green, blue" in shown and "shown as red" not in turned


def test_the_page_is_self_contained(read_page):
    page = read_page(transfer_page(make()))
    assert page.all("script") == [{}]  # test_report_live.py says which
    assert "default-src 'none'" in page.all("meta")[2]["content"]
    assert "http://" not in page.html.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "https://" not in page.html
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))


def test_images_and_drawings_have_alternative_text(read_page):
    page = read_page(transfer_page(make()))
    assert len(page.all("img")) == 2 + 2 + 3
    assert all(attributes["alt"] for attributes in page.all("img"))
    assert len(page.drawings()) == 2 + 2 + 1 + 1
    assert all(tree.attrib["role"] == "img" and tree.attrib["aria-label"] for tree in page.drawings())
    identifiers = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))


def test_a_full_page_stays_below_two_megabytes(tmp_path):
    samples = [Sample(photo(i, 150), "cat", "dog", 0.9, False) for i in range(24)]
    run = make(samples=samples, explanations=[Explanation(sample, np.zeros((150, 150))) for sample in samples])
    assert write_transfer_report(run, tmp_path / "report.html").stat().st_size < 2_000_000


def test_the_page_is_written_completely_or_not_at_all(tmp_path):
    path = write_transfer_report(make(), str(tmp_path / "runs" / "report.html"))
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]
    with pytest.raises(CheckpointError, match=r"^report: "):
        write_transfer_report(make(), tmp_path)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda: make(confusion=np.eye(3)),
            ShapeError,
            r"confusion: expected \(2, 2\) for 2 class names, got \(3, 3\)",
        ),
        (lambda: make(scratch={"losss": [1]}), ArgumentError, "scratch: expected keys among loss, .*, got 'losss'"),
        (lambda: Phase("top", {"x": [1]}), ArgumentError, "phase top: history: expected keys among loss, .*, got 'x'"),
        (
            lambda: Phase("top", {}, {"conv": "thawed"}),
            ArgumentError,
            "phase top: conv: expected one of the states 'trained', .*, got 'thawed'",
        ),
        (
            lambda: make(phases=[Phase("top", {}, {"fc1": "trained"})]),
            ArgumentError,
            "phase top: expected the name of a kept or added layer, got 'fc1'",
        ),
        (
            lambda: make(filters_after=np.ones((5, 5, 3, 16))),
            ShapeError,
            r"filters_after: expected \(3, 3, 3, 16\) as before, got \(5, 5, 3, 16\)",
        ),
        (
            lambda: Explanation(Sample(photo(), "a", "b", 0.5, False), np.zeros((3, 60))),
            ShapeError,
            r"heat: expected \(60, 60\) like the photo, got \(3, 60\)",
        ),
    ],
    ids=range(7),
)
def test_inconsistent_values_are_rejected(change, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        change()


@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_and_the_console_is_empty(tmp_path, width, dark):
    word = "a_word_without_any_place_to_break_it_" * 4
    page = transfer_page(
        make(subtitle=word, skipped=[word], commands=[("again", "minitorch-cnn " + "--option value " * 20)])
    )
    found = measure(page.replace("<details>", "<details open>"), width, dark, tmp_path)
    assert found["shown"] == width
    assert found["needed"] <= width, found
    assert found["wide"] == []
    assert found["broken"] == 0
    assert found["console"] == []
    assert found["faint"] == [] and found["unnamed"] == []
