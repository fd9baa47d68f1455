"""The reference has every public name, each with a docstring. It is built by itself: no cell is needed for it."""

import importlib
import inspect
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import minitorch_cnn
from minitorch_cnn import names

pytest.importorskip("mkdocstrings", reason='no reference without pip install -e ".[docs]"')

ROOT = Path(__file__).parents[2]
HOOK = """
import sys
sys.path.insert(0, {hooks!r})
import reference_pages
def on_files(files, config):
    for file in reference_pages.make(config):
        files.append(file)
    return files
"""


def offered():
    """{module: its public names}, from the package's `__all__` and its table of short names."""
    modules = {minitorch_cnn.__name__: minitorch_cnn}
    for name in {*minitorch_cnn.__all__, *names.PLACES, "errors"}:
        if inspect.ismodule(getattr(minitorch_cnn, name, None)) or name in names.PLACES or name == "errors":
            modules[f"minitorch_cnn.{name}"] = importlib.import_module(f"minitorch_cnn.{name}")
    found = {}
    for title, module in modules.items():
        listed = getattr(module, "__all__", None) or [
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and inspect.getmodule(value) is module and callable(value)
        ]
        found[title] = {name for name in listed if not inspect.ismodule(getattr(module, name))}
    return found


class Headings(HTMLParser):
    """`names`: the headings of what mkdocstrings wrote out; `empty`: those after which no docstring stands."""

    def __init__(self, html):
        super().__init__()
        self.names, self.empty, self._name, self._deep = [], [], None, False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        kinds = (dict(attributes).get("class") or "").split()
        if tag == "h2" and "doc-heading" in kinds:
            self._name = ""
        elif tag == "div" and "doc-contents" in kinds and "first" in kinds:
            self._deep = True
        elif self._deep:
            if tag != "p":
                self.empty.append(self.names[-1])
            self._deep = False

    def handle_data(self, data):
        if self._name is not None:
            self._name += data

    def handle_endtag(self, tag):
        if tag == "h2" and self._name is not None:
            self.names.append(self._name.strip().split()[0])
            self._name = None


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    (folder / "docs").mkdir()
    (folder / "docs" / "index.md").write_text("# Index\n")
    (folder / "hook.py").write_text(HOOK.format(hooks=str(ROOT / "docs" / "hooks")))
    settings = "docs_dir: docs\nsite_dir: site\nhooks: [hook.py]\nextra_css: []\nwatch: []\nnav: [index.md]\n"
    (folder / "mkdocs.yml").write_text(f"INHERIT: {ROOT / 'mkdocs.yml'}\n{settings}not_in_nav: '*'\n")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site" / "reference"


def test_every_public_name_has_its_entry_and_no_other(reference):
    for title, listed in offered().items():
        found = Headings((reference / f"{title}.html").read_text(encoding="utf-8"))
        assert sorted(found.names) == sorted(f"{title}.{name}" for name in listed), title
        values = {name: getattr(importlib.import_module(title), name.rpartition(".")[2]) for name in found.empty}
        ours = [name for name, value in values.items() if getattr(value, "__module__", "").startswith("minitorch_cnn")]
        assert ours == [], f"{title}: no docstring"
    assert len(list(reference.glob("minitorch_cnn*.html"))) == len(offered())


def test_the_index_leads_to_every_module(reference):
    index = (reference / "index.html").read_text(encoding="utf-8")
    for title in offered():
        assert f'href="{title}.html"' in index, title


def test_what_users_type_most_is_there():
    found = offered()
    for title, name in (
        ("", "Sequential"),
        (".layers", "Conv2D"),
        (".losses", "CrossEntropy"),
        (".optimizers", "Adam"),
    ):
        assert name in found["minitorch_cnn" + title]
