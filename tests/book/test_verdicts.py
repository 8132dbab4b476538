"""Claims as forest plots, and the page that begins with what holds and what does not."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup
from docutils import nodes

from tests.book import site
from tests.evidence.worlds import World
from tutorial_lib.evidence import claims
from tutorial_lib.evidence.shown import Shown

forest, verdicts = site.extension("forest"), site.extension("verdicts")
FOUND = claims.judge_all(Shown())
MEASURED = [verdict for verdict in FOUND if verdict.estimate is not None]


@pytest.fixture(scope="module")
def page() -> BeautifulSoup:
    return BeautifulSoup((site.HTML / "paper_beside_ours.html").read_text(), "html.parser")


def per_cent(text: str) -> float:
    return float(text.removesuffix("%"))


@pytest.mark.parametrize("verdict", MEASURED, ids=lambda v: v.claim.id)
def test_the_interval_lies_where_the_word_says(verdict: claims.Verdict) -> None:
    """In the drawing too: inside the shaded region where a claim holds, outside where it fails."""
    drawn = ElementTree.fromstring(forest.strip(verdict))
    interval = next(e for e in drawn if e.get("class") == "strip-interval")
    low, high = per_cent(interval.attrib["x1"]), per_cent(interval.attrib["x2"])
    middle = per_cent(next(e for e in drawn if e.get("class") == "strip-value").attrib["cx"])
    assert 0 <= low <= middle <= high <= 100
    assert verdict.verdict in drawn.attrib["aria-label"]
    allowed = next((e for e in drawn if e.get("class") == "strip-allowed"), None)
    if allowed is None:
        assert verdict.claim.kind == "exists"
        return
    left = per_cent(allowed.attrib["x"])
    right = left + per_cent(allowed.attrib["width"])
    if verdict.verdict == "holds":
        assert left - 0.2 <= low <= high <= right + 0.2
    if verdict.verdict == "fails":
        assert high <= left + 0.2 or low >= right - 0.2
    if verdict.verdict == "undecided" and not verdict.family:
        assert low < left < high or low < right < high


def test_a_share_of_models_is_a_count_between_none_and_all() -> None:
    mine = [v for v in MEASURED if v.claim.kind in ("share", "exists")]
    assert mine
    for verdict in mine:
        texts = [e.text for e in ElementTree.fromstring(forest.strip(verdict)) if e.tag == "text"]
        hits = next(int(text.split(" of ")[0]) for text in texts if text.endswith(f" of {verdict.estimate.n}"))
        assert hits == pytest.approx(verdict.estimate.value * verdict.estimate.n)
        assert "1" in texts


def test_a_difference_reads_as_one() -> None:
    assert forest.asked(claims.get("targeted_rises")) == ("success with the most poisons − success with one", "> 0.1")
    assert forest.asked(claims.get("targeted_three_succeed"))[1] == "between 0.25 and 0.55"
    for verdict in FOUND:
        what, where = forest.asked(verdict.claim)
        assert " less " not in what.replace(" less than ", " ")
        assert f"{forest.MINUS} than" not in what
        assert "-" not in where
    assert forest.place(claims.get("targeted_probe_falls_too")) == "section 4.3"
    slides = {forest.place(v.claim) for v in FOUND if v.claim.section.startswith("slides")}
    assert slides
    assert {place[: len("authors’ slides: ")] for place in slides} == {"authors’ slides: "}


def test_claims_without_records_are_one_folded_list_and_no_legend() -> None:
    chosen = [claims.get("backdoor_rises"), claims.get("backdoor_control")]
    nothing = World(attack_success=0.5, missing=lambda m: True)

    def made(source: object, *, whole: bool = False) -> BeautifulSoup:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(verdicts, "source", lambda _profile: source)
            node = verdicts.lines(chosen, lambda said: [nodes.paragraph("", said)], whole=whole)
        return BeautifulSoup("".join(raw.astext() for raw in node.findall(nodes.raw)), "html.parser")

    folded = made(nothing)
    assert not folded.select(".claim-says, .claims-legend, .strip")
    assert not folded.details.has_attr("open")
    assert folded.summary.text == "Written down before any record: 2 statements, not judged yet"
    assert [item.a.text for item in folded.select("li")] == [claim.says for claim in chosen]
    assert [item.a["href"].split("#")[1] for item in folded.select("li")] == [
        "claim-backdoor-rises",
        "claim-backdoor-control",
    ]
    assert len(made(nothing, whole=True).select(".claim-says")) == 2
    measured = made(Shown())
    assert len(measured.select(".claim-says")) == len(measured.select(".strip")) == 2
    assert len(measured.select(".claims-legend")) == 1
    assert not measured.select(".claims-not-run")


def test_the_page_begins_with_what_holds_and_what_does_not(page: BeautifulSoup) -> None:
    article = page.select_one("article")
    assert article is not None
    parts = article.select(".glance, h2")
    assert [part.name for part in parts][:3] == ["details"] * 3
    shown = {part.select_one(".verdict").text: len(part.select("li")) for part in article.select(".glance")}
    assert list(shown)[:3] == ["holds", "fails", "undecided"]
    assert shown == {word: n for word, n in claims.summary(FOUND).items() if n}


def test_every_line_leads_to_its_claim(page: BeautifulSoup) -> None:
    links = page.select(".glance li a")
    assert len(links) == len(FOUND)
    for link in links:
        line = page.find(id=str(link["href"]).removeprefix("#"))
        assert line is not None
        assert link.text in line.select_one(".claim-says").text
        assert set(link.parent["class"]) <= set(line["class"])


def test_numbers_and_reasons_are_folded_below_the_verdict(page: BeautifulSoup) -> None:
    lines = page.select(".claim")
    assert len(lines) >= len(FOUND)
    for line in lines:
        assert line.select_one("p").select_one(".verdict") is not None
        folded = line.select_one("details")
        assert folded is not None
        assert not folded.has_attr("open")
        assert folded.select_one("table.claim-numbers") is not None


def test_the_choices_work_from_a_folder_without_a_script(unscripted: site.Unscripted) -> None:
    page = unscripted((site.HTML / "paper_beside_ours.html").as_uri(), width=390)

    def seen(selector: str) -> int:
        """How many take any room: they are hidden by `display: none` alone."""
        return page.locator(f"{selector}:visible").count()

    everything = seen(".claim")
    assert everything >= len(FOUND)
    page.locator("label:has(#show-verdict-fails)").click()
    failing = sum(verdict.verdict == "fails" for verdict in FOUND)
    assert seen(".claim") == seen(".claim.is-fails") == failing
    assert seen(".glance li") == failing
    assert seen("section.experiment") == len({v.claim.experiment for v in FOUND if v.verdict == "fails"})
    page.locator("label:has(#show-source-cleanclip)").click()
    both = [v for v in FOUND if v.verdict == "fails" and v.claim.source == "cleanclip"]
    assert seen(".claim") == len(both)
    page.locator("label:has(#show-verdict-all)").click()
    page.locator("label:has(#show-source-all)").click()
    assert seen(".claim") == everything


@pytest.mark.parametrize("verdict", FOUND, ids=lambda v: v.claim.id)
def test_the_origin_names_its_source_once(verdict: claims.Verdict) -> None:
    said = verdicts.origin(verdict.claim)
    assert said.startswith(verdicts.SOURCES[verdict.claim.source])
    assert said.count("ours") <= 1


@pytest.mark.parametrize("verdict", [v for v in FOUND if v.claim.quote], ids=lambda v: v.claim.id)
def test_the_words_of_the_source_stand_beside_ours(verdict: claims.Verdict) -> None:
    assert f"<td>“{verdicts.text(verdict.claim.quote)}”</td>" in verdicts.numbers(verdict)


def test_a_reason_names_claims_by_what_they_say() -> None:
    assert verdicts.in_words("see cc_badnets_works; as `backdoor_rises` has it") == (
        f"see *{claims.get('cc_badnets_works').says}*; as *{claims.get('backdoor_rises').says}* has it"
    )


def test_no_page_shows_a_claims_id(page: BeautifulSoup) -> None:
    said = page.select_one("article").get_text()
    assert [claim.id for claim in claims.load() if re.search(rf"\b{claim.id}\b", said)] == []
