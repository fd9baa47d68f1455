"""PyTorch with `torch.compile`, in channels_last; it needs a C++ compiler."""

import shutil

import torch

from engines.pytorch import ChannelsLast

if not any(map(shutil.which, ("g++", "clang++", "cl"))):
    raise ImportError("torch.compile needs a C++ compiler, and there is none")


class Compiled(ChannelsLast):
    """The network of `ChannelsLast`, made into code for this processor before the first step."""

    def __init__(self, path, threads):
        super().__init__(path, threads)
        self.net = torch.compile(self.net)
