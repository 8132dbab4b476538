"""Ways into a chapter from its page: changed, asked about and run elsewhere, where a repository is configured."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import jupytext
import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.book import site

doors = site.extension("doors")
ROOT = site.ROOT
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
URL = "https://github.com/someone/course"
CHAPTERS = sorted(p for p in site.BOOK.glob("*.md") if "kernelspec:" in p.read_text()[:600])
#: Modules and the distributions that bring them, where the names differ.
BROUGHT_BY = {"myst_nb": "myst-nb", "PIL": "pillow", "umap": "umap-learn", "skimage": "scikit-image"}


def configured(url: str, branch: str = "main") -> Any:
    return SimpleNamespace(html_theme_options={"repository_url": url, "repository_branch": branch})


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(doors.VARIABLE, raising=False)


def test_one_place_says_where_the_course_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    assert yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"] == ""
    assert doors.repository(configured("")) is None
    found = doors.repository(configured(f"{URL}.git/"))
    assert (found.url, found.name, found.host, found.branch) == (URL, "someone/course", "github.com", "main")
    monkeypatch.setenv(doors.VARIABLE, "https://gitlab.com/a/b/c")
    assert doors.repository(configured(URL)).name == "a/b/c"
    for bad in ("someone/course", "http://github.com/a/b", "https://github.com/a", "https://github.com/a/b?x=1"):
        with pytest.raises(doors.ConfigError, match="must be an address as https"):
            doors.repository(configured(bad) if bad != "someone/course" else _by_variable(monkeypatch, bad))
        monkeypatch.delenv(doors.VARIABLE, raising=False)


def _by_variable(monkeypatch: pytest.MonkeyPatch, value: str) -> Any:
    monkeypatch.setenv(doors.VARIABLE, value)
    return configured("")


def test_links_name_the_page_and_the_commit() -> None:
    found = doors.Repository(URL, "main", "0123abc")
    assert found.colab("backdoors") == f"{doors.COLAB}/github/someone/course/blob/notebooks/backdoors.ipynb"
    assert found.binder("backdoors") == (
        f"{doors.BINDER}/v2/gh/someone/course/0123abc?urlpath=lab/tree/book/backdoors.md"
    )
    other = doors.Repository("https://gitlab.com/a/b", "main", "0123abc")
    assert other.colab("backdoors") == ""
    assert other.binder("x").startswith(f"{doors.BINDER}/v2/gl/a%2Fb/0123abc?")
    own = doors.Repository("https://git.example.org/a/b", "main", "0123abc")
    assert own.binder("x").startswith(f"{doors.BINDER}/v2/git/https%3A%2F%2Fgit.example.org%2Fa%2Fb/0123abc?")
    assert found.requirement == f"backdooring-clip[notebook] @ git+{URL}@0123abc"
    assert Requirement(found.requirement).name == PROJECT["name"]


def test_the_commit_is_that_of_the_pages() -> None:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    wanted = done.stdout.strip() if done.returncode == 0 else "main"
    assert doors.repository(configured(URL)).revision == wanted


def test_the_extra_brings_what_chapters_import() -> None:
    requirements = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"][doors.EXTRA]]
    brought = {canonicalize_name(Requirement(r).name) for r in requirements}
    for path in CHAPTERS:
        code = "\n".join(c.source for c in jupytext.read(path).cells if c.cell_type == "code")
        modules = set(re.findall(r"^(?:from|import) (\w+)", code, re.M)) - sys.stdlib_module_names - {"tutorial_lib"}
        assert {canonicalize_name(BROUGHT_BY.get(m, m)) for m in modules} <= brought, path.name


def test_versions_are_those_of_the_lock_and_in_the_ranges() -> None:
    pinned = [Requirement(text) for text in doors.versions()]
    assert [r.name for r in pinned] == list(doors.PINNED)
    lock = (ROOT / "requirements.lock").read_text()
    ranges = {canonicalize_name(r.name): r for r in map(Requirement, PROJECT["dependencies"])}
    for requirement in pinned:
        assert re.search(rf"^{re.escape(requirement.name)}{re.escape(str(requirement.specifier))}$", lock, re.M)
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        known = ranges.get(canonicalize_name(requirement.name))
        assert known is None or known.specifier.contains(pin.version)


# -- the first cell


def run_cell(source: str, present: bool, code: int = 0, *, loaded: bool = False) -> tuple[list[list[str]], str]:
    """What the cell calls and prints, with pip and the look for the library replaced."""
    calls: list[list[str]] = []
    said: list[str] = []

    def run(command: list[str], **options: Any) -> Any:
        calls.append(command)
        assert options == {"capture_output": True, "text": True}
        return SimpleNamespace(returncode=code, stderr="ERROR: no such version")

    util = SimpleNamespace(find_spec=lambda name: object() if present else None)
    modules = {
        "importlib": SimpleNamespace(util=util, invalidate_caches=lambda: None),
        "importlib.util": util,
        "subprocess": SimpleNamespace(run=run),
        "sys": SimpleNamespace(executable="python", modules={"torch": 1} if loaded else {}),
    }
    names = {"print": lambda *words: said.append(" ".join(map(str, words)))}

    def fake_import(name: str, *_: Any) -> Any:
        return modules[name.partition(".")[0]]

    builtins = {"__import__": fake_import, "RuntimeError": RuntimeError, "sorted": sorted, **names}
    exec(source, {"__builtins__": builtins})
    return calls, "\n".join(said)


def test_the_first_cell_installs_what_is_missing_and_nothing_else() -> None:
    cell = doors.install_cell("course @ somewhere")
    nbformat.validate(nbformat.v4.new_notebook(cells=[cell]))
    assert run_cell(cell.source, present=True) == ([], "")
    calls, said = run_cell(cell.source, present=False)
    assert calls == [["python", "-m", "pip", "install", "--quiet", "course @ somewhere", *doors.versions()]]
    assert said == "installed course @ somewhere"
    assert "restart the kernel now: torch had been loaded" in run_cell(cell.source, present=False, loaded=True)[1]
    with pytest.raises(RuntimeError, match="the course could not be installed:\nERROR: no such version"):
        run_cell(cell.source, present=False, code=1)


def test_the_cell_stands_first_in_a_notebook_and_only_with_a_repository() -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A chapter")])
    doors.with_install_cell(notebook, None)
    assert len(notebook.cells) == 1
    doors.with_install_cell(notebook, doors.Repository(URL, "main", "abc"))
    assert [cell.cell_type for cell in notebook.cells] == ["code", "markdown"]
    assert f"git+{URL}@abc" in notebook.cells[0].source


class Empty(NamedTuple):
    """An environment that has what the course needs, and not the course."""

    python: Path
    packages: Path
    wheel: Path  # of the course

    def run(self, code: str, folder: Path, *arguments: str) -> list[str]:
        """What code prints there, without a network and without this checkout."""
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
        environment |= {"PIP_NO_INDEX": "1", "OMP_NUM_THREADS": "1"}
        command = [self.python, "-c", code, *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stderr[-5000:]
        return done.stdout.splitlines()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Empty:
    """Without a network: the wheel is built here, and what it needs is there in the versions that the cell asks for."""
    folder = tmp_path_factory.mktemp("doors")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", folder]
    subprocess.run([*map(str, command), str(ROOT)], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "empty", with_pip=True, symlinks=True)
    (packages,) = folder.glob("empty/lib/python*/site-packages")
    for path in Path(sysconfig.get_path("purelib")).iterdir():  # all but the course itself and pip
        if not re.match(r"(pip|_?backdooring.clip|__editable__|__pycache__)", path.name) and path.suffix != ".pth":
            target = packages / path.name
            if not target.exists():
                target.symlink_to(path)
    return Empty(folder / "empty" / "bin" / "python", packages, wheel)


@pytest.mark.slow
def test_the_first_cell_brings_the_course_once(empty: Empty, tmp_path: Path) -> None:
    cell = doors.install_cell(f"backdooring-clip[notebook] @ {empty.wheel.as_uri()}")
    code = f"{cell.source}\n\nimport tutorial_lib, myst_nb\nprint(tutorial_lib.__file__)"
    first, again = (empty.run(code, tmp_path) for _ in range(2))
    assert first[0].startswith("installed backdooring-clip[notebook] @ file:")
    assert first[-1] == again[-1] == str(empty.packages / "tutorial_lib" / "__init__.py")
    assert not any(line.startswith("installed") for line in again)


#: Runs a notebook from its first cell to its last, and says what it had imported.
EXECUTE = """
import sys
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
for cell in notebook.cells:
    if "parameters" in cell.metadata.get("tags", ()):
        cell.source = cell.source.replace('profile = "demo"', 'profile = "test"')
