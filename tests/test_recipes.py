"""The recipes of CONTRIBUTING.md, followed on a copy of the library."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: A block of code that names its file after the language.
BLOCK = re.compile(r"^```(?:python|yaml) (?P<path>\S+)\n(?P<body>.*?)^```$", re.M | re.S)


def blocks() -> dict[str, str]:
    """What CONTRIBUTING.md says to write, by file."""
    return {match["path"]: match["body"] for match in BLOCK.finditer((ROOT / "CONTRIBUTING.md").read_text())}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library with what the recipes add; its large files are links."""
    folder = tmp_path_factory.mktemp("recipes")

    def link(source: str, target: str) -> None:
        if Path(source).stat().st_size > 100_000:
            os.symlink(source, target)
        else:
            shutil.copyfile(source, target)

    shutil.copytree(
        ROOT / "tutorial_lib", folder / "tutorial_lib", copy_function=link, ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("book", "_toc.yml"):
        os.symlink(ROOT / name, folder / name)
    for path, body in blocks().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(body)
    return folder


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


def test_a_trigger_a_defense_and_a_detector_are_a_file_and_a_test() -> None:
    for family in ("triggers", "defenses", "detect"):
        mine = [path for path in blocks() if f"/{family}/" in path]
        assert sorted(Path(path).parts[0] for path in mine) == ["tests", "tutorial_lib"], family


def test_the_recipes_work_as_they_stand(copy: Path) -> None:
    tests = [path for path in blocks() if path.startswith("tests/")]
    done = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", *tests)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(tests)} passed" in done.stdout


def test_what_they_add_is_formatted_and_typed_as_the_library_is(copy: Path) -> None:
    added = [path for path in blocks() if path.endswith(".py")]
    ruff = Path(sys.executable).with_name("ruff")
    done = subprocess.run(
        [ruff, "check", "--config", ROOT / "pyproject.toml", *added], cwd=copy, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    done = subprocess.run(
        [ruff, "format", "--check", "--config", ROOT / "pyproject.toml", *added],
        cwd=copy,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
