"""A web page that was saved as weights, or a table: one line names the file, what was expected and what it is."""

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import cli, keras_h5, layers, models, optimizers
from minitorch_cnn.errors import CheckpointError, WeightsError

PAGE = "<!DOCTYPE html>\n<html><head><title>404</title></head><body>Not found</body></html>\n"
CONTENTS = {"page": PAGE, "table": "epoch,loss\n1,0.5\n2,0.4\n", "empty": ""}
IS = {
    "page": "it is a web page",
    "table": "it is not an HDF5 file .it begins with b'epoch,lo'",
    "empty": "the file is empty",
}
EXPECTED = "expected a zip archive of arrays, got a file that begins with"
BEGINS = {"page": "b'<!DO'", "table": "b'epoc'", "empty": "b''"}


def net():
    return mtc.Sequential([layers.Flatten(), layers.Dense(2, activation="softmax")], (4, 4, 1), seed=0)


def vgg16(path):
    models.vgg16(include_top=False, input_shape=(32, 32, 3), weights=str(path))


@pytest.fixture(params=CONTENTS)
def content(request):
    return request.param


def refused(act, path, error, says):
    with pytest.raises(error, match=says) as caught:
        act(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["x.h5", "x.weights.h5", "x.keras", "x.csv", "x.html", "x"])
def test_as_a_file_of_keras(name, content, tmp_path):
    path, model = tmp_path / name, net()
    path.write_text(CONTENTS[content])
    before = model.vector.values.copy()
    for act in (model.load_weights, mtc.load_model, keras_h5.inspect):
        refused(act, path, WeightsError, IS[content])
    np.testing.assert_array_equal(model.vector.values, before)


def test_as_weights_of_a_network_by_name(content, tmp_path):
    path = tmp_path / "vgg16_notop.h5"
    path.write_text(CONTENTS[content])
    refused(vgg16, path, WeightsError, IS[content])


def test_as_a_model_of_this_package(content, tmp_path):
    path, model = tmp_path / "x.npz", net()
    path.write_text(CONTENTS[content])
    for act in (model.load_weights, mtc.load_model):
        says = f"not a readable model file .{EXPECTED} {BEGINS[content]}"
        refused(act, path, WeightsError, says)
        refused(act, tmp_path / "missing.npz", WeightsError, "there is no model file here")


@pytest.mark.parametrize("name", ["x.npz", "x.csv"])
def test_as_a_checkpoint(name, content, tmp_path):
    path = tmp_path / name
    path.write_text(CONTENTS[content])
    says = f"not a readable checkpoint .{EXPECTED} {BEGINS[content]}"

    def resume(path):
        images, labels = np.zeros((4, 4, 4, 1)), np.arange(4) % 2
        net().fit(images, labels, optimizer=optimizers.SGD(0.1), epochs=2, resume=path, progress=False)

    refused(resume, path, CheckpointError, says)


def test_on_the_command_line(content, tmp_path, capsys):
    path = tmp_path / "x.h5"
    path.write_text(CONTENTS[content])
    for command in (["weights", "inspect"], ["summary"]):
        assert cli.main([*command, str(path)]) == 2
        printed = capsys.readouterr().err
        assert printed.startswith(f"minitorch-cnn: {path}: ") and printed.count("\n") == 1
