"""A training whose standard error goes to a file, as under a job queue or with `2> log`."""

import os
import subprocess
import sys
from pathlib import Path

import minitorch_cnn as mtc

PROGRAM = """
import numpy as np
import minitorch_cnn as mtc
from minitorch_cnn import layers, optimizers
from minitorch_cnn.callbacks import Callback
x = np.random.default_rng(0).random((40, 4, 4, 1))
labels = (x[:, 0, 0, 0] > 0.5) * 1
model = mtc.Sequential([layers.Flatten(), layers.Dense(2, activation="softmax")], (4, 4, 1), seed=0)

class Slow(Callback):
    def on_batch_end(self, trainer):
        import time
        time.sleep(0.02)

model.fit(x, labels, optimizer=optimizers.SGD(0.5), epochs=4, batch_size=2, validation=(x, labels), callbacks=[Slow()])
"""


def test_a_log_file_has_one_line_for_each_epoch(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(mtc.__file__).parents[1]), "MINITORCH_CNN_DEFINITIONS": "1"}
    with open(tmp_path / "log", "wb") as log:
        done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, stderr=log, timeout=300)
    text = (tmp_path / "log").read_text()
    assert done.returncode == 0, text
    lines = text.splitlines()
    assert len(lines) == 4 and "\r" not in text, text
    for number, line in enumerate(lines, 1):
        assert line.startswith(f"epoch {number}/4: 40 images in ")
        assert all(f"{name} " in line for name in ("loss", "accuracy", "val_loss", "val_accuracy"))
