"""Ticks of an axis: round numbers that enclose the data."""

import math


def round_step(length: float, count: int) -> float:
    """The smallest step, 1, 2 or 5 times a power of ten, that divides `length` into at most `count` parts."""
    power = 10.0 ** math.floor(math.log10(length / count))
    return next(step * power for step in (1, 2, 5, 10, 20) if step * power * count >= length * (1 - 1e-9))


SMALLEST = 1e-290  # a smaller distance cannot be divided into steps any more


def value_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round ticks, the first at or below `low` and the last at or above `high`; they start at a nearby zero."""
    if 0 < low < 0.4 * high:
        low = 0.0
    if high - low < SMALLEST:
        margin = abs(low) / 10 if abs(low) > SMALLEST else 1.0
        low, high = low - margin, high + margin
    step = round_step(high - low, count)
    # Without the tolerance, rounding errors such as 0.6 / 0.2 = 2.9999999999999996 would add a tick.
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) if step > 1e-9 else i * step for i in range(first, last + 1)]


def epoch_ticks(epochs: int, count: int = 7) -> list[int]:
    """About `count` epochs to label, including the first and the last."""
    step = max(1, math.ceil(round_step(max(epochs, 2), count)))
    between = [epoch for epoch in range(step, epochs, step) if epoch - 1 > step / 2 and epochs - epoch >= step / 2]
    return [1, *between, epochs] if epochs > 1 else [1]
