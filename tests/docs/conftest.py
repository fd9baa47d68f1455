"""The site, built once for all tests of it, strictly: every cell runs and every link holds, or there is no site."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("mkdocs", "material", "mkdocstrings", "latex2mathml", "jupytext", "nbconvert", "ipykernel")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
sys.path.insert(0, str(ROOT / "docs" / "hooks"))
sys.path.insert(0, str(ROOT / "docs"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Without the extra there is nothing to build the site with, and the tests of the built site say so.

    With it, building takes a while: a campaign, unless SITE names a site that is built.
    """
    mark = pytest.mark.campaign
    if MISSING:
        mark = pytest.mark.skip(f'the site is not built: {", ".join(MISSING)} missing; pip install -e ".[docs]"')
    elif os.environ.get("SITE"):
        return
    for item in items:
        if "site" in getattr(item, "fixturenames", ()):
            item.add_marker(mark)


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the built site: the one that SITE names, or else one that is built now."""
    if os.environ.get("SITE"):
        return Path(os.environ["SITE"]).resolve()
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder
