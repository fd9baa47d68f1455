"""`cublasGemmStridedBatchedEx` on the host: the products that the engine asks cuBLAS for, within the arrays' bounds."""

import numpy as np
from numpy.lib.stride_tricks import as_strided
from standin_arrays import change, device


class HostBlas:
    """Stands in for `backend.cublas.Cublas`."""

    def __init__(self):
        self.calls = 0
        self.released = []  # streams whose handle and workspace were freed

    def release(self, stream):
        self.released.append(stream)

    def gemm(self, a, b, c, sizes, leading, transposed, batch, strides, offsets, add):
        (M, N, K), dtype = sizes, c.dtype
        assert a.dtype == b.dtype == c.dtype and dtype in (np.float32, np.float64)
        assert all(array.flags.c_contiguous for array in (a, b, c))
        shapes = (K, M) if transposed[0] else (M, K), (N, K) if transposed[1] else (K, N), (M, N)
        stacks = []
        for array, (rows, columns), lead, stride, offset in zip((a, b, c), shapes, leading, strides, offsets):
            assert lead >= columns and (batch == 1 or stride >= 0)
            last = offset + (batch - 1) * stride + (rows - 1) * lead + columns
            assert offset >= 0 and last <= array.size, f"{last} numbers of {array.size}"
            flat, size = array.memory.reshape(-1), dtype.itemsize
            stacks.append(as_strided(flat[offset:], (batch, rows, columns), (stride * size, lead * size, size)))
        left, right, result = stacks
        left = left.transpose(0, 2, 1) if transposed[0] else left
        right = right.transpose(0, 2, 1) if transposed[1] else right
        keep = a, b, c

        def multiply():
            assert keep
            device.launches.append("gemm")
            with np.errstate(all="ignore"):
                if add:
                    result[...] += left @ right
                else:
                    np.matmul(left, right, out=result)

        self.calls += 1
        change(multiply)
