"""Cells: `python exec` blocks are run when the site is built, and their output is shown below them.

The cells of a page share their variables, as in a notebook. If the last line is an expression, its value is shown; a
drawing of `minitorch_cnn.report` appears as a picture. Of a pair of drawings, the first is for wide pages and the
second for narrow ones. The output of a `python exec markdown` block becomes part of the page, without its code. A
`figure` block names an interactive figure (`docs/figures`), for example `microscope digit`. Both may stand in a
comment, so that who reads the Markdown itself is spared them; a picture below the comment is for these readers alone.
A cell that raises an exception ends the build.
"""

import ast
import contextlib
import io
import os
import posixpath
import re
import sys
import tempfile
import warnings
from pathlib import Path

import fences

sys.path.insert(0, str(Path(__file__).parents[1]))
import figures

HIDDEN = re.compile(
    r"^<!-- (?P<info>figure|python exec markdown)\n(?P<body>.*?)^-->\n(?P<picture>!\[[^\]]*\]\(\S+\)\n)?",
    re.MULTILINE | re.DOTALL,
)


def run_all(markdown, where):
    """(`markdown` with the output below each cell, the drawings made); ValueError that names the cell that raised."""
    names, drawings = {"__name__": "__main__"}, []

    def cell(body, line):
        text, shown = run(body, names, f"{where}, the cell at line {line}")
        parts = [fences.block(body, "python")]
        if text.strip():
            parts.append(fences.block(text, "{ .text .output }"))
        if shown is not None:
            parts.append(f'<div class="drawing" id="drawing-{len(drawings)}"></div>')
            drawings.append(shown)
        return "\n\n".join(parts)

    def generator(body, line):
        return run(body, names, f"{where}, the cell at line {line}")[0]

    def figure(body, line):
        source = posixpath.relpath("source/minitorch_cnn", posixpath.dirname(where) or ".")
        drawings.append(figures.html(*body.split()).replace("<div", f'<div data-source="{source}"', 1))
        return f'<div class="drawing" id="drawing-{len(drawings) - 1}"></div>'

    markdown = HIDDEN.sub(lambda found: fences.block(found["body"], found["info"]) + "\n", markdown)
    with tempfile.TemporaryDirectory() as folder, _working_in(folder):  # files written by a cell are deleted
        markdown = fences.replace(markdown, "python exec markdown", generator)
        markdown = fences.replace(markdown, "figure", figure)
        return fences.replace(markdown, "python exec", cell), drawings


def run(source, names, title):
    """(output, the HTML of a drawing or None) of one cell, which is run in the namespace `names`."""
    printed, shown = io.StringIO(), None
    *statements, last = ast.parse(source, title).body or [ast.Pass()]
    value = last.value if isinstance(last, ast.Expr) else None
    tree = ast.Module(statements if value else [*statements, last], type_ignores=[])
    ast.fix_missing_locations(tree)
    try:
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)  # an overflow is a mistake of the page
            exec(compile(tree, title, "exec"), names)
            result = eval(compile(ast.Expression(value), title, "eval"), names) if value else None
            shown = _drawing(result)
            if shown is None and result is not None:
                print(repr(result))
    except Exception as error:
        raise ValueError(f"{title}: {type(error).__name__}: {error}") from error
    return printed.getvalue(), shown


def _drawing(value):
    """The HTML of a drawing, or of a pair of them for wide and for narrow pages; None for any other value."""
    if isinstance(value, tuple) and len(value) == 2 and all(hasattr(part, "_repr_html_") for part in value):
        wide, narrow = (part._repr_html_() for part in value)
        return f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'
    return value._repr_html_() if hasattr(value, "_repr_html_") else None


def place_drawings(html, drawings):
    """`html` with each drawing in the place reserved by its cell."""
    for number, drawing in enumerate(drawings):
        place = f'<div class="drawing" id="drawing-{number}">'
        if place not in html:
            raise ValueError(f"drawing {number} has lost its place")
        html = html.replace(place, place + drawing)
    return html


@contextlib.contextmanager
def _working_in(folder):
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
