"""The house stands: imports go one way, no circles, an evening's reading, functions typed."""

import ast
import re

import pytest
from house import PACKAGE, against_the_order, circles, graph, lines, modules

README = PACKAGE.parent / "README.md"


def test_imports_go_bottom_up():
    assert against_the_order(graph()) == []


def test_no_circle_of_imports_not_even_inside_functions():
    assert circles(graph()) == []


def test_a_circle_would_be_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert against_the_order({"engine.losses": {"datasets.batches", "arrays"}, "cli.train": {"errors"}}) == [
        "engine.losses -> datasets.batches"
    ]


def test_the_engine_is_an_evening():
    assert lines()["engine"][1] <= 4625


def test_the_reading_path_of_the_readme_is_as_long_as_it_says():
    text = README.read_text()
    section = text.partition("## An evening")[2].partition("\n## ")[0]
    stated = int(re.search(r"([\d,]+) lines", section).group(1).replace(",", ""))
    files = list(dict.fromkeys(re.findall(r"\(minitorch_cnn/([\w/]+\.py)\)", section)))
    assert len(files) >= 10
    assert sum(len((PACKAGE / name).read_text().splitlines()) for name in files) == stated


def test_every_twin_is_named_like_the_file_of_its_definition():
    twins = PACKAGE / "twins"
    inside = {
        "simd",
        "block_product",
        "gemm",
        "operands",
        "threads",
        "workspace",
        "kernels",
        "cublas",
        "graph",
        "ahead",
        "rows",
        "registers",
        "sums",
        "window_sums",
        "pointwise",
        "strided",
        "tensor_cores",
        "exponential",
        "normal_distribution",
        "compiled",
    }
    for library in ("numba", "cuda"):
        for path in (twins / library).rglob("*.py"):
            relative = path.relative_to(twins / library)
            if path.stem in inside or path.stem == "__init__":
                continue
            parts = re.sub(
                r"(winograd)_\w+|(pooled|epilogue|pointwise|strided)", lambda m: m.group(1) or "im2col", str(relative)
            )
            assert (PACKAGE / "engine" / parts).exists() or (PACKAGE / parts).exists(), path


def public_functions():
    for name, path in modules().items():
        if name.startswith(("twins.numba", "exercises.tasks", "lessons.planted_layers")) or "oracles" in name:
            continue
        for node in ast.parse(path.read_text()).body:
            members = node.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_") else [node]
            for member in members:
                if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
                    yield name, member, member is not node


@pytest.mark.parametrize("name", sorted({name.partition(".")[0] for name in modules()}))
def test_public_functions_are_typed(name):
    untyped = []
    for module, function, is_method in public_functions():
        if module.partition(".")[0] != name:
            continue
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        static = any(getattr(d, "id", "") == "staticmethod" for d in function.decorator_list)
        bare = [a.arg for a in arguments[is_method and not static :] if a.annotation is None]
        if bare or function.returns is None:
            untyped.append(f"{module}.{function.name}: {', '.join(bare) or 'result'}")
    assert untyped == []
