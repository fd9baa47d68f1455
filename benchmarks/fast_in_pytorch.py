"""`train cifar10 --recipe fast` in PyTorch, with the same batches, first weights, rates and views: how good, and when?

    python benchmarks/fast_in_pytorch.py --data DIR [--seed 0] [--epochs 11] [--validation 5000]
    python benchmarks/fast_in_pytorch.py --data DIR --compare 30

The batches are prepared by this package, as they are for its own training, so that only the step and the prediction
differ. The first command says which accuracy PyTorch ends at, and after how many minutes; with `--engine minitorch_cnn`
our own step runs in its place. The second one times so many steps of both in turn, and says PyTorch's time divided by
ours. (`versus.py --work cifar10-fast-step` does so with plain SGD, also beside `torch.compile`.)
"""

import argparse
import itertools
import tempfile
import time
from pathlib import Path

import numpy as np
import tricks
from engines.problem import Problem

from minitorch_cnn import losses, schedules
from minitorch_cnn.cli.arguments import positive_integer, seed, whole
from minitorch_cnn.datasets import Augmentation
from minitorch_cnn.datasets.batches import Batches
from minitorch_cnn.models.fast_recipe import BETA_FACTOR, FAST, OTHERS
from minitorch_cnn.network.views import views

WARM_UP = 3  # steps that are not timed
PREDICTED = 500  # images at a time


def orthogonal(x):
    """Muon's polynomial for a matrix that is wider than high, with PyTorch's products."""
    x = x / (x.norm() + 1e-30)
    for _ in range(5):
        squares = x @ x.T
        x = 3.4445 * x + (-4.775 * squares + 2.0315 * squares @ squares) @ x
    return x


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
            learned = {name: self._parameter(name) for name in self.learned}
            self.kernels = [(w, torch.zeros_like(w)) for w in learned.values() if w.ndim == 4]
            shifts = [w for name, w in learned.items() if name.endswith("/beta")]
            dense = [w for w in learned.values() if w.ndim == 2]
            groups = [{"params": dense, "factor": OTHERS}, {"params": shifts, "factor": OTHERS * BETA_FACTOR}]
            self.optimizer = torch.optim.SGD(groups, FAST.learning_rate, FAST.momentum, nesterov=True)

        def _array(self, x):
            return torch.from_numpy(images(x)).to(memory_format=self.format)

        def step(self, x, y):
            rate, self.taken = self.schedule(self.taken), self.taken + 1
            for group in self.optimizer.param_groups:
                group["lr"] = rate * group["factor"]
            self.net.zero_grad()
            scores = self.net(self._array(x))
            functional.cross_entropy(scores, torch.from_numpy(y), label_smoothing=FAST.label_smoothing).backward()
            self.optimizer.step()
            with torch.no_grad():
                for w, moment in self.kernels:  # torch.optim.Muon takes matrices alone
                    moment.mul_(FAST.momentum).add_(w.grad)
                    along = (w.grad + FAST.momentum * moment).permute(0, 2, 3, 1)
                    step = orthogonal(along.reshape(len(w), -1)).reshape(along.shape).permute(0, 3, 1, 2)
                    w.mul_(1 - rate * FAST.weight_decay).sub_(step, alpha=rate)

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


def compare(model, x, batches, count, threads):
    """Print the median times of `count` steps of both engines, taken in turn, and the median of their ratios."""
    both = [kind(model.copy(), x, 10 * count, threads) for kind in (Ours, pytorch)]
    times: list = []
    epochs = itertools.chain.from_iterable(map(batches.epoch, itertools.count()))
    for images, labels in itertools.islice(epochs, count + WARM_UP):
        times.append([])
        for engine in both:
            begin = time.perf_counter()
            engine.step(images, labels)
            times[-1].append(time.perf_counter() - begin)
    ours, theirs = np.array(times[WARM_UP:]).T
    ratios = theirs / ours
    print(
        f"{len(ours)} steps of {batches.batch_size} images: ours {np.median(ours):.3f} s, PyTorch"
        f" {np.median(theirs):.3f} s, ratio {np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="the folder or archive with CIFAR-10 (default: downloaded once)")
    parser.add_argument("--engine", choices=list(ENGINES), default="pytorch")
    parser.add_argument(
        "--compare", type=positive_integer, metavar="STEPS", help="time so many steps of both engines instead"
    )
    parser.add_argument("--seed", type=seed, default=0)
    parser.add_argument("--epochs", type=positive_integer, default=FAST.epochs)
    parser.add_argument("--validation", type=whole, default=0, metavar="N", help="measure on so many training images")
    parser.add_argument("--images", type=positive_integer, help="train with the first images only")
    parser.add_argument("--threads", type=positive_integer, default=2)
    options = parser.parse_args()
    options.quick = options.jpeg = False
    data = tricks.load(options)
    images, labels = data.train_images, data.train_labels
    model = FAST.model(data, options.seed)
    batches = Batches(
        images, labels.astype(np.int64), FAST.batch_size, seed=options.seed, augment=Augmentation(**FAST.augment),
        transform=model.receive,
    )  # fmt: skip
    if options.compare:
        compare(model, model.receive(images[:2]), batches, options.compare, options.threads)
        return
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
