"""Defenses: seeded, with controls that differ where they should, and what is refused."""

import math
from dataclasses import fields, replace

import pytest
import torch

from tests.defenses.small import SHORT, TRAINED, fresh, made, material
from tutorial_lib.attacks.poison import count_poisons
from tutorial_lib.defenses import (
    DEFENSES,
    AntiBackdoor,
    CleanCLIP,
    DefenseError,
    Finetuning,
    Material,
    Retraining,
    SelfSupervision,
    ShrinkAndPerturb,
    SupervisedFinetuning,
    Untouched,
)
from tutorial_lib.detect import EarlyLoss, PairSimilarity
from tutorial_lib.evaluate import embed_images, embed_texts
from tutorial_lib.trials import Recipe, Trial


def test_there_are_the_methods_that_the_course_compares():
    assert set(TRAINED) == {
        "finetune",
        "cleanclip",
        "self-supervised",
        "supervised",
        "shrink-and-perturb",
        "anti-backdoor",
        "par",
        "unlearn-trigger",
    }
    assert set(DEFENSES) - set(TRAINED) == {"none", "retraining"}
    assert all(cls.title and (cls.cost > 0) == (kind != "none") for kind, cls in DEFENSES.items())


@pytest.mark.parametrize("kind", TRAINED)
def test_every_defense_trains_and_is_seeded(backdoored, kind):
    defense = made(DEFENSES[kind])
    given = material(backdoored, defense)
    assert (given.training is not None) == (kind == "anti-backdoor")  # a copy of all pairs, where it is needed
    weights = []
    for _ in range(2):
        cleaned = defense.clean(fresh(backdoored), backdoored.tokenizer, given, seed=3)
        weights.append(torch.cat([p.detach().flatten() for p in cleaned.model.parameters()]))
        assert cleaned.history.steps == SHORT.steps(len(given.pairs))
        assert all(map(math.isfinite, cleaned.history.loss))
    assert torch.equal(*weights)
    assert embed_images(cleaned.model, backdoored.task.images[:4]).isfinite().all()


def test_an_untouched_model_is_the_same_model(backdoored):
    model = fresh(backdoored)
    cleaned = Untouched().clean(model, backdoored.tokenizer, Material(backdoored.clean))
    assert cleaned.model is model
    assert cleaned.history.steps == 0
    before = backdoored.model.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_controls_differ_from_cleanclip(backdoored):
    given = material(backdoored, made(Finetuning))
    defenses = {
        "finetune": made(Finetuning),
        "cleanclip": made(CleanCLIP),
        "self-supervised": made(SelfSupervision),
        "both": made(CleanCLIP, both_ways=True),
        "strong": made(CleanCLIP, lambda_self=8.0),
    }
    points = {}
    for name, defense in defenses.items():
        cleaned = defense.clean(fresh(backdoored), backdoored.tokenizer, given)
        points[name] = embed_images(cleaned.model, backdoored.task.images[:20])
    names = list(points)
    for k, a in enumerate(names):
        for b in names[k + 1 :]:
            assert not torch.allclose(points[a], points[b], atol=1e-4), (a, b)


def test_self_supervision_only_leaves_the_pairs_alone(backdoored):
    """Without the CLIP loss, pictures and captions of a pair are not pulled together."""
    given, tokenizer = material(backdoored, made(Finetuning)), backdoored.tokenizer

    def fit(model):
        points = embed_images(model, given.pairs.images), embed_texts(model, tokenizer, given.pairs.captions)
        return float((points[0] @ points[1].T).diagonal().mean() - (points[0] @ points[1].T).mean())

    with_clip = made(Finetuning).clean(fresh(backdoored), tokenizer, given).model
    without = made(SelfSupervision).clean(fresh(backdoored), tokenizer, given).model
    assert fit(with_clip) > fit(without)


