"""The end of the course: a network of the learner's own functions, and the pages about what each exercise reached."""

import json

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses
from minitorch_cnn.cli import main
from minitorch_cnn.exercises import course, milestones, runner, training
from minitorch_cnn.exercises.progress import Course
from minitorch_cnn.exercises.worker import load
from minitorch_cnn.report.course_page import CoursePage, course_page


@pytest.fixture
def solved(tmp_path):
    """A folder in which every exercise is solved and has been checked."""
    learner = Course(tmp_path / "work")
    learner.start()
    for each in course.EXERCISES:
        learner.file_of(each).write_bytes(each.solution.read_bytes())
        learner.remember(each, runner.Outcome("done"))
    return learner


def functions():
    return {
        task.function: getattr(load(each.solution), task.function) for each in course.EXERCISES for task in each.tasks
    }


@pytest.mark.campaign
def test_with_the_solutions_it_reads_97_of_100_digits_and_leaves_a_certificate(solved, capsys):
    assert main(["exercise", "train", str(solved.folder)]) == 0
    said = capsys.readouterr().out
    assert "this takes about" in said and "epoch 8: loss" in said
    assert solved.certified() >= 0.97
    assert f"{solved.certified():.1%}" in (solved.folder / "certificate.html").read_text(encoding="utf-8")
    assert main(["exercise", str(solved.folder)]) == 0
    assert f"your own network reads {solved.certified():.1%} of the test digits" in capsys.readouterr().out


