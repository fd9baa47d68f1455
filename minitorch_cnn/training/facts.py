"""Checks the facts read from a checkpoint, because the file may be damaged or come from somebody else."""

from typing import Any

from minitorch_cnn.files.printable import counted

TOTALS = {"loss", "correct", "images", "seconds"}
LARGEST = 1e300  # a larger integer could not be computed with as a float


def check_facts(facts: dict[str, Any], batches: int) -> None:
    """Raise ValueError unless `facts` are what `Trainer.state` writes; an epoch has so many `batches`."""
    counts = {name: facts[name] for name in ("epoch", "batch", "steps")}
    for name, count in {**counts, "first_epoch": facts.get("first_epoch", 0)}.items():  # older files have no such
        if not is_whole(count) or (name == "batch" and count > batches):
            raise ValueError(f"{name}: {str(count)[:40]} is not valid")
    numbers = {"rate": facts["rate"], **facts["totals"]}
    if facts["totals"].keys() != TOTALS or not all(is_number(value) for value in numbers.values()):
        raise ValueError("its running sums are not valid")
    if not all(is_whole(count) for count in facts["draws"].values()):
        raise ValueError("its numbers of random draws are not valid")
    rows = facts["history"]
    if not all(isinstance(name, str) and all(map(is_number, values)) for name, values in rows.items()):
        raise ValueError("its history is not valid")
    if not all(len(values) == facts["epoch"] for values in rows.values()):
        raise ValueError(f"its history does not have {counted(facts['epoch'], 'epoch')}")
    if not (facts["stopped"] is None or isinstance(facts["stopped"], str)):
        raise ValueError("its reason for stopping is not a text")


def is_number(value: Any) -> bool:
    """Whether a value is a finite real number, not too large for a float."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -LARGEST < value < LARGEST


def is_whole(value: Any) -> bool:
    """Whether a value is a counter: an integer from 0 to below 2**62."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62
