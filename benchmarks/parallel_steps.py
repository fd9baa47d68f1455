"""Times one data-parallel step; `parallel_scaling.py` starts it, alone or under mpiexec.

    python parallel_steps.py NETWORK BATCH STEPS        BATCH images per rank; the first rank prints JSON
    mpiexec -n 2 python parallel_steps.py link 0 STEPS  the connection of two ranks: sums of one number and of 64 MiB

Every rank has one thread. Three things are timed: the step of a training (forward and backward pass over the rank's
share, sum of the gradient vectors, update); the same without the sum, on all ranks at once; and the sum alone. The
fastest time counts, because whatever else runs on the machine only adds to it.
"""

import json
import sys
import time

import numpy as np
from works import tiny

from minitorch_cnn import losses, models, optimizers, parallel
from minitorch_cnn.parallel import Weighted

NETWORKS = {
    "cifar10": lambda: models.cifar10(dropout=True, seed=0),
    "cats-vs-dogs": lambda: models.cats_vs_dogs(dropout=True, seed=0),
    "vgg16": models.vgg16,
    "tiny": tiny,
}


def fastest(ranks, times, **acts):
    """{name: shortest time in seconds} of functions that are called in turn; the slowest rank determines each time.

    The first turn is not counted, because it compiles.
    """
    taken = {name: [] for name in acts}
    for _ in range(times + 1):
        for name, act in acts.items():
            ranks.sum(np.zeros(1))  # so that all ranks begin together
            start = time.perf_counter()
            act()
            ranks.sum(np.zeros(1))
            taken[name].append(time.perf_counter() - start)
    return {name: min(seconds[1:]) for name, seconds in taken.items()}


def link(ranks, steps):
    """{"latency", "bandwidth"} of the ring that `parallel_scaling.py` describes, measured by sums alone."""
    one, many = np.zeros(1, np.float32), np.zeros(2**24, np.float32)
    seconds = fastest(ranks, max(steps, 5), one=lambda: ranks.sum(one), many=lambda: ranks.sum(many))
    messages = 2 * (ranks.size - 1)
    passed_on = messages / ranks.size * many.nbytes
    return {"latency": seconds["one"] / messages, "bandwidth": passed_on / (seconds["many"] - seconds["one"])}


def main(network, batch, steps):
    ranks = parallel.world()
    found = link(ranks, steps) if network == "link" else training(ranks, network, batch, steps)
    if ranks.reports:
        print(json.dumps(found))


def training(ranks, network, batch, steps):
    """{"bytes": size of the sum, "compute", "sum", "step": seconds for each}."""
    model, rng = NETWORKS[network](), np.random.default_rng(ranks.rank)
    x = rng.standard_normal((batch, *model.input_shape), dtype=np.float32)
    classes = model.output_shape[0]
    labels = rng.integers(0, max(2, classes), batch)
    optimizer = optimizers.SGD(1e-4, momentum=0.9)
    loss = Weighted(model.default_loss(), ranks.share(batch * ranks.size))
    assert isinstance(loss.loss, losses.Loss)
    vectors = [segment.gradients for segment in model.segments()]

    def compute():
        model.loss_and_gradients(x, labels, loss)
        optimizer.step(model)

    def add():
        for vector in vectors:
            ranks.sum(vector)

    def step():
        model.loss_and_gradients(x, labels, loss)
        add()
        optimizer.step(model)

    seconds = fastest(ranks, steps, compute=compute, step=step)
    for vector in vectors:
        vector[...] = 0
    seconds |= fastest(ranks, max(steps, 5), sum=add)
    return {"bytes": sum(vector.nbytes for vector in vectors)} | seconds


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
