"""Fingerprints of definitions: short hashes that stay the same as long as the code does.

    parts(forward)      {"convolution/im2col.py: forward": "9c1d...", "convolution/im2col.py: im2col": "07fe...", ...}

The parts of a definition are the definition itself, the functions of this package that it calls, those that they call,
and the constants that they use. The fingerprint of a part is computed from its syntax tree, without docstring, comments
and type annotations. A function that replaced one of ours, for example in a notebook, is a part like any other, and so
are the original, if the new one calls it, and any other object that can be called.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import linecache
import operator
import sys
from collections.abc import Iterator
from itertools import repeat
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

PACKAGE = __name__.partition(".")[0]
NOT_PARTS = (f"{PACKAGE}.arrays", f"{PACKAGE}.errors")  # tools of every definition, which say nothing of its meaning
PLAIN = (int, float, complex, str, bytes, bool, type(None))


class Part(NamedTuple):
    """A function or constant that a definition uses, and where it was found."""

    holder: Any  # the module or class that has it
    attribute: str
    value: Any
    function: Any = None  # the value itself, or the function behind it; None for a constant
    code: Any = None  # the function's, which a reloader may exchange


class Watched:
    """Parts whose fields are kept side by side, because they are compared before each twin runs."""

    def __init__(self, parts: list[Part]) -> None:
        self.holders = [part.holder for part in parts]
        self.attributes = [part.attribute for part in parts]
        self.values = [part.value for part in parts]
        written = [part for part in parts if part.code is not None]
        self.functions = [part.function for part in written]
        self.codes = [part.code for part in written]

    def unchanged(self) -> bool:
        """Whether the same things still stand in the same places."""
        found = map(getattr, self.holders, self.attributes, repeat(None))
        same = all(map(operator.is_, found, self.values))
        return same and all(map(operator.is_, map(_code, self.functions), self.codes))


_code = operator.attrgetter("__code__")
_Cached = type(functools.cache(lambda: None))


def plain(function: Any) -> Any:
    """The function itself: the definition behind a dispatcher, the function behind a property or a cache."""
    if isinstance(function, property):
        return function.fget
    if isinstance(function, _Cached):
        return function.__wrapped__
    return function if isinstance(function, FunctionType) else getattr(function, "definition", function)


def parts(holder: Any, attribute: str) -> tuple[dict[str, str], list[Part]]:
    """({name: fingerprint}, [Part]) of the function `holder.attribute` of a module or class, and all it uses."""
    prints: dict[str, str] = {}
    found: dict[tuple[int, str], Part] = {}
    waiting = [(holder, attribute)]
    while waiting:
        holder, attribute = waiting.pop()
        if (id(holder), attribute) in found:
            continue
        value = getattr(holder, attribute, None)
        function = plain(value)
        if isinstance(function, FunctionType):
            found[id(holder), attribute] = Part(holder, attribute, value, function, function.__code__)
            tree = _tree(function)
            text = repr(function.__code__.co_code) if tree is None else _text(tree)
            join(prints, {_name(holder, attribute, function): _hash(text)})
            if value is not function and hasattr(value, "definition"):  # a reload puts another one there
                found[id(value), "definition"] = Part(value, "definition", function)
            waiting += _references(tree, function) if tree is not None else []
        else:
            found[id(holder), attribute] = Part(holder, attribute, value)
            prints[f"{_path(holder.__name__)}: {attribute}"] = _hash(repr(value))
    return prints, list(found.values())


def join(prints: dict[str, str], more: dict[str, str]) -> None:
    """Add `more` to `prints`. A function and the one that it replaced, and still calls, have one name."""
    for name, letters in more.items():
        prints[name] = letters if prints.get(name, letters) == letters else _hash(prints[name] + letters)


def _name(holder: Any, attribute: str, function: FunctionType) -> str:
    """The part's name: where the function is written or, for one that is not this package's, where it was put."""
    if hasattr(holder, "title"):  # a dispatcher
        return holder.title
    if (function.__module__ or "").partition(".")[0] == PACKAGE:
        return f"{_path(function.__module__)}: {function.__qualname__}"
    if isinstance(holder, type):
        return f"{_path(holder.__module__)}: {holder.__name__}.{attribute}"
    return f"{_path(holder.__name__)}: {attribute}"


def _path(module: str) -> str:
    """`minitorch_cnn.engine.convolution.im2col` as people write it: convolution/im2col.py."""
    short = module.removeprefix(f"{PACKAGE}.").removeprefix("engine.").replace(".", "/")
    return f"{short}/__init__.py" if hasattr(sys.modules.get(module), "__path__") else f"{short}.py"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# The source of a function as a syntax tree.

_parsed: dict[str, tuple[list, dict]] = {}  # file: (its lines when it was parsed, {name: [(code, tree)]})


def _tree(function: FunctionType) -> ast.AST | None:
    """The syntax tree of a function; None where there is no source, or one that is not what was compiled."""
    code = function.__code__
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename, function.__globals__)
    if code.co_filename not in _parsed or _parsed[code.co_filename][0] is not lines:
        _parsed[code.co_filename] = lines, _functions_of("".join(lines), code.co_filename)
    # The file may have been edited since it was imported, so a function is known by what it was compiled to.
    same = [tree for other, tree in _parsed[code.co_filename][1].get(code.co_name, []) if _same_code(other, code)]
    return same[0] if same else None


def _functions_of(source: str, filename: str) -> dict[str, list]:
    """{name: [(compiled code, syntax tree)]} of all functions in a file, nested ones included."""
    try:
        tree, whole = ast.parse(source), compile(source, filename, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return {}
    trees = {(getattr(node, "name", "<lambda>"), _first_line(node)): node for node in ast.walk(tree)
             if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))}  # fmt: skip
    found: dict[str, list] = {}
    waiting = [whole]
    while waiting:
        code = waiting.pop()
        waiting += [inner for inner in code.co_consts if isinstance(inner, CodeType)]
        if (code.co_name, code.co_firstlineno) in trees:
            found.setdefault(code.co_name, []).append((code, trees[code.co_name, code.co_firstlineno]))
    return found


def _same_code(one: CodeType, other: CodeType) -> bool:
    """Whether two functions were compiled to the same instructions, wherever they stand in their file."""
    if (one.co_code, one.co_names, one.co_varnames) != (other.co_code, other.co_names, other.co_varnames):
        return False
    if len(one.co_consts) != len(other.co_consts):
        return False
    for a, b in zip(one.co_consts, other.co_consts):
        if isinstance(a, CodeType):
            if not (isinstance(b, CodeType) and _same_code(a, b)):
                return False
        elif repr(a) != repr(b) and not (isinstance(a, str) and isinstance(b, str)):
            return False
    return True


def _first_line(node: Any) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])


def _text(node: Any) -> str:
    """A tree as text that is the same for every version of Python: empty fields, docstring and annotations left out."""
    if isinstance(node, list):
        return f"[{','.join(map(_text, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = []
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_comment", "type_params", "kind", "ctx"):
            continue
        if name == "body" and isinstance(value, list):
            value = _without_docstring(value)
        if name == "decorator_list":
            value = [decorator for decorator in value if getattr(decorator, "id", None) != "accelerated"]
        if value is not None and value != []:
            fields.append(f"{name}={_text(value)}")
    return f"{type(node).__name__}({','.join(fields)})"


def _without_docstring(body: list) -> list:
    first = body[0] if body else None
    value = first.value if isinstance(first, ast.Expr) else None
    return body[1:] if isinstance(value, ast.Constant) and isinstance(value.value, str) else body


# What a function refers to.


def _references(tree: ast.AST, function: FunctionType) -> Iterator[tuple[Any, str]]:
    """(holder, attribute) of every function and constant of ours, or put in the place of ours, that the tree names."""
    home = sys.modules.get(function.__module__)
    for chain in filter(None, map(_chain, _walk(tree))):
        where, (attribute, *rest) = home, chain
        while rest and isinstance(getattr(where, attribute, None), ModuleType):
            where, attribute = getattr(where, attribute), rest.pop(0)
        value = getattr(where, attribute, None)
        if hasattr(where, attribute) and _counts(value) and not _is_foreign(where):
            yield where, attribute


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it, but for annotations."""
    yield node
    for name, value in ast.iter_fields(node):
        if name not in ("annotation", "returns"):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from _walk(child)