def test_what_a_method_lacks_is_said(backdoored):
    tokenizer, model = backdoored.tokenizer, backdoored.model
    given = material(backdoored, made(Finetuning))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for kind in TRAINED.values():
        everything = Material(given.pairs, given.labels, given.classes, given.pairs)
        with pytest.raises(DefenseError, match=r"trusted pairs are fewer than one batch of 5000"):
            made(kind, recipe=Recipe(batch_size=5000)).clean(model, tokenizer, everything)
    with pytest.raises(DefenseError, match="none of the pairs has one"):
        made(SupervisedFinetuning).clean(model, tokenizer, Material(given.pairs))
    unknown = torch.full((len(given.pairs),), -1)
    with pytest.raises(DefenseError, match="none of the pairs has one"):
        made(SupervisedFinetuning).clean(model, tokenizer, Material(given.pairs, unknown, 3))
    with pytest.raises(DefenseError, match="training pairs, and these are not given"):
        made(AntiBackdoor).clean(model, tokenizer, Material(given.pairs))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())  # nothing was begun


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (CleanCLIP, {"lambda_self": -1.0}),
        (CleanCLIP, {"lambda_self": math.nan}),
        (CleanCLIP, {"lambda_self": math.inf}),
        (SelfSupervision, {"lambda_self": -1.0}),
        (ShrinkAndPerturb, {"shrink": 0}),
        (ShrinkAndPerturb, {"shrink": math.nan}),
        (ShrinkAndPerturb, {"perturb": -1}),
        (ShrinkAndPerturb, {"perturb": math.nan}),
        (AntiBackdoor, {"isolate": 1}),
        (AntiBackdoor, {"isolate": math.nan}),
        (Retraining, {"drop": 0.0}),
        (Retraining, {"drop": math.nan}),
        (Retraining, {"detector": "dao"}),
    ],
)
def test_settings_out_of_range_are_refused(kind, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        kind(**wrong)


def test_a_method_knows_no_setting_of_another():
    """A setting that a method ignores would give one model two keys."""
    own = {cls: {f.name for f in fields(cls)} for cls in DEFENSES.values()}
    everything = set().union(*own.values())
    settings = {"lambda_self", "both_ways", "shrink", "perturb", "isolate", "isolation", "early_epochs"}
    settings |= {"tau", "noise", "cutout", "weight", "invert", "detector", "drop"}
    assert settings | {"recipe", "share", "dirty"} == everything
    for cls, known in own.items():
        for name in everything - known:
            with pytest.raises(TypeError, match=name):
                cls(**{name: 1})
    assert own[Finetuning] == {"recipe", "share", "dirty"}
    assert own[Untouched] == set()


def test_each_method_and_each_of_its_settings_has_a_key_of_its_own():
    trials = [Trial(data="d", defense=d) for d in (None, *(cls() for cls in DEFENSES.values()))]
    trials += [Trial(data="d", defense=CleanCLIP(lambda_self=2.0)), Trial(data="d", defense=AntiBackdoor(isolate=0.1))]
    trials += [Trial(data="d", defense=AntiBackdoor(isolation="early-loss"))]
    assert len({t.key for t in trials}) == len(trials)
    assert trials[1].defense is not None
    for trial in trials[1:]:
        assert trial.as_dict()["defense"]["kind"] == trial.defense.kind


def test_trials_of_anti_backdoor_learning_have_the_keys_that_they_had():
    body = Trial(data="d", defense=AntiBackdoor()).as_dict()["defense"]
    assert set(body) == {"kind", "recipe", "share", "dirty", "isolate"}


def test_there_is_no_method_of_another_name():
    with pytest.raises(ValueError, match=rf"there is no defense 'clean-clip'; choose from {', '.join(DEFENSES)}$"):
        DEFENSES.find("clean-clip")


def test_anti_backdoor_counts_what_it_isolated_by_where_pairs_come_from(backdoored):
    """Neither a clean pair that is called like a poison, nor a poison with another name, is miscounted."""
    clean, poisons = backdoored.clean, backdoored.poisons
    training = replace(clean, keys=tuple(f"backdoor-{i:05d}" for i in range(len(clean))))
    training = training + replace(poisons, keys=tuple(f"mine-{i}" for i in range(len(poisons))))
    given = material(backdoored, made(AntiBackdoor))
    defense = made(AntiBackdoor, isolate=0.999)
    notes = defense.clean(fresh(backdoored), backdoored.tokenizer, replace(given, training=training)).notes
    assert notes["poisons"] == len(poisons)
    assert notes["isolated"] == round(0.999 * len(training))
    assert len(poisons) - (len(training) - notes["isolated"]) <= notes["isolated_poisons"] <= len(poisons)
    usual = defense.clean(fresh(backdoored), backdoored.tokenizer, replace(given, training=clean + poisons)).notes
    assert usual == notes
    none = defense.clean(
        fresh(backdoored), backdoored.tokenizer, replace(given, training=replace(training, origin=None))
    )
    assert (none.notes["poisons"], none.notes["isolated_poisons"]) == (0, 0)


@pytest.mark.usefixtures("one_thread")
def test_anti_backdoor_isolates_by_early_loss_as_published(backdoored):
    """The pairs are those of the detector, and neither these nor the model of the training are what they were else."""
    given = material(backdoored, made(AntiBackdoor))
    early = made(AntiBackdoor, isolation="early-loss", early_epochs=2, isolate=0.1)
    notes = early.clean(fresh(backdoored), backdoored.tokenizer, given, seed=3).notes
    detector = EarlyLoss(epochs=2, batch_size=SHORT.batch_size, seed=3)
    suspects = detector.suspects(backdoored.model, backdoored.tokenizer, given.training, 0.1)
    assert notes["isolated"] == len(suspects)
    assert notes["isolated_poisons"] == count_poisons(given.training.take(suspects))
    usual = PairSimilarity().suspects(backdoored.model, backdoored.tokenizer, given.training, 0.1)
    assert set(usual.tolist()) != set(suspects.tolist())
    with pytest.raises(
        ValueError, match="early_epochs of a anti-backdoor has no effect where isolation is 'similarity'"
    ):
        AntiBackdoor(early_epochs=5)
