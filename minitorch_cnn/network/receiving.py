"""What goes into a network, and where it computes: images in the model's dtype, on the model's device."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from minitorch_cnn.arguments import as_array
from minitorch_cnn.arrays import Array, is_array, library, library_name, moved, namespace
from minitorch_cnn.datasets.preprocessing import are_pixels, warn_of_pixels
from minitorch_cnn.errors import ArgumentError, ShapeError


class Receiving:
    """The part of a `Model` that takes in arrays."""

    backend: str

    def to(self: Any, backend: str) -> Any:
        """Move the model to "cupy" (an NVIDIA GPU) or "numpy" (the host); returns the model.

        From then on it computes there, and images are sent there batch by batch. The weights keep their exact values;
        those not drawn yet are drawn on the host. An optimizer in use moves its state at its next step. Raises
        BackendError, which says what to install, if there is no CuPy or no GPU.
        """
        xp = library(backend)
        self.backend, self.prediction = backend, None
        if self.input_shape is not None:
            self.vector.move(xp)
        return self

    @property
    def xp(self) -> ModuleType:
        """The array library that the model computes with: NumPy or CuPy."""
        return library(self.backend)

    def receive(self: Any, x: Any) -> Any:
        """The input in the model's dtype: integer pixels go through the preprocessing, floats stay as they are.

        For several inputs x is a list of arrays, and so is the result.
        """
        if self.inputs == 1:
            return self._receive(x, self.input_shape, self.layers[0].name)
        if not isinstance(x, (list, tuple)) or len(x) != self.inputs:
            got = f"a list of {len(x)}" if isinstance(x, (list, tuple)) else type(x).__name__
            raise ShapeError(f"expected a list of {self.inputs} arrays, one for each input, got {got}")
        arrays = [
            self._receive(each, shape, f"input {number + 1}, which {self._reader(number)} reads")
            for number, (each, shape) in enumerate(zip(x, self.input_shape))
        ]
        if len({len(array) for array in arrays}) > 1:
            raise ShapeError(f"expected as many images for each input, got {[len(array) for array in arrays]}")
        return arrays

    def receive_all(self: Any, x: Any) -> list[Array]:
        """As `receive`, always as a list with an array for each input."""
        received = self.receive(x)
        return [received] if self.inputs == 1 else received

    def _reader(self: Any, number: int) -> str:
        """The name of the first layer that reads an input."""
        return next((node.layer.name for node in self._nodes if number in node.inputs), "no layer")

    def _receive(self: Any, x: Any, shape: tuple | None, first: str) -> Array:
        """An array for one input; `first` is how messages call it."""
        x = self._here(x)
        if shape is None:
            self.build(x.shape[1:])
            shape = self.input_shape
        if tuple(x.shape[1:]) != shape:
            wanted = ", ".join(map(str, shape or ()))
            one = "; a single one is x[None]" if tuple(x.shape) == shape else ""
            raise ShapeError(f"{first}: expected input of shape (N, {wanted}), got {tuple(x.shape)}{one}")
        if len(x) == 0:
            raise ShapeError(f"{first}: expected at least one image, got none")
        if self.preprocessing is not None and are_pixels(x):
            return self.preprocessing(x, self.dtype)
        if self.preprocessing is not None and isinstance(x, np.ndarray):
            warn_of_pixels(x)
        if x.dtype.kind not in "fiub":
            raise ArgumentError(f"{first}: expected input of real numbers, got dtype {x.dtype}")
        return x.astype(self.dtype, copy=False)

    def _here(self: Any, x: Any) -> Array:
        """An array or list on the model's device; ArgumentError if it is on a GPU and the model is on the host."""
        there = library_name(namespace(x)) if is_array(x) else "numpy"
        if there != self.backend and self.backend == "numpy":
            raise ArgumentError(f'the model is on the host, but got an array of {there}; move it: model.to("{there}")')
        if there != self.backend and getattr(x, "dtype", None) == np.float64:
            x = x.astype(self.dtype, copy=False)  # halves the bytes to send
        return moved(as_array(x, "input"), self.xp)
