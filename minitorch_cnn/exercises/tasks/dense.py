"""dense_backward(dy, x, kernel) -> dx, dkernel, dbias."""

import numpy as np

from minitorch_cnn.exercises.exercise import Mistake, Task, numbers, numerical_gradients, whole_numbers


def _case(N, D, U, seed):
    return {"dy": numbers(seed, N, U), "x": numbers(seed + 1, N, D), "kernel": numbers(seed + 2, D, U)}


def _truth(dy, x, kernel):
    def forward(x, kernel, bias):
        return x @ kernel + bias

    return numerical_gradients(forward, dy, x=x, kernel=kernel, bias=np.zeros(kernel.shape[1]))


def _small():
    """Every layer with at most two images, two inputs and two outputs."""
    return [
        {"dy": whole_numbers(N, U), "x": whole_numbers(N, D), "kernel": whole_numbers(D, U)}
        for N, D, U in np.ndindex(2, 2, 2)
        for N, D, U in [(N + 1, D + 1, U + 1)]
    ]


def _square(kernel):
    return kernel.shape[0] == kernel.shape[1]


TASKS = (
    Task(
        "dense_backward",
        ("dx", "dkernel", "dbias"),
        lambda: [_case(4, 4, 4, 3), _case(3, 5, 2, 0), _case(1, 2, 6, 6)],
        _truth,
        (
            Mistake(
                "dx = dy @ kernel is the forward product: the backward pass uses the transpose, dy @ kernel.T. A square"
                " kernel hides this mistake",
                lambda dy, x, kernel: {"dx": dy @ kernel} if _square(kernel) else {},
            ),
            Mistake(
                "kernel.T @ dy multiplies from the wrong side: dx[n, d] is the product of a row of dy and a row of"
                " kernel, so dy @ kernel.T",
                lambda dy, x, kernel: {"dx": kernel.T @ dy} if len(kernel) == len(dy) == dy.shape[1] else {},
            ),
            Mistake(
                "* multiplies element by element; the sums over inputs and outputs are matrix products, @",
                lambda dy, x, kernel: (
                    {"dx": dy * kernel, "dkernel": x * dy} if dy.shape == kernel.shape == x.shape else {}
                ),
            ),
            Mistake(
                "dkernel is transposed: kernel[d, u] belongs to x[n, d] and dy[n, u], so x.T @ dy",
                lambda dy, x, kernel: {"dkernel": dy.T @ x} if _square(kernel) else {},
            ),
            Mistake(
                "x @ dy where it should be x.T @ dy: the sum runs over the images n, which are the first axis of both",
                lambda dy, x, kernel: {"dkernel": x @ dy} if _square(kernel) and len(x) == len(kernel) else {},
            ),
            Mistake(
                "a mean over the batch: the loss is already a mean and dy contains its 1/N, so take the sum here",
                lambda dy, x, kernel: {"dkernel": x.T @ dy / len(x), "dbias": dy.mean(axis=0)},
            ),
            Mistake(
                "only one image of the batch: kernel and bias were used for every image, so sum over all of them",
                lambda dy, x, kernel: {"dkernel": np.outer(x[0], dy[0]), "dbias": dy[0]},
            ),
            Mistake(
                "dbias sums over the wrong axis: sum over the images (axis 0), not over the outputs",
                lambda dy, x, kernel: {"dbias": dy.sum(axis=1)} if len(dy) == dy.shape[1] else {},
            ),
        ),
        lambda: _case(256, 1024, 512, 0),
        look="write down the shapes of dy, x and kernel. Which axis does each of the three results not have, so that"
        " you sum over it?",
        small=_small,
    ),
)
