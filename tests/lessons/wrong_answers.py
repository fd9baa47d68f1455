"""Wrong answers that a learner could write: changes of the solution of each exercise, or of another right answer.

A change is the old text and the new ones, each of which makes a wrong answer of its own.
"""

from right_answers import IM2COL, POOL, SGD, TRANSPLANT

SHAPE = "    KH, KW, C, K = kernel.shape\n"  # the first line of the solution of conv2d
MASK = "dy * (maximum == position)"
TOP = "layers[: names.index(after) + 1]"
FIRST_THREE = "    dx[..., 3:] = 0\n    return dx"

OF_THE_SOLUTIONS = {
    "dense": {
        "dy @ kernel.T": (
            "dy @ kernel", "dy @ kernel.T / len(x)", "(dy @ kernel.T).astype(np.float32)",
            "dy[:, :3] @ kernel[:, :3].T",
            "np.repeat(dy[:1] @ kernel.T, len(x), axis=0)", "(dy @ kernel.T).astype(float)",
        ),
        "x.T @ dy": ("dy.T @ x", "x.T @ dy / len(x)", "x[:1].T @ dy[:1]", "x[:3].T @ dy[:3]", "x.T @ (dy * (dy > 0))"),
        "dy @ kernel.T, x.T @ dy": ("x.T @ dy, dy @ kernel.T",),
        "dy.sum(axis=0)": (
            "dy.sum(axis=1)", "dy.mean(axis=0)", "dy[0]", "dy.sum()", "x.sum(axis=0)", "np.zeros(dy.shape[1])",
            "dy.sum(axis=0, keepdims=True)", "kernel.sum(axis=0)", "np.ones(dy.shape[1]) * len(dy)",
        ),
    },
    "relu": {
        "np.maximum(x, 0)": (
            "np.clip(x, 0, 6)", "np.clip(x, 0, 1)", "np.clip(x, 0, 10)", "np.abs(x)", "np.maximum(x, 0.01 * x)",
            "np.minimum(x, 0)", "np.maximum(x, 0, out=x)", "x * (x > 1)", "np.log1p(np.exp(x))",
            "x.clip(0).astype(int)",
            "np.maximum(x, 0).reshape(len(x), -1)", "np.maximum(x, 0.1)", "np.maximum(x, 0).astype(np.float32)",
            "np.array([[max(v, 0) for v in row] for row in x])", "x - x.min()", "x",
        ),
        "dy * (y > 0)": (
            "dy * (y >= 0)", "dy * y", "dy * (dy > 0)", "(y > 0) * 1.0", "dy * ((y > 0) & (y < 6))", "y * (dy > 0)",
            "np.where(y > 0, dy, 0.01 * dy)", "dy * (y > 1)", "np.abs(dy) * (y > 0)", "dy * (y > 0) / len(y)",
            "np.maximum(dy, 0) * (y > 0)", "np.clip(dy, -1, 1) * (y > 0)", "np.multiply(dy, y > 0, out=dy)",
            "dy * (y == 0)",
        ),
    },
    "softmax": {
        "scores.max(axis=1, keepdims=True)": (
            "scores.max()", "np.abs(scores).max(axis=1, keepdims=True)", "np.abs(scores).max()", "0", "500",
            "scores.max(axis=0)", "scores.mean(axis=1, keepdims=True)", "scores.min(axis=1, keepdims=True)",
            "scores[:, :1]", "scores[np.arange(N), labels][:, None]", "scores.sum(axis=1, keepdims=True)",
            "np.maximum(scores.max(axis=1, keepdims=True), 0)", "scores[:1].max()",
        ),
        "scores - scores.max(axis=1, keepdims=True)": (
            "np.clip(scores, -500, 500)", "scores / scores.max(axis=1, keepdims=True)", "scores / np.abs(scores).max()",
        ),
        "    shifted = scores - scores": (
            "    scores -= scores.max(axis=1, keepdims=True)\n    shifted = scores - scores",
        ),
        "e.sum(axis=1, keepdims=True)": ("e.sum(axis=0, keepdims=True)", "np.array([[e.sum()]] * N)"),
        ".mean()": (".sum()", ".max()", "[0]", ".sum() / 3"),
        "labels]).mean()": ("labels]).sum() / scores.size", "np.sort(labels)]).mean()"),
        "loss = (": ("loss = -(", "loss = np.ones(1) * (", "loss = 1 + ("),
        "np.log(total[:, 0]) - shifted[np.arange(N), labels]": (
            "-np.log(e[np.arange(N), labels] / total[:, 0])", "-np.log(e[np.arange(N), labels] / total[:, 0] + 1e-12)",
            "-np.log(np.clip(e[np.arange(N), labels] / total[:, 0], 1e-7, 1))", "np.log(total[:, 0]) - shifted[:, 0]",
            "np.log2(total[:, 0]) - shifted[np.arange(N), labels]",
            "np.log(total[:, 0]) - scores[np.arange(N), labels]",
            "np.log(total[:, 0]) - shifted.max(axis=1)", "np.log(total[:, 0])",
            "1 - e[np.arange(N), labels] / total[:, 0]",
        ),
        "dscores[np.arange(N), labels] -= 1": (
            "pass", "dscores[:, labels] -= 1", "dscores[np.arange(N), labels] += 1", "dscores -= 1",
            "dscores[np.arange(N), scores.argmax(axis=1)] -= 1", "dscores[np.arange(N), labels - 1] -= 1",
            "dscores[np.arange(N), np.arange(N) % scores.shape[1]] -= 1", "dscores[np.arange(N), np.sort(labels)] -= 1",
            "dscores[0, labels] -= 1",
        ),
        "dscores / N": (
            "dscores", "dscores / scores.size", "dscores / scores.shape[1]", "-dscores / N", "dscores / 3",
            "(dscores / N).astype(np.float32)", "dscores / np.ones(1) / N", "dscores * dscores / N",
        ),
        "loss, dscores / N": ("dscores / N, loss", "float(loss) / N, dscores / N"),
    },
    "im2col": {
        "window, strides\n": (
            "window[::-1], strides\n", "(window[0],) * 2, strides\n", "(window[1],) * 2, strides\n",
            "window, strides[::-1]\n", "window, (strides[0],) * 2\n", "window, (strides[1],) * 2\n", "window, (1, 1)\n",
            "(3, 3), strides\n", "window, (2, 1)\n",
        ),
        "*padding,": (
            "(0, 0), (0, 0),", "*padding[::-1],", "padding[0], padding[0],", "padding[1], padding[1],",
            "(1, 1), (1, 1),",
            "padding[0][::-1], padding[1],", "padding[0], padding[1][::-1],",
            "(padding[0][0],) * 2, (padding[1][0],) * 2,",
            "(0, sum(padding[0])), (0, sum(padding[1])),",
        ),
        "*padding, (0, 0))": ("*padding, (0, 0)), mode='edge'", "*padding, (0, 0)), constant_values=1"),
        "- KH) // SH + 1": ("- KH) // SH",),
        ", x.dtype": ("", ", np.float32"),
        "[:, :, :, p, q] =": ("[:, :, :, KH - 1 - p, q] =", "[:, :, :, p, KW - 1 - q] ="),
        "columns.reshape(": (
            "columns.transpose(0, 1, 2, 5, 3, 4).reshape(", "columns.transpose(1, 2, 0, 3, 4, 5).reshape(",
            "columns.transpose(0, 2, 1, 3, 4, 5).reshape(", "columns.transpose(0, 1, 2, 4, 3, 5).reshape(",
        ),
        "KH * KW * C)": ("KH * KW * C).T", "KH * KW * C)[:1]", "KH, KW, C)"),
    },
    "col2im": {
        "window, strides\n": (
            "window[::-1], strides\n", "(window[0],) * 2, strides\n", "window, strides[::-1]\n", "window, (1, 1)\n",
            "window, (strides[0],) * 2\n", "window, (strides[1],) * 2\n", "(3, 3), strides\n",
        ),
        "(N, H, W, C), (KH": ("(N, W, H, C), (KH", "(N, H, W, C), (KW, KH), (KH"),
        "= padding": (
            "= padding[::-1]", "= padding[0], padding[0]", "= padding[1], padding[1]", "= (0, 0), (0, 0)",
            "= (1, 1), (1, 1)", "= padding[0][::-1], padding[1]", "= padding[0], padding[1][::-1]",
            "= (padding[0][0],) * 2, (padding[1][0],) * 2", "= zip(*padding)",
        ),
        "+= columns": ("= columns",),
        "C), columns.dtype": ("C)", "C), np.float32"),
        "columns.reshape(N, OH, OW, KH, KW, C)": (
            "columns.reshape(N, OH, OW, C, KH, KW).transpose(0, 1, 2, 4, 5, 3)",
            "columns.reshape(N, OH, OW, KW, KH, C).swapaxes(3, 4)",
            "columns.reshape(N, OW, OH, KH, KW, C).swapaxes(1, 2)",
            "columns.reshape(OH, OW, N, KH, KW, C).transpose(2, 0, 1, 3, 4, 5)",
            "columns.reshape(N, OH, OW, KH, KW, C)[:, :, :, ::-1, ::-1]",
        ),
        "return dx[:, top : top + H, left : left + W]": (
            "return dx", "return dx[:, :H, :W]", "return dx[:, bottom : bottom + H, right : right + W]",
            "return dx[:, top:-bottom, left:-right]", "return dx[:, left : left + H, top : top + W]",
            "return dx[:, top:, left:]", "return dx[:, top : top + H, left : left + W] / (KH * KW)",
            "return dx[:, top : top + H, left : left + W][..., ::-1]", "return dx[:1, top : top + H, left : left + W]",
        ),
    },
    "conv2d": {
        SHAPE: tuple(f"{SHAPE}    {line}\n" for line in (
            "strides = strides[::-1]", "strides = (strides[0], strides[0])", "strides = (strides[1], strides[1])",
            "strides = (1, 1)", "padding = padding[::-1]", "padding = (padding[0], padding[0])",
            "padding = tuple(side[::-1] for side in padding)", "padding = ((0, 0), (0, 0))",
            "padding = ((1, 1), (1, 1))",
            "padding = tuple((side[0], side[0]) for side in padding)", "x = np.concatenate([x[:1]] * len(x))",
            "dy = np.concatenate([dy[:1]] * len(dy))", "kernel = kernel[::-1, ::-1]", "x = x[:, ::-1]", "dy *= 2",
        )),
        "x.shape, (KH, KW), strides": ("x.shape, (KH, KW), strides[::-1]", "x.shape, (KH, KW), (1, 1)"),
        "im2col(x, (KH, KW), strides": ("im2col(x, (KH, KW), strides[::-1]", "im2col(x, (KW, KH), strides"),
        "dy @ kernel.reshape(KH * KW * C, K).T": (
            "dy @ kernel[::-1, ::-1].reshape(KH * KW * C, K).T", "dy @ kernel.reshape(K, KH * KW * C)",
            "dy @ kernel.transpose(2, 0, 1, 3).reshape(KH * KW * C, K).T",
        ),
        "(columns.T @ dy).reshape(kernel.shape)": (
            "(columns.T @ dy).reshape(kernel.shape) / len(x)", "(columns.T @ dy).reshape(kernel.shape)[::-1, ::-1]",
            "(columns.T @ dy).reshape(C, KH, KW, K).transpose(1, 2, 0, 3)", "(dy.T @ columns).reshape(kernel.shape)",
            "(columns.T @ dy).reshape(kernel.shape).swapaxes(2, 3)", "(columns.T @ dy)", "np.zeros_like(kernel)",
        ),
        "dy.sum(axis=0)": (
            "dy.mean(axis=0)", "dy.sum(axis=0) / len(x)", "dy[0]", "dy.sum()", "np.zeros(K)", "dy.sum(axis=1)",
            "kernel.sum(axis=(0, 1, 2))", "dy[: len(dy) // len(x)].sum(axis=0)",
        ),
        "    return dx": (FIRST_THREE, "    dx[1:] = 0\n    return dx", "    dx = dx / len(x)\n    return dx"),
    },
    "max_pool": {
        "window, strides,": (
            "window, strides[::-1],", "window, (strides[0],) * 2,", "window, (strides[1],) * 2,", "window, (1, 1),",
            "window, (2, 2),", "window, window,", "window[::-1], strides,", "(window[0],) * 2, strides,",
            "(window[1],) * 2, strides,", "(2, 2), strides,",
        ),
        "tap(x, position) for": (
            "np.maximum(tap(x, position), 0) for", "np.abs(tap(x, position)) for", "tap(x[..., :1], position) for",
            "tap(x[:1], position) for", "tap(x.mean(axis=3, keepdims=True), position) for",
        ),
        ".argmax(axis=0)": (".argmin(axis=0)", "[::-1].argmax(axis=0)\n    maximum = KH * KW - 1 - maximum"),
        "p, q = divmod(position, KW)": ("p, q = divmod(position, KH)", "q, p = divmod(position, KH)"),
        "[...] += dy": ("[...] = dy", "[...] -= dy"),
        MASK: (
            "(maximum == position)", f"{MASK} / (KH * KW)", "dy", "dy / (KH * KW)", f"{MASK} * (dy > 0)",
            f"{MASK} / len(x)",
            "dy * (tap(x, position) == np.stack([tap(x, k) for k in range(KH * KW)]).max(axis=0))",
            f"{MASK} * tap(x, position)",
        ),
        "dy.dtype": ("np.float32", "float"),
        "    return dx": (FIRST_THREE, "    dx[1:] = 0\n    return dx", "    dx[:, -1] = 0\n    return dx"),
    },
    "sgd": {
        "-= rate *": ("-= 0.1 *", "-= 0.01 *", "+= rate *", "-= (1 - momentum) * rate *", "-= momentum *", "-= "),
        "*= momentum": ("*= 0.9", "*= momentum or 0.9", "*= rate", "*= 1 - momentum", "*= 0", "*= 1"),
        "velocity[name] *= momentum\n": ("velocity[name] = velocity[name] * momentum\n",),
        "rate * gradients[name]": (
            "rate * gradients[name] / len(w)", "rate * (gradients[name] + 1e-4 * w)", "rate * np.sign(gradients[name])",
            "rate * np.clip(gradients[name], -1, 1)", "rate * gradients[name].mean()", "rate * gradients[name][:1]",
        ),
        "w += velocity[name]": (
            "w -= velocity[name]", "w = w + velocity[name]", "parameters[name] = w + velocity[name]",
            "w += momentum * velocity[name] - rate * gradients[name]", "w += rate * velocity[name]",
            "w -= rate * gradients[name]",
            "w += velocity[name]\n            velocity[name][...] = 0",
            "w += velocity[name]\n            gradients[name][...] = 0",
        ),
        "if trainable[name]:": (
            "if True:", "if name in gradients:", "if trainable[name] and gradients[name].any():",
            "if trainable[name] and velocity[name].any():", "if trainable[name] and name.endswith('kernel'):",
            "if trainable[name] or velocity[name].any():", "if trainable[name] and w.ndim > 1:",
            "if not trainable[name]:",
            "if not trainable[name]:\n            break\n        else:",
            "if not trainable[name]:\n            velocity[name][...] = 0\n        else:",
            "if not trainable[name]:\n            velocity[name] *= momentum\n        else:",
        ),
        "in parameters.items()": ("in list(parameters.items())[:2]", "in list(parameters.items())[1:]"),
    },
    "surgery": {
        TOP: (
            "layers[:3]", "layers[:2]", "layers[:-2]", "layers[:-1]", "layers", "layers[: names.index(after)]",
            "layers[: names.index(after) + 2]", "layers[names.index(after) :]", "layers[: len(layers) // 2 + 1]",
            f"[layer for layer in {TOP} if layer['trainable']]",
        ),
        "    kept =": (
            "    layers[0]['kernel'][...] = 0\n    kept =", "    del layers[names.index(after) + 1 :]\n    kept ="
        ),
        '"trainable": False': (
            '"trainable": True', '"trainable": not layer["trainable"]', '"frozen": True',
            '"trainable": False, "kernel": layer["kernel"].copy()', '"trainable": False, "bias": 0 * layer["bias"]',
            '"trainable": False, "bias": layer["bias"].astype(layer["bias"].dtype)',
        ),
        "+ list(new)": (
            "", "+ list(new)[:2]", "+ list(new)[:1]", "+ list(new)[::-1]", "+ [list(new)]",
            "+ [{**layer, 'trainable': False} for layer in new]",
            "+ [{**layer, 'bias': 0 * layer['bias']} for layer in new]",
        ),
        "return [{**layer": (
            "new[:0] = [{**layer, 'trainable': False} for layer in kept]\n    return new\n    [{**layer",
        ),
        "raise ValueError(f": ("raise KeyError(f", "return list(new)  # (", "raise ValueError('no such layer')  # ("),
        "for index, layer in enumerate(layers) if": (
            "for index, layer in enumerate(layers) if not", "for index, layer in enumerate(layers) if index and",
        ),
        "next((index": ("max((index", "next((index + 1"),
        "), len(layers))": ("), 0)", "), len(layers) - 1)", "), None)", "))", "), -1)"),
        "return next(": (
            "return sum(not layer['trainable'] for layer in layers)\n    return next(",
            "return sum(layer['trainable'] for layer in layers)\n    return next(",
            "return layers[0]\n    return next(", "return 2\n    return next(",
        ),
    },
    "winograd": {
        '"ip,pq...,jq->ij..."': ('"ip,pq...,qj->ij..."', '"ip,qp...,jq->ij..."', '"ip,pq...,jq->ji..."'),
        "0.5, -0.5, 0.5]": ("0.5, 0.5, 0.5]",),
        "[0, 1, -1, -1]": ("[0, 1, -1, 1]",),
        "[0, 1, 0, -1]": ("[0, 1, 0, 1]",),
        "-1]], np.float32)\nG": ("-1]])\nG",),
        "both_sides(BT, patch)": (
            'np.einsum("ip,pq...->iq...", BT, patch)', 'np.einsum("pq...,jq->pj...", patch, BT)',
            "both_sides(BT.T, patch)",
            "both_sides(BT, patch[..., :3])", "both_sides(BT, patch[..., :1] + 0 * patch)", "BT @ patch[..., 0] @ BT.T",
        ),
        "both_sides(G, kernel)": (
            "both_sides(G, kernel[::-1, ::-1])", "both_sides(G, kernel.swapaxes(0, 1))",
            "both_sides(G, kernel.swapaxes(2, 3))",
            "both_sides(G, kernel[..., :1])", "both_sides(G, kernel[:, :, :3])", "both_sides(G, kernel) * 2",
        ),
        'np.einsum("pqc,pqck->pqk", V, U)': (
            'np.einsum("pqc,pqck->pqk", V, U) / len(V)', 'np.einsum("pqc,pqck->pqk", V, U) / patch.shape[2]',
            'np.einsum("pqc,qrck->prk", V, U)', 'np.einsum("pqc,qpck->pqk", V, U)', "V[:, :, 0, None] * U[:, :, 0]",
            "np.einsum('pqc,pqck->pqk', V[:, :, :3], U[:, :, :3])", "np.einsum('pqc,pqck->pqk', V, U)[:, :, :1]",
        ),
    },
    "batch_norm": {
        "+ epsilon": ("+ 1e-3", "+ 1e-5", "", "+ 2 * epsilon", "+ epsilon**2"),
        "np.sqrt(x.var(axis=axes) + epsilon)": (
            "(x.std(axis=axes) + epsilon)", "(x.var(axis=axes) + epsilon)", "x.std()"
        ),
        "x.var(axis=axes)": ("x.var(axis=axes, ddof=1)", "(x**2).mean(axis=axes)", "x.var(axis=0)", "x.var()"),
        "(x - x.mean(axis=axes))": ("x", "(x - x.mean())", "(x - x.mean(axis=0))"),
        "tuple(range(x.ndim - 1))": ("0", "tuple(range(1, x.ndim))", "(0, 1, 2)", "None"),
        "M = x.size // x.shape[-1]": (
            "M = len(x)", "M = x.size", "M = 1", "M = x.shape[-1]", "M = x.size // len(x)",
            "M = x.size // x.shape[-1] - 1",
        ),
        "return gamma / deviation": (
            "return 1 / deviation", "return gamma", "return gamma / deviation**2", "return np.abs(gamma) / deviation",
            "return gamma / np.sqrt(x.var(axis=axes))",
        ),
        "- dbeta / M": ("", "+ dbeta / M"),
        "- xhat * dgamma / M": ("", "- dgamma / M", "- xhat / M"),
        "dgamma = dy.sum(axis=axes), (dy * xhat).sum(axis=axes)": (
            "dgamma = (dy * xhat).sum(axis=axes), dy.sum(axis=axes)",
            "dgamma = dy.sum(axis=axes), (dy * x).sum(axis=axes)",
            "dgamma = dy.mean(axis=axes), (dy * xhat).mean(axis=axes)",
            "dgamma = dy.sum(axis=axes), (dy * xhat * gamma).sum(axis=axes)",
            "dgamma = (dy * gamma).sum(axis=axes), (dy * xhat).sum(axis=axes)",
        ),
        ", dgamma, dbeta": (", dbeta, dgamma", ", dgamma / M, dbeta / M", ", dgamma, dbeta[0]", ", dgamma"),
    },
    "residual": {
        "hidden = np.maximum(x @ kernel1, 0)": (
            "hidden = np.clip(x @ kernel1, 0, 6)", "hidden = x @ kernel1", "hidden = np.tanh(x @ kernel1)",
            "hidden = np.abs(x @ kernel1)", "hidden = np.maximum(np.maximum(x, 0) @ kernel1, 0)",
        ),
        "return hidden, np.maximum(x + hidden @ kernel2, 0)": (
            "return hidden, np.clip(x + hidden @ kernel2, 0, 6)", "return hidden, x + hidden @ kernel2",
            "return hidden, x + np.maximum(hidden @ kernel2, 0)", "return hidden, np.maximum(hidden @ kernel2, 0)",
            "return x @ kernel1, np.maximum(x + hidden @ kernel2, 0)",
            "return np.maximum(x + hidden @ kernel2, 0), hidden",
            "return hidden, np.maximum(x, 0) + np.maximum(hidden @ kernel2, 0)",
            "return hidden, np.maximum((x + hidden @ kernel2) / 2, 0)",
            "return hidden, np.maximum(x + hidden @ kernel1.T, 0)",
        ),
        "dsum = dy * (y > 0)": (
            "dsum = dy", "dsum = dy * (y >= 0)", "dsum = dy * (x > 0)", "dsum = dy * y", "dsum = dy * (dy > 0)",
            "dsum = dy * (y > 1)", "dsum = dy * ((y > 0) & (y < 6))",
        ),
        "* (hidden > 0)": ("", "* (hidden > 1)", "* (hidden >= 0)", "* hidden", "* ((hidden > 0) & (hidden < 6))"),
        "(dsum @ kernel2.T)": ("(dy @ kernel2.T)", "(dsum @ kernel1)"),
        "return dsum + dbefore @ kernel1.T": (
            "return dy + dbefore @ kernel1.T", "return dsum", "return dbefore @ kernel1.T",
            "return dsum - dbefore @ kernel1.T",
            "return (dsum + dbefore @ kernel1.T) / 2", "return dsum * (dbefore @ kernel1.T)",
            "return dsum + dbefore @ kernel2",
        ),
        "x.T @ dbefore, hidden.T @ dsum": (
            "x.T @ dbefore / len(x), hidden.T @ dsum / len(x)", "hidden.T @ dsum, x.T @ dbefore",
            "x.T @ dbefore, hidden.T @ dy",
            "x.T @ (dsum @ kernel2.T), hidden.T @ dsum", "x.T @ dbefore, (x @ kernel1).T @ dsum",
            "x.T @ dbefore, dsum.T @ hidden",
            "dsum.T @ dbefore, hidden.T @ dsum",
        ),
    },
}  # fmt: skip

