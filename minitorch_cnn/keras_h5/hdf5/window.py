"""A range of bytes of one file, read only inside its bounds, and a cursor over a block of them."""

from __future__ import annotations

from typing import BinaryIO

from minitorch_cnn.errors import WeightsError

UNDEFINED = 0xFFFF_FFFF_FFFF_FFFF  # HDF5's address of "nothing stored"

# What describing a file may cost. A network of a thousand layers needs a tenth of it; a file that asks for more is not
# a weight file, and these two numbers alone bound the time and the memory that any file can take. Reading is not all of
# it: a few kilobytes can name one group ten thousand times, so every message, every name and every place on a path that
# is walked counts as a step, and every text as its bytes each time it is decoded.
MOST_STRUCTURE_BYTES = 16 * 2**20
MOST_STRUCTURE_STEPS = 300_000


def damaged(what: str) -> WeightsError:
    """The error for bytes that contradict each other."""
    return WeightsError(f"the file is damaged: {what}")


class Window:
    """Bytes `start` to `start + size` of an open file; addresses count from `start`.

    A file inside a zip archive and a file behind a user block are windows that do not begin at byte 0.
    """

    def __init__(self, file: BinaryIO, start: int, size: int):
        self.file = file
        self.start = start
        self.size = size
        self._bytes_left = MOST_STRUCTURE_BYTES
        self._steps_left = MOST_STRUCTURE_STEPS

    def narrowed(self, start: int) -> Window:
        """The same file from byte `start` of this window on."""
        return Window(self.file, self.start + start, self.size - start)

    def require(self, offset: int, count: int, what: str) -> None:
        """Raise unless `count` bytes at `offset` lie inside the window."""
        if offset < 0 or count < 0 or offset + count > self.size:
            raise damaged(f"{what} points beyond its end ({count} bytes at {offset}, of {self.size})")

    def charge(self, count: int = 0) -> None:
        """Count one step, and `count` bytes of description, whether they were read or made from what was read."""
        self._bytes_left -= count
        self._steps_left -= 1
        if self._bytes_left < 0 or self._steps_left < 0:
            raise WeightsError("the file describes far more objects than any network has; it was not read further")

    def read(self, offset: int, count: int, what: str) -> bytes:
        """`count` bytes of structure (not of weights), charged to the file's allowance."""
        self.require(offset, count, what)
        self.charge(count)
        buffer = bytearray(count)
        self._fill(buffer, offset)
        return bytes(buffer)

    def read_into(self, buffer: memoryview | bytearray, offset: int, what: str) -> None:
        """Fill `buffer`, which the caller has sized, from `offset`: the weights go straight to their array."""
        self.require(offset, len(buffer), what)
        self._fill(buffer, offset)

    def _fill(self, buffer: memoryview | bytearray, offset: int) -> None:
        self.file.seek(self.start + offset)
        rest = memoryview(buffer)
        while rest:
            count = self.file.readinto(rest)
            if not count:
                raise WeightsError("the file became shorter while it was read")
            rest = rest[count:]


class Cursor:
    """Goes through a block of bytes field by field; running over the end is reported as damage."""

    def __init__(self, data: bytes, what: str, position: int = 0):
        self.data = data
        self.what = what
        self.position = position

    def left(self) -> int:
        """How many bytes are still ahead."""
        return len(self.data) - self.position

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > self.left():
            raise damaged(f"{self.what} is cut short")
        self.position += count
        return self.data[self.position - count : self.position]

    def number(self, size: int) -> int:
        """The next `size` bytes as an unsigned number; all of HDF5's own fields are little-endian."""
        return int.from_bytes(self.take(size), "little")

    def skip(self, count: int) -> None:
        """Pass over `count` bytes."""
        self.take(count)

    def align(self, size: int) -> None:
        """Move on to the next multiple of `size`."""
        self.skip(min(-self.position % size, self.left()))

    def expect(self, signature: bytes) -> None:
        """Pass over four letters that must stand here."""
        if self.take(len(signature)) != signature:
            letters = "".join(filter(str.isprintable, signature.decode()))
            raise damaged(f"{self.what} does not begin with {letters}")
