"""Every common kind of wrong answer gets the right hint, and the reference solutions pass."""

import re
import textwrap

import numpy as np
import pytest
from right_answers import (
    AT,
    BLOCK,
    BT,
    COL2IM,
    DENSE,
    IM2COL,
    LOOP,
    NORM,
    POOL,
    RESIDUAL,
    SGD,
    SOFTMAX,
    TILE,
    TRANSPLANT,
    G,
    changed,
    conv,
    function_in,
)

from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.exercises import course
from minitorch_cnn.exercises.checking import NotBegun, Wrong, check
from minitorch_cnn.exercises.smallest import smallest_case
from minitorch_cnn.exercises.worker import load


def message_for(exercise_name, source):
    """The message and hint for a learner who wrote `source`."""
    exercise = course.get(exercise_name)
    task = next(task for task in exercise.tasks if f"def {task.function}(" in source)
    with pytest.raises(Wrong) as wrong:
        check(task, function_in(source, task.function))
    assert "\n" not in wrong.value.words
    return f"{wrong.value.words}; hint: {wrong.value.hint}"


@pytest.mark.parametrize("exercise", course.EXERCISES, ids=lambda exercise: exercise.name)
def test_the_reference_solution_passes(exercise):
    module = load(exercise.solution)
    for task in exercise.tasks:
        check(task, getattr(module, task.function))


@pytest.mark.parametrize("exercise", course.EXERCISES, ids=lambda exercise: exercise.name)
def test_the_stub_says_what_to_write_and_is_not_begun(exercise):
    module = load(exercise.stub)
    assert f"minitorch-cnn exercise {exercise.name}" in module.__doc__
    assert module.__doc__.startswith(f"Exercise {exercise.number}: {exercise.title}")
    for task in exercise.tasks:
        assert getattr(module, task.function).__doc__
        with pytest.raises(NotBegun):
            check(task, getattr(module, task.function))


