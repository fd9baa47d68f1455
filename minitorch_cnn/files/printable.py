"""Names that came from a file or a folder, made fit for one line on a terminal."""


def printable(text):
    """`str(text)` without what is no text: control characters as `\\x1b`, bytes of a name that are no UTF-8 as `\\xff`.

    A name can hold codes that clear the screen, rewrite the line above or retitle the window.
    """
    text = str(text)
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "backslashreplace")
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
