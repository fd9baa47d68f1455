"""This package."""

import numba
import numpy as np

import minitorch_cnn as mtc
from engines.problem import MOMENTUM, Problem
from minitorch_cnn import losses, optimizers


class WeightedSum(losses.Loss):
    """sum(y * weights) / N."""

    def value_and_gradient(self, prediction, labels):
        """dL/dy = weights / N."""
        return float(np.vdot(prediction, labels)) / len(prediction), labels / np.float32(len(labels))


class Network:
    """The network of a problem with its weights and its batch."""

    def __init__(self, problem):
        self.x, self.target = problem.x, problem.target
        self.has_dropout = problem.has_dropout
        self.model = (mtc.Model if "nodes" in problem.config else mtc.Sequential).from_config(problem.config)
        for layer in self.model.layers:
            for name in layer.parameter_shapes():
                layer.parameters[name] = problem.weights[f"{layer.name}/{name}"]
        loss = {
            "cross_entropy": losses.CrossEntropy,
            "binary_cross_entropy": losses.BinaryCrossEntropy,
            "weighted_sum": WeightedSum,
            None: lambda: None,
        }
        self.loss = loss[problem.loss]()
        self.optimizer = optimizers.SGD(problem.learning_rate, momentum=MOMENTUM, nesterov=True)

    def results(self):
        """See `engines`."""
        if self.loss is None:
            return {"output": self.model.predict(self.x, batch_size=len(self.x))}
        loss = self.model.loss_and_gradients(self.x, self.target, self.loss, training=False)
        gradients = {
            f"gradient of {layer.name}/{name}": gradient.copy()
            for layer in self.model.layers
            for name, gradient in layer.gradients.items()
        }
        found = {"output": self.model.prediction, "loss": np.float64(loss), **gradients}
        if not self.has_dropout:
            found["loss in training"] = np.float64(self.model.loss_and_gradients(self.x, self.target, self.loss))
        return found

    def run(self, images=None):
        """One training step or forward pass, with all images of the batch or with the first `images`."""
        x = self.x[:images]
        if self.loss is None:
            self.model.predict(x, batch_size=len(x))
        else:
            self.model.train_step(x, self.target[:images], self.loss, self.optimizer)


class Minitorch(Network):
    """The engine as users have it, with compiled twins."""

    version = f"minitorch_cnn {mtc.__version__}"

    def __init__(self, path, threads):
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        super().__init__(Problem.load(path))
