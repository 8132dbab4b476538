"""What an installed package is: which files a wheel has, what it needs, and that it works far from any checkout."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import tutorial_lib
from tutorial_lib import places, profiles
from tutorial_lib.course import chapters
from tutorial_lib.evidence import claims
from tutorial_lib.evidence.results import Results

ROOT = places.PACKAGE.parent
#: Parts of the library that may need an extra; the rest makes do with what every install brings.
EXTRAS = {
    "course": "book",
    "bench": "bench",
    "runs/engines/ray.py": "ray",
    "data/hub.py": "data",
    "data/remote.py": "remote",
    "data/sources/arrow.py": "import",
    "detect/approximate.py": "neighbours",
}


def settings() -> dict[str, Any]:
    """What pyproject.toml says."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def required(*extras: str) -> set[str]:
    """Requirements of the library as pyproject.toml has them, with those of some extras."""
    project = settings()["project"]
    return {*project["dependencies"], *(r for extra in extras for r in project["optional-dependencies"][extra])}


def names(requirements: set[str]) -> set[str]:
    return {canonicalize_name(Requirement(r).name) for r in requirements}


def lines(path: Path) -> list[str]:
    """A list of requirements without its comments."""
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


# What it needs


def test_requirements_are_those_of_the_library_the_book_and_the_benchmark() -> None:
    listed = lines(ROOT / "requirements.txt")
    assert len(listed) == len(set(listed))
    assert set(listed) == required("book", "bench")


def test_the_lock_has_every_requirement() -> None:
    locked = {canonicalize_name(r.name): r for r in map(Requirement, lines(ROOT / "requirements.lock"))}
    everything = required(*settings()["project"]["optional-dependencies"]) | set(settings()["build-system"]["requires"])
    assert names(everything) <= locked.keys()
    for requirement in map(Requirement, everything):
        (pin,) = locked[canonicalize_name(requirement.name)].specifier
        assert requirement.specifier.contains(pin.version), requirement


