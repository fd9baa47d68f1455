"""Records small models of Keras 3 and tf_keras, whole files with what Keras computed, for `test_load_model.py`.

    python tests/models/record_keras_models.py           where keras, tf_keras and tensorflow are installed

Every building block and every way of writing a graph occurs; weights and statistics are random. The result is one
archive, `fixtures/keras_models.tar.xz`: `NAME.keras`, `NAME.h5` and `NAME.npz` with x0, x1, ... and y0, y1, ... and,
for one input and one output, `dy` and `dx`, the gradient of sum(y * dy) in inference mode.
"""

import io
import os
import tarfile
import tempfile
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="")

import keras
import numpy as np
import tensorflow as tf
import tf_keras

FIXTURES = Path(__file__).parent / "fixtures"
SHAPE = (11, 8, 3)
ADAPTED = np.random.default_rng(5).normal(3, 2, (40, *SHAPE)).astype("float32")


def convolutions(K):
    L = K.layers
    return K.Sequential([
        L.InputLayer(**{"shape" if K is keras else "input_shape": SHAPE}),
        L.Conv2D(6, (3, 2), strides=(2, 1), padding="same", activation="relu"),
        L.Conv2D(4, 3, padding="same", dilation_rate=2, use_bias=False),
        L.Conv2D(6, 3, padding="same", groups=2, activation="elu"),
        L.DepthwiseConv2D(3, padding="same", depth_multiplier=2, activation="swish"),
        L.DepthwiseConv2D((3, 3), strides=2, padding="valid", use_bias=False),
        L.SeparableConv2D(5, 3, padding="same", depth_multiplier=2, activation="sigmoid"),
        L.Conv2DTranspose(4, 3, strides=2, padding="same", activation="tanh"),
        L.Conv2DTranspose(3, (2, 3), strides=(1, 2), padding="valid"),
        L.GlobalAveragePooling2D(),
        L.Dense(5, activation="softmax"),
    ])  # fmt: skip


def pools(K):
    L, x = K.layers, K.Input(SHAPE)
    y = L.ZeroPadding2D(((1, 2), (0, 3)))(x)
    y = L.Cropping2D(((0, 1), (2, 0)))(y)
    a = L.MaxPooling2D(3, 2, padding="same")(y)
    b = L.AveragePooling2D((3, 2), 2, padding="same")(y)
    c = L.AveragePooling2D((2, 3), strides=1)(y)
    y = L.Concatenate()([a, b])
    y = L.UpSampling2D(2)(y)
    z = L.UpSampling2D((1, 2), interpolation="bilinear")(c)
    z = L.Permute((2, 1, 3))(z)
    z = L.Reshape((-1, 9))(z)
    parts = [L.GlobalMaxPooling2D()(y), L.GlobalMaxPooling2D(keepdims=True)(y), L.Flatten()(z)]
    parts[1] = L.Flatten()(parts[1])
    return K.Model(x, L.Concatenate(axis=1)(parts))


def squeeze_and_excite(K):
    L, x = K.layers, K.Input(SHAPE)
    y = L.Conv2D(6, 3, padding="same", use_bias=False)(x)
    y = L.BatchNormalization(scale=False, epsilon=1e-2)(y)
    y = L.Activation("relu")(y)
    s = L.GlobalAveragePooling2D(keepdims=True)(y)
    s = L.Conv2D(2, 1, activation="relu")(s)
    s = L.Conv2D(6, 1, activation="sigmoid")(s)
    m = L.Multiply()([y, s])
    z = L.BatchNormalization(center=False, axis=3)(L.Conv2D(6, 1)(x))
    y = L.Add()([L.Subtract()([m, z]), L.Average()([y, z]), L.Maximum()([m, z])])
    return K.Model(x, L.Dense(4)(L.Dropout(0.3)(L.Flatten()(y))))


