"""Where an axis gets its ticks: round numbers that enclose the data."""

import math


def round_step(length, count):
    """The step of 1, 2 or 5 times a power of ten that cuts `length` into at most `count` pieces."""
    power = 10.0 ** math.floor(math.log10(length / count))
    return next(step * power for step in (1, 2, 5, 10, 20) if step * power * count >= length * (1 - 1e-9))


def value_ticks(low, high, count=5):
    """Round ticks, the first at or below `low`, the last at or above `high`; zero is among them when it is near."""
    if 0 < low < 0.4 * high:
        low = 0.0
    if high <= low:
        margin = abs(low) / 10 or 1.0
        low, high = low - margin, high + margin
    step = round_step(high - low, count)
    # The tolerance keeps 0.6 / 0.2 = 2.9999999999999996 from adding a tick of its own.
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) if step > 1e-9 else i * step for i in range(first, last + 1)]


def epoch_ticks(epochs, count=7):
    """Whole epochs, 1 and the last among them."""
    step = max(1, math.ceil(round_step(max(epochs, 2), count)))
    between = [epoch for epoch in range(step, epochs, step) if epoch - 1 > step / 2 and epochs - epoch >= step / 2]
    return [1, *between, epochs] if epochs > 1 else [1]
