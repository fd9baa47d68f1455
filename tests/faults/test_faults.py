"""Every fault of the table (`faults.py`): a good checkpoint is kept, a message says so, and resuming works."""

import re
from pathlib import Path

import download_faults  # noqa: F401  registers its faults
import pytest
from faults import FAULTS, NotHere, Tuning, happen, uninterrupted

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
IN_WORDS = {name: function for name, _, function in FAULTS}

SLOW = {  # eight random moments each, what is injected twice or more, and what others stand for
    "Ctrl-C at any point", "Ctrl-C twice at any point", "full disk at the end", "fine-tuning: Ctrl-C twice",
    "fine-tuning: full disk", "fine-tuning: Ctrl-C", "fine-tuning: killed", "download: two processes at once",
    "two runs in one folder",
}  # fmt: skip
MARKED = [pytest.param(name, marks=[pytest.mark.campaign] * (name in SLOW)) for name in IN_WORDS]


@pytest.fixture(scope="module")
def expected():
    return uninterrupted()


@pytest.mark.parametrize("name", MARKED)
def test_fault(name, expected):
    if "processes killed" in name:
        pytest.importorskip("mpi4py")
    try:
        outcome = happen(IN_WORDS[name], expected)
    except NotHere as reason:  # the other rows about a full disk run everywhere
        pytest.skip(str(reason))
    assert outcome.kept and outcome.message and "\n" not in outcome.message


def test_the_page_has_every_fault_as_it_is_injected():
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)[1:]
    assert rows == [(name, injected) for name, injected, _ in FAULTS]
    assert set(IN_WORDS) >= SLOW


def test_a_new_fine_tuning_does_not_resume_from_files_in_its_folder(tmp_path):
    """The folder has lost its settings, or somebody has put a checkpoint into it."""
    tuning = Tuning(tmp_path)
    code, message = tuning.finish(tuning.start("--out", tuning.run, "--quiet", *tuning.settings, "--seed", "3"))
    assert code == 0, message
    (tuning.run / "config.json").unlink()
    code, message = tuning.train("none")
    assert code == 0, message
    tuning.same()
