"""The edits of meaning: what comes out can be read, much of it is a working model, and every kind of edit is made."""

import contextlib
import json
import random
from collections import Counter

import image_mutations
import meaning_targets
import model_mutations
import networks
import pytest
import semantic
from facts_mutations import mutated_checkpoint, mutated_json
from fuzz import trouble
from keras_files import good_h5, good_keras, h5_text, keras_text, mutated_keras
from meaning_targets import good_models, use_model
from model_mutations import mutated_model, opened
from mutations import LONGEST
from run_targets import checkpoints, configs
from targets import TARGETS
from watching import Memory

from minitorch_cnn.errors import UserError

WORDS = ("relu", "valid")


def trees(count):
    """`count` descriptions, each an edit of the one before it or of a network."""
    rng = random.Random(0)
    tree = networks.network(rng)
    for number in range(count):
        tree = semantic.edited(networks.network(rng) if number % 7 == 0 else tree, WORDS, rng)
        yield tree


def test_edited_json_is_json_of_another_meaning():
    texts = [json.dumps(tree) for tree in trees(300)]
    assert all(len(text) < LONGEST and json.loads(text) is not None for text in texts)
    assert len(set(texts)) > 250


def counted(table, monkeypatch):
    """A Counter of how often each entry of `table`, functions by name, is called from now on."""
    calls = Counter()

    def counting(name, function):
        def call(*arguments):
            calls[name] += 1
            return function(*arguments)

        return call

    for name, function in table.items():
        monkeypatch.setitem(table, name, counting(name, function))
    return calls


def test_every_kind_of_edit_is_made(monkeypatch):
    values, models = counted(semantic.EDITS, monkeypatch), counted(model_mutations.EDITS, monkeypatch)
    list(trees(1000))
    files(200)
    assert values.keys() == semantic.EDITS.keys()
    assert models.keys() == model_mutations.EDITS.keys()


def test_every_layer_and_setting_is_written():
    rng = random.Random(0)
    layers = [layer for _ in range(200) for layer in networks.network(rng)["layers"]]
    assert {layer["class"] for layer in layers} == networks.SETTINGS_OF.keys()
    assert {name for layer in layers for name in layer} == {*networks.SETTINGS, "class", "name"}
    assert {layer["algorithm"] for layer in layers if "algorithm" in layer} == set(networks.ALGORITHMS)


def files(count, seed=0):
    rng, corpus = random.Random(seed), good_models()
    return [mutated_model(rng.choice(corpus), corpus, (), rng) for _ in range(count)]


def test_an_edited_model_is_a_readable_file_of_a_bounded_size():
    found = files(200)
    assert all(len(data) <= LONGEST for data in found) and len(set(found)) > 190
    for data in found:
        arrays, facts = opened(data)
        assert all(array.nbytes <= LONGEST for array in arrays.values()) and json.dumps(facts)


@pytest.mark.parametrize("seeds", [good_keras, good_h5])
def test_an_edited_whole_model_file_is_one(seeds):
    rng, corpus = random.Random(0), seeds()
    read = keras_text if seeds is good_keras else h5_text
    for _ in range(100):
        data = mutated_keras(rng.choice(corpus), corpus, (), rng)
        text, arrays = read(data)
        assert len(data) <= LONGEST and isinstance(json.loads(text), dict) and arrays is not None
        corpus.append(data)


def test_edited_settings_and_facts_are_readable():
    rng, texts, files = random.Random(0), configs(), checkpoints()
    for _ in range(200):
        texts.append(mutated_json(rng.choice(texts), texts, (), rng))
        files.append(mutated_checkpoint(rng.choice(files), files, (), rng))
        assert json.loads(texts[-1]) is not None
        assert opened(files[-1]) and max(len(texts[-1]), len(files[-1])) <= LONGEST


@pytest.mark.parametrize("target", ["image by meaning", "CIFAR archive by meaning"])
def test_enough_of_what_is_written_field_by_field_is_read(target, tmp_path):
    rng, use, read = random.Random(0), TARGETS[target], 0
    for _ in range(200):
        data = use.mutated(b"", [], (), rng)
        assert len(data) <= LONGEST
        with contextlib.suppress(Exception):  # whether it is one of ours, the fuzzer itself tells
            use.use(data, tmp_path)
            read += 1
    assert read > 40


def test_every_image_format_is_written_and_read(tmp_path):
    kinds = set()
    for kind in (image_mutations.png, image_mutations.gif, image_mutations.bmp, image_mutations.tiff,
                 image_mutations.ppm, image_mutations.jpeg, image_mutations.webp):  # fmt: skip
        for number in range(20):
            fields = image_mutations.Fields(random.Random(number))
            fields.chance = 0  # nothing far off
            with contextlib.suppress(UserError):  # some combinations of good fields are not supported
                TARGETS["image"].use(kind(fields), tmp_path)
                kinds.add(kind)
    assert len(kinds) == 7


@pytest.mark.campaign
def test_a_third_of_the_edited_models_predict(tmp_path):
    predicted = 0
    for data in files(300):
        try:
            use_model(data, tmp_path)
            predicted += 1
        except UserError:
            continue
    assert predicted > 100


def test_twins_that_compute_something_else_are_found(tmp_path, monkeypatch):
    compute, wrong = meaning_targets._prediction, iter((0.0, 0.1))
    monkeypatch.setattr(meaning_targets, "_prediction", lambda model: compute(model) + next(wrong))
    problem = trouble("model of a run, by meaning", good_models()[1], tmp_path, None, None, Memory())
    assert "the twins differ" in problem
