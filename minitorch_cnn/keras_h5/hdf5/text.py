"""Names from a file, made safe to print on one line."""

LONGEST_SHOWN = 60


def shown(name: str) -> str:
    """The name as messages show it: in ASCII with everything else escaped, and shortened if it is long."""
    if not name:
        return "(no name)"
    text = name if name.isprintable() and name.isascii() else ascii(name)[1:-1]
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "..."
