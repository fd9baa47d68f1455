"""Fetching a file from the network so that what lies under its name is always the whole file, or nothing.

The bytes are written to a file of another name, which gets the final name in one step when its checksum is right. Two
programs that fetch the same file at once write to two such files, and each puts the same bytes in place. What a broken
connection left is kept as `NAME.part` and continued by the next attempt or the next run; nobody trusts it before the
checksum of the whole says so.
"""

import contextlib
import errno
import os
import pathlib
import shutil
import tempfile
import time

from minitorch_cnn.errors import ArgumentError, DataError

MIB = 1 << 20
LARGEST = 2048 * MIB  # bytes; no file of ours is larger, so a server that never stops is stopped
TIMEOUT = 30  # seconds without a byte
PAUSE = 1  # seconds before the second attempt, doubled for each further one


def cache_folder(cache=None):
    """Where downloads are kept: `cache`, or $MINITORCH_CNN_CACHE, or the system's place for caches; a Path."""
    import pooch

    return pathlib.Path(cache or os.environ.get("MINITORCH_CNN_CACHE") or pooch.os_cache("minitorch_cnn")).expanduser()


def fetch(urls, checksum, folder, filename, progress=True, *, attempts=4, advice=""):
    """Download a file into a folder, unless it is there already.

    urls      where the file is, or several places of the same file, tried in turn
    checksum  "md5:..." or "sha256:..." of the whole file
    folder    made where it does not exist
    filename  the name it gets there
    progress  show a bar
    attempts  how often each place is asked before giving up
    advice    what the user can do where it fails, for the end of the message

    Returns the path of the whole file with the right checksum. Raises DataError (one line) otherwise.
    """
    urls = [urls] if isinstance(urls, str) else list(urls)
    if not urls:
        raise ArgumentError(f"{filename}: expected at least one address to download it from, got none")
    final = pathlib.Path(folder) / filename
    there = _checksum(final, checksum) if final.is_file() else ""
    if there == checksum:
        return final
    failures = {}
    with _disk_errors(filename, final.parent):
        final.parent.mkdir(parents=True, exist_ok=True)
        with _unfinished(final) as unfinished:
            for attempt in range(attempts):
                for url in urls:
                    if url in failures and failures[url].final:
                        continue
                    try:
                        _download(url, unfinished, filename, progress)
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
    if there:
        reasons += f"; {final} is another file: its checksum is {there}, expected {checksum}"
    raise DataError(f"{filename}: could not be downloaded: {reasons}{advice and '; '}{advice}")


class _Failure(Exception):
    """Why one attempt gave nothing; `final` where asking the same place again is no use."""

    def __init__(self, reason, final=False, wrong=False):
        super().__init__(reason)
        self.final, self.wrong = final, wrong


def _checksum(path, like):
    """The file's checksum, "md5:..." or "sha256:..." as `like` has it."""
    import pooch

    algorithm, _, _ = like.partition(":")
    return f"{algorithm}:{pooch.file_hash(str(path), algorithm)}"


def _check(path, checksum, again):
    """Raise _Failure, and empty the file, where it has another checksum: wrong bytes cannot be continued.

    The first time, a left-over of something else may be to blame; `again` says that it is the server.
    """
    if _checksum(path, checksum) != checksum:
        with path.open("rb") as file:
            page = file.read(64).lstrip().lower().startswith((b"<!doctype html", b"<html"))
        got = "a web page" if page else f"{path.stat().st_size} other bytes"
        path.write_bytes(b"")
        raise _Failure(f"expected a file with checksum {checksum}, got {got}", final=again, wrong=True)


