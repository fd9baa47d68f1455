"""The CUDA kernels on the host: built by a C++ compiler through `host_shim.h`, run over the grid in loops.

A kernel is called as CuPy calls it, (grid, block, arguments), and every argument has to be what its parameter says: an
array of that element type, contiguous, or a NumPy scalar of that very type. On a GPU a wrong one would read garbage.
"""

import ctypes
import functools
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
from standin_arrays import Array, change, device

HERE = Path(__file__).parent
COMPILER = shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++") or shutil.which("clang++")
NO_COMPILER = "no C++ compiler (c++, g++, clang++): the CUDA kernels are not run on the host"
CHECKS = ("-fsanitize=undefined,bounds", "-fno-sanitize-recover=all", "-static-libubsan")

TYPES = {  # C: NumPy
    "float": np.float32, "double": np.float64, "int": np.int32, "unsigned": np.uint32, "unsigned char": np.uint8,
    "bool": np.bool_, "unsigned long long": np.uint64, "long long": np.int64,
}  # fmt: skip


def signatures(code):
    """{kernel: [(type, is a pointer, is const)]} of the kernels of a CUDA file."""
    found = {}
    for name, parameters in re.findall(
        r'extern "C" __global__ void (?:__launch_bounds__\(\d+\) )?(\w+)\(([^)]*)\)', code
    ):
        found[name] = []
        for parameter in parameters.split(","):
            kind, pointer = re.fullmatch(r"\s*(?:const )?([\w ]+?)\s*(\*?)\s*\w+\s*", parameter).groups()
            found[name].append((kind, bool(pointer), parameter.strip().startswith("const ")))
    return found


@functools.cache
def compiled(code, options):
    """(library, signatures with the types of `options` put in) of the kernels."""
    if COMPILER is None:
        pytest.skip(NO_COMPILER)
    table, runners = signatures(code), []
    in_step = "__syncthreads" in code  # its blocks work together
    shims = ["host_shim.h", "block_shim.h"] if in_step else ["host_shim.h"]
    run = "blocks_in_step" if in_step else "over_the_grid"
    defined = dict(option.removeprefix("-D").split("=") for option in options if option.startswith("-D"))
    aliases = dict(re.findall(r"typedef (\w+) (\w+);", code))
    aliases = {alias: defined.get(name, name) for name, alias in aliases.items()}
    for name, parameters in table.items():
        names = [f"a{number}" for number in range(len(parameters))]
        declared = ", ".join(
            f"{'const ' * const}{kind}{' *' * pointer} {a}" for (kind, pointer, const), a in zip(parameters, names)
        )
        runners.append(
            f'extern "C" void run_{name}(unsigned blocks, unsigned threads, {declared}) '
            f"{{ {run}(blocks, threads, [&] {{ {name}({', '.join(names)}); }}); }}"
        )
    folder = Path(tempfile.mkdtemp(prefix="minitorch_cnn_kernels_"))
    source = folder / "kernels.cpp"
    included = "".join(f'#include "{HERE / shim}"\n' for shim in shims)
    source.write_text(f"{included}{code}\n" + "\n".join(runners) + "\n")
    build = [
        COMPILER,
        "-std=c++17",
        "-O1",
        "-g",
        "-ffp-contract=off",
        "-shared",
        "-fPIC",
        "-Wall",
        "-Wno-unknown-pragmas",
    ]
    build += [option for option in options if option.startswith("-D")]
    library = folder / "kernels.so"
    done = subprocess.run([*build, *CHECKS, str(source), "-o", str(library)], capture_output=True, text=True)
    if done.returncode:  # a compiler without the checks' library
        subprocess.run([*build, str(source), "-o", str(library)], check=True)
    loaded = ctypes.CDLL(str(library))
    shutil.rmtree(folder)
    typed = {
        name: [(TYPES[aliases.get(kind, kind)], pointer, const) for kind, pointer, const in parameters]
        for name, parameters in table.items()
    }
    return loaded, typed


class Kernel:
    """What `RawModule.get_function` returns."""

    def __init__(self, functions, name):
        self.library, signatures = functions
        self.name, self.parameters = name, signatures[name]
        self.run = getattr(self.library, f"run_{name}")
        self.max_dynamic_shared_size_bytes = 48 << 10  # a kernel that needs more has to say so

    def __call__(self, grid, block, args, *, shared_mem=0):
        assert len(args) == len(self.parameters), f"{self.name}: expected {len(self.parameters)} arguments"
        assert len(grid) == len(block) == 1 and shared_mem <= self.max_dynamic_shared_size_bytes <= 99 << 10
        assert 0 < grid[0] < 2**31 and 0 < block[0] <= 1024
        passed = []
        for number, (argument, (kind, pointer, _)) in enumerate(zip(args, self.parameters)):
            place = f"{self.name}, argument {number}"
            if pointer:
                assert isinstance(argument, Array), f"{place}: expected a device array, got {type(argument).__name__}"
                assert argument.dtype == kind, f"{place}: expected {kind.__name__}, got {argument.dtype}"
                assert argument.flags.c_contiguous, f"{place}: not contiguous"
                passed.append(argument.memory.ctypes.data_as(ctypes.c_void_p))
            else:
                assert type(argument) is kind, f"{place}: expected {kind.__name__}, got {type(argument).__name__}"
                passed.append(np.ctypeslib.as_ctypes_type(kind)(argument.item()))

        keep = args  # the memory lives as long as the operation may run

        def launch():
            assert keep
            device.launches.append(self.name)
            self.run(ctypes.c_uint(grid[0]), ctypes.c_uint(block[0]), *passed)

        change(launch)
