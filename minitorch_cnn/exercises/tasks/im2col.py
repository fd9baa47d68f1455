"""im2col(x, window, strides, padding) -> columns; col2im(columns, input_shape, window, strides, padding) -> dx."""

import numpy as np

from minitorch_cnn.engine.convolution.geometry import NO_PADDING, output_size
from minitorch_cnn.exercises.exercise import Mistake, Task, numbers, whole_numbers

SHAPES = (
    # x, window, strides, padding
    ((2, 5, 4, 2), (3, 2), (1, 1), ((0, 0), (0, 0))),
    ((1, 4, 6, 1), (3, 4), (1, 2), ((2, 1), (1, 2))),
    ((2, 6, 5, 3), (2, 3), (2, 1), ((1, 0), (2, 1))),
    ((3, 5, 7, 2), (4, 2), (3, 2), ((0, 2), (0, 1))),
)
LARGE = ((32, 32, 32, 16), (3, 3), (1, 1), ((1, 1), (1, 1)))
NAMES = ("window", "strides", "padding")


def windows(x: np.ndarray, window: tuple, strides: tuple, padding: tuple) -> np.ndarray:
    """All windows (N, OH, OW, KH, KW, C) of x (N, H, W, C), copied one after another as in the definition."""
    padded = np.pad(x, ((0, 0), *padding, (0, 0)))
    OH, OW = output_size(x.shape[1:3], window, strides, padding)
    seen = np.zeros((len(x), OH, OW, *window, x.shape[3]), x.dtype)
    for i, j in np.ndindex(OH, OW):
        top, left = i * strides[0], j * strides[1]
        seen[:, i, j] = padded[:, top : top + window[0], left : left + window[1]]
    return seen


def _rows(seen):
    return seen.reshape(seen.shape[0] * seen.shape[1] * seen.shape[2], -1)


def _im2col_case(x, *geometry):
    return {"x": numbers(0, *x), **dict(zip(NAMES, geometry))}


def _col2im_case(x, *geometry):
    rows, length = _rows(windows(np.zeros(x), *geometry)).shape
    return {"columns": numbers(1, rows, length), "input_shape": x, **dict(zip(NAMES, geometry))}


def add_up(
    columns: np.ndarray, input_shape: tuple, window: tuple, strides: tuple, padding: tuple,
    crop: bool = True, add: bool = True, by_taps: bool = False,
) -> np.ndarray:  # fmt: skip
    """col2im by its definition, window after window: dx (N, H, W, C).

    The options reproduce mistakes: `crop=False` leaves the padding in, `add=False` overwrites instead of adding, and
    `by_taps` changes the order of the loops, which matters only when overwriting.
    """
    N, H, W, C = input_shape
    (top, bottom), (left, right) = padding
    OH, OW = output_size((H, W), window, strides, padding)
    parts = columns.reshape(N, OH, OW, *window, C)
    dx = np.zeros((N, H + top + bottom, W + left + right, C))
    places = (
        np.ndindex(*window, OH, OW)
        if by_taps
        else ((*pq, *ij) for ij in np.ndindex(OH, OW) for pq in np.ndindex(*window))
    )
    for p, q, i, j in places:
        row, column = i * strides[0] + p, j * strides[1] + q
        dx[:, row, column] = parts[:, i, j, p, q] + (dx[:, row, column] if add else 0)
    return dx[:, top : top + H, left : left + W] if crop else dx[:, :H, :W]


def small_geometries() -> list[tuple]:
    """Tiny (x, window, strides, padding): one idea more at a time, from a single pixel on."""
    shapes = [(1, H, W, 1) for H in (1, 2, 3) for W in (1, 2, 3)]
    shapes += [(2, 2, 2, 1), (1, 2, 2, 2), (1, 2, 3, 2), (1, 1, 1, 4)]
    paddings = [
        ((0, 0), (0, 0)),
        ((1, 1), (1, 1)),
        ((1, 0), (0, 0)),
        ((0, 1), (0, 0)),
        ((0, 0), (1, 0)),
        ((0, 0), (0, 1)),
    ]
    return [
        (shape, window, strides, padding)
        for shape in shapes
        for window in ((1, 1), (1, 2), (2, 1), (2, 2), (2, 3))
        for strides in ((1, 1), (2, 1), (1, 2))
        for padding in paddings
        if all(size + sum(side) >= part for size, side, part in zip(shape[1:3], padding, window))
        and (max(window) > 1 or strides == (1, 1) or max(shape) > 1)
    ]


