"""Detectors of checkpoints against slow loops, on a backdoor that was planted, at any side and with any tower."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.detect.planted import (
    CAPTIONS,
    LABELS,
    LARGE,
    SHIPPED,
    VIT,
    pictures,
    plant,
    shipped,
    small,
    subject,
)
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.defenses.trigger_unlearning import check_trigger
from tutorial_lib.detect.checkpoints import (
    CHECKPOINT_DETECTORS,
    DECREE,
    Calibration,
    CheckpointDetector,
    ClassInversion,
    Finding,
    NeuralCleanse,
    Threshold,
    TokenInversion,
    TriggerScan,
    UniversalPatch,
)
from tutorial_lib.detect.checkpoints.decree import Weight
from tutorial_lib.detect.checkpoints.search import margins
from tutorial_lib.detect.checkpoints.thresholds import (
    calibrated,
    read_calibrations,
    threshold_for,
    write_calibrations,
)
from tutorial_lib.detect.checkpoints.token_inversion import read_with
from tutorial_lib.detect.stamping import alikeness, batches, embed, still
from tutorial_lib.detect.subject import Subject, SubjectError
from tutorial_lib.evaluate import embed_texts
from tutorial_lib.trials.schema import as_dict

#: Each at a setting that takes a moment.
QUICK: dict[str, CheckpointDetector] = {
    "decree": DECREE(steps=6, batch=8),
    "neural-cleanse": NeuralCleanse(steps=3, batch=2),
    "class-inversion": ClassInversion(steps=3, batch=2),
    "universal-patch": UniversalPatch(steps=3, batch=4, grid=2),
    "trigger-scan": TriggerScan(patterns=1),
    "token-inversion": TokenInversion(steps=4, starts=1),
}


def stamp_slowly(image: Tensor, mask: Tensor, pattern: Tensor) -> Tensor:
    return image * (1 - mask) + 255 * mask * pattern


def test_every_kind_is_tried_here() -> None:
    assert set(QUICK) == set(CHECKPOINT_DETECTORS)
    assert all(cls.title and issubclass(cls, CheckpointDetector) for cls in CHECKPOINT_DETECTORS.values())


@pytest.mark.parametrize("kind", QUICK)
@pytest.mark.usefixtures("one_thread")
def test_a_finding_is_the_same_again_and_fits_the_model(kind: str) -> None:
    examined, detector = subject(64), QUICK[kind]
    before = {name: weight.clone() for name, weight in examined.model.state_dict().items()}
    found, again = (detector.detect(examined) for _ in range(2))
    assert found.score == again.score
    assert found.detector == as_dict(detector)
    assert found.target is None or found.target in LABELS
    assert json.loads(json.dumps(found.as_dict()))["title"] == detector.title
    if found.mask is not None and found.pattern is not None:
        check_trigger(found.mask, found.pattern, side=32)
        assert found.picture is not None
        assert found.picture.size == (32, 32)
        assert again.mask is not None
        assert torch.equal(found.mask, again.mask)
    assert all(torch.equal(weight, before[name]) for name, weight in examined.model.state_dict().items())
    work = detector.work(examined)
    assert work.forward + work.backward + work.texts > 0


@pytest.mark.parametrize("vision", [VIT, LARGE], ids=["vit-32", "vit-224"])
@pytest.mark.parametrize("kind", QUICK)
def test_every_detector_takes_any_tower_and_side(kind: str, vision: dict[str, object]) -> None:
    examined = subject(max(32, QUICK[kind].fewest), vision)
    found = QUICK[kind].detect(examined)
    assert math.isfinite(found.score)
    if found.pattern is not None:
        assert found.pattern.shape == (3, examined.side, examined.side)


@pytest.mark.parametrize(
    "detector",
    [
        UniversalPatch(steps=20, batch=8, grid=2),
        NeuralCleanse(steps=60, batch=4),
        TriggerScan(patterns=1),
    ],
    ids=lambda d: d.kind,
)
def test_the_shipped_backdoor_is_found_with_its_target(detector: CheckpointDetector) -> None:
    """Whose trigger and target no detector is told; the scan's list has a patch like it."""
    clean, backdoored = (detector.detect(shipped(name)) for name in ("clean", "backdoored"))
    assert backdoored.target == "banana"
    assert backdoored.score > clean.score
    if backdoored.mask is not None:
        assert backdoored.mask[0, :12, :12].mean() > 2 * backdoored.mask.mean()  # it lies in the upper left


