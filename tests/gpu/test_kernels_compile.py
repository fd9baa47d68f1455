"""The kernels through CUDA's own compilers, for the GPUs in use: no GPU is needed for that.

NVRTC is what CuPy compiles them with (`pip install nvidia-cuda-nvrtc-cu12` or `-cu13`); nvcc is part of CUDA's toolkit.
Where neither is installed the tests are skipped, and say so.
"""

import ctypes
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minitorch_cnn.twins.cuda import kernels

ARCHITECTURES = ("75", "80", "90", "100", "120")  # T4, A100, H100 and H200, B200, RTX 50
NVCC = shutil.which("nvcc")


def nvrtc_library():
    """The path of NVRTC within the installed packages; None where there is none."""
    for folder in map(Path, sys.path):
        for path in sorted(folder.glob("nvidia/*/lib/libnvrtc.so.*")):
            if "builtins" not in path.name:
                return path
    return None


NVRTC = nvrtc_library()


def compile_with_nvrtc(code, options):
    """(size of the machine code, what the compiler said)."""
    for builtins in NVRTC.parent.glob("libnvrtc-builtins.so.*"):
        ctypes.CDLL(str(builtins), ctypes.RTLD_GLOBAL)
    nvrtc = ctypes.CDLL(str(NVRTC))
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), code.encode(), b"kernels.cu", 0, None, None) == 0
    passed = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    failed = nvrtc.nvrtcCompileProgram(program, len(options), passed)
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    said = log.value.decode()
    assert not failed, said
    assert nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size)) == 0
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return size.value, said


@pytest.mark.skipif(NVRTC is None, reason="NVRTC is not installed: the CUDA kernels are not compiled by it")
@pytest.mark.parametrize("architecture, real", [*((number, "float") for number in ARCHITECTURES), ("90", "double")])
def test_nvrtc(architecture, real):
    options = (f"-arch=sm_{architecture}", f"-DREAL={real}", "-std=c++17")
    size, said = compile_with_nvrtc(kernels.source(), options)
    assert size > 10_000 and "warning" not in said


@pytest.mark.skipif(NVRTC is None, reason="NVRTC is not installed: the CUDA kernels are not compiled by it")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nvrtc_for_tensor_cores(architecture):
    """Without TF32, on sm_75, the kernels can do nothing; on the others they contain its instructions."""
    size, said = compile_with_nvrtc(kernels.IN_BLOCKS.read_text(), (f"-arch=sm_{architecture}", "-std=c++17"))
    assert size > 1_000 and "warning" not in said


@pytest.mark.skipif(NVRTC is None, reason="NVRTC is not installed: the CUDA kernels are not compiled by it")
def test_nvrtc_finds_a_mistake():
    with pytest.raises(AssertionError, match="undefined"):
        compile_with_nvrtc(kernels.source().replace("real(0)", "nothing"), ("-arch=sm_90",))


@pytest.mark.skipif(NVCC is None, reason="nvcc is not installed: the CUDA kernels are not compiled by it")
@pytest.mark.parametrize("real", [*kernels.REALS.values(), "in blocks"])
def test_nvcc_spills_no_registers(tmp_path, real):
    """A kernel whose thread needs more registers than there are keeps them in memory, and is slow."""
    source = tmp_path / "kernels.cu"
    source.write_text(kernels.IN_BLOCKS.read_text() if real == "in blocks" else kernels.source())
    options = [] if real == "in blocks" else [f"-DREAL={real}"]
    command = [NVCC, "-arch=sm_90", *options, "-std=c++17", "-cubin", "-Xptxas", "-v", str(source)]
    said = subprocess.run(
        [*command, "-o", str(tmp_path / "k.cubin")], check=True, capture_output=True, text=True
    ).stderr
    count = source.read_text().count('extern "C" __global__')
    assert said.count("registers") == count and "warning" not in said
    assert said.count("0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads") == count
    if real == "in blocks":  # two blocks of 256 threads have to fit a multiprocessor's 65,536 registers
        assert max(int(used) for used in re.findall(r"Used (\d+) registers", said)) <= 128
