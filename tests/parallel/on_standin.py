"""Training on the stand-in for CuPy with several processes: python on_standin.py GPUS FILE.

With as many GPUs as processes, sums go through NCCL, which is replaced by MPI here. The test is that CuPy's `allReduce`
would get arguments of the right types, and pointers to the right memory.
"""

import ctypes
import sys
import types
from pathlib import Path

import numpy as np

from minitorch_cnn import Sequential, datasets, layers, losses, optimizers, parallel
from minitorch_cnn.arrays import libraries, on_host
from minitorch_cnn.arrays.dispatch import definitions_everywhere
from minitorch_cnn.twins.cuda import cublas

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("gpu", "engine")]

import standin_cupy  # noqa: E402
from host_blas import HostBlas  # noqa: E402
from standin_arrays import device  # noqa: E402

sums = []  # (method, number of elements), in order


class Communicator:
    """Replaces `nccl.NcclCommunicator` and checks the types that CuPy's requires."""

    def __init__(self, ndev, commId, rank):
        assert (ndev, rank) == (parallel.world().size, parallel.world().rank)
        assert isinstance(commId, bytes) and len(commId) == 128

    def allReduce(self, sendbuf, recvbuf, count, datatype, op, stream):
        from mpi4py import MPI

        assert sendbuf == recvbuf and op == 0 and all(isinstance(n, int) for n in (sendbuf, count, datatype, stream))
        number = {7: ctypes.c_float, 8: ctypes.c_double}[datatype]
        memory = np.ctypeslib.as_array((number * count).from_address(sendbuf))
        MPI.COMM_WORLD.Allreduce(MPI.IN_PLACE, memory)
        sums.append(("NCCL", count))


def empty_pinned(shape, dtype):
    sums.append(("pinned", int(np.prod(shape))))
    return np.empty(shape, dtype)


def pretend(gpus):
    """Install the stand-in for CuPy, with `gpus` GPUs."""
    device.count = gpus
    libraries._cupy = lambda: standin_cupy.cupy
    blas = HostBlas()
    cublas.library = lambda xp: blas
    nccl = types.SimpleNamespace(
        available=True, NCCL_FLOAT32=7, NCCL_FLOAT64=8, NCCL_SUM=0, NcclCommunicator=Communicator,
        get_unique_id=lambda: bytes(128),
    )  # fmt: skip
    standin_cupy.cupy.cuda.nccl = nccl
    sys.modules |= {
        "cupy": standin_cupy.cupy,
        "cupy.cuda": standin_cupy.cupy.cuda,
        "cupyx": types.SimpleNamespace(empty_pinned=empty_pinned),
    }


def main(gpus, path):
    if gpus != "0":
        pretend(int(gpus))
    ranks, backend = parallel.world(), "numpy" if gpus == "0" else "cupy"
    ranks.choose_device(backend)
    rng = np.random.default_rng(1)
    x, labels = rng.integers(0, 256, (29, 8, 10, 3), dtype=np.uint8), rng.integers(0, 3, 29)
    stack = [
        layers.Conv2D(4, 3, activation="relu"),
        layers.BatchNorm(),
        layers.MaxPool2D(2),
        layers.Dropout(0.3),
        layers.Flatten(),
        layers.Dense(3, activation="softmax"),
    ]
    model = Sequential(stack, (8, 10, 3), seed=3 + ranks.rank).to(backend)
    model.layers[0].trainable = False  # so that the features of a frozen base are exchanged on the host
    with definitions_everywhere():
        history = model.fit(
            x / np.float32(255), labels, optimizer=optimizers.SGD(0.05, momentum=0.9, clip_norm=1.0), epochs=5,
            batch_size=9, loss=losses.CrossEntropy(), validation=(x[:5] / np.float32(255), labels[:5]), ranks=ranks,
            progress=False,
        )  # fmt: skip
        model.layers[0].trainable = True
        more = model.fit(
            x, labels, optimizer=optimizers.SGD(0.001), epochs=2, batch_size=9, ranks=ranks, progress=False,
            augment=datasets.Augmentation(flip=True),
        )  # fmt: skip
    found = {"/".join(key): np.asarray(on_host(value)) for key, value in model.state().items()}
    found |= {"loss": history["loss"], "val_loss": history["val_loss"], "more": more["loss"]}
    np.savez(f"{path}.{ranks.rank}.npz", sums=np.array(sorted({f"{how} {count}" for how, count in sums})), **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
