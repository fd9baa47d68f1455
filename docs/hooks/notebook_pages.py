"""A page and a notebook for every script of `examples/`.

The pages take the results from `build/notebooks`. Those that need no data are run if they are not there yet, which
takes a minute or two; `python docs/notebooks.py --data DIR` runs the others, whose pages otherwise show only the code
and say so.
"""

import logging
import sys

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

NEEDS = {
    "03_cifar10": "CIFAR-10",
    "05_cats_vs_dogs": "photos of cats and dogs",
    "06_transfer_learning": "VGG16's weights and photos of cats and dogs",
}
LOG = logging.getLogger("mkdocs.plugins.notebooks")


def make(root, config):
    """The pages and notebooks as files of the site."""
    sys.path.insert(0, str(root / "docs"))
    try:
        import notebooks
    finally:
        sys.path.pop(0)
    from nbconvert import MarkdownExporter

    made = []
    for script in notebooks.scripts():
        plain = notebooks.notebook(script, config.extra.get("notebooks_install"))
        done = notebooks.executed(script)
        if done is None and script.stem not in notebooks.NEED_DATA:
            LOG.info("running examples/%s for its page, once", script.name)
            try:
                notebooks.run(script)
            except Exception as error:
                raise PluginError(f"examples/{script.name}: {type(error).__name__}: {error}") from error
            done = notebooks.executed(script)
        body, resources = MarkdownExporter().from_notebook_node(done or plain)
        made += [
            File.generated(config, f"notebooks/{script.stem}.md", content=_page(script, body, done)),
            File.generated(config, f"notebooks/{script.stem}.ipynb", content=notebooks.text(plain)),
        ]
        for name, data in resources.get("outputs", {}).items():
            made.append(File.generated(config, f"notebooks/{name}", content=data))
    return made


def _page(script, body, done):
    name = script.stem
    source = f"[the script](../../examples/{script.name})"
    if done is None:
        state = f"It needs {NEEDS[name]}, so it was not run for this page."
    else:
        words = done.metadata.get("arguments", "")
        state = f"It was run for this page{f', as `{script.name} {words}`' if words else ''}."
    title, rest = body.lstrip().split("\n", 1)
    return f"{title}\n\n{state} [The notebook]({name}.ipynb), and {source} it is made from.\n{rest}"
