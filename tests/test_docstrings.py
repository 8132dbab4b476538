"""Who calls a function learns from its docstring which errors it raises.

Functions and methods without a docstring are exempt: they override one that has it, or are called by Python itself.
What a class raises when an object is made stands in the docstring of the class, beside its arguments.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tutorial_lib import places

#: Their errors are sentences for learners, not for callers: the commands print them and end, and a check of an
#: exercise turns its `WrongError` into feedback.
EXEMPT = ("tutorial_lib/cli/", "tutorial_lib/course/checks/")
#: A class that says what it is made of.
MADE_OF = ("Attributes:", "Args:")

Function = ast.FunctionDef | ast.AsyncFunctionDef
INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def names(error: ast.expr | None) -> set[str]:
    """What a `raise` or an `except` names; nothing for a bare one, or one of an error that was caught."""
    if isinstance(error, ast.Tuple):
        return set().union(*map(names, error.elts))
    if isinstance(error, ast.Call):
        error = error.func
    name = error.attr if isinstance(error, ast.Attribute) else error.id if isinstance(error, ast.Name) else ""
    return {name} if name[:1].isupper() else set()


def raised(node: ast.AST) -> set[str]:
    """The errors that leave a node; those of functions within are their own."""
    found = names(node.exc) - {"NotImplementedError"} if isinstance(node, ast.Raise) else set()
    caught = set().union(*(names(h.type) for h in node.handlers)) if isinstance(node, ast.Try) else set()
    for part, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, INNER):
                found |= raised(child) - (caught if part == "body" else set())
    return found


def documented(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, str, set[str]]]:
    """Public functions, methods and classes: name, docstring, and the errors that it should name."""
    for node in body:
        doc = ast.get_docstring(node) or "" if isinstance(node, Function | ast.ClassDef) else ""
        if isinstance(node, Function) and doc and not node.name.startswith("_"):
            yield prefix + node.name, doc, raised(node)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            if any(part in doc for part in MADE_OF):
                making = [f for f in node.body if isinstance(f, Function) and f.name in ("__init__", "__post_init__")]
                yield prefix + node.name, doc, set().union(*map(raised, making))
            yield from documented(node.body, f"{prefix}{node.name}.")


def silent(source: str) -> list[str]:
    """What raises an error and has no section that says when."""
    return [name for name, doc, errors in documented(ast.parse(source).body) if errors and "Raises:" not in doc]


def public(path: Path) -> bool:
    parts = path.relative_to(places.PACKAGE.parent).with_suffix("").parts
    inside = "/".join(parts)
    return not inside.startswith(EXEMPT) and not any(p.startswith("_") and p != "__init__" for p in parts)


def test_docstrings_say_which_errors_are_raised():
    sources = {path: path.read_text("utf-8") for path in sorted(places.PACKAGE.rglob("*.py")) if public(path)}
    found = [f"{path.relative_to(places.PACKAGE)}: {name}" for path, text in sources.items() for name in silent(text)]
    assert len(sources) > 50
    assert not found, "add a section `Raises:` to the docstring of " + ", ".join(found)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('def f():\n    """F."""\n    raise ValueError', ["f"]),
        ('def f():\n    """F.\n\n    Raises:\n        ValueError: always.\n    """\n    raise ValueError', []),
        ("def f():\n    raise ValueError", []),
        ('def _f():\n    """F."""\n    raise ValueError', []),
        ('def f():\n    """F."""\n    raise NotImplementedError', []),
        ('def f():\n    """F."""\n    def g():\n        raise ValueError', []),
        ('def f():\n    """F."""\n    try:\n        raise KeyError\n    except (KeyError, OSError):\n        pass', []),
        ('def f():\n    """F."""\n    try:\n        g()\n    except KeyError as error:\n        raise', []),
        ('def f():\n    """F."""\n    try:\n        g()\n    except KeyError:\n        raise KeyError(1)', ["f"]),
        ('class C:\n    def f(self):\n        """F."""\n        raise a.Error("no")', ["C.f"]),
        ('class C:\n    """C.\n\n    Attributes:\n        a: A.\n    """\n'
         "    def __post_init__(self):\n        raise ValueError", ["C"]),
    ],
)  # fmt: skip
def test_a_raise_without_its_section_is_found(source, found):
    assert silent(source) == found
