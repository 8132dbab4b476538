"""Who is who: an attacker is *they*, a defender *she*, in whatever the pages say."""

from __future__ import annotations

import re

import pytest

from tests.book import site
from tutorial_lib import places

TEXTS = {
    path.name: path.read_text()
    for path in (*site.BOOK.glob("*.md"), site.BOOK / "answers.yml", places.PACKAGE / "evidence" / "claims.yml")
}
ATTACKER, DEFENDER = (re.compile(rf"\b{word}s?\b", re.IGNORECASE) for word in ("attacker", "defender"))
#: Words for the one that nobody uses for the other. A defender's sentence may have *they*, of pairs or of models.
NOT_THEY = re.compile(r"\b(she|hers?|herself|he|his|him|himself)\b", re.IGNORECASE)
NOT_SHE = re.compile(r"\b(he|his|him|himself|their own|themselves)\b", re.IGNORECASE)


def sentences(text: str) -> list[str]:
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [" ".join(s.split()) for s in re.split(r"(?<=[.!?:])\s+|\n\s*\n|\n[-#|] ?", prose)]


def wrong(text: str) -> list[str]:
    """Sentences of one of the two with a word that is not theirs."""
    alone = [(s, ATTACKER.search(s), DEFENDER.search(s)) for s in sentences(text)]
    return [s for s, a, d in alone if (a and not d and NOT_THEY.search(s)) or (d and not a and NOT_SHE.search(s))]


@pytest.mark.parametrize("name", TEXTS)
def test_an_attacker_is_they_and_a_defender_she(name: str) -> None:
    assert wrong(TEXTS[name]) == []


def test_a_wrong_word_is_seen() -> None:
    assert wrong("The attacker adds pairs.\nShe is patient. An attacker who knows her target, wins.") == [
        "An attacker who knows her target, wins."
    ]
    assert wrong("A defender has what he trusts. A defender who keeps what she trusts.") == [
        "A defender has what he trusts."
    ]
    assert wrong("What the attacker adds, a defender finds among her pairs.") == []
