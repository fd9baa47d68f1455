"""Every twin with wrong arguments, between guard pages: it does what its definition does, and never crashes.

    python tests/engine/test_engine_twin_arguments.py      the table, of all wrong calls

The calls are made in processes of their own (`twin_calls.py`), because a twin that reads beyond an array may crash.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from twin_cases import RIGHT, STAGES  # noqa: E402

import minitorch_cnn  # noqa: E402
from minitorch_cnn import layers  # noqa: E402
from minitorch_cnn.arrays.dispatch import DEFINITIONS, TWINS_ONLY, Unfit, definitions_only, running  # noqa: E402
from minitorch_cnn.engine.convolution import im2col, row_windows  # noqa: E402
from minitorch_cnn.errors import ShapeError  # noqa: E402
from minitorch_cnn.gradients import twins  # noqa: E402
from minitorch_cnn.twins.stages import ConvPool, ConvReLU  # noqa: E402

TWINS = Path(minitorch_cnn.__file__).parent / "twins"
ONLY_CUDA = {
    "losses.py: softmax_cross_entropy",
    "datasets/preprocessing.py: standardize",
}
ONLY_NUMBA = {title for title in RIGHT if "winograd" in title or "pooled" in title or ", pool" in title}
ONLY_NUMBA |= {title for title in RIGHT if ", scale" in title}
ONLY_NUMBA |= {title for title in RIGHT if "hard_silu" in title or "multiply" in title or "factors" in title}
ONLY_NUMBA |= {"datasets/affine.py: resample", "convolution/depthwise.py: forward, relu"}
TITLES = {"numba": [*RIGHT.keys() - ONLY_CUDA], "cuda": [*RIGHT.keys() - ONLY_NUMBA]}


def calls(library, kind, titles, start, step):
    """{title: Counter of what came}, and the calls that crashed or differed, in words."""
    came, faults, waiting = {title: Counter() for title in titles}, [], [(title, start) for title in titles]
    while waiting:
        first = waiting[0][1]
        together = [title for title, at in waiting if at == first]
        command = [sys.executable, str(HERE / "twin_calls.py"), library, kind, str(first), str(step), *together]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        for call, result in zip(lines[::2], lines[1::2]):
            came[call["call"]][result["came"].partition(":")[0]] += 1
            if result["came"].startswith("differs"):
                faults.append(f"{call['call']}: {call['what']}: {result['came']}")
        waiting = [(title, at) for title, at in waiting if title not in together]
        if done.returncode:
            assert len(lines) % 2, done.stderr[-2000:]  # it ended in a call
            title, number = lines[-1]["call"], lines[-1].get("number", 0)
            came[title]["crashes"] += 1
            faults.append(f"{title}: {lines[-1]['what']}: crashed with status {done.returncode}")
            waiting += [(other, first) for other in together[together.index(title) + 1 :]]
            waiting += [(title, number + 1)] if kind == "wrong" else []
    return came, faults


def test_every_twin_has_cases():
    twins.import_definitions()
    for library, titles in TITLES.items():
        written = {title for title, one in DEFINITIONS.items() if twins._is_there(one, library)}
        assert written == {title for title in titles if title not in STAGES}, library
    source = "".join(path.read_text() for path in (TWINS / "stages").glob("*.py"))
    asked_for = re.findall(r'twin\("([\w.]+)", "(\w+)"', source)
    assert len(asked_for) == 8
    called = {f"{path.replace('.', '/')}.py: {name}" for path, name in asked_for}
    assert called <= {title.partition(",")[0] for title in RIGHT}


def test_some_wrong_arguments():
    came, faults = calls("numba", "wrong", TITLES["numba"], 3, 29)
    assert faults == [] and all(one["raised"] + one["computed"] > 3 for one in came.values())


def test_some_wrong_arguments_of_the_gpu_s_twins():
    came, faults = calls("cuda", "wrong", TITLES["cuda"], 3, 59)
    assert faults == [] and all(came.values())


@pytest.mark.campaign
@pytest.mark.parametrize("library", TITLES)
def test_every_third_wrong_call(library):
    """This file, run as a program, makes them all."""
    _, faults = calls(library, "wrong", TITLES[library], 0, 3)
    assert faults == []


@pytest.mark.parametrize(
    "library, start, count",
    [("numba", 0, 3), *(pytest.param(library, 10, 50, marks=pytest.mark.campaign) for library in TITLES)],
)
def test_right_arguments_stay_within_their_memory(library, start, count):
    """At odd sizes, with results and workspaces between guard pages and full of NaN."""
    came, faults = calls(library, "right", TITLES[library], start, count)
    assert faults == [] and {one["computed"] for one in came.values()} == {2 * count}


def test_only_twins_means_that_a_refusal_is_an_error():
    """So that a comparison of definition and twin never compares a definition with itself."""
    x, kernel = np.ones((1, 3, 3, 2)), np.ones((2, 2, 3, 4))
    with running(TWINS_ONLY), pytest.raises(Unfit, match=r"^twin: expected as many channels .* got \(1, 3, 3, 2\)"):
        im2col.forward(x, kernel, (1, 1), ((0, 0), (0, 0)))


def test_a_twin_that_refuses_what_it_should_compute_is_found(monkeypatch):
    from minitorch_cnn.twins.numba import activations

    def refuse(*arrays):
        raise Unfit("twin: refused")

    monkeypatch.setattr(activations, "check_same_shape", refuse)
    result = next(one for one in twins.compare_twins() if one.title == "activations.py: relu_backward")
    assert not result.passed and result.verdict == "the numba twin is wrong"


def test_the_definition_of_row_windows_reads_no_further_than_x():
    x, dy = np.ones((1, 4, 4, 2)), np.ones((1, 900, 4, 3))
    with definitions_only(), pytest.raises(ShapeError, match="900x4 at strides"):
        row_windows.backward_kernel(x, dy, (1, 1, 2, 3), (1, 1), ((0, 0), (0, 0)))


def stage(kind):
    """A stage, with the layers that it runs as one."""
    conv, pool = layers.Conv2D(5, 3, activation="relu", algorithm="row_windows"), layers.MaxPool2D(2)
    pool.forward(conv.forward(np.ones((1, 7, 6, 3), "float32")))
    return (ConvPool(conv, pool), [conv, pool]) if kind is ConvPool else (ConvReLU(conv), [conv])


@pytest.mark.parametrize("kind", [ConvReLU, ConvPool])
@pytest.mark.parametrize("what", ["no images", "every other image"])
def test_a_stage_runs_its_layers_where_no_twin_fits(kind, what):
    one, alone = stage(kind)
    x = np.random.default_rng(0).standard_normal((4, 7, 6, 3)).astype("float32")
    x = x[:0] if what == "no images" else x[::2]
    y, kept = one.forward_pass(x)
    dx, gradients = one.backward_pass(np.ones_like(y), kept)
    with definitions_only():
        wanted = x
        for layer in alone:
            wanted = layer.forward(wanted)
        upstream = np.ones_like(wanted)
        for layer in reversed(alone):
            upstream = layer.backward(upstream)
    for got, right in ((y, wanted), (dx, upstream), (gradients["kernel"], alone[0].gradients["kernel"])):
        assert got.dtype == right.dtype
        np.testing.assert_allclose(got, right, rtol=1e-4, atol=1e-4)


def test_a_stage_says_which_gradient_it_expected():
    one, _ = stage(ConvPool)
    y, kept = one.forward_pass(np.ones((2, 7, 6, 3), "float32"))
    for dy in (y[:1], y[:, :1], y.astype("float16")):
        with pytest.raises(ShapeError, match=r"^twin: expected [^\n]*, got [^\n]*$"):
            one.backward_pass(dy, kept)


def main():
    """Print the table of all wrong calls."""
    print(f"| {'twin':<47} | wrong calls | raised as the definition | computed as the definition | crashes |")
    print(f"|{'---|' * 5}")
    everything = Counter()
    faults = []
    for library, titles in TITLES.items():
        came, found = calls(library, "wrong", sorted(titles), 0, 1)
        faults += found
        for title, one in came.items():
            print(row(f"{library}: {title}", one))
            everything += one
    print(row("together", everything))
    print(*faults, sep="\n")


def row(title, one):
    cells = one.total(), one["raised"], one["computed"], one["crashes"]
    return f"| {title:<47} | {' | '.join(f'{number:,}' for number in cells)} |"


if __name__ == "__main__":
    main()