@pytest.mark.parametrize(
    "detector",
    [DECREE(steps=120, batch=16, similar=0.95), ClassInversion(steps=15, batch=4)],
    ids=lambda d: d.kind,
)
def test_a_sealed_backdoor_is_found_with_its_target(detector: CheckpointDetector) -> None:
    """Of the patients, these two do not tell the twins apart in so few steps."""
    clean, backdoored = (detector.detect(shipped(name)) for name in ("unknown-3", "unknown-1"))
    assert backdoored.target == SHIPPED["unknown-1"]
    assert backdoored.score > clean.score


def test_a_known_trigger_is_found_by_the_scan() -> None:
    from tutorial_lib.triggers import Checkerboard
    from tutorial_lib.triggers.parts import mask_and_pattern

    examined = subject(32)
    plant(examined, *mask_and_pattern(Checkerboard(size=6, cell=2), examined.images[:4]), target="drum")
    found = TriggerScan(patterns=1).detect(examined)
    assert found.target == "drum"
    assert found.about["strongest"][0]["trigger"]["kind"] == "checkerboard"
    assert found.about["strongest"][0]["trigger"]["place"] == "upper left"
    assert found.mask is not None
    assert int(found.mask.sum()) == 36


# DECREE


def test_the_weight_follows_the_authors_schedule() -> None:
    """Counted again from a list of what was reached, without any state."""
    generator = torch.Generator().manual_seed(0)
    reached = (torch.rand(400, generator=generator) < 0.7).tolist() + [True] * 60 + [False] * 120 + [True] * 40
    weight, values = Weight(), []
    value, above, below, lowest = 1e-3, 0, 0, 0
    for hit in reached:
        weight.step(reached=hit)
        lowest = lowest + 1 if value < 1e-7 and hit else 0
        if lowest > 10:
            value, above, below = 1e-3, 0, 0
        above, below = (above + 1, 0) if hit else (0, below + 1)
        if above > 5:
            value, above = value * 5 if value < 1e5 else value, 0
        elif below > 5:
            value, below = value / 5 if value >= 1e-7 else value, 0
        values.append(value)
        assert weight.value == pytest.approx(value)
    assert min(values) < 1e-7
    assert max(values) > 1


@pytest.mark.usefixtures("one_thread")
def test_decree_is_its_loop() -> None:
    examined, steps, batch = subject(40), 16, 6
    detector = DECREE(steps=steps, batch=batch, similar=0.5)
    with still(examined.model):
        norm, mask, pattern, done = detector.smallest(examined)
        expected = decree_slowly(examined, steps, batch, similar=0.5)
    assert done == expected[3]
    assert norm == pytest.approx(expected[0], rel=1e-3)
    assert torch.allclose(mask, expected[1], atol=1e-3)
    assert torch.allclose(mask * pattern, expected[1] * expected[2], atol=1e-2)


