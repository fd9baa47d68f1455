"""What is watched while an input is used: lines of the package that run, memory, and acts that no input may cause."""

import contextlib
import os
import signal
import sys
from pathlib import Path

import numba

import minitorch_cnn

PACKAGE = str(Path(minitorch_cnn.__file__).parent)
SECONDS = 10  # of processor time that one input may take on an ordinary computer, as SECURITY.md promises
SLOWER = 4  # and as many times that here: the machine may be slow, and be doing other work
STATUS, RESET = "/proc/self/status", "/proc/self/clear_refs"


class Hang(BaseException):
    """An input took more than its share of time."""


class Lines:
    """The lines of the package that have run, found by a trace function; the new ones guide the search."""

    def __init__(self):
        self.seen = set()
        self.new = 0
        self.unseen = {}  # lines of each function; one that is all seen is not traced

    @contextlib.contextmanager
    def traced(self):
        self.new = 0
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(before)

    def _enter(self, frame, event, argument):
        code = frame.f_code
        if not code.co_filename.startswith(PACKAGE):
            return None
        if (unseen := self.unseen.get(id(code))) is None:
            lines = {line for *_, line in code.co_lines() if line}
            unseen = self.unseen[id(code)] = lines - {code.co_firstlineno}  # which is no line of its own
        return self._line if unseen else None

    def _line(self, frame, event, argument):
        unseen = self.unseen[id(frame.f_code)]
        if frame.f_lineno in unseen:
            unseen.discard(frame.f_lineno)
            self.seen.add((frame.f_code.co_filename, frame.f_lineno))
            self.new += 1
        return self._line if unseen else None


class Memory:
    """How much memory an input took: the highest mark of this process while it was used, over what it had before."""

    def __init__(self):
        self.mib = 0

    @contextlib.contextmanager
    def measured(self):
        with contextlib.suppress(OSError):  # else the highest mark since the beginning: it shows the first greedy input
            Path(RESET).write_text("5")
        before = max(_mib("VmRSS"), 0 if os.access(RESET, os.W_OK) else _mib("VmHWM"))
        try:
            yield
        finally:
            self.mib = _mib("VmHWM") - before


def _mib(mark):
    with open(STATUS) as file:
        return next(int(line.split()[1]) >> 10 for line in file if line.startswith(mark))


# Where the arguments of an act have a path, and the folder that it is seen from (a descriptor).
PLACES = {
    "os.remove": ((0, 1),), "os.rmdir": ((0, 1),), "os.mkdir": ((0, 2),), "os.chmod": ((0, 2),), "os.chown": ((0, 3),),
    "os.utime": ((0, 3),), "os.truncate": ((0, None),), "os.setxattr": ((0, None),), "os.symlink": ((1, 2),),
    "os.rename": ((0, 2), (1, 3)), "os.link": ((0, 2), (1, 3)), "shutil.move": ((0, None), (1, None)),
    "shutil.rmtree": ((0, None),),
}  # fmt: skip
FORBIDDEN = (
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.startfile", "os.kill",
    "subprocess.Popen", "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "urllib.Request",
    "pickle.find_class", "ctypes.dlopen",
)  # fmt: skip
OF_THE_NAME = ("os.remove", "os.rmdir", "os.mkdir", "os.symlink", "os.rename", "os.link")  # and not of what it links to
OURS = PACKAGE, str(Path(__file__).parents[1])
LIBRARIES = {os.path.realpath(path) for path in (sys.prefix, sys.base_prefix, *sys.path, *OURS) if path}
READABLE = (*LIBRARIES, "/proc", "/sys", "/dev/urandom")


COMPILER = os.path.join(os.path.dirname(numba.__file__), "")


def _by_the_compiler():
    """Whether Numba does it: a twin is compiled when it is used for the first time, and stored, or read from there."""
    frame = sys._getframe()
    while frame is not None and not frame.f_code.co_filename.startswith(COMPILER):
        frame = frame.f_back
    return frame is not None


class Guard:
    """An audit hook: Python tells it of every file that is opened, every process, connection and text that is run.

    What must not be is noted, and does not happen: it ends in a PermissionError.
    """

    def __init__(self):
        self.folder, self.named, self.acts = None, (), []
        sys.addaudithook(self._hear)

    @contextlib.contextmanager
    def watching(self, folder, named=()):
        """Context in which `acts` collects what is done outside `folder`.

        What the user `named` does not count, though it cannot be changed either.
        """
        self.folder, self.named, self.acts = os.path.realpath(folder), tuple(named), []
        try:
            yield
        finally:
            self.folder = None

    def _hear(self, event, arguments):
        if self.folder is None:
            return
        if event in FORBIDDEN:
            self._forbid(f"{event} {str(arguments)[:80]}")
        elif event == "exec" and getattr(arguments[0], "co_filename", "<string>") in ("<string>", "<unknown>"):
            self._forbid("a text was run as a program")
        elif event == "open":
            self._look(event if _writes(arguments) else "read", arguments[0], -1, not _writes(arguments))
        else:
            for path, descriptor in PLACES.get(event, ()):
                self._look(event, arguments[path], -1 if descriptor is None else arguments[descriptor])

    def _look(self, event, path, descriptor, reads=False):
        """Forbid a path outside, seen from the folder of `descriptor` where one is given."""
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        given = isinstance(descriptor, int) and descriptor >= 0
        base = os.readlink(f"/proc/self/fd/{descriptor}") if given else os.getcwd()
        folder, name = os.path.split(os.path.join(base, os.fsdecode(path)))
        path = os.path.join(os.path.realpath(folder), name)
        path = path if event in OF_THE_NAME else os.path.realpath(path)
        if path == os.devnull or _inside(path, (self.folder, *(READABLE if reads else ()))):
            return
        if reads and (os.path.isdir(path) or not os.path.exists(path)):
            return  # nothing to read: shutil.rmtree opens folders by their names alone, from others we are not told
        if _inside(path, self.named):
            if not reads:
                raise PermissionError(1, "not while fuzzing", path)
            return
        self._forbid(f"{event} {path[:80]}")

    def _forbid(self, act):
        if _by_the_compiler():
            return
        self.acts.append(act)
        raise PermissionError(1, "not while fuzzing")


def _inside(path, folders):
    return any(path == folder or path.startswith(folder.rstrip(os.sep) + os.sep) for folder in folders)


def _writes(arguments):
    _, mode, flags = arguments
    return any(letter in mode for letter in "wax+") if mode else bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


@contextlib.contextmanager
def time_limit():
    """Context that raises Hang after SLOWER * SECONDS of processor time; what does not return ends the process."""

    def over(*_):
        raise Hang

    before = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, SLOWER * SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
