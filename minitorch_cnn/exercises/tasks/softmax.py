"""softmax_cross_entropy(scores, labels) -> loss, dscores."""

import numpy as np

from minitorch_cnn.exercises.exercise import Mistake, Task, numbers, numerical_gradients, whole_numbers


def _case(N, K, seed, scale=1.0, shift=0.0):
    scores = scale * numbers(seed, N, K) + shift
    return {"scores": scores, "labels": np.random.default_rng(seed).integers(0, K, N)}


def _small():
    """One or two images with two or three classes, and scores far above 0, far below it or far apart."""
    cases = [
        {"scores": whole_numbers(N, K), "labels": np.arange(N) % K} for N, K in ((1, 2), (2, 2), (1, 3), (2, 3), (3, 2))
    ]
    for scores in ([[800.0, 0.0]], [[-800.0, -801.0]], [[1000.0, 999.0], [1.0, 0.0]]):
        cases.append({"scores": np.array(scores), "labels": np.ones(len(scores), int)})
    return cases


def _cases():
    """The labels of some images are equal, and one batch is a single image."""
    far_apart = np.array([[0.0], [-2000.0], [2000.0]])  # of the rows; within a row the scores are close
    return [
        _case(3, 3, 12),
        _case(4, 3, 0),
        _case(1, 5, 1),
        _case(3, 4, 2, scale=800.0, shift=800.0),
        _case(3, 4, 5, shift=far_apart),
    ]


def _loss(scores, labels):
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    return np.mean([log_sum[n] - shifted[n, label] for n, label in enumerate(labels)])


def _truth(scores, labels):
    gradient = numerical_gradients(lambda scores: _loss(scores, labels), 1.0, scores=scores)
    return {"loss": _loss(scores, labels), **gradient}


def _softmax(scores, axis=1):
    e = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _one_hot(scores, labels):
    return np.eye(scores.shape[1])[labels]


def _pieces(scores, labels):
    N = len(scores)
    p = _softmax(scores)
    return N, p, p - _one_hot(scores, labels), -np.log(p[np.arange(N), labels])


def _unshifted(scores, labels):
    e = np.exp(scores)
    p = e / e.sum(axis=1, keepdims=True)
    picked = p[np.arange(len(scores)), labels]
    return {"loss": -np.log(picked).mean(), "dscores": (p - _one_hot(scores, labels)) / len(scores)}


def _unshifted_log(scores, labels):
    loss = (np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(scores)), labels]).mean()
    return {**_unshifted(scores, labels), "loss": loss}


def _less(subtracted):
    """dscores if `subtracted` (scores) is subtracted from the scores."""

    def wrong(scores, labels):
        e = np.exp(scores - subtracted(scores))
        return {"dscores": (e / e.sum(axis=1, keepdims=True) - _one_hot(scores, labels)) / len(scores)}

    return wrong


def _over_the_images(shift: int | None, picked_from_sums: bool):
    """Each exponential divided by the sum of its column; the largest score may be that of a row, a column or all."""

    def wrong(scores, labels):
        N = len(scores)
        s = scores - scores.max(axis=shift, keepdims=True)
        e = np.exp(s)
        totals = e.sum(axis=0)
        p = e / totals
        loss = -np.log(p[np.arange(N), labels]).mean()
        if picked_from_sums and scores.shape[0] == scores.shape[1]:
            loss = (np.log(totals) - s[np.arange(N), labels]).mean()
        return {"dscores": (p - _one_hot(scores, labels)) / N, "loss": loss}

    return wrong


def _sums_in_a_row(scores, labels):
    """The sums (N,) without keepdims, which NumPy takes for a row: column n is divided by the sum of image n."""
    if scores.shape[0] != scores.shape[1]:
        return {}
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return {"dscores": (e / e.sum(axis=1) - _one_hot(scores, labels)) / len(scores)}


def _all_columns(scores, labels):
    """The effect of d[:, labels] -= 1: it subtracts 1 in every row."""
    N, p, _, _ = _pieces(scores, labels)
    p[:, labels] -= 1
    return {"dscores": p / N}


def _mean_of_all(scores, labels):
    N, p, _, surprises = _pieces(scores, labels)
    return {"loss": surprises.sum() / p.size, "dscores": (p - _one_hot(scores, labels)) / p.size}


