"""Readers that do what none may, as targets of the fuzzer: `python bad_readers.py TARGET` searches with one.

The tests see to it that each is found, whatever it does to hide it.
"""

import contextlib
import os
import sys

import fuzz
import numpy as np
from target import Target

from minitorch_cnn.errors import DataError


def greedy(data, folder):
    """Takes more than its share, and refuses its input as if nothing were."""
    if data != b"good":
        np.ones(150 << 20, np.uint8)
        raise DataError("no file of ours")


def boundless(data, folder):
    """Takes all there is."""
    if data != b"good":
        np.ones(8 << 30, np.uint8)


def dies(data, folder):
    if data != b"good":
        os.abort()


def never_ends(data, folder):
    """In C, where no signal is heard."""
    if data != b"good":
        sum(range(10**18))


TARGETS = {function.__name__: function for function in (greedy, boundless, dies, never_ends)}

if __name__ == "__main__":
    for name, function in TARGETS.items():
        fuzz.TARGETS[name] = Target(lambda: [b"good"], function)
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(fuzz.main())