def _small_im2col():
    return [{"x": whole_numbers(*x), **dict(zip(NAMES, geometry))} for x, *geometry in small_geometries()]


def _small_col2im():
    cases = []
    for x, *geometry in small_geometries():
        columns = whole_numbers(*_rows(windows(np.zeros(x), *geometry)).shape)
        cases.append({"columns": columns, "input_shape": x, **dict(zip(NAMES, geometry))})
    return cases


def cut_from_the_end(whole: np.ndarray, padding: tuple) -> np.ndarray:
    """whole[:, top:-bottom, left:-right], which is empty where bottom or right is 0."""
    (top, bottom), (left, right) = padding
    return whole[:, top:-bottom, left:-right]


def _cut_from_the_end(columns, input_shape, window, strides, padding):
    return {"dx": cut_from_the_end(_uncut(columns, input_shape, window, strides, padding)["dx"], padding)}


EMPTY_SLICE = "with bottom = 0 the slice top:-bottom ends at -0, which is 0, so it is empty: end at top + H, left + W"
LOOK_AT_THE_SLICE = "print the shape of dx before and after you cut it, for padding 0 and for padding 1"


def _channels_first(columns, input_shape, window, strides, padding):
    C = input_shape[3]
    swapped = columns.reshape(len(columns), C, *window).transpose(0, 2, 3, 1).reshape(len(columns), -1)
    return {"dx": add_up(swapped, input_shape, window, strides, padding)}


def _exchanged(columns, input_shape, window, strides, padding):
    """Each row is read as (KW, KH, C)."""
    parts = columns.reshape(len(columns), window[1], window[0], -1).swapaxes(1, 2).reshape(len(columns), -1)
    return {"dx": add_up(parts, input_shape, window, strides, padding)}


def _images_last(columns, input_shape, window, strides, padding):
    """The rows are read in the order (OH, OW, N)."""
    N, H, W, C = input_shape
    OH, OW = output_size((H, W), window, strides, padding)
    turned = columns.reshape(OH, OW, N, -1).transpose(2, 0, 1, 3).reshape(columns.shape)
    return {"dx": add_up(turned, input_shape, window, strides, padding)}


def _other_side(columns, input_shape, window, strides, padding):
    """The padding of the bottom right is cut off at the top left."""
    (top, bottom), (left, right) = padding
    padded = (input_shape[0], input_shape[1] + top + bottom, input_shape[2] + left + right, input_shape[3])
    whole = add_up(columns, padded, window, strides, NO_PADDING)
    return {"dx": whole[:, bottom : bottom + input_shape[1], right : right + input_shape[2]]}


def _uncut(columns, input_shape, window, strides, padding):
    (top, bottom), (left, right) = padding
    N, H, W, C = input_shape
    return {"dx": add_up(columns, (N, H + top + bottom, W + left + right, C), window, strides, NO_PADDING)}


def _counted(columns, input_shape, window, strides, padding):
    """The mean of the copies of a pixel instead of their sum."""
    geometry = (input_shape, window, strides, padding)
    return {"dx": add_up(columns, *geometry) / np.maximum(add_up(np.ones_like(columns), *geometry), 1)}


