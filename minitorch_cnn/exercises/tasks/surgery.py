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
            return f"a layer lacks its {', '.join(sorted(missing))}"
    return None


def _judge_order(names):
    wanted = ["conv1", "conv2", "pool2", "dense", "output"]
    if names == wanted:
        return None
    found = f"expected the layers {', '.join(wanted)}, got {', '.join(names) or 'none'}"
    if names == ["conv1", "conv2", "dense", "output"]:
        return f"{found}; hint: keep the layer `after` itself: slice up to its index + 1"
    if "fc1" in names:
        return f"{found}; hint: remove the layers behind `after`; list.pop on a copy does not change the original list"
    if names == ["dense", "output", "conv1", "conv2", "pool2"]:
        return f"{found}; hint: the new layers go on top, after the old ones"
    if names == wanted[:3]:
        return f"{found}; hint: the new layers are missing"
    return found


def _judge_weights(result, before, new):
    for layer, source in zip(result, [*before[:3], *new]):
        for name in ("kernel", "bias"):
            if np.shape(layer[name]) != source[name].shape or not np.array_equal(layer[name], source[name]):
                return (
                    f"the {name} of {layer['name']} has changed; hint: we keep the old layers because of what they"
                    " have learned, so do not initialise them again"
                )
    return None


def _judge_shared(result, before):
    for layer, source in zip(result, before[:3]):
        if any(layer[name] is not source[name] for name in ("kernel", "bias")):
            return (
                f"the arrays of {layer['name']} are copies; hint: a copy of VGG16 takes half a gigabyte; dict(layer)"
                " makes a new layer that shares the arrays"
            )
    return None


def _judge_frozen(result):
    flags = [bool(layer["trainable"]) for layer in result]
    if flags == [False] * 3 + [True] * 2:
        return None
    states = ", ".join(
        f"{layer['name']} {'is trainable' if flag else 'is frozen'}" for layer, flag in zip(result, flags)
    )
    if not any(flags):
        return f"{states}; hint: the new layers have learned nothing yet, so freeze only the old ones"
    if all(flags):
        return f"{states}; hint: freeze the old layers (trainable False), or the first large gradients will ruin them"
    return f"{states}; hint: conv1, conv2 and pool2 should be frozen, dense and output trainable"


def _judge_left_alone(base, before):
    if [layer["name"] for layer in base] != [layer["name"] for layer in before]:
        return "changes the list that was passed in; hint: a slice is a new list, pop and append change the old one"
    if any(now["trainable"] != then["trainable"] for now, then in zip(base, before)):
        return (
            "the layers of the old network are frozen too; hint: {**layer, 'trainable': False} makes a new layer that"
            " shares the arrays"
        )
    return None


def _judge_unknown(transplant):
    words = "for an unknown name it should raise a ValueError that contains the name"
    try:
        transplant(_layers(["conv1"]), "block9_pool", [])
    except ValueError as error:
        return None if "block9_pool" in str(error) else f"{words}; its message is only: {error}"
    except Exception as error:
        return f"{words}; it raised {type(error).__name__}"
    return f"{words}; it returned a result, so a mistyped name would lead to training the wrong network"


def _judge_lowest(lowest_trainable):
    cases = (
        ([False, False, True, True], 2, "the first trainable layer"),
        ([True, True], 0, "the very first layer is trainable"),
        (
            [False, True, False, True],
            1,
            "a frozen layer above a trainable one: the gradient still has to pass through it",
        ),
        (
            [False, False],
            2,
            "no layer is trainable: return the number of layers, so there is no backward pass",
        ),
        ([], 0, "an empty list"),
    )
    for flags, wanted, why in cases:
        stack = [{**layer, "trainable": flag} for layer, flag in zip(_layers("abcd"), flags)]
        got = lowest_trainable(stack)
        if isinstance(got, bool) or not isinstance(got, (int, np.integer)):
            return f"expected an index, got {type(got).__name__}; for trainable = {flags} it should be {wanted}"
        if got != wanted:
            return f"for trainable = {flags} expected {wanted}, got {got}; hint: {why}"
    return None


TASKS = (
    Task(
        "transplant",
        judge=_judge_transplant,
        look="print the names and the trainable flags of both networks, the old and the new one, after the call: which"
        " of them should be different?",
    ),
    Task(
        "lowest_trainable",
        judge=_judge_lowest,
        look="write down the flags of four layers: which weights still need a gradient, and through which layers"
        " does it come?",
    ),
)
