"""Augmentation: in each epoch every image is mirrored, shifted or rotated a little differently.

A photo of a cat shifted by three pixels is still a photo of a cat. Such copies teach the network which differences do
not matter, and they delay overfitting, because the network hardly ever sees exactly the same image twice.
"""

from typing import Any

import numpy as np

from minitorch_cnn.arguments import flag
from minitorch_cnn.arrays import Array, is_array, moved, namespace
from minitorch_cnn.datasets.affine import FILLS, move, resample
from minitorch_cnn.datasets.cutout import cut_out
from minitorch_cnn.errors import ArgumentError


class Augmentation:
    """Random transforms of a batch of images (N, H, W, C), drawn independently for each image.

        augment = Augmentation(flip=True, shift=0.125)
        images = augment(images, np.random.default_rng(0))

    Arguments: `flip` mirrors left to right with probability 1/2; `shift` moves by up to this fraction of the height up
    or down, and of the width left or right (0.1: a tenth); `rotate` turns by up to this many degrees, `shear` slants by
    up to this many degrees, both in either direction, where a shear slides each row sideways by tan(shear) times its
    distance from the centre; `zoom` scales by a factor between 1 - zoom and 1 + zoom (above 1, things look larger);
    `fill` says what comes in from outside the image: the "nearest" edge pixel, "zero" (black) or "reflect"; `cutout`
    paints over a square whose side is this fraction of the shorter side (`cutout.py`). `alternate_flip` mirrors each
    image in every second epoch instead of at random: two epochs then show all images from both sides, while random
    flips show a half of them twice from the same side (Jordan 2024, arXiv:2404.00498). `Batches` does the counting.

    An image is first mirrored, then zoomed, sheared and rotated around its centre, then shifted. These steps are
    combined into one map so that the image is interpolated only once, because each interpolation blurs it. With only
    `flip` and `shift`, images move by whole pixels and pixels are copied unchanged.

    Raises ArgumentError when a value is out of range.
    """

    def __init__(
        self, flip: bool = False, shift: float = 0.0, rotate: float = 0.0, zoom: float = 0.0, shear: float = 0.0,
        fill: str = "nearest", cutout: float = 0.0, alternate_flip: bool = False,
    ) -> None:  # fmt: skip
        self.flip = flag(flip, "Augmentation: flip")
        self.alternate_flip = flag(alternate_flip, "Augmentation: alternate_flip")
        self.shift = _checked("shift", shift, 1, "a fraction from 0 to below 1")
        self.rotate = _checked("rotate", rotate, 360, "degrees from 0 to below 360")
        self.zoom = _checked("zoom", zoom, 1, "a fraction from 0 to below 1")
        self.shear = _checked("shear", shear, 90, "degrees from 0 to below 90")
        self.cutout = _checked("cutout", cutout, 1, "a fraction from 0 to below 1")
        if fill not in FILLS:
            raise ArgumentError(f"Augmentation: fill: expected one of {', '.join(FILLS)}, got {fill!r}")
        self.fill = fill

    def __call__(self, images: Array, rng: np.random.Generator) -> Array:
        """A new array of randomly transformed images, of the shape of `images`; uint8 for integers, float32 for floats.

        Arguments: `images` (N, H, W, C), floats or integers from 0 to 255, of any array library; `rng` the only source
        of randomness, so the same state gives the same images. Raises ArgumentError for images of another kind.
        """
        return self.part(images, rng, 0, len(images))

    def part(
        self, images: Array, rng: np.random.Generator, first: int, whole: int, flips: np.ndarray | None = None
    ) -> Array:  # fmt: skip
        """Transform `images` as `self(batch, rng)` does if they are images `first`, `first` + 1, ... of `whole`.

        `flips` (whole,) bool says which are mirrored, instead of drawing it.
        """
        images = _plain(images if is_array(images) else np.asarray(images))
        size, rows = np.array(images.shape[1:3]), slice(first, first + len(images))
        # All random numbers are always drawn, so switching one transform on leaves the others as they were.
        drawn = rng.random(whole) < 0.5
        flips = (drawn if flips is None else flips)[rows] & (self.flip or self.alternate_flip)
        shifts = rng.uniform(-1, 1, (whole, 2))[rows]
        turns, zooms, slants = rng.uniform(-1, 1, (3, whole))[:, rows]
        centres = rng.random((whole, 2))[rows]
        if not (self.rotate or self.zoom or self.shear):
            shifts = _whole_pixels(shifts, np.rint(self.shift * size))
            images = move(images, moved(flips, namespace(images)), moved(shifts, namespace(images)), self.fill)
            return cut_out(images, centres, self.cutout)
        maps = inverse_maps(
            flips,
            shifts * self.shift * size,
            np.deg2rad(turns * self.rotate),
            1 + zooms * self.zoom,
            np.deg2rad(slants * self.shear),
        )
        return cut_out(resample(images, moved(maps, namespace(images)), self.fill), centres, self.cutout)

    def config(self) -> dict[str, Any]:
        """The constructor's arguments as plain values, so that `Augmentation(**config)` is an equal object."""
        only_if_given = {"cutout": self.cutout, "alternate_flip": self.alternate_flip}
        return {
            "flip": self.flip,
            "shift": self.shift,
            "rotate": self.rotate,
            "zoom": self.zoom,
            "shear": self.shear,
            "fill": self.fill,
            **{name: value for name, value in only_if_given.items() if value},
        }

    def __repr__(self) -> str:
        return f"Augmentation({', '.join(f'{name}={value!r}' for name, value in self.config().items())})"