IM2COL = (
    Task(
        "im2col",
        ("columns",),
        lambda: [_im2col_case(*shape) for shape in SHAPES],
        lambda **arguments: {"columns": _rows(windows(**arguments))},
        (
            Mistake(
                "each row holds its window as (C, KH, KW): it should be (KH, KW, C), like the kernel",
                lambda **a: {"columns": _rows(windows(**a).transpose(0, 1, 2, 5, 3, 4))},
            ),
            Mistake(
                "the rows are in the wrong order: image after image, window (i, j) in row n*OH*OW + i*OW + j",
                lambda **a: {"columns": windows(**a).transpose(1, 2, 0, 3, 4, 5).reshape(_rows(windows(**a)).shape)},
            ),
            Mistake(
                "rows and columns of the window are exchanged: p goes down (axis 1) and q to the right (axis 2)",
                lambda **a: {"columns": _rows(windows(**a).transpose(0, 1, 2, 4, 3, 5))},
            ),
            Mistake(
                "the windows are visited column by column: go row by row, so that j changes faster than i",
                lambda **a: {"columns": windows(**a).transpose(0, 2, 1, 3, 4, 5).reshape(_rows(windows(**a)).shape)},
            ),
            Mistake(
                "the windows are rotated by 180 degrees: do not flip them, tap (p, q) is pixel (i*SH + p, j*SW + q)",
                lambda **a: {"columns": _rows(windows(**a)[:, :, :, ::-1, ::-1])},
            ),
            Mistake(
                "the padding is missing: take the windows of the image with zeros around it",
                lambda x, window, strides, padding: {"columns": _rows(windows(x, window, strides, NO_PADDING))},
            ),
            Mistake(
                "the strides are ignored: the next window starts SH rows further down, or SW columns to the right",
                lambda x, window, strides, padding: {"columns": _rows(windows(x, window, (1, 1), padding))},
            ),
            Mistake(
                "the matrix has a column for every window: every window should be a row",
                lambda **a: {"columns": _rows(windows(**a)).T},
            ),
            Mistake(
                "the strides are exchanged: SH goes down with i, and SW to the right with j",
                lambda x, window, strides, padding: {"columns": _rows(windows(x, window, strides[::-1], padding))},
            ),
            Mistake(
                "the padding is on the wrong sides: its order is ((top, bottom), (left, right))",
                lambda x, window, strides, padding: {
                    "columns": _rows(windows(x, window, strides, tuple(side[::-1] for side in padding)))
                },
            ),
        ),
        lambda: _im2col_case(*LARGE),
        look="draw a 3x3 image with the numbers 1 to 9 and write down its four 2x2 windows, one a line. Which of these"
        " lines, or of the numbers in them, are different in yours?",
        small=_small_im2col,
    ),
)
COL2IM = (
    Task(
        "col2im",
        ("dx",),
        lambda: [_col2im_case(*shape) for shape in SHAPES],
        lambda **arguments: {"dx": add_up(**arguments)},
        (
            Mistake(
                "a pixel lies in several windows, and = keeps only the last copy: += adds them up",
                lambda **a: {"dx": add_up(**a, add=False)},
            ),
            Mistake(
                "a pixel lies in several windows, and = keeps only the last copy: += adds them up",
                lambda **a: {"dx": add_up(**a, add=False, by_taps=True)},
            ),
            Mistake(
                "the padding is not cut off: the image starts at row `top` and column `left` of the padded image",
                lambda **a: {"dx": add_up(**a, crop=False)},
            ),
            Mistake(
                "the padding is still around the image: it starts at row `top`, column `left`, and its size is H x W",
                _uncut,
            ),
            Mistake(EMPTY_SLICE, _cut_from_the_end, look=LOOK_AT_THE_SLICE),
            Mistake("each row holds its window as (KH, KW, C), but you read it as (C, KH, KW)", _channels_first),
            Mistake("the mean of the copies of a pixel: take their sum", _counted),
            Mistake("rows and columns of the window are exchanged: p goes down and q to the right", _exchanged),
            Mistake("the rows are read in the wrong order: row n*OH*OW + i*OW + j, image after image", _images_last),
            Mistake(
                "the padding is cut off on the wrong sides: ((top, bottom), (left, right)) means to start at top, left",
                _other_side,
            ),
        ),
        lambda: _col2im_case(*LARGE),
        look="take columns of ones: each pixel of dx should then be the number of windows that contain it. What is it"
        " in yours in the middle, at the border and in the corner?",
        small=_small_col2im,
    ),
)
