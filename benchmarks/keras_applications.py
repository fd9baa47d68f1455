"""Opens every network of `keras.applications` here, and compares its predictions with Keras's.

    python benchmarks/keras_applications.py [NAME ...]          where keras and tensorflow are installed

Each network gets random weights and random statistics (nothing is downloaded), is saved as `.keras`, opened with
`load_model`, and shown one random image, of its usual size where Keras names one, or of `--size`. All differences are
the largest one over the largest prediction; the softmax at the end is left out, so that it hides nothing.

With random weights the deepest networks magnify rounding a thousandfold, so that two right answers in float32 differ.
So Keras computes in float64 as well, with the same weights: `Keras 32-64` is how far its own float32 is from that, and
`ours 32-64` how far ours is. A network agrees if ours is within 1e-4 of Keras, or no further from float64 than twice as
far as Keras itself. `--dtype float64` compares both libraries in float64 alone. The two that magnify it most are
EfficientNetV2S and V2M: Keras in float32 is 42 and 76 percent of the largest value away from itself in float64, ours 16
and 79 percent, and in float64 the two libraries differ by 2e-11 and 9e-8.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="")

import numpy as np

import minitorch_cnn as mtc
from minitorch_cnn.cli.arguments import positive_integer

try:
    import keras
except ImportError as problem:
    keras, MISSING = None, problem.name  # `--help` and the checks of the options need neither library

FIRST = [
    "MobileNet", "MobileNetV2", "ResNet50", "DenseNet121", "InceptionV3", "Xception", "EfficientNetB0", "ConvNeXtTiny",
    "NASNetMobile", "MobileNetV3Small", "MobileNetV3Large", "ResNet50V2", "EfficientNetV2B0", "InceptionResNetV2",
    "VGG16",
]  # fmt: skip
MOST_ERROR = {"float32": 1e-4, "float64": 1e-6}
SIZE = 224  # of the image where a network takes every size


def all_names():
    """The networks, the small ones first."""
    found = [name for name, value in vars(keras.applications).items() if callable(value) and name[0].isupper()]
    return [*FIRST, *sorted(set(found) - set(FIRST))]


def randomize(model, rng):
    """Random statistics and factors; the kernels are random already, as Keras initializes them."""
    for layer in model.layers:
        for weight in layer.weights:
            kind = weight.path.split("/")[-1]
            if kind in ("gamma", "moving_variance", "beta", "moving_mean", "bias", "mean", "variance"):
                low, high = (-0.1, 0.1) if kind in ("beta", "moving_mean", "bias", "mean") else (0.8, 1.25)
                weight.assign(rng.uniform(low, high, tuple(weight.shape)).astype("float32"))
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with copies of its weights


def compare(name, folder, dtype, size):
    """(parameters, layers, errors by name, seconds of opening, seconds of Keras's prediction, seconds of ours)."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    rng = np.random.default_rng(0)
    settings = {"weights": None, "classifier_activation": None}
    if size:
        settings["input_shape"] = (size, size, 3)
    model = getattr(keras.applications, name)(**settings)
    randomize(model, rng)
    path = Path(folder) / f"{name}.keras"
    model.save(path)
    shape = tuple(size or SIZE for size in model.input_shape[1:])
    x = rng.uniform(-1, 1, (1, *shape)).astype(dtype)
    if any(layer.__class__.__name__ == "Rescaling" for layer in model.layers):
        x = 127.5 * (x + 1)  # the network begins with its preprocessing
    theirs, keras_seconds = timed(lambda: np.asarray(model(x, training=False)))
    ours, opening = timed(lambda: mtc.load_model(path, input_shape=shape, dtype=dtype))
    y, seconds = timed(lambda: ours.predict(x))
    path.unlink()
    largest = np.abs(theirs).max()
    errors = {"ours-Keras": float(np.abs(y - theirs).max() / largest)}
    if dtype == "float32":
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
        exact = getattr(keras.applications, name)(**settings)
        exact.set_weights(model.get_weights())
        for layer in exact.layers:
            if isinstance(layer, keras.layers.Normalization):
                layer.finalize_state()
        truth = np.asarray(exact(x.astype("float64"), training=False))
        errors |= {"Keras 32-64": float(np.abs(theirs - truth).max() / largest)}
        errors |= {"ours 32-64": float(np.abs(y - truth).max() / largest)}
    parameters = sum(layer.count_parameters() for layer in ours.layers)
    return parameters, len(ours.layers), errors, opening, keras_seconds, seconds


def agrees(errors, dtype):
    """Whether the two predictions are the same but for rounding."""
    if errors["ours-Keras"] < MOST_ERROR[dtype]:
        return True
    return dtype == "float32" and errors["ours 32-64"] < 2 * errors["Keras 32-64"]


def timed(work):
    """(result, seconds)."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def main():
    """Print the table; the exit code is 1 if a network could not be opened or differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks of keras.applications (default: all)")
    parser.add_argument("--dtype", choices=MOST_ERROR, default="float32", help="the precision of both libraries")
    parser.add_argument(
        "--size", type=positive_integer, help="pixels of the image's sides (default: the network's usual size)"
    )
    options = parser.parse_args()
    if keras is None:
        parser.error(f"{MISSING} is not installed: pip install tensorflow keras")
    if unknown := sorted(set(options.names) - set(all_names())):
        parser.error(f"no network of keras.applications is called {', '.join(unknown)}")
    names, dtype = options.names or all_names(), options.dtype
    columns = ["ours-Keras", *(["Keras 32-64", "ours 32-64"] if dtype == "float32" else [])]
    print(f"keras {keras.__version__}, {dtype}; opened, Keras, ours: seconds")
    head = f"{'network':<20}{'parameters':>13}{'layers':>8}{''.join(f'{each:>13}' for each in columns)}"
    print(f"{head}{'opened':>9}{'Keras':>8}{'ours':>8}", flush=True)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            try:
                parameters, count, errors, opening, theirs, ours = compare(name, folder, dtype, options.size)
            except Exception as problem:  # the others are still of interest
                failed += 1
                print(f"{name:<20} {type(problem).__name__}: {' '.join(str(problem).split())[:300]}", flush=True)
                continue
            failed += not agrees(errors, dtype)
            row = f"{name:<20}{parameters:>13,}{count:>8}{''.join(f'{errors[each]:>13.1e}' for each in columns)}"
            print(f"{row}{opening:>9.1f}{theirs:>8.1f}{ours:>8.1f}", flush=True)
    print(f"{len(names) - failed} of {len(names)} agree")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
