"""Targets of the fuzzer whose inputs are edited by meaning: a model is used by the twins and by their definitions."""

import contextlib
import random
import zlib

import numpy as np
from model_mutations import packed
from networks import classes, named, weights
from run_targets import small_trainer
from target import in_lines, small_model, written

from minitorch_cnn import keras_h5, runs
from minitorch_cnn.arrays.dispatch import DEFINITIONS_ONLY, TWINS_ONLY, running
from minitorch_cnn.engine.convolution import winograd
from minitorch_cnn.engine.layers import BatchNorm
from minitorch_cnn.engine.losses import MeanSquaredError
from minitorch_cnn.errors import ArgumentError, UserError
from minitorch_cnn.lessons import cnn_explainer
from minitorch_cnn.lessons.trace_text import trace_text
from minitorch_cnn.models.load_model import load_within_limits
from minitorch_cnn.models.new_top import has_preprocessing, with_new_top
from minitorch_cnn.network import summary
from minitorch_cnn.network.cost import forward_cost, images_at_once
from minitorch_cnn.report import Run, StepPage
from minitorch_cnn.report.run_page import run_page
from minitorch_cnn.report.step_page import step_page
from minitorch_cnn.report.training_page import layer_rows
from minitorch_cnn.runs.explain import explain, label_words

MOST_TRAINED = 1 << 23, 0.5  # numbers and seconds of a prediction for which a training step is done as well
SELDOM = 40
DIFFERENT = 0.02  # of the largest number
LARGEST_WEIGHT = 1000


def use_model(data, folder):
    """All that a run folder is used for, once by the twins and once by their definitions.

    What takes long is done for some of the inputs, chosen by their bytes, so that an input is always used alike.
    """
    model, names = runs.RunFolder(written(folder, "model.npz", data).parent).load_model()
    for compute in (_prediction, _gradients):
        results = []
        for which in (TWINS_ONLY, DEFINITIONS_ONLY):
            with running(which):
                results.append(compute(model))
        if _keeps_rounding_small(model, compute):
            assert_alike(*results)
    in_lines(summary.summary(model))
    has_preprocessing(model)
    model = with_new_top(model)
    model.predict(np.zeros((1, *model.input_shape), np.float32))
    assert all(name.isprintable() for name in names)
    some = zlib.crc32(data) % SELDOM
    if some == 0:
        run_page(Run("a model", layers=layer_rows(model), input_shape=model.input_shape, class_names=names))
    if some < 2:
        with contextlib.suppress(ArgumentError):  # it is no Tiny VGG
            cnn_explainer.export(model, folder / "export")
    if some == 2 and _is_small(model):
        with running(TWINS_ONLY):
            _explain(folder)


def _keeps_rounding_small(model, compute):
    """Whether rounding errors stay small: not with huge weights, nor where a batch's deviation, maybe 0, divides."""
    if compute is _gradients and any(isinstance(layer, BatchNorm) for layer in model.layers):
        return False
    return all((np.abs(array) < LARGEST_WEIGHT).all() for layer in model.layers for array in layer.parameters.values())


def _prediction(model):
    return model.predict(_images(model, 1))


def _gradients(model):
    """The gradients of a training step on two images as one array; empty where that would take very long."""
    if not _is_small(model):
        return np.zeros(0)
    for layer in model.layers:
        layer.draws = 0  # so that dropout drops the same numbers each time
    model.loss_and_gradients(_images(model, 2), np.zeros((2, *model.output_shape), model.dtype), MeanSquaredError())
    return np.concatenate([np.zeros(0), *(one.ravel() for layer in model.layers for one in layer.gradients.values())])


def _images(model, count):
    return np.resize(np.arange(251, dtype=np.uint8), (count, *model.input_shape))


def _is_small(model):
    if images_at_once(model, step=True, dtype="float64") < 2:
        return False
    costs = [forward_cost(layer) for layer in model.layers]
    return all(sum(each) <= most for each, most in zip(zip(*costs), MOST_TRAINED))


def _explain(folder):
    subject, step = explain(str(folder))
    in_lines(trace_text(step))
    labels = label_words(subject)
    step_page(StepPage("One step", step, "", subject.images, labels, subject.class_names, [], subject.notes))


