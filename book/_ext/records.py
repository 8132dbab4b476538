"""Sphinx extension: figures, numbers and verdicts from the committed records, made when a page is read.

Nothing is executed for them, so a page is as new as its records. In a chapter, a cell with the tag `from-records`
that calls `experiments.show` gets its figure drawn anew; papermill executes the same cell for another profile.

    {measured}`fig2_right.successes(128) %`     a mean over models; `%` for per cent, `.1f` and the like for the format
    {interval}`fig2_right.successes(128) %`     its 95 % interval
    {verdict}`backdoor_rises`                   holds, fails, undecided, …
    ```{confirmatory-claims}```                 the claims that are judged together
    ```{power}```                               the power analysis of the pilot
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from docutils import nodes
from offline_pages import plotly_figure
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from tutorial_lib import places, profiles
from tutorial_lib.evidence import claims, power, quantities, registry
from tutorial_lib.evidence.decide import ALPHA
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.shown import Shown, Source, unrecorded
from tutorial_lib.evidence.statistics import Estimate
from tutorial_lib.evidence.table import Table

logger = logging.getLogger(__name__)

PROFILE = "demo"  # what the pages show unless they say otherwise
CALL = re.compile(r'experiments\.show\("(\w+)", profile(?:, "(\w+)")?\)')


def state() -> str:
    """Changes with the committed records, the claims, the answers, and the code that reduces them."""
    files = [*places.results().rglob("*.jsonl"), places.PACKAGE / "plots.py", places.book() / "answers.yml"]
    for folder in ("experiments", "evidence", "profiles"):
        files += [p for p in (places.PACKAGE / folder).iterdir() if p.is_file()]
    return hashlib.sha256(b"".join(p.read_bytes() for p in sorted(files))).hexdigest()


_sources: dict[str, Source] = {}


def source(profile: str = PROFILE) -> Source:
    """The records of a profile, read once; of each experiment those that the pages show, if none is named."""
    if profile not in _sources:
        found = profiles.get(profile)
        _sources[profile] = Shown(profile) if found.references else Results(found)
    return _sources[profile]


def shown(name: str, part: str = "plot", profile: str = PROFILE) -> nodes.Element:
    """What `experiments.show` shows, a figure or a table."""
    found = source(profile).behind(name)
    figure = unrecorded(name, found) or getattr(registry.load(name), part)(found)
    if isinstance(figure, Table):
        return nodes.raw("", figure._repr_html_(), format="html", classes=["output"])
    return plotly_figure(figure.to_plotly_json() | {"layout": figure.layout.to_plotly_json()})


# -- numbers in the text


def quantity(text: str) -> tuple[Estimate | None, float, str]:
    """Estimate, scale and format of what a role says of the records that the pages show."""
    return quantities.quantity(text, source())


class NumberRole(SphinxRole):
    """A number of the recorded models, as text."""

    written: Callable[[str, Source], str]

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            text = type(self).written(self.text, source())
        except ValueError as error:
            return [], [self.inliner.reporter.error(str(error), line=self.lineno)]
        return [nodes.inline("", text, classes=["measured"])], []


class MeasuredRole(NumberRole):
    """The mean of a quantity over the recorded models."""

    written = quantities.measured


class IntervalRole(NumberRole):
    """The 95 % interval of a quantity and the number of models."""

    written = quantities.interval


class VerdictRole(SphinxRole):
    """The verdict on a claim."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            claim = claims.get(self.text.strip())
        except ValueError as error:
            return [], [self.inliner.reporter.error(str(error), line=self.lineno)]
        word = claims.judge(claim, source()).verdict
        return [nodes.strong("", word, classes=["verdict", "verdict-" + word.replace(" ", "-")])], []


# -- tables


Cells = list[list[nodes.Node] | str]


def table(head: list[str], rows: Iterable[Cells | nodes.row], widths: list[int]) -> nodes.table:
    """A table of texts and nodes that fits a phone; `widths` are relative."""

    def row(cells: Cells | nodes.row) -> nodes.row:
        if isinstance(cells, nodes.row):
            return cells
        made = nodes.row()
        for cell in cells:
            content = [nodes.Text(cell)] if isinstance(cell, str) else cell
            made += nodes.entry("", nodes.paragraph("", "", *content))
        return made

    group = nodes.tgroup(cols=len(head))
    group += [nodes.colspec(colwidth=w) for w in widths]
    group += nodes.thead("", row(head))
    group += nodes.tbody("", *(row(r) for r in rows))
    return nodes.table("", group, classes=["claims"])


