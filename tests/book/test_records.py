"""Figures, numbers and verdicts in the pages are those of the committed records."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tests.book import site
from tutorial_lib.evidence import claims, power, quantities, registry
from tutorial_lib.evidence.shown import Shown, complete
from tutorial_lib.evidence.statistics import estimate_mean
from tutorial_lib.experiments import fig2_right

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "_build" / "html"


@pytest.fixture(scope="module")
def extension():
    return site.extension("records")


def page(name: str) -> str:
    return (PAGES / f"{name}.html").read_text()


def test_a_number_in_the_text_is_the_mean_over_recorded_models(extension):
    estimate, scale, form = extension.quantity("fig2_right.successes(128) %.1f")
    found = list(fig2_right.successes(Shown().behind("fig2_right"), 128).values())
    assert estimate.value == estimate_mean(found).value
    assert (scale, form) == (100.0, ".1f")
    assert f">{100 * estimate.value:.1f}<" in page("backdoors")


@pytest.mark.parametrize("text", ["fig2_right", "fig2_right.success of", "fig9.x", "fig2_right.nothing"])
def test_quantities_that_do_not_exist_are_refused(extension, text):
    with pytest.raises(ValueError, match=r"is not module|there is no figure|has no quantity"):
        extension.quantity(text)


def test_every_cell_from_records_is_understood(extension):
    for path in sorted((ROOT / "book").glob("*.md")):
        for cell in re.findall(r"```\{code-cell\}[^`]*from-records[^`]*```", path.read_text()):
            match = extension.CALL.search(cell)
            assert match, f"{path.name}: {cell}"
            assert hasattr(registry.load(match[1]), match[2] or "plot")


def test_every_claim_stands_beside_the_paper_with_its_verdict():
    html = page("paper_beside_ours")
    for claim in claims.load():
        assert claim.says.replace("'", "’") in html.replace("'", "’")
    soup = BeautifulSoup(html, "html.parser")
    for others in soup.select(".other-records"):
        others.decompose()
    words = [e.text for e in soup.select(".claim .claim-says strong.verdict")]
    counted = claims.summary(claims.judge_all(Shown()))
    assert {word: words.count(word) for word in claims.WORDS} == counted


def test_every_verdict_says_why_whatever_it_is():
    source = Shown()
    rows = BeautifulSoup(page("paper_beside_ours"), "html.parser").select(".claim .claim-why")
    shown = {typed(row.text) for row in rows}
    for verdict in claims.judge_all(source):
        if verdict.estimate is not None:
            said = site.extension("verdicts").in_words(quantities.written(verdict.why, source))
            assert typed(said) in shown, verdict.claim.id
        if verdict.verdict in ("fails", "undecided"):
            explained = verdict.claim.why and verdict.claim.explains == verdict.profile
            assert explained or "Holm's correction" in verdict.why, f"{verdict.claim.id} is not explained"


def typed(text: str) -> str:
    """Words as on a keyboard: without the signs that Sphinx makes of quotes, and without markup."""
    for sign, plain in (("“", '"'), ("”", '"'), ("’", "'"), ("`", ""), ("*", "")):
        text = text.replace(sign, plain)
    return " ".join(text.split())


def test_the_page_of_statistics_lists_the_family_and_the_power_of_every_claim():
    text = typed(BeautifulSoup(page("statistics"), "html.parser").text)
    family = claims.family("cpu")
    assert f"{len(family)} of {len(claims.load())} claims are confirmatory" in text
    for claim in family:
        assert typed(claim.says) in text
    for plan in power.plans():
        assert typed(f"{plan.claim.says} ({plan.claim.role})") in text


def test_later_changes_of_predicates_are_told():
    text = typed(BeautifulSoup(page("paper_beside_ours"), "html.parser").text)
    told = [change for claim in claims.load() for change in claim.changes]
    assert told
    for change in map(site.extension("verdicts").in_words, told):
        assert typed(change[0].upper() + change[1:])[:60] in text


def test_every_experiment_with_records_is_drawn_beside_the_paper():
    html = page("paper_beside_ours")
    source = Shown()
    drawn = 0
    for name in registry.names():
        if any(c.experiment == name for c in claims.load()):
            assert f'id="{name.replace("_", "-")}"' in html
            drawn += complete(name, source.behind(name))
    assert drawn
    assert html.count('class="plotly-embed"') >= drawn


def test_chapters_tell_nothing_that_was_not_run():
    for name in site.page_names():
        assert "(not run yet)" not in page(name), name


def test_state_changes_with_the_records(extension, tmp_path, monkeypatch):
    before = extension.state()
    (tmp_path / "pilot").mkdir()
    (tmp_path / "pilot" / "x.jsonl").write_text("{}\n")
    monkeypatch.setattr(extension.places, "results", lambda: tmp_path)
    assert extension.state() != before
