"""The stored charts are those of the stored tables, and can be read on light and on dark screens."""

import pathlib
import re
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from minitorch_cnn.report.theme import COLOURS

FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"
STORED = sorted((FOLDER / "results").glob("*.svg"))


def test_the_charts_are_those_of_the_tables(tmp_path):
    for table in (FOLDER / "results").glob("*.csv"):
        shutil.copy(table, tmp_path)
    command = [sys.executable, str(FOLDER / "redraw.py"), "--results", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    assert [path.name for path in sorted(tmp_path.glob("*.svg"))] == [path.name for path in STORED] != []
    for path in STORED:
        assert (tmp_path / path.name).read_text() == path.read_text(), f"{path.name}: python benchmarks/redraw.py"


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_every_colour_of_a_chart_has_one_for_dark_screens(path):
    dark = dict(COLOURS.values())
    tree = ElementTree.parse(path)
    rules = tree.find("{http://www.w3.org/2000/svg}style").text
    assert rules.startswith("@media(prefers-color-scheme:dark){")
    used = {(what, node.get(what)) for node in tree.iter() for what in ("fill", "stroke") if node.get(what)}
    used -= {("fill", "none")}
    assert ("fill", COLOURS["paper"][0]) in used and len(used) > 4
    for what, light in used:
        assert re.search(rf'\[{what}="{light}"\]{{{what}:{dark[light]}}}', rules), (what, light)
