"""Sphinx extension: from a page to where its text is changed, where questions are asked, and where its code runs.

`repository: url:` in `_config.yml` is the one place that says where the course lies; `make REPOSITORY=https://… book`
says it for one build. Without a repository a page has none of these links, and its notebook no cell that installs.

Colab opens notebooks from the branch `notebooks`, to which the workflow *course* pushes those that the pages offer.
Binder makes the environment that `.binder/` describes, and opens the chapter itself.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nbformat
from nbformat import NotebookNode
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
#: Overrides the address in `_config.yml`.
VARIABLE = "COURSE_REPOSITORY"
#: The branch that holds the notebooks of the pages, and the folder of the chapters.
NOTEBOOKS, BOOK = "notebooks", "book"
COLAB, BINDER = "https://colab.research.google.com", "https://mybinder.org"
#: What numbers depend on: installed in the versions with which the pages were made.
PINNED = ("numpy", "open_clip_torch", "pillow", "scikit-learn", "scipy", "timm", "torch", "torchvision", "umap-learn")
#: The extra of pyproject.toml that chapters need where Jupyter is there already.
EXTRA = "notebook"

INSTALL = """\
# Installs the course where it is missing: on Colab, on Kaggle, in an environment of your own.
import importlib.util
import subprocess
import sys

COURSE = {course!r}
VERSIONS = {versions!r}

if importlib.util.find_spec("tutorial_lib") is None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", COURSE, *VERSIONS], capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError("the course could not be installed:\\n" + done.stderr[-2000:])
    importlib.invalidate_caches()
    print("installed", COURSE)
    if loaded := {{"numpy", "torch"}} & sys.modules.keys():
        print("restart the kernel now:", *sorted(loaded), "had been loaded before")
"""


@dataclass(frozen=True)
class Repository:
    """Where the course lies.

    Attributes:
        url: its address, `https://HOST/OWNER/NAME`.
        branch: on which it is changed.
        revision: the commit that the pages are made of; the branch where that is not known.
    """

    url: str
    branch: str
    revision: str

    @property
    def host(self) -> str:
        return self.url.split("/")[2]

    @property
    def name(self) -> str:
        """`OWNER/NAME`."""
        return "/".join(self.url.split("/")[3:])

    def colab(self, page: str) -> str:
        """Colab's address for a page's notebook; empty where it cannot open one."""
        return f"{COLAB}/github/{self.name}/blob/{NOTEBOOKS}/{page}.ipynb" if self.host == "github.com" else ""

    def binder(self, page: str) -> str:
        """Binder's address for a chapter, which JupyterLab opens as a notebook."""
        where = {"github.com": f"gh/{self.name}", "gitlab.com": f"gl/{quote(self.name, safe='')}"}
        place = where.get(self.host, f"git/{quote(self.url, safe='')}")
        return f"{BINDER}/v2/{place}/{self.revision}?urlpath=lab/tree/{BOOK}/{page}.md"

    @property
    def requirement(self) -> str:
        """What pip installs: the course as it was when the pages were made, with what its chapters need."""
        return f"backdooring-clip[{EXTRA}] @ git+{self.url}@{self.revision}"


def repository(config: Config) -> Repository | None:
    """The repository that the configuration or the environment names; `None` without one.

    Raises:
        ConfigError: it is no address of a repository.
    """
    options = config.html_theme_options
    url = (os.environ.get(VARIABLE) or options.get("repository_url") or "").strip().rstrip("/").removesuffix(".git")
    if not url:
        return None
    if not re.fullmatch(r"https://[\w.-]+(/[\w.-]+){2,}", url):
        raise ConfigError(f"the repository must be an address as https://github.com/OWNER/NAME, not {url!r}")
    branch = options.get("repository_branch") or "main"
    return Repository(url, branch, _commit() or branch)


def _commit() -> str:
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    except OSError:  # no git
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def versions(root: Path = ROOT) -> list[str]:
    """What the first cell asks for beside the course: the locked versions of what numbers depend on."""
    lines = (root / "requirements.lock").read_text().splitlines()
    locked = {canonicalize_name(r.name): r for r in map(Requirement, (x for x in lines if x and x[0] != "#"))}
    return [f"{name}{locked[canonicalize_name(name)].specifier}" for name in PINNED]


def install_cell(course: str) -> NotebookNode:
    """The first cell of a notebook that is opened far from the course.

    Args:
        course: what pip installs.
    """
    cell = nbformat.v4.new_code_cell(INSTALL.format(course=course, versions=versions()))
    cell.id = "install"
    cell.metadata["tags"] = ["install"]
    return cell


def with_install_cell(notebook: NotebookNode, found: Repository | None) -> None:
    """Put the cell first; nothing without a repository to install from."""
    if found is not None:
        notebook.cells.insert(0, install_cell(found.requirement))


# -- the pages


def configure(app: Sphinx, config: Config) -> None:
    """Tell the theme, which makes the links for changes and questions."""
    found = repository(config)
    options = config.html_theme_options
    options["repository_url"] = found.url if found else ""
    for name in ("use_repository_button", "use_edit_page_button", "use_issues_button"):
        options[name] = found is not None
    if found:
        options["path_to_docs"], options["repository_branch"] = BOOK, found.branch


def add_doors(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Buttons that run a chapter, and words for the theme's own."""
    found = repository(app.config)
    buttons = context.get("header_buttons")
    if found is None or buttons is None:
        return
    for group in buttons:
        for button in group.get("buttons", ()):
            if button.get("label") == "source-issues-button":
                button["text"] = button["tooltip"] = "Ask or report"
    if doctree is None or "kernelspec" not in app.env.metadata.get(pagename, {}):
        return
    links = {"Colab": (found.colab(pagename), "logo_colab.png"), "Binder": (found.binder(pagename), "logo_binder.svg")}
    launch = [
        {"type": "link", "text": name, "tooltip": f"Run on {name}", "icon": f"_static/images/{icon}", "url": url}
        for name, (url, icon) in links.items()
        if url
    ]
    group = {"type": "group", "tooltip": "Run this chapter", "icon": "fas fa-rocket", "buttons": launch}
    buttons.insert(0, group | {"label": "launch-buttons"})


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", configure, priority=100)
    app.connect("html-page-context", add_doors, priority=502)  # after the theme's own buttons, at priority 501
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
