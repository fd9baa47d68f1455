"""Lines of the code on a page, found by name.

    ```python source
    minitorch_cnn/engine/layers/dense.py Dense.scores Dense.backward_scores
    ```

    minitorch_cnn/network/surgery.py Surgery.cut: last, nodes ... return

A line names a file and the functions, classes, methods or variables to show. After a colon it says which parts of a
function, separated by `|`: `A ... B` are the lines from the one that begins with A to the statement that begins with B;
`A` alone is one statement, and with a colon at its end, as in `for x in y:`, the head of a loop. Code that is left out
is shown as `...`, except a docstring. Nothing is pasted, so nothing can become outdated; a name or a line that does not
exist ends the build.
"""

import ast
import textwrap

import fences


def insert(markdown, where, repository):
    """`markdown` with the code in the place of every `python source` block."""

    def quoted(body, line):
        entries = [entry for entry in body.splitlines() if entry.strip()]
        if not entries:
            raise ValueError(f"line {line}: a `python source` block that names nothing")
        return "\n\n".join(_quote(entry, line, where, repository) for entry in entries)

    return fences.replace(markdown, "python source", quoted)


def _quote(entry, line, where, repository):
    names, _, words = entry.partition(": ")
    path, *names = names.split()
    file = repository.root / path
    if not file.is_file():
        raise ValueError(f"line {line}: there is no {path}")
    if not names:
        raise ValueError(f"line {line}: {path}: expected a name to show")
    text = file.read_text(encoding="utf-8")
    pieces = [textwrap.dedent("\n".join(lines(text, name, words, path))) for name in names]
    links = ", ".join(f"[`{name}`]({repository.address(path, where, name)})" for name in names)
    code = fences.block("\n\n\n".join(pieces) if len(pieces) > 1 else pieces[0], "python")
    return f"{code}\n\n{links} in `{path}`\n{{ .origin }}"


def lines(text, name, words="", path="the source"):
    """The lines of the object called `name`; with `words`, the head of a function and the parts that they choose."""
    found, rows = find(text, name, path), text.splitlines()
    first, last = span(text, name, path)
    if not words:
        return rows[first - 1 : last]
    body = found.body[0].lineno
    shown = rows[first - 1 : body - 1]
    done = found.body[ast.get_docstring(found) is not None].lineno - 1  # the last line that is shown, or a docstring
    for part in words.split(" | "):
        begins, _, ends = (each.strip() for each in part.partition(" ... "))
        top = _place(rows, begins, max(body, done), last, name, path)
        bottom = _place(rows, ends, top, last, name, path) if ends else top
        if not part.endswith(":"):
            statements = (node for node in ast.walk(found) if isinstance(node, ast.stmt) and node.lineno == bottom)
            bottom = max((node.end_lineno for node in statements), default=bottom)
        shown += [*_left_out(rows[done : top - 1], rows[top - 1]), *rows[top - 1 : bottom]]
        done = bottom
    return [*shown, *_left_out(rows[done:last], rows[last - 1])]


def _left_out(gap, beside):
    """`...` with the indent of the line `beside`, if the lines of `gap` are more than empty ones and comments."""
    indent = beside[: len(beside) - len(beside.lstrip())]
    return [f"{indent}..."] if any(row.strip() and not row.lstrip().startswith("#") for row in gap) else []


def _place(rows, begins, first, last, name, path):
    """The number of the one line from `first` to `last` that begins like this; ValueError unless there is one."""
    found = [number for number in range(first, last + 1) if rows[number - 1].strip().startswith(begins)]
    if len(found) != 1:
        raise ValueError(f"{path}: {name}: expected one line that begins with {begins!r}, found {len(found)}")
    return found[0]


def find(text, name, path="the source"):
    """The syntax tree of the object called `name` (`f`, `Class`, `Class.method`, `CONSTANT`).

    Raises ValueError where there is no such name.
    """
    body = ast.parse(text).body
    for part in name.split("."):
        found = next((node for node in body if part in _names(node)), None)
        if found is None:
            raise ValueError(f"{path} has no {name}")
        body = getattr(found, "body", [])
    return found


def span(text, name, path="the source"):
    """(first, last) line of the object called `name`, with its decorators; ValueError where there is none."""
    found = find(text, name, path)
    decorators = getattr(found, "decorator_list", [])
    return min([found.lineno, *(decorator.lineno for decorator in decorators)]), found.end_lineno


def _names(node):
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}
