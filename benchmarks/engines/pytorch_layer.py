"""The three passes of one convolution layer in PyTorch, each on its own."""

import numpy as np
import torch

from engines.channels_first import images, images_back
from engines.conv_layer import ConvLayer


class ChannelsLast:
    """Call `use` with a layer, then time its passes."""

    version = f"PyTorch {torch.__version__}"
    format = torch.channels_last

    def __init__(self, threads):
        torch.set_num_threads(threads)

    def use(self, values):
        """Prepare the layer given as `dataclasses.asdict(layer)`."""
        layer = ConvLayer.from_json(values)
        (top, bottom), (left, right) = layer.padding
        if (top, left) != (bottom, right):
            raise ValueError(f"padding: expected the same on both sides, as PyTorch pads, got {layer.padding}")
        self.strides, self.pad = list(layer.strides), [top, left]
        x, kernel, bias, dy = layer.arrays()
        self.x, self.dy = (torch.from_numpy(images(a)).to(memory_format=self.format) for a in (x, dy))
        kernel = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
        self.kernel, self.bias = kernel.to(memory_format=self.format), torch.from_numpy(bias)

    def forward(self):
        """Convolution, bias and ReLU."""
        with torch.inference_mode():
            return torch.relu_(torch.conv2d(self.x, self.kernel, self.bias, self.strides, self.pad))

    def backward_input(self):
        return self._backward((True, False, False))[0]

    def backward_kernel(self):
        return self._backward((False, True, False))[1]

    def _backward(self, wanted):
        with torch.inference_mode():
            return torch.ops.aten.convolution_backward(
                self.dy, self.x, self.kernel, None, self.strides, self.pad, [1, 1], False, [0, 0], 1, wanted
            )

    def results(self):
        """The results to compare, in our layouts: y and dx of the first image, and dkernel."""
        return {
            "forward": images_back(self.forward()[:1].numpy()),
            "backward_input": images_back(self.backward_input()[:1].numpy()),
            "backward_kernel": self.backward_kernel().numpy().transpose(2, 3, 1, 0),
        }


class Contiguous(ChannelsLast):
    """The same in PyTorch's default layout."""

    format = torch.contiguous_format
