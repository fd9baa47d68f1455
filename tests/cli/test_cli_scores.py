"""Networks in files that end in scores or vectors, without softmax or sigmoid, at the command line."""

import numpy as np
import pytest
from minitorch_cnn.layers import Activation, Conv2D, Dense, Flatten, GlobalAveragePool2D, Reshape
from PIL import Image

import minitorch_cnn as mtc
from minitorch_cnn.cli import main

SHAPE = (9, 7, 3)
ENDS = {
    "logits": ([Flatten, lambda: Dense(5, name="logits")], "logits (Dense with linear, 5 outputs)", "score"),
    "one": ([Flatten, lambda: Dense(1, name="logit")], "logit (Dense with linear, 1 output)", "score"),
    "vector": ([GlobalAveragePool2D], "global_average_pool2d_1 (GlobalAveragePool2D, 4 outputs)", "score"),
    "sigmoids": ([Flatten, lambda: Dense(3, "sigmoid", name="tags")], "tags (Dense with sigmoid, 3 outputs)", ""),
    "reshaped": ([Flatten, lambda: Dense(6, "softmax"), lambda: Reshape((6,), name="last")], "last (Reshape", ""),
}


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(4).integers(0, 256, SHAPE, np.uint8)).save(path)
    return str(path)


def saved(tmp_path, layers):
    path = tmp_path / "x.keras"
    mtc.Sequential([Conv2D(4, 3), *(make() for make in layers)], SHAPE, seed=1).save(path)
    return str(path)


@pytest.mark.parametrize("name", ENDS)
def test_explain_names_the_last_layer_and_what_it_needs(name, tmp_path, photo, capsys):
    layers, words, _ = ENDS[name]
    path = saved(tmp_path, layers)
    for options in ([], ["--label", "0"]):
        assert main(["explain", path, photo, "--preprocessing", "unit", *options]) == 2
        said = capsys.readouterr().err
        assert f"{path}: explain needs a last layer with softmax" in said and words in said and said.count("\n") == 1


@pytest.mark.parametrize("name", ENDS)
def test_predict_calls_scores_scores(name, tmp_path, photo, capsys):
    layers, _, word = ENDS[name]
    path = saved(tmp_path, layers)
    pixels = np.asarray(Image.open(photo))[None].astype(np.float32) / 255
    answer = mtc.load_model(path).predict(pixels)[0]
    assert main(["predict", path, photo, "--preprocessing", "unit"]) == 0
    named = f"class {answer.argmax()}, " if len(answer) > 1 else ""
    assert capsys.readouterr().out == f"{named}{word and 'score '}{answer.max():.2f}\n"


def test_with_a_softmax_added_explain_works(tmp_path, photo, capsys):
    path = saved(tmp_path, ENDS["logits"][0])
    mtc.load_model(path).extend([Activation("softmax")]).save(path)
    assert main(["explain", path, photo, "--preprocessing", "unit"]) == 0
    assert "logits" in capsys.readouterr().out
