"""Public module names: `minitorch_cnn.layers` stands in the room `engine`, and is importable by either name.

    import minitorch_cnn.layers as layers               the short name, which users type
    import minitorch_cnn.engine.layers as layers        the place where it is read; the same module

A finder at the head of Python's list gives the module itself for the short name, so there is never a second copy.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
from types import ModuleType
from typing import Any

PACKAGE = __name__.rpartition(".")[0]
PLACES = {
    "activations": "engine.activations",
    "convolution": "engine.convolution",
    "initializers": "engine.initializers",
    "layers": "engine.layers",
    "losses": "engine.losses",
    "metrics": "engine.metrics",
    "optimizers": "engine.optimizers",
    "schedules": "engine.schedules",
    "callbacks": "training.callbacks",
    "checkpoint": "training.checkpoint",
    "features": "training.features",
    "preprocessing": "datasets.preprocessing",
    "grad_cam": "gradients.grad_cam",
    "weight_files": "models.weight_files",
}


class ShortNames(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `minitorch_cnn.NAME...` for the names in `PLACES`."""

    def find_spec(self, fullname: str, path=None, target=None) -> importlib.machinery.ModuleSpec | None:
        """A spec whose module is the one in the room, or None for any other name."""
        package, _, rest = fullname.partition(".")
        first, _, inner = rest.partition(".")
        if package != PACKAGE or first not in PLACES:
            return None
        place = f"{PACKAGE}.{PLACES[first]}" + (f".{inner}" if inner else "")
        return importlib.machinery.ModuleSpec(fullname, self, loader_state=place)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """The module of the room."""
        module = importlib.import_module(spec.loader_state)
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """The module has run already. Python has just given it the short name's spec; it gets its own back."""
        spec: Any = module.__spec__
        module.__spec__ = spec.loader_state


def install() -> None:
    """Make the short names importable."""
    if not any(isinstance(finder, ShortNames) for finder in sys.meta_path):
        sys.meta_path.insert(0, ShortNames())
