"""Faults of a download: the rows of the table that need a server on this machine."""

import hashlib
import subprocess
import sys
from pathlib import Path

from faults import SECONDS, Outcome, fault

sys.path.insert(0, str(Path(__file__).parents[1] / "datasets"))
from misbehaving_server import Server

BODY = bytes(range(256)) * 2000
FETCH = Path(__file__).with_name("fetch_once.py")


def fetch(work, server, *, quota=0):
    """Start a process that fetches the file."""
    checksum = "md5:" + hashlib.md5(BODY).hexdigest()
    process = subprocess.Popen(
        [sys.executable, FETCH, server.url, checksum, work.folder, str(quota)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    return process


def message(process):
    _, errors = process.communicate(timeout=SECONDS)
    assert "Traceback" not in errors, errors
    return process.returncode, errors.strip()


def refused(work, *words, **options):
    """Expect nothing under the final name; a later attempt with a good server must get the file."""
    server = Server(BODY, words)
    code, said = message(fetch(work, server, **options))
    assert code == 2 and not (work.folder / "file.bin").exists()
    partial = (work.folder / "file.bin.part").exists()
    arrives(work, "ok")
    said = said.replace(server.url, "URL")
    kept = "the received part, as `file.bin.part`" if partial else "nothing"
    return Outcome(f"{kept}; nothing under the final name; the next attempt gets the whole file", said)


def arrives(work, *words):
    assert message(fetch(work, Server(BODY, words)))[0] == 0
    assert (work.folder / "file.bin").read_bytes() == BODY
    assert [path.name for path in work.folder.iterdir()] == ["file.bin"]


@fault("download: the connection breaks", "the server closes the connection after each quarter")
def broken(work):
    arrives(work, "cut", "cut", "cut", "ok")
    return Outcome("every quarter: each attempt continues where the previous one ended", "none: the file arrives")


@fault("download: it breaks permanently", "the server closes the connection after a quarter, then reports 503 (busy)")
def gone(work):
    return refused(work, "cut", "503")


@fault("download: wrong checksum", "the server sends other bytes of the right length")
def wrong(work):
    return refused(work, "wrong")


@fault("download: a web page", "the server sends HTML without a Content-Type")
def page(work):
    return refused(work, "html without saying so")


@fault("download: the disk fills up", "the system limits files to half the size of this one (RLIMIT_FSIZE)")
def full(work):
    return refused(work, "ok", quota=len(BODY) // 2)


@fault("download: two processes at once", "two start at the same moment, with a slow server")
def two(work):
    server = Server(BODY, ["slow"])
    both = [fetch(work, server), fetch(work, server)]
    assert [message(process)[0] for process in both] == [0, 0]
    assert (work.folder / "file.bin").read_bytes() == BODY
    return Outcome("the whole file, for both", "none: nothing is lost")


@fault("download: killed", "`kill -9` in the middle, with a slow server")
def killed(work):
    process = fetch(work, Server(BODY, ["slow"]))
    while not any(path.stat().st_size > 100_000 for path in work.folder.glob("file.bin.*")):
        assert process.poll() is None
    process.kill()
    process.communicate()
    assert not (work.folder / "file.bin").exists()
    arrives(work, "ok")
    return Outcome("the received part: the next attempt continues from there", "none: no process is left to print one")