WRONG = {
    "softmax": ("axis=1, keepdims=True)\n    loss", "axis=0, keepdims=True)\n    loss", "print your probabilities"),
    "max_pool": ("(KH * KW)]).argmax(axis=0)", "(KH * KW)]).argmax(axis=0)[..., :1]", "give one channel of an"),
    "relu": ("dy * (y > 0)", "dy * (dy > 0)", "take one unit that was on"),
    "col2im": ("[:, top : top + H, left : left + W]", "[:, top:-bottom, left:-right]", "print the shape of dx before"),
    "sgd": ("if trainable[name]:", "if name in gradients:", "follow one number on paper"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_common_wrong_answer_is_refused_before_it_trains_with_the_hint(solved, capsys, name):
    right, wrong, hint = WRONG[name]
    source = solved.file_of(course.get(name)).read_text()
    assert right in source
    solved.file_of(course.get(name)).write_text(source.replace(right, wrong))
    assert main(["exercise", "train", str(solved.folder)]) == 1
    said = capsys.readouterr().out
    assert f"hint 1 of 3: {hint}" in said and "the smallest case that fails:" in said
    assert said.splitlines()[-1].startswith("refused: ") and f"exercise {name} comes first" in said
    assert "epoch" not in said and solved.certified() is None


def test_a_missing_file_is_named(solved, capsys):
    solved.file_of(course.get("im2col")).unlink()
    assert main(["exercise", "train", str(solved.folder)]) == 2
    assert "04_im2col.py: expected the file of exercise im2col" in capsys.readouterr().err


@pytest.mark.parametrize("raised", ["RuntimeError", "KeyboardInterrupt"])
def test_code_that_fails_only_in_training_gives_one_line(solved, capfd, raised):
    path = solved.file_of(course.get("dense"))
    path.write_text(path.read_text() + "\n_right = dense_backward\ndef dense_backward(*arrays):\n"
                    f"    if len(arrays[0]) == 32: raise {raised}('no')\n    return _right(*arrays)")  # fmt: skip
    solved.remember(course.get("dense"), runner.Outcome("done"))
    assert main(["exercise", "train", str(solved.folder)]) == 1
    out, error = capfd.readouterr()
    assert out.splitlines()[-1] == f"wrong  exercise train: raised {raised}: no" and "Traceback" not in error


@pytest.mark.parametrize("name, code, where", [
    ("dense", "dense_backward\ndef dense_backward(*a):\n    while len(a[0]) == 32: pass\n    return _right(*a)",
     "dense_backward"),
    ("sgd", "sgd_step\nimport sys\nwhile 'minitorch_cnn.exercises.training' in sys.orig_argv: pass", "08_sgd.py"),
])  # fmt: skip
def test_a_loop_that_is_endless_only_in_training_is_ended(solved, capfd, name, code, where):
    path = solved.file_of(course.get(name))
    path.write_text(f"{path.read_text()}\n_right = {code}\n")
    solved.remember(course.get(name), runner.Outcome("done"))
    assert main(["exercise", "train", str(solved.folder), "--seconds", "2"]) == 1
    wrong, hint = capfd.readouterr().out.splitlines()[-2:]
    assert wrong == f"wrong  {where}: still running after 2 seconds" and "is there an endless loop?" in hint
    assert solved.certified() is None


def test_its_gradients_are_those_of_the_package():
    network = training.Network(functions(), seed=3)
    random = np.random.default_rng(0)
    x, labels = random.random((5, 16, 16, 1), np.float32), np.array([3, 1, 4, 1, 5])
    model = mtc.Sequential([
        layers.Conv2D(8, 3, padding="same", activation="relu"), layers.MaxPool2D(2),
        layers.Conv2D(16, 3, padding="same", activation="relu"), layers.MaxPool2D(2),
        layers.Flatten(), layers.Dense(10, activation="softmax"),
    ], input_shape=(16, 16, 1), seed=0)  # fmt: skip
    ours = dict(zip(("conv1", "conv2", "dense"), (layer for layer in model.layers if layer.parameters)))
    for name, layer in ours.items():
        for key in ("kernel", "bias"):
            layer.parameters[key][...] = network.parameters[f"{name}/{key}"]
    loss = model.loss_and_gradients(x, labels, losses.CrossEntropy(), training=True)
    scores, kept = network.forward(x)
    found, dscores = network.functions["softmax_cross_entropy"](scores, labels)
    assert found == pytest.approx(loss, rel=1e-5)
    for name, gradient in network.backward(dscores, kept).items():
        layer, key = name.split("/")
        np.testing.assert_allclose(gradient, ours[layer].gradients[key], rtol=1e-3, atol=1e-6, err_msg=name)


def test_training_learns_and_reports_each_epoch():
    told = []
    training.train(functions(), told.append, epochs=2, most=192)
    first, second = (fact for fact in told if "epoch" in fact)
    assert second["loss"] < first["loss"] < 3 and [fact for fact in told if "expected" in fact]
    assert told[-1]["done"] and told[-1]["images"] == 450 and np.shape(told[-1]["maps"]["conv2"]) == (8, 8, 16)
    json.dumps(told)


def test_the_convolution_is_given_the_learners_own_im2col(solved):
    path = solved.file_of(course.get("im2col"))
    path.write_text(path.read_text() + "\nCALLS = []\n_right = im2col\ndef im2col(*arguments):\n"
                    "    CALLS.append(1)\n    return _right(*arguments)\n")  # fmt: skip
    found = training.functions_of(solved.folder)
    x, kernel = np.ones((1, 4, 4, 1), np.float32), np.ones((3, 3, 1, 2), np.float32)
    found["conv2d_backward"](np.ones((1, 2, 2, 2), np.float32), x, kernel, (1, 1), ((0, 0), (0, 0)))
    assert found["im2col"].__globals__["CALLS"] == [1]
    assert found["conv2d_backward"].__globals__["col2im"] is found["col2im"]


@pytest.mark.parametrize("exercise", course.EXERCISES, ids=lambda exercise: exercise.name)
def test_every_exercise_has_a_milestone_page(exercise):
    reached = json.loads(json.dumps(milestones.of(exercise.name, functions())))
    page = course_page(CoursePage(**reached))
    assert page.count("<figure>") == len(reached["maps"]) and reached["title"].replace("'", "&#39;") in page
    assert ("<polyline" in page or "<path" in page) == bool(reached["curves"])


def test_the_milestone_of_im2col_is_lenets_first_layer():
    layer = layers.Conv2D(6, 5, use_bias=False)
    mtc.Sequential([layer], (32, 32, 1), seed=0)
    layer.parameters["kernel"] = milestones.lenet_kernel()
    wanted = layer.forward(milestones.digit(), training=False)[0]
    reached = milestones.of("im2col", functions())["maps"]["feature maps"]
    np.testing.assert_allclose(reached, wanted, atol=1e-3)


def test_a_finished_exercise_leaves_its_page(solved, capsys):
    assert main(["exercise", "im2col", str(solved.folder)]) == 0
    page = (solved.folder / "milestones" / "04_im2col.html").read_text(encoding="utf-8")
    assert "Your im2col computes LeNet" in page and "data:image/png" in page
    assert "page   " in (said := capsys.readouterr().out)
    assert "your functions can now train a network: minitorch-cnn exercise train" in said
