"""Edits of what a JSON text means: the value that is chosen becomes another one, and the text stays JSON."""

import copy
import math

LARGE = (2**31 - 1, 2**31, 2**32, 2**62, 6148914691236515904, 2**63 - 1, 2**63, 2**64, 10**19, int("9" * 400))
NAMES = (
    "", "\x1b[2J", "\u202e", "\ud800", "a\nb", "../x", "/dev/zero", "x" * 5000, "None", "nan", "9" * 400,
    "__class__", "<script>",
)  # fmt: skip


def edited(tree, words, rng):
    """A copy of `tree` with one value edited; `words` are names that have a meaning there."""
    tree = copy.deepcopy(tree)
    where = list(_places(tree))
    if not where:
        return tree
    holder, key = rng.choice(where)
    value = holder[key]
    holder[key] = EDITS[rng.choice([*OF_KIND[_kind(value)], *OF_ANY])](value, words, rng)
    return tree


def _places(tree):
    """(list or dictionary, index or key) of every value in `tree`; of a long list, a part of them."""
    pending = [tree]
    while pending:
        holder = pending.pop()
        keys = holder.keys() if isinstance(holder, dict) else range(min(len(holder), 100))
        for key in keys:
            yield holder, key
            if isinstance(holder[key], (dict, list)):
                pending.append(holder[key])


def _kind(value):
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "number"
    return {list: "list", dict: "object", str: "text"}.get(type(value), "constant")


def _longer(value, words, rng):
    return value + (value or [0]) * rng.choice((1, 2, 100))


def _shorter(value, words, rng):
    return value[: rng.randrange(len(value))] if value else value


def _without(value, words, rng):
    return {key: value[key] for key in value if key != left_out} if (left_out := _one(value, rng)) else value


def _with(value, words, rng):
    return {**value, rng.choice((*words, *NAMES, "unknown")): rng.choice((0, None, "x", [1], {}))}


def _renamed(value, words, rng):
    old = _one(value, rng)
    return {(rng.choice(words or NAMES) if key == old else key): value[key] for key in value}


def _one(value, rng):
    return rng.choice(list(value)) if value else None


# name: function of (the value, words, rng) to the new value
EDITS = {
    "large": lambda value, words, rng: rng.choice(LARGE),
    "negative": lambda value, words, rng: rng.choice((-1, -value, -(2**63), -1e308)),
    "zero": lambda value, words, rng: rng.choice((0, 0.0, -0.0)),
    "fraction": lambda value, words, rng: rng.choice((0.5, 1e-320, 1.5, 1 + 1e-16, 1e308)),
    "not finite": lambda value, words, rng: rng.choice((math.nan, math.inf, -math.inf)),
    "as float": lambda value, words, rng: float(value) if abs(value) < 2**62 else 1e19,
    "another number": lambda value, words, rng: rng.choice((1, 2, 3, 7, 16, 31, 100, 1000, 65537)),
    "number as text": lambda value, words, rng: str(value)[:400],
    "longer": _longer,
    "shorter": _shorter,
    "reversed": lambda value, words, rng: value[::-1],
    "without a key": _without,
    "with a key": _with,
    "renamed key": _renamed,
    "word": lambda value, words, rng: rng.choice(words or NAMES),
    "hostile text": lambda value, words, rng: rng.choice(NAMES),
    "boolean": lambda value, words, rng: rng.random() < 0.5,
    "none": lambda value, words, rng: None,
    "empty": lambda value, words, rng: rng.choice(([], {}, "")),
    "nested": lambda value, words, rng: rng.choice(([value], [value, value], [[value]], {"x": value})),
}
OF_KIND = {
    "number": ("large", "large", "large", "negative", "zero", "fraction", "not finite", "as float", "another number",
               "number as text"),
    "list": ("longer", "shorter", "reversed"),
    "object": ("without a key", "with a key", "renamed key"),
    "text": ("word", "word", "word", "hostile text"),
    "constant": ("large", "word", "another number"),
}  # fmt: skip
OF_ANY = ("boolean", "none", "empty", "nested")
