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
    """What d[:, labels] -= 1 does: it takes 1 off in every row."""
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
                "exp of a large score overflows: subtract each row's largest score first, it cancels in the fraction",
                _unshifted,
                joint=True,
            ),
            Mistake(
                "exp of a large score overflows: subtract each row's largest score first, it cancels in the fraction",
                _unshifted_log,
                joint=True,
            ),
            Mistake(
                "the probability was rounded to 0 before its logarithm was taken: log(sum(exp(s))) - s of the right"
                " class needs no probability and is exact",
                _clipped,
            ),
            Mistake(
                "the probability was rounded to 0 before its logarithm was taken: log(sum(exp(s))) - s of the right"
                " class needs no probability and is exact",
                lambda scores, labels: {"loss": _pieces(scores, labels)[3].mean()},
            ),
            Mistake(
                "1/N is missing in dscores: the loss is a mean over the images, so each gets a share of 1/N",
                lambda scores, labels: {"dscores": _pieces(scores, labels)[2]},
            ),
            Mistake(
                "the loss is the sum over the images: it should be their mean",
                lambda scores, labels: {"loss": _pieces(scores, labels)[3].sum()},
            ),
            Mistake(
                "the one-hot label is not taken off: dscores = (softmax - one_hot) / N",
                lambda scores, labels: {"dscores": _pieces(scores, labels)[1] / len(scores)},
            ),
            Mistake(
                "the wrong sign: (softmax - one_hot), so that a step against it raises the right class's score",
                lambda scores, labels: {"dscores": -_pieces(scores, labels)[2] / len(scores)},
            ),
            Mistake(
                "softmax over the images: the classes of one image add up to 1, which is axis 1",
                lambda scores, labels: {
                    "dscores": (_softmax(scores, 0) - _one_hot(scores, labels)) / len(scores),
                    "loss": -np.log(_softmax(scores, 0)[np.arange(len(scores)), labels]).mean(),
                },
            ),
            Mistake(
                "one row's largest score is not another's: subtract with axis=1, keepdims=True, and sum the same way",
                lambda scores, labels: {
                    "dscores": (np.exp(scores) / np.exp(scores).sum() - _one_hot(scores, labels)) / len(scores)
                },
            ),
            Mistake(
                "d[:, labels] reaches into every row: d[np.arange(N), labels] is one number of each row",
                _all_columns,
            ),
            Mistake(
                "a mean over all N*K numbers: the loss is a mean over the N images, one number of each row",
                _mean_of_all,
            ),
            Mistake(
                "that is a sigmoid, which looks at each score by itself: exp(s) is divided by the sum over the row",
                _sigmoid,
            ),
            Mistake(
                "the sign of the loss: log of a probability is negative, the loss is minus that",
                lambda scores, labels: {"loss": -_pieces(scores, labels)[3].mean()},
            ),
        ),
        lambda: _case(4096, 1000, 0),
    ),
)
