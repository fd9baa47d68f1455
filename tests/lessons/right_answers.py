"""Right answers to the exercises, written differently from the solutions, and how a test calls one."""

import textwrap

import numpy as np


def function_in(source, name):
    """The function `name` of a learner's source."""
    module = {"np": np}
    exec(textwrap.dedent(source), module)
    return module[name]


def changed(source, old, new):
    assert old in source
    return source.replace(old, new)


def conv(change):
    return CONV.format(change=change)


CONV = """
    from minitorch_cnn.engine.convolution.im2col import col2im, im2col
    def conv2d_backward(dy, x, kernel, strides, padding):
        KH, KW, C, K = kernel.shape
        columns, flat = im2col(x, (KH, KW), strides, padding), dy.reshape(-1, K)
        dkernel = (columns.T @ flat).reshape(kernel.shape)
        dbias = flat.sum(0)
        dx = col2im(flat @ kernel.reshape(-1, K).T, x.shape, (KH, KW), strides, padding)
        {change}
        return dx, dkernel, dbias
"""
LOOP = """
    def conv2d_backward(dy, x, kernel, strides, padding):
        (KH, KW, C, K), (SH, SW), (N, H, W, _) = kernel.shape, strides, x.shape
        (top, bottom), (left, right) = padding
        xp = np.pad(x, ((0, 0), padding[0], padding[1], (0, 0)))
        dx, dkernel, dbias = np.zeros_like(xp), np.zeros_like(kernel), np.zeros(K, x.dtype)
        for n in range(N):
            for i in range(dy.shape[1]):
                for j in range(dy.shape[2]):
                    for k in range(K):
                        window = np.s_[n, i * SH : i * SH + KH, j * SW : j * SW + KW]
                        dx[window] += dy[n, i, j, k] * kernel[..., k]
                        dkernel[..., k] += dy[n, i, j, k] * xp[window]
                        dbias[k] += dy[n, i, j, k]
        return dx[:, top : top + H, left : left + W], dkernel, dbias
"""
POOL = """
    def max_pool_backward(dy, x, window, strides):
        dx = np.zeros_like(x)
        for n, i, j, c in np.ndindex(dy.shape):
            top, left = i * strides[0], j * strides[1]
            seen = x[n, top : top + window[0], left : left + window[1], c]
            p, q = np.unravel_index(seen.argmax(), seen.shape)
            dx[n, top + p, left + q, c] += dy[n, i, j, c]
        return dx
"""
COL2IM = """
    def col2im(columns, input_shape, window, strides, padding):
        N, H, W, C = input_shape
        (top, bottom), (left, right) = padding
        dx = np.zeros((N, H + top + bottom, W + left + right, C), columns.dtype)
        OH, OW = (H + top + bottom - window[0]) // strides[0] + 1, (W + left + right - window[1]) // strides[1] + 1
        rows = iter(columns)
        for n in range(N):
            for i in range(OH):
                for j in range(OW):
                    part = next(rows).reshape(window[0], window[1], C)
                    down, across = i * strides[0], j * strides[1]
                    dx[n, down : down + window[0], across : across + window[1]] += part
        return dx[:, top : top + H, left : left + W]
"""
IM2COL = """
    def im2col(x, window, strides, padding):
        padded = np.pad(x, ((0, 0), padding[0], padding[1], (0, 0)))
        rows = []
        for image in padded:
            for i in range(0, image.shape[0] - window[0] + 1, strides[0]):
                for j in range(0, image.shape[1] - window[1] + 1, strides[1]):
                    rows.append(image[i : i + window[0], j : j + window[1]].reshape(-1))
        return np.array(rows)
"""
SGD = """
    def sgd_step(parameters, gradients, velocity, trainable, rate, momentum):
        for name in parameters:
            if not trainable[name]:
                continue
            v = velocity[name]
            v[...] = momentum * v - rate * gradients[name]
            parameters[name] += v
"""
SOFTMAX = """
    def softmax_cross_entropy(scores, labels):
        N = len(scores)
        s = scores - scores.max(axis=1, keepdims=True)
        e = np.exp(s)
        p = e / e.sum(axis=1, keepdims=True)
        loss = (np.log(e.sum(axis=1)) - s[np.arange(N), labels]).mean()
        d = p.copy()
        d[np.arange(N), labels] -= 1
        return loss, d / N
"""
TRANSPLANT = """
    def transplant(layers, after, new):
        kept = []
        for layer in layers:
            kept.append(dict(layer, trainable=False))
            if layer["name"] == after:
                return kept + new
        raise ValueError("no layer is called " + after)
"""
DENSE = "def dense_backward(dy, x, kernel):\n    return {}"
TILE = "def winograd_tile(patch, kernel):\n    y = np.zeros((2, 2, kernel.shape[3]), patch.dtype)\n" \
       "    for i, j in np.ndindex(2, 2):\n        y[i, j] = {}\n    return y"  # fmt: skip
