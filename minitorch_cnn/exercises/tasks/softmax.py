"""softmax_cross_entropy(scores, labels) -> loss, dscores."""

import numpy as np

from minitorch_cnn.exercises.exercise import Mistake, Task, numbers, numerical_gradients


def _case(N, K, seed, scale=1.0, shift=0.0):
    scores = scale * numbers(seed, N, K) + shift
    return {"scores": scores, "labels": np.random.default_rng(seed).integers(0, K, N)}


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
        lambda: [_case(4, 3, 0), _case(2, 5, 1), _case(3, 4, 2, scale=800.0, shift=800.0)],
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
            Mistake(
                "softmax over the images: the probabilities of one image add up to 1, so sum over axis 1",
                lambda scores, labels: {
                    "dscores": (_softmax(scores, 0) - _one_hot(scores, labels)) / len(scores),
                    "loss": -np.log(_softmax(scores, 0)[np.arange(len(scores)), labels]).mean(),
                },
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
    ),
)
