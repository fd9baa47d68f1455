"""Names from files and folders, made safe to print on one line of a terminal."""


def printable(text: object) -> str:
    """`str(text)` with control characters escaped (`\\x1b`), and bytes that are not UTF-8 as `\\xff`.

    Without this, a file name could contain codes that clear the screen, overwrite the line above or retitle the window.
    """
    text = str(text)
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "backslashreplace")
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
