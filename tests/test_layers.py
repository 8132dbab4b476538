"""The plan of the house: no floor imports from a higher one, files do not go in circles, and none is too long.

A module may import from lower floors, and from its own folder. Imports for type checkers and within functions count.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tutorial_lib import places

ROOT = places.PACKAGE
#: Folders and modules of the package, from the ground up. Those of one floor do not import each other.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("plugins", "notes", "places", "files", "machine", "processes", "ticker", "losses", "zscore", "proportion"),
    ("data", "models"),
    ("evaluate", "trials"),
    ("triggers",),
    ("training", "plots"),
    ("attacks",),
    ("detect",),
    ("defenses",),
    ("profiles",),
    ("runs",),
    ("costs",),
    ("evidence",),
    ("experiments",),
    ("course", "bench"),
    ("practice",),
    ("cli",),
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
#: The face of the package shows what every floor has.
FACE = "tutorial_lib"
#: Lines of a file, and of the body of a function without its docstring.
LONGEST_FILE, LONGEST_BODY = 400, 60


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(path): path for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text("utf-8"), str(path)) for name, path in FILES.items()}


def imports(module: str) -> Iterator[tuple[str, int]]:
    """The modules of the package that a file imports, with the line."""
    package = module if FILES[module].name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            origin = ".".join(part for part in (base, node.module) if part)
            named = [full if (full := f"{origin}.{a.name}") in FILES else origin for a in node.names]
        else:
            continue
        yield from ((name, node.lineno) for name in named if name.split(".")[0] == FACE)


def room(module: str) -> str:
    """The folder or module directly below the package."""
    return module.split(".")[1] if "." in module else ""


def where(module: str, line: int) -> str:
    return f"{FILES[module].relative_to(ROOT.parent)}:{line}"


def test_every_folder_has_its_floor():
    assert {room(m) for m in FILES} - {""} <= set(FLOOR), "a folder without a floor: say where it lies"


def test_nothing_imports_from_above():
    wrong = []
    for module in FILES:
        if module == FACE:
            continue
        here = room(module)
        for name, line in imports(module):
            there = room(name)
            if there == here:
                continue
            if not there and here == FLOORS[-1][0]:
                continue  # the commands say the version
            if not there:
                wrong.append(f"{where(module, line)} imports {name}, the face of the package, which lies above")
            elif FLOOR[there] >= FLOOR[here]:
                wrong.append(f"{where(module, line)} imports {name}, which lies above or beside it")
    assert not wrong, "\n".join(wrong)


def circle(edges: dict[str, set[str]]) -> list[str]:
    """Some names that lead back to the first one; none where there are no circles."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for other in sorted(edges[name]):
            if found := walk(other, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(edges) if (found := walk(name, []))), [])


def test_files_do_not_go_in_circles():
    edges = {module: {name for name, _ in imports(module)} - {module} for module in FILES}
    assert not (found := circle(edges)), " imports ".join(found)


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_file_is_too_long():
    lengths = {where(m, 1): len(path.read_text("utf-8").splitlines()) for m, path in FILES.items()}
    assert not (long := {name: n for name, n in lengths.items() if n > LONGEST_FILE}), long


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement after the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_no_function_is_too_long():
    long = [
        f"{where(module, node.lineno)} {node.name}: {lines} lines"
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (lines := body_lines(node)) > LONGEST_BODY
    ]
    assert not long, "\n".join(long)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('def f():\n    """Says."""\n    return 1\n', 1),
        ("def f():\n    a = 1\n\n    return a\n", 3),
        ('def f():\n    """x"""', 0),
    ],
)
def test_a_body_is_counted_without_its_docstring(source, expected):
    assert body_lines(ast.parse(source).body[0]) == expected
