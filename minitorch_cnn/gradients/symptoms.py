"""What a wrong gradient of a layer looks like, in words: one of the classic mistakes, or else how it differs."""

import numpy as np

from minitorch_cnn.arrays import on_host
from minitorch_cnn.engine import activations
from minitorch_cnn.gradients import mistakes as m
from minitorch_cnn.gradients.differences import close, difference
from minitorch_cnn.gradients.mistakes import Case, Mistake

ACTIVATION = (
    Mistake(
        "what comes out when the mask of the ReLU is taken from the wrong side: dy passes where y > 0,"
        " and nothing where y is 0",
        m.mask_from_the_wrong_side,
    ),
    Mistake(
        "what comes out when the activation's derivative is forgotten: dy has to go back through it first",
        m.activation_forgotten,
    ),
)
CONVOLUTION = (
    Mistake(
        "what col2im gives when the padding is not cut off: the image begins at row `top`, column `left` of the"
        " padded one; return dx[:, top:top+H, left:left+W]",
        m.padding_not_cut_off,
    ),
    Mistake(
        "what comes out when col2im writes = instead of +=: a pixel is seen by several windows, and what comes back"
        " from each adds up",
        m.overwriting_col2im,
    ),
    Mistake(
        "what comes out when each window overwrites the one before, = instead of +=: a pixel is seen by several"
        " windows, and what comes back from each adds up",
        m.overwriting_windows,
    ),
    Mistake(
        "what comes out when the kernel is turned by 180 degrees on one way and not on the other: col2im needs it as"
        " it is, a convolution of dy needs it turned",
        m.flipped_kernel,
    ),
    Mistake(
        "what comes out when the columns are taken for (C, KH, KW): im2col laid them out as (KH, KW, C)",
        m.channels_first_columns,
    ),
    Mistake("the right numbers with channels in and out exchanged: (KH, KW, C, K)", m.exchanged_channels),
    Mistake("the last image's alone: sum over the batch (+= in the loop over the images)", m.last_image_only),
    Mistake("the first image's alone: sum over the batch", m.first_image_only),
)
POOL = (
    Mistake(
        "what comes out when overlapping windows overwrite each other, = instead of +=: a pixel that wins in two"
        " windows gets both gradients",
        m.overwriting_pool,
    ),
    Mistake("an average pool's: here the whole gradient goes to the winner of the window", m.shared_by_the_window),
    Mistake("given to every pixel of the window: only the largest gets it", m.to_the_whole_window),
    Mistake(
        "what comes out when the padding is not cut off: the image begins at row `top`, column `left` of the padded"
        " one",
        m.pool_padding_not_cut_off,
    ),
)
DENSE = (
    Mistake("dy @ kernel: the way back goes through the transpose, dy @ kernel.T", m.dense_kernel_not_transposed),
    Mistake("the first image's alone: sum over the batch", m.dense_first_image),
)
RELU = (Mistake("masked by the sign of dy: the mask is where y > 0", m.relu_mask_from_dy),)
SOFTMAX = (
    Mistake(
        "the diagonal alone, dy y (1 - y): a score changes all probabilities, dx = y (dy - sum(dy y))",
        m.softmax_by_its_diagonal,
    ),
)
FLATTEN = (
    Mistake(
        "what comes out when the row is read back as channels, rows, columns (NCHW): forwards it was written as rows,"
        " columns, channels (NHWC)",
        m.channels_first_flatten,
    ),
)
SIGMOID = (Mistake("x (1 - x) taken for y (1 - y): the formula is one in the result", m.derivative_at_the_result),)
TANH = (Mistake("1 - x^2 taken for 1 - y^2: the formula is one in the result", m.tanh_at_x),)
BATCH_NORM = (
    Mistake(
        "what comes out when mean and variance are taken for constants: they depend on every x of the batch",
        m.constant_statistics,
    ),
)
DROPOUT = (Mistake("dy itself: what was dropped gets no gradient, the rest is scaled as forwards", m.unchanged),)

