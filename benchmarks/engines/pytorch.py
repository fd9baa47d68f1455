"""PyTorch, eager, in both of its layouts."""

import torch
from torch.nn import functional

from engines.channels_first import ChannelsFirst, images, images_back
from engines.problem import MOMENTUM, Problem
from engines.pytorch_network import Network

# Our names of parameters: PyTorch's.
NAMES = {"kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}
NAMES |= {"moving_mean": "running_mean", "moving_variance": "running_var"}


class ChannelsLast:
    """The network as torchvision builds it, ReLUs and sums in place, in the memory format channels_last."""

    version = f"PyTorch {torch.__version__}"
    format = torch.channels_last

    def __init__(self, path, threads):
        torch.set_num_threads(threads)
        problem = Problem.load(path)
        self.turned = ChannelsFirst(problem)
        self.net = Network(problem)
        self.last = problem.layers[-1].get("activation")
        with torch.no_grad():
            for name, array in problem.weights.items():
                turned = self.turned.turn(name, array)
                self._parameter(name).copy_(torch.from_numpy(turned.T if turned.ndim == 2 else turned))
        self.net = self.net.to(memory_format=self.format)
        self.x = torch.from_numpy(images(problem.x)).to(memory_format=self.format)
        self.loss, self.has_dropout = problem.loss, problem.has_dropout
        if self.loss is None:
            self.net.eval()
            return
        frozen = tuple(f"{layer['name']}/" for layer in problem.layers if not layer.get("trainable", True))
        statistics = "/moving_mean", "/moving_variance"
        self.learned = [n for n in problem.weights if not n.endswith(statistics) and not n.startswith(frozen)]
        for name in problem.weights.keys() - set(self.learned):
            if not name.endswith(statistics):
                self._parameter(name).requires_grad = False
        self.target = torch.from_numpy(images(problem.target))
        if self.target.ndim == 4:
            self.target = self.target.to(memory_format=self.format)
        self.optimizer = torch.optim.SGD(self.net.parameters(), problem.learning_rate, momentum=MOMENTUM, nesterov=True)

    def _parameter(self, name):
        layer, _, parameter = name.rpartition("/")
        return getattr(self.net.modules_of[layer][0], NAMES[parameter])

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
        """See `engines`."""
        last = {"softmax": lambda s: s.softmax(1), "sigmoid": torch.sigmoid}.get(self.last, lambda s: s)
        if self.loss is None:
            with torch.inference_mode():
                return {"output": images_back(last(self.net(self.x)).cpu().numpy())}
        self.net.eval()
        output, loss = self._backward()
        self.net.train()
        found = {"output": images_back(last(output.detach()).cpu().numpy()), "loss": loss.detach().cpu().numpy()}
        for name in self.learned:
            gradient = self._parameter(name).grad.contiguous().cpu().numpy()
            found[f"gradient of {name}"] = self.turned.turn_back(name, gradient.T if gradient.ndim == 2 else gradient)
        if not self.has_dropout:
            found["loss in training"] = self._backward()[1].detach().cpu().numpy()
        return found

    def run(self):
        """One training step or forward pass."""
        if self.loss is None:
            with torch.inference_mode():
                self.net(self.x)
        else:
            self._backward()
            self.optimizer.step()


class Contiguous(ChannelsLast):
    """The same in PyTorch's default layout (N, C, H, W)."""

    format = torch.contiguous_format
