"""Measuring one convolution layer: every algorithm, every pass, and PyTorch beside them."""

import dataclasses
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from costs import touched_bytes
from engines.conv_layer import PASSES, ConvLayer
from measure import CALLS, SECONDS, in_turn, scratch_bytes, sgemm_gflops, timed
from process import Missing, Process

from minitorch_cnn import convolution
from minitorch_cnn.arrays import namespace
from minitorch_cnn.engine.layers import Conv2D

NAIVE_OUTPUTS = 20_000  # elements of an output; above that the loops of `naive` take too long
AGREE = 5e-4  # of the largest value: float32 sums over a million pixels; a wrong result is off by far more
PAUSE = 0.02  # seconds between processes, so that the threads of the last one fall asleep
PYTORCH = ("pytorch channels_last", "pytorch contiguous")


def layers_of(network, batch_size):
    """[(name, ConvLayer, whether it is the first layer)] of the convolutions; equal sizes are listed once."""
    found, model = {}, network()
    for layer in model.layers:
        if isinstance(layer, Conv2D):
            shape = ConvLayer(
                batch_size, *layer.input_shape, layer.filters, layer.kernel_size, layer.strides, layer.pixels,
                tuple(layer.output_shape[:2]),
            )  # fmt: skip
            found.setdefault(shape, (layer.name, shape, layer is model.layers[0]))
    return list(found.values())


def forward_with_relu(algorithm, x, kernel, strides, padding, bias):
    """ReLU(convolution + bias) as a network computes it: the compiled twin applies the ReLU itself."""
    fast = getattr(algorithm.forward, "twin_for", lambda x: None)(x)
    if fast is not None:
        return fast(x, kernel, strides, padding, bias, relu=True)
    return namespace(x).maximum(algorithm.forward(x, kernel, strides, padding, bias), 0)


def calls_of(algorithm, layer):
    """{pass: function without arguments} for one algorithm's module."""
    x, kernel, bias, dy = layer.arrays()
    where = layer.strides, layer.padding
    return {
        "forward": lambda: forward_with_relu(algorithm, x, kernel, *where, bias),
        "backward_input": lambda: algorithm.backward_input(dy, kernel, x.shape, *where),
        "backward_kernel": lambda: algorithm.backward_kernel(x, dy, kernel.shape, *where),
    }


def chosen(layer):
    """The name of the algorithm that "auto" chooses."""
    module = convolution.choose("auto", layer.arrays()[0], layer.kernel_shape, layer.strides, layer.out)
    return next(name for name, candidate in convolution.ALGORITHMS.items() if candidate is module)


def start_pytorch(threads):
    """{name: Process}; empty if PyTorch is not installed."""
    try:
        kinds = zip(PYTORCH, ("ChannelsLast", "Contiguous"))
        return {name: Process(f"engines.pytorch_layer:{kind}", threads, threads=threads) for name, kind in kinds}
    except Missing as missing:
        print(f"PyTorch is left out: {missing}\n")
        return {}


def differences(results, direction):
    """{name: largest difference from the first result, relative to the largest value}; exits if one is too large."""
    first, found = next(iter(results)), {}
    largest = abs(results[first]).max()
    for name, result in results.items():
        found[name] = float(abs(result - results[first]).max() / largest)
        if not found[name] <= AGREE:
            sys.exit(f"{name}, {direction}: differs from {first} by {found[name]:.1e}; nothing was timed")
    return found


def measure_layer(layer, first, names, processes, rounds, threads):
    """The table's rows: a dictionary for each pass and algorithm."""
    calls = {name: calls_of(convolution.ALGORITHMS[name], layer) for name in names}
    if int(np.prod(layer.y_shape)) > NAIVE_OUTPUTS:
        calls.pop("naive", None)
    theirs = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, process in processes.items():
            process.call("use", dataclasses.asdict(layer))
            theirs[name] = process.call("results", save_to=str(Path(folder) / "results.npz"))
    auto, rows = chosen(layer), []
    peak = sgemm_gflops(threads)
    for direction in PASSES[:1] + PASSES[2:] if first else PASSES:
        # Comparing the first image is enough, except for the kernel's gradient, which is a sum over all images.
        part = slice(None) if direction == "backward_kernel" else slice(1)
        results = {name: call[direction]()[part] for name, call in calls.items()}
        differ = differences(results | {name: found[direction] for name, found in theirs.items()}, direction)
        contestants = {name: partial(timed, call[direction]) for name, call in calls.items()}
        contestants |= {name: partial(timed_there, process, direction) for name, process in processes.items()}
        times = in_turn(contestants, rounds)
        for name, seconds in times.items():
            gflops = 2 * layer.multiplications / seconds / 1e9
            ours = name in calls
            touched = touched_bytes(name, layer, direction) if ours else None
            rows.append(
                {
                    "pass": direction,
                    "algorithm": name,
                    "auto": int(name == auto),
                    "ms": round(seconds * 1e3, 4),
                    "gflops": round(gflops, 4),
                    "difference": float(f"{differ[name]:.2g}"),
                    "sgemm_gflops": round(peak, 1),
                    "share_of_sgemm": round(gflops / peak, 5),
                    "scratch_mb": round(scratch_bytes(calls[name][direction]) / 1e6, 3) if ours else None,
                    "touched_mb": None if touched is None else round(touched / 1e6, 3),
                }
            )
    return rows


def timed_there(process, direction):
    """A turn in another process, between two pauses, so that neither side's threads are awake in the other's turn."""
    time.sleep(PAUSE)
    times = process.time(direction, CALLS, SECONDS)
    time.sleep(PAUSE)
    return times
