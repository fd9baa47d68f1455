"""Bytes that a convolution writes and reads, by the formulas in the algorithms' files.

Every algorithm reads two arrays and writes one. What it lays out in between it writes once and reads once, wherever
that lies; the compiled twins keep it in their cache. So these are bytes that pass through a core, and `scratch` in the
table says how much memory they take.
"""

from minitorch_cnn.engine.convolution import winograd

ITEM = 4  # bytes of a float32


def touched_bytes(algorithm, layer, direction):
    """Bytes for one pass of a `ConvLayer`; None for an algorithm that has no formula here."""
    if algorithm == "winograd" and not winograd.serves(layer.window, layer.strides):
        algorithm = "row_windows"  # as it says itself
    if algorithm not in LAID_OUT:
        return None
    x, y = layer.N * layer.H * layer.W * layer.C, layer.N * layer.out[0] * layer.out[1] * layer.K
    kernel = layer.multiplications // (layer.N * layer.out[0] * layer.out[1])
    return ITEM * (x + y + kernel + 2 * LAID_OUT[algorithm](layer, direction))


def columns(layer, direction):
    """A row of KH KW C numbers for every output pixel; for dx those of its gradient."""
    return layer.multiplications // layer.K


def rows(layer, direction):
    """The image whose windows are multiplied: dy for dx, else x."""
    if direction == "backward_input":
        return layer.N * layer.out[0] * layer.out[1] * layer.K
    return layer.N * layer.H * layer.W * layer.C


def points(layer, direction):
    """V, M and U: 36 numbers for every tile and channel, on both sides, and for every kernel."""
    TH, TW = winograd.tile_count((layer.H, layer.W) if direction == "backward_input" else layer.out)
    tiles = layer.N * TH * TW
    return winograd.PATCH**2 * (tiles * (layer.C + layer.K) + layer.C * layer.K)


LAID_OUT = {"naive": lambda layer, direction: 0, "im2col": columns, "row_windows": rows, "winograd": points}
