"""The twin of `affine.move` on a GPU; `affine.resample` has none, so there its definition runs."""

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.datasets.affine import FILLS
from minitorch_cnn.twins.arguments import check_move
from minitorch_cnn.twins.cuda.kernels import contiguous, launch


def move(images: Array, flips: Array, shifts: Array, fill: str) -> Array:
    """See `affine.move`; pixels of any dtype are moved as bytes."""
    check_move(images, flips, shifts, fill)
    images, flips, shifts = map(contiguous, (images, flips, shifts))
    moved = namespace(images).empty_like(images)
    _, H, W, C = images.shape
    bytes_of = [array.view("uint8") for array in (images, moved)]
    launch("move", moved.nbytes, *bytes_of, flips, shifts, H, W, C * images.itemsize,
           FILLS.index(fill), dtype="float32")  # fmt: skip
    return moved
