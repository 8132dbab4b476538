"""Detectors: scores against a loop over pairs, suspects in their order, and what is refused."""

import itertools
import math

import pytest
import torch

from tutorial_lib.data.pairs import CLEAN, POISON, Pairs
from tutorial_lib.detect import PairSimilarity
from tutorial_lib.evaluate import embed_images, embed_texts


@pytest.fixture(scope="module")
def pairs(backdoored) -> Pairs:
    """The pairs that the model was trained on."""
    return backdoored.clean + backdoored.poisons


@pytest.fixture(scope="module")
def slow(backdoored, pairs) -> list[float]:
    """The cosine of each picture and its caption, one pair after the other."""
    found = []
    for i in range(len(pairs)):
        image = embed_images(backdoored.model, pairs.images[i : i + 1])[0].tolist()
        text = embed_texts(backdoored.model, backdoored.tokenizer, [pairs.captions[i]])[0].tolist()
        found.append(sum(a * b for a, b in zip(image, text, strict=True)))
    return found


def test_scores_are_the_loop_over_pairs(backdoored, pairs, slow):
    scores = PairSimilarity().scores(backdoored.model, backdoored.tokenizer, pairs)
    assert scores.shape == (len(pairs),)
    assert scores.tolist() == pytest.approx(slow, abs=1e-4)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.37, 1])
def test_suspects_are_the_pairs_that_fit_best_the_most_suspicious_first(backdoored, pairs, slow, share):
    suspects = PairSimilarity().suspects(backdoored.model, backdoored.tokenizer, pairs, share)
    assert len(suspects) == max(1, round(share * len(pairs)))
    assert len(set(suspects.tolist())) == len(suspects)
    found = [slow[i] for i in suspects.tolist()]
    assert all(a >= b - 1e-4 for a, b in itertools.pairwise(found))
    best = sorted(slow, reverse=True)[: len(suspects)]
    assert found == pytest.approx(best, abs=1e-4)


def test_provenance_is_not_looked_at(backdoored, pairs):
    turned = Pairs(
        pairs.images, pairs.captions, pairs.keys, pairs.concept, torch.where(pairs.origin == POISON, CLEAN, POISON)
    )
    ask = PairSimilarity().scores
    assert torch.equal(*(ask(backdoored.model, backdoored.tokenizer, p) for p in (pairs, turned)))


@pytest.mark.parametrize("share", [0, -0.1, 1.01, math.nan])
def test_other_shares_are_refused(backdoored, pairs, share):
    with pytest.raises(ValueError, match=rf"share is of the pairs, in \(0, 1\], not {share}"):
        PairSimilarity().suspects(backdoored.model, backdoored.tokenizer, pairs, share)
