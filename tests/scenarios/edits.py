"""Small changes of meaning, one for every definition that has a twin and for every method that a stage replaces."""

from pathlib import Path
from typing import NamedTuple

ENGINE = "engine"


class Edit(NamedTuple):
    """In `file` of the package, `old` becomes `new`; the check has to name `names`, and `learns` says what uses it."""

    file: str
    old: str
    new: str
    names: str
    optimizer: str = "SGD"
    only_gpu: bool = False  # its only twin is the GPU's

    def apply(self, package):
        """Make the change in a copy of the package."""
        path = Path(package) / self.file
        text = path.read_text()
        assert text.count(self.old) == 1, f"{self.file}: {self.old!r} is there {text.count(self.old)} times"
        path.write_text(text.replace(self.old, self.new))


IM2COL, WINDOWS, WINOGRAD = (f"{ENGINE}/convolution/{name}.py" for name in ("im2col", "row_windows", "winograd"))
AVERAGE = f"{ENGINE}/layers/average_pool2d.py"
POOL, DROPOUT, CONV = (f"{ENGINE}/layers/{name}.py" for name in ("max_pool2d", "dropout", "conv2d"))
DEPTHWISE, MORE = f"{ENGINE}/convolution/depthwise.py", f"{ENGINE}/more_activations.py"
NORM = f"{ENGINE}/layers/batch_norm.py"
ACTIVATIONS, OPTIMIZERS, LOSSES = (f"{ENGINE}/{name}.py" for name in ("activations", "optimizers", "losses"))
AFFINE, PREPROCESSING = "datasets/affine.py", "datasets/preprocessing.py"

