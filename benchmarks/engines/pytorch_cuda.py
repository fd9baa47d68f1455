"""PyTorch on a GPU with its fastest settings: channels_last, TF32, cuDNN's benchmark mode; eager, or a CUDA graph."""

import torch

from engines import GPU_STEPS
from engines.pytorch import ChannelsLast

if not torch.cuda.is_available():
    raise ImportError("PyTorch finds no GPU")


def allow_tf32(on):
    """Let products and convolutions use TF32 (`on`) or full float32."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = on


class Eager(ChannelsLast):
    """The network of `engines.pytorch`, moved to the GPU."""

    version = f"PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}"

    def __init__(self, path, threads):
        super().__init__(path, threads)
        torch.backends.cudnn.benchmark = True
        allow_tf32(True)
        self.net = self.net.cuda()
        self.x = self.x.cuda()
        if self.loss is not None:
            self.target = self.target.cuda()
            groups = self.optimizer.param_groups[0]
            self.optimizer = torch.optim.SGD(
                self.net.parameters(), groups["lr"], momentum=groups["momentum"], nesterov=True
            )

    def results(self):
        """See `engines`; in full float32."""
        allow_tf32(False)
        found = super().results()
        allow_tf32(True)
        return found

    def run(self):
        """A few steps or passes, ending when the GPU has finished."""
        for _ in range(GPU_STEPS):
            super().run()
        torch.cuda.synchronize()

    def peak_bytes(self):
        """The most memory that PyTorch's allocator has reserved."""
        return torch.cuda.max_memory_reserved()


class Graph(Eager):
    """The same captured once as a CUDA graph and launched as a whole, as PyTorch's documentation recommends."""

    def __init__(self, path, threads):
        super().__init__(path, threads)
        self.graph = None

    def _once(self):
        if self.loss is None:
            with torch.inference_mode():
                self.net(self.x)
        else:
            self.optimizer.zero_grad(set_to_none=True)
            self._backward()
            self.optimizer.step()

    def _capture(self):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self._once()
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self._once()

    def run(self):
        if self.graph is None:
            self._capture()
        for _ in range(GPU_STEPS):
            self.graph.replay()
        torch.cuda.synchronize()