def activations(K):
    L, x = K.layers, K.Input(SHAPE)
    named = ["relu", "sigmoid", "tanh", "softmax", "elu", "selu", "softplus", "softsign", "swish", "gelu"]
    named += ["exponential", "hard_sigmoid", "linear"]
    named += ["silu", "hard_silu", "relu6", "leaky_relu"] if K is keras else []
    parts = [L.Activation(name)(x) for name in named]
    slope = {"negative_slope" if K is keras else "alpha": 0.17}
    parts += [L.ReLU(max_value=1.5)(x), L.ReLU(negative_slope=0.1, max_value=2.0, threshold=0.3)(x)]
    parts += [L.LeakyReLU(**slope)(x), L.ELU(alpha=0.7)(x), L.Softmax()(x)]
    parts += [L.PReLU(shared_axes=[1, 2])(x), L.PReLU()(x)]
    return K.Model(x, L.Concatenate()(parts))


def normalizations(K):
    L, x = K.layers, K.Input(SHAPE)
    adapted = L.Normalization(axis=-1)
    adapted.adapt(ADAPTED)
    y = L.Rescaling(0.5, offset=-0.2)(x)
    z = L.Normalization(mean=[0.1, 0.2, 0.3], variance=[0.5, 1.5, 2.5])(x)
    y = L.Concatenate()([y, z, adapted(x)])
    y = L.LayerNormalization(epsilon=1e-3)(y)
    y = L.LayerNormalization(scale=False)(L.Conv2D(5, 1)(y))
    y = L.LayerNormalization(center=False, axis=[-1])(y)
    return K.Model(x, L.BatchNormalization()(L.GlobalAveragePooling2D()(y)))


def resized(K):
    L, x = K.layers, K.Input(SHAPE)
    parts = [L.Resizing(7, 13)(x), L.Resizing(7, 13, interpolation="nearest")(x)]
    return K.Model(x, L.Concatenate()(parts))


def teachable_machine(K):
    """A Sequential of Sequentials, the first around a functional model, as Teachable Machine exports it."""
    L, x = K.layers, K.Input(SHAPE, name="input_1")
    y = L.Conv2D(4, 3, strides=2, padding="same", use_bias=False, name="Conv1")(x)
    y = L.ReLU(6.0, name="Conv1_relu")(L.BatchNormalization(epsilon=1e-3, momentum=0.999, name="bn_Conv1")(y))
    z = L.DepthwiseConv2D(3, padding="same", use_bias=False, name="block_depthwise")(y)
    z = L.BatchNormalization(name="block_depthwise_BN")(z)
    z = L.Conv2D(4, 1, use_bias=False, name="block_project")(z)
    y = L.Add(name="block_add")([y, z])
    base = K.Model(x, y, name="model1")
    base.get_layer("Conv1").trainable = False
    features = K.Sequential([base, L.GlobalAveragePooling2D(name="pool")], name="features")
    head = K.Sequential([
        L.InputLayer(**{"shape" if K is keras else "input_shape": (4,)}),
        L.Dense(7, activation="relu", name="dense_1"),
        L.Dense(3, activation="softmax", use_bias=False, name="dense_2"),
    ], name="head")  # fmt: skip
    return K.Sequential([features, head], name="machine")


def shared(K):
    """Two inputs, two outputs, a layer and an inner model that are each called twice."""
    L, a, b = K.layers, K.Input(SHAPE, name="left"), K.Input(SHAPE, name="right")
    inner_x = K.Input((11, 8, 4))
    inner_y = L.Conv2D(4, 3, padding="same", activation="relu", name="inner_conv")(inner_x)
    inner = K.Model(inner_x, L.Add(name="inner_add")([inner_x, inner_y]), name="inner")
    conv = L.Conv2D(4, 3, padding="same", name="twice")
    left, right = inner(conv(a)), conv(b)
    both = L.Concatenate(name="both")([inner(right), left])
    pooled = L.GlobalAveragePooling2D(name="pooled")(both)
    return K.Model([a, b], [L.Dense(3, name="first")(pooled), L.Conv2D(2, 1, name="second")(both)])


def operators(K):
    """Sums and products written with operators, which only Keras 3 stores by their own names."""
    L, x = K.layers, K.Input(SHAPE)
    y = L.Conv2D(3, 3, padding="same")(x)
    return K.Model(x, L.Conv2D(2, 2)((x + y) * y - x))


