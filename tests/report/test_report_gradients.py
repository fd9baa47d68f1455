"""The page of a gradient check: its text, and how it looks in a browser."""

import numpy as np
import pytest
from report_browser import BROWSER, measure

import minitorch_cnn as mtc
from minitorch_cnn import layers
from minitorch_cnn.cli import main
from minitorch_cnn.gradients.check import gradient_check
from minitorch_cnn.gradients.gallery import distinct
from minitorch_cnn.gradients.step_curves import DTYPES, STEPS, StepCurve
from minitorch_cnn.lessons.planted_bugs import PLANTED_BUGS
from minitorch_cnn.report import GradientChecks, draw_step_curve, gradients_page


@pytest.fixture(scope="module")
def checks():
    with mtc.definitions_only():
        reports = [
            gradient_check(layers.Conv2D(2, 2, activation="relu"), distinct((2, 4, 5, 3)), most=8, curves=True),
            gradient_check(layers.ReLU(), np.array([[0.0, 1.0, -1.0]]), curves=True),
        ]
        found = [bug.found(np.random.default_rng(0), curves=True) for bug in PLANTED_BUGS]
    bugs = [(bug.title, bug.symptom, bug.source, report) for bug, report in zip(PLANTED_BUGS, found)]
    return GradientChecks("Are the gradients <right>?", "two layers", reports, bugs, [("again", "check " * 60)])


def test_the_page_shows_every_number_and_every_bug(checks, read_page):
    page = read_page(gradients_page(checks))
    assert "Are the gradients <right>?" in page.text and "2 of 2" in page.text and "17 of 17" in page.text
    for report in checks.reports:
        for element in [*report.worst.values(), *report.kinks]:
            assert f"{element.name}[{', '.join(map(str, element.index))}]" in page.text
            assert f"{element.backward:+.6e}" in page.text and f"{element.numerical:+.6e}" in page.text
    assert page.text.count("a kink, not a bug") == 1
    for title, _, source, report in checks.bugs:
        assert title in page.text and source.splitlines()[0] in page.text
        for words in getattr(report, "symptoms", {}).values():
            assert words in page.text
    curves = sum(len(report.curves) for *_, report in checks.bugs if hasattr(report, "curves"))
    assert len(page.drawings()) == curves + sum(len(report.curves) for report in checks.reports)
    assert all(tree.attrib["aria-label"] for tree in page.drawings())


@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_and_the_console_is_empty(checks, tmp_path, width, dark):
    found = measure(gradients_page(checks), width, dark, tmp_path)
    assert found["shown"] == width and found["needed"] <= width, found
    assert found["wide"] == [] and found["broken"] == 0 and found["console"] == []
    assert found["faint"] == [] and found["unnamed"] == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, 1e-300, 1e300])
def test_a_curve_of_extreme_values_can_be_drawn(value):
    curve = StepCurve("a <name>", STEPS, {dtype: [value] * len(STEPS) for dtype in DTYPES})
    assert draw_step_curve(curve).startswith("<svg")


def test_the_command_writes_the_page(tmp_path, capsys, read_page):
    path = tmp_path / "gradients.html"
    with mtc.definitions_only():
        assert main(["check-gradients", "--random", "4", "--brief", "--page", str(path)]) == 0
    said = capsys.readouterr().out
    assert "4 of 4 agree" in said and "17 of 17 planted bugs found" in said and str(path) in said
    assert "17 of 17" in read_page(path.read_text(encoding="utf-8")).text


@pytest.fixture
def a_bug_that_is_missed(monkeypatch):
    """One bug of the gallery, and one that changes the result but that the check does not find."""
    from minitorch_cnn.lessons import planted_bugs, planted_survey
    from minitorch_cnn.lessons.planted_trials import Trial

    def draw(rng):
        report = gradient_check(layers.ReLU(), distinct((2, 3)))
        return Trial(lambda kind, curves=False: report, lambda kind: {"input": np.full(3, float(kind is layers.ReLU))})

    missed = planted_bugs.PlantedBug("hard to see", planted_bugs.planted.MaskFromTheWrongSide, "None.", draw, "")
    gallery = (PLANTED_BUGS[6], missed)
    monkeypatch.setattr(planted_bugs, "PLANTED_BUGS", gallery)
    monkeypatch.setattr(planted_survey, "PLANTED_BUGS", gallery)


def test_a_missed_bug_is_exit_code_1(a_bug_that_is_missed, capsys):
    assert main(["check-gradients", "--planted"]) == 1
    assert "1 of 2 planted bugs found; missed: hard to see" in capsys.readouterr().out
    assert main(["check-gradients", "--planted", "--random", "2"]) == 1
    said = capsys.readouterr().out
    assert "1 of 2 bugs found on every shape: 2 of 4; missed: hard to see" in said


def test_the_survey_is_a_table_and_a_page(tmp_path, capsys, read_page):
    path = tmp_path / "survey.html"
    assert main(["check-gradients", "--planted", "--random", "1", "--brief", "--page", str(path)]) == 0
    said = capsys.readouterr().out
    assert "17 of 17 bugs found on every shape: 17 of 17\n0 false alarms in 18 correct layers" in said
    for bug in PLANTED_BUGS:
        assert sum(line.startswith(bug.title) for line in said.splitlines()) == 1
    page = read_page(path.read_text(encoding="utf-8"))
    assert "found on random shapes" in page.text and page.text.count("17 of 17") == 2
    assert "check-gradients --planted --random 1" in page.text


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["cifar10", "--random", "3"], "expected MODEL alone, or --random and --planted, got both"),
        (["cifar10", "--planted"], "expected MODEL alone, or --random and --planted, got both"),
        (["--random", "1", "--brief", "--page", "{folder}"], "expected the name of a file to write, got the folder"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path, capsys, arguments, message):
    with mtc.definitions_only():
        assert main(["check-gradients", *[argument.format(folder=tmp_path) for argument in arguments]]) == 2
    said = capsys.readouterr().err
    assert message in said and len(said.strip().splitlines()) == 1
