"""Keras 3 on TensorFlow; it reads the network that this package saves as a .keras file."""

import os
from pathlib import Path

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
    """The network with `train_on_batch` and `predict_on_batch`, which Keras compiles."""

    version = f"Keras {keras.__version__}, TensorFlow {tf.__version__}"

    def __init__(self, path, threads):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        problem = Problem.load(path)
        self.model = keras.models.load_model(Path(path).with_suffix(".keras"), compile=False)
        self.x, self.has_dropout = tf.constant(problem.x), problem.has_dropout
        self.trains = problem.loss is not None
        if not self.trains:
            return
        activation = problem.layers[-1].get("activation")  # left to the loss
        self.last = {"softmax": tf.nn.softmax, "sigmoid": tf.nn.sigmoid}.get(activation, tf.identity)
        if self.last is not tf.identity:
            self.model.layers[-1].activation = keras.activations.linear
        self.target = tf.constant(problem.target)
        losses = {
            "cross_entropy": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "binary_cross_entropy": keras.losses.BinaryCrossentropy(from_logits=True),
            "weighted_sum": weighted_sum,
        }
        optimizer = keras.optimizers.SGD(problem.learning_rate, momentum=MOMENTUM, nesterov=True)
        self.model.compile(optimizer, losses[problem.loss])
        self.loss = losses[problem.loss]

    def results(self):
        """See `engines`."""
        if not self.trains:
            return {"output": self.model.predict_on_batch(self.x)}
        weights = [(layer.name, weight) for layer in self.model.layers for weight in layer.trainable_weights]
        with tf.GradientTape() as tape:
            output = self.model(self.x, training=False)
            loss = tf.reduce_mean(self.loss(self.target, output))
        gradients = tape.gradient(loss, [weight.value for _, weight in weights])
        found = {"output": self.last(output).numpy(), "loss": loss.numpy()}
        for (layer, weight), gradient in zip(weights, gradients, strict=True):
            found[f"gradient of {layer}/{weight.name}"] = np.asarray(gradient)
        if not self.has_dropout:
            output = self.model(self.x, training=True)
            found["loss in training"] = tf.reduce_mean(self.loss(self.target, output)).numpy()
        return found

    def run(self):
        """One training step or forward pass."""
        if self.trains:
            self.model.train_on_batch(self.x, self.target)
        else:
            self.model.predict_on_batch(self.x)
