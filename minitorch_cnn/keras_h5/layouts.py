"""How an array is laid out in the file, and how it is converted to this package's layout.

Our layout is that of Keras 2: convolution kernels (rows, columns, in, out), dense kernels (in, out). Files differ from
it in four ways:

* **axis order**: Keras 0 and 1 with 'th' ordering stored (out, in, rows, columns).
* **kernel direction**: Theano's `conv2d` is a true convolution, which rotates the kernel by 180 degrees before sliding
  it over the image; all other libraries compute a cross-correlation. Keras stored the kernels as each backend used
  them, so Theano's are rotated back here. The shape does not reveal the direction: with the wrong one every layer runs
  and every result is wrong.
* **flatten order**: with channels first, the feature map (C, H, W) was flattened, so the rows of the following dense
  kernel are in (c, h, w) order and must be reordered to (h, w, c).
* **running statistics**: Keras up to 1.0.5 stored a standard deviation where later versions store a variance.

Source: keras 2.0 `convert_all_kernels_in_model`, `convert_dense_weights_data_format`; keras issue 3015.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minitorch_cnn.keras_h5.target import Shape


@dataclass(frozen=True)
class Layout:
    """The steps that convert one stored array; by default none.

    `rows_channels_first` is the shape (H, W, C) of the feature map that a dense kernel's rows belong to, if the feature
    map was flattened as (C, H, W); `one_by_one` is whether a dense kernel becomes that of a 1x1 convolution; `channels`
    is how many channels a single number stands for.
    """

    filters_first: bool = False
    rotated: bool = False
    rows_channels_first: tuple[int, int, int] | None = None
    standard_deviation: bool = False
    one_by_one: bool = False
    channels: int | None = None

    def shape(self, stored: Shape) -> Shape:
        """The shape in our layout of an array of shape `stored`."""
        if self.filters_first:
            filters, channels, rows, columns = stored
            return (rows, columns, channels, filters)
        if self.channels is not None:
            return (self.channels,)
        return (1, 1, *stored) if self.one_by_one else stored

    def apply(self, stored: np.ndarray) -> np.ndarray:
        """The array in our layout, C-contiguous; the stored array itself if there is nothing to convert."""
        array = stored
        if self.filters_first:
            array = array.transpose(2, 3, 1, 0)
        if self.rotated:
            array = array[::-1, ::-1]
        if self.rows_channels_first is not None:
            rows, columns, channels = self.rows_channels_first
            array = array.reshape(channels, rows, columns, -1).transpose(1, 2, 0, 3).reshape(array.shape)
        if self.standard_deviation:
            array = np.square(array)
        if self.one_by_one:
            array = array[None, None]
        if self.channels is not None:
            array = np.repeat(array, self.channels)
        return np.asarray(array, order="C")

    def __str__(self) -> str:
        steps = []
        if self.filters_first:
            steps.append("axes from (out, in, rows, columns)")
        if self.rotated:
            steps.append("kernel rotated by 180 degrees (Theano)")
        if self.rows_channels_first is not None:
            steps.append("rows reordered from (c, h, w)")
        if self.one_by_one:
            steps.append("dense kernel as that of a 1x1 convolution")
        if self.standard_deviation:
            steps.append("standard deviation squared")
        if self.channels is not None:
            steps.append(f"one number for {self.channels} channels")
        return ", ".join(steps)
