"""The site's interactive figures: their data, computed by the engine, and the HTML that holds them.

`html("microscope", "digit")` is a figure for a page: a still picture and words for readers without scripts, and the
data as JSON, which the scripts of this folder bring to life. Nothing is fetched, so a page opened from a disk works.
"""

import functools
import json
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
_shown = set()
KINDS = {  # kind: the scripts that it needs beside core.js
    "microscope": ("rules", "microscope"),
    "neuron": ("compute", "descent"),
    "quotient": ("compute", "descent"),
    "descent": ("compute", "descent"),
    "im2col": ("compute", "layouts"),
    "pool": ("compute", "layouts"),
    "softmax": ("compute", "layouts"),
    "batch_norm": ("compute", "training"),
    "dropout": ("compute", "training"),
    "schedule": ("compute", "descent", "training"),
    "freezing": ("compute", "training"),
    "residual": ("compute", "descent", "training"),
    "planted": ("training",),
}


@functools.cache
def html(kind, *arguments):
    """The figure `kind` as HTML; `arguments` choose among its data. ValueError for a kind that does not exist."""
    data, still, words = _made(kind, *arguments)
    caption = f'<p class="caption">{words}</p>'
    return (
        f'<div class="figure" data-figure="{kind}">{caption}<div class="still">{still}</div>'
        f'<script type="application/json">{to_json(data)}</script></div>'
    )


def still(kind, *arguments):
    """The picture that a figure shows where no scripts run."""
    return _made(kind, *arguments)[1]


@functools.cache
def _made(kind, *arguments):
    """(data, still picture, words) of a figure."""
    if kind not in KINDS:
        raise ValueError(f"figure: expected one of {', '.join(KINDS)}, got {kind!r}")
    from figures import lessons, microscope, planted

    makers = {"microscope": microscope.make, "planted": planted.planted}
    return (makers.get(kind) or getattr(lessons, kind))(*arguments)


def lines_shown():
    """(path below the package, number) of every line of the engine that a figure shows."""
    return sorted(_shown)


def scripts(pieces, folder):
    """The script elements that the figures in `pieces` of HTML need; `folder` leads from the page to this folder."""
    used = {kind for kind in KINDS for piece in pieces if f'data-figure="{kind}"' in piece}
    needed = dict.fromkeys(name for kind in KINDS if kind in used for name in ("core", *KINDS[kind]))
    return "".join(f'<script src="{folder}/{name}.js"></script>' for name in needed)


def to_json(data):
    """JSON for a script element: numbers with nine digits, and no `<` that could end the element."""
    return json.dumps(_rounded(data), separators=(",", ":")).replace("<", "\\u003c")


def _rounded(value):
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(one) for one in value]
    if hasattr(value, "tolist"):
        return _rounded(value.tolist())
    if isinstance(value, float):
        short = float(f"{value:.9g}")
        return int(short) if short == int(short) and abs(short) < 1e9 else short
    return value


def line(path, text):
    """The line of the engine that is `text` or else contains it, for a figure to show: its code, file and number.

    Raises ValueError where the file has no such line, or several.
    """
    rows = [
        (number, row.strip()) for number, row in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1)
    ]
    found = [row for row in rows if row[1] == text] or [row for row in rows if text in row[1]]
    if len(found) != 1:
        raise ValueError(f"{path}: expected one line with {text!r}, found {len(found)}")
    _shown.add((path.removeprefix("minitorch_cnn/"), found[0][0]))
    return {"code": found[0][1], "path": path.removeprefix("minitorch_cnn/"), "number": found[0][0]}


def page(body, dark=False):
    """A page of its own around figures, opened from a file, for tests and for looking at them."""
    from minitorch_cnn.report.theme import COLOURS, style_variables

    colours = "".join(f"--{name}:{values[1]};" for name, values in COLOURS.items()) if dark else ""
    style = style_variables() + f":root{{{colours}}}" + (FOLDER / "figures.css").read_text(encoding="utf-8")
    names = dict.fromkeys(name for kind in KINDS for name in ("core", *KINDS[kind]))
    code = "".join(f"<script>{(FOLDER / f'{name}.js').read_text(encoding='utf-8')}</script>" for name in names)
    base = (
        "html{font-size:20px}body{font:16px system-ui,sans-serif;background:var(--paper);color:var(--ink);margin:8px}"
    )
    return f'<!DOCTYPE html><meta charset="utf-8"><style>{style}{base}</style>{code}<body>{body}'
