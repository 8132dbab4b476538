"""Easy data augmentation: four operations, seeded, keyed by word and by nothing else."""

import hashlib
import random
from collections import Counter

import pytest

from tutorial_lib.training.text_augment import (
    SYNONYMS,
    augment,
    augment_all,
    delete_words,
    insert_synonyms,
    replace_synonyms,
    swap_words,
    synonyms,
)

CAPTION = "a small picture of the dog, smiling"


def draws(n: int = 200):
    return [random.Random(seed) for seed in range(n)]


def test_the_table_is_pinned():
    """Trials depend on it: another table needs another RECIPE_VERSION."""
    assert hashlib.sha256(SYNONYMS.read_bytes()).hexdigest()[:12] == "be85c5f3e117"


def test_the_table_is_of_single_words_and_has_no_grammar():
    table = synonyms()
    assert len(table) > 2000
    assert all(w.isalpha() and w not in others for w, others in table.items())
    assert not {"a", "the", "of", "in"} & table.keys()
    assert "little" in table["small"]


def test_synonyms_replace_only_words_that_have_some():
    words = CAPTION.split()
    for draw in draws():
        out = replace_synonyms(words, 1, draw)
        changed = [(a, b) for a, b in zip(words, out, strict=True) if a != b]
        assert len(changed) == 1
        old, new = (w.strip(",") for w in changed[0])
        assert new in synonyms()[old]
        assert changed[0][0].endswith(",") == changed[0][1].endswith(",")


def test_insertions_are_synonyms_of_words_that_are_there():
    words = CAPTION.split()
    allowed = {s for w in words for s in synonyms().get(w.strip(","), [])}
    for draw in draws():
        out = insert_synonyms(words, 1, draw)
        left = list(out)
        for w in words:
            left.remove(w)
        assert len(out) == len(words) + 1
        assert left[0] in allowed


def test_swaps_keep_the_words_and_move_two():
    words = CAPTION.split()
    for draw in draws():
        out = swap_words(words, 1, draw)
        assert Counter(out) == Counter(words)
        assert sum(a != b for a, b in zip(words, out, strict=True)) == 2


def test_deletions_have_the_rate_and_leave_a_word():
    words = ["w"] * 50
    kept = sum(len(delete_words(words, 0.1, draw)) for draw in draws(400)) / (400 * 50)
    assert kept == pytest.approx(0.9, abs=0.01)
    assert delete_words(["one"], 1.0, random.Random(0)) == ["one"]


def test_each_operation_is_drawn_a_quarter_of_the_time():
    """Told apart by what they do to eight words, of which only the first has synonyms, of one word each."""
    single = next(w for w, others in synonyms().items() if all(" " not in s for s in others))
    words = [single, *(f"q{k}" for k in range(7))]
    kinds = Counter()
    for seed in range(2000):
        out = augment(" ".join(words), random.Random(seed), alpha=0.15).split()
        if len(out) == 9:
            kinds["insert"] += 1
        elif sorted(out) == sorted(words) and out != words:
            kinds["swap"] += 1
        elif len(out) == 8 and out[0] in synonyms()[single] and out[1:] == words[1:]:
            kinds["replace"] += 1
        else:
            kinds["delete"] += 1  # none or several words
    assert kinds.keys() == {"insert", "swap", "replace", "delete"}
    assert all(n == pytest.approx(500, abs=90) for n in kinds.values())


@pytest.mark.parametrize("caption", ["", "x", "of the", "!?", "狐"])
def test_captions_too_short_to_change_stay(caption):
    for draw in draws(40):
        assert Counter(augment(caption, draw).split()) <= Counter(caption.split())


def test_it_is_a_function_of_captions_and_seed():
    captions = [CAPTION] * 20
    assert augment_all(captions, 3) == augment_all(captions, 3)
    assert augment_all(captions, 3) != augment_all(captions, 4)
    assert len(set(augment_all(captions, 3))) > 5


def test_alpha_is_a_share():
    with pytest.raises(ValueError, match=r"in \[0, 1\], not 2"):
        augment("a b", random.Random(0), alpha=2)
    long = " ".join(["dog"] * 40)
    assert max(len(augment(long, d, alpha=0.5).split()) for d in draws(40)) >= 60
