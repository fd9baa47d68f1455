"""transplant(layers, after, new) -> layers; lowest_trainable(layers) -> index."""

import numpy as np

from minitorch_cnn.exercises.exercise import Task, numbers


def _layers(names, trainable=True):
    return [
        {"name": name, "kernel": numbers(i, 3, 2), "bias": numbers(i + 9, 2), "trainable": trainable}
        for i, name in enumerate(names)
    ]


def _judge_transplant(transplant):
    base, new = _layers(["conv1", "conv2", "pool2", "fc1", "fc2"]), _layers(["dense", "output"])
    before = [dict(layer) for layer in base]
    after = "pool2"
    result = transplant(base, after, new)
    return (
        _judge_list(result, base)
        or _judge_order([layer["name"] for layer in result])
        or _judge_weights(result, before, new)
        or _judge_shared(result, before)
        or _judge_frozen(result)
        or _judge_left_alone(base, before)
        or _judge_unknown(transplant)
    )


def _judge_list(result, base):
    if result is None:
        return "returns None; hint: is the `return` missing? list.append and list.extend return None, + does not"
    if not isinstance(result, list) or not all(isinstance(layer, dict) for layer in result):
        return f"expected a list of layers (dictionaries), got {type(result).__name__}"
    for layer in result:
        if missing := {"name", "kernel", "bias", "trainable"} - layer.keys():
            return f"a layer has lost its {', '.join(sorted(missing))}"
    return None


def _judge_order(names):
    wanted = ["conv1", "conv2", "pool2", "dense", "output"]
    if names == wanted:
        return None
    found = f"expected the layers {', '.join(wanted)}, got {', '.join(names) or 'none'}"
    if names == ["conv1", "conv2", "dense", "output"]:
        return f"{found}; hint: `after` itself stays: a slice up to its index + 1"
    if "fc1" in names:
        return (
            f"{found}; hint: what comes after `after` is chopped off, list.pop on a copy does nothing to the original"
        )
    if names == ["dense", "output", "conv1", "conv2", "pool2"]:
        return f"{found}; hint: the new layers go on top, behind the old ones"
    if names == wanted[:3]:
        return f"{found}; hint: the new layers are missing"
    return found


def _judge_weights(result, before, new):
    for layer, source in zip(result, [*before[:3], *new]):
        for name in ("kernel", "bias"):
            if np.shape(layer[name]) != source[name].shape or not np.array_equal(layer[name], source[name]):
                return (
                    f"the {name} of {layer['name']} is not the one it had; hint: what the old layers know is why they"
                    " are kept, nothing is drawn anew"
                )
    return None


def _judge_shared(result, before):
    for layer, source in zip(result, before[:3]):
        if any(layer[name] is not source[name] for name in ("kernel", "bias")):
            return (
                f"the arrays of {layer['name']} are copies; hint: a copy of VGG16 is half a gigabyte, dict(layer) makes"
                " a layer of its own that shares them"
            )
    return None


def _judge_frozen(result):
    flags = [bool(layer["trainable"]) for layer in result]
    if flags == [False] * 3 + [True] * 2:
        return None
    said = ", ".join(f"{layer['name']} {'learns' if flag else 'is frozen'}" for layer, flag in zip(result, flags))
    if not any(flags):
        return f"{said}; hint: the new layers have to learn, they know nothing yet: freeze the old ones only"
    if all(flags):
        return f"{said}; hint: freeze what was kept (trainable False), or the new layers' first gradients spoil it"
    return f"{said}; hint: conv1, conv2 and pool2 are kept and frozen, dense and output learn"


def _judge_left_alone(base, before):
    if [layer["name"] for layer in base] != [layer["name"] for layer in before]:
        return "the list it was given is changed; hint: a slice is a new list, pop and append change the old one"
    if any(now["trainable"] != then["trainable"] for now, then in zip(base, before)):
        return (
            "the old network's layers are frozen too; hint: dict(layer) makes its own layer that shares the arrays,"
            " {**layer, 'trainable': False}"
        )
    return None


def _judge_unknown(transplant):
    words = "for a name that is not there it should raise a ValueError that names it"
    try:
        transplant(_layers(["conv1"]), "block9_pool", [])
    except ValueError as error:
        return None if "block9_pool" in str(error) else f"{words}; it says only: {error}"
    except Exception as error:
        return f"{words}; it raised {type(error).__name__}"
    return f"{words}; it returned something, and who mistyped a name would train the wrong network"


def _judge_lowest(lowest_trainable):
    cases = (
        ([False, False, True, True], 2, "the first layer that learns"),
        ([True, True], 0, "the very first layer learns"),
        (
            [False, True, False, True],
            1,
            "a frozen layer above a trained one: the gradient still has to pass through it",
        ),
        ([False, False], 2, "nothing learns: the number of layers, so that the way back has nothing to do"),
        ([], 0, "no layers at all"),
    )
    for flags, wanted, why in cases:
        stack = [{**layer, "trainable": flag} for layer, flag in zip(_layers("abcd"), flags)]
        got = lowest_trainable(stack)
        if isinstance(got, bool) or not isinstance(got, (int, np.integer)):
            return f"expected an index, got {type(got).__name__}; for trainable = {flags} it is {wanted}"
        if got != wanted:
            return f"for trainable = {flags} expected {wanted}, got {got}; hint: {why}"
    return None


TASKS = (
    Task("transplant", judge=_judge_transplant),
    Task("lowest_trainable", judge=_judge_lowest),
)
