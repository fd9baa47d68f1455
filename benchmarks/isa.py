"""How the engines of a comparison are held to an instruction set that is older than this machine's.

Most laptops have AVX2: 16 registers of 8 float32 numbers. A server with AVX-512 can run the same code if every library
is asked to, and each has an environment variable of its own for that.
"""

import tempfile
from pathlib import Path

import numpy as np
from llvmlite.binding import get_host_cpu_features

NOT_HELD = ("onnxruntime", "openvino")  # they have no such setting
MACHINES = "the machine's"  # the instructions that such an engine uses


def names():
    """The instruction sets that engines can be held to."""
    return ["avx2"]


def used_by(engine, isa):
    """The instructions that an engine uses when the others are held to `isa`."""
    return MACHINES if engine in NOT_HELD else isa


def environment(isa):
    """The environment variables that hold a process to `isa`; SystemExit if this machine does not have it."""
    if not get_host_cpu_features().get(isa):
        raise SystemExit(f"--isa {isa}: expected a machine that has these instructions, but this one does not")
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    return {
        "NUMBA_CPU_NAME": "haswell",  # ours
        "NUMBA_CPU_FEATURES": "+avx2,+fma",  # without this, Numba adds all features of the machine to the name
        "OPENBLAS_CORETYPE": "Haswell",  # of NumPy and SciPy
        "NPY_DISABLE_CPU_FEATURES": " ".join(name for name in found if name.startswith(("AVX512", "X86_V4"))),
        "ONEDNN_MAX_CPU_ISA": "AVX2",  # of PyTorch and TensorFlow
        "ATEN_CPU_CAPABILITY": "avx2",  # PyTorch's own kernels
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",  # of PyTorch
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",  # of TensorFlow
        # What torch.compile made for newer instructions gives wrong numbers here, so it must not find it again.
        "TORCHINDUCTOR_CACHE_DIR": str(Path(tempfile.gettempdir()) / f"torchinductor_{isa}"),
    }
