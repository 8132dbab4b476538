"""Sphinx extension: claims with their verdicts, as forest plots with the numbers and the reasons folded beneath.

    ```{claims} id …```                 claims of a chapter
    ```{verdicts-at-a-glance}```        what holds and what does not, with choices that need no script
    ```{paper-beside-ours}```           every figure: what the paper says, ours, and the verdicts

Nothing is executed for them, so a page is as new as its records (see `records`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from html import escape
from typing import Any, ClassVar

import forest
from docutils import nodes
from docutils.parsers.rst import directives
from records import PROFILE, shown, source, table
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tutorial_lib import profiles
from tutorial_lib.evidence import claims, registry
from tutorial_lib.evidence.claims import Claim, Verdict
from tutorial_lib.evidence.quantities import written
from tutorial_lib.evidence.shown import Source, complete

PAPERS = {"carlini_terzis": "Carlini & Terzis", "cleanclip": "CleanCLIP"}
SOURCES = PAPERS | {
    "verma2023effective": "Verma et al.",
    "singh2024par": "Singh et al.",
    "huang2025detecting": "Huang et al.",
    "feng2023decree": "Feng et al.",
    "jindal2026inspector": "Jindal et al.",
    "sun2026invertune": "Sun et al.",
    "yang2023roclip": "Yang et al., RoCLIP",
    "yang2024safeclip": "Yang et al., SafeCLIP",
    "ours": "ours",
}
#: A claim that another one's reason or change names.
ID = re.compile(rf"`?\b(?P<id>{'|'.join(sorted((claim.id for claim in claims.load()), key=len, reverse=True))})\b`?")
#: Words that a reader looks for; the rest are kinds of "not judged".
JUDGED = ("holds", "fails", "undecided")

LEGEND = (
    "Shaded: where the claim puts the quantity. Bar: 95 % interval over models. Dotted ring: the paper’s own number."
)

Parse = Callable[[str], list[nodes.Node]]
#: Text between tags, where quotes may stand.
text = partial(escape, quote=False)


def raw(html: str) -> nodes.raw:
    return nodes.raw("", html, format="html")


def word(verdict: Verdict) -> str:
    """The verdict's word for a style sheet."""
    return verdict.verdict.replace(" ", "-")


def group(verdict: Verdict) -> str:
    """The word by which a page is filtered."""
    return verdict.verdict if verdict.verdict in JUDGED else "not-judged"


def badge(verdict: Verdict) -> str:
    return f'<strong class="verdict verdict-{word(verdict)}">{verdict.verdict}</strong>'


def classes(verdict: Verdict) -> list[str]:
    """What the choices of a page look at."""
    claim = verdict.claim
    source = claim.source.replace("_", "-") if claim.source in PAPERS else "others"
    return [f"is-{group(verdict)}", f"by-{source}", f"is-{claim.role}"]


