"""What class and sample weights do in real Keras: prints the RECORDED of `test_training_weights.py`.

    python weights_in_keras.py          (needs keras and tensorflow)

Each case trains a dense layer for two epochs of uneven batches, in order, and prints Keras's losses and kernel.
"""

import numpy as np

N, EPOCHS, BATCH, RATE = 23, 2, 6, 0.5
# name: (activation, units, loss in Keras, its settings)
CASES = {
    "classes": ("softmax", 3, "sparse_categorical_crossentropy", {"class_weight": {0: 2.0, 2: 0.25}}),
    "one-hot": ("softmax", 3, "categorical_crossentropy", {"class_weight": {0: 2.0, 2: 0.25}}),
    "samples": ("softmax", 3, "sparse_categorical_crossentropy", {"sample_weight": True}),
    "binary": ("sigmoid", 1, "binary_crossentropy", {"class_weight": {0: 0.5, 1: 3.0}}),
    "several": ("sigmoid", 2, "binary_crossentropy", {"sample_weight": True}),
    "squares": (None, 2, "mean_squared_error", {"sample_weight": True}),
}


def data(name):
    """(x, labels, initial kernel, settings of fit) of a case, all from simple formulas."""
    activation, units, _, settings = CASES[name]
    x = np.sin(np.arange(N * 4, dtype=np.float32).reshape(N, 4) * 1.7)
    numbers = np.arange(N) * 7 % 5 % max(units, 2)
    if name in ("classes", "samples"):
        labels = numbers
    elif name == "one-hot":
        labels = np.eye(3, dtype=np.float32)[numbers]
    elif name == "binary":
        labels = numbers.astype(np.float32)
    else:
        labels = (np.cos(np.arange(N * 2).reshape(N, 2)) > 0).astype(np.float32)
    kernel = np.cos(np.arange(4 * units, dtype=np.float32)).reshape(4, units) / 2
    weights = (np.arange(N) * 5 % 11 / 4).astype(np.float32)
    if settings.get("sample_weight"):
        settings = {"sample_weight": weights}
    return x, labels, kernel, settings


def main():
    import keras

    for name, (activation, units, loss, _) in CASES.items():
        x, labels, kernel, settings = data(name)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, activation=activation)])
        model.layers[0].set_weights([kernel, np.zeros(units)])
        model.compile(keras.optimizers.SGD(RATE), loss)
        options = {"epochs": EPOCHS, "batch_size": BATCH, "shuffle": False, "verbose": 0}
        split = model.fit(x, labels, validation_split=0.3, **options, **settings).history
        trained = model.layers[0].get_weights()[0].reshape(-1)
        print(f"    {name!r}: (")
        for values in (split["loss"], split["val_loss"], trained):
            print(f"        {[round(float(value), 7) for value in values]},")
        print("    ),")


if __name__ == "__main__":
    main()
