"""3x3 convolutions at stride 1 by the kernels of `conv3x3.cu`: one product on tensor cores, in TF32, without columns.

It reads x and dy as they are: nothing is laid out before and nothing taken out after, and bias and ReLU are applied to
the sums in registers. What it does not have is the newest instructions of tensor cores, with which cuBLAS multiplies
faster; so it is for layers of few channels, where moving the numbers takes longer than multiplying them.
"""

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.engine.convolution.geometry import output_size
from minitorch_cnn.twins.cuda.cublas import tf32
from minitorch_cnn.twins.cuda.kernels import launch_blocks, together
from minitorch_cnn.twins.cuda.reductions import channel_sum

CHANNELS = 32  # in and out: multiples of it
MOST_CHANNELS = 128  # with more, row windows and cuBLAS take over; an estimate, not measured
MOST_PIXELS = 2**31 - 256
CAPABILITY = 80  # of the first GPUs with TF32
SLICE, STAGES, ROWS, FILTER_ROWS = 32, 3, 128, 96  # as in conv3x3.cu: of the sum, and of a block's tile
BLOCKS, MOST_PIECES, LEAST_PIXELS = 528, 96, 512  # four for each multiprocessor of an H100; of a sum; of a piece


def serves(x: Array, kernel_shape: tuple, strides: tuple) -> bool:
    """Whether these kernels compute the convolution of x (N, H, W, C), or its gradients, where TF32 is allowed."""
    *window, C, K = kernel_shape
    wide = C % CHANNELS == 0 and K % CHANNELS == 0 and max(C, K) <= MOST_CHANNELS
    if not (wide and window == [3, 3] and tuple(strides) == (1, 1) and x.dtype == "float32" and tf32()):
        return False
    return x.size // x.shape[-1] <= MOST_PIXELS and int(namespace(x).cuda.Device().compute_capability) >= CAPABILITY


def forward(x: Array, kernel: Array, padding: tuple, bias: Array | None = None, *, relu: bool = False) -> Array:
    """See `row_windows.forward`; x and kernel are contiguous, and a padding may be negative."""
    x, kernel = (array if together(array.shape[-1], array) > 1 else array.copy() for array in (x, kernel))
    (N, H, W, C), K = x.shape, kernel.shape[3]
    (top, bottom), (left, right) = padding
    OH, OW = output_size((H + top + bottom, W + left + right), (3, 3), (1, 1), ((0, 0), (0, 0)))
    y, columns = namespace(x).empty((N, OH, OW, K), dtype=x.dtype), _columns(K)
    blocks = -(-N * OH * OW // ROWS) * (K // columns)
    numbers = N, H, W, C, OH, OW, K, top, left, bias is not None, relu
    launch_blocks(
        f"conv3x3_{columns}", blocks, 256, _bytes(ROWS * (SLICE + 4), columns),
        x, kernel, y if bias is None else bias, y, *numbers,
    )  # fmt: skip
    return y


def backward_input(dy: Array, turned: Array, back: tuple) -> Array:
    """dx: the convolution of dy with the turned kernel and the padding `back`."""
    return forward(dy, turned, back)


def backward_kernel(x: Array, dy: Array, padding: tuple) -> Array:
    """See `row_windows.backward_kernel`: blocks sum up pieces of all pixels, and these are then added up."""
    x, dy = (array if together(array.shape[-1], array) > 1 else array.copy() for array in (x, dy))
    (N, H, W, C), (_, OH, OW, K) = x.shape, dy.shape
    columns, pixels = _columns(K), N * OH * OW
    tiles = 9 * C // FILTER_ROWS * (K // columns)
    wanted = max(1, min(-(-BLOCKS // tiles), MOST_PIECES, pixels // LEAST_PIXELS))
    length = -(-pixels // (wanted * SLICE)) * SLICE
    pieces = -(-pixels // length)
    partial = namespace(x).empty((pieces, 9 * C * K), dtype=x.dtype)
    launch_blocks(
        f"dkernel3x3_{columns}", pieces * tiles, 192, _bytes(SLICE * (FILTER_ROWS + 8), columns),
        x, dy, partial, N, H, W, C, OH, OW, K, padding[0][0], padding[1][0], length,
    )  # fmt: skip
    return (partial[0] if pieces == 1 else channel_sum(partial)).reshape(3, 3, C, K)


def _columns(K):
    """The channels of a block's tile."""
    return 64 if K % 64 == 0 else 32


def _bytes(numbers, columns):
    """Shared memory for STAGES slices of so many `numbers` of one matrix, and of the other."""
    return 4 * STAGES * (numbers + SLICE * (columns + 8))