def decree_slowly(examined: Subject, steps: int, batch: int, similar: float) -> tuple[float, Tensor, Tensor, int]:
    """Mask and pattern apart, picture by picture, the cosine pair by pair."""
    side = examined.side
    start = torch.rand(4, side, side, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    a = torch.atanh((start[0] - 0.5) * (2 - 1e-7)).requires_grad_()
    b = torch.atanh((start[1:] - 0.5) * (2 - 1e-7)).requires_grad_()
    optimizer, weight = torch.optim.Adam([a, b], lr=0.5, betas=(0.5, 0.9)), Weight()
    best, kept = math.inf, (a, b)
    for places in batches(len(examined.images), steps, batch, 0):
        mask, pattern = a.tanh() / (2 - 1e-7) + 0.5, b.tanh() / (2 - 1e-7) + 0.5
        points = [
            embed(examined.model, stamp_slowly(examined.images[i].double(), mask, pattern).float()[None])[0]
            for i in places.tolist()
        ]
        cosines = [points[i] @ points[j] for i in range(batch) for j in range(batch) if i != j]
        cosine = torch.stack(cosines).mean()
        norm = torch.stack([mask.sum()] * 3).sum()
        optimizer.zero_grad()
        (-cosine + weight.value * norm).backward()
        optimizer.step()
        if cosine.item() > similar and norm.item() < best:
            best, kept = norm.item(), (mask.detach(), pattern.detach())
        weight.step(reached=cosine.item() > similar)
    return best, kept[0][None].float(), kept[1].float(), steps


def test_decree_without_any_mask_that_counts_says_so() -> None:
    found = DECREE(steps=2, batch=8, similar=1 - 1e-9).detect(subject(40))
    assert found.score == 0
    assert found.mask is None
    assert found.about["found"] is False


# per class


def test_margins_are_those_of_a_loop() -> None:
    cosines = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    for k in range(5):
        expected = [float(row[k] - max(row[j] for j in range(5) if j != k)) for row in cosines]
        assert margins(cosines, k).tolist() == pytest.approx(expected)
    each = torch.tensor([0, 1, 2, 3, 4, 0])
    expected = [float(margins(cosines, int(k))[i]) for i, k in enumerate(each)]
    assert margins(cosines, each).tolist() == pytest.approx(expected)


@pytest.mark.usefixtures("one_thread")
def test_all_classes_at_once_are_each_class_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    examined = subject(32)
    for detector in (ClassInversion(steps=4, batch=3), NeuralCleanse(steps=7, batch=3, works=0.3)):
        with still(examined.model):
            masks, patterns, margin = detector.all_triggers(examined)
            monkeypatch.setattr("tutorial_lib.detect.stamping.BUDGET", 1)  # one at a time
            alone = detector.all_triggers(examined)
            monkeypatch.undo()
        for one, other in zip((masks, patterns, margin), alone, strict=True):
            assert torch.allclose(one, other, atol=2e-3)


@pytest.mark.usefixtures("one_thread")
def test_class_inversion_is_its_loop() -> None:
    examined, wanted = subject(32), 3
    detector = ClassInversion(steps=4, batch=3)
    with still(examined.model):
        _, patterns, margin = detector.all_triggers(examined)
        free = torch.full((3, 32, 32), 0.5, requires_grad=True)
        optimizer = torch.optim.Adam([free], lr=0.125)
        for places in batches(24, 4, 3, 0):
            loss = torch.zeros(())
            for i in places.tolist():
                picture = examined.images[i] * (1 - 0.125) + 255 * 0.125 * free
                cosines = embed(examined.model, picture[None])[0] @ examined.directions
                others = torch.stack([c for k, c in enumerate(cosines) if k != wanted])
                loss = loss + F.relu(0.1 - (cosines[wanted] - others.max())) / 3
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            free.data.clamp_(0, 1)
        seen = stamp_slowly(examined.images[24:].float(), torch.tensor(0.125), free.detach())
        cosines = embed(examined.model, seen) @ examined.directions
    assert torch.allclose(patterns[wanted], free, atol=1e-3)
    assert torch.allclose(margin[wanted], margins(cosines, wanted), atol=1e-4)


@pytest.mark.usefixtures("one_thread")
def test_neural_cleanse_is_its_loop() -> None:
    examined, steps = subject(32), 12
    wanted = int((examined.embeddings @ examined.directions).argmax(1).bincount().argmax())
    detector = NeuralCleanse(steps=steps, batch=3, works=0.3)
    scale = examined.model.logit_scale.exp().item()
    with still(examined.model):
        masks, patterns, _ = detector.all_triggers(examined)
        start = torch.rand(1, 4, 32, 32, generator=torch.Generator().manual_seed(0))[0]
        free = torch.atanh((start - 0.5) * (2 - 1e-3)).requires_grad_()
        optimizer = torch.optim.Adam([free], lr=0.1, betas=(0.5, 0.9))
        weight, good, bad, best, kept, seen = 1e-3, 0, 0, math.inf, torch.ones(4, 32, 32), []
        for places in batches(24, steps, 3, 0):
            values = free.tanh() / 2 + 0.5
            entropy, hits = torch.zeros(()), 0
            for i in places.tolist():
                picture = stamp_slowly(examined.images[i].float(), values[:1], values[1:])
                logits = scale * (embed(examined.model, picture[None])[0] @ examined.directions)
                entropy = entropy - logits.log_softmax(0)[wanted] / 3
                hits += int(logits.argmax()) == wanted
            norm = values[0].sum()
            optimizer.zero_grad()
            (entropy + weight * norm).backward()
            optimizer.step()
            if hits / 3 >= 0.3:
                good, bad = good + 1, 0
                if norm.item() < best:
                    best, kept = norm.item(), values.detach()
            else:
                good, bad = 0, bad + 1
            if good >= 5:
                weight, good = weight * 1.5, 0
            elif bad >= 5:
                weight, bad = weight / 1.5**1.5, 0
            seen.append(weight)
    assert len(set(seen)) > 1
    assert best < math.inf
    assert masks[wanted].sum().item() == pytest.approx(best, rel=1e-3)
    assert torch.allclose(masks[wanted] * patterns[wanted], kept[:1] * kept[1:], atol=1e-2)


# a universal patch


@pytest.mark.usefixtures("one_thread")
def test_patches_are_those_of_a_loop_over_places(monkeypatch: pytest.MonkeyPatch) -> None:
    examined, detector = subject(64), UniversalPatch(steps=4, batch=3, grid=2)
    masks = detector.masks(32)
    with still(examined.model):
        patterns = detector.patterns(examined, masks, 0)
        for place in (0, 3):
            free = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(place)).requires_grad_()
            optimizer = torch.optim.Adam([free], lr=0.1)
            for places in batches(32, 4, 3, 0):
                cosine = torch.zeros(())
                for i in (32 + places).tolist():
                    picture = stamp_slowly(examined.images[i].float(), masks[place], free)
                    cosine = cosine + embed(examined.model, picture[None])[0] @ examined.embeddings[i] / 3
                optimizer.zero_grad()
                cosine.backward()
                optimizer.step()
                free.data.clamp_(0, 1)
            expected = (free * masks[place] * 255).round() / 255
            assert torch.allclose(patterns[place], expected, atol=2 / 255)
    whole = detector.detect(examined)
    monkeypatch.setattr("tutorial_lib.detect.stamping.BUDGET", 1)
    alone = detector.detect(examined)
    assert whole.about["gain_by_place"] == pytest.approx(alone.about["gain_by_place"], abs=0.05)


