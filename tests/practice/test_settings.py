"""Settings by name: unknown ones and wrong types are refused in words."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from tutorial_lib.plugins import Kind
from tutorial_lib.practice.settings import check, names


@dataclass(frozen=True)
class Thing(Kind):
    kind: ClassVar[str] = "thing"

    must: int
    share: float = 0.5
    many: int = 2
    loud: bool = False
    word: str = "x"
    seed: int | None = None


def test_names_leave_out_what_is_asked_for():
    assert names(Thing, without=("must", "seed")) == ("share", "many", "loud", "word")


@pytest.mark.parametrize(
    "settings",
    [{"share": 1}, {"share": 0.25}, {"many": 3}, {"loud": True}, {"word": "y"}, {"seed": 4}, {"must": "anything"}, {}],
)
def test_values_of_the_type_of_the_default_pass(settings):
    check(Thing, settings, names(Thing))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"share": "much"}, "share of thing is a number, not 'much'"),
        ({"share": True}, "share of thing is a number, not True"),
        ({"many": 2.5}, "many of thing is a whole number, not 2.5"),
        ({"many": True}, "many of thing is a whole number, not True"),
        ({"loud": 1}, "loud of thing is true or false, not 1"),
        ({"many": 10**23}, "many of thing is a number of at most 4294967295, not 1000"),
        ({"word": 7}, "word of thing is a word, not 7"),
        ({"size": 7}, "thing has no setting size; it has must, share, many, loud, word, seed"),
    ],
)
def test_other_values_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        check(Thing, settings, names(Thing))


def test_a_class_without_settings_says_so():
    with pytest.raises(ValueError, match="thing has no setting size; it has none beside its recipe"):
        check(Thing, {"size": 7}, (), beside=" beside its recipe")