def _chain(node: ast.AST) -> list[str]:
    """["im2col", "backward_input"] for the expression im2col.backward_input; [] where it is not a row of names."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return [node.id, *names] if isinstance(node, ast.Name) else []


def _is_foreign(module: Any) -> bool:
    return isinstance(module, ModuleType) and module.__name__.partition(".")[0] in ("numpy", "cupy", "math", "builtins")


def _counts(value: Any) -> bool:
    """Whether a value is part of a definition: a function that is not a library's, or a constant."""
    function = plain(value)
    if isinstance(function, FunctionType):
        module = function.__module__ or ""
        root = module.partition(".")[0]
        if root == PACKAGE:
            return not module.startswith(NOT_PARTS)
        return root not in sys.stdlib_module_names and root not in ("numpy", "cupy")
    return _is_constant(value) or _is_callable_object(value)


def _is_callable_object(value: Any) -> bool:
    """Whether this is called like a function without being one, such as a functools.partial; classes do not count."""
    module = type(value).__module__  # not a text for some of typing's objects in Python 3.10
    library = not isinstance(module, str) or module.partition(".")[0] in ("numpy", "cupy", "typing")
    return callable(value) and not isinstance(value, (type, BuiltinFunctionType)) and not library


def _is_constant(value: Any) -> bool:
    return all(map(_is_constant, value)) if isinstance(value, tuple) else isinstance(value, PLAIN) and value is not None