def _sigmoid(scores, labels):
    N, K = scores.shape
    return {"dscores": (1 / (1 + np.exp(-scores)) - _one_hot(scores, labels)) / N}


def _clipped(scores, labels):
    return {"loss": -np.log(np.clip(_softmax(scores)[np.arange(len(scores)), labels], 1e-7, 1)).mean()}


TASKS = (
    Task(
        "softmax_cross_entropy",
        ("loss", "dscores"),
        _cases,
        _truth,
        (
            Mistake(
                "exp of a large score overflows: first subtract the largest score of each row; it cancels in the ratio",
                _unshifted,
                joint=True,
            ),
            Mistake(
                "exp of a large score overflows: first subtract the largest score of each row; it cancels in the ratio",
                _unshifted_log,
                joint=True,
            ),
            Mistake(
                "the largest score of all images was subtracted, so the exponentials of another image may all be"
                " rounded to 0: each row needs its own maximum, axis=1, keepdims=True",
                _less(np.max),
            ),
            Mistake(
                "the largest absolute value was subtracted: if all scores of a row are far below 0, its exponentials"
                " are then all rounded to 0. The largest score itself makes one of them 1",
                _less(lambda scores: np.abs(scores).max(axis=1, keepdims=True)),
            ),
            Mistake(
                "the probability was rounded to 0 before its logarithm was taken: log(sum(exp(s))) - s[label] needs no"
                " probability and is exact",
                _clipped,
            ),
            Mistake(
                "the probability was rounded to 0 before its logarithm was taken: log(sum(exp(s))) - s[label] needs no"
                " probability and is exact",
                lambda scores, labels: {"loss": _pieces(scores, labels)[3].mean()},
            ),
            Mistake(
                "1/N is missing in dscores: the loss is a mean over the images, so each image contributes 1/N",
                lambda scores, labels: {"dscores": _pieces(scores, labels)[2]},
            ),
            Mistake(
                "the loss is the sum over the images: it should be their mean",
                lambda scores, labels: {"loss": _pieces(scores, labels)[3].sum()},
            ),
            Mistake(
                "the one-hot label is not subtracted: dscores = (softmax - one_hot) / N",
                lambda scores, labels: {"dscores": _pieces(scores, labels)[1] / len(scores)},
            ),
            Mistake(
                "the wrong sign: use (softmax - one_hot), since a step against it raises the score of the right class",
                lambda scores, labels: {"dscores": -_pieces(scores, labels)[2] / len(scores)},
            ),
            *(
                Mistake(
                    "softmax over the images: the probabilities of one image add up to 1, so sum over axis 1",
                    _over_the_images(shift, picked_from_sums),
                    look="print your probabilities for two images and add up each row and each column: which of them"
                    " should be 1?",
                )
                for shift in (0, 1, None)
                for picked_from_sums in (False, True)
            ),
            Mistake(
                "the sums have the shape (N,), which NumPy takes for a row: keepdims=True makes them a column (N, 1)",
                _sums_in_a_row,
                look="print the shape of your sums: is it a row or a column next to the scores?",
            ),
            Mistake(
                "each row needs its own maximum and its own sum: use axis=1, keepdims=True for both",
                lambda scores, labels: {
                    "dscores": (np.exp(scores) / np.exp(scores).sum() - _one_hot(scores, labels)) / len(scores)
                },
            ),
            Mistake(
                "d[:, labels] changes every row: d[np.arange(N), labels] selects one number from each row",
                _all_columns,
            ),
            Mistake(
                "a mean over all N*K numbers: the loss is a mean over the N images, with one number from each row",
                _mean_of_all,
            ),
            Mistake(
                "this is a sigmoid, which treats each score separately: divide exp(s) by the sum over the row",
                _sigmoid,
            ),
            Mistake(
                "the sign of the loss is wrong: the log of a probability is negative, and the loss is minus that",
                lambda scores, labels: {"loss": -_pieces(scores, labels)[3].mean()},
            ),
        ),
        lambda: _case(4096, 1000, 0),
        look="do one image with two scores by hand: its two probabilities, its loss, and how the loss changes with each"
        " score. What changes with N images?",
        small=_small,
    ),
)
