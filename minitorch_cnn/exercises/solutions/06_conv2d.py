"""Solution 6; in the package, see `engine/convolution/im2col.py` and `engine/layers/conv2d.py`."""

from minitorch_cnn.engine.convolution.im2col import col2im, im2col


def conv2d_backward(dy, x, kernel, strides, padding):
    """With dy as rows: dkernel = columns.T @ dy, dbias = dy.sum(axis=0) and dx = col2im(dy @ kernel_matrix.T)."""
    KH, KW, C, K = kernel.shape
    columns, dy = im2col(x, (KH, KW), strides, padding), dy.reshape(-1, K)
    dcolumns = dy @ kernel.reshape(KH * KW * C, K).T
    dx = col2im(dcolumns, x.shape, (KH, KW), strides, padding)
    return dx, (columns.T @ dy).reshape(kernel.shape), dy.sum(axis=0)
