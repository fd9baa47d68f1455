"""One data-parallel step, timed: started by `parallel_scaling.py`, by itself or under mpiexec.

    python parallel_steps.py NETWORK BATCH STEPS        BATCH images a rank; the first rank prints JSON

Every rank has one thread. What is timed is what a training does: forwards and back over the rank's share, the sum of
the gradient vectors, the update; the same without the sum, on all ranks at once; and the sum by itself. The fastest of
all counts: what else runs on the machine only ever adds.
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


def timed(ranks, steps, act):
    """Seconds of each of `steps` calls, as long as the slowest rank takes; the first one compiles and is left out."""
    times = []
    for _ in range(steps + 1):
        ranks.sum(np.zeros(1))  # all begin together
        start = time.perf_counter()
        act()
        ranks.sum(np.zeros(1))
        times.append(time.perf_counter() - start)
    return times[1:]


def main(network, batch, steps):
    ranks = parallel.world()
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

    alone, together = timed(ranks, steps, compute), timed(ranks, steps, step)
    for vector in vectors:
        vector[...] = 0
    sums = timed(ranks, max(steps, 5), add)
    if ranks.reports:
        answer = {"bytes": sum(vector.nbytes for vector in vectors), "compute": min(alone)}
        print(json.dumps(answer | {"sum": min(sums), "step": min(together)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
