"""Augmentation: each epoch sees every image mirrored, moved or turned a little differently.

A picture of a cat moved by three pixels is a picture of a cat. Showing the network such copies teaches it what does not
matter, and delays learning the training images by heart.
"""

import numpy as np

from minitorch_cnn.arrays import is_array, moved, namespace
from minitorch_cnn.datasets.affine import FILLS, move, resample
from minitorch_cnn.errors import ArgumentError


class Augmentation:
    """Random changes to a batch of images, each drawn anew for every image.

    flip    mirror left and right, every second time
    shift   move by up to this fraction of the height and of the width (0.1: a tenth), both ways, independently
    rotate  turn by up to this many degrees, both ways
    zoom    enlarge by a factor between 1 - zoom and 1 + zoom (above 1, things look larger)
    shear   slant by up to this many degrees, both ways: each row slides sideways by tan(shear) times its height
    fill    what comes in from outside: "nearest" edge pixel, "zero" (black) or "reflect"

    An image is mirrored first, then zoomed, slanted and turned around its centre, then moved. The parts make one map
    and the image is sampled once, because every sampling blurs. Where only `flip` and `shift` are set, images move by
    whole pixels and are copied without a change.

        augment = Augmentation(flip=True, shift=0.125)
        images = augment(images, np.random.default_rng(0))

    Raises ArgumentError for a value out of range.
    """

    def __init__(self, flip=False, shift=0.0, rotate=0.0, zoom=0.0, shear=0.0, fill="nearest"):
        self.flip = bool(flip)
        self.shift = _checked("shift", shift, 1, "a fraction from 0 to below 1")
        self.rotate = _checked("rotate", rotate, 360, "degrees from 0 to below 360")
        self.zoom = _checked("zoom", zoom, 1, "a fraction from 0 to below 1")
        self.shear = _checked("shear", shear, 90, "degrees from 0 to below 90")
        if fill not in FILLS:
            raise ArgumentError(f"Augmentation: fill: expected one of {', '.join(FILLS)}, got {fill!r}")
        self.fill = fill

    def __call__(self, images, rng):
        """Change each image at random.

        images  (N, H, W, C), uint8 or float32, of any array library; not written to
        rng     a numpy.random.Generator; all randomness comes from it, so the same state gives the same images
        """
        return self.part(images, rng, 0, len(images))

    def part(self, images, rng, first, whole):
        """What `self(batch, rng)` makes of images `first`, `first` + 1, ... of a batch of `whole`, from them alone."""
        images = images if is_array(images) else np.asarray(images)
        if images.ndim != 4 or images.dtype not in (np.uint8, np.float32):
            raise ArgumentError(
                f"Augmentation: expected uint8 or float32 images (N, H, W, C), got {images.dtype} {images.shape}"
            )
        size, rows = np.array(images.shape[1:3]), slice(first, first + len(images))
        # Everything is drawn whether it is switched on or not: switching one thing on leaves the others as they were.
        flips = (rng.random(whole) < 0.5)[rows] & self.flip
        shifts = rng.uniform(-1, 1, (whole, 2))[rows]
        turns, zooms, slants = rng.uniform(-1, 1, (3, whole))[:, rows]
        if not (self.rotate or self.zoom or self.shear):
            shifts = _whole_pixels(shifts, np.rint(self.shift * size))
            return move(images, moved(flips, namespace(images)), moved(shifts, namespace(images)), self.fill)
        maps = inverse_maps(
            flips,
            shifts * self.shift * size,
            np.deg2rad(turns * self.rotate),
            1 + zooms * self.zoom,
            np.deg2rad(slants * self.shear),
        )
        return resample(images, moved(maps, namespace(images)), self.fill)

    def config(self):
        """The constructor's arguments as plain values, so that `Augmentation(**config)` is the same again."""
        return {
            "flip": self.flip,
            "shift": self.shift,
            "rotate": self.rotate,
            "zoom": self.zoom,
            "shear": self.shear,
            "fill": self.fill,
        }

    def __repr__(self):
        return f"Augmentation({', '.join(f'{name}={value!r}' for name, value in self.config().items())})"


def inverse_maps(flips, shifts, angles, zooms, slants):
    """The maps that `resample` takes: from each pixel of the result back to where it comes from.

    flips   (N,) bool
    shifts  (N, 2) pixels down and to the right
    angles  (N,) radians, counter-clockwise as one sees the picture
    zooms   (N,) factors
    slants  (N,) radians

    Forwards a point p = (y, x) goes to q = R S Z F p + t: mirror, zoom, shear, rotation, shift. Backwards it is
    p = F Z^-1 S^-1 R^-1 (q - t). Returns (N, 2, 3) float32, the last column being the constant part.
    """
    cos, sin = np.cos(angles), np.sin(angles)
    # Rows count downwards, so a turn that looks counter-clockwise takes (y, x) to (cos y - sin x, sin y + cos x).
    unturn = _matrices(cos, sin, -sin, cos)
    unslant = _matrices(1, 0, -np.tan(slants), np.ones_like(slants))
    unzoom_and_unflip = _matrices(1 / zooms, 0, 0, np.where(flips, -1, 1) / zooms)
    back = unzoom_and_unflip @ unslant @ unturn  # (N, 2, 2)
    constant = -back @ shifts[:, :, None]
    return np.concatenate([back, constant], axis=2).astype(np.float32)


def _matrices(a, b, c, d):
    """Matrices [[a, b], [c, d]] as (N, 2, 2) from numbers and (N,) arrays."""
    return np.stack(np.broadcast_arrays(a, b, c, d), axis=-1).reshape(-1, 2, 2)


def _whole_pixels(draws, limits):
    """Turn draws from [-1, 1) into whole numbers from -limit to limit, all equally likely."""
    return np.floor((draws + 1) / 2 * (2 * limits + 1)).astype(np.int64) - limits.astype(np.int64)


def _checked(name, value, below, expected):
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 <= value < below:
        raise ArgumentError(f"Augmentation: {name}: expected {expected}, got {value!r}")
    return float(value)
