"""The answers of the course: each sentence stands under verdicts, and no number in it was typed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from bs4 import BeautifulSoup
from docutils import nodes

from tests.book import site
from tutorial_lib import profiles
from tutorial_lib.course import chapters
from tutorial_lib.evidence import claims, registry
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.statistics import estimate_mean
from tutorial_lib.experiments import fig2_right

texts, answers = site.extension("answer_texts"), site.extension("answers")
FOUND = texts.load()
KEYS = list(FOUND)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """A file with one answer; keywords change its fields."""

    def written(**changes: Any) -> Path:
        entry = {"question": "Is it?", "answer": ["It is."], "unknown": "Much."} | changes
        constants = {"paper": {"say": "3 of 3 million", "source": "section 4.2"}}
        path = tmp_path / "answers.yml"
        path.write_text(yaml.safe_dump({"constants": constants, "answers": {"backdoors": entry}}))
        return path

    return written


@pytest.mark.parametrize("key", KEYS)
def test_every_sentence_is_true_of_the_records(key: str) -> None:
    """A verdict that has changed stops here, and names the sentence that is no longer true."""
    said = texts.texts(FOUND[key])
    assert len(said) == len(FOUND[key].sentences)
    assert not any("{" in sentence or "nan" in sentence for sentence in said)
    assert all(sentence.endswith((".", "?")) for sentence in (*said, *texts.open_ends(FOUND[key])))


@pytest.mark.parametrize("key", KEYS)
def test_an_answer_is_short(key: str) -> None:
    """One screen: a student reads it at once."""
    words = " ".join([*texts.texts(FOUND[key]), FOUND[key].not_known(), *texts.open_ends(FOUND[key])]).split()
    assert 40 <= len(words) <= 280


def test_the_words_follow_the_verdict() -> None:
    answer = FOUND["targeted_poisoning"]
    now = texts.texts(answer)

    def verdict(claim: str) -> str:
        return "fails" if claim == "picture_moves" else texts.verdict_of(claim)

    then = texts.texts(answer, verdict)
    changed = [(a, b) for a, b in zip(now, then, strict=True) if a != b]
    assert changed == [
        ("What gives way is the picture, more than the captions.", "The captions give way rather than the picture.")
    ]


@pytest.mark.parametrize("key", [key for key in KEYS if FOUND[key].rests_on()])
def test_a_verdict_that_no_sentence_foresees_is_refused(key: str) -> None:
    """Each answer leans on its claims: a word that the file does not know stops the build."""
    leaning = [claim for versions in FOUND[key].sentences for sentence in versions for claim in sentence.when]
    if not leaning:
        return
    with pytest.raises(texts.AnswerError, match=r"no sentence of the answer .* is true:\n.* is 'gone' now"):
        texts.texts(FOUND[key], lambda claim: "gone" if claim == leaning[0] else texts.verdict_of(claim))


def test_no_records_refuse_a_sentence(monkeypatch: pytest.MonkeyPatch, write: Callable[..., Path]) -> None:
    entry = {"say": "{x} %", "when": {"backdoor_rises": "holds"}}
    answer = texts.load(write(answer=[entry], numbers={"x": "fig2_right.successes(128) %"}))["backdoors"]
    assert len(texts.texts(answer)) == 1
    monkeypatch.setattr(texts, "number", lambda text: None)
    with pytest.raises(texts.AnswerError, match="x has no records"):
        texts.texts(answer)


def test_numbers_are_those_of_the_records() -> None:
    results = texts.reference("fig2_right")
    most = results.profile.counts[-1]
    found = texts.number(f"fig2_right.successes({most}) %.1f")
    values = list(fig2_right.successes(results, most).values())
    expected = estimate_mean(values)
    assert f"{found}" == f"{100 * expected.value:.1f}"
    assert expected.high > 1  # which no share can be
    assert (f"{found.low}", f"{found.high}") == (f"{100 * expected.low:.1f}", "100.0")
    assert found.models == len(values)
    judged = claims.judge(claims.get("text_tower_attacked"), texts.reference("text_tower")).estimate
    share = texts.number("text_tower_attacked")
    assert share.hits == round(judged.value * judged.n)
    assert (
        f"{texts.number('duplicates_evaded %'):abs}"
        == f"{abs(100 * texts.judged('duplicates_evaded').estimate.value):.0f}"
    )


def test_settings_are_those_of_the_reference_profile() -> None:
    profile = texts.reference("fig2_right").profile
    assert texts.setting("fig2_right.profile.counts[-1]") == profile.counts[-1]
    assert texts.setting("fig4.DOSES.few") == registry.load("fig4").DOSES[texts.reference("fig4").profile].few
    counts = registry.load("fig2_left").counts(texts.reference("fig2_left").profile)
    assert texts.setting("fig2_left.counts[1]") == counts[1]
    assert texts.setting("detect_pairs.WORST") == registry.load("detect_pairs").WORST
    with pytest.raises(texts.AnswerError, match=r"is not experiment\.NAME"):
        texts.setting("fig4")


@pytest.mark.parametrize("text", ["In 95 % of pictures.", "Thirty of them.", "It takes half of them.", "Of 4 models."])
@pytest.mark.parametrize("field", ["answer", "unknown"])
def test_a_typed_number_is_refused(text: str, field: str, write: Callable[..., Path]) -> None:
    with pytest.raises(texts.AnswerError, match="a number that was typed"):
        texts.load(write(**{field: [text] if field == "answer" else text}))


def test_a_year_and_a_constant_are_no_measurements(write: Callable[..., Path]) -> None:
    answer = texts.load(write(answer=["As in 2022."], unknown="Beyond {paper}."))["backdoors"]
    assert texts.texts(answer) == ["As in 2022."]
    assert answer.not_known() == "Beyond 3 of 3 million."


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"numbers": {"x": "fig2_right.control %"}, "answer": ["It is {x} %."]}, "numbers and no condition"),
        ({"answer": ["It is {x} %."]}, "has no number 'x'"),
        ({"unknown": "As {lost}."}, "has no number 'lost'"),
        ({"answer": [{"say": "It is.", "when": {"no_such_claim": "holds"}}]}, "no_such_claim"),
        ({"answer": [{"say": "It is.", "when": {"backdoor_rises": "wins"}}]}, "a verdict that does not exist"),
        ({"answer": [{"say": "It is.", "if": "holds"}]}, "unknown fields: if"),
        ({"colour": "red"}, "unknown fields: colour"),
        ({"asks": ["no_such_claim"]}, "no_such_claim"),
        ({"shows": "no_such_claim"}, "no_such_claim"),
    ],
)
def test_an_entry_that_means_nothing_is_refused(
    changes: dict[str, Any], message: str, write: Callable[..., Path]
) -> None:
    with pytest.raises(ValueError, match=message):
        texts.load(write(**changes))


def test_an_entry_needs_its_fields_and_a_constant_its_source(tmp_path: Path) -> None:
    path = tmp_path / "answers.yml"
    path.write_text(yaml.safe_dump({"constants": {}, "answers": {"a": {"question": "Is it?", "answer": ["Yes."]}}}))
    with pytest.raises(texts.AnswerError, match="the answer 'a' lacks 'unknown'"):
        texts.load(path)
    path.write_text(yaml.safe_dump({"constants": {"n": {"say": "300"}}, "answers": {}}))
    with pytest.raises(texts.AnswerError, match="the constant 'n' needs"):
        texts.load(path)


@pytest.mark.parametrize(
    ("where", "true"),
    [
        ("a < b", True),
        ("b < a", False),
        ("0 < a < b", True),
        ("a < b < 1", False),
        ("a < b and b >= 2", True),
        ("a > b and b >= 2", False),
        ("b < a + 5", True),
        ("a - 5 > b", False),
        ("a > -1", True),
    ],
)
def test_a_comparison_is_of_numbers(where: str, true: bool) -> None:
    assert texts._true(where, {"a": 1, "b": 2}) is true


@pytest.mark.parametrize("where", ["a", "not a < b", "f(a) < b"])
def test_nothing_else_is_a_condition(where: str) -> None:
    with pytest.raises(ValueError, match=r"no comparison of numbers|malformed"):
        texts._true(where, {"a": 1, "b": 2})


def test_what_no_sentence_speaks_of_is_told_by_its_verdict() -> None:
    answer = FOUND["placement_and_count"]
    words = {"many_random_better": "undecided", "many_constant_in_data": "fails", "few_degrade_in_data": "undecided"}
    words |= {"placements_cross": "fails"}
    crossing, first, second, third = (claims.get(claim).says for claim in answer.asks)
    assert texts.open_ends(answer, words.__getitem__) == [
        f"It fails in our models that {crossing}; that {second}.",
        f"Our models leave open whether {first}; whether {third}.",
    ]
    assert set(texts.TOLD) == set(claims.WORDS)


@pytest.mark.parametrize("key", KEYS)
def test_an_answer_closes_its_page(key: str) -> None:
    """Where the chapter sums up; and a page that has the answer's name opens with its question."""
    text = (site.BOOK / f"{FOUND[key].page}.md").read_text()
    assert text.count(f"```{{answer}} {key}\n```") == 1
    end = "## The answer" if "## The answer" in text else "## What we have seen"
    assert text.index(end) < text.index(f"```{{answer}} {key}\n") < text.index("## Check yourself")
    if key == FOUND[key].page:
        assert f"# *{FOUND[key].question}* " in " ".join(re.sub(r"(?m)^# .*$", "#", text).split())


