"""How many bytes a convolution reads and writes, by the formulas in the algorithms' files.

Every algorithm reads two arrays and writes one. Its intermediate arrays are written once and read once, in memory or,
by the compiled twins, in the cache. So the numbers count what passes through a core; how much memory that needs is the
column `scratch MB` of the table.
"""

from minitorch_cnn.engine.convolution import winograd

ITEM = 4  # bytes of a float32


def touched_bytes(algorithm, layer, direction):
    """Bytes read and written in one pass of a `ConvLayer`; None if there is no formula for the algorithm."""
    if algorithm == "winograd" and not winograd.serves(layer.window, layer.strides):
        algorithm = "row_windows"  # which it uses for such layers
    if algorithm not in LAID_OUT:
        return None
    x, y = layer.N * layer.H * layer.W * layer.C, layer.N * layer.out[0] * layer.out[1] * layer.K
    kernel = layer.multiplications // (layer.N * layer.out[0] * layer.out[1])
    return ITEM * (x + y + kernel + 2 * LAID_OUT[algorithm](layer, direction))


def columns(layer, direction):
    """A row of KH KW C numbers for each output pixel: the columns, or for dx their gradients."""
    return layer.multiplications // layer.K


def rows(layer, direction):
    """The images whose windows are multiplied: dy for dx, otherwise x."""
    if direction == "backward_input":
        return layer.N * layer.out[0] * layer.out[1] * layer.K
    return layer.N * layer.H * layer.W * layer.C


def points(layer, direction):
    """V, M and U: 36 numbers for each tile and input channel, tile and output channel, and 3x3 kernel."""
    TH, TW = winograd.tile_count((layer.H, layer.W) if direction == "backward_input" else layer.out)
    tiles = layer.N * TH * TW
    return winograd.PATCH**2 * (tiles * (layer.C + layer.K) + layer.C * layer.K)


LAID_OUT = {"naive": lambda layer, direction: 0, "im2col": columns, "row_windows": rows, "winograd": points}
