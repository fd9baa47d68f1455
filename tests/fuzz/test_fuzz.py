"""The fuzzer for a short while on everything that reads, and everything it ever found."""

import io
import json
import os
import re
import tempfile
import threading
from pathlib import Path

import bad_readers
import fuzz
import pytest
import watching
from fuzz import FOUND, folder_of, in_a_process, trouble
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import mutated
from PIL import Image
from target import Target
from targets import TARGETS
from watching import Guard, Lines, Memory

from minitorch_cnn import Sequential, layers, runs

# Slower than the others, which get 50.
INPUTS = {"weights .h5": 20, "command line": 30, "config of a run": 30, "history of a run": 25, "image folder": 50,
          "progress of the exercises": 40, "config of a run, by meaning": 30, ".keras by meaning": 50,
          "whole-model .h5 by meaning": 50}  # fmt: skip
CASES = {folder_of(target).name: target for target in TARGETS}


@pytest.fixture(autouse=True)
def temporary_files_inside(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


MANY_SEEDS = {"weights .h5", "command line"}  # seconds before the first edit, each good input being used twice
SHORT = [(target, 10) for target in TARGETS if target not in MANY_SEEDS]


@pytest.mark.parametrize(
    "target, inputs", SHORT + [pytest.param(target, 50, marks=pytest.mark.campaign) for target in TARGETS]
)
def test_no_input_does_harm(target, inputs):
    result = in_a_process(target, 60, min(inputs, INPUTS.get(target, 50)), 0)
    assert result["found"] == []
    assert result["tried"] > 0 and result["kept"] > 0  # the search finds new ground


def kept_cases():
    return sorted(path for path in FOUND.glob("*/*"))


def test_cases_are_kept_and_each_is_of_a_target():
    assert kept_cases() and {path.parent.name for path in kept_cases()} <= CASES.keys()
    assert all(path.is_file() for path in kept_cases()) and all(path.is_dir() for path in FOUND.iterdir())


@pytest.mark.parametrize("path", kept_cases(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_case_that_was_found_once(path, guard, tmp_path):
    target = CASES[path.parent.name]
    for data in (next(iter(TARGETS[target].seeds())), path.read_bytes()):
        trouble(target, data, tmp_path, None, None, Memory())
    assert trouble(target, path.read_bytes(), tmp_path, guard, Lines(), Memory()) is None


ACTS = [
    ("open('/tmp/outside-of-the-folder', 'w').close()", "open /tmp/outside"),
    ("open('/etc/hostname').close()", "read /etc/hostname"),
    ("open('/dev/zero').close()", "read /dev/zero"),
    ("os.mkdir('/tmp/outside-of-the-folder')", "os.mkdir /tmp/outside"),
    ("os.rename(f'{folder}/file', '/tmp/outside-of-the-folder')", "os.rename /tmp/outside"),
    ("os.link(f'{folder}/file', '/tmp/outside-of-the-folder')", "os.link /tmp/outside"),
    ("os.symlink('x', '/tmp/outside-of-the-folder')", "os.symlink /tmp/outside"),
    ("os.symlink('/tmp', f'{folder}/link'); open(f'{folder}/link/outside-of-the-folder', 'w')", "open /tmp/outside"),
    ("os.remove('/tmp/outside-of-the-folder')", "os.remove /tmp/outside"),
    ("os.chmod('/tmp', 0o777)", "os.chmod /tmp"),
    ("__import__('shutil').copyfile(f'{folder}/file', '/tmp/outside-of-the-folder')", "open /tmp/outside"),
    ("t = threading.Thread(target=tried, args=('/tmp/outside-of-the-folder',)); t.start(); t.join()", "open /tmp/out"),
    ("__import__('subprocess').run(['true'])", "subprocess.Popen"),
    ("os.system('true')", "os.system"),
    ("os.fork()", "os.fork"),
    ("os.execv('/bin/true', ['true'])", "os.exec"),
    ("exec('1')", "a text was run as a program"),
    ("eval('1')", "a text was run as a program"),
    ("__import__('pickle').loads(b'cos\\nsystem\\n.')", "pickle.find_class"),
    ("__import__('ctypes').CDLL('libm.so.6')", "ctypes.dlopen"),
    ("__import__('socket').create_connection(('127.0.0.1', 1))", "socket."),
    ("__import__('urllib.request').request.urlopen('http://127.0.0.1:1/x')", "urllib.Request"),
    ("while True: pass", "it takes too long"),
    ("raise ValueError('x')", "ValueError: x"),
    ("raise UserError('two\\nlines')", "a message that is no line"),
    ("raise UserError('x' * 10_000)", "a message that is no line"),
    ("bytearray(250 << 20)", "it took 2"),
]


@pytest.fixture(scope="module")
def guard():
    return Guard()


@pytest.mark.parametrize("act, heard", ACTS, ids=[act for act, _ in ACTS])
def test_the_watch_sees_what_must_not_be_and_prevents_it(tmp_path, guard, act, heard, monkeypatch):
    """A reader that does each of these, and hides it, is found; otherwise a clean result would mean nothing."""
    compiled = compile(act, __file__, "exec")

    def tried(path):
        with pytest.raises(PermissionError):
            open(path, "w")  # noqa: SIM115  (it is never opened)

    def reader(data, folder):
        (folder / "file").write_bytes(data)
        try:
            names = {"os": os, "threading": threading, "tried": tried, "UserError": fuzz.UserError}
            exec(compiled, {**names, "folder": folder})
        except PermissionError:
            raise fuzz.UserError("it is no file of ours") from None

    monkeypatch.setattr(watching, "SECONDS", 0.2)
    monkeypatch.setitem(fuzz.TARGETS, "bad", Target(list, reader))
    problem = trouble("bad", b"x", tmp_path, guard, Lines(), Memory())
    assert problem is not None and problem.startswith(heard), problem
    assert not Path("/tmp/outside-of-the-folder").exists()


def test_what_the_user_named_is_no_trouble_but_stays_as_it_is(tmp_path, guard, monkeypatch):
    (tmp_path / "named").write_text("as it is")
    (tmp_path / "work").mkdir()

    def reader(data, folder):
        assert (tmp_path / "named").read_text() == "as it is"
        with pytest.raises(PermissionError):
            (tmp_path / "named").write_bytes(data)

    monkeypatch.setitem(fuzz.TARGETS, "good", Target(list, reader, named=(str(tmp_path / "named"),)))
    assert trouble("good", b"x", tmp_path / "work", guard, Lines(), Memory()) is None
    assert (tmp_path / "named").read_text() == "as it is"


@pytest.mark.parametrize(
    "target, heard",
    [
        ("greedy", r"^it took 1\d\d MiB of memory"),
        ("boundless", r"^_ArrayMemoryError: |^MemoryError: "),
        ("dies", r"^the process ended with -6"),
        ("never_ends", f"^{fuzz.ENDLESS}"),
    ],
)
def test_a_reader_that_harms_its_process_is_found(target, heard, monkeypatch):
    monkeypatch.setattr(fuzz, "GRACE", 60 if target != "never_ends" else 3)
    result = in_a_process(target, 1, 3, 0, program=bad_readers.__file__)
    assert re.search(heard, result["found"][0][0])
    assert bytes.fromhex(result["found"][0][1]) != b"good"


def test_after_a_death_another_process_goes_on():
    result = in_a_process("dies", 60, 2, 0, program=bad_readers.__file__)
    assert result["tried"] == 2 and len(result["found"]) == 1


def largest_image():
    """As many pixels as are read, of 16 bits, in a file of a hundred kilobytes."""
    file = io.BytesIO()
    Image.new("I;16", (8000, 8000)).save(file, "PNG", compress_level=1)
    return file.getvalue()


def largest_model():
    """A layer that takes almost as much memory as it may, in a file of a few kilobytes."""
    stack = [layers.ZeroPad2D(2000), layers.Conv2D(1, 1, strides=4000), layers.Flatten()]
    model = Sequential(stack, (6, 5, 3), seed=0)
    with tempfile.TemporaryDirectory() as folder:
        runs.RunFolder(folder).save_model(model, ["a", "b", "c", "d"])
        return Path(folder, "model.npz").read_bytes()


@pytest.mark.parametrize("target, largest", [("image", largest_image), ("model of a run", largest_model)])
def test_the_largest_that_is_read_takes_what_it_may(target, largest, guard, tmp_path):
    memory = Memory()
    trouble(target, next(iter(TARGETS[target].seeds())), tmp_path, None, None, memory)
    assert trouble(target, largest(), tmp_path, guard, Lines(), memory) is None
    assert 150 < memory.mib <= TARGETS[target].mib  # far more than its file has, so there has to be a limit


@given(
    st.binary(max_size=400), st.lists(st.binary(max_size=50), min_size=1, max_size=3), st.randoms(use_true_random=False)
)
@settings(deadline=None)
def test_edits_are_bytes_of_a_bounded_length(data, others, rng):
    assert len(mutated(data, others, [b"word"], rng)) <= 1 << 20


def test_the_same_seed_gives_the_same_search():
    first, second = (in_a_process("class index", 60, 40, 3) for _ in range(2))
    assert json.dumps({**first, "most": 0}) == json.dumps({**second, "most": 0})