@pytest.mark.parametrize("path", chapters.chapters(), ids=lambda path: path.stem)
def test_a_chapter_with_an_answer_opens_with_a_figure(path: Path) -> None:
    """Below its question, above everything else; or, where code draws it, before the first section."""
    text = path.read_text()
    if path.stem in FOUND and "```{answer}" in text:
        drawn = re.search(r"^# .+\n\n(?:\*[^*]+\*)\n\n```\{(drawing|live-figure)\}", text, re.M)
        assert drawn or "\n:name: fig-" in text[: text.index("\n## ")]


@pytest.mark.parametrize("profile", ["cpu", "laptop", "gpu", "paper"])
def test_numbers_and_settings_can_be_asked_of_other_profiles(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The records that pages show move from one profile to the next: what it lacks is missing, and no error."""
    monkeypatch.setattr(texts.records, "source", lambda: Results(profiles.get(profile)))
    for answer in texts.load().values():
        assert all(found is None or found.models > 0 for found in map(texts.number, answer.numbers.values()))


def test_the_answers_follow_the_course() -> None:
    order = [site.page_names().index(answer.page) for answer in FOUND.values()]
    assert order == sorted(order)


def test_a_notebook_has_the_same_words() -> None:
    shown = answers.markdown("backdoors")
    for sentence in texts.texts(FOUND["backdoors"]):
        assert sentence in shown
    assert all(line.startswith(">") for line in shown.splitlines())
    plain = site.extension("plain_markdown").plain
    assert plain("```{answer} backdoors\n```", lambda role, text: text) == shown.strip()
    with pytest.raises(texts.AnswerError, match="there is no answer 'nothing'; there are contrastive_learning"):
        answers.markdown("nothing")


def test_what_an_answer_rests_on_is_listed_with_verdicts_and_intervals() -> None:
    html = BeautifulSoup(answers.evidence(FOUND["backdoors"]), "html.parser")
    assert [badge.text for badge in html.select(".verdict")] == list(
        map(texts.verdict_of, FOUND["backdoors"].rests_on())
    )
    assert len(html.select("li")) == len(FOUND["backdoors"].rests_on()) + len(FOUND["backdoors"].numbers)
    successes = fig2_right.successes(texts.reference("fig2_right"), 128)
    assert f"{len(successes)} models" in html.text
    assert answers.evidence(FOUND["contrastive_learning"]) == ""


class Page(answers.AnswersDirective):
    """The directive without a page around it."""

    def __init__(self) -> None:
        self.arguments = ["backdoors"]

    def parse_text_to_nodes(self, text: str) -> list[nodes.Node]:
        return [nodes.paragraph("", text)]


def test_the_box_asks_and_answers() -> None:
    box = Page().box(FOUND["backdoors"])
    assert "answer" in box["classes"]
    said = box.astext()
    assert said.index("The answer") < said.index(FOUND["backdoors"].question) < said.index("Not known.")
    for sentence in texts.texts(FOUND["backdoors"]):
        assert sentence in said
    assert said.count('<div role="note"') == said.count("</div>") == 1


def test_the_page_of_all_answers_has_a_section_for_each() -> None:
    """Its title is the question, which the box then does not repeat."""
    section = Page().section(FOUND["backdoors"])
    assert section.children[0].astext() == FOUND["backdoors"].question
    assert section.astext().count(FOUND["backdoors"].question) == 1
    assert "[](backdoors.md)" in section.astext()
    assert "```{answers}" in (site.BOOK / "what_we_know.md").read_text()


@pytest.mark.parametrize("key", KEYS)
def test_the_built_pages_have_the_box(key: str) -> None:
    """In its chapter, with the question, and on the page of all answers, where the question is the heading."""
    for name in (FOUND[key].page, "what_we_know"):
        page = BeautifulSoup((site.HTML / f"{name}.html").read_text(), "html.parser")
        box = page.find(id=f"answer-{key.replace('_', '-')}")
        assert box is not None, name
        said = " ".join(box.get_text().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split())
        assert texts.texts(FOUND[key])[0] in said
        assert (FOUND[key].question in said) == (name != "what_we_know")
        assert len(box.select("[role=note] > ul > li")) == len(FOUND[key].sentences) - 1