def inverse_maps(
    flips: np.ndarray, shifts: np.ndarray, angles: np.ndarray, zooms: np.ndarray, slants: np.ndarray
) -> np.ndarray:
    """The maps (N, 2, 3) that `resample` takes, from each pixel of the result back to its source.

    Arguments: `flips` (N,) bool; `shifts` (N, 2), pixels down and to the right; `angles` (N,), radians,
    counter-clockwise as the image is seen; `zooms` (N,), factors; `slants` (N,), radians.

    The forward map sends a point p = (y, x) to q = R S Z F p + t: flip F, zoom Z, shear S, rotation R and shift t. The
    inverse is p = F Z^-1 S^-1 R^-1 (q - t). The result is float32, and its last column is the constant term.
    """
    cos, sin = np.cos(angles), np.sin(angles)
    # Rows count downwards, so a rotation that looks counter-clockwise maps (y, x) to (cos y - sin x, sin y + cos x).
    unturn = _matrices(cos, sin, -sin, cos)
    unslant = _matrices(1, 0, -np.tan(slants), np.ones_like(slants))
    unzoom_and_unflip = _matrices(1 / zooms, 0, 0, np.where(flips, -1, 1) / zooms)
    back = unzoom_and_unflip @ unslant @ unturn  # (N, 2, 2)
    constant = -back @ shifts[:, :, None]
    return np.concatenate([back, constant], axis=2).astype(np.float32)


def _plain(images):
    """Images (N, H, W, C) as uint8 or float32."""
    if images.ndim != 4 or images.dtype.kind not in "iuf":
        raise ArgumentError(
            f"Augmentation: expected images (N, H, W, C) of floats or integers, got {images.dtype} {images.shape}"
        )
    if images.dtype.kind == "f":
        return images.astype(np.float32, copy=False)
    if images.dtype != np.uint8 and not (images.min(initial=0) >= 0 and images.max(initial=0) <= 255):
        raise ArgumentError(f"Augmentation: expected pixels of 0 to 255, got {images.min()} to {images.max()}")
    return images.astype(np.uint8, copy=False)


def _matrices(a, b, c, d):
    """Stack numbers and (N,) arrays into matrices [[a, b], [c, d]] of shape (N, 2, 2)."""
    return np.stack(np.broadcast_arrays(a, b, c, d), axis=-1).reshape(-1, 2, 2)


def _whole_pixels(draws, limits):
    """Turn uniform draws from [-1, 1) into integers from -limit to limit, all equally likely."""
    return np.floor((draws + 1) / 2 * (2 * limits + 1)).astype(np.int64) - limits.astype(np.int64)


def _checked(name, value, below, expected):
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 <= value < below:
        raise ArgumentError(f"Augmentation: {name}: expected {expected}, got {value!r}")
    return float(value)
