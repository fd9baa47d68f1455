"""The reference: a page for every public module, with the signature and docstring of each public name in it.

A module is public if `minitorch_cnn` or its table of short names offers it; its names are those of its `__all__` or,
where it has none, the classes and functions that it defines. mkdocstrings writes them out.
"""

import importlib
import inspect

from mkdocs.structure.files import File

import minitorch_cnn
from minitorch_cnn.names import PLACES

PACKAGE = "minitorch_cnn"
FOLDER = "reference"


def public_modules():
    """{name that users type: module} of every public module, the package itself first."""
    offered = {name for name in minitorch_cnn.__all__ if inspect.ismodule(getattr(minitorch_cnn, name))}
    short = [f"{PACKAGE}.{name}" for name in sorted(offered | set(PLACES) | {"errors"})]
    return {name: importlib.import_module(name) for name in [PACKAGE, *short]}


def public_names(module):
    """{name: class, function or constant} of what a module offers."""
    names = getattr(module, "__all__", None)
    if names is None:
        own = {name: value for name, value in vars(module).items() if hasattr(value, "__qualname__") and name[0] != "_"}
        names = [name for name, value in own.items() if value.__module__ == module.__name__]
    found = {name: getattr(module, name) for name in names}
    return {name: value for name, value in found.items() if not inspect.ismodule(value)}


def make(config):
    """The pages as files of the site, and their index."""
    pages, rows = [], []
    for title, module in public_modules().items():
        names = public_names(module)
        first = (inspect.getdoc(module) or "").strip().partition("\n")[0]
        rows.append(f"| [`{title}`]({title}.md) | {first} |")
        blocks = [_block(f"{title}.{name}", value, f"{module.__name__}.{name}") for name, value in names.items()]
        text = f"# `{title}`\n\n{inspect.getdoc(module)}\n\n" + "\n".join(blocks)
        pages.append(File.generated(config, f"{FOLDER}/{title}.md", content=text))
    text = "# Reference\n\nWhat does each public name take, return and refuse?\n\n| module | what it is |\n|---|---|\n"
    pages.append(File.generated(config, f"{FOLDER}/index.md", content=text + "\n".join(rows) + "\n"))
    return pages


def _block(name, value, place):
    """The entry of a public name; `place` is where a constant, which does not know its own module, is found."""
    value = inspect.unwrap(value) if callable(value) else value
    if hasattr(value, "__qualname__") and value.__module__.startswith(PACKAGE):
        place = f"{value.__module__}.{value.__qualname__}"
    return f"::: {place}\n    options:\n      heading: {name}\n      toc_label: {name}\n"