HINTS = [
    # dense
    ("dense", DENSE.format("dy @ kernel, x.T @ dy, dy.sum(0)"), "dy @ kernel.T"),
    ("dense", DENSE.format("dy @ kernel.T, dy.T @ x, dy.sum(0)"), "so x.T @ dy"),
    ("dense", DENSE.format("dy @ kernel.T, x @ dy, dy.sum(0)"), "the first axis of both"),
    ("dense", DENSE.format("dy @ kernel.T, x.T @ dy / len(x), dy.sum(0)"), "take the sum here"),
    ("dense", DENSE.format("dy @ kernel.T, x.T @ dy, dy.mean(0)"), "take the sum here"),
    ("dense", DENSE.format("dy @ kernel.T, x.T @ dy, dy[0]"), "only one image"),
    ("dense", DENSE.format("dy @ kernel.T, x.T @ dy, dy.sum(1)"), "not over the outputs"),
    ("dense", DENSE.format("dy @ kernel.T, x.T @ dy, dy.sum()"), "an axis is missing"),
    ("dense", DENSE.format("dy @ kernel.T, x.T @ dy, dy.sum(0, keepdims=True)"), "keepdims"),
    ("dense", DENSE.format("dy @ kernel.T, x.T @ dy, dy"), "an axis too many"),
    ("dense", DENSE.format("-dy @ kernel.T, x.T @ dy, dy.sum(0)"), "wrong sign"),
    ("dense", DENSE.format("2 * dy @ kernel.T, x.T @ dy, dy.sum(0)"), "times 2"),
    ("dense", DENSE.format("dy @ kernel.T, x.T @ dy"), "expected 3 results (dx, dkernel, dbias), got 2"),
    ("dense", DENSE.format("x.T @ dy"), "expected 3 results (dx, dkernel, dbias), got one ndarray"),
    ("dense", DENSE.format("None"), "is the `return` missing?"),
    ("dense", DENSE.format("None, x.T @ dy, dy.sum(0)"), "dx is None"),
    ("dense", DENSE.format("(dy @ kernel.T).tolist(), x.T @ dy, dy.sum(0)"),
     "expected an array of shape (4, 4), got list"),
    ("dense", DENSE.format("(dy @ kernel.T).astype(int), x.T @ dy, dy.sum(0)"), "cuts off everything after"),
    ("dense", DENSE.format("(dy @ kernel.T).astype(str), x.T @ dy, dy.sum(0)"), "expected real numbers"),
    ("dense", DENSE.format("dy @ kernel.T + np.zeros(x.shape), x.T @ dy, dy.sum(0)"), "np.zeros_like"),
    ("dense", DENSE.format("dy.dot(kernel.T) / 0, x.T @ dy, dy.sum(0)"), "not finite"),
    ("dense", "def dense_backward(dy, x, kernel):\n    dy *= 2\n    return dy, dy, dy", "changes its argument dy"),
    ("dense", "def dense_backward(dy, x, kernel):\n    return nothing", "raised NameError: name 'nothing'"),
    ("dense", "def dense_backward(dy, x):\n    return dy", "raised TypeError"),
    ("dense", "def dense_backward(dy, x, kernel):\n    raise SystemExit(3)", "raised SystemExit: 3"),
    ("sgd", "def sgd_step(*arguments):\n    raise KeyError", "raised KeyError"),
    ("sgd", "def sgd_step(*arguments):\n    raise KeyError([1])", "raised KeyError: [1]"),
    ("sgd", "class Silent(Exception):\n    def __str__(self):\n        return None\n\n\ndef sgd_step(*arguments):\n"
     "    raise Silent", "raised Silent"),
    ("dense", "def dense_backward(dy, x, kernel):\n    return dense_backward(dy, x, kernel)", "raised RecursionError"),
    ("dense", DENSE.format("kernel.T @ dy, x.T @ dy, dy.sum(0)"), "from the wrong side"),
    ("dense", DENSE.format("dy * kernel, x.T @ dy, dy.sum(0)"), "matrix products, @"),
    ("dense", DENSE.format("dy @ kernel.T, x * dy, dy.sum(0)"), "matrix products, @"),
    ("dense", DENSE.format("x.T @ dy, dy @ kernel.T, dy.sum(0)"), "that is dkernel: the order of the results"),
    ("dense", DENSE.format("dy[:1] @ kernel.T @ x[1:], x.T @ dy, dy.sum(0)"),
     "the function was called with dy (4, 4), x (4, 4), kernel (4, 4)"),
    ("dense", DENSE.format("(dy @ kernel.T).astype('float16'), x.T @ dy, dy.sum(0)"), "float16 for float64 input"),
    ("dense", DENSE.format("(dy @ kernel.T).astype('float32'), x.T @ dy, dy.sum(0)"),
     "the numbers of dx are right, but they are float32 for float64 input"),
    ("dense", DENSE.format("numpy.dot(dy, kernel.T), x.T @ dy, dy.sum(0)"), "raised NameError: name 'numpy'"),
    ("dense", "def dense_backward(dy, x):\n    return dy", "the function is called with dy, x, kernel"),
    # relu
    ("relu", "def relu_forward(x):\n    return x if x > 0 else 0", "np.where(x > 0, ...)"),
    ("relu", "def relu_forward(x):\n    return np.where(x > 0, x, 0.01 * x)", "a leaky ReLU"),
    ("relu", "def relu_forward(x):\n    return np.maximum(x, 0, out=x)", "changes its argument x"),
    ("relu", "def relu_backward(dy, y):\n    return dy * (y >= 0)", "dy unchanged"),
    ("relu", "def relu_forward(x):\n    return abs(x)", "absolute value"),
    ("relu", "def relu_forward(x):\n    return np.where(x > 0, 0, x)", "the wrong half"),
    ("relu", "def relu_forward(x):\n    return (x > 0) * 1.0", "that is the derivative"),
    ("relu", "def relu_forward(x):\n    return x.max()", "expected shape (3, 5), got ()"),
    ("relu", "def relu_forward(x):\n    x[x < 0] = 0\n    return x", "changes its argument x"),
    ("relu", "def relu_backward(dy, y):\n    return np.where(y == 0, dy, 0)", "the mask is inverted"),
    ("relu", "def relu_backward(dy, y):\n    return np.maximum(dy, 0)", "mask is computed from dy"),
    ("relu", "def relu_backward(dy, y):\n    return dy.copy()", "dy unchanged"),
    ("relu", "def relu_backward(dy, y):\n    return dy * y", "the derivative is 1"),
    ("relu", "def relu_backward(dy, y):\n    return (y > 0).astype(dy.dtype)", "only the mask"),
    ("relu", "def relu_backward(dy, y):\n    dy[y <= 0] = 0\n    return dy", "changes its argument dy"),
    # softmax
    ("softmax", changed(SOFTMAX, "d / N", "d"), "1/N is missing in dscores"),
    ("softmax", changed(SOFTMAX, ".mean()", ".sum()"), "the loss is the sum"),
    ("softmax", changed(SOFTMAX, "d[np.arange(N), labels] -= 1", "pass"), "one-hot label is not subtracted"),
    ("softmax", changed(SOFTMAX, "d / N", "-d / N"), "the wrong sign"),
    ("softmax", changed(SOFTMAX, "scores - scores.max(axis=1, keepdims=True)", "scores"), "overflows"),
    ("softmax", changed(SOFTMAX, "scores.max(axis=1, keepdims=True)", "scores.max()"),
     "each row needs its own maximum"),
    ("softmax", changed(SOFTMAX, "scores.max(axis=1", "abs(scores).max(axis=1"), "the largest absolute value"),
    ("softmax", changed(SOFTMAX, "(np.log(e.sum(axis=1)) - s[np.arange(N), labels])",
     "-np.log(p[np.arange(N), labels])"),
     "rounded to 0"),
    ("softmax", changed(SOFTMAX, "(np.log(e.sum(axis=1)) - s[np.arange(N), labels])",
                        "-np.log(np.clip(p[np.arange(N), labels], 1e-7, 1))"), "rounded to 0"),
    ("softmax", changed(SOFTMAX, "loss = (np", "loss = -(np"), "the sign of the loss"),
    ("softmax", changed(SOFTMAX, "p = e / e.sum(axis=1, keepdims=True)", "p = e / e.sum(axis=0)"),
     "softmax over the images"),
    ("softmax", changed(SOFTMAX, "loss = (", "loss = np.ones(3) * ("), "expected shape ()"),
    ("softmax", changed(SOFTMAX, "d[np.arange(N), labels] -= 1", "d[:, labels] -= 1"), "changes every row"),
    ("softmax", changed(SOFTMAX, "s[np.arange(N), labels]).mean()", "s[np.arange(N), labels]).sum() / p.size"),
     "a mean over all N*K"),
    ("softmax", changed(SOFTMAX, "d / N", "d / p.size"), "a mean over all N*K"),
    ("softmax", changed(SOFTMAX, "d = p.copy()", "d = 1 / (1 + np.exp(-scores))"), "this is a sigmoid"),
    ("softmax", changed(SOFTMAX, "return loss, d / N", "return d / N, loss"), "loss: expected shape ()"),
    ("softmax", changed(SOFTMAX, "e.sum(axis=1, keepdims=True)", "e.sum(axis=1)"), "makes them a column"),
    ("softmax", changed(SOFTMAX, "e.sum(axis=1", "e.sum(axis=0"), "softmax over the images"),
    ("softmax", changed(SOFTMAX, "axis=1", "axis=0"), "softmax over the images"),
    ("softmax", changed(SOFTMAX, "e.sum(axis=1", "e.sum(axis=0").replace("axis=1, keepdims=True)\n", ")\n"),
     "softmax over the images"),
    # im2col
    ("im2col", "def im2col(x, window, strides, padding):\n    columns = []", "is the `return` missing?"),
    ("im2col", "def im2col(x, window, strides, padding):\n    return x", "the array has 4 axes, it should have 2"),
    ("im2col", changed(IM2COL, "return np.array(rows)", "return rows"), "np.array(...) makes an array"),
    ("im2col", "def im2col(x, window, strides, padding):\n    strides = strides[::-1]\n" + "    " + textwrap.dedent(
        IM2COL.split("padding):\n")[1]).replace("\n", "\n    "), "the strides are exchanged"),
    ("im2col", changed(IM2COL, ".reshape(-1)", ".transpose(2, 0, 1).reshape(-1)"), "(KH, KW, C)"),
    ("im2col", changed(IM2COL, ".reshape(-1)", ".swapaxes(0, 1).reshape(-1)"), "p goes down"),
    ("im2col", changed(IM2COL, ".reshape(-1)", "[::-1, ::-1].reshape(-1)"), "do not flip them"),
    ("im2col", changed(IM2COL, "np.array(rows)", "np.array(rows).T"), "every window should be a row"),
    ("im2col", changed(IM2COL, "padding[0], padding[1], (0, 0)", "(0, 0), (0, 0), (0, 0)"), "the padding is missing"),
    ("im2col", changed(IM2COL, ", strides[0])", ", 1)").replace(", strides[1])", ", 1)"), "the strides are ignored"),
    ("im2col", changed(IM2COL, "padding[0], padding[1], (0, 0)", "padding[0][::-1], padding[1][::-1], (0, 0)"),
     "wrong sides"),
    ("im2col", """
        def im2col(x, window, strides, padding):
            padded = np.pad(x, ((0, 0), padding[0], padding[1], (0, 0)))
            rows = []
            for i in range(0, padded.shape[1] - window[0] + 1, strides[0]):
                for j in range(0, padded.shape[2] - window[1] + 1, strides[1]):
                    for image in padded:
                        rows.append(image[i : i + window[0], j : j + window[1]].reshape(-1))
            return np.array(rows)""", "image after image"),
    # col2im
    ("col2im", changed(COL2IM, "+= part", "= part"), "+= adds them up"),
    ("col2im", changed(COL2IM, "[:, top : top + H, left : left + W]", "[:, :H, :W]"), "padding is not cut off"),
    ("col2im", changed(COL2IM, "[:, top : top + H, left : left + W]", ""), "the padding is still around the image"),
    ("col2im", changed(COL2IM, "[:, top : top + H, left : left + W]", "[:, top:-bottom, left:-right]"), "it is empty"),
    ("col2im", changed(COL2IM, ".reshape(window[0], window[1], C)", ".reshape(C, *window).transpose(1, 2, 0)"),
     "(C, KH, KW)"),
    ("col2im", """
        def col2im(columns, input_shape, window, strides, padding):
            (N, H, W, C), (KH, KW), (SH, SW) = input_shape, window, strides
            (top, bottom), (left, right) = padding
            OH, OW = (H + top + bottom - KH) // SH + 1, (W + left + right - KW) // SW + 1
            columns = columns.reshape(N, OH, OW, KH, KW, C)
            dx = np.zeros((N, H + top + bottom, W + left + right, C), columns.dtype)
            for p in range(KH):
                for q in range(KW):
                    dx[:, p : p + SH * OH : SH, q : q + SW * OW : SW] = columns[:, :, :, p, q]
            return dx[:, top : top + H, left : left + W]""", "+= adds them up"),
    ("col2im", changed(COL2IM, ".reshape(window[0], window[1], C)", ".reshape(window[1], window[0], C).swapaxes(0, 1)"),
     "are exchanged"),
    ("col2im", changed(COL2IM, "[:, top : top + H, left : left + W]", "[:, bottom : bottom + H, right : right + W]"),
     "cut off on the wrong sides"),
    ("col2im", changed(COL2IM, "rows = iter(columns)",
     "rows = iter(columns.reshape(OH, OW, N, -1).transpose(2, 0, 1, 3).reshape(columns.shape))"), "image after image"),
    # conv2d
    ("conv2d", changed(LOOP, "dx[window] += ", "dx[window] = "), "the loops over images, windows and filters"),
    ("conv2d", changed(LOOP, "dkernel[..., k] += ", "dkernel[..., k] = "), "loops over images, windows and filters"),
    ("conv2d", changed(LOOP, "dbias[k] += ", "dbias[k] = "), "the loops over images, windows and filters"),
    ("conv2d", changed(LOOP, "[:, top : top + H, left : left + W]", "[:, :H, :W]"), "padding is not cut off"),
    ("conv2d", changed(LOOP, "[:, top : top + H, left : left + W]", "[:, top:-bottom, left:-right]"), "so it is empty"),
    ("conv2d", changed(LOOP, "[:, top : top + H, left : left + W]", ""), "is the padding still around it?"),
    ("conv2d", changed(LOOP, "kernel[..., k]\n", "kernel[::-1, ::-1, :, k]\n"), "the kernel is flipped"),
    ("conv2d", conv("dbias = flat.mean(0)"), "so dbias is the sum"),
    ("conv2d", conv("dbias = dy[0].sum((0, 1))"), "only the first image"),
    ("conv2d", conv("dbias = dy[-1].sum((0, 1))"), "only the last image"),
    ("conv2d", conv("dbias = dy.sum(0)"), "an axis too many"),
    ("conv2d", conv("dkernel, dbias = dkernel / len(x), dbias / len(x)"), "take the sum here"),
    ("conv2d", conv("dkernel = dkernel[::-1, ::-1]"), "rotated by 180 degrees"),
    ("conv2d", conv("dkernel = (columns.T @ flat).reshape(C, KH, KW, K).transpose(1, 2, 0, 3)"), "(C, KH, KW)"),
    ("conv2d", conv("dkernel = dkernel.transpose(0, 1, 3, 2)"), "is a transpose missing?"),
    ("conv2d", conv("""
        dx = np.zeros_like(np.pad(x, ((0, 0), *padding, (0, 0))))
        parts = (flat @ kernel.reshape(-1, K).T).reshape(*dy.shape[:3], KH, KW, C)
        for i, j in np.ndindex(*dy.shape[1:3]):
            dx[:, i * strides[0] : i * strides[0] + KH, j * strides[1] : j * strides[1] + KW] = parts[:, i, j]
        dx = dx[:, padding[0][0] : padding[0][0] + x.shape[1], padding[1][0] : padding[1][0] + x.shape[2]]
        """), "+= adds them up"),
    # max_pool
    ("max_pool", changed(POOL, "+= dy", "= dy"), "gets both gradients"),
    ("max_pool", changed(POOL, "argmax", "argmin"), "argmax, not argmin"),
    ("max_pool", changed(POOL, "dx[n, top + p, left + q, c] += dy[n, i, j, c]",
     "dx[n, top : top + window[0], left : left + window[1], c] += dy[n, i, j, c] * (seen == seen.max())"),
     "only the first in reading order"),
    ("max_pool", changed(POOL, "dx[n, top + p, left + q, c] += dy[n, i, j, c]",
     "dx[n, top : top + window[0], left : left + window[1], c] += dy[n, i, j, c] / seen.size"), "average pooling"),
    ("max_pool", changed(POOL, "dx[n, top + p, left + q, c] += dy[n, i, j, c]",
     "dx[n, top : top + window[0], left : left + window[1], c] += dy[n, i, j, c]"), "only the maximum should"),
    ("max_pool", changed(POOL, "p, q = np.unravel_index(seen.argmax(), seen.shape)",
     "p, q = np.argwhere(seen == seen.max())[-1]"), "belongs to the first"),
    ("max_pool", changed(POOL, "+= dy[n, i, j, c]", "+= 1"), "the dy of its window"),
    ("max_pool", changed(POOL, "np.unravel_index(seen.argmax(), seen.shape)", "divmod(int(seen.argmax()), window[0])"),
     "divide by the width KW"),
    ("max_pool", changed(POOL, "left : left + window[1], c]\n", "left : left + window[1], 0]\n"), "of channel 0"),
    ("max_pool", changed(POOL, "dx = np.zeros_like(x)", "dx = np.zeros(x.shape)"), "the numbers of dx are right, but"),
    ("max_pool", changed(POOL, "dx = np.zeros_like(x)", "dx = np.zeros(x.shape)"), "np.zeros_like(x) or dtype"),
    ("max_pool", changed(POOL, "dx = np.zeros_like(x)", "dx = x"), "changes its argument x"),
    # sgd
    ("sgd", changed(SGD, "if not trainable[name]:", "if False:"), "a frozen layer moved"),
    ("sgd", """
        def sgd_step(parameters, gradients, velocity, trainable, rate, momentum):
            for name in parameters:
                g = gradients[name] if trainable[name] else 0
                velocity[name][...] = momentum * velocity[name] - rate * g
                parameters[name] += velocity[name]""", "by its old velocity"),
    ("sgd", """
        def sgd_step(parameters, gradients, velocity, trainable, rate, momentum):
            for name in parameters:
                velocity[name][...] = momentum * velocity[name] - rate * gradients.get(name, 0)
                if trainable[name]:
                    parameters[name] += velocity[name]""", "would jump"),
    ("sgd", changed(SGD, "+= v", "-= v"), "goes uphill"),
    ("sgd", changed(SGD, "- rate", "+ rate"), "the step follows the gradient"),
    ("sgd", changed(SGD, "v[...] =", "v ="), "the velocity is not stored"),
    ("sgd", changed(SGD, "momentum * v - rate", "-rate"), "the momentum is missing"),
    ("sgd", changed(SGD, "- rate", "- (1 - momentum) * rate"), "weighted by 1 - momentum"),
    ("sgd", changed(SGD, "parameters[name] += v", "parameters[name] += momentum * v - rate * gradients[name]"),
     "Nesterov"),
    ("sgd", changed(SGD, "parameters[name] += v", "parameters[name] = parameters[name] + v"), "makes a new array"),
    ("sgd", changed(SGD, "parameters[name] += v", "w = parameters[name]\n            w = w + v"), "did not change"),
    ("sgd", changed(SGD, "parameters[name] += v", "parameters[name] += v\n            gradients[name][...] = 0"),
     "changes the gradient of"),
    ("sgd", changed(SGD, "if not trainable[name]:", "if not trainable[name] and gradients[name].any():"),
     "gradients may lack a name"),
    ("sgd", changed(SGD, "if not trainable[name]:", "if not (trainable[name] and gradients[name].any()):"),
     "only frozen ones are skipped"),
    ("sgd", changed(SGD, "momentum * v - rate", "momentum * v + rate").replace("+= v", "-= v"), "the opposite sign"),
    # surgery
    ("surgery", changed(TRANSPLANT, "trainable=False)", "trainable=False, kernel=layer['kernel'] * 1)"), "are copies"),
    ("surgery", changed(TRANSPLANT, "return kept + new", "return kept[:-1] + new"), "keep the layer `after` itself"),
    ("surgery", changed(TRANSPLANT, "return kept + new", "return new + kept"), "go on top"),
    ("surgery", changed(TRANSPLANT, "return kept + new", "return kept"), "the new layers are missing"),
    ("surgery", changed(TRANSPLANT, "return kept + new", "return kept.extend(new)"), "is the `return` missing?"),
    ("surgery", changed(TRANSPLANT, "trainable=False", "trainable=True"), "freeze the old layers"),
    ("surgery", changed(TRANSPLANT, "return kept + new", "return kept + [dict(l, trainable=False) for l in new]"),
     "freeze only the old ones"),
    ("surgery", changed(TRANSPLANT, "dict(layer, trainable=False)", "layer)\n            layer.update(trainable=False"),
     "the layers of the old network are frozen too"),
    ("surgery", changed(TRANSPLANT, "trainable=False)", "trainable=False, kernel=np.ones((3, 2)))"),
     "do not initialise them again"),
    ("surgery", changed(TRANSPLANT, 'raise ValueError("no layer is called " + after)', "return new"),
     "a mistyped name"),
    ("surgery", changed(TRANSPLANT, "ValueError", "KeyError"), "it raised KeyError"),
    ("surgery", changed(TRANSPLANT, '"no layer is called " + after', '"no such layer"'), "its message is only"),
    ("surgery", "def transplant(layers, after, new):\n    layers.pop()\n    layers.pop()\n"
     "    for l in layers: l['trainable'] = False\n    layers += new\n    return layers",
     "changes the list that was passed in"),
    ("surgery", changed(TRANSPLANT, "return kept + new", "new[:0] = kept\n                return new"),
     "kept + new makes another list"),
    ("surgery", "def transplant(layers, after, new):\n    return layers + new", "remove the layers behind"),
    ("surgery", "def lowest_trainable(layers):\n    return [l['trainable'] for l in layers].index(True)",
     "raised ValueError"),
    ("surgery", "def lowest_trainable(layers):\n"
     "    return max([i for i, l in enumerate(layers) if not l['trainable']] or [-1]) + 1",
     "still has to pass through"),
    ("surgery", "def lowest_trainable(layers):\n    return layers[0]['name'] if layers else 0",
     "expected an index, got str"),
    # winograd
    ("winograd", BT + "def transform_patch(patch):\n    return np.einsum('ip,pqc,qj->ijc', BT, patch, BT)",
     "by its transpose on the right"),
    ("winograd", BT + "def transform_patch(patch):\n    return np.einsum('pi,pqc,qj->ijc', BT, patch, BT)",
     "which is BT itself"),
    ("winograd", BT + "def transform_patch(patch):\n    return np.einsum('ip,pqc->iqc', BT, patch)", "only the rows"),
    ("winograd", BT + "def transform_patch(patch):\n    return np.einsum('jq,pqc->pjc', BT, patch)",
     "only the columns"),
    ("winograd", G + "def transform_kernel(kernel):\n"
     "    return np.einsum('ip,pqck,jq->ijck', G, kernel[::-1, ::-1], G)",
     "does not flip"),
    ("winograd", G + "def transform_kernel(kernel):\n    return np.einsum('ip,qpck,jq->ijck', G, kernel, G)",
     "are exchanged"),
    ("winograd", BT + G + AT + "def winograd_tile(patch, kernel):\n"
     "    V, U = np.einsum('ip,pqc,jq->ijc', BT, patch, BT), np.einsum('ip,pqck,jq->ijck', G, kernel, G)\n"
     "    return np.einsum('ip,pqk,jq->ijk', AT, np.einsum('pqc,qrck->prk', V, U), AT)", "element by element, V * U"),
    ("winograd", TILE.format("np.tensordot(patch[i:i+3, j:j+3], kernel[::-1, ::-1], 3)"), "does not flip"),
    ("winograd", TILE.format("np.tensordot(patch[i:i+3, j:j+3], kernel, 3) / patch.shape[2]"), "take their sum"),
    ("winograd", TILE.format("np.tensordot(patch[j:j+3, i:i+3], kernel, 3)"), "the first axis is the rows"),
    # batch_norm
    ("batch_norm", changed(NORM, " + dvariance * 2 * centred / M + dmean / M", ""), "depend on every x of the channel"),
    ("batch_norm", changed(NORM, " + dmean / M", ""), "comes through the mean is missing"),
    ("batch_norm", changed(NORM, " + dvariance * 2 * centred / M", ""), "comes through the variance is missing"),
    ("batch_norm", changed(NORM, "dy * gamma", "dy.copy()"), "gamma is missing in dx"),
    ("batch_norm", changed(NORM, "2 * centred / M + dmean / M", "2 * centred + dmean"), "sums where the means"),
    ("batch_norm", changed(NORM, "(dy * centred / deviation)", "(dy * x)"), "multiplies dy by x"),
    ("batch_norm", changed(NORM, "/ deviation).sum(axes), dy", "/ deviation).mean(axes), dy"), "a mean over the batch"),
    ("batch_norm", changed(NORM, "dy.sum(axes)", "dy.mean(axes)"), "a mean over the batch"),
    ("batch_norm", changed(NORM, "(centred**2).mean(axes)", "x.var(axes, ddof=1)").replace("2 * centred / M",
     "2 * centred / (M - 1)"), "minus 1"),
    ("batch_norm", changed(NORM, "(centred**2).mean(axes) + epsilon)", "(centred**2).mean(axes)) + epsilon"), "wrong"),
    ("batch_norm", changed(NORM, "dy.sum(axes)", "dy.sum()"), "an axis is missing"),
    # residual
    ("residual", BLOCK.format("(x @ kernel1).clip(0)", "h, (h @ kernel2).clip(0)"), "x itself is added"),
    ("residual", BLOCK.format("(x @ kernel1).clip(0)", "h, h @ kernel2 + x"), "the last ReLU is missing"),
    ("residual", BLOCK.format("(x @ kernel1).clip(0)", "h, (h @ kernel2).clip(0) + x"), "it belongs inside"),
    ("residual", BLOCK.format("x @ kernel1", "h, (h.clip(0) @ kernel2 + x).clip(0)"), "hidden is the sum before"),
    ("residual", BLOCK.format("x @ kernel1", "h, (h @ kernel2 + x).clip(0)"), "so the two products are one"),
    ("residual", changed(RESIDUAL, "return dsum + ", "return "), "the sum of both paths"),
    ("residual", changed(RESIDUAL, "return dsum + dhidden @ kernel1.T", "return dsum"), "only the shortcut"),
    ("residual", changed(RESIDUAL, "return dsum + dhidden @ kernel1.T", "return (dsum + dhidden @ kernel1.T) / 2"),
     "the mean of both paths"),
    ("residual", changed(RESIDUAL, "np.where(y > 0, dy, 0)", "dy"), "the last ReLU is left out"),
    ("residual", changed(RESIDUAL, "return dsum + ", "return dy + "), "the shortcut took dy itself"),
    ("residual", changed(RESIDUAL, "np.where(hidden > 0, dsum @ kernel2.T, 0)", "dsum @ kernel2.T"),
     "the ReLU of the hidden layer is left out"),
]  # fmt: skip


