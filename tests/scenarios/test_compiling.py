"""The first training on a machine: a second process compiles what the backward pass needs."""

import json
import os
import subprocess
import sys

import numba
import pytest

from minitorch_cnn import datasets, optimizers
from minitorch_cnn.models.recipes import RECIPES
from minitorch_cnn.twins.numba import ahead

TRAINS = """
import json, sys
import numba.core.event as event
import numpy as np
import minitorch_cnn as mtc
from minitorch_cnn import layers, optimizers

class Compiled(event.Listener):
    names = set()
    def on_start(self, e):
        self.names.add(e.data["dispatcher"].py_func.__qualname__)
    def on_end(self, e):
        pass

event.register("numba:compile", Compiled())
model = mtc.Sequential([layers.Dense(8, activation="relu"), layers.Dropout(0.2), layers.Dense(8, activation="relu"),
                        layers.Dense(3, activation="softmax")], (6,), seed=0)
model.fit(np.ones((20, 6), "float32"), np.arange(20) % 3, optimizer=optimizers.SGD(0.1), epochs=1, progress=False)
print(json.dumps([sorted(Compiled.names), model.vector.values.tolist()]))
"""


@pytest.mark.campaign
@pytest.mark.skipif(ahead._cores() < 2, reason="there is one core, so no second process is started")
def test_a_cold_training_leaves_the_backward_pass_to_a_second_process(tmp_path):
    results = []
    for _ in ("cold", "warm"):
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
        done = subprocess.run([sys.executable, "-c", TRAINS], env=environment, capture_output=True, text=True)
        results.append(json.loads(done.stdout.splitlines()[-1]))
        assert done.stderr == ""
    (cold, weights), (warm, same) = results
    assert weights == same
    assert {"_drop", "_matmul"} <= set(cold) and not {"_scale", "_relu_backward", "_sgd"} & set(cold)
    assert warm == []


def test_the_list_is_what_the_networks_of_the_slides_need():
    for name in ("digits", "cifar10", "cats-vs-dogs"):
        model = RECIPES[name].model(datasets.digits(), 0) if name == "digits" else None
        if model is None:
            from minitorch_cnn import models

            model = getattr(models, name.replace("-", "_"))()
        works = ahead.works_of(model, optimizers.Adam(), 32)
        assert {work[0] for work in works} <= ahead.COMPILED.keys()
        assert "optimizers.adam_update" in {work[0] for work in works} and len(works) > 5


def test_every_function_of_the_list_is_one_of_numbas(capsys):
    for name, (work, where) in ahead.COMPILED.items():
        module, function = where.split()
        dispatcher = getattr(__import__(f"minitorch_cnn.twins.numba.{module}", fromlist=["x"]), function)
        assert isinstance(dispatcher, numba.core.registry.CPUDispatcher), name
        assert callable(work)
    sizes = {"convolution.winograd.backward_kernel": [3, 16], "convolution.row_windows.backward_kernel": [3, 2, 3, 16],
             "convolution.pooled.backward": [16], "convolution.epilogue.bias_relu_backward": [16]}  # fmt: skip
    works = [[name, *sizes.get(name, [])] for name in ahead.COMPILED]
    ahead.main([works[0], *works])
    assert capsys.readouterr().out.split() == list(ahead.COMPILED)
    assert all(ahead._is_on_disk(name) for name in ahead.COMPILED)


def test_a_helper_that_dies_costs_nothing_but_its_help(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    helper = ahead.Helper([("activations.relu_backward",)])
    helper.wait_for("activations.relu_backward")
    assert helper.open == set()
