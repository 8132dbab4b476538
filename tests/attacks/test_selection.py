"""Which pictures an attacker uses, against a loop over pairs."""

import pytest
import torch

from tutorial_lib.attacks.selection import excluded, showing, unseen_classes

CAPTIONS = ("a banana", "a dog", "my BANANA bread", "a cat", "bananas", "a moon", "a dog, a banana")
#: Classes of their pictures; of two of them nobody knows.
SHOWN = (2, 0, 2, 4, 1, -1, -1)


@pytest.mark.parametrize("target", [0, 3, 8, 9])
def test_every_fourth_class_is_kept_for_the_test_and_never_the_target(target: int) -> None:
    assert unseen_classes(10, target).tolist() == [c for c in (0, 4, 8) if c != target]


@pytest.mark.parametrize("select", ["others", "label-consistent", "named"])
@pytest.mark.parametrize("unseen", [(), (0, 4)])
def test_excluded_pairs_are_those_of_the_loop(select: str, unseen: tuple[int, ...]) -> None:
    found = excluded(select, CAPTIONS, "banana", shown=torch.tensor(SHOWN), target=2, unseen=torch.tensor(unseen))
    for out, caption, shown in zip(found.tolist(), CAPTIONS, SHOWN, strict=True):
        used = {
            "others": shown != 2 and shown not in unseen,
            "label-consistent": shown == 2,
            "named": "banana" in caption.lower(),
        }
        assert out != used[select], caption


def test_without_classes_captions_tell() -> None:
    named = [True, False, True, False, True, False, True]
    assert excluded("others", CAPTIONS, "Banana").tolist() == named
    assert excluded("named", CAPTIONS, "Banana").tolist() == [not n for n in named]
    with pytest.raises(ValueError, match="label-consistent poisons need pictures with class labels"):
        excluded("label-consistent", CAPTIONS, "banana")


def test_a_class_tells_before_captions_do() -> None:
    named = [True, False, True, False, True, False, True]
    assert showing(CAPTIONS, "Banana").tolist() == named
    assert showing(CAPTIONS, "banana", shown=torch.tensor(SHOWN), target=4).tolist() == [s == 4 for s in SHOWN]
    assert showing(CAPTIONS, "banana", shown=torch.full((7,), -1), target=2).tolist() == named
