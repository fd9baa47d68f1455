"""Pages: a template is filled in, includes everything it needs, and is written to disk as a whole."""

import base64
import hashlib
import os
from pathlib import Path
from typing import Any

from minitorch_cnn.errors import CheckpointError, require
from minitorch_cnn.files.printable import PAGE, printable
from minitorch_cnn.files.replacing import replacing
from minitorch_cnn.report.svg import Drawing
from minitorch_cnn.report.theme import style_variables

HERE = Path(__file__).parent


def render(template: str, *, live: bool = False, **values: Any) -> str:
    """A template of this folder, filled in with `values`, as HTML.

    Arguments: `template` is a file name, for example `"run.html"`; `live` embeds `live.js` and allows this one script
    to run; `values` must contain every name that the template uses. Values are escaped unless they are a `Drawing`, so
    any other string appears in the page as text, in which control characters are visible as `\\x1b`.

    Raises MissingPackage when Jinja2 is not installed.
    """
    jinja2 = require("jinja2", "writing a report")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        finalize=_visible,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The style sheet is part of the package and contains no data, so it can be included without escaping.
    style = Drawing(style_variables() + (HERE / "style.css").read_text(encoding="utf-8"))
    script = Drawing((HERE / "live.js").read_text(encoding="utf-8")) if live else None
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() if script else ""
    return environment.get_template(template).render(style=style, script=script, script_digest=digest, **values)


def _visible(value):
    return printable(value, PAGE) if isinstance(value, str) and not hasattr(value, "__html__") else value


def write_page(html: str, path: str | Path) -> Path:
    """Writes a page to `path` and returns the path.

    The page goes into a new file that is then renamed, so a reader never sees half of it. Missing folders are created
    and an older page is replaced. Raises CheckpointError when the page cannot be written; an older page is then
    unchanged.
    """
    path = Path(os.path.expanduser(path))
    if not path.name or path.is_dir():
        raise CheckpointError(f"report: expected the name of a file to write, got the folder {path}")
    try:
        with replacing(path) as file:
            file.write(html.encode("utf-8"))
    except ValueError as error:  # a zero byte in the path
        raise CheckpointError(f"report: {path}: cannot be written ({error})") from None
    return path
