"""Solution 8; in the package, see `engine/optimizers.py`, which never receives the frozen parameters."""


def sgd_step(parameters, gradients, velocity, trainable, rate, momentum):
    """v = momentum * v - rate * g and w = w + v, in place, for trainable parameters only."""
    for name, w in parameters.items():
        if trainable[name]:
            velocity[name] *= momentum
            velocity[name] -= rate * gradients[name]
            w += velocity[name]
