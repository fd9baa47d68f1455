"""The engine's tables of layers, losses, optimizers and models once more, on the stand-in for CuPy.

The plain definitions are what is run here: one text for both libraries. The result has to be that of NumPy, to the last
bits, since the stand-in computes with NumPy's memory; and every accident that CuPy would punish raises.
"""

import numpy as np
import pytest
from engine_helpers import distinct, normal, relative_error
from engine_layers import LAYERS
from gpu_helpers import there

from minitorch_cnn import definitions_only
from minitorch_cnn.arrays import moved, on_host

TOLERANCE = {"float32": 1e-6, "float64": 1e-14}


def run(make, x, dy, training, xp):
    layer = make()
    with definitions_only():
        y = layer.forward(moved(x, xp), training)
        dx = layer.backward(moved(dy, xp))
    return {"y": y, "dx": dx, **layer.parameters, **{f"d{name}": g for name, g in layer.gradients.items()}}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("name", LAYERS)
def test_layer(xp, name, training, dtype):
    make, shape = LAYERS[name]
    x = distinct((2, *shape), 5, dtype)
    with definitions_only():
        dy = normal(make().forward(x, training).shape, 1, dtype)
    wanted = run(make, x, dy, training, np)
    for key, array in run(make, x, dy, training, xp).items():
        assert there(array) and array.dtype == dtype, key
        assert relative_error(on_host(array), wanted[key]) < TOLERANCE[dtype], key
