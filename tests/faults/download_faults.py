"""What can happen to a download: the rows of the table that a server on this machine is needed for."""

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
    """Fetch in a process of its own: (exit code, its message)."""
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
    """Nothing under the final name; a later attempt at a server that behaves gets the file."""
    server = Server(BODY, words)
    code, said = message(fetch(work, server, **options))
    assert code == 2 and not (work.folder / "file.bin").exists()
    partial = (work.folder / "file.bin.part").exists()
    arrives(work, "ok")
    said = said.replace(server.url, "URL")
    kept = "what has come, as `file.bin.part`" if partial else "nothing"
    return Outcome(f"{kept}; nothing under the final name; the next attempt gets it whole", said)


def arrives(work, *words):
    assert message(fetch(work, Server(BODY, words)))[0] == 0
    assert (work.folder / "file.bin").read_bytes() == BODY
    assert [path.name for path in work.folder.iterdir()] == ["file.bin"]


@fault("download: the connection breaks", "the server hangs up after each quarter")
def broken(work):
    arrives(work, "cut", "cut", "cut", "ok")
    return Outcome("every quarter: each attempt goes on where the one before ended", "none: the file arrives")


@fault("download: it breaks for good", "the server hangs up after a quarter, then says that it is busy (503)")
def gone(work):
    return refused(work, "cut", "503")


@fault("download: wrong checksum", "the server sends other bytes of the right length")
def wrong(work):
    return refused(work, "wrong")


@fault("download: a web page", "the server answers with HTML and calls it a file")
def page(work):
    return refused(work, "html without saying so")


@fault("download: the disk fills up", "the system refuses what goes beyond half the file (RLIMIT_FSIZE)")
def full(work):
    return refused(work, "ok", quota=len(BODY) // 2)


@fault("download: two processes at once", "two begin at the same moment, the server is slow")
def two(work):
    server = Server(BODY, ["slow"])
    both = [fetch(work, server), fetch(work, server)]
    assert [message(process)[0] for process in both] == [0, 0]
    assert (work.folder / "file.bin").read_bytes() == BODY
    return Outcome("the whole file, for both", "none: nothing is lost")


@fault("download: killed", "`kill -9` in the middle, the server is slow")
def killed(work):
    process = fetch(work, Server(BODY, ["slow"]))
    while not any(path.stat().st_size > 100_000 for path in work.folder.glob("file.bin.*")):
        assert process.poll() is None
    process.kill()
    process.communicate()
    assert not (work.folder / "file.bin").exists()
    arrives(work, "ok")
    return Outcome("what had come: the next attempt goes on from there", "none: nobody is left to write one")
