"""Every script of `examples/` as a notebook, run from top to bottom.

    python docs/notebooks.py                          runs those that need no data; results go to build/notebooks
    python docs/notebooks.py --data DIR --quick       runs the others too, on a few photos
    python docs/notebooks.py --data DIR               runs the others in full: more than an hour
    python docs/notebooks.py --plain FOLDER           writes all of them without running them, to hand out
    python docs/notebooks.py --plain FOLDER --wheel   places the package of this repository beside them

The site shows the results. The scripts are the source: notebooks are made from them and never stored beside them,
because the two would soon differ. Below the title a notebook says how the package is installed, or with `--package` or
`--wheel` it installs it: a line that does nothing if it is installed already.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat

from minitorch_cnn.errors import DataError, UserError

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "build" / "notebooks"
PHOTOS, WEIGHTS = "cats_and_dogs", "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
NEED_DATA = {  # script: (its arguments in DIR, the options of a quick look)
    "03_cifar10": (("cifar-10-batches-bin",), ("--epochs", "1", "--images", "5000")),
    "05_cats_vs_dogs": ((PHOTOS,), ("--epochs", "1", "--images", "200")),
    "06_transfer_learning": (
        (WEIGHTS, PHOTOS),
        ("--size", "150", "--images", "200", "--top-epochs", "10", "--all-epochs", "0"),
    ),
}
INSTALL = "%pip install --quiet {}"
BY_HAND = """\
This needs the package, which no package index has yet. In your copy of the repository, `pip install -e .` installs it.
Where there is no copy, as on Colab, `%pip install git+ADDRESS` in a cell does, with the address that the repository can
be cloned from."""


def scripts():
    """The example scripts in their order."""
    return sorted((ROOT / "examples").glob("[0-9]*.py"))


def notebook(script, package=None):
    """The notebook of a script: its cells, and after the title one that installs `package`, or that says how."""
    made = jupytext.read(script, fmt="py:percent")
    installs = nbformat.v4.new_code_cell(INSTALL.format(package)) if package else nbformat.v4.new_markdown_cell(BY_HAND)
    made.cells.insert(1, installs)
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


def command_line(script, data=None, quick=False):
    """The arguments that a script is run with; UserError if something it needs is missing from `data`."""
    places, less = NEED_DATA.get(script.stem, ((), ()))
    paths = [Path(data or "", place).resolve() for place in places]
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: not found; examples/{script.name} needs it")
    return [*map(str, paths), *(less if quick else ())]


def execute(script, words=()):
    """Run the notebook of a script in a temporary folder, with `words` as its command-line arguments.

    Its standard error, such as progress bars, is left out.
    """
    from nbclient import NotebookClient

    made = notebook(script)
    given = nbformat.v4.new_code_cell(f"import sys\n\nsys.argv = {[script.name, *words]!r}")
    made.cells.insert(0, given)
    with tempfile.TemporaryDirectory() as folder:
        quiet, place = ["--log-level=ERROR"], {"metadata": {"path": folder}}
        NotebookClient(made, timeout=None, resources=place, extra_arguments=quiet).execute()
    made.cells.remove(given)
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            cell.metadata.pop("execution", None)
    made.metadata["arguments"] = shown(words)
    return made


def run(script, data=None, quick=False):
    """Run the notebook of a script and store it, unless it was stored with the same arguments; returns its file."""
    words, path = command_line(script, data, quick), RESULTS / f"{script.stem}.ipynb"
    done = executed(script)
    if done is None or done.metadata.get("arguments") != shown(words):
        made = text(execute(script, words))
        RESULTS.mkdir(parents=True, exist_ok=True)
        path.write_text(made, encoding="utf-8")
    return path


def shown(words):
    """The arguments as a page shows them, without the folders of this machine."""
    return " ".join(Path(word).name if Path(word).is_absolute() else word for word in words)


def build_wheel(folder):
    """Build the package as one file in `folder`, which pip can install without an index; returns its name."""
    with tempfile.TemporaryDirectory() as copy:  # building leaves files behind
        shutil.copytree(ROOT / "minitorch_cnn", Path(copy) / "minitorch_cnn")
        for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, copy)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), copy]
        done = subprocess.run(command, capture_output=True, text=True)
    made = sorted(folder.glob("minitorch_cnn-*.whl"), key=lambda path: path.stat().st_mtime)
    if done.returncode or not made:
        raise DataError(f"{folder}: pip could not build the package there: {' '.join(done.stderr.split())[-300:]}")
    return made[-1].name


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Make notebooks of the example scripts.")
    parser.add_argument("--plain", type=Path, metavar="FOLDER", help="write all of them there without running them")
    parser.add_argument("--package", metavar="NAME",
                        help="what a cell installs: git+ADDRESS, a wheel or a name (none: words say how)")  # fmt: skip
    parser.add_argument(
        "--wheel", action="store_true", help="build the package into FOLDER; the first cell installs it"
    )
    parser.add_argument("--data", type=Path, metavar="DIR",
                        help=f"where cifar-10-batches-bin, {PHOTOS} and {WEIGHTS} are")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="use only a little of the data")
    options = parser.parse_args(arguments)
    if options.wheel and not options.plain:
        parser.error("--wheel: expected --plain FOLDER, where it goes")
    folder = options.plain or RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    try:
        package = build_wheel(folder) if options.wheel else options.package
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    for script in scripts():
        path = folder / f"{script.stem}.ipynb"
        if options.plain:
            path.write_text(text(notebook(script, package)), encoding="utf-8")
        elif script.stem in NEED_DATA and options.data is None:
            print(f"{script.stem}: left out, because it needs data")
            continue
        else:
            try:
                run(script, options.data, options.quick)
            except UserError as error:
                print(error, file=sys.stderr)
                return 2
        print(path, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
