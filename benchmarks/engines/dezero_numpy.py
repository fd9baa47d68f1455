"""DeZero, the NumPy engine built in the book Deep Learning from Scratch 3."""

import numpy as np

if not hasattr(np, "int"):
    np.int = int  # DeZero 0.0.13 needs it and NumPy 1.24 removed it; nothing that is timed uses it

import dezero
from dezero import functions
from threadpoolctl import threadpool_limits

from engines.channels_first import ChannelsFirst, images, images_back, side
from engines.problem import MOMENTUM, Problem


class DeZero:
    """A chain of DeZero's layers and functions; its SGD has momentum, but not Nesterov momentum."""

    version = f"DeZero {dezero.__version__}"

    def __init__(self, path, threads):
        threadpool_limits(threads, user_api="blas")
        problem = Problem.load(path)
        self.turned = ChannelsFirst(problem)
        self.model = dezero.Model()
        self.layers, self.chain = {}, []
        for layer in problem.layers:
            self._add(layer)
        for name, layer in self.layers.items():
            layer.W.data = self.turned.turn(f"{name}/kernel", problem.weights[f"{name}/kernel"])
            layer.b.data = problem.weights[f"{name}/bias"].copy()
            setattr(self.model, name, layer)  # so that the optimizer finds its parameters
        self.last = problem.layers[-1].get("activation")
        self.x = images(problem.x)
        self.loss, self.has_dropout = problem.loss, problem.has_dropout
        if self.loss is not None:
            self.target = images(problem.target)
            self.optimizer = dezero.optimizers.MomentumSGD(problem.learning_rate, MOMENTUM).setup(self.model)

    def _add(self, layer):
        kind, name = layer["class"], layer["name"]
        if kind == "Conv2D":
            self.layers[name] = dezero.layers.Conv2d(layer["filters"], tuple(layer["kernel_size"]), pad=side(layer))
            self.chain.append(self.layers[name])
        elif kind == "Dense":
            self.layers[name] = dezero.layers.Linear(layer["units"])
            self.chain.append(self.layers[name])
        elif kind == "MaxPool2D":
            size, strides = tuple(layer["pool_size"]), tuple(layer["strides"])
            self.chain.append(lambda x: functions.pooling(x, size, strides))
        elif kind == "Dropout":
            self.chain.append(lambda x: functions.dropout(x, layer["rate"]))
        else:
            self.chain.append({"Flatten": functions.flatten}[kind])
        if layer.get("activation") == "relu":
            self.chain.append(functions.relu)

    def _forward(self):
        value = dezero.Variable(self.x)
        for function in self.chain:
            value = function(value)
        return value

    def _backward(self):
        """(output, loss), after computing the gradients."""
        self.model.cleargrads()
        output = self._forward()
        if self.loss == "cross_entropy":
            loss = functions.softmax_cross_entropy(output, self.target)
        elif self.loss == "binary_cross_entropy":
            loss = functions.sigmoid_cross_entropy(output, self.target)
        else:
            loss = functions.sum(output * self.target) / np.float32(len(self.target))
        loss.backward()
        return output, loss

    def results(self):
        with dezero.test_mode():
            if self.loss is None:
                with dezero.no_grad():
                    return {"output": images_back(self._forward().data)}
            output, loss = self._backward()
        last = {"softmax": functions.softmax, "sigmoid": functions.sigmoid}.get(self.last, lambda s: s)
        found = {"output": images_back(last(output).data), "loss": np.asarray(loss.data)}
        for name, layer in self.layers.items():
            found[f"gradient of {name}/kernel"] = self.turned.turn_back(f"{name}/kernel", layer.W.grad.data)
            found[f"gradient of {name}/bias"] = layer.b.grad.data
        if not self.has_dropout:
            found["loss in training"] = np.asarray(self._backward()[1].data)
        return found

    def run(self):
        if self.loss is None:
            with dezero.test_mode(), dezero.no_grad():
                self._forward()
        else:
            self._backward()
            self.optimizer.update()
