"""The sizes of a convolution layer, and random arrays for it that are the same in every process."""

from dataclasses import dataclass

import numpy as np

PASSES = ("forward", "backward_input", "backward_kernel")


@dataclass(frozen=True)
class ConvLayer:
    """From x (N, H, W, C) and kernel (KH, KW, C, K) to y (N, OH, OW, K); `padding` ((top, bottom), (left, right))."""

    N: int
    H: int
    W: int
    C: int
    K: int
    window: tuple  # (KH, KW)
    strides: tuple
    padding: tuple
    out: tuple  # (OH, OW)

    @property
    def x_shape(self):
        return (self.N, self.H, self.W, self.C)

    @property
    def kernel_shape(self):
        return (*self.window, self.C, self.K)

    @property
    def y_shape(self):
        return (self.N, *self.out, self.K)

    @property
    def multiplications(self):
        """N OH OW KH KW C K: the number of multiplications of the definition, the same in each of the three passes."""
        return self.N * int(np.prod(self.out)) * int(np.prod(self.kernel_shape))

    def arrays(self):
        """(x, kernel, bias, dy), float32."""
        rng = np.random.default_rng(0)
        shapes = (self.x_shape, self.kernel_shape, (self.K,), self.y_shape)
        x, kernel, bias, dy = (rng.standard_normal(shape, dtype=np.float32) for shape in shapes)
        return x, kernel / np.float32(np.sqrt(np.prod(self.kernel_shape[:3]))), bias, dy

    @classmethod
    def from_json(cls, values):
        """The layer for the values of `dataclasses.asdict` read from JSON, which turns pairs into lists."""
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        return cls(**values | {"padding": tuple(tuple(side) for side in values["padding"])})
