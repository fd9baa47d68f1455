"""Our training step beside PyTorch's: same network, same weights, same batch, same machine, in turn.

    python benchmarks/versus.py [--batch-size 128] [--rounds 15] [--threads 2]

Each engine runs in a process of its own, so neither's threads or memory get in the other's way. First both compute loss
and gradients from the same weights, and they must agree. Then they step in turn, a few steps each, round after round; a
round gives one ratio, and the median of the ratios is what counts: the machine's speed drifts, the ratio does not. Peak
memory is the process's, over what it held after its imports and before it had a network.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

STEPS_A_ROUND = 3
RESULTS = Path(__file__).parent / "results"


class Ours:
    """The CIFAR ConvNet here."""

    def __init__(self, weights, x, labels):
        from minitorch_cnn import losses, models, optimizers

        self.model = models.cifar10(dropout=True)
        for layer in self.model.layers:
            for name in layer.parameters:
                layer.parameters[name] = weights[f"{layer.name}/{name}"]
        self.x, self.labels, self.loss = x, labels, losses.CrossEntropy()
        self.optimizer = optimizers.SGD(0.01, momentum=0.9, nesterov=True)

    def gradients(self):
        """(loss, {name: gradient}) with dropout off."""
        loss = self.model.loss_and_gradients(self.x, self.labels, self.loss, training=False)
        return loss, {f"{layer.name}/{name}": g for layer in self.model.layers for name, g in layer.gradients.items()}

    def step(self):
        self.model.train_step(self.x, self.labels, self.loss, self.optimizer)


class PyTorch:
    """The same network in PyTorch, eager."""

    channels_last = True

    def __init__(self, weights, x, labels):
        import torch
        from torch import nn

        def conv(channels, filters, padding):
            return [nn.Conv2d(channels, filters, 3, padding=padding), nn.ReLU()]

        self.torch = torch
        self.net = nn.Sequential(
            *conv(3, 32, 1), *conv(32, 32, 1), nn.MaxPool2d(2), nn.Dropout(0.1),
            *conv(32, 64, 1), *conv(64, 64, 0), nn.MaxPool2d(2), nn.Dropout(0.1),
            nn.Flatten(), nn.Linear(3136, 512), nn.ReLU(), nn.Dropout(0.3), nn.Linear(512, 10),
        )  # fmt: skip
        layers = [m for m in self.net if isinstance(m, (nn.Conv2d, nn.Linear))]
        names = ["conv2d_1", "conv2d_2", "conv2d_3", "conv2d_4", "dense_1", "dense_2"]
        self.layers = dict(zip(names, layers))
        with torch.no_grad():
            for name, layer in self.layers.items():
                layer.weight.copy_(torch.from_numpy(self._to_torch(name, weights[f"{name}/kernel"])))
                layer.bias.copy_(torch.from_numpy(weights[f"{name}/bias"]))
        self.x = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
        if self.channels_last:
            self.net = self.net.to(memory_format=torch.channels_last)
            self.x = self.x.to(memory_format=torch.channels_last)
        self.labels = torch.from_numpy(labels)
        self.optimizer = torch.optim.SGD(self.net.parameters(), 0.01, momentum=0.9, nesterov=True)

    @staticmethod
    def _to_torch(name, kernel):
        if kernel.ndim == 4:
            return np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        if name == "dense_1":  # PyTorch flattens channels first
            kernel = kernel.reshape(7, 7, 64, -1).transpose(2, 0, 1, 3).reshape(3136, -1)
        return np.ascontiguousarray(kernel.T)

    @staticmethod
    def _from_torch(name, weight):
        if weight.ndim == 4:
            return weight.transpose(2, 3, 1, 0)
        kernel = weight.T
        return kernel.reshape(64, 7, 7, -1).transpose(1, 2, 0, 3).reshape(3136, -1) if name == "dense_1" else kernel

    def _backward(self):
        self.optimizer.zero_grad()
        loss = self.torch.nn.functional.cross_entropy(self.net(self.x), self.labels)
        loss.backward()
        return loss

    def gradients(self):
        self.net.eval()
        loss = self._backward()
        self.net.train()
        found = {}
        for name, layer in self.layers.items():
            found[f"{name}/kernel"] = self._from_torch(name, layer.weight.grad.numpy())
            found[f"{name}/bias"] = layer.bias.grad.numpy()
        return float(loss.detach()), found

    def step(self):
        self._backward()
        self.optimizer.step()


class PyTorchContiguous(PyTorch):
    channels_last = False


ENGINES = {"minitorch_cnn": Ours, "pytorch channels_last": PyTorch, "pytorch contiguous": PyTorchContiguous}


def worker(engine, problem, threads):
    """Answer the parent's requests, one JSON line each, until it hangs up."""
    if engine.startswith("pytorch"):
        import torch

        torch.set_num_threads(threads)
    else:
        import numba

        import minitorch_cnn  # noqa: F401

        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    before = _memory("VmRSS")
    with np.load(problem) as file:
        arrays = dict(file)
    x, labels = arrays.pop("x"), arrays.pop("labels")
    network = ENGINES[engine](arrays, x, labels)
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "gradients":
            loss, gradients = network.gradients()
            np.savez(request["to"], **gradients)
            answer = {"loss": loss}
        elif request["do"] == "steps":
            times = []
            for _ in range(request["count"]):
                start = time.perf_counter()
                network.step()
                times.append(time.perf_counter() - start)
            answer = {"times": times}
        else:
            answer = {"peak": _memory("VmHWM") - before}
        print(json.dumps(answer), flush=True)


