"""Properties of what reads and writes, for whatever bytes, arrays and texts there are."""

import math
import tempfile

import numpy as np
import pytest
from fuzz import trouble
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from mutations import mutated
from targets import TARGETS
from watching import Guard, Lines, Memory

from minitorch_cnn import checkpoint
from minitorch_cnn.files.printable import printable
from minitorch_cnn.report.svg import element

ANY = settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
FILES = [name for name, target in TARGETS.items() if name != "command line" and target.mutated is mutated]


@pytest.fixture(scope="module")
def guard():
    return Guard()


@pytest.fixture(autouse=True)
def temporary_files_inside(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.mark.parametrize("target", FILES)
def test_whatever_the_bytes_are_a_file_is_read_or_refused(target, guard, tmp_path):
    @ANY
    @given(st.binary(max_size=300))
    def holds(data):
        assert trouble(target, data, tmp_path, guard, Lines(), Memory()) is None

    seed = next(iter(TARGETS[target].seeds()))
    trouble(target, seed, tmp_path, None, None, Memory())  # imports what is imported late
    holds()


@pytest.mark.parametrize("target", FILES)
def test_a_file_that_is_cut_off_anywhere_is_read_or_refused(target, guard, tmp_path):
    whole = next(iter(TARGETS[target].seeds()))
    trouble(target, whole, tmp_path, None, None, Memory())
    assert trouble(target, whole, tmp_path, guard, Lines(), Memory()) is None
    for number in range(9):
        place = len(whole) * number // 9
        assert trouble(target, whole[:place], tmp_path, guard, Lines(), Memory()) is None, place


NUMBERS = st.one_of(arrays_of.integer_dtypes(), arrays_of.floating_dtypes(), arrays_of.boolean_dtypes())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@ANY
@given(
    st.dictionaries(
        st.tuples(st.text(max_size=4), st.text(max_size=4)),
        NUMBERS.flatmap(lambda kind: arrays_of.arrays(kind, arrays_of.array_shapes(min_dims=0, max_side=4))),
        max_size=3,
    ),
    st.dictionaries(st.text(max_size=5), JSON, max_size=3),
)
def test_a_checkpoint_comes_back_as_it_was(tmp_path, arrays, facts):
    checkpoint.save(tmp_path / "c.npz", arrays, facts)
    found, found_facts = checkpoint.load(tmp_path / "c.npz")
    assert found_facts == facts and list(found) == list(arrays)
    for key, array in arrays.items():
        assert found[key].dtype == array.dtype and np.array_equal(found[key], array, equal_nan=array.dtype.kind == "f")


@ANY
@given(st.binary(min_size=1, max_size=60), st.integers(0, 10**6))
def test_an_overwritten_stretch_of_a_checkpoint_is_noticed(tmp_path, patch, place):
    """Wherever the arrays are touched, the checksum tells; what loads all the same has the very same numbers."""
    arrays = {("a", "b"): np.arange(50.0), ("c", "d"): np.arange(9, dtype=np.int16)}
    checkpoint.save(tmp_path / "c.npz", arrays, {"x": math.pi})
    data = bytearray((tmp_path / "c.npz").read_bytes())
    at = place % len(data)
    data[at : at + len(patch)] = patch
    (tmp_path / "c.npz").write_bytes(data)
    try:
        found, facts = checkpoint.load(tmp_path / "c.npz")
    except checkpoint.CheckpointError as error:
        assert str(error).isprintable()
    else:
        assert facts == {"x": math.pi} and all(np.array_equal(found[key], array) for key, array in arrays.items())


@given(st.text(min_size=1, max_size=50) | st.text(st.characters(categories=["Cc", "Cs", "Cf"]), min_size=1, max_size=9))
def test_names_come_out_as_one_line(name):
    assert printable(name).isprintable()
    page = element("text", name)
    assert page.startswith("<text>") and "<" not in page[6:-7]