BT = "BT = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float32)\n"
G = "G = np.array([[1, 0, 0], [.5, .5, .5], [.5, -.5, .5], [0, 0, 1]], np.float32)\n"
AT = "AT = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float32)\n"
NORM = """
    def batch_norm_backward(dy, x, gamma, epsilon):
        axes = tuple(range(x.ndim - 1))
        M = x.size / x.shape[-1]
        centred = x - x.mean(axes)
        deviation = np.sqrt((centred**2).mean(axes) + epsilon)
        dxhat = dy * gamma
        dvariance = (dxhat * centred).sum(axes) * -0.5 / deviation**3
        dmean = -dxhat.sum(axes) / deviation
        dx = dxhat / deviation + dvariance * 2 * centred / M + dmean / M
        return dx.astype(x.dtype), (dy * centred / deviation).sum(axes), dy.sum(axes)
"""
RESIDUAL = """
    def residual_backward(dy, x, hidden, y, kernel1, kernel2):
        dsum = np.where(y > 0, dy, 0)
        dhidden = np.where(hidden > 0, dsum @ kernel2.T, 0)
        return dsum + dhidden @ kernel1.T, x.T @ dhidden, hidden.T @ dsum
"""
BLOCK = "def residual_forward(x, kernel1, kernel2):\n    h = {}\n    return {}"
SCATTER = """
    def col2im(columns, input_shape, window, strides, padding):
        N, H, W, C = input_shape
        (top, bottom), (left, right) = padding
        dx = np.zeros((N, H + top + bottom, W + left + right, C), columns.dtype)
        rows = np.arange(0, dx.shape[1] - window[0] + 1, strides[0])[:, None] + np.arange(window[0])
        places = np.arange(0, dx.shape[2] - window[1] + 1, strides[1])[:, None] + np.arange(window[1])
        parts = columns.reshape(N, len(rows), len(places), *window, C)
        for n in range(N):
            np.add.at(dx[n], (rows[:, None, :, None], places[None, :, None, :]), parts[n])
        return dx[:, top : dx.shape[1] - bottom, left : dx.shape[2] - right]
"""
VIEWS = """
    def im2col(x, window, strides, padding):
        padded = np.pad(x, ((0, 0), *padding, (0, 0)))
        views = np.lib.stride_tricks.sliding_window_view(padded, window, axis=(1, 2))
        views = views[:, :: strides[0], :: strides[1]].transpose(0, 1, 2, 4, 5, 3)
        return views.reshape(-1, window[0] * window[1] * x.shape[3])
"""
POOL_OF_VIEWS = """
    def max_pool_backward(dy, x, window, strides):
        views = np.lib.stride_tricks.sliding_window_view(x, window, axis=(1, 2))[:, :: strides[0], :: strides[1]]
        place = views.reshape(*dy.shape, -1).argmax(axis=-1)
        n, i, j, c = np.indices(dy.shape)
        dx = np.zeros_like(x)
        np.add.at(dx, (n, i * strides[0] + place // window[1], j * strides[1] + place % window[1], c), dy)
        return dx
"""
SGD_BY_NUMBERS = """
    def sgd_step(parameters, gradients, velocity, trainable, rate, momentum):
        for name in filter(trainable.get, trainable):
            np.copyto(velocity[name], momentum * velocity[name] - rate * gradients[name])
            parameters[name][:] = parameters[name] + velocity[name]
"""
LOG_SOFTMAX = """
    def softmax_cross_entropy(scores, labels):
        N, K = scores.shape
        s = scores - np.max(scores, axis=1)[:, None]
        logp = s - np.log(np.exp(s).sum(axis=1))[:, None]
        wanted = np.eye(K, dtype=scores.dtype)[labels]
        return -(logp * np.eye(K)[labels]).sum() / N, (np.exp(logp) - wanted) / np.float32(N)
"""
SLICED = """
    def transplant(layers, after, new):
        for index, layer in enumerate(layers):
            if layer["name"] == after:
                kept = [layer.copy() for layer in layers[: index + 1]]
                for layer in kept:
                    layer["trainable"] = False
                kept.extend(new)
                return kept
        raise ValueError(f"{after} is none of the layers")
"""
LOWEST = """
    def lowest_trainable(layers):
        index = 0
        while index < len(layers) and not layers[index]["trainable"]:
            index += 1
        return index
"""
NORM_OF_COLUMNS = """
    def batch_norm_backward(dy, x, gamma, epsilon):
        flat, flat_dy = x.reshape(-1, x.shape[-1]), dy.reshape(-1, x.shape[-1])
        deviation = (flat.var(axis=0) + epsilon) ** 0.5
        xhat, dxhat = (flat - flat.mean(axis=0)) / deviation, flat_dy * gamma
        dx = (dxhat - dxhat.mean(axis=0) - xhat * (dxhat * xhat).mean(axis=0)) / deviation
        return dx.reshape(x.shape), np.einsum("mc,mc->c", flat_dy, xhat), flat_dy.sum(axis=0)
"""

