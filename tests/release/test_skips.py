"""A skipped test fails a run of the checks unless its reason is on the list for that step."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from expected_skips import EVERY, EXPECTED, unexpected

TESTS = Path(__file__).parents[1]
SKIPPING = """
import pytest
pytest.mark.skipif  # a mark, a call and a whole file each skip in their own way

@pytest.mark.skipif(True, reason="REASON")
def test_marked():
    pass

def test_called():
    pytest.skip("REASON")

@pytest.mark.xfail(reason="known", strict=True)
def test_known():
    assert False

def test_runs():
    pass
"""
WHOLE = 'import pytest\npytest.skip("REASON", allow_module_level=True)\n'


def run(folder, reason, step):
    """(exit code, output) of tests that are skipped for this reason in a step of the checks; "" is none of them."""
    for name in ("conftest.py", "expected_skips.py"):
        shutil.copy(TESTS / name, folder)
    (folder / "test_few.py").write_text(SKIPPING.replace("REASON", reason))
    (folder / "test_whole.py").write_text(WHOLE.replace("REASON", reason))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    environment = {**os.environ, "CI_STEP": step}
    environment.pop("CI_NO_BROWSER", None)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    "reason, step, code",
    [
        ("no chromium on this machine", "tests", 1),
        ("the moon is full", "campaigns", 1),
        ("the site is not built", "docs", 1),
        ("this machine has no AVX2", "tests", 0),
        ("PyTorch is not installed", "tests", 0),
        ("could not import 'torch'", "pytorch", 1),
        ("the moon is full", "", 0),
    ],
)
def test_a_reason_that_is_not_on_the_list_fails_the_run(tmp_path, reason, step, code):
    returned, said = run(tmp_path, reason, step)
    assert "1 passed" in said and "3 skipped" in said and "1 xfailed" in said, said
    assert returned == code
    named = [line for line in said.splitlines() if line.startswith("SKIPPED for a reason not in")]
    assert len(named) == (3 if code else 0) and all(line.endswith(reason) for line in named)


def test_the_steps_of_the_list_are_those_of_the_script():
    script = (TESTS.parent / ".ci" / "run").read_text(encoding="utf-8")
    steps = {line.split()[1] for line in script.splitlines() if line.split()[:1] == ["step"]}
    assert EVERY - steps == set()
    for pattern, where, why in EXPECTED:
        assert where and where <= EVERY and why, pattern


def test_without_a_step_nothing_is_expected():
    assert unexpected([("a.py:1", "no chromium on this machine")], "tests") == [
        ("a.py:1", "no chromium on this machine")
    ]
