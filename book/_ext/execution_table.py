"""Sphinx extension: how long each chapter ran when its page was made, on what, and with which versions.

    ```{execution-table}```
    {ran}`backdoors`              how long one of them ran, in words

The numbers are those that `chapter_pool` kept with the outputs; a chapter without any in this build says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docutils import nodes
from jupyter_cache import get_cache
from jupyter_cache.base import JupyterCacheAbstract
from myst_nb.core.read import create_nb_reader
from records import table
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective, SphinxRole

from tutorial_lib.costs.seconds import duration

#: What stands where a build has not run a chapter.
NOT_RUN = "not run in this build"


@dataclass(frozen=True)
class Row:
    """A chapter and what is known of its run; `data` is what lies beside its outputs, empty where it was not run."""

    name: str
    cells: int
    data: dict[str, Any]

    @property
    def seconds(self) -> float | None:
        found = self.data.get("execution_seconds")
        return found if isinstance(found, int | float) else None

    @property
    def time(self) -> str:
        """How long it ran, in words."""
        return NOT_RUN if self.seconds is None else duration(self.seconds)

    @property
    def made_with(self) -> str:
        """Versions in words; empty where they were not noted."""
        versions = self.data.get("versions") or {}
        known = [("Python", self.data.get("python", "")), *((name, versions.get(name, "")) for name in LIBRARIES)]
        return ", ".join(f"{name} {version}" for name, version in known if version)


#: Libraries whose versions are shown.
LIBRARIES = ("torch", "open_clip_torch", "numpy")


def rows(env: BuildEnvironment, names: Iterable[str], cache: JupyterCacheAbstract) -> list[Row]:
    """The pages among some that hold code, each with its run."""
    found = []
    for name in names:
        path = Path(env.doc2path(name))
        text = path.read_text()
        reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)  # type: ignore[attr-defined]
        if reader is None:
            continue
        notebook = reader.read(text)
        cells = sum(cell.cell_type == "code" for cell in notebook.cells)
        try:
            data = cache.match_cache_notebook(notebook).data or {}
        except KeyError:
            data = {}
        found.append(Row(name, cells, dict(data)))
    return found


def in_reading_order(env: BuildEnvironment) -> list[str]:
    """Every page, in the order of the table of contents."""

    def below(name: str) -> Iterable[str]:
        yield name
        for child in env.config.external_site_map[name].child_files():
            yield from below(child)

    return [name for name in below(env.config.root_doc) if name in env.found_docs]


class ExecutionTable(SphinxDirective):
    """A row a chapter, their sum, and a sentence for each machine and set of versions."""

    def run(self) -> list[nodes.Node]:
        found = rows(self.env, in_reading_order(self.env), get_cache(self.config.nb_execution_cache_path))
        timed = [row for row in found if row.seconds is not None]
        body: list[Any] = []
        for row in found:
            when = str(row.data.get("finished", "")).partition("+")[0].replace("T", " ") or "–"
            body.append([[self._link(row.name)], str(row.cells), row.time, when, row.made_with or "–"])
        cells = sum(row.cells for row in found)
        total = duration(sum(row.seconds or 0.0 for row in timed)) if timed else NOT_RUN
        body.append([f"all {len(found)}", str(cells), total, "", ""])
        head = ["chapter", "code cells", "ran for", "finished (UTC)", "with"]
        return [table(head, body, [30, 10, 12, 18, 30]), *self._machines(timed)]

    def _link(self, name: str) -> nodes.Node:
        link = addnodes.pending_xref(
            "", refdomain="std", reftype="doc", reftarget=f"/{name}", refexplicit=False, refwarn=True
        )
        link += nodes.inline("", "", classes=["xref", "std", "std-doc"])
        return link

    def _machines(self, timed: list[Row]) -> list[nodes.Node]:
        named = sorted({str(row.data["cpu"]) for row in timed if row.data.get("cpu")})
        if not named:
            return []
        said = f"One thread a chapter, as many chapters at a time as there are cores, on {'; '.join(named)}."
        return [nodes.paragraph("", said)]


class RanRole(SphinxRole):
    """How long a chapter ran when its page was made."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        name = self.text.strip()
        if name not in self.env.found_docs:
            problem = f"there is no page {name!r} whose cells could have run"
            return [], [self.inliner.reporter.error(problem, line=self.lineno)]
        found = rows(self.env, [name], get_cache(self.config.nb_execution_cache_path))
        if not found:
            return [], [self.inliner.reporter.error(f"the page {name!r} has no cells", line=self.lineno)]
        return [nodes.inline("", found[0].time, classes=["measured"])], []


def outdated(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """Pages with a time are read anew in every build: a chapter may have run since."""
    texts = {name: Path(env.doc2path(name)).read_text() for name in env.found_docs}
    return [name for name, text in texts.items() if "{execution-table}" in text or "{ran}`" in text]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("execution-table", ExecutionTable)
    app.add_role("ran", RanRole())
    app.connect("env-get-outdated", outdated)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