# (exercise, a right answer, the old text, the new one)
OF_OTHERS = [
    ("im2col", IM2COL, "np.array(rows)", "np.array(rows, float if padding[0][0] else x.dtype)"),
    ("max_pool", POOL, "seen.argmax()", "np.maximum(seen, 0).argmax()"),
    ("max_pool", POOL, "in np.ndindex(dy.shape)", "in np.ndindex(*dy.shape[:3], min(dy.shape[3], 3))"),
    ("max_pool", POOL, "in np.ndindex(dy.shape)", "in np.ndindex(1, *dy.shape[1:])"),
    ("max_pool", POOL, "+= dy[n, i, j, c]", "= max(dx[n, top + p, left + q, c], dy[n, i, j, c])"),
    ("sgd", SGD, "for name in parameters:", "for name in sorted(parameters)[:2]:"),
    ("sgd", SGD, "                continue", "                break"),
    ("sgd", """
        def sgd_step(parameters, gradients, velocity, trainable, rate, momentum):
            arrays = zip(parameters.values(), gradients.values(), velocity.values(), trainable.values())
            for w, g, v, moves in arrays:
                if moves:
                    v[...] = momentum * v - rate * g
                    w += v
     """, "", ""),
    ("surgery", TRANSPLANT, '== after', '.startswith(after)'),
    ("surgery", TRANSPLANT, 'if layer["name"] == after', 'if after in layer["name"]'),
    ("surgery", TRANSPLANT, 'if layer["name"] == after', 'if layer["name"] in after'),
    ("surgery", TRANSPLANT, "return kept + new", "new[:0] = kept\n                return new"),
    ("surgery", TRANSPLANT, "kept.append(dict(", "if layer['trainable']: kept.append(dict("),
]  # fmt: skip
