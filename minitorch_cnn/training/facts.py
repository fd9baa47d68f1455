"""The facts of a training's checkpoint, checked: the file may have been written by anybody."""

from numbers import Real

TOTALS = {"loss", "correct", "images", "seconds"}


def check_facts(facts, batches):
    """ValueError unless `facts` are such as `Trainer.state` writes, for a training with so many batches an epoch."""
    whole = {"epoch": None, "batch": batches, "steps": None}
    for name, most in whole.items():
        if not _is_whole(facts[name]) or (most is not None and facts[name] > most):
            raise ValueError(f"{name}: {str(facts[name])[:40]} is none")
    numbers = {"rate": facts["rate"], **facts["totals"]}
    if facts["totals"].keys() != TOTALS or not all(_is_number(value) for value in numbers.values()):
        raise ValueError("its running sums are none")
    if not all(_is_whole(count) for count in facts["draws"].values()):
        raise ValueError("its counts of random draws are none")
    rows = facts["history"]
    if not all(isinstance(name, str) and all(map(_is_number, values)) for name, values in rows.items()):
        raise ValueError("its history is none")
    if not all(len(values) == facts["epoch"] for values in rows.values()):
        raise ValueError(f"its history is not one of {facts['epoch']} epochs")
    if not (facts["stopped"] is None or isinstance(facts["stopped"], str)):
        raise ValueError("its reason to stop is none")


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62