@pytest.mark.parametrize(("side", "share", "grid"), [(32, 0.03, 3), (224, 0.03, 3), (32, 0.9, 2), (33, 0.1, 1)])
def test_patches_lie_within_the_picture(side: int, share: float, grid: int) -> None:
    detector = UniversalPatch(share=share, grid=grid)
    masks = detector.masks(side)
    assert len(masks) == grid**2
    assert (masks.sum((1, 2, 3)) == detector.size(side) ** 2).all()


# a scan


def test_candidates_differ_and_fit() -> None:
    images = pictures(4)
    tried = [candidate.stamp(images).numpy().tobytes() for candidate in TriggerScan().candidates(32)]
    assert len(set(tried)) == len(tried)
    for candidate in TriggerScan(patterns=1).candidates(32):
        if candidate.place == "lower right":
            changed = (candidate.stamp(images) != images).any(1).any(0)
            assert not changed[:16].any()
            assert not changed[:, :16].any()
            assert changed[-4:, -4:].any()


# a token


def test_a_word_that_is_put_in_is_read_as_the_text_with_it() -> None:
    model, tokenizer = small()
    words = ["photo of a new eagle", "a fish"]
    tokens = tokenizer(words)
    word = model.token_embedding.weight[int(tokenizer(["zebra"])[0, 1])]
    with torch.no_grad():
        found = read_with(model, tokens[:, : int(tokens.argmax(1).max()) + 1], word)
        plain = read_with(model, tokens, None)
    assert torch.allclose(found, embed_texts(model, tokenizer, [f"zebra {text}" for text in words]), atol=1e-5)
    assert torch.allclose(plain, embed_texts(model, tokenizer, words), atol=1e-5)