def numbers(verdict: Verdict) -> str:
    """The line again as a table."""
    claim, e = verdict.claim, verdict.estimate
    what, where = forest.asked(claim)
    rows = {"measured": what, "claimed": where}
    if e is not None:
        rows[f"ours ({verdict.profile})"] = forest.number(e.value)
        rows["95 % interval"] = f"{forest.number(e.low)} to {forest.number(e.high)}"
        rows["models"] = f"{e.n}"
    if claim.reported is not None:
        rows["the paper’s own number"] = forest.number(claim.reported)
    if (found := verdict.detectable) is not None:
        rows["detects (80 % power)"] = f"{forest.number(found, 2)} from a bound"
    if claim.margin:
        rows["margin"] = claim.margin
    if claim.quote:
        rows["the source’s words"] = f"“{claim.quote}”"
    rows["role"] = claim.role + ("" if claim.stated_by == "source" else "; the direction is ours")
    cells = "".join(f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>' for name, value in rows.items())
    return f'<table class="claim-numbers">{cells}</table>'


def line(verdict: Verdict, found: Source, parse: Parse, *, anchor: bool = False) -> nodes.container:
    """One claim: verdict, statement, interval over the allowed region; numbers and reasons folded.

    Args:
        found: the records that were judged.
        parse: makes nodes of MyST text.
        anchor: whether links may lead here.
    """
    claim = verdict.claim
    what, where = forest.asked(claim)
    head = (
        f'<p class="claim-says">{badge(verdict)} {text(claim.says)} '
        f'<span class="claim-place">({text(forest.place(claim))})</span></p>'
    )
    measure = f'<p class="claim-asks">{text(what)} <b>{text(where)}</b></p>'
    node = nodes.container(classes=["claim", *classes(verdict)])
    if anchor:
        node["ids"].append(anchor_of(claim))
    node += raw(f'{head}<div class="claim-line">{measure}{forest.strip(verdict)}</div>')
    node += raw(f"<details><summary>numbers and reasons</summary>{numbers(verdict)}")
    if verdict.why:
        node += nodes.container("", *parse(in_words(written(verdict.why, found))), classes=["claim-why"])
    node += raw("</details>")
    return node


def in_words(said: str) -> str:
    """A text in which claims are named by what they say, and no longer by their ids."""
    return ID.sub(lambda match: f"*{claims.get(match['id']).says}*", said)


def not_run(verdicts: list[Verdict]) -> nodes.raw:
    """Claims without records as one folded list: what was written down, and where all about it stands."""
    items = "".join(
        f'<li><a href="paper_beside_ours.html#{anchor_of(v.claim)}">{text(v.claim.says)}</a> '
        f'<span class="claim-place">({text(forest.place(v.claim))})</span></li>'
        for v in verdicts
    )
    many = "1 statement" if len(verdicts) == 1 else f"{len(verdicts)} statements"
    head = f"Written down before any record: {many}, not judged yet"
    return raw(f'<details class="claims-not-run"><summary>{head}</summary><ul>{items}</ul></details>')


def anchor_of(claim: Claim) -> str:
    """The name of its line on the page that has every claim."""
    return f"claim-{claim.id.replace('_', '-')}"


def legend(verdicts: Iterable[Verdict]) -> list[nodes.Node]:
    """What the signs of the drawings mean, where there is a drawing."""
    drawn = any(v.estimate is not None for v in verdicts)
    return [raw(f'<p class="claims-legend">{LEGEND}</p>')] if drawn else []


def lines(chosen: Iterable[Claim], parse: Parse, profile: str = PROFILE, *, whole: bool = False) -> nodes.container:
    """Claims below one another; those without records are one folded list.

    Args:
        parse: makes nodes of MyST text.
        profile: whose records are judged; by default those that the pages show.
        whole: a line for every claim, to which links may lead, also for those without records.
    """
    found = source(profile)
    judged = [claims.judge(claim, found) for claim in chosen]
    waiting = [] if whole else [v for v in judged if v.verdict == "not run"]
    those: list[nodes.Node] = [line(v, found, parse, anchor=whole) for v in judged if whole or v.verdict != "not run"]
    those += legend(judged)
    if waiting:
        those.append(not_run(waiting))
    return nodes.container("", *those, classes=["claims"])


class ClaimsDirective(SphinxDirective):
    """The named claims."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {"profile": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        try:
            chosen = [claims.get(name) for name in self.arguments[0].split()]
            return [lines(chosen, self.parse_text_to_nodes, self.options.get("profile", PROFILE))]
        except ValueError as error:
            raise self.error(str(error)) from error


#: Choices of a page: their name, and what each value is called. The style sheet knows the values.
CHOICES = {
    "verdict": {"all": "all", "holds": "holds", "fails": "fails", "undecided": "undecided", "not-judged": "not judged"},
    "source": {
        "all": "all",
        **{name.replace("_", "-"): title for name, title in PAPERS.items()},
        "others": "later work, and ours",
    },
    "role": {"all": "all", "confirmatory": "confirmatory"},
}


def choices(found: list[Verdict]) -> str:
    """Radio buttons; what they hide and show is a matter of the style sheet, so that they work from a folder."""
    out = []
    for name, values in CHOICES.items():
        buttons = []
        for value, title in values.items():
            key = {"verdict": "is", "source": "by", "role": "is"}[name] + f"-{value}"
            count = sum(value == "all" or key in classes(v) for v in found)
            checked = " checked" if value == "all" else ""
            buttons.append(
                f'<label><input type="radio" name="show-{name}" id="show-{name}-{value}"{checked}> '
                f"{text(title)} <small>{count}</small></label>"
            )
        out.append(f"<fieldset><legend>{name}</legend>{''.join(buttons)}</fieldset>")
    return f'<form class="claim-choices" aria-label="Which claims are shown">{"".join(out)}</form>'


class AtAGlance(SphinxDirective):
    """What holds and what does not, each a line that leads to its details."""

    def run(self) -> list[nodes.Node]:
        found = claims.judge_all(source())
        out: list[nodes.Node] = [raw(f'{choices(found)}<p class="claims-legend">{LEGEND}</p>')]
        order = (*JUDGED, *(w for w in claims.WORDS if w not in JUDGED))
        for kind in order:
            mine = [v for v in found if v.verdict == kind]
            if not mine:
                continue
            items = "".join(
                f'<li class="{" ".join(classes(v))}"><a href="#{anchor_of(v.claim)}">'
                f"{text(v.claim.says)}</a> <small>{text(origin(v.claim))}</small>"
                f"{forest.strip(v) if kind in JUDGED else ''}</li>"
                for v in mine
            )
            title = f"{badge(mine[0])} <small>{len(mine)} of {len(found)}</small>"
            opened = "" if kind not in JUDGED else " open"
            out.append(raw(f'<details class="glance"{opened}><summary>{title}</summary><ul>{items}</ul></details>'))
        return [*out, raw("<details><summary>by profile of the records</summary>"), counts(), raw("</details>")]


def origin(claim: Claim) -> str:
    """Who says it, and where: a claim of ours has a place that says so already."""
    place = forest.place(claim)
    return place if place.startswith(SOURCES[claim.source]) else f"{SOURCES[claim.source]}, {place}"


def counts() -> nodes.table:
    """How many claims have each verdict, by profile."""
    those = [p for p in profiles.NAMES if not profiles.get(p).references and p != "test"]
    counted = [claims.summary(claims.judge_all(source(profile))) for profile in those]
    rows: list[list[list[nodes.Node] | str] | nodes.row] = [
        [name, *(str(of[name]) for of in counted)] for name in claims.WORDS
    ]
    return table(["verdict", *those], rows, [40, *[20] * len(those)])


class PaperBesideOurs(SphinxDirective):
    """A section per figure: the records that the pages show, and folded the verdicts of other complete profiles."""

    def run(self) -> list[nodes.Node]:
        out: list[nodes.Node] = []
        for name in registry.names():
            module = registry.load(name)
            mine = [c for c in claims.load() if c.experiment == name]
            if not mine:
                continue
            section = nodes.section(ids=[name.replace("_", "-")], classes=["experiment"])
            section += nodes.title("", module.TITLE)
            section += nodes.paragraph("", "", nodes.strong("", "The paper: "), nodes.Text(module.PAPER + "."))
            first = source().behind(name).profile.name
            if complete(name, source(first).behind(name)):
                section += self.figures(name, first)
            section += lines(mine, self.parse_text_to_nodes, whole=True)
            for profile in profiles.NAMES:
                hidden = profile in ("test", first) or profiles.get(profile).references
                if not hidden and complete(name, source(profile).behind(name)):
                    section += raw(f'<details class="other-records"><summary>the profile {profile}</summary>')
                    section += lines(mine, self.parse_text_to_nodes, profile)
                    section += raw("</details>")
            section += self.changes(mine)
            out.append(section)
        return out

    def figures(self, name: str, profile: str) -> list[nodes.Element]:
        """The figures of an experiment, each with a number."""
        found = [shown(name, part, profile) for part in registry.plots(name)]
        for figure in found:
            if isinstance(figure, nodes.figure):
                self.state.document.set_id(figure, suggested_prefix="figure")
        return found

    def changes(self, mine: list[Claim]) -> list[nodes.Node]:
        """Which claims were changed later, and why."""
        told = [
            f"*Changed later: {claim.says}.* {change[0].upper()}{in_words(change[1:].rstrip('.'))}."
            for claim in mine
            for change in claim.changes
        ]
        if not told:
            return []
        return self.parse_text_to_nodes("\n\n".join(told))


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("claims", ClaimsDirective)
    app.add_directive("verdicts-at-a-glance", AtAGlance)
    app.add_directive("paper-beside-ours", PaperBesideOurs)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
