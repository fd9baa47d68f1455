"""A range of bytes of one file that is never read outside its bounds, and a cursor over a block of bytes."""

from __future__ import annotations

from io import BufferedIOBase, RawIOBase

from minitorch_cnn.errors import WeightsError

UNDEFINED = 0xFFFF_FFFF_FFFF_FFFF  # HDF5's address for "nothing stored"

# Limits on a file's structure. A network of a thousand layers needs a tenth of them, so a file that needs more is not a
# weight file; these two numbers alone bound the time and memory that any file can cost. Counting reads is not enough,
# because a few kilobytes can name one group ten thousand times: every message, every name and every element of a path
# counts as a step, and every string counts with its bytes each time it is decoded.
MOST_STRUCTURE_BYTES = 16 * 2**20
MOST_STRUCTURE_STEPS = 300_000


def damaged(what: str) -> WeightsError:
    """The error for a file whose bytes contradict each other."""
    return WeightsError(f"the file is damaged: {what}")


class Window:
    """Bytes `start` to `start + size` of an open file; addresses count from `start`.

    The window of a file inside a zip archive, or after a user block, does not begin at byte 0.
    """

    def __init__(self, file: RawIOBase | BufferedIOBase, start: int, size: int):
        self.file = file
        self.start = start
        self.size = size
        self._bytes_left = MOST_STRUCTURE_BYTES
        self._steps_left = MOST_STRUCTURE_STEPS

    def narrowed(self, start: int) -> Window:
        """A window that begins at byte `start` of this one, with a new allowance."""
        return Window(self.file, self.start + start, self.size - start)

    def require(self, offset: int, count: int, what: str) -> None:
        """Raise WeightsError unless the `count` bytes at `offset` lie inside the window; `what` names them."""
        if offset < 0 or count < 0 or offset + count > self.size:
            raise damaged(f"{what} lies beyond the end of the file ({count} bytes at {offset}, of {self.size})")

    def charge(self, count: int = 0) -> None:
        """Charge one step and `count` bytes, read or derived from what was read, to the file's allowance."""
        self._bytes_left -= count
        self._steps_left -= 1
        if self._bytes_left < 0 or self._steps_left < 0:
            raise WeightsError("the file describes far more objects than any network has, so it was not read further")

    def read(self, offset: int, count: int, what: str) -> bytes:
        """`count` bytes of structure (not of weights), charged to the file's allowance."""
        self.require(offset, count, what)
        self.charge(count)
        buffer = bytearray(count)
        self._fill(buffer, offset)
        return bytes(buffer)

    def read_into(self, buffer: memoryview | bytearray, offset: int, what: str) -> None:
        """Fill `buffer` from `offset`, not charged to the allowance; this reads weights straight into their array."""
        self.require(offset, len(buffer), what)
        self._fill(buffer, offset)

    def _fill(self, buffer: memoryview | bytearray, offset: int) -> None:
        self.file.seek(self.start + offset)
        rest = memoryview(buffer)
        while rest:
            count = self.file.readinto(rest)
            if not count:
                raise WeightsError("the file became shorter while it was being read")
            rest = rest[count:]


class Cursor:
    """Reads a block of bytes field by field; reading past the end is reported as damage."""

    def __init__(self, data: bytes, what: str, position: int = 0):
        self.data = data
        self.what = what
        self.position = position

    def left(self) -> int:
        """The number of bytes not yet read."""
        return len(self.data) - self.position

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > self.left():
            raise damaged(f"{self.what} is cut short")
        self.position += count
        return self.data[self.position - count : self.position]

    def number(self, size: int) -> int:
        """The next `size` bytes as an unsigned integer; all of HDF5's own fields are little-endian."""
        return int.from_bytes(self.take(size), "little")

    def skip(self, count: int) -> None:
        """Skip `count` bytes."""
        self.take(count)

    def align(self, size: int) -> None:
        """Skip to the next multiple of `size`."""
        self.skip(min(-self.position % size, self.left()))

    def expect(self, signature: bytes) -> None:
        """Skip the signature that must come next; raises WeightsError when it does not."""
        if self.take(len(signature)) != signature:
            letters = "".join(filter(str.isprintable, signature.decode()))
            raise damaged(f"{self.what} does not begin with {letters}")
