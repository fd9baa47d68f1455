"""The table of `check-gradients`: nothing of a long name is lost, and no line is wider than 100 columns."""

import numpy as np

import minitorch_cnn as mtc
from minitorch_cnn.cli.gradients import HEAD, _print
from minitorch_cnn.engine.layers import Conv2D, Dense
from minitorch_cnn.gradients.check import gradient_check

LONG = "a_layer_that_somebody_has_named_" + "very_" * 20 + "long"


def printed(report, capsys, **options):
    _print(report, verbose=False, **options)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, [HEAD, *lines])) <= 100
    return lines


def test_a_layer_with_many_arguments_goes_on_in_the_next_line(capsys):
    layer = Conv2D(4, 3, (1, 2), "same", "leaky_relu", dilation_rate=1, kernel_initializer=("random_normal", 0.125))
    report = gradient_check(layer, np.random.default_rng(0).random((2, 5, 6, 2)), most=2)
    first, *others = printed(report, capsys)
    assert len(report.subject) > 58 and first.startswith("ok  Conv2D") and others
    assert "".join([first[4:62], *others]).replace(" ", "") == report.subject.replace(" ", "")
    assert first[62:].split()[0] == str(report.checked) and first[62:].split()[2] in report.worst


def test_long_names_of_a_model_s_layers_are_whole(capsys):
    model = mtc.Sequential([Dense(2, name=LONG), Dense(3, name="short", activation="softmax")], (3,), seed=0)
    report = gradient_check(model, most=2)
    lines = printed(report, capsys, arrays=True)
    together = "".join(line[4:62].strip() for line in lines)
    assert together.startswith(f"{LONG}/kernel{LONG}/bias") and "short/kernel" in together