@pytest.mark.parametrize("name, source, fragment", HINTS, ids=[f"{name}: {words}" for name, _, words in HINTS])
def test_a_wrong_answer_gets_the_right_hint(name, source, fragment):
    assert fragment in message_for(name, source)


def test_every_exercise_has_many_wrong_answers():
    assert {name for name, *_ in HINTS} == {exercise.name for exercise in course.EXERCISES}
    assert all(sum(name == exercise.name for name, *_ in HINTS) >= 5 for exercise in course.EXERCISES)


def test_both_values_of_the_worst_number_are_shown():
    words = message_for("dense", DENSE.format("dy @ kernel.T + (x == x.max()), x.T @ dy, dy.sum(0)"))
    case = course.get("dense").tasks[0].cases()[0]
    right = case["dy"] @ case["kernel"].T
    row, column = np.unravel_index(case["x"].argmax(), right.shape)
    assert f"your dx[{row}, {column}] is {right[row, column] + 1:.5g}, it should be {right[row, column]:.5g}" in words


@pytest.mark.parametrize(
    "name, words",
    [("max_pool", "max-pool|max pool|MaxPool|7|07|max_pool_backward|pool"), ("conv2d", "conv|convolution|Conv2D|6"),
     ("softmax", "softmax cross-entropy|softmax_cross_entropy|cross-entropy|3"), ("sgd", "SGD|momentum|sgd_step|8"),
     ("surgery", "transplant|lowest_trainable|9"), ("winograd", "winograd_tile|10"),
     ("batch_norm", "BatchNorm|batch norm|batch_norm_backward|batch normalization|11"),
     ("residual", "residual block|residual_forward|shortcut|12")],
)  # fmt: skip
def test_exercises_are_found_by_name_number_and_function(name, words):
    assert all(course.get(word) is course.get(name) for word in words.split("|"))