class ConfirmatoryClaims(SphinxDirective):
    """The claims that are judged together, and the first step of the correction for their number."""

    def run(self) -> list[nodes.Node]:
        family = claims.family(profiles.get(PROFILE).references[0])
        said = (
            f"{len(family)} of {len(claims.load())} claims are confirmatory. The first step "
            f"of Holm's correction asks for p below {ALPHA:g}/{len(family)} = {ALPHA / len(family):.2g}."
        )
        titles = {c.experiment: registry.load(c.experiment).TITLE for c in family}
        rows: list[Cells | nodes.row] = [
            [title, "; ".join(c.says for c in family if c.experiment == name)] for name, title in titles.items()
        ]
        return [nodes.paragraph("", said), table(["experiment", "confirmatory claims"], rows, [30, 70])]


class PowerTable(SphinxDirective):
    """What the pilot says about each claim, and how many models it gets for that."""

    def run(self) -> list[nodes.Node]:
        plans = power.plans()
        rows: list[Cells | nodes.row] = []
        for plan in sorted(plans, key=lambda p: p.claim.role):
            pilot = "–" if plan.estimate is None else f"{plan.estimate.value:.3g}"
            spread = "–" if plan.spread is None else f"{plan.spread:.2g}"
            needed = "–" if plan.needed is None else f"{plan.needed:,}"
            note = f" ({plan.note})" if plan.note else ""
            says = f"{plan.claim.says} ({plan.claim.role})"
            rows.append([says, plan.claim.predicate, pilot, spread, needed, f"{plan.models}{note}"])
        head = ["claim", "predicate", "pilot's mean", "bound of the spread", "models needed", "models it gets"]
        experiments = dict.fromkeys(plan.claim.experiment for plan in plans)
        shared = ", ".join(f"{name} {power.models_for(name)}" for name in experiments)
        said = f"Claims of one experiment share its models. Models a point: {shared}."
        return [table(head, rows, [34, 14, 11, 12, 11, 18]), nodes.paragraph("", said)]


# -- figures of chapters


def refresh_figures(app: Sphinx, doctree: nodes.document) -> None:
    """Draw the figures of cells tagged `from-records` from the records of now."""
    for cell in doctree.findall(nodes.container):
        if "tag_from-records" not in cell.get("classes", ()):
            continue
        match = CALL.search(cell.astext())
        if match is None:
            logger.warning("a cell tagged from-records does not call experiments.show(…, profile)", location=cell)
            continue
        for output in cell.findall(nodes.container):
            if "cell_output" in output.get("classes", ()):
                new = shown(match[1], match[2] or "plot")
                old = next(iter(output.findall(nodes.figure)), None)
                if old is not None and isinstance(new, nodes.figure):
                    new.update_all_atts(old)  # its name and number
                output.children = []
                output += new


def outdated(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """Pages that show records are read again when the records have changed."""
    now = state()
    before, env.records_state = getattr(env, "records_state", None), now  # type: ignore[attr-defined]
    _sources.clear()
    if before == now:
        return []
    ours = (
        "{claims}",
        "{confirmatory-claims}",
        "{power}",
        "{paper-beside-ours}",
        "{verdicts-at-a-glance}",
        "{comparison}",
    )
    signs = ("from-records", "{measured}", "{interval}", "{verdict}", "{answer}", "{answers}", *ours)
    return [name for name in env.found_docs if any(sign in Path(env.doc2path(name)).read_text() for sign in signs)]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_role("measured", MeasuredRole())
    app.add_role("interval", IntervalRole())
    app.add_role("verdict", VerdictRole())
    app.add_directive("confirmatory-claims", ConfirmatoryClaims)
    app.add_directive("power", PowerTable)
    app.connect("doctree-read", refresh_figures)
    app.connect("env-get-outdated", outdated)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
