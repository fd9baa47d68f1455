"""transplant(layers, after, new) -> layers; lowest_trainable(layers) -> index."""

import numpy as np

from minitorch_cnn.exercises.exercise import Task, numbers

CASES = (
    # the layers, the last one that is kept, the new ones, and the old ones that are frozen before
    (("conv1", "conv2", "pool2", "fc1", "fc2"), "pool2", ("dense", "output"), ()),
    (("conv10", "pool1", "conv1", "fc1", "fc2", "fc3"), "conv1", ("output",), ("conv10", "fc3")),
    (("conv1", "pool1"), "pool1", ("fc1", "fc2", "fc3"), ()),
    (("conv1", "pool1", "fc1"), "conv1", ("fc2", "fc3"), ("conv1", "pool1", "fc1")),
)


def _layers(names, first=0, frozen=()):
    """Layers with these names; their weights begin with the number `first`."""
    return [
        {"name": name, "kernel": numbers(i, 3, 2), "bias": numbers(i + 50, 2), "trainable": name not in frozen}
        for i, name in enumerate(names, first)
    ]


def _judge_transplant(transplant):
    for case in CASES:
        if complaint := _judge_case(transplant, *case):
            return complaint
    return _judge_unknown(transplant)


def _judge_case(transplant, names, after, new_names, frozen):
    base, new = _layers(names, frozen=frozen), _layers(new_names, first=20)
    before = [dict(layer) for layer in base]
    result = transplant(base, after, new)
    kept = before[: names.index(after) + 1]
    sources = [*_layers(names)[: len(kept)], *_layers(new_names, first=20)]
    return (
        _judge_list(result)
        or _judge_order([layer["name"] for layer in result], names, after, new_names)
        or _judge_weights(result, sources)
        or _judge_shared(result, kept)
        or _judge_frozen(result, len(kept))
        or _judge_left_alone(base, before)
        or _judge_new_left_alone(new, new_names)
    )


def _judge_list(result):
    if result is None:
        return "returns None; hint: is the `return` missing? list.append and list.extend return None, + does not"
    if not isinstance(result, list) or not all(isinstance(layer, dict) for layer in result):
        return f"expected a list of layers (dictionaries), got {type(result).__name__}"
    for layer in result:
        if missing := {"name", "kernel", "bias", "trainable"} - layer.keys():
            return f"a layer lacks its {', '.join(sorted(missing))}"
    return None


def _judge_order(found, names, after, new):
    kept, removed = [*names[: names.index(after) + 1]], {*names[names.index(after) + 1 :]}
    if found == [*kept, *new]:
        return None
    words = (
        f"of {', '.join(names)}, kept up to {after}, with {', '.join(new)} on top: expected the layers"
        f" {', '.join([*kept, *new])}, got {', '.join(found) or 'none'}"
    )
    if found == [*kept[:-1], *new]:
        return f"{words}; hint: keep the layer `after` itself: slice up to its index + 1"
    if removed & {*found}:
        return f"{words}; hint: remove the layers behind `after`; list.pop on a copy does not change the original list"
    if found == [*new, *kept]:
        return f"{words}; hint: the new layers go on top, after the old ones"
    if found == kept:
        return f"{words}; hint: the new layers are missing"
    return words


def _judge_weights(result, sources):
    for layer, source in zip(result, sources):
        for name in ("kernel", "bias"):
            if np.shape(layer[name]) != source[name].shape or not np.array_equal(layer[name], source[name]):
                return (
                    f"the {name} of {layer['name']} has changed; hint: we keep the old layers because of what they"
                    " have learned, so do not initialise them again"
                )
    return None


def _judge_shared(result, kept):
    for layer, source in zip(result, kept):
        if any(layer[name] is not source[name] for name in ("kernel", "bias")):
            return (
                f"the arrays of {layer['name']} are copies; hint: a copy of VGG16 takes half a gigabyte; dict(layer)"
                " makes a new layer that shares the arrays"
            )
    return None


def _judge_frozen(result, kept):
    flags = [bool(layer["trainable"]) for layer in result]
    if flags == [False] * kept + [True] * (len(result) - kept):
        return None
    states = ", ".join(
        f"{layer['name']} {'is trainable' if flag else 'is frozen'}" for layer, flag in zip(result, flags)
    )
    if not any(flags):
        return f"{states}; hint: the new layers have learned nothing yet, so freeze only the old ones"
    if all(flags):
        return f"{states}; hint: freeze the old layers (trainable False), or the first large gradients will ruin them"
    names = [layer["name"] for layer in result]
    return (
        f"{states}; hint: the old layers should be frozen ({', '.join(names[:kept])}) and the new ones trainable"
        f" ({', '.join(names[kept:])})"
    )


def _judge_left_alone(base, before):
    if [layer["name"] for layer in base] != [layer["name"] for layer in before]:
        return "changes the list that was passed in; hint: a slice is a new list, pop and append change the old one"
    if any(now["trainable"] != then["trainable"] for now, then in zip(base, before)):
        return (
            "the layers of the old network are frozen too; hint: {**layer, 'trainable': False} makes a new layer that"
            " shares the arrays"
        )
    return None


def _judge_new_left_alone(new, names):
    if [layer["name"] for layer in new] != [*names]:
        return "changes the list `new`; hint: kept + new makes another list"
    return None


def _judge_unknown(transplant):
    for names, unknown in ((["conv1"], "block9_pool"), (["conv1", "conv2"], "conv"), (["conv1"], "conv10")):
        if complaint := _judge_unknown_name(transplant, names, unknown):
            return complaint
    return None


def _judge_unknown_name(transplant, names, unknown):
    words = f"for {unknown}, which is not in {', '.join(names)}, it should raise a ValueError that contains the name"
    try:
        transplant(_layers(names), unknown, [])
    except ValueError as error:
        return None if unknown in str(error) else f"{words}; its message is only: {error}"
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
