"""Attacks by name: every one that extends the base of those on pairs, its own settings, and nobody else's."""

from dataclasses import fields
from pathlib import Path

import pytest
from PIL import Image

from tutorial_lib.attacks import ATTACKS, Backdoor, Targeted, TextBackdoor
from tutorial_lib.practice.attack import OF_TRIALS, OnePicture, chosen_attack, kinds, settings_of, trigger_of
from tutorial_lib.triggers import Blended, Checkerboard


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("RGB", (8, 8)).save(tmp_path / "cat.png")
    return tmp_path / "cat.png"


def test_every_attack_on_pairs_can_be_chosen(picture: Path) -> None:
    assert set(kinds()) == set(ATTACKS) - {"together"}  # its parts are
    for kind in kinds():
        made = chosen_attack(kind, 4, "cactus", {"image": picture} if kind == "targeted" else {})
        assert (made.kind, made.count, made.target) == (kind, 4, "cactus")
        assert {f.name for f in fields(made)} == {*settings_of(kind), "count", "target"} | (
            set(OF_TRIALS) if kind == "backdoor" else set()
        )
    assert OnePicture.kind == Targeted.kind


def test_settings_arrive() -> None:
    made = chosen_attack("backdoor", 4, "cactus", {"select": "named", "trigger": Blended(), "cover": 0})
    assert made == Backdoor(4, "cactus", select="named", trigger=Blended())
    assert chosen_attack("text-backdoor", 4, "cactus", {"word": "qux"}) == TextBackdoor(4, "cactus", "qux")
    assert trigger_of(made) == Blended()
    assert trigger_of(chosen_attack("backdoor", 4, "cactus", {})) == Checkerboard()


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("star", {}, "there is no attack 'star' on pairs; choose from backdoor, text-backdoor, targeted"),
        ("backdoor", {"word": "x"}, "backdoor has no setting word; it has captions, trigger, select, cover"),
        ("backdoor", {"diagonal": True}, "backdoor has no setting diagonal"),
        ("backdoor", {"cover": "many"}, "cover of backdoor is a whole number, not 'many'"),
        ("backdoor", {"select": "named", "captions": "prompts"}, "captions of a backdoor has no effect where select"),
        ("text-backdoor", {"cover": 3}, "text-backdoor has no setting cover; it has word"),
        ("text-backdoor", {"word": " "}, "is empty"),
        ("text-backdoor", {"captions": "search"}, "text-backdoor has no setting captions"),
        ("targeted", {}, "a targeted attack needs `image`"),
        ("targeted", {"image": "nowhere.png"}, "there is no picture nowhere.png"),
        ("targeted", {"trigger": Checkerboard()}, "targeted has no setting trigger; it has image, captions"),
    ],
)
def test_settings_of_others_and_wrong_values_are_refused(kind: str, settings: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        chosen_attack(kind, 4, "banana", settings)


def test_a_target_and_a_poison_are_needed() -> None:
    with pytest.raises(ValueError, match="the target is empty"):
        chosen_attack("backdoor", 4, " ", {})
    with pytest.raises(ValueError, match="at least 1 poison is needed, not 0"):
        chosen_attack("backdoor", 0, "banana", {})
