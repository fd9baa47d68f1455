"""How a wrong array differs from the right one, in words that lead to the line that must be changed.

Of a large right array only a sample may be known. A mask marks the known elements, and only these are compared.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

CLOSE = 2e-5  # relative to the largest number; the right values may come from difference quotients
SMALLEST = 1e-300


def close(got: ArrayLike, wanted: ArrayLike, tolerance: float = CLOSE, known: np.ndarray | None = None) -> bool:
    """Whether two arrays have the same shape and agree within `tolerance` times their largest number.

    `known`, a mask of their shape, limits the comparison; by default all elements are compared.
    """
    one, other = np.asarray(got), np.asarray(wanted)
    if one.shape != other.shape:
        return False
    if known is not None:
        one, other = one[known], other[known]
    if not np.isfinite(one).all():
        return False
    scale = max(np.abs(one).max(initial=0), np.abs(other).max(initial=0), SMALLEST)
    return bool(np.abs(one - other).max(initial=0) <= tolerance * scale)


@dataclass
class _Pair:
    """Two arrays to compare: `got` is complete, `wanted` is filled in where `known`; `batch` as in `difference`."""

    got: np.ndarray
    wanted: np.ndarray
    known: np.ndarray
    batch: int | None

    def is_like(self, other: np.ndarray) -> bool:
        """Whether `other` would be right in place of `got`."""
        return close(other, self.wanted, known=self.known)

    def part(self, where: tuple, moved_from: tuple | None = None) -> bool | None:
        """Whether the part `where` of `got` agrees with `wanted`, there or at `moved_from`.

        Returns None if nothing is known in that part, or if all its numbers are small and so prove nothing.
        """
        there = where if moved_from is None else moved_from
        wanted, known = self.wanted[there], self.known[there]
        if not known.any() or np.abs(wanted[known]).max() <= 0.3 * np.abs(self.wanted[self.known]).max():
            return None
        return close(self.got[where], wanted, known=known)


def difference(got: np.ndarray, wanted: np.ndarray, batch: int | None = None, known: np.ndarray | None = None) -> str:
    """One sentence that says how `got` differs from `wanted`.

    Arguments: two arrays of the same shape; `batch`, the number of images, if a factor of N is worth looking for;
    `known`, a mask of the elements of `wanted` that are filled in, by default all.
    """
    pair = _Pair(got, wanted, np.ones(np.shape(wanted), bool) if known is None else known, batch)
    for look in (_not_finite, _all_zero, _constant_factor, _elsewhere, _moved, _masked, _some_images, _at_the_border):
        words = look(pair)
        if words:
            return words
    return _share_wrong(pair)


def _not_finite(pair):
    bad = int((~np.isfinite(pair.got)).sum())
    return f"{bad} of {pair.got.size} numbers are not finite (NaN or infinity)" if bad else None


def _all_zero(pair):
    if not pair.got.any():
        return "0 everywhere: the array was never filled in, or a constant was returned"
    return None


def _constant_factor(pair):
    got, wanted, batch = pair.got[pair.known], pair.wanted[pair.known], pair.batch
    factor = float((got * wanted).sum() / max((wanted * wanted).sum(), SMALLEST))
    if factor == 0 or abs(factor - 1) < 1e-6 or not np.abs(got - factor * wanted).max() <= CLOSE * np.abs(got).max():
        return None
    if abs(factor + 1) < 1e-4:
        return "the right numbers with the wrong sign"
    if batch and batch > 1 and abs(factor / batch - 1) < 1e-4:
        return f"{batch} times too large, and there are {batch} images: the loss is a mean, so its gradient needs 1/N"
    if batch and batch > 1 and abs(factor * batch - 1) < 1e-4:
        return f"{batch} times too small, and there are {batch} images: it is divided by N once too often"
    return f"the right numbers times {factor:.6g}: a constant factor is missing or superfluous"


def _elsewhere(pair):
    got = pair.got
    if got.size < 4 or np.unique(np.abs(pair.wanted[pair.known])).size < 3:
        return None
    if got.ndim == 4:
        for axes in ((0, 1), (1, 2)):
            if pair.is_like(np.flip(got, axes)):
                return "the right numbers rotated by 180 degrees: a kernel is flipped, or flipped once too often"
    for order in itertools.permutations(range(got.ndim)):
        if order != tuple(range(got.ndim)) and pair.is_like(got.transpose(order)):
            exchanged = " and ".join(str(axis) for axis, to in enumerate(order) if axis != to)
            return f"the right numbers with axes {exchanged} exchanged: a transpose is missing or superfluous"
    if _found_in(np.sort(got, None), pair):
        return (
            "the right numbers in the wrong places: a reshape in another order than in the forward pass"
            " (channels first instead of last?), or a superfluous transpose"
        )
    return None


def _found_in(ordered, pair):
    """Whether the sorted numbers of `got` are those of `wanted`, or contain all its known ones.

    Among very many numbers one is always close by, so a sample needs a stricter tolerance.
    """
    if pair.known.all():
        return close(ordered, np.sort(pair.wanted, None))
    known = pair.wanted[pair.known]
    places = np.searchsorted(ordered, known).clip(1, len(ordered) - 1)
    nearest = np.minimum(np.abs(ordered[places] - known), np.abs(ordered[places - 1] - known))
    return bool(nearest.max() <= CLOSE * np.abs(known).max() / 100)


def _moved(pair):
    if pair.got.ndim != 4:
        return None
    H, W = pair.got.shape[1:3]
    for down, right in itertools.product(range(-3, 4), repeat=2):
        if (down, right) == (0, 0) or abs(down) >= H - 1 or abs(right) >= W - 1:
            continue
        here = np.s_[:, max(down, 0) : H + min(down, 0), max(right, 0) : W + min(right, 0)]
        there = np.s_[:, max(-down, 0) : H + min(-down, 0), max(-right, 0) : W + min(-right, 0)]
        if pair.part(here, there):
            return (
                f"the right numbers shifted{_pixels(down, 'down', 'up')}{_pixels(right, 'right', 'left')}:"
                " the padding was not cut off, or was cut off on the wrong side"
            )
    return None


def _pixels(count, forwards, backwards):
    return f" {abs(count)} {forwards if count > 0 else backwards}" if count else ""


def _masked(pair):
    got, wanted = pair.got[pair.known], pair.wanted[pair.known]
    here, there = got != 0, np.abs(wanted) > CLOSE * np.abs(wanted).max()
    if here.all() and there.all():
        return None
    both = here & there
    if both.any() and not close(got[both], wanted[both]):
        return None
    extra, missing = int((here & ~there).sum()), int((there & ~here).sum())
    if not extra + missing:
        return None
    if not both.any():
        return "0 where it should not be, and not 0 where it should be: the mask is inverted"
    parts = [f"{extra} numbers get a gradient but should get none"] if extra else []
    parts += [f"{missing} get none but should"] if missing else []
    checked = "" if pair.known.all() else f" of the {got.size} checked"
    return f"right where it is not 0, but{checked} {' and '.join(parts)}: a mask is wrong or missing"


def _some_images(pair):
    batch = pair.batch
    if not batch or batch < 2 or pair.got.ndim < 2 or len(pair.got) != batch:
        return None
    agree = [pair.part(np.s_[n : n + 1]) for n in range(batch)]
    right = [n for n in range(batch) if agree[n]]
    if not right or all(agree[n] is not False for n in range(batch)):
        return None
    return f"right for image {', '.join(map(str, right))} of the batch but wrong for the others"


def _at_the_border(pair):
    if pair.got.ndim != 4:
        return None
    for margin in (1, 2, 3):
        if min(pair.got.shape[1:3]) <= 2 * margin + 1:
            return None
        if pair.part(np.s_[:, margin:-margin, margin:-margin]):
            return f"right except within {margin} of the border: check how the padding is handled"
    return None


def _share_wrong(pair):
    got, wanted = pair.got[pair.known], pair.wanted[pair.known]
    scale = max(np.abs(wanted).max(), SMALLEST)
    wrong = int((np.abs(got - wanted) > CLOSE * scale).sum())
    if not wrong:
        return "wrong only slightly: in a few numbers, or by a tiny factor"
    size = "large" if np.abs(got).sum() > np.abs(wanted).sum() else "small"
    compared = f"{got.size} numbers" if pair.known.all() else f"{got.size} numbers checked"
    return f"{wrong} of {compared} are wrong, and on average too {size}"
