"""The supported Pythons at hand, oldest first.

    python .ci/pythons.py    prints the path of each but the one that runs this

Each is on the path, or installed by pyenv. A name that pyenv puts on the path may lead nowhere, so each is tried.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SUPPORTED = range(10, 14)  # 3.10 to 3.13


def interpreters():
    """The path of one interpreter for each supported version at hand, or else of the one that runs this."""
    found = [path for minor in SUPPORTED if (path := _interpreter(minor))]
    return found or [sys.executable]


def _interpreter(minor):
    name = f"python3.{minor}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    paths = [shutil.which(name), *map(str, sorted(pyenv.glob(f"*/bin/{name}")))]
    return next((path for path in paths if path and _works(path)), None)


def _works(path):
    return subprocess.run([path, "-c", "import venv, ensurepip"], capture_output=True).returncode == 0


if __name__ == "__main__":
    others = [minor for minor in SUPPORTED if minor != sys.version_info.minor]
    print("\n".join(path for minor in others if (path := _interpreter(minor))))
