"""Pages: a template filled in, with everything it needs inside, and written in one go."""

from pathlib import Path

from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.replacing import replacing
from minitorch_cnn.report.svg import Drawing
from minitorch_cnn.report.theme import style_variables

HERE = Path(__file__).parent


def render(template, **values):
    """A template of this folder as HTML.

    Autoescape is on and every name must be given: what is not a `Drawing` arrives in the page as text.

    Args:
        template: a file name, as in `"run.html"`.
        values: what the template speaks of.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The style sheet is ours and holds no data, so it may go in unescaped.
    style = Drawing(style_variables() + (HERE / "style.css").read_text(encoding="utf-8"))
    return environment.get_template(template).render(style=style, **values)


def write_page(html, path):
    """Write a page so that a reader never sees half of it: a new file first, then one rename.

    Args:
        html: the page.
        path: where; missing folders are made, an older page is replaced.

    Returns:
        The path, as a `Path`.

    Raises:
        CheckpointError: the folder or the file cannot be written. An older page is then still whole.
    """
    path = Path(path)
    if not path.name or path.is_dir():
        raise CheckpointError(f"report: expected the name of a file to write, got the folder {path}")
    with replacing(path) as file:
        # File names may hold bytes that are no text (surrogates); a question mark is better than no page.
        file.write(html.encode("utf-8", "replace"))
    return path
