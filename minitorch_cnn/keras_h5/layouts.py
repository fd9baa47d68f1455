"""How an array lies in the file, and the way from there to this package's layout.

Ours is Keras 2's: convolution kernels (rows, columns, in, out), dense kernels (in, out). Files differ in four ways:

* **axis order**: Keras 0 and 1 with 'th' ordering kept (out, in, rows, columns).
* **kernel direction**: Theano's `conv2d` is a true convolution and turns the kernel by 180 degrees before it slides it;
  everybody else's is a correlation. Keras stored what each backend used, so Theano's kernels are turned back here.
  Nothing about the shape tells; with the wrong direction every layer runs and every answer is wrong.
* **flatten order**: with channels first, the feature map (C, H, W) was flattened, so the rows of the dense kernel
  behind it belong to (c, h, w) and must be put in the order (h, w, c).
* **spread**: Keras 0.x kept a standard deviation where later versions keep a variance.

Source: keras 2.0 `convert_all_kernels_in_model`, `convert_dense_weights_data_format`; keras issue 3015.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minitorch_cnn.keras_h5.target import Shape


@dataclass(frozen=True)
class Layout:
    """What has to be done to one stored array; the default is nothing.

    `rows_channels_first` is the feature map (H, W, C) whose flattened values are the rows of a dense kernel, if those
    were flattened as (C, H, W).
    """

    filters_first: bool = False
    turned: bool = False
    rows_channels_first: tuple[int, int, int] | None = None
    standard_deviation: bool = False

    def shape(self, stored: Shape) -> Shape:
        """The shape in our layout of an array of shape `stored`."""
        if self.filters_first:
            filters, channels, rows, columns = stored
            return (rows, columns, channels, filters)
        return stored

    def apply(self, stored: np.ndarray) -> np.ndarray:
        """The array in our layout, C-contiguous; the stored array itself if there is nothing to do."""
        array = stored
        if self.filters_first:
            array = array.transpose(2, 3, 1, 0)
        if self.turned:
            array = array[::-1, ::-1]
        if self.rows_channels_first is not None:
            rows, columns, channels = self.rows_channels_first
            array = array.reshape(channels, rows, columns, -1).transpose(1, 2, 0, 3).reshape(array.shape)
        if self.standard_deviation:
            array = np.square(array)
        return np.asarray(array, order="C")

    def __str__(self) -> str:
        steps = []
        if self.filters_first:
            steps.append("axes from (out, in, rows, columns)")
        if self.turned:
            steps.append("kernel turned by 180 degrees (Theano)")
        if self.rows_channels_first is not None:
            steps.append("rows reordered from (c, h, w)")
        if self.standard_deviation:
            steps.append("standard deviation squared")
        return ", ".join(steps)
