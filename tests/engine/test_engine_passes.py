"""The one walk over the nodes: several inputs, values used twice, layers at two places, observers, what is kept."""

import numpy as np
import pytest
from engine_helpers import normal

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses
from minitorch_cnn.engine import passes
from minitorch_cnn.engine.passes import Node


class Sum(layers.Layer):
    """y = the sum of its inputs: what the next layers with several inputs will look like."""

    random = False

    def forward_pass(self, x, training=False):
        return sum(x[1:], start=x[0]), (len(x),)

    def backward_pass(self, dy, kept, need_dx=True):
        """A sum hands dy to each of its inputs."""
        return [dy] * kept[0] if need_dx else None, {}


def dense(units, size, seed, activation=None):
    """A layer built on its own, with weights in float64."""
    layer = layers.Dense(units, activation)
    layer.build((size,))
    layer.initialize(np.random.default_rng(seed), "float64")
    return layer


def branched():
    """(nodes, layers): x -> first -> (second, and past it) -> sum -> first again -> sum with x -> last."""
    first, second, last = dense(4, 4, 1, "tanh"), dense(4, 4, 2, "tanh"), dense(3, 4, 3)
    nodes = [
        Node(first, (0,), 1),
        Node(second, (1,), 2),
        Node(Sum(), (2, 1), 3),
        Node(first, (3,), 4),
        Node(Sum(), (4, 0, 1), 5),
        Node(last, (5,), 6),
    ]
    return nodes, [first, second, last]


def value(nodes, x, weights):
    return float((passes.forward(nodes, [x])[0] * weights).sum())


def test_gradients_add_up_where_a_value_or_a_layer_is_used_twice():
    nodes, stack = branched()
    x, weights = normal((2, 4)), normal((2, 3), 1)
    needed = passes.need_gradients(nodes, {0})
    y, steps = passes.forward(nodes, [x], keep=needed)
    dx = passes.backward(steps, weights, needed)[0]
    arrays = [("x", x, dx)] + [(f"{i} {n}", a, stack[i].gradients[n]) for i in range(3)
                               for n, a in stack[i].parameters.items()]  # fmt: skip
    for name, array, gradient in arrays:
        numerical = np.zeros(array.shape)
        for index in np.ndindex(array.shape):
            before, slopes = array[index], []
            for step in (1e-6, -1e-6):
                array[index] = before + step
                slopes.append(value(nodes, x, weights))
            array[index] = before
            numerical[index] = (slopes[0] - slopes[1]) / 2e-6
        np.testing.assert_allclose(gradient, numerical, rtol=1e-6, atol=1e-8, err_msg=name)


def test_a_branch_that_learns_nothing_is_not_visited():
    nodes, (first, second, last) = branched()
    first.trainable = second.trainable = False
    needed = passes.need_gradients(nodes)
    assert needed == {6}
    _, steps = passes.forward(nodes, [normal((2, 4))], keep=needed)
    assert [step.node.layer for step in steps] == [last]
    assert passes.backward(steps, normal((2, 3)), needed) == {} and set(last.gradients) == {"kernel", "bias"}
    assert not first.gradients
    second.trainable = True
    assert passes.need_gradients(nodes) == {2, 3, 4, 5, 6}


def test_values_are_dropped_when_nothing_reads_them_any_more():
    import weakref

    alive = []

    class Watch(passes.Observer):
        def before_forward(self, node, x):
            alive.append([reference() is not None for reference in made])

        def after_forward(self, node, x, y, kept):
            made.append(weakref.ref(y))

    made = []
    nodes = passes.chain([layers.Tanh() for _ in range(4)])
    passes.forward(nodes, [normal((2, 3))], observer=Watch())
    assert alive == [[], [True], [False, True], [False, False, True]]


def test_an_observer_sees_every_node_in_order_and_changes_nothing():
    stack = [layers.Conv2D(4, 3, activation="relu"), layers.MaxPool2D(2), layers.Flatten(), layers.Dense(3, "softmax")]
    model = mtc.Sequential(stack, (8, 7, 2), seed=0, dtype="float64")
    x, labels, seen = normal((3, 8, 7, 2)), [0, 2, 1], []

    class Watch(passes.Observer):
        def before_forward(self, node, x):
            seen.append(("in", node.layer.name, x.shape))

        def after_forward(self, node, x, y, kept):
            seen.append(("out", node.layer.name, y.shape))

        def after_loss(self, loss, dy):
            seen.append(("loss", loss, dy.shape))

        def before_backward(self, node, dy):
            seen.append(("dy", node.layer.name, dy.shape))

        def after_backward(self, node, dy, dx, gradients):
            seen.append(("dx", node.layer.name, None if dx is None else dx.shape, sorted(gradients)))

    plain = model.loss_and_gradients(x, labels, losses.CrossEntropy())
    before = {layer.name: {n: g.copy() for n, g in layer.gradients.items()} for layer in model.layers}
    watched = model.loss_and_gradients(x, labels, losses.CrossEntropy(), observer=Watch())
    assert abs(watched - plain) < 1e-14
    for layer in model.layers:
        for name, gradient in layer.gradients.items():
            np.testing.assert_allclose(gradient, before[layer.name][name], rtol=1e-12, atol=1e-15)
    names = ["conv2d_1", "max_pool2d_1", "flatten_1", "dense_1"]
    assert [(kind, name) for kind, name, *_ in seen if kind in ("in", "out")] == [
        (kind, name) for name in names for kind in ("in", "out")
    ]
    assert [row[1] for row in seen if row[0] == "dx"] == names[::-1]
    assert seen[8] == ("loss", watched, (3, 3)) and seen[-1] == ("dx", "conv2d_1", None, ["bias", "kernel"])


def test_what_a_pass_keeps_is_what_the_summary_counts():
    stack = [
        layers.Conv2D(4, 3, activation="relu"),
        layers.BatchNorm(),
        layers.Conv2D(3, 2, activation="tanh"),
        layers.MaxPool2D(2),
        layers.AveragePool2D(2, 1),
        layers.Dropout(0.5),
        layers.Flatten(),
        layers.Dense(5, activation="relu"),
        layers.Dense(3, activation="softmax"),
    ]
    model = mtc.Sequential(stack, (12, 11, 2), seed=0)
    N, handed_on, kept_by = 7, set(), {}

    class Watch(passes.Observer):
        def after_forward(self, node, x, y, kept):
            arrays = [array for array in kept if isinstance(array, np.ndarray) and array.ndim and len(array) == N]
            kept_by[node.layer.name] = sum(array.size for array in arrays if id(array) not in handed_on)
            handed_on.add(id(y))
            held.append(y)

    held = []
    x = model.receive(normal((N, 12, 11, 2)))
    handed_on.add(id(x))
    passes.forward(model.nodes(), [x], True, observer=Watch())
    assert kept_by == {layer.name: N * layer.kept_elements() for layer in model.layers}


@pytest.mark.parametrize("joint", [True, False])
def test_backward_may_be_called_again_after_one_forward(joint):
    model = mtc.Sequential([layers.Dense(4, "relu"), layers.Dense(3, "softmax")], (5,), seed=0)
    dy = normal(model.forward(normal((2, 5))).shape, 1)
    first = model.backward(dy, input_gradient=joint)
    again = model.backward(dy, input_gradient=joint)
    if joint:
        np.testing.assert_array_equal(first, again)
    assert model.layers[0].gradients["kernel"].any()
