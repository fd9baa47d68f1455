"""This package on a GPU: a training step as one CUDA graph, or one operation after the other."""

import numpy as np

import minitorch_cnn as mtc
from engines import GPU_STEPS
from engines.minitorch import Network, WeightedSum
from engines.problem import Problem
from minitorch_cnn import losses
from minitorch_cnn.arrays import library, moved, namespace, on_host
from minitorch_cnn.errors import BackendError
from minitorch_cnn.training.captured_step import CapturedStep
from minitorch_cnn.twins.cuda.cublas import tf32

try:
    cupy = library("cupy")
except BackendError as error:
    raise ImportError(str(error)) from None


class WeightedSumThere(losses.Loss):
    """sum(y * weights) / N computed on the GPU alone, so that it can be part of a graph."""

    def check(self, prediction, labels):
        """The weights, moved to the prediction's device."""
        return moved(labels, namespace(prediction), prediction.dtype)

    def of_prediction(self, prediction, weights):
        """(sum(y * weights) / N, weights / N)."""
        return (prediction * weights).sum() / len(prediction), weights / len(weights)


class Cupy(Network):
    """One operation after the other; products are in TF32, except for `results`, which uses full float32."""

    version = f"minitorch_cnn {mtc.__version__}, CuPy {cupy.__version__}"

    def __init__(self, path, threads):
        super().__init__(Problem.load(path))
        self.model.to("cupy")
        self.x = cupy.asarray(self.x)
        if isinstance(self.loss, WeightedSum):
            self.loss = WeightedSumThere()
        self.step = lambda x, labels: self.model.train_step(x, labels, self.loss, self.optimizer)

    def results(self):
        tf32(False)
        found = {name: np.asarray(on_host(result)) for name, result in super().results().items()}
        tf32(True)
        return found

    def run(self):
        """A few steps or passes, ending when the GPU has finished."""
        for _ in range(GPU_STEPS):
            if self.loss is None:
                self.model.predict(self.x, batch_size=len(self.x))
            else:
                self.step(self.x, self.target)
        cupy.cuda.Device().synchronize()

    def peak_bytes(self):
        """The size of the memory pool."""
        return cupy.get_default_memory_pool().total_bytes()


class CupyGraph(Cupy):
    """Each training step is one launch of a CUDA graph."""

    def __init__(self, path, threads):
        super().__init__(path, threads)
        if self.loss is not None:
            self.captured = CapturedStep(self.model, self.loss, self.optimizer)
            self.step = self.captured

    def run(self):
        super().run()
        if self.loss is not None and self.captured.reason is not None:
            raise RuntimeError(self.captured.reason)

    def peak_bytes(self):
        pool = self.captured.pool if self.loss is not None else None
        graph = 0 if pool is None else pool.total_bytes()
        return super().peak_bytes() + graph
