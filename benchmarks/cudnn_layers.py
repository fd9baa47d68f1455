"""Convolutions by cuDNN, NVIDIA's library: through PyTorch, and through cuDNN's frontend on CuPy's arrays.

    pip install torch                        a build for CUDA; it brings cuDNN
    pip install nvidia-cudnn-frontend==1.22.1

Either is left out where it is not installed or finds no GPU. Both keep kernels in cuDNN's own layout and the arrays on
the GPU, so what is timed is the convolution alone.
"""

import contextlib
import importlib

import numpy as np

WARM_UP = 3  # calls in which cuDNN chooses its algorithm and takes its memory
OUR_KERNEL = {"forward": None, "backward_input": None, "backward_kernel": (1, 2, 3, 0)}  # of (K, KH, KW, C)


def stored(kernel):
    """Our kernel (KH, KW, C, K) as cuDNN wants it stored for images (N, H, W, C): (K, KH, KW, C)."""
    return np.ascontiguousarray(kernel.transpose(3, 0, 1, 2))


class PyTorch:
    """cuDNN as PyTorch calls it, with channels_last arrays and its benchmark mode. Raises ImportError if it cannot."""

    def __init__(self):
        self.torch = torch = importlib.import_module("torch")
        if not torch.cuda.is_available():
            raise ImportError("PyTorch finds no GPU")
        torch.backends.cudnn.benchmark = True
        self.version = f"PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}"

    def calls_of(self, layer, tf32):
        """{pass: function without arguments}; none if the padding differs between two sides, as PyTorch's cannot."""
        torch, ((top, bottom), (left, right)) = self.torch, layer.padding
        if (top, left) != (bottom, right):
            return {}
        x, kernel, bias, dy = layer.arrays()
        x, w, dy = (torch.from_numpy(a).cuda().permute(0, 3, 1, 2) for a in (x, stored(kernel), dy))
        bias, strides, pad = torch.from_numpy(bias).cuda(), list(layer.strides), [top, left]

        def forward():
            return torch.relu_(torch.conv2d(x, w, bias, strides, pad))

        def backward(*wanted):
            return torch.ops.aten.convolution_backward(
                dy, x, w, None, strides, pad, [1, 1], False, [0, 0], 1, [*wanted, False]
            )

        calls = {
            "forward": forward,
            "backward_input": lambda: backward(True, False)[0],
            "backward_kernel": lambda: backward(False, True)[1],
        }
        return {direction: self._in(tf32, call) for direction, call in calls.items()}

    def _in(self, tf32, call):
        def within():
            self.torch.backends.cudnn.allow_tf32 = tf32
            with self.torch.no_grad():
                return call()

        return within

    def fetch(self, result, direction):
        """A pass's result as a NumPy array in our layout."""
        array = result.permute(0, 2, 3, 1).cpu().numpy()
        return array if OUR_KERNEL[direction] is None else array.transpose(OUR_KERNEL[direction])

    def replays(self, call, count, launches):
        """A function that returns the seconds of a call in each of a few replays of a graph of `count` calls."""
        cuda = self.torch.cuda
        stream = cuda.Stream()
        stream.wait_stream(cuda.current_stream())
        with cuda.stream(stream):
            for _ in range(WARM_UP):
                call()
        cuda.current_stream().wait_stream(stream)
        graph = cuda.CUDAGraph()
        with cuda.graph(graph):
            for _ in range(count):
                call()
        graph.replay()
        start, end = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)

        def turn():
            times = []
            for _ in range(launches):
                start.record()
                graph.replay()
                end.record()
                cuda.synchronize()
                times.append(start.elapsed_time(end) / 1e3 / count)
            return times

        return turn


