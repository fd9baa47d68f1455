"""Two-dimensional convolution layer."""

from minitorch_cnn.engine import activations, convolution
from minitorch_cnn.engine.convolution.epilogue import bias_relu_backward
from minitorch_cnn.engine.convolution.geometry import check_padding, output_size, pair, resolve_padding
from minitorch_cnn.engine.initializers import glorot_uniform, zeros
from minitorch_cnn.engine.layers.layer import Activated
from minitorch_cnn.engine.reductions import channel_sum


class Conv2D(Activated):
    """y (N, OH, OW, K) = activation(convolution of x (N, H, W, C) with kernel (KH, KW, C, K) + bias (K,)).

    Arguments as in Keras: `filters` K, `kernel_size` and `strides` (integer or pair), `padding` ("valid", "same", an
    integer, (rows, columns) or ((top, bottom), (left, right))), `activation`, `use_bias`. `algorithm` names the module
    of `convolution/` that does the work; "auto" lets it choose.
    """

    initializers = {"kernel": glorot_uniform, "bias": zeros}

    def __init__(
        self, filters, kernel_size, strides=1, padding="valid", activation=None, use_bias=True, name=None,
        trainable=True, algorithm="auto",
    ):  # fmt: skip
        super().__init__(name, trainable)
        self.filters = pair(filters, f"{self.name}: filters")[0]
        self.kernel_size = pair(kernel_size, f"{self.name}: kernel_size")
        self.strides = pair(strides, f"{self.name}: strides")
        self.padding = check_padding(padding)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        convolution.check_name(algorithm)  # a wrong name fails here, where it was typed
        self.algorithm = algorithm
        self.chosen = None  # the module that computed the last forward pass, and computes its backward pass

    def output_shape_for(self, input_shape):
        self.require_image(input_shape)
        self.pixels = resolve_padding(self.padding, input_shape[:2], self.kernel_size, self.strides)
        return (*output_size(input_shape[:2], self.kernel_size, self.strides, self.pixels, self.name), self.filters)

    def parameter_shapes(self):
        shapes = {"kernel": (*self.kernel_size, self.input_shape[2], self.filters)}
        return {**shapes, "bias": (self.filters,)} if self.use_bias else shapes

    def forward(self, x, training=False):
        """A ReLU is cut within the convolution itself, while the result is at hand."""
        if self.activation.name != "relu":
            return super().forward(x, training)
        y = self.choose(x).forward(x, *self.arguments(), relu=True)
        self.keep(x, y)
        return y

    def scores(self, x, training=False):
        """x * kernel + bias."""
        scores = self.choose(x).forward(x, *self.arguments())
        self.keep(x)
        return scores

    def choose(self, x):
        """The module of `convolution/` for this x, which is checked; it stays `chosen` for the way back."""
        self.check_input(x)
        shape = self.parameter_shapes()["kernel"]
        self.chosen = convolution.choose(self.algorithm, x, shape, self.strides, self.output_shape[:2])
        return self.chosen

    def arguments(self):
        """What an algorithm's `forward` is given behind x: (kernel, strides, padding in pixels, bias or None)."""
        bias = self.parameters["bias"] if self.use_bias else None
        return self.parameters["kernel"], self.strides, self.pixels, bias

    def keep(self, x, *y):
        """What the way back needs: x for the kernel's gradient, y for the ReLU's mask (None: dy comes masked)."""
        self.cache = (x if self.trainable else None, *y)

    def backward(self, dy, need_dx=True):
        """The way back through a ReLU and the bias is one pass, as it was forwards."""
        if self.activation.name != "relu":
            return super().backward(dy, need_dx)
        _, y = self.recall()
        if y is None:
            return self.backward_scores(dy, need_dx)
        return self.backward_convolution(*bias_relu_backward(dy, y), need_dx)

    def backward_scores(self, dscores, need_dx=True):
        """dbias sums dscores over images and pixels."""
        return self.backward_convolution(dscores, channel_sum(dscores), need_dx)

    def backward_convolution(self, dscores, dbias, need_dx):
        """dkernel and dx as the algorithm's file derives them."""
        x, *_ = self.recall()
        kernel = self.parameters["kernel"]
        if self.trainable:
            self.gradients["kernel"] = self.chosen.backward_kernel(
                x, dscores, kernel.shape, self.strides, self.pixels
            )
            if self.use_bias:
                self.gradients["bias"] = dbias
        if not need_dx:
            return None
        return self.chosen.backward_input(dscores, kernel, (len(dscores), *self.input_shape), self.strides, self.pixels)

    def config(self):
        return {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "activation": self.activation.name,
            "use_bias": self.use_bias,
            **super().config(),
            "algorithm": self.algorithm,
        }

    def describe(self):
        kernel = "x".join(map(str, self.kernel_size))
        stride = "" if self.strides == (1, 1) else f" / {self.strides[0]}x{self.strides[1]}"
        padding = self.padding if isinstance(self.padding, str) else f"pad {self.padding}"
        return f"{self.filters} of {kernel}{stride}, {padding}, {self.activation.name}"

    def column_elements(self):
        """How many numbers im2col would lay out for one image."""
        KH, KW = self.kernel_size
        OH, OW, _ = self.output_shape
        return OH * OW * KH * KW * self.input_shape[2]
