"""Files made to do harm end in one line, soon, in little memory, and without another file being opened.

They are opened in a process of its own, because that is what would die.
"""

import functools
import json
import subprocess
import sys
from pathlib import Path

import hostile_amplifiers  # noqa: F401  registers its files
import hostile_files
import hostile_structures  # noqa: F401
import pytest
from hostile_child import USES
from hostile_files import MAKERS, make
from keras_targets import FIXTURES

pytest.importorskip("resource")

HERE = Path(__file__).parent
HOSTILE = FIXTURES / "hostile"
SOUND = FIXTURES / "seq" / "tfk_legacy_weights.h5"
MOST_SECONDS, MOST_MEGABYTES = 40, 150  # promised are 10; the machine that runs this may be slow

# What loading says; "" where the file is read safely, because nothing in it that matters is wrong.
EXPECTED = {
    "bitflips_0.h5": "the file is damaged",
    "bitflips_1.h5": "the file is damaged",
    "btree_self_loop.h5": "the file is damaged",
    "config_foreign_class.h5": "",
    "config_json_garbage.h5": "",
    "config_lambda.h5": "",
    "dims_overflow.h5": "more than the file can hold",
    "dtype_bool.h5": "enumeration or boolean",
    "dtype_complex64.h5": "compound",
    "dtype_compound.h5": "compound",
    "dtype_object_reference.h5": "object reference",
    "dtype_opaque.h5": "opaque, 4 bytes",
    "dtype_vlen_string.h5": "text of variable length",
    "empty.h5": "the file is empty",
    "external_link_group.h5": "external link, which is not followed",
    "external_link_model_weights.h5": "external link, which is not followed",
    "gzip_bomb_75MB.h5": "the file's conv2d is 3x3x2048x1024; this model's is 3x3x3x4",
    "hard_link_cycle.h5": "",
    "layer_names_absent.h5": "it is HDF5, but not Keras weights",
    "layer_names_and_chunk.h5": "",
    "layer_names_duplicate.h5": "the list layer_names contains conv2d twice",
    "layer_names_empty.h5": "the file has 0 layers with weights",
    "layer_names_missing_group.h5": "ghost: it is missing from the file",
    "nan_inf_weights.h5": "the file's conv2d has NaN or infinite values in its kernel",
    "nb_layers_negative.h5": "attribute nb_layers: expected a number from 0 to 10,000, got -3",
    "nb_layers_string.h5": "attribute nb_layers is not a single integer",
    "root_address_far.h5": "the file is damaged",
    "shape_bomb_chunked.h5": "more than the file can hold",
    "soft_link_cycle.h5": "soft link, which is not followed",
    "soft_link_dataset.h5": "soft link, which is not followed",
    "truncated_half.h5": "the download is incomplete: have 13,960 of 27,920 bytes",
    "unallocated_right_shape.h5": "it was declared but never written",
    "v3_extra_var.weights.h5": "conv2d_1/vars/0, conv2d_1/vars/1, conv2d_1/vars/2; this model's conv2d_1 has kernel,",
    "v3_missing_var.weights.h5": "the file's conv2d_1 has the weights kernel; this model's conv2d_1 has kernel, bias",
    "version_backend_not_strings.h5": "attribute keras_version: expected a flat list of strings",
    "virtual_dataset.h5": "virtual dataset",
    "weight_names_absent.h5": "attribute weight_names is missing",
    "weight_names_absolute.h5": "which is not a path below its group",
    "weight_names_duplicate.h5": "the list weight_names contains conv2d/kernel:0 twice",
    "weight_names_is_group.h5": "it is not a dataset",
    "weight_names_not_utf8.h5": "a string that is not UTF-8",
    "weight_names_numeric.h5": "attribute weight_names: expected a flat list of strings",
    "zip_config_bomb_64MB.keras": "",
    "zip_duplicate_member.keras": "contains model.weights.h5 twice",
    "zip_slip.keras": "",
}


def child(*arguments):
    result = subprocess.run(
        [sys.executable, HERE / "hostile_child.py", SOUND, *arguments], capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return json.loads(result.stdout)


CASES = EXPECTED | {name: expected for name, (expected, _, _) in MAKERS.items()}
SLOW = {  # each takes seconds to make and to read; others that ask for too much do not
    "every_layer_of_another_class", "fifty_thousand_attributes", "headers_of_empty_messages",
    "one_group_of_many_weights_under_many_names", "one_group_of_variables_in_many_layers",
    "ten_thousand_layers_that_are_one",
}  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """found(slow) returns what a child process says of every file of `SLOW`, or of every other one, and its memory."""

    @functools.cache
    def found(slow):
        folder = tmp_path_factory.mktemp("hostile")
        names = [name for name in CASES if (name in SLOW) == slow]
        paths = {name: make(name, folder) if name in MAKERS else HOSTILE / name for name in names}
        answer = child(*paths.values())
        return {name: answer["results"][str(path)] for name, path in paths.items()}, answer["more_megabytes"]

    return found


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.campaign] * (name in SLOW)) for name in CASES])
def test_refused_in_one_line_or_read_safely(found, name):
    result = found(name in SLOW)[0][name]
    if CASES[name]:
        assert CASES[name] in result["load"]
    else:
        assert result["load"] == ""
    for name in USES:
        assert result[name].isprintable() and len(result[name]) < 600
    assert result["seconds"] < MOST_SECONDS


def test_every_hostile_file_has_a_case():
    assert {path.name for path in HOSTILE.iterdir()} == set(EXPECTED) and set(MAKERS) >= SLOW


@pytest.mark.parametrize("slow", [False, pytest.param(True, marks=pytest.mark.campaign)])
def test_little_memory(found, slow):
    assert found(slow)[1] < MOST_MEGABYTES


@pytest.mark.parametrize("count", [100, pytest.param(500, marks=pytest.mark.campaign)])
def test_random_edits_never_end_the_process(count):
    answer = child("fuzz", str(count), "1")
    assert answer["results"]["refused"] > count / 5
    assert answer["results"]["slowest"] < MOST_SECONDS
    assert answer["more_megabytes"] < MOST_MEGABYTES


def test_mutants_are_the_same_every_time():
    assert list(hostile_files.mutants(5, 1)) == list(hostile_files.mutants(5, 1))