# What passes the check: (name of the exercise, source).
RIGHT = [
    ("dense", DENSE.format("dy @ kernel.T, x.T @ dy, dy.sum(0)")),
    ("dense", DENSE.format("np.inner(dy, kernel), np.einsum('nd,nu->du', x, dy), np.ones(len(dy), dy.dtype) @ dy")),
    ("relu", "def relu_forward(x):\n    return np.where(x > 0, x, 0)"),
    ("relu", "def relu_forward(x):\n    return (x + abs(x)) / 2"),
    ("relu", "def relu_backward(dy, y):\n    dx = dy.copy()\n    dx[y == 0] = 0\n    return dx"),
    ("relu", "def relu_backward(dy, y):\n    return dy * np.sign(y)"),
    ("softmax", SOFTMAX), ("softmax", LOG_SOFTMAX), ("im2col", IM2COL), ("im2col", VIEWS), ("col2im", COL2IM),
    ("col2im", SCATTER), ("conv2d", conv("pass")), ("conv2d", LOOP), ("max_pool", POOL), ("max_pool", POOL_OF_VIEWS),
    ("sgd", SGD), ("sgd", SGD_BY_NUMBERS), ("surgery", TRANSPLANT), ("surgery", SLICED), ("surgery", LOWEST),
    ("winograd", TILE.format("np.tensordot(patch[i:i+3, j:j+3], kernel, 3)")),
    ("winograd", BT + "def transform_patch(patch):\n    rows = np.tensordot(BT, patch, 1)\n"
     "    return np.tensordot(rows, BT, (1, 1)).swapaxes(1, 2)"),
    ("winograd", G + "def transform_kernel(kernel):\n    U = np.zeros((4, 4, *kernel.shape[2:]), kernel.dtype)\n"
     "    for c, k in np.ndindex(kernel.shape[2:]):\n        U[..., c, k] = G @ kernel[..., c, k] @ G.T\n    return U"),
    ("batch_norm", NORM), ("batch_norm", NORM_OF_COLUMNS), ("residual", RESIDUAL),
    ("residual", BLOCK.format("(x @ kernel1).clip(0)", "h, (h @ kernel2 + x).clip(0)")),
]  # fmt: skip
