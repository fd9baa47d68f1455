"""A plain NumPy engine: this package's definitions, with im2col for every convolution and no compiled twins."""

import numpy as np
from threadpoolctl import threadpool_limits

import minitorch_cnn as mtc
from engines.minitorch import Network
from engines.problem import Problem


class PlainNumpy(Network):
    """Array expressions only; matrix products run in NumPy's BLAS, with its own threads."""

    version = f"NumPy {np.__version__}"

    def __init__(self, path, threads):
        threadpool_limits(threads, user_api="blas")
        problem = Problem.load(path)
        for layer in problem.layers:
            if layer["class"] == "Conv2D":
                layer["algorithm"] = "im2col"
        super().__init__(problem)

    def results(self):
        with mtc.definitions_only():
            return super().results()

    def run(self):
        with mtc.definitions_only():
            super().run()
