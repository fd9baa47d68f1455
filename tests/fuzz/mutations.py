"""Random edits of bytes, of the kinds that break readers: bits, edge values, copies, cuts, pieces of other inputs."""

import struct

EDGES = (0, 1, 127, 128, 255)
WORDS = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
LONGEST = 1 << 20  # bytes that an input may grow to


def mutated(data, others, words, rng):
    """`data` after one to eight edits. `others`: inputs to take pieces from; `words`: bytes with a meaning."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        if not data:
            data += b"\0"
        near = rng.random() < 0.5  # headers are at the beginning
        rng.choice(EDITS)(data, rng.randrange(min(len(data), 600) if near else len(data)), others, words, rng)
    return bytes(data[:LONGEST])


def _flip(data, place, others, words, rng):
    data[place] ^= 1 << rng.randrange(8)


def _edge(data, place, others, words, rng):
    data[place] = rng.choice(EDGES)


def _number(data, place, others, words, rng):
    layout = rng.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
    value = rng.choice((*WORDS, len(data), rng.randrange(2 * len(data) + 2)))
    size = struct.calcsize(layout)
    data[place : place + size] = struct.pack(layout, value % 256**size)


def _word(data, place, others, words, rng):
    word = rng.choice(words) if words else bytes([rng.randrange(256)])
    data[place : place + (len(word) if rng.random() < 0.5 else 0)] = word


def _copy(data, place, others, words, rng):
    start, size = rng.randrange(len(data)), rng.randrange(1, 65)
    data[place : place + (size if rng.random() < 0.7 else 0)] = data[start : start + size]


def _repeat(data, place, others, words, rng):
    size = rng.randrange(1, 17)
    data[place:place] = data[place : place + size] * rng.choice((2, 16, 256))


def _cut(data, place, others, words, rng):
    del data[place : place + rng.choice((1, 4, 64, len(data) // 3 + 1))]


def _splice(data, place, others, words, rng):
    other = rng.choice(others)
    start = rng.randrange(len(other) + 1)
    data[place:] = other[start:]


EDITS = (_flip, _flip, _edge, _number, _number, _word, _word, _copy, _repeat, _cut, _splice)
