"""Transfer learning on any network: cut off its top, put a new one on, and train in two phases.

    kept                                   tossed                    new
    input --> ... --> last feature map     pool, dropout, dense      pool, dropout 0.2, dense

    old = load_model("somebodys.keras", preprocessing="tf")     as it was trained; None if it begins with scaling layers
    model = with_new_top(old, classes=2)                        its base is frozen: train the new top
    unfreeze_base(model)                                        then train everything, gently

The base runs as it does when it predicts: its dropouts are switched off, and its batch norms stay frozen in both
phases. Their mean and variance are those of the images that the other weights were trained with; the small batches of a
few new photos would replace them by noisier ones, to which the other weights do not fit.
"""

from __future__ import annotations

from typing import Any

from minitorch_cnn.engine import layers
from minitorch_cnn.errors import ArgumentError, ShapeError
from minitorch_cnn.network.sequential import model_of
from minitorch_cnn.network.surgery import below

POOLS = (layers.GlobalAveragePool2D, layers.GlobalMaxPool2D, layers.Flatten)
BEFORE_PREPROCESSING = (layers.ZeroPad2D, layers.Cropping2D, layers.Resizing)
DROPOUT = 0.2


def last_feature_map(model: Any) -> tuple[str, type]:
    """(name of the layer that makes the last feature map, the class of global pool that follows it).

    It is the lowest one that is pooled or flattened such that all above depends on it through that pool alone. (The
    squeeze of a "squeeze and excitation" is not: the map itself is read again above it.) A network may also end with
    it. After a Flatten the pool is the average. Raises ArgumentError if there is no such map.
    """
    if model.inputs > 1 or model.outputs > 1:
        raise ArgumentError(f"expected a network with one input and one output, got {model.inputs} and {model.outputs}")
    nodes = below(model.nodes(), *model.ends)
    made = {node.output: node.layer for node in nodes}
    found, oldest = None, model.ends[0]  # the oldest value that a node above reads
    for node in reversed(nodes):
        source = made.get(node.inputs[0])
        if isinstance(node.layer, POOLS) and oldest >= node.output and source and len(source.output_shape) == 3:
            found = source.name, _pool_after(node.layer)
        oldest = min(oldest, *node.inputs)
    if found:
        return found
    if len(model.output_shape) == 3:
        return made[model.ends[0]].name, layers.GlobalAveragePool2D
    raise ArgumentError("expected a feature map (h, w, C) that is pooled or flattened below the top, found none")


def _pool_after(layer: layers.Layer) -> type:
    return layers.GlobalMaxPool2D if isinstance(layer, layers.GlobalMaxPool2D) else layers.GlobalAveragePool2D


def with_new_top(model: Any, classes: int = 2, dropout: float = DROPOUT, size: tuple[int, int] | None = None) -> Any:
    """The network up to its last feature map, frozen, with a new top of `classes`; `model` is used up.

    The new top is the mean (or maximum, where the old one took that) of each channel, a dropout and a dense layer: a
    sigmoid for two classes, else a softmax. Its weights are drawn from the model's seed. With `size` (H, W) the network
    is for images of that size. Raises ArgumentError if the model has no such feature map, and ShapeError if the layers
    below it do not allow that size.
    """
    last, pool = last_feature_map(model)
    base = model.cut(after=last)
    base = base if size is None else resized(base, *size)
    for layer in base.layers:
        if isinstance(layer, layers.Dropout):
            layer.rate, layer.random = 0.0, False
    answer = layers.Dense(1, "sigmoid") if classes == 2 else layers.Dense(classes, "softmax")
    return base.extend([pool(), layers.Dropout(dropout), answer]).freeze(through=last)


def unfreeze_base(model: Any, first: str | None = None) -> list[str]:
    """Let all layers learn but the batch norms, which keep their statistics; returns the names of those.

    With `first`, what the layer of that name depends on stays frozen, so it is the lowest layer that learns.
    """
    model.unfreeze()
    if first is not None:
        own, nodes = model.get_layer(first), model.nodes()
        sources = [number for node in nodes if node.layer is own for number in node.inputs]
        lower = dict.fromkeys(node.layer.name for node in below(nodes, *sources) if node.layer.parameter_shapes())
        if lower:
            model.freeze(layers=lower)
    norms = [layer.name for layer in model.layers if isinstance(layer, layers.BatchNorm)]
    if norms:
        model.freeze(layers=norms)
    return norms


def resized(model: Any, height: int, width: int) -> Any:
    """The same network, with its weights, for images of another size; ShapeError if its layers do not allow that."""
    if model.input_shape[:2] == (height, width):
        return model
    config = model.config()
    config["input_shape"] = [height, width, model.input_shape[2]]
    other = model_of(config)
    for layer in model.layers:
        if layer.parameter_shapes() != other.get_layer(layer.name).parameter_shapes():
            made_for = "x".join(map(str, model.input_shape[:2]))
            raise ShapeError(f"{layer.name}: its weights are for images of {made_for}, got {height}x{width}")
        if layer.parameter_shapes():
            other.get_layer(layer.name).load(dict(layer.parameters))
    return other


def has_preprocessing(model: Any) -> bool:
    """Whether the network itself begins with layers that scale pixels from 0 to 255, as EfficientNet does."""
    readers: dict[int, list] = {}
    for node in model.nodes():
        for number in node.inputs:
            readers.setdefault(number, []).append(node)
    value = 0
    while len(readers.get(value, ())) == 1:
        (node,) = readers[value]
        if isinstance(node.layer, (layers.Rescaling, layers.Normalization)):
            return True
        if not isinstance(node.layer, BEFORE_PREPROCESSING):
            return False
        value = node.output
    return False
