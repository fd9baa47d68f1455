"""Compiled twins for machines with narrower registers: the same numbers, and never another machine's compiled code."""

import json
import os
import subprocess
import sys

import llvmlite.binding as llvm
import numpy as np
import pytest
from test_engine_twin_arguments import TITLES, calls

from minitorch_cnn.twins.numba import block_product, registers, simd

HOST = llvm.get_host_cpu_features()
X86 = llvm.get_process_triple().startswith("x86_64")
MACHINES = {  # name: (NUMBA_CPU_NAME, NUMBA_CPU_FEATURES, (bytes of a register, registers))
    "AVX2": ("haswell", "+avx2,+fma", (32, 16)),
    "SSE": ("nehalem", "+sse4.2", (16, 16)),
}


@pytest.fixture(scope="module", autouse=True)
def every_target_of_llvm():
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


@pytest.mark.parametrize(
    "triple, cpu, features, wanted",
    [
        ("x86_64-unknown-linux-gnu", "skylake-avx512", "", (64, 32)),
        ("x86_64-unknown-linux-gnu", "haswell", "", (32, 16)),
        ("x86_64-unknown-linux-gnu", "haswell", "+avx512f", (64, 32)),  # what NUMBA_CPU_NAME alone leads to
        ("x86_64-unknown-linux-gnu", "skylake-avx512", "-avx512f", (32, 16)),
        ("x86_64-unknown-linux-gnu", "sandybridge", "", (32, 16)),
        ("x86_64-pc-windows-msvc", "znver3", "", (32, 16)),
        ("x86_64-unknown-linux-gnu", "nehalem", "", (16, 16)),
        ("i686-unknown-linux-gnu", "pentium4", "", (16, 8)),
        ("aarch64-unknown-linux-gnu", "cortex-a72", "", (16, 32)),
        ("arm64-apple-darwin", "apple-m1", "", (16, 32)),
        ("riscv64-unknown-linux-gnu", "generic-rv64", "", registers.UNKNOWN),
    ],
)
def test_registers_of_machines(triple, cpu, features, wanted):
    assert registers.of_target(triple, cpu, features) == wanted


def test_vectors_are_as_wide_as_the_compilers_registers():
    assert registers.of_compiled_code() == (simd.REGISTER_BYTES, simd.REGISTERS)
    assert simd.lanes("float32") == 2 * simd.lanes("float64") == simd.REGISTER_BYTES // 4


@pytest.mark.parametrize("count, tallest", [(8, {1: 6}), (16, {2: 6, 1: 14}), (32, {4: 6, 2: 14, 1: 16})])
def test_a_block_fits_the_registers(monkeypatch, count, tallest):
    monkeypatch.setattr(block_product, "REGISTERS", count)
    for width, height in tallest.items():
        assert block_product.heights(width)[0] == height and block_product.heights(width)[-1] == 1
        assert height * width + width + 1 <= count


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A folder for compiled code; what one test compiles for a machine, another one uses."""
    return tmp_path_factory.mktemp("compiled")


def environment(machine, cache):
    """The environment variables of a process that compiles for `machine`; None is the machine we run on."""
    settings = {"NUMBA_CACHE_DIR": str(cache)} if cache else {}
    if machine is not None:
        settings["NUMBA_CPU_NAME"], settings["NUMBA_CPU_FEATURES"], _ = MACHINES[machine]
    return settings


def run(program, machine, cache, *arguments):
    """What a program prints that compiles for `machine`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_CPU_")}
    inherited["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-c", program, *arguments]
    settings = inherited | environment(machine, cache)
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


PRODUCT = """
import json
import numba.core.event as event
import numpy as np
from minitorch_cnn.arrays.dispatch import TWINS_ONLY, running
from minitorch_cnn.engine.matmul import matmul
from minitorch_cnn.twins.numba import simd

class Compiled(event.Listener):
    count = 0
    def on_start(self, e):
        self.count += 1
    def on_end(self, e):
        pass

compiled = Compiled()
event.register("numba:compile", compiled)
rng = np.random.default_rng(0)
a, b = rng.integers(-9, 9, (21, 13)).astype("float32"), rng.integers(-9, 9, (13, 37)).astype("float32")
with running(TWINS_ONLY):
    c = matmul(a, b)
right = bool((c == a.astype(int) @ b.astype(int)).all())
print(json.dumps([[simd.REGISTER_BYTES, simd.REGISTERS], compiled.count, right]))
"""


@pytest.mark.campaign  # compiles one product for three machines
@pytest.mark.skipif(not (X86 and HOST.get("avx2")), reason="this machine has no AVX2")
def test_code_compiled_for_one_machine_is_not_used_for_another(tmp_path):
    for machine in (None, *MACHINES):
        for again in (False, True):
            found, compiled, right = run(PRODUCT, machine, tmp_path)
            assert right and tuple(found) == (MACHINES[machine][2] if machine else registers.of_compiled_code())
            assert (compiled == 0) == again, machine


@pytest.mark.campaign  # compiles every twin; what runs on SSE is the same code with narrower vectors, as below
@pytest.mark.parametrize("machine", ["AVX2"])
def test_every_twin_of_a_machine_with_narrow_registers_agrees_with_its_definition(machine, cache):
    if not (X86 and HOST.get("avx2")):
        pytest.skip("this machine has no AVX2")
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in environment(machine, cache).items():
            patch.setenv(variable, value)
        came, faults = calls("numba", "right", TITLES["numba"], 0, 6)
    assert faults == [] and all(one["computed"] == 12 for one in came.values())


STEP = """
import json, sys
import numpy as np
import minitorch_cnn as mtc
from minitorch_cnn import layers, losses, optimizers
from minitorch_cnn.twins.numba import simd

stack = [layers.Conv2D(19, 3, padding="same", activation="relu"), layers.MaxPool2D(2),
         layers.Conv2D(35, 3, activation="relu"), layers.Conv2D(150, 3, padding="same", activation="relu"),
         layers.MaxPool2D(2), layers.Conv2D(21, (1, 2), 2), layers.Flatten(), layers.Dropout(0.3),
         layers.Dense(13, activation="relu"), layers.Dense(3, activation="softmax")]
model = mtc.Sequential(stack, (15, 22, 5), seed=0, dtype="float64")  # in float32 a tie may fall either way
x = np.random.default_rng(0).standard_normal((7, 15, 22, 5))
loss = model.loss_and_gradients(x, np.arange(7) % 3, losses.CrossEntropy())
gradients = {f"{layer.name} {name}": array for layer in model.layers for name, array in layer.gradients.items()}
np.savez(sys.argv[1], loss=loss, **gradients)
print(json.dumps([simd.REGISTER_BYTES, simd.REGISTERS]))
"""


@pytest.mark.campaign  # compiles a training step for each machine
@pytest.mark.skipif(not (X86 and HOST.get("avx2")), reason="this machine has no AVX2")
def test_a_training_step_has_the_same_gradients_at_every_width(cache, tmp_path):
    found = {}
    for machine in (None, *MACHINES):
        file = tmp_path / f"{machine}.npz"
        registers_found = run(STEP, machine, cache if machine else None, str(file))
        assert machine is None or tuple(registers_found) == MACHINES[machine][2]
        with np.load(file) as arrays:
            found[machine] = dict(arrays)
    for machine in MACHINES:
        for name, wanted in found[None].items():
            difference = np.linalg.norm(found[machine][name] - wanted) / np.linalg.norm(wanted)
            assert difference < 1e-11, (machine, name, difference)