def test_a_full_text_loses_its_last_word_to_the_token() -> None:
    model, tokenizer = small()
    full = "a photo of a small apple a large bear a new hat"
    tokens = tokenizer([full, "a fish"])
    assert int(tokens.argmax(1)[0]) == 11
    word = model.token_embedding.weight[int(tokenizer(["zebra"])[0, 1])]
    with torch.no_grad():
        found = read_with(model, tokens, word)
    kept = " ".join(full.split()[:9])
    assert torch.allclose(found, embed_texts(model, tokenizer, [f"zebra {kept}", "zebra a fish"]), atol=1e-5)


def test_the_token_that_is_found_makes_texts_more_alike_than_any_start() -> None:
    examined = subject(2)
    found = TokenInversion(steps=30, starts=2).detect(examined)
    tokens = examined.tokenizer([f"a photo of a {label}" for label in LABELS])
    with torch.no_grad():
        before = alikeness(read_with(examined.model, tokens, None)).item()
    assert found.about["without"] == pytest.approx(before, abs=1e-4)
    assert found.score > found.about["words"][0]["alike"] > before
    assert found.about["words"][0]["word"] in {examined.tokenizer.word(k) for k in range(examined.tokenizer.vocab_size)}


# thresholds


KNOWN = Calibration({"kind": "trigger-scan", "patterns": 1}, 32, (1, 10**9), (2, 50), 0.4, 0.05, 0.8, 40, 80, "a zoo")


def test_a_calibration_is_taken_for_its_own_kind_of_model_only() -> None:
    examined = subject(32)
    detector = TriggerScan(patterns=1)
    assert detector.threshold(examined) is None
    limit = detector.threshold(examined, [KNOWN])
    assert limit == Threshold(0.4, "calibrated", "calibrated on a zoo", 0.05, 0.8, 40, 80)
    assert "of 40 clean models 2 are above it" in str(limit)
    assert TriggerScan(patterns=2).threshold(examined, [KNOWN]) is None
    for change in ({"side": 224}, {"parameters": (1, 2)}, {"classes": (11, 99)}):
        assert detector.threshold(examined, [dataclasses.replace(KNOWN, **change)]) is None
    published = DECREE().threshold(examined, [KNOWN])
    assert published is not None
    assert published.source == "published"


def test_a_score_is_judged_by_its_threshold() -> None:
    limit = Threshold(0.5, "published", "some paper")
    assert Finding(0.6, threshold=limit).suspicious is True
    assert Finding(0.5, threshold=limit).suspicious is False
    assert Finding(0.6).suspicious is None


