"""The order of a network's layers in Keras's files, which is not that of the calls."""

import h5py
import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import layers
from minitorch_cnn.network.keras_weights import target_of


def two_branches(name):
    """x -> b(x) - a(x), where a is called first and b is met first from the output."""
    x = mtc.Input((6, 6, 3))
    a, b = (layers.Conv2D(3, 3, padding="same", name=f"{name}_{each}")(x) for each in "ab")
    return mtc.Model(x, layers.Subtract(name=f"{name}_difference")([b, a]), seed=0)


def deep_and_shallow(name):
    """A layer at two places, branches of two lengths, and two outputs."""
    x = mtc.Input((6, 6, 3))
    a, b, c, d, e = (layers.Conv2D(3, 3, padding="same", name=f"{name}_{each}") for each in "abcde")
    first = a(x)
    second, third = b(first), c(x)
    u, v = d(third), d(second)
    total = layers.Add(name=f"{name}_sum")([v, first])
    return mtc.Model(x, [layers.Subtract(name=f"{name}_difference")([u, total]), e(first)], seed=0)


# The layers with weights in the order in which Keras 3.15 and tf_keras list those of the same code.
ORDERS = {two_branches: "ba", deep_and_shallow: "acbde"}


@pytest.mark.parametrize("make", ORDERS)
def test_layers_are_listed_as_keras_lists_them(make):
    assert [layer.name for layer in target_of(make("q")).weighted()] == [f"q_{each}" for each in ORDERS[make]]


@pytest.mark.parametrize("make", ORDERS)
@pytest.mark.parametrize("ending", [".h5", ".weights.h5"])
def test_saved_weights_stand_in_that_order(make, ending, tmp_path):
    model = make("q")
    model.save_weights(tmp_path / f"x{ending}")
    kernels = [model.get_layer(f"q_{each}").parameters["kernel"] for each in ORDERS[make]]
    with h5py.File(tmp_path / f"x{ending}") as file:
        if ending == ".h5":
            names = [name.decode() for name in file.attrs["layer_names"]]
            stored = [file[f"{name}/{name}/kernel:0"][()] for name in names if len(file[name])]
        else:
            names = ["conv2d", *(f"conv2d_{number}" for number in range(1, len(kernels)))]
            stored = [file[f"layers/{name}/vars/0"][()] for name in names]
    for ours, theirs in zip(kernels, stored, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("make", ORDERS)
@pytest.mark.parametrize("ending", [".h5", ".weights.h5", ".keras"])
def test_the_same_code_with_other_names_takes_the_weights(make, ending, tmp_path):
    """A file by `save` lists them as Keras does, and by `save_weights` too."""
    model, other = make("q"), make("z")
    for layer in model.layers:
        layer.load({name: array + 1 for name, array in layer.parameters.items()})
    (model.save if ending == ".keras" else model.save_weights)(tmp_path / f"x{ending}")
    other.load_weights(tmp_path / f"x{ending}")
    assert [*other.fingerprints().values()] == [*model.fingerprints().values()]
