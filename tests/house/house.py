"""The rooms of the package: how many lines each has, and who imports whom.

    python tests/house/house.py          prints the table, and what is against the rules

A room imports only rooms above it in this table. Imports inside functions count like all others.
"""

import ast
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "minitorch_cnn"
ROOMS = (
    "errors", "arguments", "arrays", "files", "keras_h5", "engine", "datasets", "parallel", "twins", "training",
    "network", "models", "gradients", "lessons", "exercises", "report", "runs", "cli",
)  # fmt: skip
ENGINE_MAY_IMPORT = {"arguments", "arrays", "errors", "engine"}
# What a learner replaces or compares with, run by the exercises and not imported by anything.
NOT_ROOMS = ("exercises/stubs", "exercises/solutions")
AT_THE_DOOR = {"__init__", "names"}  # the package's own names, which may know every room


def modules(package=PACKAGE):
    """{dotted name below the package: path} of every module."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package)
        if not str(relative).startswith(NOT_ROOMS):
            parts = relative.with_suffix("").parts
            found[".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)] = path
    return found


def imports(name, path, known):
    """The modules of the package that a module imports, wherever in its file."""
    package = PACKAGE.name
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        targets = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: a relative import, line {node.lineno}"
            targets = [f"{node.module}.{alias.name}" for alias in node.names]
        for target in targets:
            if target.partition(".")[0] != package:
                continue
            inner = target.removeprefix(package).removeprefix(".")
            while inner and inner not in known:
                inner = inner.rpartition(".")[0]
            if inner and inner != name:
                found.add(inner)
    return found


def graph():
    """{module: the modules it imports}."""
    known = modules()
    return {name: imports(name, path, known) for name, path in known.items() if name not in AT_THE_DOOR}


def against_the_order(edges):
    """["a -> b"] of imports from a room that is not above."""
    place = {room: number for number, room in enumerate(ROOMS)}
    rows = []
    for name, targets in edges.items():
        room = name.partition(".")[0]
        for target in targets:
            other = target.partition(".")[0]
            if place[other] > place[room]:
                rows.append(f"{name} -> {target}")
            elif room == "engine" and other not in ENGINE_MAY_IMPORT:
                rows.append(f"{name} -> {target} (engine may import arrays and errors)")
    return sorted(rows)


def circles(edges):
    """Groups of modules that import each other in a circle (Tarjan's strongly connected components)."""
    index, low, stack, found = {}, {}, [], []

    def visit(name):
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in edges.get(name, ()):
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            group = []
            while not group or group[-1] != name:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for name in edges:
        if name not in index:
            visit(name)
    return found


def lines():
    """{room: (files, lines)}."""
    counted = defaultdict(lambda: [0, 0])
    for name, path in modules().items():
        room = name.partition(".")[0]
        counted["(the package itself)" if room in AT_THE_DOOR else room][0] += 1
        counted["(the package itself)" if room in AT_THE_DOOR else room][1] += len(path.read_text().splitlines())
    for path in PACKAGE.rglob("*.cu"):
        counted["twins"][1] += len(path.read_text().splitlines())
    return counted


def main():
    counted, edges = lines(), graph()
    print(f"{'room':<22}{'files':>6}{'lines':>8}")
    for room in (*ROOMS, "(the package itself)"):
        print(f"{room:<22}{counted[room][0]:>6}{counted[room][1]:>8,}")
    print(f"{'together':<22}{sum(c[0] for c in counted.values()):>6}{sum(c[1] for c in counted.values()):>8,}")
    for title, rows in (
        ("against the order", against_the_order(edges)),
        ("in circles", map(", ".join, circles(edges))),
    ):
        rows = list(rows)
        print(f"imports {title}: {len(rows) or 'none'}", *rows, sep="\n  ")


if __name__ == "__main__":
    main()
