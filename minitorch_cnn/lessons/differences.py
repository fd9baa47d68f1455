"""Two arrays of one shape, one wrong and one right: how they differ, in words that lead to the line to change."""

import itertools

import numpy as np

CLOSE = 2e-5  # of the largest number; the right values may come from difference quotients
SMALLEST = 1e-300


def close(got, wanted, tolerance=CLOSE):
    """Whether two arrays of numbers agree up to `tolerance` of the largest of them; other shapes do not."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    if got.shape != wanted.shape or not np.isfinite(got).all():
        return False
    scale = max(np.abs(got).max(initial=0), np.abs(wanted).max(initial=0), SMALLEST)
    return bool(np.abs(got - wanted).max(initial=0) <= tolerance * scale)


def difference(got, wanted, batch=None):
    """How `got` differs from `wanted`, in one sentence.

    Arguments: two arrays of one shape; `batch` the number of images, if a factor of it would mean something.
    """
    for look in (_not_finite, _all_zero, _constant_factor, _elsewhere, _moved, _masked, _some_images, _at_the_border):
        words = look(got, wanted, batch)
        if words:
            return words
    return _share_wrong(got, wanted)


def _not_finite(got, wanted, batch):
    bad = int((~np.isfinite(got)).sum())
    return f"{bad} of {got.size} numbers are not finite (NaN or infinity)" if bad else None


def _all_zero(got, wanted, batch):
    if not got.any():
        return "0 everywhere: it was never filled in, or something that never changes was returned"
    return None


def _constant_factor(got, wanted, batch):
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


def _elsewhere(got, wanted, batch):
    if got.size < 4 or np.unique(np.abs(wanted)).size < 3:
        return None
    if got.ndim == 4:
        for axes in ((0, 1), (1, 2)):
            if close(np.flip(got, axes), wanted):
                return "the right numbers turned by 180 degrees: a kernel is flipped, or flipped once too often"
    for order in itertools.permutations(range(got.ndim)):
        if order != tuple(range(got.ndim)) and close(got.transpose(order), wanted):
            exchanged = " and ".join(str(axis) for axis, to in enumerate(order) if axis != to)
            return f"the right numbers with axes {exchanged} exchanged: a transpose is missing or too much"
    if close(np.sort(got, None), np.sort(wanted, None)):
        return (
            "the right numbers at the wrong places: a reshape in another order than the one forwards"
            " (channels first instead of last?), or a transpose too much"
        )
    return None


def _moved(got, wanted, batch):
    if got.ndim != 4:
        return None
    H, W = got.shape[1:3]
    for down, right in itertools.product(range(-3, 4), repeat=2):
        if (down, right) == (0, 0) or abs(down) >= H - 1 or abs(right) >= W - 1:
            continue
        here = got[:, max(down, 0) : H + min(down, 0), max(right, 0) : W + min(right, 0)]
        there = wanted[:, max(-down, 0) : H + min(-down, 0), max(-right, 0) : W + min(-right, 0)]
        if there.any() and np.abs(there).max() > 0.3 * np.abs(wanted).max() and close(here, there):
            return (
                f"the right numbers moved{_pixels(down, 'down', 'up')}{_pixels(right, 'right', 'left')}:"
                " the padding was not cut off, or off the wrong side"
            )
    return None


def _pixels(count, forwards, backwards):
    return f" {abs(count)} {forwards if count > 0 else backwards}" if count else ""


def _masked(got, wanted, batch):
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
    return f"right where it is not 0, but {' and '.join(parts)}: a mask is wrong or missing"


def _some_images(got, wanted, batch):
    if not batch or batch < 2 or got.ndim < 2 or len(got) != batch:
        return None
    right = [n for n in range(batch) if close(got[n], wanted[n])]
    if not right:
        return None
    return f"right for image {', '.join(map(str, right))} of the batch and wrong for the others"


def _at_the_border(got, wanted, batch):
    if got.ndim != 4:
        return None
    for margin in (1, 2, 3):
        if min(got.shape[1:3]) <= 2 * margin + 1:
            return None
        inside = (slice(None), slice(margin, -margin), slice(margin, -margin))
        if wanted[inside].any() and close(got[inside], wanted[inside]):
            return f"right except within {margin} of the border: look at what happens to the padding"
    return None


def _share_wrong(got, wanted):
    scale = max(np.abs(wanted).max(), SMALLEST)
    wrong = int((np.abs(got - wanted) > CLOSE * scale).sum())
    if not wrong:
        return "wrong by less than the eye sees: a number or two, or a tiny factor"
    size = "large" if np.abs(got).sum() > np.abs(wanted).sum() else "small"
    return f"{wrong} of {got.size} numbers are wrong, on the whole too {size}"
