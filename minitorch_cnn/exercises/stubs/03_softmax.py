"""Exercise 3: softmax and cross-entropy together.

    p[n, k] = exp(s[n, k]) / sum over j of exp(s[n, j])         the probability of class k for image n
    L       = mean over n of  -log p[n, label[n]]               small if the right class has a high probability

    dL/ds[n, k] = (p[n, k] - [k is label[n]]) / N

Scores can be in the hundreds, but exp(800) overflows to infinity. Therefore subtract the largest score of each row
first. This changes nothing (why?) and keeps every exponential at or below 1. A probability may also be so small that it
is rounded to 0, and then its logarithm is infinite. This formula for the loss needs no probability:

    -log p[n, k] = log(sum over j of exp(s[n, j])) - s[n, k]

Check it:  minitorch-cnn exercise softmax
"""

import numpy as np


def softmax_cross_entropy(scores, labels):
    """(loss, dscores) for scores (N, K) and integer labels (N,) from 0 to K-1: a number and an array (N, K)."""
    raise NotImplementedError