@pytest.mark.parametrize(
    "typed, meant", [("conv2", "conv2d"), ("winogard", "winograd"), ("desne", "dense"), ("im2cal", "im2col")]
)
def test_a_mistyped_name_gives_one_line_with_the_names_and_the_nearest(typed, meant):
    with pytest.raises(ArgumentError, match=rf"^{typed}: expected one of dense, .*; did you mean {meant}\?$"):
        course.get(typed)


def test_a_name_unlike_all_others_lists_them():
    with pytest.raises(ArgumentError, match=r"^banana: expected one of dense, relu, .*, residual$"):
        course.get("banana")


ANSWERS = re.compile(r"@|[-+*/<>]=| = |\.T\b|axis|np\.|keepdims|argmax|\bsum\(|\[")


def test_the_first_hint_never_gives_the_answer():
    for exercise in course.EXERCISES:
        for task in exercise.tasks:
            assert len(exercise.answer(task.function)) > 15
            for look in (task.look, *(mistake.look for mistake in task.mistakes if mistake.look)):
                code = ANSWERS.search(look)
                assert look and (code is None or (code[0] == "axis" and "axis=" not in look)), look


@pytest.mark.parametrize(
    "name, source, lines",
    [
        ("dense", DENSE.format("dy @ kernel.T, x.T @ dy / len(x), dy.sum(0)"),
         "dy 1 / -2 // x 1 / -2 // kernel 1 // your dkernel 2.5 it should be 5"),
        ("max_pool", changed(POOL, "+= dy", "= dy"),
         "dy[0, :, :, 0] 1 -2 // x[0, :, :, 0] -3 2 -1 // window = (1, 2) // strides = (1, 1) //"
         " your dx[0, :, :, 0] 0 -2 0 it should be 0 -1 0"),
        ("col2im", changed(COL2IM, "[:, top : top + H, left : left + W]", "[:, top:-bottom, left:-right]"),
         "columns 1 // input_shape = (1, 1, 1, 1) // window = (1, 1) // strides = (1, 1) // padding = ((0, 0), (0, 0))"
         " // your dx[0, :, :, 0] has the shape (1, 0, 0, 1): it is empty it should be 1"),
        ("sgd", changed(SGD, "momentum * v - rate", "-rate"), 'parameters["w"] 5 // gradients["w"] 1 //'
         ' velocity["w"] 0 // trainable["w"] = True // rate = 0.1 // momentum = 0.5 //'
         " after 3 calls with these gradients: // your w 4.7 it should be 4.575"),
    ],
    ids=["a mean in dkernel", "overwriting", "an empty slice", "no momentum"],
)  # fmt: skip
def test_the_smallest_case_that_fails_is_shown_with_both_arrays(name, source, lines):
    task = course.get(name).tasks[0]
    function = function_in(source, task.function)
    with pytest.raises(Wrong) as wrong:
        check(task, function)
    title, *shown = smallest_case(task, function, wrong.value.name)
    assert title == "the smallest case that fails:"
    assert " ".join(" ".join(shown).split()) == " ".join(lines.replace("//", "").replace(" / ", " ").split())
    assert all(len(line) < 100 for line in shown)