def functions(K):
    """Activations called as functions, which Keras 3 stores as operations and tf.keras as names of functions."""
    L, x = K.layers, K.Input(SHAPE)
    y = K.activations.gelu(L.Conv2D(4, 3, padding="same")(x), approximate=True)
    parts = [y, K.activations.gelu(L.Conv2D(5, 2, padding="same")(y), approximate=False)]
    if K is keras:
        ops = keras.ops
        parts += [f(x) for f in (ops.exp, ops.hard_sigmoid, ops.hard_silu, ops.relu, ops.relu6, ops.selu, ops.sigmoid)]
        parts += [f(y) for f in (ops.silu, ops.softplus, ops.softsign, ops.tanh)]
        parts += [ops.elu(x, alpha=0.6), ops.leaky_relu(x, negative_slope=0.3), ops.softmax(x)]
    return K.Model(x, L.Dense(3)(L.GlobalAveragePooling2D()(L.Concatenate()(parts))))


MODELS = [
    convolutions, pools, squeeze_and_excite, activations, normalizations, resized, teachable_machine, shared,
    operators, functions,
]  # fmt: skip


def randomize(model, rng):
    """Random weights; variances are positive, and a Normalization keeps what it measured."""
    for weight in model.weights:
        name = getattr(weight, "path", weight.name)
        if name.split("/")[-1].removesuffix(":0") in ("mean", "variance", "count"):
            continue
        low, high = (0.5, 1.5) if "variance" in name else (-0.6, 0.6)
        weight.assign(rng.uniform(low, high, tuple(weight.shape)).astype("float32"))


def record(K, build, seed):
    """({file name: bytes}) of one model."""
    K.utils.clear_session() if K is keras else K.backend.clear_session()
    rng, model = np.random.default_rng(seed), build(K)
    randomize(model, rng)
    x = [rng.normal(0, 1, (2, *shape[1:])).astype("float32") for shape in (each.shape for each in model.inputs)]
    known = {f"x{number}": array for number, array in enumerate(x)}
    with tf.GradientTape() as tape:
        given = [tf.constant(array) for array in x]
        tape.watch(given)
        y = model(given if len(given) > 1 else given[0], training=False)
        outputs = y if isinstance(y, (list, tuple)) else [y]
        dy = rng.normal(0, 1, outputs[0].shape).astype("float32")
        loss = tf.reduce_sum(outputs[0] * dy)
    known |= {f"y{number}": each.numpy() for number, each in enumerate(outputs)}
    if len(x) == len(outputs) == 1:
        known |= {"dy": dy, "dx": tape.gradient(loss, given[0]).numpy()}
    name = f"{'k3' if K is keras else 'tfk'}_{build.__name__}"
    stored, arrays = {}, io.BytesIO()
    np.savez(arrays, **known)
    stored[f"{name}.npz"] = arrays.getvalue()
    with tempfile.TemporaryDirectory() as folder:
        endings = (".keras",) if K is keras and build is functions else (".keras", ".h5")  # Keras 3 cannot read its own
        for ending in endings:
            path = Path(folder) / f"{name}{ending}"
            model.save(path)
            stored[path.name] = path.read_bytes()
    return stored


def main():
    """Write the archive."""
    files = {}
    for seed, build in enumerate(MODELS):
        for K in (keras, tf_keras):
            if K is tf_keras and build is operators:
                continue
            files |= record(K, build, seed)
            print(build.__name__, K.__name__, flush=True)
    FIXTURES.mkdir(exist_ok=True)
    with tarfile.open(FIXTURES / "keras_models.tar.xz", "w:xz", preset=9) as archive:
        for name in sorted(files, key=lambda name: (name.split("_", 1)[1].rpartition(".")[0], name)):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            archive.addfile(entry, io.BytesIO(files[name]))
    print((FIXTURES / "keras_models.tar.xz").stat().st_size, "bytes,", len(files), "files")


if __name__ == "__main__":
    main()
