"""Arrays that are no weights: empty ones are refused everywhere, other types do not stop the rest of a file."""

import h5py
import numpy as np
import pytest

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5 import inspect, read


def keras_0(root, layers):
    root.attrs["nb_layers"] = len(layers)
    for k, (_, arrays) in enumerate(layers):
        group = root.create_group(f"layer_{k}")
        group.attrs["nb_params"] = len(arrays)
        for i, array in enumerate(arrays):
            group.create_dataset(f"param_{i}", data=array)


def layer_names(root, layers):
    root.attrs["layer_names"] = np.array([name.encode() for name, _ in layers])
    root.attrs["keras_version"] = b"2.4.0"
    root.attrs["backend"] = b"tensorflow"
    for name, arrays in layers:
        group = root.create_group(name)
        paths = [f"{name}/{what}:0" for what in ("kernel", "bias")[: len(arrays)]]
        group.attrs["weight_names"] = np.array([path.encode() for path in paths])
        for path, array in zip(paths, arrays):
            group.create_dataset(path, data=array)


def whole_model(root, layers):
    layer_names(root.create_group("model_weights"), layers)


def weights_h5(root, layers):
    for name, arrays in layers:
        for i, array in enumerate(arrays):
            root.create_dataset(f"layers/{name}/vars/{i}", data=array)


DIALECTS = {"keras_0": keras_0, "layer_names": layer_names, "whole_model": whole_model, "weights_h5": weights_h5}
GOOD = ("dense", [np.ones((4, 3), np.float32), np.ones(3, np.float32)])
OTHERS = {
    "integers": (np.arange(3), "64-bit integer"),
    "texts": (np.array([b"a", b"bc"]), "text"),
    "records": (np.zeros(2, [("a", "f4"), ("b", "i4")]), "compound"),
    "booleans": (np.zeros(3, bool), "enumeration or boolean"),
}


@pytest.fixture(params=DIALECTS)
def written(request, tmp_path):
    def write(*layers):
        path = tmp_path / "x.weights.h5"
        with h5py.File(path, "w") as root:
            DIALECTS[request.param](root, layers)
        return path

    return write


@pytest.mark.parametrize("shape", [(0, 64), (64, 0), (0,), (0, 0)], ids=str)
def test_an_empty_array_is_refused_by_name(written, shape):
    path = written(GOOD, ("dense_1", [np.ones((3, 2), np.float32), np.zeros(shape, np.float32)]))
    text = "x".join(map(str, shape))
    with pytest.raises(WeightsError, match=rf"(dense_1|layer_1).*: it is empty: its shape is {text}$"):
        read(path)
    assert f"it is empty: its shape is {text}" in str(inspect(path))


@pytest.mark.parametrize("kind", OTHERS)
def test_a_layer_of_another_type_is_left_out_with_a_warning(written, kind):
    array, words = OTHERS[kind]
    path = written(GOOD, ("dense_1", [array]))
    with pytest.warns(UserWarning, match=rf"left out .*(dense_1|layer_1).*{words}.*, not floating-point") as warned:
        weights = read(path)
    assert len(warned) == 1 and str(warned[0].message).isprintable() and warned[0].filename == __file__
    ((name, arrays),) = weights.items()
    assert name in ("dense", "layers/dense", "layer_0") and np.array_equal(arrays["kernel"], GOOD[1][0])
    assert words in str(inspect(path))


@pytest.mark.parametrize("kind", OTHERS)
def test_a_file_of_nothing_else_is_refused(written, kind):
    with pytest.raises(WeightsError, match=OTHERS[kind][1]):
        read(written(("dense_1", [OTHERS[kind][0]])))
