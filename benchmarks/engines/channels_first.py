"""The same network for engines that keep images as (N, C, H, W): how weights and gradients are turned, both ways."""

import numpy as np


class ChannelsFirst:
    """Turns the arrays of a problem; dense kernels become (in, out) with the inputs in the order channels first."""

    def __init__(self, problem):
        self.flattened = {}  # {name of the dense layer after a Flatten: (H, W, C) before it}
        shape = problem.x.shape[1:]
        before = None
        for layer in problem.layers:
            if layer["class"] == "Flatten":
                before = tuple(shape)
            if layer["class"] == "Dense" and before is not None:
                self.flattened[layer["name"]], before = before, None
            shape = problem.shapes[layer["name"]]

    def turn(self, name, array):
        """The weight called `name` ("conv2d_1/kernel"): convolution kernels as (K, C, KH, KW)."""
        if array.ndim == 4:
            return np.ascontiguousarray(array.transpose(3, 2, 0, 1))
        H, W, C = self._shape_before(name, array)
        return np.ascontiguousarray(array.reshape(H, W, C, -1).transpose(2, 0, 1, 3)).reshape(array.shape)

    def turn_back(self, name, array):
        """The inverse of `turn`."""
        if array.ndim == 4:
            return array.transpose(2, 3, 1, 0)
        H, W, C = self._shape_before(name, array)
        return array.reshape(C, H, W, -1).transpose(1, 2, 0, 3).reshape(array.shape)

    def _shape_before(self, name, array):
        layer, _, parameter = name.rpartition("/")
        return self.flattened.get(layer, (1, 1, len(array))) if parameter == "kernel" else (1, 1, len(array))


def images(array):
    """(N, H, W, C) as (N, C, H, W)."""
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2)) if array.ndim == 4 else array


def images_back(array):
    """(N, C, H, W) as (N, H, W, C)."""
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def side(layer):
    """Pixels of padding on each side, (rows, columns), of a convolution with an odd kernel at stride 1."""
    if layer["padding"] == "valid":
        return 0, 0
    if layer["padding"] == "same" and tuple(layer["strides"]) == (1, 1):
        return tuple(size // 2 for size in layer["kernel_size"])
    raise ValueError(f"{layer['name']}: this comparison knows only valid, and same at stride 1")
