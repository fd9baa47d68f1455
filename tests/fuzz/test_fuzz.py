"""The fuzzer for a short while on everything that reads, and everything it ever found."""

import json
from pathlib import Path

import fuzz
import pytest
import watching
from fuzz import FOUND, in_a_process, trouble
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import mutated
from targets import TARGETS
from watching import Guard, Lines

INPUTS = {"weights .h5": 30, "weights .keras": 60}  # slower than the others, which get 150
CASES = {target.replace(" ", "_").replace(".", ""): target for target in TARGETS}


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_does_harm(target):
    result = in_a_process(target, 60, INPUTS.get(target, 150), 0)
    assert result["found"] == []
    assert result["tried"] > 0 and result["kept"] > 0  # the search finds new ground
    assert result["peak"] < 500


def test_cases_that_were_found_once(tmp_path):
    guard = Guard()
    for path in sorted(FOUND.glob("*/*")):
        folder = tmp_path / path.parent.name
        folder.mkdir(exist_ok=True)
        for _ in range(2):  # the first time imports what is imported late
            problem = trouble(CASES[path.parent.name], path.read_bytes(), folder, guard, Lines())
        assert problem is None, path


@pytest.mark.parametrize(
    "act, heard",
    [
        ("open('/tmp/outside-of-the-folder', 'w').close()", "open /tmp/outside"),
        ("__import__('subprocess').run(['true'])", "subprocess.Popen"),
        ("__import__('os').system('true')", "os.system"),
        ("exec('1')", "a text was run as a program"),
        ("__import__('socket').create_connection(('127.0.0.1', 1))", "socket.connect"),
        ("while True: pass", "it takes too long"),
        ("raise ValueError('x')", "ValueError: x"),
        ("raise __import__('minitorch_cnn').errors.UserError('two\\nlines')", "a message that is no line"),
    ],
)
def test_the_watch_sees_what_must_not_be(tmp_path, act, heard, monkeypatch):
    """A reader that does each of these is found; otherwise a clean result would mean nothing."""
    compiled = compile(act, __file__, "exec")
    monkeypatch.setattr(watching, "SECONDS", 0.2)
    monkeypatch.setitem(fuzz.TARGETS, "bad", fuzz.TARGETS["image"].__class__(list, lambda data, folder: exec(compiled)))
    lines = Lines()
    for _ in range(2):
        problem = fuzz.trouble("bad", b"", tmp_path, Guard(), lines)
    assert problem is not None and problem.startswith(heard)
    Path("/tmp/outside-of-the-folder").unlink(missing_ok=True)


@given(
    st.binary(max_size=400), st.lists(st.binary(max_size=50), min_size=1, max_size=3), st.randoms(use_true_random=False)
)
@settings(deadline=None)
def test_edits_are_bytes_of_a_bounded_length(data, others, rng):
    assert len(mutated(data, others, [b"word"], rng)) <= 1 << 20


def test_the_same_seed_gives_the_same_search():
    first, second = (in_a_process("class index", 60, 40, 3) for _ in range(2))
    assert json.dumps({**first, "peak": 0}) == json.dumps({**second, "peak": 0})
