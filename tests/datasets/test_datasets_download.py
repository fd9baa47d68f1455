"""fetch: the whole file or one line, whatever the server does."""

import hashlib
import importlib
import os
import threading
import time
import types

import numpy as np
import pytest

from minitorch_cnn.errors import ArgumentError, DataError
from minitorch_cnn.files.download import cache_folder, fetch

download = importlib.import_module("minitorch_cnn.files.download")

BODY = np.random.default_rng(0).integers(0, 256, 50_000, dtype=np.uint8).tobytes()
CHECKSUM = "md5:" + hashlib.md5(BODY).hexdigest()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0)


@pytest.fixture
def impatient(monkeypatch):
    """For servers that say nothing; the others get the time they need on a busy machine."""
    monkeypatch.setattr(download, "TIMEOUT", 0.3)


def get(urls, folder, **kwargs):
    return fetch(urls, CHECKSUM, folder, "file.bin", progress=False, **kwargs)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ["ok"],
        ["slow"],
        ["encoded"],  # a .gz sent as an encoding must arrive as it is
        ["compresses"],  # and must not be packed once more
        ["503", "ok"],
        ["429", "ok"],
        ["wrong", "ok"],
        ["html without saying so", "ok"],
        ["cut", "ok"],
        ["cut", "cut", "cut", "cut"],  # a quarter each time, every time from where it stopped
        ["cut", "no ranges"],
        ["cut", "503", "ok"],
    ],
    ids=", ".join,
)
def test_arrives_whole(serve, tmp_path, words):
    server = serve(BODY, *words)
    path = get(server.url, tmp_path / "new" / "folder")
    assert path.read_bytes() == BODY
    assert names(path.parent) == ["file.bin"]
    assert len(server.requests) == len(words)
    # A second call finds the file and asks nobody.
    assert get(server.url, path.parent) == path
    assert len(server.requests) == len(words)


@pytest.mark.parametrize("word", ["stalls", "silent"])
def test_arrives_whole_after_a_silence(serve, tmp_path, impatient, word):
    assert get(serve(BODY, word, "ok").url, tmp_path).read_bytes() == BODY
    assert names(tmp_path) == ["file.bin"]


@pytest.mark.parametrize("word", ["stalls", "silent"])
def test_gives_up_on_silence(serve, tmp_path, impatient, word):
    server = serve(BODY, word)
    with pytest.raises(DataError, match=r"no answer for 0\.3 seconds$"):
        get(server.url, tmp_path, attempts=2)
    assert len(server.requests) == 2
    assert "file.bin" not in names(tmp_path)


@pytest.mark.parametrize(
    "word, requests, message",
    [
        ("404", 1, "HTTP status 404"),
        ("503", 4, "HTTP status 503"),
        ("html", 1, "got a web page"),
        ("html without saying so", 2, "got a web page"),
        ("wrong", 2, "got 50000 other bytes"),
        ("endless", 1, "expected at most 1 MiB, got more"),
    ],
)
def test_gives_up_in_one_line(serve, tmp_path, monkeypatch, word, requests, message):
    monkeypatch.setattr(download, "LARGEST", 1 << 20)
    server = serve(BODY, word)
    with pytest.raises(DataError) as caught:
        get(server.url, tmp_path, advice="pass --data FOLDER")
    text = str(caught.value)
    assert message in text and server.url in text and text.endswith("; pass --data FOLDER") and "\n" not in text
    assert len(server.requests) == requests
    assert "file.bin" not in names(tmp_path)
    # What it left does not keep the next run from success.
    assert get(serve(BODY, "ok").url, tmp_path).read_bytes() == BODY
    assert names(tmp_path) == ["file.bin"]


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1/file.bin", "ftp://127.0.0.1/file.bin", "no address", "http://"]
)
def test_nobody_there(tmp_path, monkeypatch, address):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(DataError, match="could not be downloaded") as caught:
        get(address, tmp_path)
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == []


def test_continues_in_a_later_run(serve, tmp_path):
    server = serve(BODY, "cut", "ok")
    with pytest.raises(DataError, match="expected 50000 bytes, the connection ended after 12500"):
        get(server.url, tmp_path, attempts=1)
    assert names(tmp_path) == ["file.bin.part"]
    assert get(server.url, tmp_path).read_bytes() == BODY
    assert server.requests == [None, "bytes=12500-"]