def imports(path: Path) -> Iterator[str]:
    """Packages of others that a module imports, at its top or in a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found = [node.module or ""]
        else:
            continue
        yield from (f.split(".")[0] for f in found)


def imported(part: str = "") -> set[str]:
    """Distributions that one part of the library imports, or all of it that needs no extra."""
    provided = importlib.metadata.packages_distributions()
    found: set[str] = set()
    for path in places.PACKAGE.rglob("*.py"):
        place = path.relative_to(places.PACKAGE).as_posix()
        if next((p for p in EXTRAS if place == p or place.startswith(f"{p}/")), "") == part:
            modules = set(imports(path)) - sys.stdlib_module_names - {"tutorial_lib"}
            found |= {canonicalize_name(provided[module][0]) for module in modules}
    return found


def test_an_install_brings_what_the_library_imports_and_no_more() -> None:
    assert imported() == names(required())


@pytest.mark.parametrize(("part", "extra"), EXTRAS.items())
def test_an_extra_brings_what_its_part_imports(part: str, extra: str) -> None:
    assert imported(part) <= names(required(extra))


def test_only_the_extras_bring_jupyter() -> None:
    plain = names(required())
    assert not {name for name in plain if "jupyter" in name or "sphinx" in name or "node" in name}


# What is in a wheel


def built(out: Path, source: Path) -> Path:
    """A wheel of the checkout, or of an sdist, made without a network."""
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", out]
    subprocess.run([*command, source], check=True, capture_output=True, cwd=out.parent)
    (wheel,) = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("wheel"), ROOT)


def expected() -> set[str]:
    """Every file that a wheel should have, without its metadata."""
    package = [
        path.relative_to(ROOT)
        for path in places.PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    book = ROOT / "book"
    records = [*(book / "results").rglob("*.jsonl"), *(book / "results" / "bench").glob("*.json")]
    copies = [book / "references.bib", *book.glob("*.md"), *records]
    paths = [*package, *(Path("tutorial_lib", path.relative_to(ROOT)) for path in copies)]
    return {path.as_posix() for path in paths} | {"tutorial_lib/book/_toc.yml"}


def test_a_wheel_has_the_package_the_chapters_and_the_records_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        found = [name for name in archive.namelist() if ".dist-info/" not in name]
    assert len(found) == len(set(found))
    assert set(found) == expected()


def test_every_folder_of_modules_is_a_package() -> None:
    """Tools that look for modules pass by a folder without `__init__.py`."""
    folders = {path.parent for path in places.PACKAGE.rglob("*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]


@pytest.mark.parametrize(
    "name",
    [
        "book/_toc.yml",
        "book/index.md",
        "book/references.bib",
        "book/results/bench/cpu_training.json",
        "book/results/pilot/fig4.jsonl",
        "course/live/live.css",
        "course/live/live.js",
        "data/emojicaps/SHA256SUMS",
        "data/wordnet/synonyms.json",
        "evidence/claims.yml",
        "models/checkpoints/backdoored/model.safetensors",
        "models/configs/tiny-rn.json",
        "models/operations.json",
        "py.typed",
    ],
)
def test_a_wheel_has_what_is_no_code(wheel: Path, name: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert f"tutorial_lib/{name}" in archive.namelist()


def test_a_wheel_tells_version_extras_and_command(wheel: Path) -> None:
    assert wheel.name == f"backdooring_clip-{tutorial_lib.__version__}-py3-none-any.whl"
    (found,) = importlib.metadata.distributions(path=[str(wheel)])
    assert found.version == tutorial_lib.__version__
    assert set(found.metadata.get_all("Provides-Extra") or []) == {
        "book", "bench", "data", "dev", "import", "neighbours", "notebook", "ray", "remote",
    }  # fmt: skip
    assert [point.value for point in found.entry_points.select(name="tutorial")] == ["tutorial_lib.cli:main"]


def test_a_wheel_of_the_source_archive_is_the_same(wheel: Path, tmp_path: Path) -> None:
    out = tmp_path / "sdist"
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", out]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    (archive,) = out.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        tops = {name.split("/")[1] for name in files.getnames()}
    assert {"tests", "Makefile", "CHANGELOG.md", "LICENSE"} <= tops
    assert not tops & {".venv", "_build", "build"}
    (tmp_path / "again").mkdir()
    assert built(tmp_path / "again", archive).read_bytes() == wheel.read_bytes()


# What it does where it is installed


class Installed(NamedTuple):
    """A package that was installed from its wheel, and an empty folder far from the checkout."""

    environment: Path
    here: Path

    def run(self, *command: str) -> Any:
        """The JSON that a command prints in the empty folder, with nothing of the checkout in sight."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "TUTORIAL_"))}
        program, *arguments = command
        done = subprocess.run(
            [self.environment / "bin" / program, *arguments], cwd=self.here, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def files(self) -> dict[str, int]:
        """Files of the installed package and when they were written, without what Python caches."""
        folder = self.environment / "lib"
        found = (p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        return {str(path): path.stat().st_mtime_ns for path in found}


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A new environment with the wheel; what it depends on is seen in the one that runs the tests."""
    folder = tmp_path_factory.mktemp("installed")
    environment, here = folder / "environment", folder / "here"
    here.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    pip = [sys.executable, "-m", "pip", "--python", environment / "bin" / "python"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    # Lines of a .pth file are folders; the files of that kind in them, an editable install's too, are not read.
    shared = [p for p in sys.path if Path(p).name == "site-packages"]
    (packages / "shared.pth").write_text("\n".join(shared) + "\n")
    return Installed(environment, here)


LIBRARY = """
import json
import tutorial_lib
from tutorial_lib import models, places, profiles
from tutorial_lib.course import chapters
from tutorial_lib.data import integrity
from tutorial_lib.evidence import claims
from tutorial_lib.evidence.results import Results
from tutorial_lib.trials.store import RunStore

integrity.verify()
results = Results(profiles.get("pilot"))
store = RunStore()
print(json.dumps({
    "package": str(places.PACKAGE),
    "version": tutorial_lib.__version__,
    "checkout": places.checkout() and str(places.checkout()),
    "records": len(results.committed()),
    "verdicts": {v.claim.id: v.verdict for v in claims.judge_all(results)},
    "store": str(store.folder.resolve()),
    "built": str(places.built().resolve()),
    "data": str(places.data().resolve()),
    "chapters": [path.name for path in chapters.chapters()],
    "model": sum(p.numel() for p in models.load(models.CHECKPOINTS / "clean")[0].parameters()),
}))
"""


def verdicts() -> dict[str, str]:
    """What the checkout says of each claim."""
    return {v.claim.id: v.verdict for v in claims.judge_all(Results(profiles.get("pilot")))}


def test_the_library_works_where_it_is_installed(installed: Installed) -> None:
    before = installed.files()
    told = installed.run("python", "-c", LIBRARY)
    assert Path(told["package"]).is_relative_to(installed.environment)
    assert told["checkout"] is None
    assert told["version"] == tutorial_lib.__version__
    assert told["records"] == len(Results(profiles.get("pilot")).committed()) > 0
    assert told["verdicts"] == verdicts()
    here = installed.here.resolve()
    assert (told["store"], told["built"]) == (str(here / "build" / "runs"), str(here / "build"))
    assert told["data"] == str(here / "data")
    assert told["chapters"] == [path.name for path in chapters.chapters()] != []
    assert told["model"] > 1_000_000
    assert installed.files() == before


def test_the_command_works_where_it_is_installed(installed: Installed) -> None:
    before = installed.files()
    store = str(installed.here.resolve() / "build" / "runs")
    status = installed.run("tutorial", "status", "--profile", "pilot", "--json")
    assert str(Path(status["store"]).resolve()) == store
    figures = status["profiles"]["pilot"]["figures"].values()
    assert sum(figure["present"] for figure in figures) == sum(figure["trials"] for figure in figures) > 0
    rows = installed.run("tutorial", "claims", "--profile", "pilot", "--json")["claims"]
    assert {row["id"]: row["verdict"] for row in rows} == verdicts()
    told = installed.run("tutorial", "doctor", "--json")["places"]
    assert told["checkout"] is False
    assert Path(told["package"]).is_relative_to(installed.environment)
    assert told["record_files"] == len(list(places.results().glob("*/*.jsonl")))
    assert str(Path(told["store"]).resolve()) == store
    assert installed.files() == before
