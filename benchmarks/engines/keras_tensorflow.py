"""Keras 3 on TensorFlow."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # this comparison runs on the processor

import keras
import numpy as np
import tensorflow as tf

from engines.problem import MOMENTUM, Problem


def weighted_sum(target, output):
    """sum(y * target) for each image; Keras takes the mean over the images."""
    return keras.ops.sum(target * output, axis=(1, 2, 3))


class Keras:
    """`keras.Sequential` with `train_on_batch` and `predict_on_batch`, which Keras compiles."""

    version = f"Keras {keras.__version__}, TensorFlow {tf.__version__}"

    def __init__(self, path, threads):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        problem = Problem.load(path)
        last = problem.layers[-1].get("activation")
        self.last = {"softmax": tf.nn.softmax, "sigmoid": tf.nn.sigmoid}.get(last, tf.identity)
        self.model = keras.Sequential(
            [keras.Input(problem.x.shape[1:]), *(self._layer(layer) for layer in problem.layers)]
        )
        for layer in self.model.layers:
            if layer.weights:
                layer.set_weights([problem.weights[f"{layer.name}/{name}"] for name in ("kernel", "bias")])
        self.x = tf.constant(problem.x)
        self.trains = problem.loss is not None
        if self.trains:
            self.target = tf.constant(problem.target)
            losses = {
                "cross_entropy": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                "binary_cross_entropy": keras.losses.BinaryCrossentropy(from_logits=True),
                "weighted_sum": weighted_sum,
            }
            optimizer = keras.optimizers.SGD(problem.learning_rate, momentum=MOMENTUM, nesterov=True)
            self.model.compile(optimizer, losses[problem.loss])
            self.loss = losses[problem.loss]

    @staticmethod
    def _layer(layer):
        """The same layer in Keras, which has the same keywords; a final softmax or sigmoid is left to the loss."""
        of_ours = ("class", "algorithm", "trainable")
        arguments = {key: value for key, value in layer.items() if key not in of_ours}
        for key in ("kernel_size", "strides", "pool_size"):
            if key in arguments:
                arguments[key] = tuple(arguments[key])
        if arguments.get("activation") in ("softmax", "sigmoid"):
            arguments["activation"] = None
        kind = {"MaxPool2D": "MaxPooling2D"}.get(layer["class"], layer["class"])
        return getattr(keras.layers, kind)(**arguments)

    def results(self):
        if not self.trains:
            return {"output": self.model.predict_on_batch(self.x)}
        weights = self.model.trainable_weights
        with tf.GradientTape() as tape:
            output = self.model(self.x, training=False)
            loss = tf.reduce_mean(self.loss(self.target, output))
        gradients = tape.gradient(loss, [weight.value for weight in weights])
        names = [
            f"gradient of {layer.name}/{name}"
            for layer in self.model.layers
            if layer.weights
            for name in ("kernel", "bias")
        ]
        found = {name: np.asarray(gradient) for name, gradient in zip(names, gradients, strict=True)}
        return {"output": self.last(output).numpy(), "loss": loss.numpy(), **found}

    def run(self):
        if self.trains:
            self.model.train_on_batch(self.x, self.target)
        else:
            self.model.predict_on_batch(self.x)