MISTAKES = {
    "Conv2D": CONVOLUTION + ACTIVATION,
    "MaxPool2D": POOL,
    "Dense": DENSE + ACTIVATION,
    "Flatten": FLATTEN,
    "ReLU": RELU + ACTIVATION,
    "Sigmoid": SIGMOID + ACTIVATION[1:],
    "Tanh": TANH + ACTIVATION[1:],
    "Softmax": SOFTMAX + ACTIVATION[1:],
    "BatchNorm": BATCH_NORM,
    "Dropout": DROPOUT,
}


def recognised(mistakes, case, name, got, wanted, known=None):
    """The words of the first of `mistakes` whose numbers for the array `name` are those got and not those wanted.

    Of `wanted` nothing is looked at but what is `known`, a mask; left out: all of it.
    """
    for mistake in mistakes:
        wrong = mistake.gradients(case).get(name)
        if wrong is not None and close(got, wrong) and not close(wrong, wanted, known=known):
            return mistake.words
    return None


def sample(shape, size, rng):
    """A mask of about `size` places of an array: anywhere, in the first and the last image, and along the border."""
    known = np.zeros(shape, bool)
    for part in (known, known[:1], known[-1:]):
        part.reshape(-1)[rng.choice(part.size, min(size // 5, part.size), replace=False)] = True
    if len(shape) == 4:
        inside = np.zeros(shape, bool)
        inside[:, 1:-1, 1:-1] = True
        border = np.flatnonzero(~inside)
        known.reshape(-1)[rng.choice(border, min(size // 5, border.size), replace=False)] = True
    return known


def symptom(problem, name, got, wanted, known):
    """What the gradient `got` of the array that a gradient check calls `name` looks like beside the right one.

    `known` is a mask: where `wanted` holds it.
    """
    model = problem.model
    layer = model.layers[0] if name == "input" else model.get_layer(name.rpartition("/")[0])
    kind = next((cls.__name__ for cls in type(layer).__mro__ if cls.__name__ in MISTAKES), None)
    words = None
    if kind and np.isfinite(got).all():
        case = _case(problem, layer)
        words = case and recognised(MISTAKES[kind], case, name.rpartition("/")[2], got, wanted, known)
    return words or difference(got, wanted, len(problem.x), known)


def _case(problem, layer):
    """What passes through one layer in one forward and backward pass of the problem; None where it runs within another.

    A convolution and the pool behind it may run as one, and then neither is called by itself.
    """
    seen = {}

    def watched(name):
        method = getattr(layer, name)

        def call(array, *arguments, **options):
            result = method(array, *arguments, **options)
            seen[name] = (np.array(on_host(array)), None if result is None else np.array(on_host(result)))
            return result

        return call

    methods = ("forward", "scores", "backward", "backward_scores")
    for name in methods:
        if hasattr(layer, name):
            setattr(layer, name, watched(name))
    try:
        problem.arrays()
    finally:
        for name in methods:
            layer.__dict__.pop(name, None)
    if not seen.keys() & {"forward", "scores"} or not seen.keys() & {"backward", "backward_scores"}:
        return None
    x, y = seen["forward"] if "forward" in seen else seen["scores"]
    dactivated = seen["backward"][0] if "backward" in seen else None
    if layer.activation and dactivated is not None:
        dy = activations.get(layer.activation.name).backward(dactivated, y)
    elif "backward_scores" in seen:
        dy = seen["backward_scores"][0]
    else:
        dy = dactivated
    kernel = layer.parameters.get("kernel", layer.parameters.get("gamma"))
    return Case(
        x, y, dy, None if kernel is None else on_host(kernel), getattr(layer, "strides", (1, 1)),
        getattr(layer, "pixels", m.NO_PADDING), getattr(layer, "pool_size", ()),
        dactivated if layer.activation and layer.activation.name != "linear" else None,
    )  # fmt: skip
