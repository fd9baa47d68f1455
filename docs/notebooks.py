"""Every script of `examples/` as a notebook, and those that need no data run from top to bottom.

    python docs/notebooks.py                     runs them; the results go to build/notebooks, the site shows them
    python docs/notebooks.py --plain FOLDER      all of them, not run, to hand out

The scripts are the source: notebooks are made from them and never kept beside them, where they would differ one day.
A notebook's first cell installs the package with one line, which does nothing where it is installed already.
"""

import argparse
import hashlib
import sys
from pathlib import Path

import jupytext
import nbformat

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "build" / "notebooks"
NEED_DATA = ("03_cifar10", "05_cats_vs_dogs", "06_transfer_learning")
INSTALL = "%pip install --quiet {}"
SECONDS = 900  # the longest a cell may take


def scripts():
    """The example scripts in their order."""
    return sorted((ROOT / "examples").glob("[0-9]*.py"))


def notebook(script, package="minitorch_cnn"):
    """The notebook of a script: its cells, and behind the title one that installs `package`."""
    made = jupytext.read(script, fmt="py:percent")
    install = nbformat.v4.new_code_cell(INSTALL.format(package), id="install")
    made.cells.insert(1, install)
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number}"
    made.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "script": hashlib.sha256(script.read_bytes()).hexdigest(),
    }
    made.nbformat, made.nbformat_minor = 4, 5
    nbformat.validate(made)
    return made


def text(made):
    """The notebook as the text of its file."""
    return nbformat.writes(made) + "\n"


def executed(script):
    """The notebook with its outputs, if it was run since the script changed; None otherwise."""
    path = RESULTS / f"{script.stem}.ipynb"
    if not path.is_file():
        return None
    done = nbformat.read(path, as_version=4)
    return done if done.metadata.get("script") == notebook(script).metadata["script"] else None


def execute(script, folder):
    """Run the notebook of a script in `folder`; what it reports on the side, such as progress, is left out."""
    from nbclient import NotebookClient

    made = notebook(script)
    NotebookClient(made, timeout=SECONDS, resources={"metadata": {"path": str(folder)}}).execute()
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            cell.metadata.pop("execution", None)
    made.cells[1].outputs = []  # what pip has to say
    return made


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Make notebooks of the example scripts.")
    parser.add_argument("--plain", type=Path, metavar="FOLDER", help="write all of them there, not run")
    parser.add_argument("--package", default="minitorch_cnn", metavar="NAME",
                        help="what the first cell installs: a name, an address or a wheel")  # fmt: skip
    options = parser.parse_args(arguments)
    folder = options.plain or RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    for script in scripts():
        path = folder / f"{script.stem}.ipynb"
        if options.plain:
            path.write_text(text(notebook(script, options.package)), encoding="utf-8")
        elif script.stem in NEED_DATA:
            print(f"{script.stem}: needs data, left out")
            continue
        elif executed(script) is None:
            path.write_text(text(execute(script, folder)), encoding="utf-8")
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
