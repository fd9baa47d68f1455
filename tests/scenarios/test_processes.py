"""What importing does to a process, and what happens in processes that are started after the first use."""

import multiprocessing
import os
import subprocess
import sys

import numpy as np
import pytest
from scenario_models import X, small_net

from minitorch_cnn.arrays.dispatch import definitions_everywhere
from minitorch_cnn.errors import BackendError

MODEL = small_net()


def predicted(seed):
    return small_net(seed).predict(X)


def predicted_by_definitions(seed):
    with definitions_everywhere():
        return small_net(seed).predict(X)


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


@needs_fork
def test_a_forked_process_is_refused_in_a_line_that_names_spawn():
    MODEL.predict(X)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        with pytest.raises(BackendError, match=r"forked.*spawn") as error:
            pool.apply_async(predicted, [0]).get(timeout=300)
        assert "\n" not in str(error.value)
        by_definitions = pool.apply_async(predicted_by_definitions, [0]).get(timeout=300)
    np.testing.assert_array_equal(by_definitions, predicted_by_definitions(0))


POOLS = {
    "Pool.map": "with fork.Pool(2) as pool: pool.map(model.predict, [x, x, x, x])",
    "Pool.map of a global": "with fork.Pool(2) as pool: pool.map(work, range(4))",
    "ProcessPoolExecutor": "with futures.ProcessPoolExecutor(2, fork) as pool: list(pool.map(work, range(4)))",
    "Process": "in_a_process(lambda: model.predict(x))",
    "Process that trains": "in_a_process(lambda: model.fit(x, [1, 2], optimizer=mtc.optimizers.SGD(0.1)))",
    "Process with a new model": "in_a_process(lambda: net().predict(x))",
}
ALWAYS = {"Pool.map", "Process that trains"}
PROGRAM = """
import multiprocessing, sys, numpy as np, minitorch_cnn as mtc
from concurrent import futures
from minitorch_cnn import layers
fork = multiprocessing.get_context("fork")
def net():
    stack = [layers.Conv2D(16, 3, activation="relu"), layers.MaxPool2D(2), layers.Flatten(), layers.Dense(5, "softmax")]
    return mtc.Sequential(stack, (9, 8, 3), seed=0)
def work(number):
    return model.predict(x)
def in_a_process(act):
    def tell():
        try:
            act()
        except Exception as error:
            queue.put(error)
    queue = fork.Queue()
    fork.Process(target=tell).start()
    raise queue.get(timeout=300)
model, x = net(), np.ones((2, 9, 8, 3), np.float32)
model.predict(x)
try:
    %s
except mtc.errors.BackendError as error:
    print(str(error))
"""


LOCKED = """
import multiprocessing, threading, numpy as np, minitorch_cnn as mtc
from minitorch_cnn import layers

def predicted(seed):
    return mtc.Sequential([layers.Dense(900)], (1500,), seed=seed).predict(np.zeros((1, 1500), np.float32))

def draw():
    while not stop:
        predicted(5)

def child():
    with mtc.definitions_only():
        predicted(1)

stop = False
predicted(0)
threading.Thread(target=draw, daemon=True).start()
children = [multiprocessing.get_context("fork").Process(target=child) for _ in range(8)]
for each in children:
    each.start()
for each in children:
    each.join(20)
print(sum(each.exitcode == 0 for each in children), flush=True)
for each in children:
    each.kill()
stop = True
"""


@needs_fork
def test_a_fork_while_another_thread_draws_weights():
    """The child would wait for ever for a lock that nobody holds there."""
    done = subprocess.run([sys.executable, "-c", LOCKED], capture_output=True, text=True, timeout=200)
    assert done.stdout.strip() == "8", done.stdout + done.stderr[-500:]


@needs_fork
@pytest.mark.parametrize(
    "pool", [pytest.param(pool, marks=[pytest.mark.campaign] * (pool not in ALWAYS)) for pool in POOLS]
)
def test_no_way_to_fork_hangs_or_dies(pool):
    done = subprocess.run([sys.executable, "-c", PROGRAM % POOLS[pool]], capture_output=True, text=True, timeout=300)
    assert "spawn" in done.stdout and done.stdout.count("\n") == 1, done.stdout + done.stderr[-1000:]


@needs_fork
def test_a_process_forked_before_the_first_use_works():
    program = (
        "import os, numpy as np, minitorch_cnn as mtc\n"
        "from minitorch_cnn import layers\n"
        "model = mtc.Sequential([layers.Conv2D(16, 3, activation='relu'), layers.MaxPool2D(2)], (9, 8, 3), seed=0)\n"
        "child = os.fork()\n"
        "total = float(model.predict(np.ones((2, 9, 8, 3))).sum())\n"
        "os.write(1, f'{total}\\n'.encode())\n"  # one write, since print makes two, between which the other may write
        "os.waitpid(child, 0) if child else os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert len(done.stdout.split()) == 2, done.stdout + done.stderr
    child, parent = done.stdout.split()
    assert child == parent and float(child) > 0, done.stderr


def test_a_spawned_process_gives_the_same_bits():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        np.testing.assert_array_equal(pool.apply_async(predicted, [3]).get(timeout=300), predicted(3))


def test_importing_changes_nothing_in_the_process():
    program = (
        "import os, signal, sys, threading\n"
        "before = dict(os.environ), threading.active_count(), signal.getsignal(signal.SIGINT)\n"
        "import minitorch_cnn, minitorch_cnn.cli, minitorch_cnn.runs, minitorch_cnn.exercises, minitorch_cnn.report\n"
        "assert before == (dict(os.environ), threading.active_count(), signal.getsignal(signal.SIGINT))\n"
        "heavy = {'numba', 'llvmlite', 'scipy', 'h5py', 'PIL', 'tqdm', 'jinja2', 'pooch', 'mpi4py', 'cupy'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_the_first_use_leaves_the_environment_as_it_was():
    program = (
        "import os\n"
        "before = dict(os.environ)\n"
        "import numpy as np, minitorch_cnn as mtc\n"
        "layer = mtc.layers.Conv2D(16, 3, activation='relu')\n"
        "layer.backward(layer.forward(np.ones((1, 5, 6, 2))))\n"
        "import numba\n"
        "print(before == dict(os.environ), numba.threading_layer())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split()[0] == "True", done.stdout + done.stderr
