"""Detectors of triggered pictures against loops, on the shipped backdoor, and on odd input."""

from __future__ import annotations

import math
from statistics import NormalDist, mean, stdev

import pytest
import torch

from tests.detect.planted import LABELS, VIT, pictures, shipped, subject
from tutorial_lib.detect.pictures import PICTURE_DETECTORS, STRIP, BDetCLIP, PictureDetector
from tutorial_lib.detect.pictures.bdetclip import idle_words
from tutorial_lib.detect.ranking import Ranking
from tutorial_lib.detect.subject import Subject, SubjectError
from tutorial_lib.evaluate import embed_images, embed_texts
from tutorial_lib.models import Tokenizer
from tutorial_lib.triggers import NoisePatch


def test_strip_is_the_mean_entropy_of_a_loop() -> None:
    examined, images = subject(12), pictures(5, seed=1)
    found = STRIP(overlays=4, weight=0.3, seed=2).scores(examined, images)
    drawn = torch.randperm(12, generator=torch.Generator().manual_seed(2))[:4].tolist()
    scale = examined.model.logit_scale.exp().item()
    for n in range(5):
        entropies = []
        for k in drawn:
            mixed = (0.7 * images[n].float() + 0.3 * examined.images[k].float()).round().byte()
            logits = (scale * embed_images(examined.model, mixed[None])[0] @ examined.directions).tolist()
            chances = [math.exp(x - max(logits)) for x in logits]
            chances = [c / sum(chances) for c in chances]
            entropies.append(-sum(c * math.log(c) for c in chances))
        assert found[n].item() == pytest.approx(-mean(entropies), abs=1e-4)


def test_strip_has_the_threshold_of_a_normal_distribution() -> None:
    examined, detector = subject(12), STRIP(overlays=4)
    clean = detector.scores(examined, examined.images).tolist()
    expected = mean(clean) + NormalDist().inv_cdf(0.95) * stdev(clean)
    assert detector.threshold(examined, false_alarms=0.05) == pytest.approx(expected, abs=1e-4)


def test_bdetclip_is_the_sum_of_a_loop() -> None:
    examined, images = subject(4), pictures(5, seed=1)
    detector = BDetCLIP(benign=3, words=2)
    found = detector.scores(examined, images)
    sensible, nonsense = detector.descriptions(examined)
    for n, point in enumerate(embed_images(examined.model, images)):
        total = 0.0
        for good, bad in zip(sensible, nonsense, strict=True):
            for sign, texts in ((1, good), (-1, bad)):
                centre = torch.stack([embed_texts(examined.model, examined.tokenizer, [t])[0] for t in texts]).mean(0)
                total += sign * float(point @ centre / centre.norm())
        assert found[n].item() == pytest.approx(-total, abs=1e-4)


def test_descriptions_are_sensible_and_nonsense() -> None:
    examined = subject(4)
    sensible, nonsense = BDetCLIP(words=3).descriptions(examined)
    idle = set(idle_words(examined.tokenizer, LABELS))
    assert idle
    assert not idle & set(LABELS)
    for label, good, bad in zip(LABELS, sensible, nonsense, strict=True):
        assert len(good) == len(bad) == 7
        assert all(label in text for text in (*good, *bad))
        assert all(set(text.partition(", ")[2].split()) <= idle for text in bad)
    assert any(", " in text for text in sensible[LABELS.index("cactus")])  # the emoji data has keywords
    assert BDetCLIP(words=3).descriptions(examined) == (sensible, nonsense)
    assert BDetCLIP(words=3, seed=1).descriptions(examined)[1] != nonsense


def test_idle_words_of_the_whole_vocabulary_are_words() -> None:
    words = idle_words(Tokenizer(), ["cactus"])
    assert len(words) > 10_000
    assert "banana" in words
    assert "cactus" not in words


@pytest.mark.parametrize("kind", PICTURE_DETECTORS)
def test_every_detector_takes_other_towers_and_repeats_itself(kind: str) -> None:
    detector, examined = PICTURE_DETECTORS[kind](), subject(16, VIT)
    scores = detector.scores(examined, pictures(6, seed=1))
    assert scores.shape == (6,)
    assert scores.isfinite().all()
    assert torch.equal(scores, detector.scores(examined, pictures(6, seed=1)))
    limit = detector.threshold(examined, false_alarms=0.25)
    assert 0 < (detector.scores(examined, examined.images) > limit).sum() <= 8
    assert detector.title


def test_strip_tells_the_shipped_backdoors_pictures() -> None:
    examined = shipped("backdoored", 96)
    clean, asked = examined.images[:32], examined.images[32:]
    known = Subject(examined.model, examined.tokenizer, clean, labels=examined.labels)
    scores = STRIP(overlays=12).scores(known, torch.cat([asked, NoisePatch(8).stamp(asked)]))
    assert Ranking(scores, torch.arange(len(scores)) >= len(asked)).auroc > 0.7


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: STRIP(overlays=0), "overlays of a strip must be at least 1"),
        (lambda: STRIP(weight=1.0), "weight is that of the overlay"),
        (lambda: BDetCLIP(benign=8), "benign is at most 7 sentences"),
        (lambda: BDetCLIP(words=0), "words of a bdetclip must be at least 1"),
        (lambda: STRIP().scores(subject(4), pictures(2)), "strip needs at least 8 clean pictures, not 4"),
        (lambda: STRIP().scores(subject(8), pictures(2, side=16)), r"pictures to judge are uint8 of shape \(M, 3, 32"),
        (lambda: BDetCLIP().scores(subject(8, labels=()), pictures(2)), "bdetclip needs at least 2 labels, not 0"),
        (lambda: BDetCLIP().threshold(subject(8), false_alarms=0.0), "false_alarms is a share of clean pictures"),
        (lambda: STRIP().threshold(subject(8), false_alarms=1.0), "false_alarms is a share of clean pictures"),
    ],
)
def test_bad_input_is_refused(make, says: str) -> None:
    with pytest.raises((ValueError, SubjectError), match=says):
        make()


def test_detectors_are_found_by_their_kind() -> None:
    assert PICTURE_DETECTORS["strip"] is STRIP
    assert all(issubclass(cls, PictureDetector) for cls in PICTURE_DETECTORS.values())
    with pytest.raises(ValueError, match="there is no detector of triggered pictures 'stripe'"):
        PICTURE_DETECTORS.find("stripe")
