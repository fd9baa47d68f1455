"""Downloading a file so that either the complete file or nothing exists under its final name.

The bytes are written to a file with a temporary name, which is renamed to the final name once its checksum is right.
Two programs that fetch the same file at once write to two temporary files, and both put the same bytes in place. The
bytes received before a connection broke are kept as `NAME.part`, and the next attempt or the next run continues them;
they are not trusted until the checksum of the complete file is right.

Pooch names the cache folder and computes the checksums. Its own download begins from the start after every broken
connection, so the request is made here.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from minitorch_cnn.errors import ArgumentError, DataError, require
from minitorch_cnn.files.abandoned import POSIX, lock_now
from minitorch_cnn.files.progress_bar import progress_bar

if TYPE_CHECKING:
    import requests

MIB = 1 << 20
BLOCK = 1 << 16  # bytes written at a time; a download that is killed loses at most so many
LARGEST = 2048 * MIB  # bytes; none of our files is larger, so a server that never stops sending is cut off here
TIMEOUT = 30  # seconds without a byte
PAUSE = 1  # seconds before the second attempt, doubled for each further one
PURPOSE = "downloading a file"


def cache_folder(cache: str | Path | None = None) -> Path:
    """The folder for downloads: `cache`, or $MINITORCH_CNN_CACHE, or the system's cache folder."""
    named = cache or os.environ.get("MINITORCH_CNN_CACHE")
    return Path(os.path.expanduser(named or require("pooch", PURPOSE).os_cache("minitorch_cnn")))


def fetch(
    urls: str | Iterable[str],
    checksum: str | None,
    folder: str | Path,
    filename: str,
    progress: bool = True,
    *,
    attempts: int = 4,
    advice: str = "",
) -> Path:
    """Download a file into a folder, unless it is there already, and return its path.

    Arguments: `urls`, one address or several of the same file, tried in turn; `checksum`, "md5:..." or "sha256:..." of
    the complete file, or None if nobody has published one: then a file that is there is taken as it is; `folder`,
    created if it does not exist; `filename`, the file's name in that folder; `progress`, whether to show a progress
    bar; `attempts`, how often each address is tried; `advice`, what the user can do if the download fails, appended to
    the error message.

    Raises DataError when no address gives a complete file with the right checksum; MissingPackage when Pooch, or one of
    the packages that it needs, is not installed.
    """
    urls = [urls] if isinstance(urls, str) else list(urls)
    if not urls:
        raise ArgumentError(f"{filename}: expected at least one address to download it from, got none")
    final = Path(os.path.expanduser(folder)) / filename
    present = checksum_of(final, checksum or "md5") if final.is_file() else ""
    if present and checksum in (present, None):
        return final
    for package in ("pooch", "requests", "urllib3"):  # what is missing is said before anything is downloaded
        require(package, PURPOSE)
    failures: dict[str, _Failure] = {}
    with _disk_errors(filename, final.parent):
        final.parent.mkdir(parents=True, exist_ok=True)
        with _unfinished(final) as unfinished:
            if checksum is None:  # the remains of another download cannot be told from this file's
                unfinished.write_bytes(b"")
            for attempt in range(attempts):
                for url in urls:
                    if url in failures and failures[url].final:
                        continue
                    try:
                        _download(url, unfinished, filename, progress)
                        if checksum is not None:
                            _check(unfinished, checksum, again=url in failures and failures[url].wrong)
                    except _Failure as failure:
                        failures[url] = failure
                    else:
                        os.replace(unfinished, final)
                        return final
                if all(failure.final for failure in failures.values()):
                    break
                if attempt + 1 < attempts:
                    time.sleep(PAUSE * 2**attempt)
    reasons = "; ".join(f"{url}: {failure}" for url, failure in failures.items())
    if present:
        reasons += f"; {final} is another file: its checksum is {present}, expected {checksum}"
    raise DataError(f"{filename}: could not be downloaded: {reasons}{advice and '; '}{advice}")


class _Failure(Exception):
    """Why one attempt failed; `final` if trying the same address again is useless, `wrong` if the checksum differed."""

    def __init__(self, reason: str, final: bool = False, wrong: bool = False):
        super().__init__(reason)
        self.final, self.wrong = final, wrong


def checksum_of(path: Path, like: str) -> str:
    """The file's checksum in the form of `like`: "md5:..." or "sha256:..."."""
    algorithm, _, _ = like.partition(":")
    return f"{algorithm}:{require('pooch', PURPOSE).file_hash(str(path), algorithm)}"


def _check(path: Path, checksum: str, again: bool) -> None:
    """Raise _Failure when the file's checksum is wrong, and empty the file, because wrong bytes cannot be continued.

    The first time, the remains of another download may be the cause; the second time (`again`) it is the server.
    """
    if checksum_of(path, checksum) != checksum:
        with path.open("rb") as file:
            page = file.read(64).lstrip().lower().startswith((b"<!doctype html", b"<html"))
        got = "a web page" if page else f"{path.stat().st_size} other bytes"
        path.write_bytes(b"")
        raise _Failure(f"expected a file with checksum {checksum}, got {got}", final=again, wrong=True)