@contextlib.contextmanager
def _unfinished(final):
    """A file of this call's own to download into, holding what an earlier one left behind.

    Taking the left-over and leaving it are renames, so of two programs only one gets it and none writes to another's.
    """
    left_over = final.with_name(final.name + ".part")
    handle, own = tempfile.mkstemp(prefix=final.name + ".", suffix=".download", dir=final.parent)
    os.close(handle)
    own = pathlib.Path(own)
    own.chmod(0o644)  # mkstemp makes files only for their owner; a cache may be shared
    for path in (left_over, *_abandoned(final)):
        with contextlib.suppress(OSError):
            os.replace(path, own)
            break
    try:
        with own.open("rb") as mark:  # as long as it is open and locked, this download lives
            _lock(mark)
            yield own
    finally:
        with contextlib.suppress(FileNotFoundError):
            if own.stat().st_size:
                os.replace(own, left_over)
            else:
                own.unlink()


def _abandoned(final):
    """Downloads whose program was killed: nobody holds their lock any more.

    Where there are no locks: one that lives writes to its file at least every TIMEOUT seconds. A clock that jumps can
    make it look dead; what is taken from it then still has to pass the checksum.
    """
    for path in final.parent.glob(f"{final.name}.*.download"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            locked = _lock(file)
            old = time.time() - path.stat().st_mtime > 10 * TIMEOUT
            if path.stat().st_size and (old if locked is None else locked):  # an empty one is only just being made
                yield path


def _lock(file):
    """Whether `file` could be locked, until it is closed; None where the system has no such locks."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True


def _download(url, path, filename, progress):
    """Ask for what is still missing of `path` and append it; raises _Failure."""
    import requests

    have = path.stat().st_size
    # The bytes as they are: a server that thinks of .gz as an encoding must not unpack the archive.
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == 416:  # nothing after what we have: whole, or of another file
                if answer.headers.get("Content-Range", "") == f"bytes */{have}":
                    return
                path.write_bytes(b"")
                raise _Failure("what was left of an earlier download does not fit")
            if answer.status_code not in (200, 206):
                # 4xx: the address is wrong; but 408 and 429 only say "not now".
                permanent = 400 <= answer.status_code < 500 and answer.status_code not in (408, 429)
                raise _Failure(f"HTTP status {answer.status_code} {answer.reason}".strip(), permanent)
            if answer.status_code == 206 and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                path.write_bytes(b"")
                raise _Failure("the server sent another part of the file than it was asked for")
            if answer.status_code == 200:  # from the beginning, whatever we have
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


def _write(answer, path, have, filename, progress):
    """Append the body of an answer to `path` after its first `have` bytes."""
    import urllib3
    from tqdm import tqdm

    length = answer.headers.get("Content-Length", "")
    expected = have + int(length) if length.isdigit() else None
    if expected is not None and expected > LARGEST:
        raise _Failure(f"expected at most {LARGEST // MIB} MiB, the server announced {expected // MIB}", final=True)
    if expected is not None and expected - have > shutil.disk_usage(path.parent).free:
        raise OSError(errno.ENOSPC, "no space", str(path.parent))
    show = {"desc": filename, "unit": "B", "unit_scale": True, "leave": False, "disable": not progress}
    with tqdm(total=expected, initial=have, **show) as bar, path.open("r+b") as file:
        file.seek(have)
        file.truncate()
        try:
            for block in answer.raw.stream(MIB, decode_content=False):
                file.write(block)
                bar.update(len(block))
                if file.tell() > LARGEST:
                    file.truncate(0)
                    raise _Failure(f"expected at most {LARGEST // MIB} MiB, got more", final=True)
        except urllib3.exceptions.ReadTimeoutError:
            raise _Failure(f"no answer for {TIMEOUT} seconds") from None
        except urllib3.exceptions.HTTPError:
            pass  # ended early; how early is said below
        got = file.tell()
    if expected is not None and got != expected:
        raise _Failure(f"expected {expected} bytes, the connection ended after {got}")


@contextlib.contextmanager
def _disk_errors(filename, folder):
    """Say what is wrong with the disk in one line."""
    try:
        yield
    except DataError:
        raise
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DataError(f"{filename}: no space left for it on the disk of {folder}") from None
        raise DataError(f"{filename}: cannot be written ({error.strerror or error})") from None
