"""Temporary files: those of processes that are gone are deleted, those of living ones never."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from minitorch_cnn import Sequential, layers
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files import abandoned
from minitorch_cnn.files.abandoned import DAY, temporary_file
from minitorch_cnn.files.archive import unpack
from minitorch_cnn.files.lock import only_one, require_unmoved
from minitorch_cnn.files.replacing import replacing

WRITER = """
import sys, time
from pathlib import Path
from minitorch_cnn.files.abandoned import temporary_file, temporary_folder
path = Path(sys.argv[1])
with temporary_file(path) as (file, name), temporary_folder(path.with_name("photos")) as folder:
    file.write(b"half"); file.flush(); (folder / "a.jpg").write_bytes(b"half")
    print("writing", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def writer(tmp_path):
    """A process that is writing a temporary file of `tmp_path`/a.npz, and a temporary folder."""
    with subprocess.Popen([sys.executable, "-c", WRITER, tmp_path / "a.npz"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:  # fmt: skip
        assert process.stdout.readline() == "writing\n"
        yield process
        process.kill()


def hidden(folder):
    return [path for path in folder.iterdir() if path.name.startswith(".")]


def write(path, content=b"whole"):
    with replacing(path) as file:
        file.write(content)


def test_the_file_of_a_killed_process_is_deleted_by_the_next_write_to_its_path(writer, tmp_path):
    write(tmp_path / "a.npz")
    assert len(hidden(tmp_path)) == 2
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    write(tmp_path / "b.npz")
    assert len(hidden(tmp_path)) == 2
    write(tmp_path / "a.npz")
    assert [path.is_dir() for path in hidden(tmp_path)] == [True]
    assert (tmp_path / "a.npz").read_bytes() == b"whole"


def test_all_are_deleted_by_the_next_run_in_the_folder(writer, tmp_path):
    with only_one(tmp_path):
        assert len(hidden(tmp_path)) == 2
    writer.kill()
    writer.wait()
    with only_one(tmp_path):
        assert hidden(tmp_path) == []


def test_what_a_killed_process_has_half_unpacked_is_deleted_by_the_next_one(writer, tmp_path):
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("a.jpg", b"whole")
    for number_left in (2, 1):
        unpack(tmp_path / "archive.zip", lambda name: name, tmp_path / "photos", largest=9, total=999, most=9)
        assert len(hidden(tmp_path)) == number_left
        assert (tmp_path / "photos" / "a.jpg").read_bytes() == b"whole"
        writer.kill()
        writer.wait()


def test_a_weight_file_of_a_killed_process_is_deleted_by_the_next_one(tmp_path):
    script = f"""
import os
from minitorch_cnn import Sequential, layers
from minitorch_cnn.keras_h5 import saving
saving._write_lists = lambda *_: os.kill(os.getpid(), 9)
Sequential([layers.Dense(2)], (3,)).save_weights({str(tmp_path / "a.h5")!r})
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    Sequential([layers.Dense(2)], (3,)).save_weights(tmp_path / "a.h5")
    assert os.listdir(tmp_path) == ["a.h5"]


def of_another_computer(path):
    """A name such as another computer gives to its temporary file."""
    return path.with_name(f".{path.name}.{'0' * 8}.{'1' * 16}.tmp")


def test_the_file_of_another_computer_is_left_for_a_day(tmp_path):
    name = of_another_computer(tmp_path / "a.npz")
    name.write_bytes(b"half")
    write(tmp_path / "a.npz")
    assert name.exists()
    os.utime(name, (time.time() - 2 * DAY,) * 2)
    write(tmp_path / "a.npz")
    assert not name.exists()


def test_without_locks_age_decides(tmp_path, monkeypatch):
    monkeypatch.setattr(abandoned, "lock_now", lambda handle: None)
    with temporary_file(tmp_path / "a.npz") as (_, name):
        write(tmp_path / "a.npz")
        assert name.exists()


def test_only_our_own_regular_files_are_deleted(tmp_path):
    names = [of_another_computer(tmp_path / "a.npz").with_name(f".a.npz.{abandoned.COMPUTER}.{digit * 16}.tmp")
             for digit in "abc"]  # fmt: skip
    os.mkfifo(names[0])  # opening it would block
    (tmp_path / "target").write_bytes(b"keep")
    names[1].symlink_to(tmp_path / "target")
    names[2].with_suffix(".other").write_bytes(b"keep")
    write(tmp_path / "a.npz")
    assert len(hidden(tmp_path)) == 3 and (tmp_path / "target").exists()


def test_a_file_taken_for_abandoned_before_it_was_locked_is_made_again(tmp_path, monkeypatch):
    real, removed = abandoned.lock_now, []

    def late(handle):
        if not removed:
            removed.extend(hidden(tmp_path))
            removed[0].unlink()
        return real(handle)

    monkeypatch.setattr(abandoned, "lock_now", late)
    write(tmp_path / "a.npz")
    assert (tmp_path / "a.npz").read_bytes() == b"whole" and hidden(tmp_path) == []


def test_writers_of_one_path_in_several_threads_and_processes(tmp_path):
    """Each takes the other's files neither away nor for its own."""
    path, errors = tmp_path / "a.npz", []
    script = f"""
from minitorch_cnn.files.replacing import replacing
for number in range(60):
    with replacing({str(path)!r}) as file:
        file.write(bytes([number]) * 5000)
"""
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]

    def run():
        try:
            for number in range(60):
                write(path, bytes([number]) * 5000)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait() for process in processes] == [0, 0] and errors == []
    assert hidden(tmp_path) == [] and len(set(path.read_bytes())) == 1


@pytest.mark.parametrize("mask, mode", [(0o022, 0o644), (0o077, 0o600), (0o007, 0o660)])
def test_a_new_file_has_the_permissions_that_the_umask_leaves_it(tmp_path, monkeypatch, mask, mode):
    before = os.umask(mask)
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("it holds for the whole process, so for other threads"))
    try:
        write(tmp_path / "a.npz")
    finally:
        monkeypatch.undo()
        os.umask(before)
    assert (tmp_path / "a.npz").stat().st_mode & 0o777 == mode


