"""The learning rates of real Keras's ReduceLROnPlateau: prints the RECORDED of `test_training_plateau.py`.

    python plateau_in_keras.py          (needs keras and tensorflow)
"""

VALUES = [1.0, 0.8, 0.8, 0.79995, 0.81, 0.7, 0.75, 0.72, 0.74, 0.71, 0.70005, 0.9, 0.9, 0.6, 0.65, 0.65, 0.65, 0.65]
CASES = {
    "patience 2": {"patience": 2, "factor": 0.5},
    "cooldown": {"patience": 1, "factor": 0.5, "cooldown": 2},
    "lowest": {"patience": 1, "factor": 0.1, "min_lr": 0.002},
    "delta": {"patience": 2, "factor": 0.5, "min_delta": 0.0},
    "rising": {"patience": 2, "factor": 0.5, "mode": "max"},
    "no patience": {"patience": 0, "factor": 0.5, "cooldown": 1},
}


def main():
    import keras

    for name, options in CASES.items():
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.1), "mse")
        callback = keras.callbacks.ReduceLROnPlateau("val_loss", **options)
        callback.set_model(model)
        callback.on_train_begin()
        rates = []
        for epoch, value in enumerate(VALUES):
            rates.append(float(f"{float(model.optimizer.learning_rate):.5g}"))  # of this epoch
            callback.on_epoch_end(epoch, {"val_loss": value})
        print(f"    {name!r}: {rates},")


if __name__ == "__main__":
    main()
