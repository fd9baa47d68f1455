"""Lines of the code on a page, found by name.

    ```python source
    minitorch_cnn/engine/layers/dense.py Dense.scores Dense.backward_scores
    ```

A line names a file and the functions, classes, methods or variables to show. Nothing is pasted, so nothing can become
outdated; a name that does not exist ends the build.
"""

import ast
import textwrap

import fences


def insert(markdown, where, repository):
    """`markdown` with the code in the place of every `python source` block."""

    def quoted(body, line):
        lines = [entry.split() for entry in body.splitlines() if entry.strip()]
        if not lines:
            raise ValueError(f"line {line}: a `python source` block that names nothing")
        return "\n\n".join(_quote(path, names, line, where, repository) for path, *names in lines)

    return fences.replace(markdown, "python source", quoted)


def _quote(path, names, line, where, repository):
    file = repository.root / path
    if not file.is_file():
        raise ValueError(f"line {line}: there is no {path}")
    if not names:
        raise ValueError(f"line {line}: {path}: expected a name to show")
    text = file.read_text(encoding="utf-8")
    pieces = []
    for name in names:
        first, last = span(text, name, path)
        pieces.append(textwrap.dedent("\n".join(text.splitlines()[first - 1 : last])))
    links = ", ".join(f"[`{name}`]({repository.address(path, where, name)})" for name in names)
    code = fences.block("\n\n\n".join(pieces) if len(pieces) > 1 else pieces[0], "python")
    return f"{code}\n\n{links} in `{path}`\n{{ .origin }}"


def span(text, name, path="the source"):
    """(first, last) line of the object called `name` (`f`, `Class`, `Class.method`, `CONSTANT`), with its decorators.

    Raises ValueError where there is no such name.
    """
    body = ast.parse(text).body
    for part in name.split("."):
        found = next((node for node in body if part in _names(node)), None)
        if found is None:
            raise ValueError(f"{path} has no {name}")
        body = getattr(found, "body", [])
    decorators = getattr(found, "decorator_list", [])
    return min([found.lineno, *(decorator.lineno for decorator in decorators)]), found.end_lineno


def _names(node):
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}
