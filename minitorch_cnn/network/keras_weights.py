"""A model and Keras's weight files: what `keras_h5` has to know of the model, and where the arrays go.

`keras_h5` reads and writes files and knows no layers; the layers know no files. This is the page where they meet.
"""

from dataclasses import replace

from minitorch_cnn import keras_h5
from minitorch_cnn.arrays import on_host

# Our classes whose name is another one in Keras.
KERAS_CLASSES = {
    "AveragePool2D": "AveragePooling2D",
    "BatchNorm": "BatchNormalization",
    "GlobalAveragePool2D": "GlobalAveragePooling2D",
    "MaxPool2D": "MaxPooling2D",
    "Sigmoid": "Activation",
    "Tanh": "Activation",
    "ZeroPad2D": "ZeroPadding2D",
}


class KerasWeights:
    """The weight files of a `Sequential`."""

    def load_weights(self, path, by_name=False, skip_mismatch=False, **options):
        """Load a Keras weight file of any dialect: every array, or none.

        Layers are paired in order, or with `by_name` those of equal names only; `skip_mismatch` leaves layers alone
        whose shapes differ. The other options, for old files that leave something open, are those of `keras_h5.load`.

        Returns what was loaded: `print(result.report)` says what came from where, with the fingerprints of the model's
        weights before and after, `result.skipped` what was left out, `result.weights` are the model's own arrays.
        Raises WeightsError, in one line, where the file is unsound or does not fit; the model then has the weights it
        had.
        """
        target, before = target_of(self), self.fingerprints_now()
        loaded = keras_h5.load(path, target, by_name, skip_mismatch, dtype=self.dtype, **options)
        for name, arrays in loaded.weights.items():
            self.get_layer(name).load(arrays)
        after = self.fingerprints_now()
        for row in loaded.report.layers:
            if row.goes_to in loaded.weights:
                row.before, row.fingerprint = before[row.goes_to], after[row.goes_to]
        return replace(loaded, weights={name: dict(self.get_layer(name).parameters) for name in loaded.weights})

    def save_weights(self, path):
        """Write the weights where Keras can load them, in float32.

        A name ending in .weights.h5 gives the format of Keras 3, any other .h5 the one that all versions read. Raises
        WeightsError where the file cannot be written, and leaves an older one as it was.
        """
        keras_h5.save(path, target_of(self), self._host_weights(self.layers))

    def fingerprints(self):
        """{layer name: twelve hexadecimal digits} of every layer with weights, equal where all weights are equal."""
        return {name: keras_h5.fingerprint(arrays) for name, arrays in self._host_weights(self.layers).items()}

    def fingerprints_now(self):
        """As `fingerprints`, but weights that nobody has looked at are "initial", and are not drawn for this."""
        self._require_built()
        drawn = [layer for layer in self.layers if layer._undrawn is None]
        arrays = self._host_weights(drawn)
        return {
            layer.name: keras_h5.fingerprint(arrays[layer.name]) if layer.name in arrays else "initial"
            for layer in self.layers
            if layer.parameter_shapes()
        }

    def keras_target(self):
        """The model as `keras_h5` sees it; so `keras_h5.inspect(path, model)` takes the model itself."""
        return target_of(self)

    def _host_weights(self, layers):
        """{layer name: {name: array}} of those of the layers with weights, as NumPy arrays."""
        self._require_built()
        return {
            layer.name: {name: on_host(array) for name, array in layer.parameters.items()}
            for layer in layers
            if layer.parameter_shapes()
        }


def target_of(model):
    """A `keras_h5.Target` of the model's names, classes and shapes; no weight is looked at."""
    model._require_built()
    layers, flattened = [], None
    for layer in model.layers:
        kind = KERAS_CLASSES.get(type(layer).__name__, type(layer).__name__)
        layers.append(
            keras_h5.TargetLayer(
                layer.name,
                kind,
                layer.parameter_shapes(),
                layer.input_shape,
                layer.output_shape,
                layer.trainable,
                flattened if kind in ("Dense", "BatchNormalization") else None,
            )
        )
        if kind == "Flatten" and len(layer.input_shape) == 3:
            flattened = layer.input_shape
        elif kind == "Dense":
            flattened = None
    return keras_h5.Target(layers, model.input_shape)
