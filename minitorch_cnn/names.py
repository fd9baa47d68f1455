"""Public module names: `minitorch_cnn.layers` is a short name for `minitorch_cnn.engine.layers`.

    import minitorch_cnn.layers as layers               the short name, which users type
    import minitorch_cnn.engine.layers as layers        the same module, named after its file

A finder at the front of Python's list returns the same module for both names, so it is never loaded twice.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
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
    "backend": "arrays",
    "sequential": "network.sequential",
    "callbacks": "training.callbacks",
    "checkpoint": "training.checkpoint",
    "features": "training.features",
    "preprocessing": "datasets.preprocessing",
    "grad_cam": "gradients.grad_cam",
    "weight_files": "models.weight_files",
}


class ShortNames(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `minitorch_cnn.NAME...` for the names in `PLACES`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """A spec that leads to the module itself, or None if `fullname` is not a short name."""
        package, _, rest = fullname.partition(".")
        first, _, inner = rest.partition(".")
        if package != PACKAGE or first not in PLACES:
            return None
        place = f"{PACKAGE}.{PLACES[first]}" + (f".{inner}" if inner else "")
        return importlib.machinery.ModuleSpec(fullname, self, loader_state=place)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Import the module by its long name and return it."""
        module = importlib.import_module(spec.loader_state)
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own spec back, because Python has just replaced it; its code has run already."""
        spec: Any = module.__spec__
        module.__spec__ = spec.loader_state


def install() -> None:
    """Make the short names importable."""
    if not any(isinstance(finder, ShortNames) for finder in sys.meta_path):
        sys.meta_path.insert(0, ShortNames())
