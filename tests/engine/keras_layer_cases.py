"""Layers of Keras 3 whose results were recorded, and the script that records them.

    python tests/engine/keras_layer_cases.py     where Keras 3 with TensorFlow is installed: writes the fixture

`fixtures/keras_layers.npz` holds `<case>/y`, `<case>/dx` and `<case>/d<weight>`, computed in float64 and rounded to
float32, for the x, dy and weights that `numbers` draws.
"""

import sys
from pathlib import Path

import numpy as np

FIXTURE = Path(__file__).parent / "fixtures" / "keras_layers.npz"
IMAGE = (6, 5, 4)

# case: (Keras's class, its settings, shape of the input without N)
CASES = {
    "conv, dilated": ("Conv2D", {"filters": 3, "kernel_size": (3, 2), "dilation_rate": (2, 1)}, IMAGE),
    "conv, dilated, same": (
        "Conv2D", {"filters": 3, "kernel_size": 3, "dilation_rate": (1, 2), "padding": "same"}, IMAGE),
    "conv, groups": ("Conv2D", {"filters": 6, "kernel_size": (2, 3), "strides": (2, 1), "groups": 2}, IMAGE),
    "conv, groups, same, silu": (
        "Conv2D", {"filters": 4, "kernel_size": 3, "groups": 4, "padding": "same", "activation": "silu"}, IMAGE),
    "depthwise": ("DepthwiseConv2D", {"kernel_size": (3, 2)}, IMAGE),
    "depthwise, strides, same": (
        "DepthwiseConv2D", {"kernel_size": 3, "strides": 2, "padding": "same", "depth_multiplier": 2}, IMAGE),
    "depthwise, dilated, gelu": (
        "DepthwiseConv2D", {"kernel_size": 2, "dilation_rate": 2, "use_bias": False, "activation": "gelu"}, IMAGE),
    "separable": ("SeparableConv2D", {"filters": 3, "kernel_size": (2, 3), "depth_multiplier": 2}, IMAGE),
    "separable, strides, same": (
        "SeparableConv2D", {"filters": 5, "kernel_size": 3, "strides": 2, "padding": "same", "activation": "elu"},
        IMAGE),
    "transposed": ("Conv2DTranspose", {"filters": 3, "kernel_size": (3, 2), "strides": 2}, IMAGE),
    "transposed, gaps": ("Conv2DTranspose", {"filters": 3, "kernel_size": (1, 2), "strides": (3, 2)}, IMAGE),
    "transposed, same": (
        "Conv2DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"}, IMAGE),
    "transposed, same, even window": (
        "Conv2DTranspose", {"filters": 2, "kernel_size": (4, 2), "strides": (2, 3), "padding": "same"}, IMAGE),
    "transposed, output padding": (
        "Conv2DTranspose",
        {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same", "output_padding": (0, 1)}, IMAGE),
    "transposed, output padding, valid": (
        "Conv2DTranspose", {"filters": 2, "kernel_size": (3, 2), "strides": 3, "output_padding": (1, 2)}, IMAGE),
    "transposed, stride 1": (
        "Conv2DTranspose", {"filters": 3, "kernel_size": 3, "padding": "same", "activation": "tanh"}, IMAGE),
    "global max pool": ("GlobalMaxPooling2D", {}, IMAGE),
    "global max pool, keepdims": ("GlobalMaxPooling2D", {"keepdims": True}, IMAGE),
    "global average pool, keepdims": ("GlobalAveragePooling2D", {"keepdims": True}, IMAGE),
    "upsampling": ("UpSampling2D", {"size": (2, 3)}, IMAGE),
    "upsampling, bilinear": ("UpSampling2D", {"size": (3, 2), "interpolation": "bilinear"}, IMAGE),
    "resizing, larger": ("Resizing", {"height": 9, "width": 7}, IMAGE),
    "resizing, smaller": ("Resizing", {"height": 4, "width": 2}, IMAGE),
    "resizing, nearest": ("Resizing", {"height": 4, "width": 8, "interpolation": "nearest"}, IMAGE),
    "cropping": ("Cropping2D", {"cropping": ((1, 2), (0, 3))}, IMAGE),
    "zero padding": ("ZeroPadding2D", {"padding": ((1, 2), (0, 3))}, IMAGE),
    "reshape": ("Reshape", {"target_shape": (3, -1, 2)}, IMAGE),
    "permute": ("Permute", {"dims": (3, 1, 2)}, IMAGE),
    "rescaling": ("Rescaling", {"scale": 0.25, "offset": -1.5}, IMAGE),
    "rescaling of each channel": ("Rescaling", {"scale": [0.25, 2.0, 3.0, 0.5]}, IMAGE),
    "normalization": ("Normalization", {}, IMAGE),
    "layer norm": ("LayerNormalization", {}, IMAGE),
    "layer norm of rows": ("LayerNormalization", {"epsilon": 0.1, "scale": False}, (7,)),
    "prelu": ("PReLU", {}, IMAGE),
    "prelu, shared": ("PReLU", {"shared_axes": [1, 2]}, IMAGE),
    "elu": ("ELU", {"alpha": 0.7}, IMAGE),
    "leaky relu": ("LeakyReLU", {}, IMAGE),
    "relu, bent": ("ReLU", {"max_value": 1.5, "negative_slope": 0.1, "threshold": 0.5}, IMAGE),
    "relu, at most 6": ("ReLU", {"max_value": 6.0}, IMAGE),
} | {
    f"activation {name}": ("Activation", {"activation": name}, (9,))
    for name in (
        "elu", "selu", "gelu", "silu", "swish", "hard_silu", "hard_swish", "hard_sigmoid", "softplus", "softsign",
        "leaky_relu", "relu6", "exponential",
    )
}  # fmt: skip


def numbers(case, shapes, output_shape):
    """(x, dy, weights) of a case: the same numbers for Keras and for us; `shapes` are those of the weights by name."""
    rng = np.random.default_rng(list(CASES).index(case))
    x = 2 * rng.standard_normal((2, *CASES[case][2]))
    weights = {name: rng.standard_normal(shape) for name, shape in sorted(shapes.items())}
    weights = {name: np.exp(values) if name == "variance" else values for name, values in weights.items()}
    return x, rng.standard_normal((2, *output_shape)), weights


def record():
    """Compute every case with Keras."""
    import keras
    import tensorflow as tf

    keras.config.set_floatx("float64")
    found = {}
    for case, (kind, settings, shape) in CASES.items():
        layer = getattr(keras.layers, kind)(**settings)
        layer.build((None, *shape))
        weights = {weight.name: weight for weight in layer.weights if weight.name != "count"}
        output_shape = layer(np.zeros((1, *shape))).shape[1:]
        x, dy, values = numbers(case, {name: weight.shape for name, weight in weights.items()}, output_shape)
        for name, weight in weights.items():
            weight.assign(values[name])
        if kind == "Normalization":
            layer.finalize_state()
        x = tf.constant(x)
        trained = {name: weight.value for name, weight in weights.items() if weight.trainable}
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            total = tf.reduce_sum(y * dy)
        dx, gradients = tape.gradient(total, (x, trained))
        arrays = {"y": y, "dx": dx, **{f"d{name}": gradient for name, gradient in gradients.items()}}
        found |= {f"{case}/{name}": np.asarray(array, np.float32) for name, array in arrays.items()}
    np.savez_compressed(FIXTURE, **found)
    print(f"{len(CASES)} cases of Keras {keras.__version__}: {FIXTURE.stat().st_size} bytes")


if __name__ == "__main__":
    sys.exit(record())
