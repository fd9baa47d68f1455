"""How the GPU benchmark calls PyTorch, held to the definitions on the processor: PyTorch takes the same calls there."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from engine_helpers import relative_error

from minitorch_cnn.engine.convolution import im2col

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def cudnn_layers(monkeypatch):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch to compare with it")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.Tensor, "cuda", lambda self: self)
    for name in ("benchmark", "allow_tf32"):  # put back afterwards
        monkeypatch.setattr(torch.backends.cudnn, name, getattr(torch.backends.cudnn, name))
    monkeypatch.syspath_prepend(FOLDER)
    yield importlib.import_module("cudnn_layers")
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(FOLDER)):
            del sys.modules[name]


@pytest.mark.parametrize(
    "window, strides, padding, out",
    [((3, 3), (1, 1), ((1, 1), (1, 1)), (9, 7)), ((3, 2), (2, 1), ((1, 1), (0, 0)), (5, 6))],
)
def test_pytorch_computes_the_three_passes(cudnn_layers, window, strides, padding, out):
    from engines.conv_layer import ConvLayer

    layer = ConvLayer(2, 9, 7, 5, 6, window, strides, padding, out)
    x, kernel, bias, dy = layer.arrays()
    wanted = {
        "forward": np.maximum(im2col.forward.definition(x, kernel, strides, padding, bias), 0),
        "backward_input": im2col.backward_input.definition(dy, kernel, x.shape, strides, padding),
        "backward_kernel": im2col.backward_kernel.definition(x, dy, kernel.shape, strides, padding),
    }
    pytorch = cudnn_layers.PyTorch()
    calls = pytorch.calls_of(layer, tf32=False)
    assert calls.keys() == wanted.keys()
    for direction, call in calls.items():
        assert relative_error(pytorch.fetch(call(), direction), wanted[direction]) < 1e-6


def test_pytorch_cannot_pad_one_side_alone(cudnn_layers):
    from engines.conv_layer import ConvLayer

    layer = ConvLayer(1, 4, 4, 2, 3, (2, 2), (1, 1), ((0, 1), (0, 1)), (4, 4))
    assert cudnn_layers.PyTorch().calls_of(layer, tf32=True) == {}
