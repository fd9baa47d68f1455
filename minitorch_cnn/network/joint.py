"""When a loss and the activation before it are differentiated together.

    softmax and cross-entropy:     dscores = (softmax(scores) - wanted) / N

That is exact for scores of any size; one after the other they need the logarithm of a rounded probability. But it is
the derivative of the activation and the loss as they are written in `engine/`. Where somebody has changed one of them,
in a subclass, on one object or in the file, the two are differentiated one after the other.
"""

from __future__ import annotations

from typing import Any

from minitorch_cnn.arrays import Guard
from minitorch_cnn.engine.activations import Sigmoid, Softmax
from minitorch_cnn.engine.layers.activated import Activated
from minitorch_cnn.engine.layers.by_hand import passes_of
from minitorch_cnn.engine.losses import BinaryCrossEntropy, CrossEntropy

KINDS = {"softmax": Softmax, "sigmoid": Sigmoid}
FROM_SCORES, FROM_PREDICTION = {"of_scores", "from_scores"}, {"of_prediction", "value_and_gradient"}
GUARD = Guard(
    "network/joint.py: joint",
    *((kind, name) for kind in (Softmax, Sigmoid) for name in ("forward", "backward")),
    *((Activated, name) for name in ("forward_pass", "backward_pass")),
    *((kind, name) for kind in (CrossEntropy, BinaryCrossEntropy) for name in sorted(FROM_PREDICTION)),
    words="was changed; your version runs, and loss and activation are differentiated one after the other",
)  # fmt: skip


def joint(loss: Any, layer: Any) -> bool:
    """Whether `loss` is differentiated together with the activation that `layer` ends in."""
    activation = layer.activation
    if loss.follows is None or getattr(activation, "name", None) != loss.follows or not _scores_come_last(loss):
        return False
    kind = type(layer)
    plain = kind.forward_pass is Activated.forward_pass and kind.backward_pass is Activated.backward_pass
    own = vars(layer).keys() & {"forward_pass", "backward_pass"} or vars(activation)
    same = type(activation) is KINDS.get(loss.follows, type(activation))
    return plain and same and not own and passes_of(layer) is layer and GUARD.holds()


def _scores_come_last(loss: Any) -> bool:
    """Whether nobody has replaced what the loss makes of a prediction without replacing what it makes of scores.

    A loss may be wrapped in another one, which weights it.
    """
    while loss is not None:
        for defined in (getattr(loss, "__dict__", {}), *map(vars, type(loss).__mro__)):
            if FROM_SCORES & defined.keys():
                break
            if FROM_PREDICTION & defined.keys():
                return False
        inner = getattr(loss, "loss", None)
        loss = inner if hasattr(inner, "value_and_gradient") else None
    return True
