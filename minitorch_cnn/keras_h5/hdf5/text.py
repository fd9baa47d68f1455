"""Names from a file, made fit for one line of text."""

LONGEST_SHOWN = 60


def shown(name: str) -> str:
    """The name as it may stand in a message: control characters escaped, long ones cut."""
    if not name:
        return "(no name)"
    text = name if name.isprintable() and name.isascii() else ascii(name)[1:-1]
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "..."
