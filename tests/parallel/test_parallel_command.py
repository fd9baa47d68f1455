"""`mpiexec -n N minitorch-cnn train` makes one run, and any number of processes can resume it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from minitorch_cnn import checkpoint

SMALL_TRAINING = Path(__file__).parents[1] / "faults" / "small_training.py"


def weights(folder):
    return checkpoint.load(folder / "model.npz")[0]


def assert_same(first, second):
    for key in first:
        np.testing.assert_allclose(first[key], second[key], rtol=1e-5, atol=1e-6, err_msg=str(key))


@pytest.fixture(scope="module")
def one(train, tmp_path_factory):
    folder = tmp_path_factory.mktemp("one") / "run"
    assert train(1, "--out", folder, "--quiet")[0] == 0
    return weights(folder)


def test_two_processes_make_one_run(train, tmp_path, one):
    code, output, errors = train(2, "--out", tmp_path / "run")
    assert code == 0, errors
    assert output.count("run folder:") == output.count("test accuracy") == 1
    names = {"config.json", "history.csv", "checkpoint.npz", "model.npz", "report.html"}
    assert {path.name for path in (tmp_path / "run").iterdir()} == names
    assert_same(weights(tmp_path / "run"), one)


@pytest.mark.campaign
def test_a_killed_process_ends_all_and_any_number_resumes(train, tmp_path, one):
    """One of two processes is killed in the second epoch; three resume for an epoch, then a single one."""
    run = tmp_path / "run"
    code, _, errors = train(2, "--out", run, "--quiet", act=("kill_last_rank", 1, 2))
    assert code != 0
    advice = f"minitorch-cnn: a process was killed; continue with: mpiexec -n 2 minitorch-cnn train --resume {run}"
    assert errors.count("minitorch-cnn:") == 1 and advice in errors
    facts = checkpoint.load_last(run / "checkpoint.npz")[1]
    assert facts["epoch"] == 1 and facts["batch"] in (1, 2)  # the first rank may not have saved the second in time
    code, _, errors = train(3, "--resume", run, "--quiet", act=("ctrl_c", 2, 2))
    assert code == 130 and f"continue with: mpiexec -n 3 minitorch-cnn train --resume {run}" in errors
    assert errors.count("minitorch-cnn: interrupted") == 1
    assert train(1, "--resume", run, "--quiet")[0] == 0
    assert_same(weights(run), one)


def test_an_error_on_one_process_ends_all(train, tmp_path):
    code, _, errors = train(2, "--out", tmp_path / "run", "--quiet", act=("fail_on_last_rank", 0, 3))
    assert code == 1
    assert errors.count("ValueError: an unexpected error") == 1
    assert "process 2 of 2" in errors


def test_an_error_of_all_processes_is_printed_once(train, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    code, _, errors = train(2, "--out", tmp_path / "run", "--quiet")
    assert code == 2 and errors.count("already holds a run") == 1


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (("train", "--epochs", "zero"), 2, "usage: minitorch-cnn train"),
        (("train", "cifar11"), 2, "or a folder, got 'cifar11'"),
        (("train", "--resume", "nowhere"), 2, "nowhere: expected a run folder with a config.json"),
        (("train", "--resume", "nowhere", "--seed", "3"), 2, "got --seed too"),
        (("train", "--data", "nowhere"), 2, "the digits come with the package and take no --data"),
        (("summary", "nonsense"), 2, "nonsense: expected a run folder"),
        (("summary", "cifar10"), 0, "1,676,842 parameters"),
        (("train", "--help"), 0, "usage: minitorch-cnn train"),
    ],
)
def test_a_message_of_every_process_is_printed_once(run, tmp_path, monkeypatch, arguments, code, said):
    monkeypatch.chdir(tmp_path)
    ended, output, errors = run(2, "-m", "minitorch_cnn.cli", *arguments)
    assert ended == code and (output + errors).count(said) == 1
    assert code == 0 or output == ""
    assert errors.count("minitorch-cnn") <= (2 if "usage" in errors else 1)  # argparse names the program twice


def test_ctrl_c_on_the_launcher(start, tmp_path):
    """mpiexec passes it to all processes at different moments; all must stop after the same batch."""
    process = start(2, SMALL_TRAINING, "slow", 0, 0, "train", "--out", tmp_path / "run", "--epochs", 500, "--quiet")
    deadline = time.monotonic() + 300
    while not (tmp_path / "run" / "history.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130 and errors.count("minitorch-cnn: interrupted in epoch") == 1
    assert checkpoint.load(tmp_path / "run" / "checkpoint.npz")


@pytest.mark.parametrize(
    "block, message",
    [(True, "needs mpi4py: pip install mpi4py"), (False, "as one of 7 processes, but mpi4py sees 1")],
)
def test_started_by_the_launcher_of_another_mpi(block, message):
    """Without mpi4py, or with mpi4py built for another MPI, several trainings would overwrite each other's files."""
    lines = "import sys; from minitorch_cnn.cli import main;"
    lines += "sys.modules['mpi4py'] = None;" if block else ""
    result = subprocess.run(
        [sys.executable, "-c", f"{lines} sys.exit(main(['train']))"], capture_output=True, text=True, timeout=300,
        env=os.environ | {"PMI_SIZE": "7"},
    )  # fmt: skip
    assert result.returncode == 2 and message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_mpi_is_not_imported_without_a_launcher():
    lines = "import sys; from minitorch_cnn import cli, parallel; parallel.world(); sys.exit('mpi4py' in sys.modules)"
    subprocess.run([sys.executable, "-c", lines], check=True, timeout=300)
