"""Transposed convolution: the gradient of a convolution, run forwards, which makes a small map large.

A convolution of strides S goes from the large map z (N, OH, OW, K) to the small one x (N, H, W, C), and its gradient
takes dx back to dz. Forwards, the same sum lets each pixel of x add a copy of the kernel, times its value, to z:

    forward          y  = what the convolution would send back for x
    dx               the convolution of dy
    dkernel          that of the convolution, with dy as its input and x as the gradient of its output
"""

from typing import Any

from minitorch_cnn.arrays import Array


class Transposed:
    """An algorithm, as the modules of `convolution/`, which runs `convolution` backwards; y is of `size` (OH, OW)."""

    def __init__(self, convolution: Any, size: tuple) -> None:
        self.convolution, self.size = convolution, size
        self.__name__ = convolution.__name__.rpartition(".")[2]

    def forward(self, x: Array, kernel: Array, strides: tuple, padding: tuple, bias: Array | None = None) -> Array:
        """y (N, OH, OW, K) of x (N, H, W, C) and kernel (KH, KW, K, C)."""
        shape = (len(x), *self.size, kernel.shape[2])
        y = self.convolution.backward_input(x, kernel, shape, strides, padding)
        return y if bias is None else y + bias

    def backward_input(self, dy: Array, kernel: Array, input_shape: tuple, strides: tuple, padding: tuple) -> Array:
        """dx (N, H, W, C) is the convolution of dy."""
        return self.convolution.forward(dy, kernel, strides, padding)

    def backward_kernel(self, x: Array, dy: Array, kernel_shape: tuple, strides: tuple, padding: tuple) -> Array:
        """dkernel (KH, KW, K, C): x and dy have changed places."""
        return self.convolution.backward_kernel(dy, x, kernel_shape, strides, padding)
