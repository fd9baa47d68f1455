"""Weights of examples, pieces of batches and parameters without decay on the stand-in for a GPU: the host's numbers."""

import numpy as np
import pytest
from minitorch_cnn.callbacks import Callback, ModelCheckpoint
from test_gpu_training import IMAGES, LABELS, net

from minitorch_cnn import optimizers
from minitorch_cnn.arrays import on_host
from minitorch_cnn.training.step import Step


@pytest.mark.parametrize("options", [
    {"class_weight": {0: 3.0, 2: 0.5}},
    {"sample_weight": np.linspace(0, 2, 53), "validation_split": 0.2},
    {"gradient_accumulation_steps": 2, "class_weight": {1: 2.0}},
])  # fmt: skip
def test_the_weights_of_the_host(xp, options, tmp_path):
    class Kind(Callback):
        def on_train_begin(self, trainer):
            self.plain = type(trainer.step)

    trained, losses = [], []
    for backend in ("numpy", "cupy"):
        model, kind = net(backend), Kind()
        optimizer = optimizers.SGD(0.05, momentum=0.9, weight_decay=1e-2, exclude_from_weight_decay=["bias"])
        best = ModelCheckpoint(tmp_path / f"{backend}.npz", "loss", save_best_only=True, restore_best=True)
        history = model.fit(IMAGES, LABELS, optimizer=optimizer, epochs=2, batch_size=8, callbacks=[kind, best],
                            progress=False, **options)  # fmt: skip
        assert issubclass(kind.plain, Step)
        trained.append(on_host(model.vector.values))
        losses.append(history["loss"])
        assert model.backend == backend
    np.testing.assert_allclose(trained[1], trained[0], rtol=2e-4, atol=2e-5)
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_the_captured_step_leaves_out_the_same_parameters(xp):
    trained = []
    for backend in ("numpy", "cupy"):
        model = net(backend, dropout=0.0)
        optimizer = optimizers.Adam(0.01, weight_decay=0.5, exclude_from_weight_decay=["bias"])
        model.fit(IMAGES, LABELS, optimizer=optimizer, epochs=2, batch_size=8, progress=False)
        trained.append(on_host(model.vector.values))
    np.testing.assert_allclose(trained[1], trained[0], rtol=1e-3, atol=1e-4)
