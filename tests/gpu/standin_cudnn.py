"""Stand-ins for the two ways to cuDNN that the benchmarks use: as much of PyTorch and of cuDNN's frontend as they call.

Both compute with the definitions. Where the real ones would read memory by its address and strides, so does this.
"""

import contextlib
import ctypes
import types

import numpy as np
from numpy.lib.stride_tricks import as_strided
from standin_arrays import change, device

from minitorch_cnn import definitions_only
from minitorch_cnn.engine.convolution import im2col


def passes(kind, x, kernel, dy, strides, padding, shape=None):
    """The pass `kind` with kernels (K, KH, KW, C), images (N, H, W, C)."""
    with definitions_only():
        if kind == "fprop":
            return im2col.forward(x, kernel.transpose(1, 2, 3, 0), strides, padding)
        if kind == "dgrad":
            return im2col.backward_input(dy, kernel.transpose(1, 2, 3, 0), shape, strides, padding)
        K, KH, KW, C = shape
        return im2col.backward_kernel(x, dy, (KH, KW, C, K), strides, padding).transpose(3, 0, 1, 2)


# PyTorch. Tensors are (N, C, H, W) by their axes and (N, H, W, C) in memory, as channels_last is.


class Tensor:
    def __init__(self, array):
        self.array, self.there = array, False

    def cuda(self):
        self.there = True
        return self

    def permute(self, *axes):
        tensor = Tensor(self.array.transpose(axes))
        tensor.there = self.there
        return tensor

    def cpu(self):
        assert device.graph is None
        return self

    def numpy(self):
        return self.array


def last(tensor):
    """The memory (N, H, W, C) of a channels_last tensor on the device."""
    assert tensor.there
    array = tensor.array.transpose(0, 2, 3, 1)
    assert array.flags.c_contiguous
    return array


def first(array):
    tensor = Tensor(np.ascontiguousarray(array)).cuda()
    return tensor.permute(0, 3, 1, 2)


def conv2d(x, weight, bias, strides, pad):
    y = passes("fprop", last(x), last(weight), None, tuple(strides), tuple((side, side) for side in pad))
    return first(y + bias.array)


def convolution_backward(dy, x, weight, bias_sizes, strides, pad, dilation, transposed, output_padding, groups, mask):
    assert bias_sizes is None and dilation == [1, 1] and not transposed and groups == 1 and len(mask) == 3
    geometry = tuple(strides), tuple((side, side) for side in pad)
    arrays = last(x), last(weight), last(dy)
    dx = first(passes("dgrad", *arrays, *geometry, arrays[0].shape)) if mask[0] else None
    dkernel = first(passes("wgrad", *arrays, *geometry, arrays[1].shape)) if mask[1] else None
    return dx, dkernel, None


def relu_(tensor):
    np.maximum(tensor.array, 0, out=tensor.array)
    return tensor


class CUDAGraph:
    def __init__(self):
        self.replayed = 0

    def replay(self):
        self.replayed += 1


class Event:
    def __init__(self, enable_timing=False):
        assert enable_timing

    def record(self, stream=None):
        pass

    def elapsed_time(self, other):
        return 0.25  # milliseconds


def torch():
    """The module; its settings begin as PyTorch's do."""
    stream = types.SimpleNamespace(wait_stream=lambda other: None)
    cuda = types.SimpleNamespace(
        is_available=lambda: True, Stream=lambda: stream, current_stream=lambda: stream, synchronize=lambda: None,
        CUDAGraph=CUDAGraph, Event=Event, stream=lambda stream: contextlib.nullcontext(),
        graph=lambda graph: contextlib.nullcontext(),
    )  # fmt: skip
    settings = types.SimpleNamespace(benchmark=False, allow_tf32=True, version=lambda: 91300)
    module = types.ModuleType("torch")
    module.__version__ = "a stand-in"
    module.cuda, module.backends = cuda, types.SimpleNamespace(cudnn=settings)
    module.from_numpy, module.conv2d, module.relu_, module.no_grad = Tensor, conv2d, relu_, contextlib.nullcontext
    module.ops = types.SimpleNamespace(aten=types.SimpleNamespace(convolution_backward=convolution_backward))
    return module


# cuDNN's frontend: a graph is described first, and executed with addresses.


class Described:
    """A tensor of a graph: sizes and strides in the order N, C, H, W, and how it is computed from others."""

    def __init__(self, dim=None, stride=None, compute=None):
        self.dim, self.stride, self.compute, self.output = dim, stride, compute, False

    def set_output(self, output):
        self.output = output
        return self

    def set_data_type(self, kind):
        return self

    def set_dim(self, dim):
        self.dim = dim
        return self

    def set_stride(self, stride):
        self.stride = stride
        return self

    def at(self, pointer):
        """The device's memory as an array (N, H, W, C)."""
        whole = sum((size - 1) * step for size, step in zip(self.dim, self.stride)) + 1
        flat = np.ctypeslib.as_array(ctypes.cast(pointer, ctypes.POINTER(ctypes.c_float)), (whole,))
        return as_strided(flat, self.dim, [4 * step for step in self.stride]).transpose(0, 2, 3, 1)

    def value(self, memory):
        return memory[self] if self.compute is None else self.compute(memory)


class Graph:
    def __init__(self, io_data_type, intermediate_data_type, compute_data_type, handle):
        assert handle == "a handle"
        self.steps = []

    def tensor(self, dim, stride, data_type):
        return Described(dim, stride)

    def _conv(kind, first, second):
        def method(self, pre_padding, post_padding, stride, dilation, **tensors):
            assert dilation == [1, 1] and set(tensors) == {first, second}
            padding = tuple(zip(pre_padding, post_padding))

            def compute(memory):
                a, b = (tensors[name].value(memory) for name in (first, second))
                x, kernel, dy = {"fprop": (a, b, None), "dgrad": (None, b, a), "wgrad": (a, None, b)}[kind]
                N, C, H, W = made.dim or (0,) * 4
                return passes(kind, x, kernel, dy, tuple(stride), padding, (N, H, W, C))

            made = Described(compute=compute)
            return made

        return method

    conv_fprop = _conv("fprop", "image", "weight")
    conv_dgrad = _conv("dgrad", "loss", "filter")
    conv_wgrad = _conv("wgrad", "image", "loss")

    def bias(self, input, bias):
        return Described(compute=lambda memory: input.value(memory) + bias.value(memory))

    def relu(self, input):
        return Described(compute=lambda memory: np.maximum(input.value(memory), 0))

    def _step(name):
        return lambda self, *arguments: self.steps.append(name)

    validate, build_operation_graph, create_execution_plans, check_support, build_plans = map(
        _step, ("validate", "build_operation_graph", "create_execution_plans", "check_support", "build_plans")
    )

    def get_workspace_size(self):
        return 0

    def execute(self, pointers, workspace, handle):
        assert self.steps[-1] == "build_plans" and type(workspace) is int and handle == "a handle"
        memory = {tensor: tensor.at(pointer) for tensor, pointer in pointers.items()}
        (output,) = (tensor for tensor in pointers if tensor.output)

        def run():
            device.launches.append("cudnn")
            memory[output][...] = output.value(memory)

        change(run)


def cudnn():
    """The module, with a library behind it."""
    module = types.ModuleType("cudnn")
    module.__version__ = "a stand-in"
    module.create_handle, module.backend_version = lambda: "a handle", lambda: 91300
    module.set_stream = lambda handle, stream: None
    module.pygraph, module.data_type = Graph, types.SimpleNamespace(FLOAT="float")
    module.heur_mode = types.SimpleNamespace(A="A", FALLBACK="fallback")
    return module
