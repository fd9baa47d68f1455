"""The network of a problem in PyTorch."""

from collections import Counter
from functools import partial

from torch import nn
from torch.nn import functional

NONE = ((0, 0), (0, 0))
ACTIVATIONS = {"relu": partial(nn.ReLU, inplace=True), "gelu": nn.GELU}


class Network(nn.Module):
    """The network as torchvision builds such networks: modules, ReLUs and sums in place where nobody else reads.

    A final softmax or sigmoid is left to the loss. Where Keras's networks have a layer that pads for the next one, the
    pixels become that one's own padding, as users of PyTorch write it. But no layer of PyTorch pads on one side only;
    there padding stays an operation of its own.
    """

    def __init__(self, problem):
        super().__init__()
        self.modules_of = nn.ModuleDict()  # {name of a layer: its modules, the one with the parameters first}
        self.steps = []  # (functions, one after the other; numbers of the values read; those that nobody reads later)
        nodes = problem.nodes
        shapes = [problem.x.shape[1:], *(problem.shapes[layer["name"]] for layer, _ in nodes)]
        readers = Counter(number for _, read in nodes for number in read)
        alone = {number: count == 1 for number, count in readers.items()}
        pads = {place: layer["padding"] for place, (layer, _) in enumerate(nodes, 1) if layer["class"] == "ZeroPad2D"}
        for place, (layer, read) in enumerate(nodes, 1):
            if place in pads:
                continue
            before = pads.get(read[0], NONE)
            if before != NONE:
                read = nodes[read[0] - 1][1]
            for number in read:
                readers[number] -= 1
            unread = [number for number in set(read) if not readers[number]]
            # A value's place may be used again if nobody else reads it, and a ReLU's gradient does not need it.
            free = [alone[number] and number > 0 and nodes[number - 1][0]["class"] != "ReLU" for number in read]
            functions = functions_of(layer, shapes[read[0]], before, free)
            activation = layer.get("activation", "linear")
            if activation in ACTIVATIONS:
                functions.append(ACTIVATIONS[activation]())
            elif activation != "linear" and place < len(nodes):
                raise ValueError(f"{layer['name']}: expected relu, gelu or linear, got {activation}")
            modules = [function for function in functions if isinstance(function, nn.Module)]
            self.modules_of[layer["name"]] = nn.ModuleList(modules)
            self.steps.append((functions, read, unread, place))

    def forward(self, x):
        """The last value."""
        values = {0: x}
        for functions, read, unread, place in self.steps:
            given = [values[number] for number in read]
            y = functions[0](*given)
            for function in functions[1:]:
                y = function(y)
            for number in unread:
                del values[number]
            values[place] = y
        return y


def functions_of(layer, shape, before, free):
    """What computes the described layer for values of `shape`, to which `before` pixels are added first.

    `free`: for each of the values, whether the result may take its place.
    """
    kind, name = layer["class"], layer["name"]
    if kind in ("Conv2D", "DepthwiseConv2D"):
        depthwise = kind == "DepthwiseConv2D"
        filters = shape[2] * layer["depth_multiplier"] if depthwise else layer["filters"]
        sizes, strides = tuple(layer["kernel_size"]), tuple(layer["strides"])
        pad, sides = split(padding(layer, shape, sizes, before))
        groups = shape[2] if depthwise else 1
        return [*pad, nn.Conv2d(shape[2], filters, sizes, strides, sides, groups=groups, bias=layer["use_bias"])]
    if kind == "MaxPool2D":  # after a ReLU, where zeros around change nothing
        sizes, strides = tuple(layer["pool_size"]), tuple(layer["strides"])
        pad, sides = split(padding(layer, shape, sizes, before))
        return [*pad, nn.MaxPool2d(sizes, strides, sides)]
    if before != NONE:
        raise ValueError(f"{name}: expected a convolution or a pool after padding, got {kind}")
    if kind == "Dense":
        return [nn.Linear(shape[0], layer["units"], layer["use_bias"])]
    if kind == "BatchNorm":
        norm = nn.BatchNorm2d(shape[-1], layer["epsilon"], 1 - layer["momentum"])
        norm.weight.requires_grad, norm.bias.requires_grad = layer["scale"], layer["center"]
        return [norm]
    if kind == "Rescaling":
        return [lambda x: x * layer["scale"] + layer["offset"] if layer["offset"] else x * layer["scale"]]
    if kind == "Activation":
        return []
    if kind == "ReLU":
        return [{None: nn.ReLU, 6: nn.ReLU6}[layer.get("max_value")](inplace=free[0])]
    if kind == "Add":
        return [in_place(free.index(True)) if any(free) else lambda a, b: a + b]
    plain = {"Flatten": nn.Flatten, "GlobalAveragePool2D": lambda: lambda x: x.mean((2, 3))}
    return [nn.Dropout(layer["rate"]) if kind == "Dropout" else plain[kind]()]


def in_place(place):
    """The sum of two values, written to the one at `place`."""
    return lambda *values: values[place].add_(values[1 - place])


def padding(layer, shape, sizes, before):
    """((top, bottom), (left, right)): the pixels that the described layer adds, with those `before` it."""
    if layer["padding"] == "valid":
        return tuple(tuple(side) for side in before)
    if before != NONE:
        raise ValueError(f"{layer['name']}: expected padding valid after a ZeroPad2D, got {layer['padding']}")
    pixels = []
    for length, size, stride in zip(shape, sizes, layer["strides"]):
        more = max((-(-length // stride) - 1) * stride + size - length, 0)
        pixels.append((more // 2, more - more // 2))
    return tuple(pixels)


def split(pixels):
    """([an operation that pads], padding of the module): the same pixels on both sides need no operation."""
    (top, bottom), (left, right) = pixels
    if top == bottom and left == right:
        return [], (top, left)
    return [partial(functional.pad, pad=(left, right, top, bottom))], (0, 0)
