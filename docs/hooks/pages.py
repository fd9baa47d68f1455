"""The hooks through which MkDocs turns `docs/` into the site: quoted code, cells that are run, checked links.

    on_files          pages for the files of the repository that are linked, notebooks, the colours of the drawings
    on_page_markdown  `python source` and `python exec` blocks, links that leave docs/
    on_page_content   formulas as MathML, drawings and charts in their places
    on_post_build     every link and anchor of the built pages

A name that is not in the source, a cell that raises an exception, a formula that cannot be read, and a link that leads
nowhere each end the build with one line that says where.
"""

import posixpath
from pathlib import Path

import cells
import figures
import formulas
import inline_charts
import notebook_pages
import reference_pages
import source_code
from link_check import broken_links
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from repository import Repository

from minitorch_cnn.report.theme import COLOURS

ROOT = Path(__file__).parents[2]
COLOURS_FILE = "style/colours.css"
WIDE = ("index.md", "parallel.md")
repository = None  # of the build at hand
drawings = {}  # page -> the drawings its cells made


def on_config(config):
    config.extra_css.append(COLOURS_FILE)
    return config


def on_files(files, config):
    global repository
    drawings.clear()
    files.append(File.generated(config, COLOURS_FILE, content=colour_rules()))
    repository = Repository(ROOT)
    for file in [*notebook_pages.make(ROOT, config), *reference_pages.make(config)]:
        files.append(file)
    written = {file.src_uri: file.content_string for file in files.documentation_pages()}
    for file in repository.files_for(written, config):
        files.append(file)
    return files


def on_page_markdown(markdown, page, config, files):
    where = page.file.src_uri
    if where.startswith("tour/") or where in WIDE:
        page.meta["hide"] = ["toc"]  # a line of the code, a figure or a table is as wide as the page
    try:
        if not repository.is_quoted(where):
            markdown, drawings[where] = cells.run_all(markdown, where)
            markdown = source_code.insert(markdown, where, repository)
        return repository.rewrite_links(markdown, where)
    except ValueError as error:
        raise PluginError(f"{where}: {error}") from error


def on_page_content(html, page, config, files):
    try:
        made = drawings.get(page.file.src_uri, [])
        html = cells.place_drawings(formulas.to_mathml(html), made)
        html = inline_charts.insert(html, page.file.src_uri, repository)
        return html + figures.scripts(made, posixpath.relpath("figures", posixpath.dirname(page.file.src_uri) or "."))
    except ValueError as error:
        raise PluginError(f"{page.file.src_uri}: {error}") from error


def on_post_build(config):
    site = Path(config.site_dir)
    broken = [*broken_links(site), *figures_without_source(site)]
    if broken:
        raise PluginError("links that lead nowhere:\n" + "\n".join(f"  {line}" for line in broken))


def figures_without_source(site):
    """One line for every line of the engine that a figure links to and that has no page."""
    for path, number in figures.lines_shown():
        page = site / "source" / "minitorch_cnn" / f"{path}.html"
        if not page.is_file() or f'"__codelineno-0-{number}"' not in page.read_text(encoding="utf-8"):
            yield f"a figure links to line {number} of {path}"


def colour_rules():
    """The colours of the package's drawings for the two schemes of the site."""
    rules = []
    for place, scheme in enumerate(("default", "slate")):
        variables = "".join(f"--{name}:{values[place]};" for name, values in COLOURS.items())
        rules.append(f'[data-md-color-scheme="{scheme}"]{{{variables}}}\n')
    return "".join(rules)
