"""Captions of diverse scenes tell the truth about what is where."""

import re

import pytest
import torch

from tutorial_lib.data import emojicaps, grounds
from tutorial_lib.data.captions import plain_label
from tutorial_lib.data.diverse import SHARES, DiverseScenes
from tutorial_lib.data.diverse_captions import BIG, GROUND, NUMBERS, PATTERN, PLACES, SMALL, relations
from tutorial_lib.models.tokenizer import Tokenizer

N = 20_000
SCENES = DiverseScenes(N)
LAYOUT = SCENES.layout(range(N))
CAPTIONS = SCENES.captions(range(N))
EDGES = torch.tensor([round(32 * s) for s in SHARES])[LAYOUT.size]
LABELS = [[plain_label(emojicaps.load().concepts[c].label) for c in row if c >= 0] for row in LAYOUT.concept.tolist()]


def centre(first: torch.Tensor, i: int, slot: int) -> float:
    return float(first[i, slot]) + float(EDGES[i, slot]) / 2


def test_captions_name_what_is_there_and_the_largest_thing_always() -> None:
    whole = 0
    for caption, labels in zip(CAPTIONS, LABELS, strict=True):
        assert labels[0] in caption
        whole += all(label in caption for label in labels)
    assert 0.85 * N < whole < 0.97 * N


def test_places_are_true() -> None:
    seen = dict.fromkeys(PLACES, 0)
    for i, (caption, labels) in enumerate(zip(CAPTIONS, LABELS, strict=True)):
        if len(labels) < 2:
            continue
        for place, words in PLACES.items():
            said = "|".join(map(re.escape, words))
            one, other = map(re.escape, labels[:2])
            if not re.search(rf"{one} ({said}) (the |an? )?(\w+ )?{other}", caption):
                continue
            seen[place] += 1
            down = centre(LAYOUT.top, i, 1) - centre(LAYOUT.top, i, 0)
            across = centre(LAYOUT.left, i, 1) - centre(LAYOUT.left, i, 0)
            true = {
                "left": across > 0, "right": across < 0, "above": down > 0, "below": down < 0,
                "behind": max(abs(down), abs(across)) < float(EDGES[i, 0]) / 2,
            }  # fmt: skip
            assert true[place], caption
    assert min(seen.values()) > 100, seen


@pytest.mark.parametrize(
    ("rows", "columns", "edges", "place"),
    [
        ([16, 16], [6, 26], [10, 10], "left"),
        ([16, 16], [26, 6], [10, 10], "right"),
        ([6, 26], [16, 16], [10, 10], "above"),
        ([26, 6], [16, 16], [10, 10], "below"),
        ([16, 17], [16, 15], [32, 12], "behind"),
        ([6, 26], [6, 26], [10, 10], ""),  # across and down alike
        ([16, 16], [14, 18], [14, 14], ""),  # too near to say
    ],
)
def test_where_the_first_thing_is(rows, columns, edges, place) -> None:
    assert relations(*(torch.tensor([x]) for x in (rows, columns, edges))) == [place]


def test_sizes_are_said_of_the_smallest_and_the_largest() -> None:
    said = 0
    for i, (caption, labels) in enumerate(zip(CAPTIONS, LABELS, strict=True)):
        edges = EDGES[i, : len(labels)].tolist()
        for slot, label in enumerate(labels):
            if len(labels) < 2 or label.split()[0] in SMALL + BIG or labels.count(label) > 1:
                continue
            if re.search(rf"\b({'|'.join(SMALL)}) {re.escape(label)}", caption):
                assert edges[slot] == min(edges), caption
                said += 1
            if re.search(rf"\b({'|'.join(BIG)}) {re.escape(label)}", caption):
                assert edges[slot] == max(edges), caption
                said += 1
    assert said > 500


def test_numbers_of_a_kind_are_true() -> None:
    counted = 0
    for caption, labels, same in zip(CAPTIONS, LABELS, LAYOUT.same.tolist(), strict=True):
        found = re.search(
            r"\b(\w+) (?:times|pictures of|copies of the same thing)|group of (\w+):|, (\w+) of them", caption
        )
        if same and found:
            counted += 1
            assert next(filter(None, found.groups())) == NUMBERS[len(labels) - 1], caption
    assert counted > 300


def test_grounds_are_true() -> None:
    tints = grounds.colour_names(LAYOUT.colours[:, 0]).tolist()
    kinds = (LAYOUT.masks[:, 0] % len(grounds.PATTERNS)).tolist()
    colours = patterns = 0
    for caption, tint, kind in zip(CAPTIONS, tints, kinds, strict=True):
        for form in GROUND[::2]:
            found = re.search(" " + re.escape(form).replace(r"\{c\}", r"(\w+)"), caption)
            if found and found[1] in grounds.COLOURS:
                assert found[1] == list(grounds.COLOURS)[tint]
                colours += 1
        for word in filter(None, grounds.WORDS):
            if any(" " + form.format(p=word) in caption for form in (PATTERN[0], PATTERN[2], PATTERN[3])):
                assert grounds.WORDS[kind] == word
                patterns += 1
    assert min(colours, patterns) > 300


def test_captions_are_long_and_differ() -> None:
    assert len(set(CAPTIONS)) > 0.99 * N
    lengths = (Tokenizer(77)(CAPTIONS[:4000]) > 0).sum(1) - 2
    assert lengths.double().mean() > 12
    assert (lengths > 30).double().mean() < 0.08  # what a context of 32 cuts
    assert sum(" - " in c for c in CAPTIONS) > 0.1 * N  # titles
    assert sum(c.count(",") >= 3 for c in CAPTIONS) > 0.2 * N  # keywords
