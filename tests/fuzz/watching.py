"""What is watched while an input is used: lines of the package that run, and acts that no input may cause."""

import contextlib
import os
import signal
import sys
from pathlib import Path

import minitorch_cnn

PACKAGE = str(Path(minitorch_cnn.__file__).parent)
SECONDS = 10  # of processor time that one input may take


class Hang(BaseException):
    """An input took more than its share of time."""


class Lines:
    """The lines of the package that have run, found by a trace function; the new ones guide the search."""

    def __init__(self):
        self.seen = set()
        self.new = 0

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
        return self._line if frame.f_code.co_filename.startswith(PACKAGE) else None

    def _line(self, frame, event, argument):
        place = frame.f_code.co_filename, frame.f_lineno
        if place not in self.seen:
            self.seen.add(place)
            self.new += 1
        return self._line


class Guard:
    """An audit hook: Python tells it of every file that is opened, every process, connection and text that is run."""

    FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect",
                 "pickle.find_class", "ctypes.dlopen")  # fmt: skip
    CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.truncate",
               "shutil.rmtree", "shutil.move")  # fmt: skip

    def __init__(self):
        self.folder, self.acts = None, []
        sys.addaudithook(self._hear)

    @contextlib.contextmanager
    def watching(self, folder):
        """Context in which `acts` collects what is done beyond reading, outside `folder`."""
        self.folder, self.acts = os.path.realpath(folder), []
        try:
            yield
        finally:
            self.folder = None

    def _hear(self, event, arguments):
        if self.folder is None:
            return
        if event in self.FORBIDDEN:
            self.acts.append(f"{event} {str(arguments)[:80]}")
        elif event == "exec" and getattr(arguments[0], "co_filename", "<string>") in ("<string>", "<unknown>"):
            self.acts.append("a text was run as a program")
        elif event in self.CHANGES or (event == "open" and _writes(arguments)):
            path, descriptor = arguments[0], arguments[-1] if event != "open" else -1
            if isinstance(path, (str, bytes, os.PathLike)) and not self._inside(path, descriptor):
                self.acts.append(f"{event} {os.fsdecode(path)[:80]}")

    def _inside(self, path, descriptor):
        """Whether a path, seen from the folder of `descriptor` where one is given, is inside the watched folder."""
        given = isinstance(descriptor, int) and descriptor >= 0
        base = os.readlink(f"/proc/self/fd/{descriptor}") if given else os.getcwd()
        path = os.path.realpath(os.path.join(base, os.fsdecode(path)))
        return path == os.devnull or path.startswith(self.folder + os.sep)


def _writes(arguments):
    _, mode, flags = arguments
    return any(letter in mode for letter in "wax+") if mode else bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


@contextlib.contextmanager
def time_limit():
    """Context that raises Hang after `SECONDS` of processor time; what never returns to Python ends the process."""

    def over(*_):
        raise Hang

    before = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
