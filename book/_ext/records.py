"""Sphinx extension: figures, numbers and verdicts from the committed records, made when a page is read.

Nothing is executed for them, so a page is as new as its records. In a chapter, a cell with the tag `from-records`
that calls `experiments.show` gets its figure drawn anew; papermill executes the same cell for another profile.

    {measured}`fig2_right.successes(128) %`     a mean over models; `%` for per cent, `.1f` and the like for the format
    {interval}`fig2_right.successes(128) %`     its 95 % interval
    {verdict}`backdoor_rises`                   holds, fails, undecided, …
    ```{claims} id …```                         a table of claims with their verdicts
    ```{paper-beside-ours}```                   every figure: what the paper says, ours, and the verdicts
"""

from __future__ import annotations

import ast
import hashlib
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from offline_pages import plotly_figure
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from tutorial_lib import places, profiles
from tutorial_lib.evidence import claims, registry
from tutorial_lib.evidence.claims import Claim, Verdict
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.statistics import Estimate, detectable_difference, estimate_mean
from tutorial_lib.evidence.table import Table

logger = logging.getLogger(__name__)

PROFILE = "cpu"  # what the pages show unless they say otherwise
CALL = re.compile(r'experiments\.show\("(\w+)", profile(?:, "(\w+)")?\)')
QUANTITY = re.compile(r"(?P<module>\w+)\.(?P<name>\w+)(?:\((?P<args>[^)]*)\))?\s*(?P<unit>%)?\s*(?P<format>\.\d[fg])?")


def state() -> str:
    """Changes with the committed records, the claims and the code that reduces them."""
    files = [*places.results().rglob("*.jsonl"), places.PACKAGE / "plots.py"]
    for folder in ("experiments", "evidence", "profiles"):
        files += [p for p in (places.PACKAGE / folder).iterdir() if p.is_file()]
    return hashlib.sha256(b"".join(p.read_bytes() for p in sorted(files))).hexdigest()


_results: dict[str, Results] = {}


def results(profile: str = PROFILE) -> Results:
    if profile not in _results:
        _results[profile] = Results(profiles.get(profile))
    return _results[profile]


def shown(name: str, part: str = "plot", profile: str = PROFILE) -> nodes.Element:
    """What `experiments.show` shows, a figure or a table."""
    figure = getattr(registry.load(name), part)(results(profile))
    if isinstance(figure, Table):
        return nodes.raw("", figure._repr_html_(), format="html", classes=["output"])
    return plotly_figure(figure.to_plotly_json() | {"layout": figure.layout.to_plotly_json()})


# -- numbers in the text


def quantity(text: str) -> tuple[Estimate | None, float, str]:
    """Estimate, scale and format of what a role says.

    Raises:
        ValueError: the text is not understood, or there is no such quantity.
    """
    match = QUANTITY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not module.quantity(arguments) with an optional % and format")
    module = registry.load(match["module"])
    if not hasattr(module, match["name"]):
        raise ValueError(f"{match['module']} has no quantity {match['name']!r}")
    arguments = ast.literal_eval(f"({match['args']},)") if match["args"] else ()
    found = getattr(module, match["name"])(results(), *arguments)
    if isinstance(found, dict):
        found = list(found.values())
    scale = 100.0 if match["unit"] else 1.0
    ready = isinstance(found, Estimate) or found is None
    estimate = found if ready else _over_models([float(v) for v in found])
    return estimate, scale, match["format"] or (".0f" if match["unit"] else ".2f")


def _over_models(values: list[float]) -> Estimate | None:
    """The mean and its interval; a single model has none."""
    if len(values) == 1:
        return Estimate(values[0], math.nan, math.nan, 1, math.nan, "one model")
    return estimate_mean(values) if values else None


class MeasuredRole(SphinxRole):
    """The mean of a quantity over the recorded models."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            estimate, scale, form = quantity(self.text)
        except (ValueError, SyntaxError) as error:
            return [], [self.inliner.reporter.error(str(error), line=self.lineno)]
        text = "(not run yet)" if estimate is None else format(scale * estimate.value, form)
        return [nodes.strong("", text, classes=["measured"])], []


class IntervalRole(SphinxRole):
    """The 95 % interval of a quantity and the number of models."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            estimate, scale, form = quantity(self.text)
        except (ValueError, SyntaxError) as error:
            return [], [self.inliner.reporter.error(str(error), line=self.lineno)]
        text = "(not run yet)"
        if estimate is not None:
            low, high = (format(scale * v, form) for v in (estimate.low, estimate.high))
            text = f"[{low}, {high}], {estimate.n} models" if estimate.n > 1 else "one model"
        return [nodes.inline("", text, classes=["measured"])], []


