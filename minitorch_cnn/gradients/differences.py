"""Two arrays of one shape, one wrong and one right: how they differ, in words that lead to the line to change.

Of a large right one only a sample may be known, as a mask says; whatever is compared is compared there.
"""

import itertools
from dataclasses import dataclass

import numpy as np

CLOSE = 2e-5  # of the largest number; the right values may come from difference quotients
SMALLEST = 1e-300


def close(got, wanted, tolerance=CLOSE, known=None):
    """Whether two arrays of numbers agree up to `tolerance` of the largest of them; other shapes do not.

    `known` (a mask of their shape) says where they are compared; left out: everywhere.
    """
    got, wanted = np.asarray(got), np.asarray(wanted)
    if got.shape != wanted.shape:
        return False
    if known is not None:
        got, wanted = got[known], wanted[known]
    if not np.isfinite(got).all():
        return False
    scale = max(np.abs(got).max(initial=0), np.abs(wanted).max(initial=0), SMALLEST)
    return bool(np.abs(got - wanted).max(initial=0) <= tolerance * scale)


@dataclass
class _Pair:
    """What is compared: `got` in full, `wanted` where `known`; `batch` as in `difference`."""

    got: np.ndarray
    wanted: np.ndarray
    known: np.ndarray
    batch: int | None

    def is_like(self, other):
        """Whether `other`, in the place of `got`, would be right."""
        return close(other, self.wanted, known=self.known)

    def part(self, where, moved_from=None):
        """Whether the two agree in a part of theirs; of `wanted` it may lie elsewhere. None where too little is known.

        A part in which everything is small says nothing.
        """
        there = where if moved_from is None else moved_from
        wanted, known = self.wanted[there], self.known[there]
        if not known.any() or np.abs(wanted[known]).max() <= 0.3 * np.abs(self.wanted[self.known]).max():
            return None
        return close(self.got[where], wanted, known=known)


def difference(got, wanted, batch=None, known=None):
    """How `got` differs from `wanted`, in one sentence.

    Arguments: two arrays of one shape; `batch` the number of images, if a factor of it would mean something; `known` a
    mask where `wanted` holds something, left out: everywhere.
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
        return "0 everywhere: it was never filled in, or something that never changes was returned"
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
        return f"{batch} times too small, and there are {batch} images: divided by N once too often"
    return f"the right numbers times {factor:.6g}: a constant factor is missing or too much"


def _elsewhere(pair):
    got = pair.got
    if got.size < 4 or np.unique(np.abs(pair.wanted[pair.known])).size < 3:
        return None
    if got.ndim == 4:
        for axes in ((0, 1), (1, 2)):
            if pair.is_like(np.flip(got, axes)):
                return "the right numbers turned by 180 degrees: a kernel is flipped, or flipped once too often"
    for order in itertools.permutations(range(got.ndim)):
        if order != tuple(range(got.ndim)) and pair.is_like(got.transpose(order)):
            exchanged = " and ".join(str(axis) for axis, to in enumerate(order) if axis != to)
            return f"the right numbers with axes {exchanged} exchanged: a transpose is missing or too much"
    if _found_in(np.sort(got, None), pair):
        return (
            "the right numbers at the wrong places: a reshape in another order than the one forwards"
            " (channels first instead of last?), or a transpose too much"
        )
    return None


def _found_in(ordered, pair):
    """Whether the sorted numbers of `got` are those of `wanted`, or hold all that are known of it.

    Among very many numbers one is always near, so a sample has to be met closely.
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
                f"the right numbers moved{_pixels(down, 'down', 'up')}{_pixels(right, 'right', 'left')}:"
                " the padding was not cut off, or off the wrong side"
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
        return "0 where it should not be and not 0 where it should be: a mask taken from the wrong side"
    parts = [f"{extra} numbers get a gradient and should get none"] if extra else []
    parts += [f"{missing} get none and should"] if missing else []
    looked_at = "" if pair.known.all() else f" of the {got.size} looked at"
    return f"right where it is not 0, but{looked_at} {' and '.join(parts)}: a mask is wrong or missing"


def _some_images(pair):
    batch = pair.batch
    if not batch or batch < 2 or pair.got.ndim < 2 or len(pair.got) != batch:
        return None
    agree = [pair.part(np.s_[n : n + 1]) for n in range(batch)]
    right = [n for n in range(batch) if agree[n]]
    if not right or all(agree[n] is not False for n in range(batch)):
        return None
    return f"right for image {', '.join(map(str, right))} of the batch and wrong for the others"


def _at_the_border(pair):
    if pair.got.ndim != 4:
        return None
    for margin in (1, 2, 3):
        if min(pair.got.shape[1:3]) <= 2 * margin + 1:
            return None
        if pair.part(np.s_[:, margin:-margin, margin:-margin]):
            return f"right except within {margin} of the border: look at what happens to the padding"
    return None


def _share_wrong(pair):
    got, wanted = pair.got[pair.known], pair.wanted[pair.known]
    scale = max(np.abs(wanted).max(), SMALLEST)
    wrong = int((np.abs(got - wanted) > CLOSE * scale).sum())
    if not wrong:
        return "wrong by less than the eye sees: a number or two, or a tiny factor"
    size = "large" if np.abs(got).sum() > np.abs(wanted).sum() else "small"
    compared = f"{got.size} numbers" if pair.known.all() else f"{got.size} numbers looked at"
    return f"{wrong} of {compared} are wrong, on the whole too {size}"
