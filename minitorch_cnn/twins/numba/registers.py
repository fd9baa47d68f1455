"""The vector registers of the machine that Numba compiles for: how many bytes each holds, and how many there are.

Usually that is the machine we run on, but `NUMBA_CPU_NAME` and `NUMBA_CPU_FEATURES` (or the same names in
`numba.config`) can ask for another, for example an older one that the compiled code shall run on, too. So the compiler
is asked: it compiles a function that holds more vectors than any machine has registers, and the names of the registers
in its assembly tell their width and number. The question names the same machine and features as the key under which
Numba keeps compiled code on disk, so code for one width is never used with another.
"""

import re

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core.registry import cpu_target

VECTORS = 40  # held at once; no machine has more registers
BYTES = {"zmm": 64, "ymm": 32, "xmm": 16, "q": 16, "v": 16}  # of x86 (AVX-512, AVX, SSE) and of ARM
NAMES = re.compile(r"\b([zyx]mm|[qv])(\d+)\b")
UNKNOWN = 16, 16  # what we assume for other machines


def of_target(triple: str, cpu: str, features: str) -> tuple[int, int]:
    """(bytes of a vector register, number of them) of the machine that LLVM knows by these names."""
    target = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, features=features, opt=2)
    found = NAMES.findall(target.emit_assembly(llvm.parse_assembly(_holding_many_vectors(triple))))
    if not found:
        return UNKNOWN
    widest = max((name for name, _ in found), key=BYTES.__getitem__)
    return BYTES[widest], 1 + max(int(number) for name, number in found if BYTES[name] == BYTES[widest])


def of_compiled_code() -> tuple[int, int]:
    """(bytes of a vector register, number of them) of the machine that Numba compiles for."""
    return of_target(*cpu_target.target_context.codegen().magic_tuple())


def _holding_many_vectors(triple):
    """A function that loads all vectors before it stores the first; "volatile" forbids another order."""
    module = ir.Module()
    module.triple = triple
    vector = ir.VectorType(ir.FloatType(), max(BYTES.values()) // 4)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [vector.as_pointer()]), "hold")
    builder = ir.IRBuilder(function.append_basic_block())
    addresses = [builder.gep(function.args[0], [ir.IntType(32)(number)]) for number in range(VECTORS)]
    loaded = [builder.load(address, align=4) for address in addresses]
    for address, value in zip(addresses, loaded):
        builder.store(builder.fadd(value, value), address, align=4)
    builder.ret_void()
    return str(module).replace("= load ", "= load volatile ").replace("store ", "store volatile ")