# The four that were not noticed once: each of them ran, in its compiled version, as if nothing had been edited.
FIRST_FOUR = {
    "col2im overwrites": Edit(
        IM2COL, "q : q + SW * OW : SW] += columns", "q : q + SW * OW : SW] = columns", "convolution/im2col.py: col2im"
    ),
    "max pool overwrites": Edit(
        POOL,
        "tap += dy * (winner == place)",
        "tap[...] = dy * (winner == place)",
        "layers/max_pool2d.py: max_pool_backward",
    ),
    "relu lets everything back": Edit(
        ACTIVATIONS, "    return dy * (y > 0)", "    return dy", "activations.py: relu_backward"
    ),
    "matmul is seven times too large": Edit(
        f"{ENGINE}/matmul.py", "return a @ b", "return 7 * (a @ b)", "matmul.py: matmul"
    ),
}
EDITS = {
    **FIRST_FOUR,
    "im2col forward": Edit(IM2COL, "y = (columns @ kernel", "y = -(columns @ kernel", "convolution/im2col.py: forward"),
    "im2col dx": Edit(
        IM2COL, "return col2im(dcolumns,", "return -col2im(dcolumns,", "convolution/im2col.py: backward_input"
    ),
    "im2col dkernel": Edit(
        IM2COL, "return (columns.T @ dy", "return 2 * (columns.T @ dy", "convolution/im2col.py: backward_kernel"
    ),
    "row windows forward": Edit(
        WINDOWS, "y = sum(windows(", "y = -sum(windows(", "convolution/row_windows.py: forward"
    ),
    "row windows dx": Edit(
        WINDOWS,
        "return crop(forward(",
        "return -crop(forward(",
        "convolution/row_windows.py: backward_input",
    ),
    "row windows dkernel": Edit(
        WINDOWS, "return xp.stack(rows)", "return -xp.stack(rows)", "convolution/row_windows.py: backward_kernel"
    ),
    "the kernel is not turned": Edit(
        WINDOWS, "return kernel[::-1, ::-1].transpose", "return kernel.transpose", "convolution/row_windows.py: turned"
    ),
    "winograd forward": Edit(
        WINOGRAD,
        "y = namespace(x).ascontiguousarray(conv",
        "y = -namespace(x).ascontiguousarray(conv",
        "convolution/winograd.py: forward",
    ),
    "winograd dx": Edit(
        WINOGRAD,
        "return namespace(dx).ascontiguousarray(dx)",
        "return 2 * namespace(dx).ascontiguousarray(dx)",
        "convolution/winograd.py: backward_input",
    ),
    "winograd dkernel": Edit(
        WINOGRAD,
        "return sandwich(_transposed(G), dU)",
        "return -sandwich(_transposed(G), dU)",
        "convolution/winograd.py: backward_kernel",
    ),
    "a number of a matrix": Edit(
        WINOGRAD, "(0, 4, 0, -5, 0, 1),", "(0, 4, 0, -4, 0, 1),", "convolution/winograd.py: BT"
    ),
    "padding is cut off elsewhere": Edit(
        f"{ENGINE}/convolution/geometry.py",
        "return x[:, top : x.shape[1] - bottom,",
        "return x[:, bottom : x.shape[1] - top,",
        "convolution/geometry.py: crop",
    ),
    "max pool takes the smallest": Edit(
        POOL, "larger = (tap > y)", "larger = (tap < y)", "layers/max_pool2d.py: max_pool"
    ),
    "dropout keeps the others": Edit(DROPOUT, ">= threshold(rate)", "< threshold(rate)", "layers/dropout.py: drop"),
    "dropout is not scaled": Edit(
        DROPOUT, "return x * keep * x.dtype.type(1 / (1 - rate))", "return x * keep", "layers/dropout.py: scale"
    ),
    "sums are doubled": Edit(
        f"{ENGINE}/reductions.py",
        "return flat.sum(axis=0)",
        "return 2 * flat.sum(axis=0)",
        "reductions.py: channel_sum",
    ),
    "the mean over the batch is forgotten": Edit(
        LOSSES,
        "(e / total * weight - wanted) / len(scores)",
        "(e / total * weight - wanted)",
        "losses.py: softmax_cross_entropy",
        only_gpu=True,
    ),
    "sums lose a term": Edit(
        f"{ENGINE}/layers/merge.py", "    return x1 + x2\n", "    return x1 + 2 * x2\n", "layers/merge.py: add"
    ),
    "products are doubled": Edit(
        f"{ENGINE}/layers/merge.py", "    return x1 * x2\n", "    return 2 * x1 * x2\n", "layers/merge.py: multiply"
    ),
    "factors learn twice as fast": Edit(
        f"{ENGINE}/layers/merge.py",
        "    return (dy * x).sum(",
        "    return 2 * (dy * x).sum(",
        "layers/merge.py: factors_backward",
    ),
    "the variance is doubled": Edit(
        NORM,
        "channel_sum(centred * centred) / count",
        "2 * channel_sum(centred * centred) / count",
        "layers/batch_norm.py: moments",
    ),
    "batch norm turns the sign": Edit(
        NORM,
        "return (x - mean) * scale + shift",
        "return (mean - x) * scale + shift",
        "layers/batch_norm.py: normalise",
    ),
    "dbeta is doubled": Edit(
        NORM, "return channel_sum(dy), ", "return 2 * channel_sum(dy), ", "layers/batch_norm.py: sums_backward"
    ),
    "batch norm with constant statistics": Edit(
        NORM,
        "return scale * (dy - mean_dy - (x - mean) * inverse * mean_dy_n)",
        "return scale * dy",
        "layers/batch_norm.py: normalise_backward",
    ),
    "sgd climbs": Edit(OPTIMIZERS, "m -= rate * g", "m += rate * g", "optimizers.py: sgd_update"),
    "rmsprop climbs": Edit(
        OPTIMIZERS, "w -= rate * g / name", "w += rate * g / name", "optimizers.py: rmsprop_update", "RMSprop"
    ),
    "adam climbs": Edit(
        OPTIMIZERS, "w -= corrected_rate * m", "w += corrected_rate * m", "optimizers.py: adam_update", "Adam"
    ),
    "a global mean over rows alone": Edit(
        AVERAGE, "x.mean(axis=(1, 2))", "x.mean(axis=1)[:, 0]", "layers/average_pool2d.py: image_mean"
    ),
    "a global mean's gradient is not shared": Edit(
        AVERAGE,
        "dy.reshape(N, 1, 1, C) / (H * W)",
        "dy.reshape(N, 1, 1, C)",
        "layers/average_pool2d.py: image_mean_backward",
    ),
    "standardize adds": Edit(
        PREPROCESSING, "result += shift", "result -= shift", "datasets/preprocessing.py: standardize", only_gpu=True
    ),
    "images move the other way": Edit(
        AFFINE,
        "xp.arange(W) - shifts[:, 1:]",
        "xp.arange(W) + shifts[:, 1:]",
        "datasets/affine.py: move",
        "SGD and shifts",
    ),
    "half of a pixel is lost": Edit(
        AFFINE, "sampled = upper * weigh(weight_above, above_exists) + ", "sampled = ", "datasets/affine.py: resample"
    ),
    "depthwise forward": Edit(
        DEPTHWISE,
        "y += tap[..., None] * kernel[p, q]",
        "y -= tap[..., None] * kernel[p, q]",
        "convolution/depthwise.py: forward",
    ),
    "depthwise dx": Edit(
        DEPTHWISE,
        "tap += (by_channel * kernel",
        "tap -= (by_channel * kernel",
        "convolution/depthwise.py: backward_input",
    ),
    "depthwise dkernel": Edit(
        DEPTHWISE,
        "dkernel[p, q] = channel_sum(",
        "dkernel[p, q] = 2 * channel_sum(",
        "convolution/depthwise.py: backward_kernel",
    ),
    "a bent ReLU's floor": Edit(
        MORE, "if slope else x.dtype.type(0)", "if slope else x.dtype.type(-0.1)", "more_activations.py: bent_relu"
    ),
    "a bent ReLU's ceiling lets everything back": Edit(
        MORE,
        "above = (x < x.dtype.type(largest))",
        "above = (x < x.dtype.type(9 * largest))",
        "more_activations.py: bent_relu_backward",
    ),
    "silu is doubled": Edit(
        MORE, "    return x * sigmoid(x)\n", "    return 2 * x * sigmoid(x)\n", "more_activations.py: silu"
    ),
    "silu's slope is the sigmoid": Edit(
        MORE, "    return dy * (s + x * s * (1 - s))\n", "    return dy * s\n", "more_activations.py: silu_backward"
    ),
    "hard silu has another bend": Edit(
        MORE,
        "    return x * namespace(x).clip(x / 6 + 0.5, 0, 1)\n",
        "    return x * namespace(x).clip(x / 3 + 0.5, 0, 1)\n",
        "more_activations.py: hard_silu",
    ),
    "hard silu's slope": Edit(
        MORE, "x.dtype.type(1), x / 3 + 0.5", "x.dtype.type(1), x / 6 + 0.5", "more_activations.py: hard_silu_backward"
    ),
    "gelu is doubled": Edit(
        MORE, "    return x * (0.5 + 0.5 * erf", "    return 2 * x * (0.5 + 0.5 * erf", "more_activations.py: gelu"
    ),
    "gelu's slope without its density": Edit(MORE, "+ x * density)\n", ")\n", "more_activations.py: gelu_backward"),
    "erf is halved": Edit(MORE, "* (2 / math.sqrt(math.pi))", "* (1 / math.sqrt(math.pi))", "more_activations.py: erf"),
    # What has no twin, but is replaced by a stage.
    "a leaky ReLU": Edit(
        ACTIVATIONS,
        "return namespace(x).maximum(x, 0)",
        "return namespace(x).maximum(x, 0.1 * x)",
        "activations.py: ReLU.forward",
    ),
    "a convolution's bias": Edit(
        CONV,
        "dbias = channel_sum(dscores) if",
        "dbias = 2 * channel_sum(dscores) if",
        "layers/conv2d.py: Conv2D.backward_scores",
    ),
    "a batch norm without a step": Edit(
        NORM,
        "mean, inverse, batch = self.statistics_of(x, training)",
        "mean, inverse, batch = self.statistics_of(x, False)",
        "layers/batch_norm.py: BatchNorm.forward_pass",
    ),
    "a sum's gradient is halved": Edit(
        f"{ENGINE}/layers/merge.py",
        "return [dy] * len(self.input_shape)",
        "return [dy / 2] * len(self.input_shape)",
        "layers/merge.py: Add.gradients_of",
    ),
    "a pool's sign": Edit(
        POOL,
        "return max_pool_backward(dy, winner",
        "return -max_pool_backward(dy, winner",
        "layers/max_pool2d.py: MaxPool2D.backward_pass",
    ),
}
