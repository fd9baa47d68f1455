"""What can be missing on the way to a GPU: one line each, with what to install; and nobody imports CuPy unasked."""

import subprocess
import sys
import types

import pytest
from engine_helpers import one_line

import minitorch_cnn as mtc
from minitorch_cnn import layers
from minitorch_cnn.arrays import libraries
from minitorch_cnn.cli import main
from minitorch_cnn.errors import ArgumentError, BackendError


class CUDARuntimeError(RuntimeError):
    """As CuPy's: the name and text of the error, and its number."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


def module(version="14.2.0", devices=1, built=13000, driver=13000, kernel=None):
    """A module that looks like CuPy up to its first kernel."""

    def device_count():
        if isinstance(devices, Exception):
            raise devices
        return devices

    def arange(size):
        if kernel is not None:
            raise kernel
        return types.SimpleNamespace(sum=lambda: types.SimpleNamespace(get=lambda: 3))

    runtime = types.SimpleNamespace(
        CUDARuntimeError=CUDARuntimeError,
        getDeviceCount=device_count,
        runtimeGetVersion=lambda: built,
        driverGetVersion=lambda: driver,
    )
    return types.SimpleNamespace(__version__=version, arange=arange, cuda=types.SimpleNamespace(runtime=runtime))


OLD_DRIVER = CUDARuntimeError(35, "cudaErrorInsufficientDriver: CUDA driver version is insufficient")
NO_DEVICE = CUDARuntimeError(100, "cudaErrorNoDevice: no CUDA-capable device is detected")
BROKEN = CUDARuntimeError(46, "cudaErrorDevicesUnavailable: devices are busy")
NO_NVRTC = RuntimeError("CuPy failed to load libnvrtc.so.12: cannot open shared object file\nmore")

MISTAKES = {
    "not installed": (ImportError("No module named 'cupy'", name="cupy"), ["not installed", "cuda13x[ctk]", "cuda12x"]),
    "a part is missing": (ImportError("libcudart.so.13: not found", name="cupy_backends"), ["libcudart", "cuda13x"]),
    "too old": (module("13.6.0"), ["14.0 or later", "13.6.0", "pip install"]),
    "built for a newer CUDA": (module(devices=OLD_DRIVER, driver=12040), ["CUDA 13", "CUDA 12.4", "cupy-cuda12x[ctk]"]),
    "no driver": (module(devices=OLD_DRIVER, driver=0), ["no NVIDIA GPU", "driver"]),
    "no device": (module(devices=NO_DEVICE), ["no NVIDIA GPU"]),
    "none of its devices": (module(devices=0), ["no NVIDIA GPU"]),
    "something else": (module(devices=BROKEN), ["devices are busy", "nvidia-smi"]),
    "no libraries of CUDA": (module(built=12090, kernel=NO_NVRTC), ["libnvrtc.so.12", "cupy-cuda12x[ctk]"]),
}


@pytest.fixture
def cupy_is(monkeypatch):
    """Let `import cupy` give a module, or fail."""
    libraries._cupy.cache_clear()

    def set_to(found):
        def import_module(name):
            assert name == "cupy"
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(libraries, "importlib", types.SimpleNamespace(import_module=import_module))

    yield set_to
    libraries._cupy.cache_clear()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_is_missing(cupy_is, mistake):
    found, fragments = MISTAKES[mistake]
    cupy_is(found)
    with pytest.raises(BackendError) as error:
        mtc.Sequential([layers.Dense(2)], (3,)).to("cupy")
    assert one_line(error, "cupy", *fragments)


def test_a_gpu_that_works(cupy_is):
    found = module()
    cupy_is(found)
    assert libraries.library("cupy") is found


@pytest.mark.parametrize("command", [["train"], ["fine-tune", "--weights", "w.h5"]])
def test_on_the_command_line_before_anything_is_loaded_or_written(cupy_is, capsys, tmp_path, command):
    cupy_is(MISTAKES["not installed"][0])
    assert main([*command, "--backend", "cupy", "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert "pip install" in said and len(said.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_another_library():
    with pytest.raises(ArgumentError) as error:
        mtc.Sequential([layers.Dense(2)], (3,)).to("jax")
    assert one_line(error, "numpy", "cupy", "jax")
    with pytest.raises(SystemExit) as ended:
        main(["train", "--backend", "jax"])
    assert ended.value.code == 2


def test_nobody_imports_it_unasked():
    code = (
        "import sys, numpy as np, minitorch_cnn as mtc\n"
        "from minitorch_cnn import cli, datasets, training, layers, losses, optimizers\n"
        "m = mtc.Sequential([layers.Dense(2, 'softmax')], (3,))\n"
        "with mtc.definitions_only(): m.train_step(np.ones((2, 3)), [0, 1], losses.CrossEntropy(), optimizers.SGD())\n"
        "m.to('numpy')\n"
        "assert not {'cupy', 'cupyx', 'torch', 'mpi4py'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
