"""Every text that is read or written names its encoding, and commands work in a locale that has ASCII alone."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tutorial_lib import places

ROOT = places.PACKAGE.parent
#: What `open` is called on without opening a text.
BINARY = ("os", "tarfile", "tar", "zipfile", "zip", "gzip", "Image", "webbrowser")
SUBPROCESS = ("run", "Popen", "call", "check_call", "check_output")


def mode(call: ast.Call, position: int) -> ast.expr | None:
    """The mode that a call opens a file in, if it says one."""
    given = [k.value for k in call.keywords if k.arg == "mode"]
    return given[0] if given else call.args[position] if len(call.args) > position else None


def binary(how: ast.expr | None) -> bool:
    return isinstance(how, ast.Constant) and "b" in str(how.value)


def unnamed(call: ast.Call) -> bool:
    """Whether a call reads or writes a text in whatever encoding the locale has."""
    method = isinstance(call.func, ast.Attribute)
    name = call.func.attr if method else getattr(call.func, "id", "")
    owner = ast.unparse(call.func.value).rpartition(".")[2].strip("_") if method else ""
    named = {k.arg for k in call.keywords}
    if "encoding" in named:
        return False
    if name == "read_text":
        return not call.args
    if name == "write_text":
        return len(call.args) < 2
    if name in SUBPROCESS:
        return bool({"text", "universal_newlines"} & named)
    if name.endswith("TemporaryFile"):  # binary unless told otherwise
        return (how := mode(call, 0)) is not None and not binary(how)
    if name == "fdopen" or (name == "open" and owner not in BINARY):
        return not binary(mode(call, 1 if owner in ("", "os", "io") else 0))
    return name == "TextIOWrapper" and len(call.args) < 2


def found(source: str) -> Iterator[int]:
    """Lines with such a call."""
    return (n.lineno for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call) and unnamed(n))


def test_every_text_names_its_encoding() -> None:
    lines = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted(places.PACKAGE.rglob("*.py"))
        for line in found(path.read_text("utf-8"))
    ]
    assert not lines, "name the encoding: " + ", ".join(lines)


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("open(path)", True),
        ("open(path, 'w')", True),
        ("open(path, how)", True),
        ("open(path, 'rb')", False),
        ("open(path, mode='ab')", False),
        ("open(path, encoding='utf-8')", False),
        ("path.open()", True),
        ("path.open('w')", True),
        ("path.open('wb')", False),
        ("path.open('w', encoding='utf-8')", False),
        ("os.open(path, os.O_RDONLY)", False),
        ("os.fdopen(2, 'w')", True),
        ("os.fdopen(2, 'wb')", False),
        ("Image.open(path)", False),
        ("tarfile.open(path, 'w')", False),
        ("path.read_text()", True),
        ("path.read_text('utf-8')", False),
        ("path.write_text(text)", True),
        ("path.write_text(text, 'utf-8')", False),
        ("path.write_text(text, encoding='ascii')", False),
        ("subprocess.run(command, text=True)", True),
        ("subprocess.run(command, text=True, encoding='utf-8')", False),
        ("subprocess.run(command, capture_output=True)", False),
        ("NamedTemporaryFile()", False),
        ("NamedTemporaryFile('w')", True),
        ("io.TextIOWrapper(raw)", True),
        ("io.TextIOWrapper(raw, 'utf-8')", False),
        ("self._zip.open(member)", False),
    ],
)
def test_what_names_none_is_found(source: str, wrong: bool) -> None:
    assert bool(list(found(source))) is wrong


@pytest.mark.parametrize(
    "command", [["status", "--profile", "test"], ["claims", "--profile", "cpu"], ["run", "--help"]]
)
def test_commands_work_in_a_locale_of_ascii(command: list[str], tmp_path: Path) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TUTORIAL_STORE": str(tmp_path / "ñandú")}
    here = [sys.executable, "-m", "tutorial_lib.cli", *command]
    done = subprocess.run(here, cwd=ROOT, env=os.environ | plain, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()


def test_json_is_json_in_a_locale_of_ascii(tmp_path: Path) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = ["status", "--profile", "test", "--json", "--store", str(tmp_path / "ñandú-🐦")]
    here = [sys.executable, "-m", "tutorial_lib.cli", *command]
    done = subprocess.run(here, cwd=ROOT, env=os.environ | plain, capture_output=True, check=True)
    # the name came in as bytes that are no ASCII, and Python keeps them as such
    assert os.fsencode(json.loads(done.stdout)["store"]) == os.fsencode(str(tmp_path / "ñandú-🐦"))
