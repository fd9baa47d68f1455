"""Why the reader of HDF5 is our own: what h5py, a binding of the C library, does with some of the hostile files.

Ours ends in one line for each of them (`test_keras_hostile.py`). Should these tests fail, the C library has been
mended, and it is time to ask again whether h5py could take over.
"""

import subprocess
import sys

import hostile_amplifiers  # noqa: F401  registers its files
import hostile_structures  # noqa: F401
import pytest
from hostile_files import MAKERS, make

READ_ALL = """
import sys, h5py
def walk(group):
    for node in group.values():
        print(node[()].sum()) if isinstance(node, h5py.Dataset) else walk(node)
with h5py.File(sys.argv[1]) as file:
    walk(file)
"""
SECONDS = 60


def read_by_h5py(name, folder):
    """The finished process in which h5py has read the whole file."""
    command = [sys.executable, "-c", READ_ALL, str(make(name, folder))]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)


@pytest.mark.skipif(sys.platform == "win32", reason="there a crash is no signal")
@pytest.mark.parametrize("name", ["every_tree_node_is_its_own_child", "chunks_at_one_place"])
def test_a_small_file_ends_the_process(name, tmp_path):
    assert MAKERS[name][0], "our own reader refuses it"
    done = read_by_h5py(name, tmp_path)
    assert done.returncode < 0, f"h5py ended in good order: {done.stdout[-200:]} {done.stderr[-200:]}"


def test_numbers_of_another_file_are_read(tmp_path):
    """A weight file can name any file of the computer, and its bytes become weights."""
    assert "another file" in MAKERS["external_storage"][0]
    done = read_by_h5py("external_storage", tmp_path)
    assert "0.0" in done.stdout.split(), done.stderr  # the file beside it holds zeros
