"""Texts for a terminal or a page: names from files, made safe to print, and counts with their nouns."""

import shlex

# Characters that are not printable in Python's sense but harmless on a page: ends of lines, and spaces of some width.
PAGE = "\n\t\xa0\u2009\u202f"


def printable(text: object, keep: str = "") -> str:
    """`str(text)` with control characters escaped (`\\x1b`), and bytes that are not UTF-8 as `\\xff`; `keep` remains.

    Without this, a file name could contain codes that clear the screen, overwrite the line above or retitle the window,
    or that reverse the direction of writing.
    """
    text = str(text)
    if text.isprintable():
        return text
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "backslashreplace")
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() or letter in keep else ascii(letter)[1:-1] for letter in text)


def word(name: object) -> str:
    """The name of a file as a word of a command: quoted where a shell needs it, and never read as an option."""
    text = str(name)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def counted(count: float, noun: str, plural: str = "") -> str:
    """A count with its noun: `1 layer`, `1,024 layers`; `plural` is left out if the noun just takes an s."""
    number = f"{count:,}" if isinstance(count, int) else f"{count:g}"
    return f"{number} {noun if count == 1 else plural or f'{noun}s'}"