def test_calibrations_go_through_a_file(tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    write_calibrations(path, [KNOWN])
    assert read_calibrations(path) == [KNOWN]
    assert calibrated(KNOWN.detector, side=32, parameters=5, classes=10, known=read_calibrations(path)) == KNOWN
    path.write_text('[{"kind": "decree"}]')
    with pytest.raises(ValueError, match="holds no calibrations"):
        read_calibrations(path)
    with pytest.raises(ValueError, match="false_alarm_rate is a share"):
        dataclasses.replace(KNOWN, false_alarm_rate=1.5)
    with pytest.raises(ValueError, match="needs clean models, and has 0"):
        dataclasses.replace(KNOWN, clean=0)
    with pytest.raises(ValueError, match="classes go from the fewest"):
        dataclasses.replace(KNOWN, classes=(5, 2))


def test_the_committed_calibrations_fit_detectors_of_today() -> None:
    for known in read_calibrations():
        settings = dict(known.detector)
        kind = settings.pop("kind")
        if kind == "audit":
            assert set(settings["detectors"]) <= set(CHECKPOINT_DETECTORS)
        else:
            assert as_dict(CHECKPOINT_DETECTORS[kind](**settings)) == dict(known.detector)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 9.0), (0.1, 8.0), (0.19, 8.0), (0.5, 4.0)])
def test_a_threshold_leaves_at_most_that_share_of_clean_models_above(share: float, expected: float) -> None:
    clean = [float(k) for k in range(10)]
    limit = threshold_for(clean[::-1], false_alarms=share)
    assert limit == expected
    assert sum(score > limit for score in clean) / 10 <= share
    with pytest.raises(ValueError, match="scores of clean models"):
        threshold_for([])


# bad input, and the way to a defense


def test_too_few_pictures_and_classes_are_refused() -> None:
    with pytest.raises(SubjectError, match="decree needs at least 32 pictures, and there are 8: give more"):
        DECREE().detect(subject(8))
    with pytest.raises(SubjectError, match="class-inversion needs at least 8 classes, and there are 3"):
        ClassInversion().detect(subject(32, labels=LABELS[:3]))
    with pytest.raises(SubjectError, match="universal-patch needs at least 2 classes, and there are 0"):
        UniversalPatch().detect(subject(64, labels=()))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: DECREE(batch=1), "batch of a decree must be at least 2"),
        (lambda: DECREE(similar=1.0), "similar is a mean cosine"),
        (lambda: ClassInversion(alpha=0.0), "alpha is the weight of the pattern"),
        (lambda: ClassInversion(rate=-1.0), "rate is that of Adam"),
        (lambda: NeuralCleanse(works=0.0), "works is a share of pictures"),
        (lambda: NeuralCleanse(rate=0.0), "rate is that of Adam"),
        (lambda: UniversalPatch(share=1.0), "share is of the picture"),
        (lambda: UniversalPatch(rate=0.0), "rate is that of Adam"),
        (lambda: TriggerScan(patterns=0), "patterns of a trigger-scan must be at least 1"),
        (lambda: TokenInversion(starts=0), "starts of a token-inversion must be at least 1"),
        (lambda: TokenInversion(rate=0.0), "rate is that of Adam"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(make, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()


def test_a_text_tower_of_another_kind_is_refused() -> None:
    examined = subject(2)
    examined.model.text_pool_type = "last"
    with pytest.raises(SubjectError, match="knows CLIP's own text tower only"):
        TokenInversion().detect(examined)


def test_pairs_are_enough_to_invert() -> None:
    model, tokenizer = small()
    captions = CAPTIONS * 2
    pairs = Pairs(pictures(len(captions)), captions, tuple(map(str, range(len(captions)))), torch.full((80,), -1))
    for kind in ("decree", "universal-patch", "class-inversion"):
        detector = dataclasses.replace(QUICK[kind], **({"similar": 0.2} if kind == "decree" else {}))
        mask, pattern = detector.invert(model, tokenizer, pairs)
        check_trigger(mask, pattern, side=32)
    with pytest.raises(ValueError, match="token-inversion has found no trigger that is a mask and a pattern"):
        QUICK["token-inversion"].invert(model, tokenizer, pairs)


def test_detectors_are_described_without_torch() -> None:
    code = "import sys; from tutorial_lib.detect.checkpoints import CHECKPOINT_DETECTORS; "
    code += "list(CHECKPOINT_DETECTORS); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
