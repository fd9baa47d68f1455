"""The calls of a layer in a description: which values it reads each time, in the three ways in which Keras wrote them.

========  =====================================================================================================
Keras 1   `"inbound_nodes": [[["conv", 0, 0], ["pool", 0, 0]]]`: a list of calls, each a list of values
Keras 2   the same with keyword arguments, `["conv", 0, 0, {}]`; a number that stands first, as in 3 - x, is
          `["_CONSTANT_VALUE", -1, 3, {"y": ["conv", 0, 0]}]`
Keras 3   `[{"args": [[tensor, tensor]], "kwargs": {}}]`, where a tensor is a dict of class `__keras_tensor__` that
          holds `"keras_history": ["conv", 0, 0]`
========  =====================================================================================================

A value is named by its layer, the number of the call (a layer that is used twice has two) and the number of the
output. Where a model takes or gives several values, they may stand in nested lists and dicts; Keras numbers them in the
order of the lists and of the dicts' sorted keys.
"""

from __future__ import annotations

from typing import Any

from minitorch_cnn.keras_h5.described import Call, Reference
from minitorch_cnn.keras_h5.hdf5.text import shown
from minitorch_cnn.keras_h5.model_config import NotAConfig

MOST_INPUTS = 10_000  # of one call
DEEPEST_ARGUMENTS = 8
CONSTANT = "_CONSTANT_VALUE"  # stands where the name of a layer would
OPERAND = "y"  # what tf.keras calls the second operand of an operation
HARMLESS_ARGUMENTS = ("approximate", "mask", "training")


def is_of_keras_3(nodes: Any) -> bool:
    """Whether Keras 3 wrote these calls of a layer."""
    return isinstance(nodes, list) and any(isinstance(node, dict) and "args" in node for node in nodes)


def read_call(node: Any, name: str) -> Call:
    """One call of the layer `name`; NotAConfig for anything else."""
    call = _Arguments()
    if isinstance(node, dict) and "args" in node:
        call.of_keras_3(node, name)
    elif isinstance(node, dict) and node and all(_is_reference(value) for value in node.values()):
        call.keys = tuple(node)
        call.of_keras_2([*node.values()], name)
    elif isinstance(node, list):
        call.of_keras_2([node] if _is_reference(node) or _is_constant(node) else node, name)
    else:
        raise NotAConfig(f"{shown(name)}: expected the values that it reads")
    if len(call.inputs) > MOST_INPUTS:
        raise NotAConfig(f"{shown(name)}: it reads too many values")
    if len(call.numbers) > 1:
        raise NotAConfig(f"{shown(name)}: a call with {len(call.numbers)} numbers")
    place, number = call.numbers[0] if call.numbers else (1, None)
    return Call(tuple(call.inputs), tuple(dict.fromkeys(call.others)), number, place == 0, call.keys)


def references(value: Any, what: str) -> tuple[Reference, ...]:
    """The inputs or outputs of a model: one value, or lists and dicts of them."""
    found: list[Reference] = []
    if not _flatten(value, found, 0) or not found:
        raise NotAConfig(f"{what}: expected a list of values")
    return tuple(found)


class _Arguments:
    """What has been found in one call: the values it reads, numbers with their places, names of other arguments."""

    def __init__(self) -> None:
        self.inputs: list[Reference] = []
        self.numbers: list[tuple[int, float]] = []
        self.others: list[str] = []
        self.keys: tuple[str, ...] = ()

    def of_keras_3(self, node: dict[str, Any], name: str) -> None:
        given, named = node["args"], node.get("kwargs")
        if not isinstance(given, list) or not isinstance(named, dict):
            raise NotAConfig(f"{shown(name)}: a call without arguments")
        for place, value in enumerate(given):
            if _is_number(value):
                self.numbers.append((place, value))
            elif _is_dict_of_tensors(value) and len(given) == 1:
                self.keys = tuple(value)
                _collect([*value.values()], self.inputs, 0)
            elif not _collect(value, self.inputs, 0):
                self.others.append(f"argument {place + 1}")
        self.others += [key for key, value in named.items() if not _is_harmless(key, value)]

    def of_keras_2(self, values: list, name: str) -> None:
        for value in values:
            if _is_constant(value):
                if _is_number(value[2]):
                    self.numbers.append((0, value[2]))
                else:
                    self.others.append("argument 1")
            elif _is_reference(value):
                self.inputs.append(Reference(*value[:3]))
            else:
                raise NotAConfig(f"{shown(name)}: expected the values that it reads")
            named = dict(value[3]) if len(value) > 3 and isinstance(value[3], dict) else {}
            operand = named.pop(OPERAND, None)
            if _is_number(operand):
                self.numbers.append((1, operand))
            elif _is_reference(operand):
                self.inputs.append(Reference(*operand[:3]))
            elif operand is not None:
                self.others.append(OPERAND)
            self.others += [key for key, each in named.items() if not _is_harmless(key, each)]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_harmless(key: str, value: Any) -> bool:
    """Whether an argument leaves the prediction as it is: no mask, not the training mode, gelu without tanh."""
    return _is_nothing(value, 0) or (key in HARMLESS_ARGUMENTS and value is False)


def _is_nothing(value: Any, depth: int) -> bool:
    """Whether this is null, or lists and dicts of it: the mask of a model with several inputs."""
    if isinstance(value, (list, dict)) and value and depth < DEEPEST_ARGUMENTS:
        return all(_is_nothing(each, depth + 1) for each in (value.values() if isinstance(value, dict) else value))
    return value is None


def _is_tensor(value: Any) -> bool:
    return isinstance(value, dict) and value.get("class_name") == "__keras_tensor__"


def _is_dict_of_tensors(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(_is_tensor(each) for each in value.values())


def _collect(value: Any, inputs: list[Reference], depth: int) -> bool:
    """Append the tensors in an argument, a tensor or lists of them; False if something else is in it."""
    if isinstance(value, list) and value and depth < DEEPEST_ARGUMENTS:
        return all([_collect(each, inputs, depth + 1) for each in value])
    if not _is_tensor(value):
        return False
    config = value.get("config")
    history: Any = config.get("keras_history") if isinstance(config, dict) else None
    if not _is_reference(history):
        raise NotAConfig("a value without its history")
    inputs.append(Reference(*history[:3]))
    return True


def _flatten(value: Any, found: list[Reference], depth: int) -> bool:
    """Append the values in nested lists and dicts; False if something else is in them."""
    if _is_reference(value):
        found.append(Reference(*value[:3]))
        return True
    if depth == DEEPEST_ARGUMENTS:
        return False
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    return isinstance(value, list) and all(_flatten(each, found, depth + 1) for each in value)


def _is_reference(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in value[1:3])
    )


def _is_constant(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 4 and value[0] == CONSTANT and value[1] == -1
