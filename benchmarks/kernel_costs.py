"""What does a GPU kernel execute and move for each number, and which of the two bounds it? No GPU is needed.

    python benchmarks/kernel_costs.py [--architecture 90] [--write]

nvcc compiles the kernels, and nvdisasm shows their machine code (`pip install nvidia-cuda-nvcc nvidia-cuda-nvdisasm`).
The table counts the instructions of a thread and divides by the numbers that it computes. Where a thread adds up rows,
its loop counts, whose body has been unrolled: its instructions per row. Where it goes through a window or the classes
of a row, the kernel is compiled for that size, so that there is no loop, and everything counts as if every place of the
window lay inside the image. Bytes are what must be read and written once, in float32. `--write` puts the table into
docs/gpu.md.

A bound is an estimate: the time of an H100's processors at one instruction per clock and lane, beside the time of its
memory. Above 1, instructions bound the kernel, and below it, memory does. Nothing here has been measured.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tables import figures, markdown_table, print_table, write_in_page

from minitorch_cnn.twins.cuda import kernels

PAGE = Path(__file__).parents[1] / "docs" / "gpu.md"
LANES = 132 * 128 * 1.755e9  # instructions per second of an H100 SXM: multiprocessors, lanes, clock
BYTES = 3.35e12  # per second


class Cost(NamedTuple):
    """How a kernel is counted."""

    bytes: float  # for each number
    what: str  # which numbers are counted
    loads: int | None = None  # of a row in its loop, if it has one
    sizes: Sequence = ()  # (parameter, value) pairs that it is compiled for
    numbers: float = 1  # of a thread, or of a row in its loop
    number: str = "number"  # what is counted

    def title(self, name):
        """The first column of the table."""
        size = "x".join(str(value) for parameter, value in self.sizes if parameter in ("KH", "KW"))
        classes = "".join(f"{value} classes" for parameter, value in self.sizes if parameter == "K")
        return f"{' '.join(filter(None, (name, size or classes)))}, a {self.number} {self.what}"


THREE, TWO, TEN = (("KH", 3), ("KW", 3)), (("KH", 2), ("KW", 2)), (("K", 10),)
COSTS = {
    "im2col": Cost(8, "of the columns"),
    "col2im": Cost(40, "of dx", sizes=THREE),
    "lay_out": Cost(8, "of the layout"),
    "strip": Cost(8, "of y"),
    "bias_relu": Cost(8, "of y"),
    "bias_relu_backward": Cost(12, "of dy", 2),
    "mask_and_lay_out": Cost(12, "of the layout", 2),
    "max_pool": Cost(21, "of y", sizes=TWO),
    "max_pool_backward": Cost(5.25, "of dx", sizes=TWO),
    "depthwise": Cost(8, "of y", sizes=THREE),
    "depthwise_input": Cost(8, "of dx", sizes=(*THREE, ("M", 1))),
    "depthwise_kernel": Cost(8, "of dy", 2, THREE, 1 / 9),
    "sum_rows": Cost(4, "of x", 1),
    "mean_rows": Cost(4, "of x", 1),
    "share": Cost(4, "of dx"),
    "relu_backward": Cost(12, "of dy"),
    "add_squares": Cost(4, "of x", 1),
    "normalise": Cost(8, "of x"),
    "sums_backward": Cost(8, "of x", 2),
    "normalise_backward": Cost(12, "of x", 2),
    "add": Cost(12, "of y"),
    "bent_relu": Cost(8, "of x"),
    "bent_relu_backward": Cost(12, "of x"),
    "silu": Cost(8, "of x"),
    "silu_backward": Cost(12, "of x"),
    "gelu": Cost(8, "of x"),
    "gelu_backward": Cost(12, "of x"),
    "error_function": Cost(8, "of x"),
    "softmax_cross_entropy": Cost(12.4, "of the scores", sizes=TEN, numbers=10),
    "sgd_update": Cost(20, "of the weights"),
    "rmsprop_update": Cost(20, "of the weights"),
    "adam_update": Cost(28, "of the weights"),
    "drop": Cost(9, "of x", numbers=4),
    "scale": Cost(9, "of x"),
    "move": Cost(2, "of the images", number="byte"),
    "standardize": Cost(5, "of the images"),
}


def for_sizes(source):
    """The source, and behind it the kernels that have sizes in `COSTS` once more, as `NAME_sized`, for these sizes."""
    found = [source]
    for name, cost in COSTS.items():
        for kernel in (name, f"{name}4"):
            written = re.search(rf'extern "C" __global__ void {kernel}(\([^)]*\)) (\{{.*?\n\}})', source, re.DOTALL)
            if written and cost.sizes:
                body = written.group(2)
                for parameter, value in cost.sizes:
                    body = re.sub(rf"\b{parameter}\b", str(value), body)
                found.append(f'extern "C" __global__ void {kernel}_sized{written.group(1)} {body}')
    return "\n".join(found)


def tool(name):
    """The path of a program of CUDA's, installed for the system or by pip."""
    found = shutil.which(name)
    for folder in map(Path, sys.path):
        found = found or next(iter(sorted(map(str, folder.glob(f"nvidia/*/bin/{name}")))), None)
    if found is None:
        sys.exit(f"kernel_costs.py: expected {name}; pip install nvidia-cuda-{name}, or CUDA's toolkit")
    return found


