"""What does a GPU kernel execute and move for each number, and which of the two bounds it? No GPU is needed.

    python benchmarks/kernel_costs.py [--architecture 90] [--write]

nvcc compiles the kernels, and nvdisasm (`pip install nvidia-cuda-nvdisasm`) shows their machine code. The table counts
the instructions of a thread and divides by the numbers that it computes. Where a thread adds up rows, its loop counts,
whose body has been unrolled: its instructions per row. Bytes are what must be read and written once, in
float32. `--write` puts the table into docs/gpu.md.

A bound is an estimate: the time of an H100's processors at one instruction per clock and lane, beside the time of its
memory. Above 1, instructions bound the kernel, and below it, memory does. Nothing here has been measured.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tables import figures, markdown_table, print_table, write_in_page

from minitorch_cnn.twins.cuda import kernels

PAGE = Path(__file__).parents[1] / "docs" / "gpu.md"
LANES = 132 * 128 * 1.755e9  # instructions per second of an H100 SXM: multiprocessors, lanes, clock
BYTES = 3.35e12  # per second
# kernel: (bytes for each number, loads of a row in its loop or None if it has no such loop, what a number is)
COSTS = {
    "im2col": (8, None, "of the columns"),
    "lay_out": (8, None, "of the layout"),
    "strip": (8, None, "of y"),
    "bias_relu": (8, None, "of y"),
    "bias_relu_backward": (12, 2, "of dy"),
    "mask_and_lay_out": (12, 2, "of the layout"),
    "sum_rows": (4, 1, "of x"),
    "relu_backward": (12, None, "of dy"),
    "add_squares": (4, 1, "of x"),
    "normalise": (8, None, "of x"),
    "sums_backward": (8, 2, "of x"),
    "normalise_backward": (12, 2, "of x"),
    "add": (12, None, "of y"),
    "bent_relu": (8, None, "of x"),
    "silu": (8, None, "of x"),
    "silu_backward": (12, None, "of x"),
    "sgd_update": (20, None, "of the weights"),
    "rmsprop_update": (20, None, "of the weights"),
    "adam_update": (28, None, "of the weights"),
    "scale": (9, None, "of x"),
    "standardize": (5, None, "of the images"),
}


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
    registers, lines = machine_code(kernels.source(), options.architecture)
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
    for name, (size, loads, what) in COSTS.items():
        one = instructions(lines[name], loads)
        four = instructions(lines[f"{name}4"], loads) / 4 if f"{name}4" in lines else None
        ratio = (four or one) / LANES / (size / BYTES)
        used = registers[f"{name}4" if four else name]
        bound = "instructions" if ratio > 1 else "memory"
        table.append((f"{name}, a number {what}", used, figures(one), figures(four), size, f"{ratio:.2f}", bound))
    in_blocks, _ = machine_code(kernels.IN_BLOCKS.read_text(), options.architecture)
    for name, used in sorted(in_blocks.items()):
        table.append((name, used, "-", "-", "-", "-", "shared memory"))
    print_table(headings, table)
    if options.write:
        write_in_page(PAGE, "kernel costs", markdown_table(headings, table))


if __name__ == "__main__":
    main()
