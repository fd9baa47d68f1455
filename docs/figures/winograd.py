"""The data of the microscope on one tile of Winograd's convolution: the rules are sums of products like any other."""

import numpy as np

from figures import line
from figures.microscope import array, shots, view
from minitorch_cnn import report
from minitorch_cnn.engine.convolution.winograd import AT, BT, G, sandwich

WINOGRAD = "minitorch_cnn/engine/convolution/winograd.py"


def winograd():
    """A 6x6 patch, a kernel and their sixteen outputs from 36 products.""" ""
    rng = np.random.default_rng(0)
    d, g = rng.integers(0, 10, (6, 6)).astype(float), np.array([[1.0, -1, 0], [2, 1, -2], [0, 3, -1]])
    result = line(WINOGRAD, "y = sandwich(AT, V @ U)  # (4, 4, tiles, K)")
    stages = [
        [grid("d", "d, the patch", 6, "ink"), grid("V", "V = Bᵀ d B", 6)],
        [grid("g", "g, the kernel", 3), grid("U", "U = G g Gᵀ", 6)],
        [grid("M", "M = V · U, 36 products", 6), grid("y", "y = Aᵀ M A", 4)],
    ]
    film = shots("""
        The patch and the kernel: d g, at d 2 2
        Sixteen outputs of a 3x3 kernel depend on these 36 pixels. Directly, each output takes nine products: 144.

        The patch at six points: V, at V 1 1
        B contains only small whole numbers such as 4 and −5, so V costs additions.

        The kernel at the same points: U, at U 1 1
        It is computed once for the whole image, and for all images of the batch.

        The products: M, at M 1 1
        One multiplication for each point: 36 in place of 144.

        The outputs: y, at y 1 1
        A too contains only small whole numbers. The result is that of the definition; change a pixel or a weight.
    """)
    words = (
        "One tile of Winograd's convolution. Choose any number to see which numbers it is the sum of. Only M multiplies"
        " a pixel by a weight, 36 times for sixteen outputs, where the definition does it 144 times."
    )
    patch, kernel = "V = sandwich(BT, patches(x, corner, (TH, TW)))", "U = sandwich(G, kernel)  # (6, 6, C, K)"
    lines = {"V": line(WINOGRAD, patch), "U": line(WINOGRAD, kernel), "M": result, "y": result}
    data = {"arrays": arrays(d, g), "lines": lines, "stages": stages, "film": film, "slices": []}
    data |= {"editable": ["d", "g"], "begin": 3}
    return data, report.draw_winograd_tile(d, g), words


def grid(name, title, size, shade="signed"):
    """A square grid with room for numbers such as −13.17."""
    return view(name, title, size, size, "rc", shade, 30) | {"across": 46}


def arrays(d, g):
    """The arrays of one tile: d (6, 6), g (3, 3)."""
    V, U = sandwich(BT, d), sandwich(G, g)
    return {
        "d": array(d),
        "g": array(g),
        "V": array(V, kind="sandwich", of=["d"], matrix=BT),
        "U": array(U, kind="sandwich", of=["g"], matrix=G),
        "M": array(V * U, kind="times", of=["V", "U"]),
        "y": array(sandwich(AT, V * U), kind="sandwich", of=["M"], matrix=AT),
    }
