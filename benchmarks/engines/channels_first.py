"""For engines that store images as (N, C, H, W): converts weights to that layout, and gradients back."""

import numpy as np


class ChannelsFirst:
    """Converts the arrays of a problem; in dense kernels (in, out) the inputs are reordered to channels first."""

    def __init__(self, problem):
        self.flattened = {}  # {name of the dense layer after a Flatten: (H, W, C) before it}
        depthwise = [layer for layer in problem.layers if layer["class"] == "DepthwiseConv2D"]
        self.multipliers = {layer["name"]: layer["depth_multiplier"] for layer in depthwise}
        shape = problem.x.shape[1:]
        before = None
        for layer in problem.layers:
            if layer["class"] == "Flatten":
                before = tuple(shape)
            if layer["class"] == "Dense" and before is not None:
                self.flattened[layer["name"]], before = before, None
            shape = problem.shapes[layer["name"]]

    def turn(self, name, array):
        """Convert the weight called `name` ("conv2d_1/kernel"); convolution kernels become (K, C, KH, KW)."""
        if name.rpartition("/")[0] in self.multipliers and array.ndim == 4:
            KH, KW, C, D = array.shape
            return np.ascontiguousarray(array.transpose(2, 3, 0, 1)).reshape(C * D, 1, KH, KW)
        if array.ndim == 4:
            return np.ascontiguousarray(array.transpose(3, 2, 0, 1))
        H, W, C = self._shape_before(name, array)
        return np.ascontiguousarray(array.reshape(H, W, C, -1).transpose(2, 0, 1, 3)).reshape(array.shape)

    def turn_back(self, name, array):
        """The inverse of `turn`."""
        D = self.multipliers.get(name.rpartition("/")[0])
        if D and array.ndim == 4:
            return array.reshape(-1, D, *array.shape[2:]).transpose(2, 3, 0, 1)
        if array.ndim == 4:
            return array.transpose(2, 3, 1, 0)
        H, W, C = self._shape_before(name, array)
        return array.reshape(C, H, W, -1).transpose(1, 2, 0, 3).reshape(array.shape)

    def _shape_before(self, name, array):
        layer, _, parameter = name.rpartition("/")
        return self.flattened.get(layer, (1, 1, len(array))) if parameter == "kernel" else (1, 1, len(array))


def images(array):
    """Convert (N, H, W, C) to (N, C, H, W)."""
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2)) if array.ndim == 4 else array


def images_back(array):
    """Convert (N, C, H, W) to (N, H, W, C)."""
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def side(layer):
    """The padding (rows, columns) on each side, in pixels, of a convolution with an odd kernel at stride 1."""
    if layer["padding"] == "valid":
        return 0, 0
    if layer["padding"] == "same" and tuple(layer["strides"]) == (1, 1):
        return tuple(size // 2 for size in layer["kernel_size"])
    raise ValueError(f"{layer['name']}: expected padding valid, or same at stride 1, got {layer['padding']}")
