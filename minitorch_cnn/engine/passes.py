"""The chain rule: forward over the layers, backward over them in reverse."""


def joint(loss, layer):
    """Whether `loss` is differentiated together with the activation that `layer` ends in."""
    return loss.follows is not None and getattr(layer.activation, "name", None) == loss.follows
