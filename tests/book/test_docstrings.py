"""The reference shows docstrings as they are written, and signatures that are Python."""

import importlib.util
from types import ModuleType

import pytest

from tutorial_lib import places


@pytest.fixture(scope="module")
def docstrings() -> ModuleType:
    path = places.checkout() / "book" / "_ext" / "docstrings.py"
    spec = importlib.util.spec_from_file_location("docstrings", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("signature", "shown"),
    [
        ("(recipe: ~a.Recipe = <factory>, gpu: bool = False)", "(recipe: ~a.Recipe = ..., gpu: bool = False)"),
        ("(templates=(<function <lambda>>, <function f at 0x7f>))", "(templates=(..., ...))"),
        ("(root: Path = PosixPath('/home/someone/x'))", "(root: Path = ...)"),
        ("(a: int) -> bool", "(a: int) -> bool"),
        (None, None),
    ],
)
def test_signatures_are_python(docstrings: ModuleType, signature: str | None, shown: str | None) -> None:
    assert docstrings.readable(signature) == shown


def test_text_is_plain_and_examples_stay(docstrings: ModuleType) -> None:
    lines = ["Mean of |x| * `w|x`.", "", "Example:", "    >>> 'a|b' * 2  # `c`", "    'a|ba|b'", "", "    *Not* bold."]
    shown = docstrings.as_restructured(lines)
    assert shown[0] == r"Mean of \|x\| \* ``w|x``."
    assert shown[3:5] == lines[3:5]
    assert shown[6] == r"    \*Not\* bold."
