"""PyTorch, eager, in both of its layouts."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from engines.channels_first import ChannelsFirst, images, images_back, side
from engines.problem import MOMENTUM, Problem


class ChannelsLast:
    """`nn.Sequential` with in-place ReLUs, as torchvision builds VGG16, in the memory format channels_last."""

    version = f"PyTorch {torch.__version__}"
    format = torch.channels_last

    def __init__(self, path, threads):
        torch.set_num_threads(threads)
        problem = Problem.load(path)
        self.turned = ChannelsFirst(problem)
        self.layers = {}
        self.net = nn.Sequential(*self._modules(problem))
        with torch.no_grad():
            for name, layer in self.layers.items():
                layer.weight.copy_(torch.from_numpy(self._turn(f"{name}/kernel", problem.weights[f"{name}/kernel"])))
                layer.bias.copy_(torch.from_numpy(problem.weights[f"{name}/bias"]))
        self.net = self.net.to(memory_format=self.format)
        self.x = torch.from_numpy(images(problem.x)).to(memory_format=self.format)
        self.loss = problem.loss
        if self.loss is None:
            self.net.eval()
            return
        self.target = torch.from_numpy(images(problem.target))
        if self.target.ndim == 4:
            self.target = self.target.to(memory_format=self.format)
        self.optimizer = torch.optim.SGD(self.net.parameters(), problem.learning_rate, momentum=MOMENTUM, nesterov=True)

    def _modules(self, problem):
        """The layers one by one; a final softmax or sigmoid is left to the loss."""
        shape = problem.x.shape[1:]
        for layer in problem.layers:
            kind, name = layer["class"], layer["name"]
            if kind == "Conv2D":
                self.layers[name] = nn.Conv2d(
                    shape[2], layer["filters"], tuple(layer["kernel_size"]), padding=side(layer)
                )
                yield self.layers[name]
            elif kind == "Dense":
                self.layers[name] = nn.Linear(shape[0], layer["units"])
                yield self.layers[name]
            elif kind == "MaxPool2D":
                yield nn.MaxPool2d(tuple(layer["pool_size"]), tuple(layer["strides"]))
            elif kind == "Dropout":
                yield nn.Dropout(layer["rate"])
            else:
                yield {"Flatten": nn.Flatten}[kind]()
            if layer.get("activation") == "relu":
                yield nn.ReLU(inplace=True)
            shape = problem.shapes[name]
        self.last = layer.get("activation")

    def _turn(self, name, kernel):
        turned = self.turned.turn(name, kernel)
        return turned if kernel.ndim == 4 else np.ascontiguousarray(turned.T)

    def _turn_back(self, name, gradient):
        gradient = gradient.contiguous().numpy()
        return self.turned.turn_back(name, gradient if gradient.ndim == 4 else gradient.T)

    def _backward(self):
        """(output, loss), after computing the gradients."""
        self.optimizer.zero_grad()
        output = self.net(self.x)
        if self.loss == "cross_entropy":
            loss = functional.cross_entropy(output, self.target)
        elif self.loss == "binary_cross_entropy":
            loss = functional.binary_cross_entropy_with_logits(output, self.target)
        else:
            loss = (output * self.target).sum() / len(output)
        loss.backward()
        return output, loss

    def results(self):
        if self.loss is None:
            with torch.inference_mode():
                return {"output": images_back(self.net(self.x).numpy())}
        self.net.eval()
        output, loss = self._backward()
        self.net.train()
        last = {"softmax": lambda s: s.softmax(1), "sigmoid": torch.sigmoid}.get(self.last, lambda s: s)
        found = {"output": images_back(last(output.detach()).numpy()), "loss": loss.detach().numpy()}
        for name, layer in self.layers.items():
            found[f"gradient of {name}/kernel"] = self._turn_back(f"{name}/kernel", layer.weight.grad)
            found[f"gradient of {name}/bias"] = layer.bias.grad.numpy()
        return found

    def run(self):
        if self.loss is None:
            with torch.inference_mode():
                self.net(self.x)
        else:
            self._backward()
            self.optimizer.step()


class Contiguous(ChannelsLast):
    """The same in PyTorch's default layout (N, C, H, W)."""

    format = torch.contiguous_format
