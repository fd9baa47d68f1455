"""Convolution with gaps in the window, or with channels in groups: tap by tap, one matrix product for each.

    dilation 2: the taps of a 3x3 window       groups 2: each half of the output sees one half of the input
    x . x . x
    . . . . .                                  channels in   | a a a a | b b b b |
    x . x . x                                                    |         |
    . . . . .                                  channels out  | A A A   | B B B   |
    x . x . x

    y             = sum over p, q of tap(x, p, q) @ kernel[p, q]        for each group
    dkernel[p, q] = tap(x, p, q).T @ dy
    dx            : tap(dx, p, q) += dy @ kernel[p, q].T

tap(x, p, q) is what place (p, q) of every window sees: the input shifted by (p, q) times the dilation. Costs the
N*OH*OW*KH*KW*C*K / groups multiplications of the definition, and the memory of one tap and of its product. A group of
one channel leaves no sum over channels, so its filters are those of a depthwise convolution.
"""

from typing import Any

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.engine.convolution import depthwise
from minitorch_cnn.engine.convolution.geometry import crop, dilated_taps, output_size, pad, window_reach


class Grouped:
    """An algorithm, as the modules of `convolution/`, for a `dilation` (rows, columns) and a number of `groups`."""

    __name__ = "grouped"

    def __init__(self, dilation: tuple = (1, 1), groups: int = 1) -> None:
        self.dilation, self.groups = dilation, groups

    def forward(self, x: Array, kernel: Array, strides: tuple, padding: tuple, bias: Array | None = None) -> Array:
        """y (N, OH, OW, K) of x (N, H, W, C) and kernel (KH, KW, C/groups, K)."""
        if kernel.shape[2] == 1:
            return depthwise.forward(x, self._one_each(kernel), strides, padding, self.dilation, bias)
        window, K = kernel.shape[:2], kernel.shape[3]
        out = output_size(x.shape[1:3], window_reach(window, self.dilation), strides, padding)
        taps = dilated_taps(pad(x, padding), window, strides, self.dilation, out)
        y: Any = sum(self._pixels(tap) @ self._matrices(kernel[p, q]) for p, q, tap in taps)
        y = y.transpose(1, 0, 2).reshape(len(x), *out, K)
        return y if bias is None else y + bias

    def backward_input(self, dy: Array, kernel: Array, input_shape: tuple, strides: tuple, padding: tuple) -> Array:
        """dx (N, H, W, C): each tap gets dL/dtap = dy @ kernel[p, q].T; windows overlap, so a pixel adds them up."""
        if kernel.shape[2] == 1:
            return depthwise.backward_input(dy, self._one_each(kernel), input_shape, strides, padding, self.dilation)
        dx = pad(namespace(dy).zeros(input_shape, dtype=dy.dtype), padding)
        pixels = self._pixels(dy)
        for p, q, tap in dilated_taps(dx, kernel.shape[:2], strides, self.dilation, dy.shape[1:3]):
            dtap = pixels @ self._matrices(kernel[p, q]).transpose(0, 2, 1)
            tap += dtap.transpose(1, 0, 2).reshape(tap.shape)
        return crop(dx, padding)

    def backward_kernel(self, x: Array, dy: Array, kernel_shape: tuple, strides: tuple, padding: tuple) -> Array:
        """dkernel (KH, KW, C/groups, K): dkernel[p, q] = tap.T @ dy, since tap @ kernel[p, q] was added to y."""
        if kernel_shape[2] == 1:
            shape = *kernel_shape[:2], self.groups, kernel_shape[3] // self.groups
            return depthwise.backward_kernel(x, dy, shape, strides, padding, self.dilation).reshape(kernel_shape)
        dkernel = namespace(x).empty(kernel_shape, dtype=x.dtype)
        pixels = self._pixels(dy)
        for p, q, tap in dilated_taps(pad(x, padding), kernel_shape[:2], strides, self.dilation, dy.shape[1:3]):
            product = self._pixels(tap).transpose(0, 2, 1) @ pixels
            dkernel[p, q] = product.transpose(1, 0, 2).reshape(kernel_shape[2:])
        return dkernel

    def _one_each(self, kernel: Array) -> Array:
        """The kernel (KH, KW, 1, K) as `depthwise` takes it, (KH, KW, groups, K/groups)."""
        return kernel.reshape(*kernel.shape[:2], self.groups, -1)

    def _pixels(self, x: Array) -> Array:
        """x (N, H, W, C) as (groups, N*H*W, C/groups)."""
        return x.reshape(-1, self.groups, x.shape[3] // self.groups).transpose(1, 0, 2)

    def _matrices(self, weights: Array) -> Array:
        """The weights (C/groups, K) of one tap as (groups, C/groups, K/groups)."""
        return weights.reshape(len(weights), self.groups, -1).transpose(1, 0, 2)
