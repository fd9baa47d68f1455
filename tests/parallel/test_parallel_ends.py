"""Whatever ends one of several processes ends all of them with one message, and any number can resume."""

import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from minitorch_cnn import checkpoint

PROGRAM = Path(__file__).with_name("happening.py")
TRAIN = ("train", "--quiet")
TUNE = ("fine-tune", "--quiet", "--weights", "none", "--top-epochs", "2", "--all-epochs", "1", "--batch-size", "13",
        "--unfreeze", "all")  # fmt: skip


@pytest.fixture(scope="module")
def ends(run):
    """ends(ranks, what, where, rank, *arguments) returns (exit code, errors)."""

    def ends(*arguments):
        ranks, *rest = arguments
        code, _, errors = run(ranks, PROGRAM, *rest)
        return code, errors

    return ends


@pytest.fixture(scope="module")
def whole(ends, tmp_path_factory):
    """whole(command) returns the weights of one undisturbed process."""
    kept = {}

    def whole(command):
        if command not in kept:
            folder = tmp_path_factory.mktemp("whole") / "run"
            assert ends(1, "nothing", "batch", 0, *command, "--out", folder)[0] == 0
            kept[command] = weights(folder)
        return kept[command]

    return whole


def weights(folder):
    return checkpoint.load(folder / "model.npz")[0]


@pytest.mark.campaign
@pytest.mark.parametrize(
    "command, where, rank",
    [
        (TRAIN, "batch", 1),
        pytest.param(TRAIN, "validation", 2, marks=pytest.mark.campaign),
        (TUNE, "features", 2),
        pytest.param(TUNE, "validation", 0, marks=pytest.mark.campaign),
    ],
    ids=["a batch", "validation", "features", "validation while fine-tuning"],
)
def test_one_of_three_is_killed_and_one_or_two_resume(ends, whole, tmp_path, command, where, rank):
    run, advice = tmp_path / "run", "minitorch-cnn: a process was killed; continue with: mpiexec -n 3 minitorch-cnn"
    code, errors = ends(3, "killed", where, rank, *command, "--out", run)
    assert code != 0 and errors.count("minitorch-cnn: ") == 1
    assert f"{advice} {command[0]} --resume {run}" in errors
    for ranks in (1, 2):
        copy = tmp_path / f"on {ranks}"
        shutil.copytree(run, copy)
        code, errors = ends(ranks, "nothing", "batch", 0, command[0], "--resume", copy, "--quiet")
        assert code == 0, errors
        for key, expected in whole(command).items():
            np.testing.assert_allclose(weights(copy)[key], expected, rtol=1e-5, atol=1e-6, err_msg=str(key))


KEPT = "kept: {run}/checkpoint.npz, epoch 2 after batch "
CONTINUE = "continue with: mpiexec -n 3 minitorch-cnn train --resume {run}"


@pytest.mark.campaign
@pytest.mark.parametrize(
    "what, where, rank, code, said",
    [
        ("exception", "batch", 2, 1, ["process 3 of 3", "ValueError: an unexpected error", KEPT, CONTINUE]),
        ("memory", "batch", 1, 2, ["process 2 of 3: minitorch-cnn: too little memory", KEPT, CONTINUE]),
        ("damaged", "batch", 1, 2, ["process 2 of 3: minitorch-cnn: photo.jpg: cannot be read", KEPT, CONTINUE]),
        ("interrupted", "loading", 1, 130, ["process 2 of 3: minitorch-cnn: interrupted"]),
        ("terminated", "batch", 1, 143, ["in epoch 2 of 3 after batch 2 of 4; saved {run}/checkpoint.npz", CONTINUE]),
        ("diverges", "batch", 1, 2, ["it began in conv2d_1: its kernel is not finite: training has diverged"]),
        ("exception", "report", 0, 1, ["ValueError: an unexpected error", CONTINUE]),
        ("killed", "loading", 0, 9, ["minitorch-cnn: a process was killed\n"]),
    ],
)
def test_what_happens_to_one_of_three_is_printed_once(ends, tmp_path, what, where, rank, code, said):
    run = tmp_path / "run"
    ended, errors = ends(3, what, where, rank, *TRAIN, "--out", run)
    assert ended == code, errors
    for words in said:
        assert errors.count(words.format(run=run)) == 1, errors
    assert errors.count("minitorch-cnn: ") == 1


def test_one_process_that_stops_stops_all(ends, tmp_path):
    code, errors = ends(3, "stops", "epoch end", 1, *TRAIN, "--out", tmp_path / "run")
    assert code == 0, errors
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 1 + 2


@pytest.mark.campaign
def test_ctrl_c_while_one_computes_features(start, tmp_path):
    """The others wait for its features inside MPI, where Python does not handle signals."""
    run = tmp_path / "run"
    process = start(3, PROGRAM, "slow", "features", 2, *TUNE, "--out", run)
    deadline = time.monotonic() + 300
    while not (run / "config.json").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and errors.count("minitorch-cnn: interrupted; no checkpoint yet") == 1


SCRIPT = """
from minitorch_cnn import parallel
parallel.launch.PATIENCE = 0.5
ranks = parallel.world()
if ranks.rank == 1:
    raise ValueError("an unexpected error")
ranks.any(False)
"""


@pytest.mark.campaign
def test_an_exception_in_a_users_script(run, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    code, _, errors = run(2, tmp_path / "script.py")
    assert code == 1 and errors.count("ValueError: an unexpected error") == 1
    assert "process 2 of 2: Traceback" in errors