@pytest.mark.parametrize("left_over", [b"not the beginning of it", bytes(50_000), bytes(60_000), BODY], ids=len)
def test_a_left_over_is_not_trusted(serve, tmp_path, left_over):
    (tmp_path / "file.bin.part").write_bytes(left_over)
    assert get(serve(BODY, "ok").url, tmp_path).read_bytes() == BODY
    assert names(tmp_path) == ["file.bin"]


@pytest.mark.parametrize("left_over", [BODY[:100], bytes(60_000)], ids=len)
def test_a_left_over_is_written_over_where_nothing_can_be_continued(serve, tmp_path, left_over):
    (tmp_path / "file.bin.part").write_bytes(left_over)
    server = serve(BODY, "no ranges")
    assert get(server.url, tmp_path).read_bytes() == BODY
    assert len(server.requests) == 1


def test_a_damaged_file_is_replaced(serve, tmp_path):
    (tmp_path / "file.bin").write_bytes(BODY[:-1])
    assert get(serve(BODY, "ok").url, tmp_path).read_bytes() == BODY


def test_a_file_that_is_another_one_is_named_where_no_other_can_be_had(serve, tmp_path):
    """Who is told to put the file there, and has put one there, must learn what is wrong with it."""
    (tmp_path / "file.bin").write_bytes(b"my own")
    other = "md5:" + hashlib.md5(b"my own").hexdigest()
    with pytest.raises(DataError) as caught:
        get(serve(BODY, "404").url, tmp_path, advice="put it there")
    said = f"{tmp_path / 'file.bin'} is another file: its checksum is {other}, expected {CHECKSUM}; put it there"
    assert str(caught.value).endswith(f"; {said}")
    assert (tmp_path / "file.bin").read_bytes() == b"my own"


def test_what_a_killed_program_left_is_taken_up(serve, tmp_path):
    dead, alive = tmp_path / "file.bin.dead.download", tmp_path / "file.bin.alive.download"
    dead.write_bytes(BODY[:30_000])
    alive.write_bytes(BODY[:10_000])
    long_ago = time.time() - 10_000
    os.utime(alive, (long_ago, long_ago))  # as after a jump of the clock
    server = serve(BODY, "ok")
    with alive.open("rb") as held:
        assert download.lock_now(held.fileno())
        get(server.url, tmp_path)
    assert server.requests == ["bytes=30000-"]
    assert names(tmp_path) == ["file.bin", "file.bin.alive.download"]


def test_mirrors_are_tried_in_turn(serve, tmp_path):
    gone, broken, good = serve(BODY, "404"), serve(BODY, "cut", "503"), serve(BODY, "ok")
    assert get([gone.url, broken.url, good.url], tmp_path).read_bytes() == BODY
    assert good.requests == ["bytes=12500-"]  # what the second mirror sent is kept
    with pytest.raises(DataError) as caught:
        get([gone.url, broken.url], tmp_path / "other", attempts=2)
    assert gone.url in str(caught.value) and broken.url in str(caught.value)
    assert len(gone.requests) == 2  # one a call: a wrong address stays wrong


def test_several_at_once(serve, tmp_path):
    server = serve(BODY, "slow")
    results = []
    threads = [threading.Thread(target=lambda: results.append(get(server.url, tmp_path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() == BODY for path in results] == [True] * 4
    assert names(tmp_path) == ["file.bin"]


def test_a_full_disk(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: type("usage", (), {"free": 100}))
    with pytest.raises(DataError, match="no space left"):
        get(serve(BODY, "ok").url, tmp_path)
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made(serve, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file\.bin: cannot be written"):
        get(serve(BODY, "ok").url, tmp_path / "file" / "folder")


def test_ctrl_c_keeps_what_has_come_under_another_name(serve, tmp_path, monkeypatch):
    def press(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "time", types.SimpleNamespace(sleep=press, time=time.time))
    with pytest.raises(KeyboardInterrupt):
        get(serve(BODY, "cut").url, tmp_path)
    assert names(tmp_path) == ["file.bin.part"]


def test_no_address(tmp_path):
    with pytest.raises(ArgumentError, match="at least one address"):
        get([], tmp_path)


def test_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MINITORCH_CNN_CACHE", str(tmp_path / "from the environment"))
    assert cache_folder() == tmp_path / "from the environment"
    assert cache_folder(tmp_path / "named") == tmp_path / "named"
    monkeypatch.delenv("MINITORCH_CNN_CACHE")
    assert cache_folder().name == "minitorch_cnn"
