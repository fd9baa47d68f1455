"""Names from files and folders, made safe to print on one line of a terminal, or to show on a page."""

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