def assert_alike(first, second):
    """Assert that two results are the same but for rounding; numbers that overflow may do so in one alone."""
    assert first.shape == second.shape and first.dtype == second.dtype
    if np.isfinite(first).all() and np.isfinite(second).all() and first.size:
        largest = max(1.0, float(np.abs(second).max()))
        difference = float(np.abs(first.astype(float) - second).max())
        assert difference <= DIFFERENT * largest, f"the twins differ from their definitions: {difference} of {largest}"


def good_models():
    """Files that between them need every compiled function, in both types: compiling is not for the time measured."""
    layers = [{"class": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same", "activation": "relu"}]
    for algorithm in ("row_windows", "im2col", "winograd"):
        conv = {"class": "Conv2D", "filters": 9, "kernel_size": 3, "padding": [[1, 1], [0, 2]], "algorithm": algorithm}
        layers += [{**conv, "activation": "relu"}, {**conv, "strides": 2, "padding": "same"}, conv]
        layers += [{**conv, "activation": "relu", "trainable": False}]
    pools = [{"class": "ZeroPad2D", "padding": 9}]
    for algorithm in ("row_windows", "winograd"):
        conv = {"class": "Conv2D", "filters": 16, "kernel_size": 3, "activation": "relu", "algorithm": algorithm}
        pools += [{**conv, "padding": "same"}, {"class": "MaxPool2D"}]
    pools += [{"class": "MaxPool2D", "pool_size": 3, "strides": 1, "padding": "same"}, {"class": "ReLU"}]
    pools += [{"class": "MaxPool2D", "pool_size": 17, "strides": 1, "padding": "same"}, {"class": "BatchNorm"}]
    pools += [{"class": "AveragePool2D", "padding": "same"}, {"class": "Dropout", "rate": 0.5}]
    naive = [{"class": "Conv2D", "filters": 2, "kernel_size": 3, "algorithm": "naive"}, {"class": "Tanh"}]
    ends = [{"class": "Flatten"}, {"class": "Dense", "units": 5, "activation": "relu"}, {"class": "Softmax"},
            {"class": "Dense", "units": 1, "activation": "sigmoid"}]  # fmt: skip
    found = []
    for dtype in ("float32", "float64"):
        with running(TWINS_ONLY):  # many filters have a function of their own
            x = np.zeros((1, 4, 4, 256), dtype)
            winograd.backward_kernel(x, x[:, :2, :2].copy(), (3, 3, 256, 256), (1, 1), ((0, 0), (0, 0)))
        for number, stack in enumerate((layers, pools, naive)):
            config = {"input_shape": [16, 15, 3], "seed": 0, "dtype": dtype, "preprocessing": {"kind": "unit"},
                      "layers": named([*stack, *ends])}  # fmt: skip
            names, arrays = ["a"] * classes(config), weights(config, random.Random(0))
            files = (packed(arrays, {"model": config, "class_names": [*names[1:], str(any)]}) for any in range(10**6))
            found.append(next(data for data in files if zlib.crc32(data) % SELDOM == number))
    return found


def use_checkpoint(data, folder):
    """Go on with the training, for one more epoch."""
    trainer = small_trainer()
    trainer.load(written(folder, "checkpoint.npz", data))
    trainer.epochs = trainer.epoch + 1
    trainer.run()


def use_keras(data, folder, name):
    """All that a whole-model file is used for."""
    path, model = written(folder, name, data), small_model().copy()
    with contextlib.suppress(UserError):
        _use_loaded(load_within_limits(path))
    in_lines(str(keras_h5.inspect(path, model)))
    keras_h5.read(path)
    model.load_weights(path, by_name=zlib.crc32(data) % 2 == 0)


def _use_loaded(model):
    """Predict with it, and put a new top on it."""
    shapes = [model.input_shape] if model.inputs == 1 else model.input_shape
    x = [np.zeros((1, *shape), np.float32) for shape in shapes]
    model.predict(x if model.inputs > 1 else x[0])
    in_lines(summary.summary(model))
