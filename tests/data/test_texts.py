"""Texts: a tuple of strings in every way that is used, and smaller."""

import operator
import random
import string
import sys

import pytest
import torch

from tutorial_lib.data import texts as module
from tutorial_lib.data.texts import Texts, taken

WORDS = ("", "a dog", "ein Bär", "日本語 🐕", " ", "a\nline", "x" * 300)


def some(n: int, seed: int = 0) -> tuple[str, ...]:
    draw = random.Random(seed)
    return tuple(draw.choice(WORDS) + "".join(draw.choices(string.printable, k=draw.randrange(9))) for _ in range(n))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 4)


@pytest.mark.parametrize("n", [0, 1, 4, 5, 23])
def test_texts_are_those_that_were_given(n: int) -> None:
    words = some(n)
    texts = Texts.of(iter(words))
    assert len(texts) == n
    assert tuple(texts) == words
    assert [texts[i] for i in range(-n, n)] == [words[i] for i in range(-n, n)]
    assert texts == words
    assert words == texts
    assert hash(texts) == hash(words)
    assert texts.nbytes == sum(len(w.encode()) for w in words) + 4 * n


def test_texts_are_joined_cut_and_chosen_as_tuples_are() -> None:
    a, b = some(7), some(6, seed=1)
    joined = Texts.of(a) + Texts.of(b)
    assert joined == a + b == Texts.of(a) + b
    assert a + Texts.of(b) == a + b
    assert isinstance(a + Texts.of(b), Texts)
    for cut in (slice(2, 9), slice(None, None, -1), slice(20, 30), slice(-3, None)):
        assert joined[cut] == (a + b)[cut]
    order = [12, 0, 5, 5]
    for positions in (order, torch.tensor(order)):
        assert joined.take(positions) == taken(joined, positions) == taken(a + b, positions)
    assert isinstance(taken(a + b, order), tuple)
    assert joined.index(b[2]) == (a + b).index(b[2])
    assert b[5] in joined


def test_other_texts_are_not_equal() -> None:
    texts = Texts.of(("a", "b"))
    assert texts != ("a", "c")
    assert texts != ("a",)
    assert texts != ["a", "b"]
    assert texts != Texts.of(("ab",))


def test_what_is_no_tuple_is_not_joined() -> None:
    with pytest.raises(TypeError):
        operator.add(Texts.of(("a",)), ["b"])
    with pytest.raises(TypeError):
        operator.add(["b"], Texts.of(("a",)))


@pytest.mark.parametrize("position", [2, -3])
def test_a_text_that_does_not_exist_is_refused(position: int) -> None:
    with pytest.raises(IndexError, match=f"there is no text {position} among 2"):
        Texts.of(("a", "b"))[position]


def test_texts_take_less_than_strings(monkeypatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 1 << 16)
    words = tuple(f"a picture of thing number {i}" for i in range(5000))
    assert Texts.of(words).nbytes < 0.5 * (sys.getsizeof(words) + sum(map(sys.getsizeof, words)))


def test_texts_say_what_they_are() -> None:
    assert repr(Texts.of(("a", "b"))) == "Texts of 2: a, b"
    assert repr(Texts.of("abcd")) == "Texts of 4: a, b, c, …"
