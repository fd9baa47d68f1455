"""Fenced blocks of a Markdown text."""

import re

FENCE = re.compile(
    r"^(?P<ticks>`{3,}|~{3,})(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=ticks)[ \t]*$", re.MULTILINE | re.DOTALL
)


def replace(markdown, info, make):
    """`markdown` with `make(body, line)` in the place of every block whose info string is `info`."""

    def one(match):
        if match["info"].strip() != info:
            return match[0]
        return make(match["body"], markdown.count("\n", 0, match.start()) + 1)

    return FENCE.sub(one, markdown)


def outside(markdown, change):
    """`markdown` with `change(text)` done to what lies between its fenced blocks."""
    parts, end = [], 0
    for match in FENCE.finditer(markdown):
        parts += [change(markdown[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*parts, change(markdown[end:])])


def block(body, info):
    """A fenced block around any text: the fence is longer than every row of backticks inside."""
    longest = max((len(row) for row in re.findall(r"`+", body)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{info}\n{body.rstrip()}\n{ticks}"
