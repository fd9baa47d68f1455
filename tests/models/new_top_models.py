"""Small networks as others may have saved them, to put new tops on."""

import numpy as np

import minitorch_cnn as mtc
from minitorch_cnn import layers

SHAPE = (40, 37, 3)


def drawn(model, seed):
    """The model with batch norms whose statistics are not those of a fresh one."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        for name, array in layer.parameters.items():
            if name in ("gamma", "moving_variance", "variance"):
                layer.parameters[name] = rng.uniform(0.5, 1.5, array.shape)
            elif name in ("beta", "moving_mean", "mean"):
                layer.parameters[name] = rng.normal(0, 0.2, array.shape)
    return model


def squeezed(y, name):
    """Squeeze and excitation: a global pool that is not the last one."""
    channels = y.shape[2]
    factors = layers.Reshape((1, 1, channels), name=f"{name}_reshape")(
        layers.GlobalAveragePool2D(name=f"{name}_pool")(y)
    )
    factors = layers.Conv2D(channels, 1, activation="sigmoid", name=f"{name}_conv")(factors)
    return layers.Multiply(name=f"{name}_times")([y, factors])


def residual(pool=layers.GlobalAveragePool2D, shape=SHAPE, inside=False, top=True, seed=1):
    """Convolutions, batch norms, a depthwise one, squeeze and excitation, a sum, stochastic depth, and a top."""
    x = y = mtc.Input(shape)
    if inside:
        y = layers.Normalization(name="normalization")(layers.Rescaling(1 / 255, name="rescaling")(y))
    y = layers.Conv2D(8, 3, 2, "same", use_bias=False, name="stem_conv")(y)
    y = layers.ReLU(max_value=6, name="stem_relu")(layers.BatchNorm(name="stem_bn")(y))
    z = layers.BatchNorm(name="block_bn")(layers.DepthwiseConv2D(3, padding="same", name="block_depthwise")(y))
    z = squeezed(layers.ReLU(name="block_relu")(z), "squeeze")
    z = layers.Dropout(0.4, noise_shape=(None, 1, 1, 1), name="block_drop")(z)
    y = layers.Add(name="block_add")([y, z])
    y = layers.ReLU(name="last_map")(layers.Conv2D(6, 1, name="last_conv")(y))
    if top:
        y = layers.Dropout(0.2, name="top_dropout")(pool(name="top_pool")(y))
        y = layers.Dense(5, activation="softmax", name="predictions")(y)
    return drawn(mtc.Model(x, y, seed=seed), seed)


def chain(seed=1):
    """A chain with a Flatten."""
    stack = [
        layers.Conv2D(4, 3, activation="relu", name="conv"), layers.MaxPool2D(2, name="pool"),
        layers.Flatten(name="flat"), layers.Dense(6, "relu", name="fc"), layers.Dense(3, "softmax", name="out"),
    ]  # fmt: skip
    return mtc.Sequential(stack, SHAPE, seed=seed)


def convolutional_top(seed=1):
    """As MobileNetV3: the pool keeps its axes, convolutions follow, and a Flatten."""
    x = mtc.Input(SHAPE)
    y = layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    y = layers.Reshape((1, 1, 4), name="kept")(layers.GlobalAveragePool2D(name="pool")(y))
    y = layers.Flatten(name="flat")(layers.Conv2D(3, 1, name="logits")(y))
    return mtc.Model(x, layers.Softmax(name="out")(y), seed=seed)