def machine_code(source, architecture):
    """({kernel: registers of a thread}, {kernel: [lines of machine code]})."""
    with tempfile.TemporaryDirectory() as folder:
        path, cubin = Path(folder, "kernels.cu"), Path(folder, "kernels.cubin")
        path.write_text(source)
        command = [tool("nvcc"), f"-arch=sm_{architecture}", "-std=c++17", "-cubin", "-Xptxas", "-v", str(path)]
        said = subprocess.run([*command, "-o", str(cubin)], check=True, capture_output=True, text=True).stderr
        code = subprocess.run([tool("nvdisasm"), "-c", str(cubin)], check=True, capture_output=True, text=True).stdout
    registers = dict(re.findall(r"entry function '(\w+)'.*?Used (\d+) registers", said, re.DOTALL))
    parts = re.split(r"^\.text\.(\w+):", code, flags=re.MULTILINE)
    lines = {}
    for name, text in zip(parts[1::2], parts[2::2]):
        kept = re.findall(r"^(\.L_\w+):|^\s+/\*[0-9a-f]{4,}\*/\s+(.*?)\s*;", text, re.MULTILINE)
        lines[name] = [f"{label}:" if label else instruction for label, instruction in kept]
    return {name: int(number) for name, number in registers.items()}, lines


def instructions(lines, loads):
    """The instructions of a thread; with `loads`, those of its largest loop for each row, which has so many loads."""
    if loads is None:
        end = next((at for at, line in enumerate(lines) if re.match(r"EXIT$", line)), len(lines))
        return sum(not line.endswith(":") for line in lines[: end + 1])
    labels, best = {line[:-1]: at for at, line in enumerate(lines) if line.endswith(":")}, (0, 1.0)
    for at, line in enumerate(lines):
        target = re.search(r"\bBRA\b.*?(\.L_\w+)", line)
        if target and labels.get(target.group(1), at) < at:
            body = [each for each in lines[labels[target.group(1)] : at + 1] if not each.endswith(":")]
            rows = sum("LDG" in each for each in body) / loads
            if rows > best[0]:
                best = rows, len(body) / rows
    return best[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="90", help="a compute capability: 80, 90, 100, 120")
    parser.add_argument("--write", action="store_true", help="put the table into docs/gpu.md")
    options = parser.parse_args()
    registers, lines = machine_code(for_sizes(kernels.source()), options.architecture)
    headings = (
        "kernel",
        "registers",
        "instructions: one channel",
        "four channels",
        "bytes",
        "arithmetic / memory",
        "bound",
    )
    table = []
    for name, cost in COSTS.items():
        suffix = "_sized" if cost.sizes else ""
        one = instructions(lines[f"{name}{suffix}"], cost.loads) / cost.numbers
        has_four = f"{name}4" in lines
        four = instructions(lines[f"{name}4{suffix}"], cost.loads) / 4 / cost.numbers if has_four else None
        ratio = (four or one) / LANES / (cost.bytes / BYTES)
        used = registers[f"{name}4" if has_four else name]
        bound = "instructions" if ratio > 1 else "memory"
        row = cost.title(name), used, figures(one), figures(four), f"{cost.bytes:g}", f"{ratio:.2f}", bound
        table.append(row)
    in_blocks, _ = machine_code(kernels.IN_BLOCKS.read_text(), options.architecture)
    for name, used in sorted(in_blocks.items()):
        table.append((name, used, "-", "-", "-", "-", "shared memory"))
    print_table(headings, table)
    if options.write:
        write_in_page(PAGE, "kernel costs", markdown_table(headings, table))


if __name__ == "__main__":
    main()