notebook.cells.append(nbformat.v4.new_code_cell("import tutorial_lib; print(tutorial_lib.__file__)"))
NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
print(notebook.cells[-1].outputs[0].text)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", [path.stem for path in CHAPTERS])
def test_a_notebook_runs_whole_where_the_course_is_not_installed(name: str, empty: Empty, tmp_path: Path) -> None:
    """Every notebook that the pages offer, behind the first cell of Colab, with the quick profile."""
    notebook = nbformat.read(site.HTML / "_sources" / f"{name}.ipynb", as_version=4)
    notebook.cells.insert(0, doors.install_cell(f"backdooring-clip[notebook] @ {empty.wheel.as_uri()}"))
    nbformat.write(notebook, tmp_path / "chapter.ipynb")
    said = empty.run(EXECUTE, tmp_path, "chapter.ipynb")
    assert said[0] == str(empty.packages / "tutorial_lib" / "__init__.py")


# -- the pages


PAGE = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# A chapter

It is one line.

```{code-cell} ipython3
1 + 1
```
"""


def built(folder: Path, url: str) -> Path:
    """A book of two pages, one with code."""
    (folder / "index.md").write_text("# The course\n\nIts first page.\n")
    (folder / "chapter.md").write_text(PAGE)
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    wanted = ("doors", "notebook_downloads")
    chosen = {
        "title": "The course",
        "only_build_toc_files": True,
        "execute": {"execute_notebooks": "off"},
        "repository": config["repository"],
        "sphinx": {"local_extensions": {name: str(site.BOOK / "_ext") for name in wanted}},
    }
    (folder / "_config.yml").write_text(yaml.safe_dump(chosen))
    (folder / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters:\n  - file: chapter\n")
    environment = os.environ | {doors.VARIABLE: url, "PYTHONPATH": str(ROOT)}
    command = [Path(sys.executable).with_name("jupyter-book"), "build", folder, "--path-output", folder]
    done = subprocess.run([*map(str, command), "-W"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "_build" / "html"


def links(page: Path) -> dict[str, str]:
    """Addresses in other places, by the words of their buttons."""
    soup = BeautifulSoup(page.read_text(), "html.parser")
    found = {a.get_text(" ", strip=True): str(a["href"]) for a in soup.select(".bd-header-article a[href^=http]")}
    foreign = [tag for tag in soup.select("[src^=http], link[href^=http]") if "canonical" not in (tag.get("rel") or ())]
    assert foreign == []
    return found


def test_pages_of_a_repository_have_links_and_their_notebooks_a_first_cell(tmp_path: Path) -> None:
    html = built(tmp_path, URL)
    found, commit = links(html / "chapter.html"), doors.repository(configured(URL)).revision
    assert found["Colab"] == doors.Repository(URL, "main", commit).colab("chapter")
    assert found["Binder"] == doors.Repository(URL, "main", commit).binder("chapter")
    assert found["Suggest edit"] == f"{URL}/edit/main/book/chapter.md"
    assert found["Ask or report"].startswith(f"{URL}/issues/new?title=")
    assert "Colab" not in links(html / "index.html")
    assert links(html / "index.html")["Suggest edit"] == f"{URL}/edit/main/book/index.md"
    notebook = nbformat.read(html / "_sources" / "chapter.ipynb", as_version=4)
    nbformat.validate(notebook)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert f"backdooring-clip[notebook] @ git+{URL}@{commit}" in code[0]
    assert code[1:] == ["1 + 1"]
    assert "The first cell installs" in notebook.cells[1].source
    for icon in ("logo_colab.png", "logo_binder.svg"):
        assert (html / "_static" / "images" / icon).is_file()


def test_pages_without_a_repository_have_none(tmp_path: Path) -> None:
    html = built(tmp_path, "")
    assert links(html / "chapter.html") == links(html / "index.html") == {}
    notebook = nbformat.read(html / "_sources" / "chapter.ipynb", as_version=4)
    assert [cell.source for cell in notebook.cells if cell.cell_type == "code"] == ["1 + 1"]


# -- environments of others


def test_binder_installs_the_locked_versions_and_opens_chapters_as_notebooks() -> None:
    folder = ROOT / ".binder"
    lines = [line for line in (folder / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
    assert "-c ../requirements.lock" in lines
    assert f"-e .[{doors.EXTRA}]" in lines
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "-r", ".binder/requirements.txt"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    version = re.fullmatch(r"python-3\.(\d+)\n", (folder / "runtime.txt").read_text())
    assert version is not None
    assert 11 <= int(version[1]) <= 13
    after = folder / "postBuild"
    assert after.stat().st_mode & stat.S_IXUSR
    assert "set-default-viewer markdown myst" in after.read_text()


def test_the_container_of_visual_studio_code() -> None:
    body = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    version = re.fullmatch(r"python:3\.(\d+)-bookworm", body["image"])
    assert version is not None
    assert 11 <= int(version[1]) <= 13
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    asked = re.findall(r"make (?:\w+=\S+ )*([a-z-]+)", body["postCreateCommand"])
    assert asked == ["setup"]
    assert set(asked) <= set(targets)
    assert ".venv/bin/python" in body["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"]
    assert body["forwardPorts"] == [8000, 8888]


def test_the_workflow_pushes_the_notebooks_that_colab_opens() -> None:
    text = (ROOT / ".github" / "workflows" / "course.yml").read_text()
    jobs = yaml.safe_load(text)["jobs"]
    assert f"git push --force origin HEAD:{doors.NOTEBOOKS}" in text
    assert jobs["notebooks"]["permissions"] == {"contents": "write"}
    assert jobs["notebooks"]["needs"] == "build"
    build = " ".join(step.get("run", "") for step in jobs["build"]["steps"])
    assert "REPOSITORY=${{ github.server_url }}/${{ github.repository }}" in build