def _memory(field):
    """VmRSS (now) or VmHWM (the highest so far) of this process in bytes; Linux."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


class Process:
    """An engine in a process of its own."""

    def __init__(self, engine, problem, threads):
        limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")}
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker", engine, "--problem", problem, "--threads", str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | limits,
        )  # fmt: skip

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit("a worker ended early; its error stands above")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def make_problem(path, batch_size):
    """Weights, images and labels for all engines."""
    from minitorch_cnn import models

    rng = np.random.default_rng(0)
    weights = {f"{layer.name}/{name}": a for layer in models.cifar10().layers for name, a in layer.parameters.items()}
    x = rng.standard_normal((batch_size, 32, 32, 3)).astype(np.float32)
    np.savez(path, x=x, labels=rng.integers(0, 10, batch_size), **weights)


def check_equal(processes, folder):
    """All engines give the same loss and gradients; the largest relative difference to ours of each is returned."""
    found = {}
    for engine, process in processes.items():
        path = str(Path(folder) / f"{engine}.npz")
        loss = process.ask(do="gradients", to=path)["loss"]
        with np.load(path) as file:
            found[engine] = (loss, dict(file))
    reference_loss, reference = found["minitorch_cnn"]
    worst = {}
    for engine, (loss, gradients) in found.items():
        errors = [float(np.abs(gradients[name] - g).max() / np.abs(g).max()) for name, g in reference.items()]
        worst[engine] = max([abs(loss - reference_loss) / reference_loss, *errors])
        if worst[engine] > 1e-3:
            sys.exit(f"{engine}: gradients differ from ours by {worst[engine]:.1e}: nothing is timed")
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--at-most", type=float, help="exit with 1 when we take more than this many times PyTorch's time"
    )
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--problem", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return worker(options.worker, options.problem, options.threads)

    with tempfile.TemporaryDirectory() as folder:
        problem = str(Path(folder) / "problem.npz")
        make_problem(problem, options.batch_size)
        processes = {engine: Process(engine, problem, options.threads) for engine in ENGINES}
        differences = check_equal(processes, folder)
        times = {engine: [] for engine in ENGINES}
        for process in processes.values():
            process.ask(do="steps", count=3)  # compiled, allocated, warm
        for _ in range(options.rounds):
            for engine, process in processes.items():
                times[engine].append(statistics.median(process.ask(do="steps", count=STEPS_A_ROUND)["times"]))
        peaks = {engine: process.ask(do="memory")["peak"] for engine, process in processes.items()}
        for process in processes.values():
            process.close()

    ours = times["minitorch_cnn"]
    ratios = {engine: statistics.median(o / t for o, t in zip(ours, column)) for engine, column in times.items()}
    steps = -(-50_000 // options.batch_size)
    print(
        f"CIFAR ConvNet, one SGD step, batch {options.batch_size}, {options.threads} threads,"
        f" {options.rounds} rounds in turn"
    )
    print(f"{'engine':24}{'median ms':>10}{'epoch s':>9}{'ours / it':>11}{'peak MB':>9}{'gradients differ by':>21}")
    rows = []
    for engine, column in times.items():
        milliseconds = statistics.median(column) * 1e3
        row = (
            engine,
            milliseconds,
            milliseconds * steps / 1e3,
            ratios[engine],
            peaks[engine] / 1e6,
            differences[engine],
        )
        print(f"{row[0]:24}{row[1]:10.1f}{row[2]:9.1f}{row[3]:11.2f}{row[4]:9.0f}{row[5]:21.1e}")
        rows.append(row)
    RESULTS.mkdir(exist_ok=True)
    with open(RESULTS / "versus_cpu.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["engine", "median_ms", "epoch_s", "ours_over_it", "peak_mb", "gradient_difference"])
        writer.writerows(rows)
    best = max(ratio for engine, ratio in ratios.items() if engine != "minitorch_cnn")
    print(f"\nwe take {best:.2f} times the time of PyTorch's best layout")
    if options.at_most is not None and best > options.at_most:
        sys.exit(f"more than the {options.at_most} allowed")


if __name__ == "__main__":
    main()