class Frontend:
    """cuDNN through its frontend, on CuPy's arrays and CuPy's current stream. Raises ImportError if it cannot."""

    def __init__(self, xp):
        self.xp, self.cudnn = xp, importlib.import_module("cudnn")
        try:
            self.handle = self.cudnn.create_handle()
        except Exception as error:  # of its own kinds: the library itself is missing, or too old
            raise ImportError(f"cuDNN cannot be loaded: {str(error).splitlines()[0]}") from None
        self.version = f"cuDNN {self.cudnn.backend_version()}, frontend {self.cudnn.__version__}"

    def calls_of(self, layer):
        """{pass: function without arguments}, in TF32 where cuDNN's first choice uses it."""
        xp = self.xp
        x, kernel, bias, dy = layer.arrays()
        kernel = stored(kernel)
        arrays = {"x": x, "kernel": kernel, "bias": bias.reshape(1, 1, 1, -1), "dy": dy}
        arrays = {name: xp.asarray(array) for name, array in arrays.items()}
        (top, bottom), (left, right) = layer.padding
        where = {"pre_padding": [top, left], "post_padding": [bottom, right]}
        where |= {"stride": list(layer.strides), "dilation": [1, 1]}

        def forward(graph, tensors):
            y = graph.conv_fprop(image=tensors["x"], weight=tensors["kernel"], **where)
            return graph.relu(input=graph.bias(input=y, bias=tensors["bias"]))

        def backward_input(graph, tensors):
            return graph.conv_dgrad(loss=tensors["dy"], filter=tensors["kernel"], **where)

        def backward_kernel(graph, tensors):
            return graph.conv_wgrad(image=tensors["x"], loss=tensors["dy"], **where)

        built = (
            (forward, ("x", "kernel", "bias"), dy.shape),
            (backward_input, ("dy", "kernel"), x.shape),
            (backward_kernel, ("x", "dy"), kernel.shape),
        )
        return {
            make.__name__: self._built(make, {name: arrays[name] for name in names}, shape)
            for make, names, shape in built
        }

    def _built(self, make, inputs, shape):
        """A function that runs the graph which `make` describes, with a result of `shape`."""
        xp, cudnn = self.xp, self.cudnn
        FLOAT = cudnn.data_type.FLOAT
        graph = cudnn.pygraph(
            io_data_type=FLOAT, intermediate_data_type=FLOAT, compute_data_type=FLOAT, handle=self.handle
        )
        tensors = {name: graph.tensor(**self._layout(array.shape), data_type=FLOAT) for name, array in inputs.items()}
        output, layout = make(graph, tensors), self._layout(shape)
        output.set_output(True).set_data_type(FLOAT).set_dim(layout["dim"]).set_stride(layout["stride"])
        graph.validate()
        graph.build_operation_graph()
        graph.create_execution_plans([cudnn.heur_mode.A, cudnn.heur_mode.FALLBACK])
        graph.check_support()
        graph.build_plans()
        workspace = xp.empty(max(1, graph.get_workspace_size()), dtype="uint8")
        result = xp.empty(shape, dtype="float32")

        def run():
            pointers = {tensors[name]: array.data.ptr for name, array in inputs.items()} | {output: result.data.ptr}
            cudnn.set_stream(handle=self.handle, stream=xp.cuda.get_current_stream().ptr)
            graph.execute(pointers, workspace.data.ptr, handle=self.handle)
            return result

        return run

    @staticmethod
    def _layout(shape):
        """How cuDNN describes an array (N, H, W, C): sizes and strides in the order N, C, H, W."""
        N, H, W, C = shape
        return {"dim": [N, C, H, W], "stride": [H * W * C, 1, W * C, C]}

    @staticmethod
    def fetch(result, direction):
        """A pass's result as a NumPy array in our layout."""
        array = result.get()
        return array if OUR_KERNEL[direction] is None else array.transpose(OUR_KERNEL[direction])


def installed(xp):
    """{name: PyTorch or Frontend} of what works here; says what is left out and why."""
    found = {}
    for name, make in (("PyTorch", PyTorch), ("cuDNN's frontend", lambda: Frontend(xp))):
        try:
            found[name] = make()
        except ImportError as error:
            print(f"{name} is left out: {error}")
    with contextlib.suppress(KeyError):
        print(f"cuDNN: {found['PyTorch'].version}")
    return found
