"""What the package declares is what it uses: every import, the version in all its places, the links of the pages."""

import ast
import re
import sys
from pathlib import Path

import pytest

import minitorch_cnn

tomllib = pytest.importorskip("tomllib", reason="tomllib comes with Python 3.11")

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# Where the name to install is another than the name to import.
INSTALLED = {
    "PIL": "pillow",
    "material": "mkdocs-material",
    "tensorflow": "tensorflow-cpu",
    "cupy": "cupy-cuda12x",
    "cupyx": "cupy-cuda12x",
}


def declared(*groups):
    """The packages that pyproject.toml lists, in lower case: what is always installed, and those extras."""
    project = PROJECT["project"]
    lines = [*project["dependencies"], *(line for group in groups for line in project["optional-dependencies"][group])]
    return {re.match(r"[\w.-]+", line)[0].lower() for line in lines}


def imported(path):
    """Top-level names that a file imports, by an import statement or by `require`, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require":
            found.update(word.value for word in node.args[:1] if isinstance(word, ast.Constant))
    return {name.partition(".")[0] for name in found}


def strangers(paths):
    """{package to install: a file that imports it} of what is neither Python's own nor this project's."""
    files = [path for folder in ("tests", "docs", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    own = {name for path in files for name in (path.stem, path.parent.name)}
    found = {}
    for path in paths:
        for name in imported(path) - sys.stdlib_module_names - own - {"minitorch_cnn"}:
            found.setdefault(INSTALLED.get(name, name).lower().replace("_", "-"), str(path.relative_to(ROOT)))
    return found


def test_every_import_of_the_package_is_declared():
    package = ROOT / "minitorch_cnn"
    names = {path.stem for path in package.rglob("*.py")}  # the exercises import each other by their bare names
    found = strangers(package.rglob("*.py"))
    extras = PROJECT["project"]["optional-dependencies"].keys() - {"test", "docs", "benchmark"}
    missing = {name: path for name, path in found.items() if name not in declared(*extras)}
    assert {name: path for name, path in missing.items() if name not in names} == {}
    assert {
        "requests",
        "urllib3",
        "filelock",
        "llvmlite",
    } <= found.keys()  # they are looked for where they are imported
    assert declared() <= found.keys()  # and nothing is installed that is not used


def test_every_import_of_tests_documentation_and_benchmarks_is_declared():
    paths = [path for folder in ("tests", "docs", "benchmarks", "examples") for path in (ROOT / folder).rglob("*.py")]
    known = declared(*PROJECT["project"]["optional-dependencies"])
    known |= {re.match(r"[\w.-]+", line)[0] for line in PROJECT["dependency-groups"]["keras"]}
    missing = {name: path for name, path in strangers(paths).items() if name not in known}
    assert missing == {}


def test_one_version_everywhere():
    version = PROJECT["project"]["version"]
    assert minitorch_cnn.__version__ == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## {re.escape(version)}\b", changes, re.MULTILINE)


def test_the_linter_of_commits_is_that_of_the_checks():
    (ruff,) = (line for line in PROJECT["dependency-groups"]["lint"] if line.startswith("ruff"))
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert hooks.count("additional_dependencies") == hooks.count(f'additional_dependencies: ["{ruff}"]') == 2


def test_the_workflow_runs_the_pythons_that_the_classifiers_name():
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    workflow = (ROOT / ".github" / "workflows" / "checks.yml").read_text(encoding="utf-8")
    (listed,) = re.findall(r"python: \[(.*)\]", workflow)
    assert [word.strip(' "') for word in listed.split(",")] == named
    assert named[0] == PROJECT["project"]["requires-python"].removeprefix(">=")


def test_contributing_names_files_that_are_there():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\((?!https?:)([^)#]+)", page)
    assert len(linked) >= 10
    assert [path for path in linked if not (ROOT / path).exists()] == []
