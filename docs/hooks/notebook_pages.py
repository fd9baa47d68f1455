"""A page and a notebook for every script of `examples/`.

`python docs/notebooks.py` runs them (with `--data`, also those that need data) and stores the results in
`build/notebooks`, from where the pages take them. If they were not run, the pages show only the code and say so.
"""

import sys

from mkdocs.structure.files import File

NEEDS = {
    "03_cifar10": "CIFAR-10",
    "05_cats_vs_dogs": "photos of cats and dogs",
    "06_transfer_learning": "VGG16's weights and photos of cats and dogs",
}


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
        plain = notebooks.notebook(script, config.extra.get("notebooks_install", "minitorch_cnn"))
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
    state = "It was not run for this page, so the outputs are missing."
    if done is not None:
        words = done.metadata.get("arguments", "")
        state = f"It was run for this page{f', as `{script.name} {words}`' if words else ''}."
    elif name in NEEDS:
        state = f"It needs {NEEDS[name]}, so it was not run for this page."
    title, rest = body.lstrip().split("\n", 1)
    return f"{title}\n\n{state} [The notebook]({name}.ipynb), and {source} it is made from.\n{rest}"
