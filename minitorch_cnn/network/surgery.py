"""Surgery: cut layers off a trained model, put new ones on, freeze some of them and train the rest.

    base.cut(after="block5_pool")       block1_conv1 ... block5_pool | flatten ... predictions
    .extend([Flatten(), Dense(1)])      block1_conv1 ... block5_pool  flatten_1  dense_1
    .freeze(through="block5_pool")      the layers up to there keep their weights while the others learn

The layers stand in one flat row before and after: there is no model within a model, so every layer can be named, frozen
and saved like any other.
"""

from minitorch_cnn.engine.layers.layer import Layer
from minitorch_cnn.errors import ArgumentError


class Surgery:
    """What can be done to a `Sequential` that has its shapes.

    `cut` and `extend` return a new model and use the old one up: the layers and their weights move, so a large model is
    never in memory twice, and whoever goes on with the old one is told so. `model.copy().cut(...)` keeps both.
    """

    def cut(self, after):
        """The model that ends with the layer called `after`, weights kept; the model itself is used up.

        Raises ArgumentError where no layer has that name.
        """
        self._require_built()
        last = self.get_layer(after)
        place = self.layers.index(last)
        return self._move(self.layers[: place + 1], [], "cut")

    def extend(self, layers):
        """The model with the list `layers` behind its own; the model itself is used up.

        What was there keeps its weights to the bit, its names and what is frozen; the new layers draw theirs from the
        model's seed, and get names that are not taken. Raises ArgumentError for what is not a new layer and for a name
        that is taken, ShapeError where a layer does not fit; the model can then still be used.
        """
        self._require_built()
        new = list(layers) if isinstance(layers, (list, tuple)) else [layers]
        if not new:
            raise ArgumentError("extend: expected at least one layer, got none")
        for layer in new:
            if not isinstance(layer, Layer):
                raise ArgumentError(f"extend: expected a list of layers, got {type(layer).__name__}")
            if layer.input_shape is not None:
                raise ArgumentError(f"{layer.name}: belongs to a model already; make a new layer for this one")
        return self._move(self.layers, new, "extend")

    def freeze(self, *, through=None, layers=None):
        """Keep weights as they are in training; returns the model.

        `through` names the last of the layers to freeze, from the input on; `layers` lists names instead; neither
        freezes the whole model. What is not named stays as it was. A frozen layer gets no gradient, no update and no
        weight decay, and a frozen BatchNorm keeps to its moving averages; where a trainable layer lies below, the
        gradient passes through it.

        Raises ArgumentError for a name that is not there or has no parameters, an empty list, and both arguments at
        once: it never returns without having frozen what was asked for.
        """
        return self._set_trainable(False, "freeze", through, layers)

    def unfreeze(self, *, through=None, layers=None):
        """Let weights learn again; the arguments are those of `freeze`. Returns the model.

        To unfreeze from a layer on, unfreeze all and freeze through the layer before it. An optimizer already in use
        starts the momentum of the unfrozen layers at zero and keeps that of the others.
        """
        return self._set_trainable(True, "unfreeze", through, layers)

    def _move(self, kept, new, act):
        """The model of the layers `kept`, which move there, and `new`, which are checked first."""
        for layer in kept:
            layer.named_by_user = True  # weight files and optimizers know it by this name
        model = type(self)([*kept, *new], seed=self.seed, dtype=self.dtype, preprocessing=self.preprocessing)
        _rehearse(new, kept[-1].output_shape)
        model.backend = self.backend
        for layer in kept:
            layer.forget()
            layer._gradients.clear()
            layer.input_shape = None
        model.build(self.input_shape)
        self._layers = self.vector = UsedUp(act)
        self.forget()
        return model

    def _set_trainable(self, trainable, act, through, layers):
        chosen = self._chosen(act, through, layers)
        for layer in chosen:
            layer.trainable = trainable
        self.forget()  # a forward pass before now kept only what the old setting needs
        return self

    def _chosen(self, act, through, names):
        """The layers with parameters that the arguments of `freeze` mean; ArgumentError where there are none."""
        self._require_built()
        with_parameters = [layer for layer in self.layers if layer.parameter_shapes()]
        choice = f"those with parameters are {', '.join(layer.name for layer in with_parameters) or 'none'}"
        if through is not None and names is not None:
            raise ArgumentError(f"{act}: expected either through or layers, got both")
        if names is not None:
            given = names
            names = [] if isinstance(names, (str, Layer)) or not hasattr(names, "__iter__") else list(names)
            if not names:
                raise ArgumentError(f"{act}: expected a list of layer names, got {given!r}; {choice}")
            chosen = [self.get_layer(name) for name in names]
            for layer in chosen:
                if layer not in with_parameters:
                    raise ArgumentError(f"{act}: {layer.name} has no parameters; {choice}")
            return chosen
        stop = len(self.layers) if through is None else self.layers.index(self.get_layer(through)) + 1
        chosen = [layer for layer in self.layers[:stop] if layer in with_parameters]
        if not chosen:
            where = "in this model" if through is None else f"up to {through}"
            raise ArgumentError(f"{act}: no layer {where} has parameters; {choice}")
        return chosen


class UsedUp:
    """Stands in the place of a model's layers when they have moved to another model."""

    def __init__(self, act):
        self.act = act

    def refuse(self, *_):
        """Raise the ArgumentError that says where the layers are."""
        raise ArgumentError(
            f"this model was used up by {self.act}: its layers are in the model that {self.act} returned;"
            f" model.copy().{self.act}(...) keeps both"
        )

    __iter__ = __len__ = __getitem__ = segments = refuse
    values = property(refuse)


def _rehearse(layers, shape):
    """Check that the layers fit behind a feature map of `shape` (H, W, C) or (D,), and leave them as they were."""
    try:
        for layer in layers:
            layer.build(shape)
            shape = layer.output_shape
    finally:
        for layer in layers:
            layer.input_shape = layer.output_shape = None
