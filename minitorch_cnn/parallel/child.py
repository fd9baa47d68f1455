"""Runs a module of this package in a second Python process.

`python -m` looks for every module in the current folder first, so a file of the user's that is called random.py or
numpy.py would be taken for Python's own.
"""

import sys
from pathlib import Path

_PACKAGE = Path(__file__).absolute().parents[1] / "__init__.py"

# The package is loaded from its place, so no other copy of it that is installed can be taken for it either.
_RUN = """
import sys
if not sys.path[0]:
    del sys.path[0]  # the current folder
import runpy
from importlib import util
place, module, *arguments = sys.argv[1:]
specification = util.spec_from_file_location("minitorch_cnn", place)
sys.modules["minitorch_cnn"] = util.module_from_spec(specification)
specification.loader.exec_module(sys.modules["minitorch_cnn"])
sys.argv[1:] = arguments
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def command_of(module: str, *arguments: str) -> list[str]:
    """The command that runs `module` like `python -m`, but does not look for modules in the current folder."""
    return [sys.executable, "-c", _RUN, str(_PACKAGE), module, *arguments]