@contextlib.contextmanager
def _unfinished(final: Path) -> Iterator[Path]:
    """Yield a private file to download into, which already holds the bytes that an earlier attempt received.

    Those bytes are taken over and left behind by renaming, so if two programs try, only one gets them, and no program
    writes to another one's file.
    """
    partial = final.with_name(final.name + ".part")
    handle, name = tempfile.mkstemp(prefix=final.name + ".", suffix=".download", dir=final.parent)
    os.close(handle)
    own = Path(name)
    own.chmod(0o644)  # mkstemp lets only the owner read the file, but a cache may be shared
    for path in (partial, *_abandoned(final)):
        with contextlib.suppress(OSError):
            os.replace(path, own)
            break
    try:
        with contextlib.ExitStack() as held:
            if POSIX:  # while this is open and locked, other programs see that the download is active
                lock_now(held.enter_context(own.open("rb")).fileno())
            yield own
    finally:
        with contextlib.suppress(FileNotFoundError):
            if own.stat().st_size:
                os.replace(own, partial)
            else:
                own.unlink()


def _abandoned(final: Path) -> Iterator[Path]:
    """Yield the files of downloads whose program was killed, which means that nothing holds their lock any more.

    Where there are no locks, age decides: an active download writes to its file at least every TIMEOUT seconds. A clock
    that jumps can make one look abandoned, but the bytes taken from it still have to pass the checksum.
    """
    for path in final.parent.glob(f"{final.name}.*.download"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            locked = lock_now(file.fileno()) if POSIX else None
            old = time.time() - path.stat().st_mtime > 10 * TIMEOUT
            if path.stat().st_size and (old if locked is None else locked):  # an empty one has only just been created
                yield path


def _download(url: str, path: Path, filename: str, progress: bool) -> None:
    """Request the bytes that `path` still lacks and append them; raises _Failure when that does not work."""
    requests = require("requests", PURPOSE)
    have = path.stat().st_size
    # Ask for the raw bytes, because a server that treats .gz as an encoding must not unpack the archive.
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == 416:  # no bytes after ours: they are complete, or they are of another file
                if answer.headers.get("Content-Range", "") == f"bytes */{have}":
                    return
                path.write_bytes(b"")
                raise _Failure("the remains of an earlier download do not belong to this file")
            if answer.status_code not in (200, 206):
                # 4xx means that the address is wrong, except that 408 and 429 only mean "not now".
                permanent = 400 <= answer.status_code < 500 and answer.status_code not in (408, 429)
                raise _Failure(f"HTTP status {answer.status_code} {answer.reason}".strip(), permanent)
            if answer.status_code == 206 and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                path.write_bytes(b"")
                raise _Failure("the server sent another part of the file than the one requested")
            if answer.status_code == 200:  # the server sends the file from the beginning, whatever we have
                have = 0
            if "html" in answer.headers.get("Content-Type", "").lower():
                raise _Failure("expected a file, got a web page", final=True)
            _write(answer, path, have, filename, progress)
    except requests.exceptions.InvalidSchema as error:
        raise _Failure(f"expected an address with http or https ({error})", final=True) from None
    except (requests.exceptions.MissingSchema, requests.exceptions.InvalidURL) as error:
        raise _Failure(str(error), final=True) from None
    except requests.exceptions.Timeout:
        raise _Failure(f"no answer for {TIMEOUT} seconds") from None
    except requests.exceptions.RequestException as error:
        raise _Failure(f"connection failed ({type(error).__name__})") from None


def _write(answer: requests.Response, path: Path, have: int, filename: str, progress: bool) -> None:
    """Write the body of the response to `path`, after its first `have` bytes."""
    urllib3 = require("urllib3", PURPOSE)
    length = answer.headers.get("Content-Length", "")
    expected = have + int(length) if length.isdigit() else None
    if expected is not None and expected > LARGEST:
        raise _Failure(f"expected at most {LARGEST // MIB} MiB, the server announced {expected // MIB}", final=True)
    if expected is not None and expected - have > shutil.disk_usage(path.parent).free:
        raise OSError(errno.ENOSPC, "no space", str(path.parent))
    show = {"desc": filename, "unit": "B", "unit_scale": True, "leave": False, "disable": not progress}
    with progress_bar(total=expected, initial=have, **show) as bar, path.open("r+b") as file:
        file.seek(have)
        file.truncate()
        try:
            for block in answer.raw.stream(BLOCK, decode_content=False):
                file.write(block)
                bar.update(len(block))
                if file.tell() > LARGEST:
                    file.truncate(0)
                    raise _Failure(f"expected at most {LARGEST // MIB} MiB, got more", final=True)
        except urllib3.exceptions.ReadTimeoutError:
            raise _Failure(f"no answer for {TIMEOUT} seconds") from None
        except urllib3.exceptions.HTTPError:
            pass  # the connection ended early; the error below says after how many bytes
        got = file.tell()
    if expected is not None and got != expected:
        raise _Failure(f"expected {expected} bytes, the connection ended after {got}")


@contextlib.contextmanager
def _disk_errors(filename: str, folder: Path) -> Iterator[None]:
    """Turn disk errors into a DataError of one line."""
    try:
        yield
    except DataError:
        raise
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DataError(f"{filename}: no space left on the disk of {folder}") from None
        raise DataError(f"{filename}: cannot be written ({error.strerror or error})") from None
