"""Solution 8. In the package: `optimizers.py`, where frozen parameters are not even handed to the optimizer."""


def sgd_step(parameters, gradients, velocity, trainable, rate, momentum):
    """v = momentum v - rate g, w = w + v, in place, for what is trainable."""
    for name, w in parameters.items():
        if trainable[name]:
            velocity[name] *= momentum
            velocity[name] -= rate * gradients[name]
            w += velocity[name]