def test_long_names(tmp_path):
    path = tmp_path / ("ä" * 120)  # 240 bytes; most systems allow 255
    write(path)
    write(path)
    assert os.listdir(tmp_path) == [path.name]


HOLDER = """
import sys
from minitorch_cnn.files import lock
WITHOUT_FOLDERS
with lock.only_one(sys.argv[1]):
    print("training", flush=True)
    sys.stdin.read()
"""
WITHOUT_FOLDERS = """
import os
real = os.open
def no_folders(path, *arguments, **named):
    if str(path) == sys.argv[1]:
        raise PermissionError(13, "Permission denied")
    return real(path, *arguments, **named)
lock.os.open = no_folders
"""


@pytest.mark.parametrize("where, left", [("", []), (WITHOUT_FOLDERS, [".lock"])], ids=["folder", "file, as on Windows"])
def test_one_training_in_a_folder_at_a_time_and_a_killed_one_keeps_nobody_out(tmp_path, where, left):
    script = HOLDER.replace("WITHOUT_FOLDERS", where)

    def training():
        command = [sys.executable, "-c", script, str(tmp_path)]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    with training() as first:
        assert first.stdout.readline() == "training\n"
        with training() as second:
            said = second.communicate()[1]
        assert second.returncode == 1 and f"{tmp_path}: another process is training in this folder" in said
        first.kill()
    with training() as third:
        assert third.communicate()[0] == "training\n"
    assert third.returncode == 0 and os.listdir(tmp_path) == left


@contextlib.contextmanager
def inside(folder):
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def test_a_locked_folder_that_was_moved_is_not_begun_anew(tmp_path):
    with inside(tmp_path), only_one("run"):
        assert require_unmoved("run") and not require_unmoved(".")
        write("run/a.npz")
        os.rename("run", "moved")
        for _ in range(2):
            with pytest.raises(CheckpointError, match=r"^run: this folder was moved or deleted during training"):
                write("run/a.npz")
            assert os.listdir(".") == ["moved"]
        os.mkdir("run")
        with pytest.raises(CheckpointError, match="moved or deleted"):
            write("run/a.npz")
        assert os.listdir("run") == []
        os.rmdir("run")
        os.rename("moved", "run")
        write("run/a.npz")
    write(tmp_path / "new" / "a.npz")  # not locked by anybody, so it is created


def test_a_folder_that_is_moved_while_a_file_is_written(tmp_path):
    run = tmp_path / "run"
    with only_one(run):
        with pytest.raises(CheckpointError, match="moved or deleted"), replacing(run / "a.npz") as file:
            file.write(b"half")
            run.rename(tmp_path / "moved")
        assert os.listdir(tmp_path) == ["moved"]
    with only_one(tmp_path / "moved"):
        assert os.listdir(tmp_path / "moved") == []
