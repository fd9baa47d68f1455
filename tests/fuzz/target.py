"""What a target of the fuzzer is, and the small network that several of them read."""

import functools
from dataclasses import dataclass

from mutations import mutated

from minitorch_cnn import Sequential, layers

MIB = 100


@dataclass
class Target:
    """`seeds()`: good inputs; `use(data, folder)` reads one as a user would; `words`: edits with a meaning.

    `mib`: the memory that one input may take; `named`: what lies outside the folder and was named by the user;
    `mutated(data, others, words, rng)` edits an input.
    """

    seeds: object
    use: object
    words: tuple = ()
    mib: int = MIB
    named: tuple = ()
    mutated: object = mutated


@functools.cache
def small_model():
    return Sequential(
        [layers.Conv2D(2, 3, activation="relu"), layers.BatchNorm(), layers.Flatten(), layers.Dropout(0.1),
         layers.Dense(3, activation="softmax")], (6, 5, 3), seed=0,
    )  # fmt: skip


def written(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return path


def in_lines(text):
    """Assert that a text for the terminal has no codes in it."""
    assert all(line.isprintable() for line in text.split("\n")), text[:200]
