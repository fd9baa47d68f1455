"""`train cifar10 --recipe fast` in PyTorch, with the same batches, first weights, rates and views: how good, and when?

    python benchmarks/fast_in_pytorch.py --data DIR [--seed 0] [--epochs 12] [--validation 5000]

The batches are prepared by this package, as they are for its own training, so that only the step and the prediction
differ. `versus.py --work cifar10-fast-step` measures the ratio of the steps; this script, which accuracy PyTorch ends
at, and after how many minutes. With `--engine minitorch_cnn` our own step runs in its place.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import tricks
from engines.problem import Problem

from minitorch_cnn import losses, schedules
from minitorch_cnn.datasets import Augmentation
from minitorch_cnn.datasets.batches import Batches
from minitorch_cnn.models.fast_recipe import BETA_FACTOR, FAST
from minitorch_cnn.network.views import views

PREDICTED = 500  # images at a time


class Ours:
    """This package's step and prediction."""

    def __init__(self, model, x, steps, threads):
        self.model, self.loss = model, losses.CrossEntropy(FAST.label_smoothing)
        self.optimizer = FAST.optimizer(FAST.learning_rate, steps)

    def step(self, x, y):
        self.model.train_step(x, y, self.loss, self.optimizer)

    def predict(self, x):
        return self.model.predict(x, batch_size=len(x))


def pytorch(model, x, steps, threads):
    """The same with PyTorch, in channels_last; all engines of `versus.py` get their network in this form."""
    try:
        import torch
        from engines.pytorch import ChannelsLast, images
        from torch.nn import functional
    except ImportError:
        raise SystemExit("fast_in_pytorch.py: PyTorch is not installed: pip install torch==2.13.0") from None

    class PyTorch(ChannelsLast):
        def __init__(self, path):
            super().__init__(path, threads)
            self.net.train()
            self.schedule, self.taken = schedules.Triangle(FAST.learning_rate, steps), 0
            shifts = [self._parameter(name) for name in self.learned if name.endswith("/beta")]
            self.kernels = [self._parameter(name) for name in self.learned if name.endswith("/kernel")]
            groups = [{"params": self.kernels, "factor": 1.0}, {"params": shifts, "factor": BETA_FACTOR}]
            self.optimizer = torch.optim.SGD(groups, FAST.learning_rate, FAST.momentum, nesterov=True)

        def _array(self, x):
            return torch.from_numpy(images(x)).to(memory_format=self.format)

        def step(self, x, y):
            rate, self.taken = self.schedule(self.taken), self.taken + 1
            for group in self.optimizer.param_groups:
                group["lr"] = rate * group["factor"]
            self.optimizer.zero_grad()
            scores = self.net(self._array(x))
            functional.cross_entropy(scores, torch.from_numpy(y), label_smoothing=FAST.label_smoothing).backward()
            with torch.no_grad():  # decay apart from the gradient, as in Keras
                torch._foreach_mul_(self.kernels, 1 - rate * FAST.weight_decay)
            self.optimizer.step()

        def predict(self, x):
            self.net.eval()
            with torch.inference_mode():
                found = self.net(self._array(x)).softmax(1).numpy()
            self.net.train()
            return found

    shapes = {layer.name: layer.output_shape for layer in model.layers}
    weights = {f"{layer.name}/{name}": array for layer in model.layers for name, array in layer.parameters.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "problem.npz")
        target = np.zeros(len(x), np.int64)
        Problem(model.config(), shapes, weights, x, target, "cross_entropy", FAST.learning_rate).save(path)
        return PyTorch(path)


ENGINES = {"pytorch": pytorch, "minitorch_cnn": Ours}


def accuracy(engine, model, data, average_over):
    """The share of the test images that the mean over the views gets right."""
    right = 0
    for first in range(0, len(data.test_images), PREDICTED):
        x = model.receive(data.test_images[first : first + PREDICTED])
        answers = sum(engine.predict(np.ascontiguousarray(view(x))) for view in views(average_over, model))
        right += int((answers.argmax(axis=1) == data.test_labels[first : first + PREDICTED]).sum())
    return right / len(data.test_images)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="the folder or archive with CIFAR-10 (default: downloaded once)")
    parser.add_argument("--engine", choices=list(ENGINES), default="pytorch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=FAST.epochs)
    parser.add_argument("--validation", type=int, default=0, metavar="N", help="measure on so many training images")
    parser.add_argument("--images", type=int, help="train with the first images only")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    options.quick = options.jpeg = False
    data = tricks.load(options)
    images, labels = data.train_images, data.train_labels
    model = FAST.model(data, options.seed)
    batches = Batches(
        images, labels.astype(np.int64), FAST.batch_size, seed=options.seed, augment=Augmentation(**FAST.augment),
        transform=model.receive,
    )  # fmt: skip
    engine = ENGINES[options.engine](model, model.receive(images[:2]), len(batches) * options.epochs, options.threads)
    seconds = 0.0
    for epoch in range(options.epochs):
        begin = time.perf_counter()
        for x, y in batches.epoch(epoch):
            engine.step(x, y)
        seconds += time.perf_counter() - begin
        found = accuracy(engine, model, data, ())
        print(f"epoch {epoch + 1}: {100 * found:.2f} % after {seconds / 60:.2f} minutes of training", flush=True)
    print(f"{options.engine}, mean over {len(views(FAST.average_over, model))} views:"
          f" {100 * accuracy(engine, model, data, FAST.average_over):.2f} %")  # fmt: skip


if __name__ == "__main__":
    main()
