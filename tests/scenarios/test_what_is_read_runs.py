"""What you read is what runs: a change in any definition is in effect, is found by the check, and is named."""

import functools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from edits import EDITS, FIRST_FOUR

import minitorch_cnn
from minitorch_cnn.arrays.dispatch import DEFINITIONS
from minitorch_cnn.gradients.twins import import_definitions, stale

HERE = Path(__file__).parent
PACKAGE = Path(minitorch_cnn.__file__).parent


def in_copies(work, folder, names):
    """{edit: what `work` of edited_package.py gives in a copy of the package with it}."""
    command = [sys.executable, str(HERE / "edited_package.py"), work, str(PACKAGE), str(folder), *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300 + 120 * len(names))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(names), done.stderr[-2000:]
    return {answer["edit"]: answer for answer in answers}


def test_every_twin_stands_for_its_definition_as_it_is():
    assert stale() == [], "run `minitorch-cnn twins --record` after the twin has been made to agree again"


def test_there_is_an_edit_for_every_definition_with_a_twin():
    import_definitions()
    folders = PACKAGE / "twins"
    with_twin = [
        one
        for one in DEFINITIONS.values()
        if any(
            (folders / library).joinpath(*one.path.split(".")).with_suffix(".py").exists()
            for library in ("numba", "cuda")
        )
    ]
    assert len(with_twin) >= 23
    for one in with_twin:
        assert any(one.title == edit.names for edit in EDITS.values()), f"no edit changes {one.title}"


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """answers(name): what a training and the comparison function by function give in a copy with that edit.

    Computed with the first four and "unchanged", or with all others, when the first of these is asked for.
    """

    @functools.cache
    def some(first):
        names = ["unchanged", *FIRST_FOUR] if first else [name for name in EDITS if name not in FIRST_FOUR]
        return in_copies("trained and compared", tmp_path_factory.mktemp("copies"), names)

    return lambda name: some(name == "unchanged" or name in FIRST_FOUR)[name]


EACH = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.campaign] * (name not in FIRST_FOUR)) for name in EDITS]
)


@EACH
def test_a_training_uses_the_change(answers, name):
    edit, answer, unchanged = EDITS[name], answers(name), answers("unchanged")
    assert answer["result"] is not None, answer["said"]
    ours, plain = (np.array(one["result"]["trained"][edit.optimizer]) for one in (answer, unchanged))
    assert ours.shape == plain.shape and not np.allclose(ours, plain, rtol=1e-4, equal_nan=True)
    said = [line for line in answer["said"].splitlines() if line.startswith(edit.names)]
    if not edit.only_gpu:
        assert said == [f"{edit.names} differs from what its compiled twin was made for; your version runs, slower"]


def test_nothing_is_accused_where_nothing_was_changed(answers):
    assert answers("unchanged")["result"]["compared"] == [True, ""] and answers("unchanged")["said"] == ""


@EACH
def test_the_comparison_finds_and_names_the_change(answers, name):
    agree, lines = answers(name)["result"]["compared"]
    assert not agree
    line = next(line for line in lines.splitlines() if EDITS[name].names in line)
    assert line.startswith("BAD") and ("the definition is wrong" in line or "changed since" in line)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.campaign] * (number > 0)) for number, name in enumerate(FIRST_FOUR)]
)
def test_check_gradients_fails_and_names_the_function(tmp_path, name):
    code, output = in_copies("command", tmp_path, [name])[name]["result"]
    assert code == 1 and "the definition is wrong" in output
    assert f"changed since the twin was made: {EDITS[name].names}" in output


@pytest.mark.campaign
def test_check_gradients_names_every_fifth_change(tmp_path):
    """Function by function it compares what `compare_twins` does, which is asked about every change above."""
    for name, answer in in_copies("command", tmp_path, [*EDITS][::5]).items():
        code, output = answer["result"]
        assert code == 1 and EDITS[name].names in output, (name, output[-1000:])