class VerdictRole(SphinxRole):
    """The verdict on a claim."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            claim = claims.get(self.text.strip())
        except ValueError as error:
            return [], [self.inliner.reporter.error(str(error), line=self.lineno)]
        return [verdict_node(claims.judge(claim, results()))], []


def verdict_node(verdict: Verdict) -> nodes.strong:
    word = verdict.verdict
    return nodes.strong("", word, classes=["verdict", "verdict-" + word.split()[0]])


# -- tables


def table(head: list[str], rows: Iterable[list[list[nodes.Node] | str]], widths: list[int]) -> nodes.table:
    """A table of texts and nodes that fits a phone; `widths` are relative."""

    def row(cells: Iterable[list[nodes.Node] | str]) -> nodes.row:
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


def _numbers(verdict: Verdict) -> str:
    e = verdict.estimate
    if e is None:
        return "–"
    text = f"{e.value:.3g}|[{e.low:.2g}, {e.high:.2g}]|n = {e.n}"
    if (found := detectable_difference(e)) is not None:
        text += f"|detects {found:.2g}"
    return text.replace(" ", "\N{NO-BREAK SPACE}").replace("|", " ")  # breaks between these only


def claims_table(chosen: Iterable[Claim], profile: str = PROFILE) -> nodes.table:
    """The paper's statement, what was measured, and the verdict."""
    rows: list[list[list[nodes.Node] | str]] = []
    for claim in chosen:
        verdict = claims.judge(claim, results(profile))
        word: list[nodes.Node] = [verdict_node(verdict)]
        if verdict.needed is not None and verdict.needed < 1000:
            word.append(nodes.Text(f" (about {verdict.needed} models may decide)"))
        reported = "" if claim.reported is None else f"; paper: {claim.reported:g}"
        rows.append(
            [
                f"{claim.says} (section {claim.section})",
                f"{claim.what}: {claim.predicate}{reported}",
                _numbers(verdict),
                word,
            ]
        )
    return table(["the paper says", "predicate", f"ours ({profile})", "verdict"], rows, [32, 30, 20, 18])


class ClaimsDirective(SphinxDirective):
    """A table of the named claims."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {"profile": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        try:
            chosen = [claims.get(name) for name in self.arguments[0].split()]
            return [claims_table(chosen, self.options.get("profile", PROFILE))]
        except ValueError as error:
            raise self.error(str(error)) from error


class PaperBesideOurs(SphinxDirective):
    """A section per figure, for every profile that has records."""

    def run(self) -> list[nodes.Node]:
        out: list[nodes.Node] = [self.summary()]
        for name in registry.names():
            module = registry.load(name)
            mine = [c for c in claims.load() if c.experiment == name]
            if not mine:
                continue
            section = nodes.section(ids=[name.replace("_", "-")])
            section += nodes.title("", module.TITLE)
            section += nodes.paragraph("", "", nodes.strong("", "The paper: "), nodes.Text(module.PAPER + "."))
            recorded = False
            for profile in profiles.NAMES:
                found = results(profile)
                if profiles.get(profile).reference or profile == "test" or not found.of(module.trials(found.profile)):
                    continue
                for part in registry.plots(name):
                    part_shown = shown(name, part, profile)
                    if isinstance(part_shown, nodes.figure):
                        self.state.document.set_id(part_shown, suggested_prefix="figure")
                    section += part_shown
                section += claims_table(mine, profile)
                recorded = True
            if not recorded:
                section += claims_table(mine)
            section += self.explanations(mine)
            out.append(section)
        return out

    def explanations(self, mine: list[Claim]) -> list[nodes.Node]:
        """Why claims do not hold in the records that the pages show, and which were changed."""
        text = []
        for claim in mine:
            if claim.why and claims.judge(claim, results()).verdict in ("fails", "undecided"):
                text.append(f"*{claim.says[0].upper()}{claim.says[1:]}: {{verdict}}`{claim.id}`.* {claim.why.strip()}")
            for change in claim.changes:
                text.append(f"*Changed later: {claim.says}.* {change}.")
        if not text:
            return []
        return self.parse_text_to_nodes("\n\n".join(text))

    def summary(self) -> nodes.table:
        rows: list[list[list[nodes.Node] | str]] = []
        for profile in profiles.NAMES:
            if profiles.get(profile).reference or profile == "test":
                continue
            counted = claims.summary(claims.judge_all(results(profile)))
            rows.append([profile, *(str(n) for n in counted.values())])
        return table(["profile", *claims.WORDS], rows, [20, *[16] * len(claims.WORDS)])


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
    _results.clear()
    if before == now:
        return []
    signs = ("from-records", "{measured}", "{interval}", "{verdict}", "{claims}", "{paper-beside-ours}")
    return [name for name in env.found_docs if any(sign in Path(env.doc2path(name)).read_text() for sign in signs)]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_role("measured", MeasuredRole())
    app.add_role("interval", IntervalRole())
    app.add_role("verdict", VerdictRole())
    app.add_directive("claims", ClaimsDirective)
    app.add_directive("paper-beside-ours", PaperBesideOurs)
    app.connect("doctree-read", refresh_figures)
    app.connect("env-get-outdated", outdated)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
