"""Solution 3; in the package, see `engine/losses.py`."""

import numpy as np


def softmax_cross_entropy(scores, labels):
    """The loss is the mean of log(sum(exp(s))) - s[label], and dscores is (softmax - one_hot) / N."""
    N = len(scores)
    shifted = scores - scores.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    total = e.sum(axis=1, keepdims=True)
    loss = (np.log(total[:, 0]) - shifted[np.arange(N), labels]).mean()
    dscores = e / total
    dscores[np.arange(N), labels] -= 1
    return loss, dscores / N
