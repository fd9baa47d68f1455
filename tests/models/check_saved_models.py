"""Opens what `Model.save` wrote in real Keras 3 and tf_keras, and compares the predictions.

    python tests/models/check_saved_models.py           where keras, tf_keras and tensorflow are installed

The models are those of `fixtures/keras_models.tar.xz`: opened here, saved, and opened by Keras.
"""

import os
import tarfile
import tempfile
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="")

import keras
import numpy as np
import tf_keras

import minitorch_cnn as mtc
from minitorch_cnn.errors import ArgumentError

ARCHIVE = Path(__file__).parent / "fixtures" / "keras_models.tar.xz"
MOST_ERROR = 1e-5  # of the largest prediction


def first(outputs):
    """The first of several outputs, or the only one."""
    return np.asarray(outputs[0] if isinstance(outputs, (list, tuple)) else outputs)


def main():
    """Print a line for each file; the exit code is 1 if Keras cannot open one or predicts something else."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(folder, filter="data")
        for path in sorted(Path(folder).glob("*.keras")):
            known = np.load(path.with_suffix(".npz"))
            x = [known[key] for key in sorted(known) if key[0] == "x"]
            model = mtc.load_model(path)
            for library, ending in ((keras, ".keras"), (tf_keras, ".h5"), (keras, ".h5")):
                saved = Path(folder) / f"saved{ending}"
                try:
                    model.save(saved)
                except ArgumentError as error:  # an activation that Keras 2 does not have
                    print(f"{path.stem:<24}{library.__name__:>9} {ending:<7} {error}")
                    continue
                opened = library.models.load_model(saved, compile=False)
                y = first(opened(x if len(x) > 1 else x[0], training=False))
                error = float(np.abs(y - known["y0"]).max() / np.abs(known["y0"]).max())
                failed += not error < MOST_ERROR
                print(f"{path.stem:<24}{library.__name__:>9} {ending:<7} {error:.1e}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
