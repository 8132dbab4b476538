"""Defenses: losses against NumPy, controls that differ where they should, and what is refused."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load, save_file

from tutorial_lib import losses, profiles
from tutorial_lib.defenses import METHODS, Defense, DefenseError, Material, Run, clean
from tutorial_lib.defenses.anti_backdoor import isolate
from tutorial_lib.defenses.finetune import shrink_and_perturb
from tutorial_lib.evaluate import embed_images, embed_texts, linear_cka, recall_at
from tutorial_lib.losses import cleanclip_loss, in_modal_loss
from tutorial_lib.runs import defend as cleaning
from tutorial_lib.runs.measure import measure
from tutorial_lib.runs.outcome import train_trial
from tutorial_lib.runs.run import run
from tutorial_lib.training.augment import autoaugment
from tutorial_lib.trials import Recipe

P = profiles.get("test")
SHORT = Recipe(epochs=2, batch_size=32, lr=1e-3)


def unit(n: int, d: int, seed: int) -> torch.Tensor:
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(x, dim=1)


def slow_nce(a: np.ndarray, b: np.ndarray, scale: float) -> float:
    total = 0.0
    for i in range(len(a)):
        scores = [scale * float(a[i] @ b[j]) for j in range(len(b))]
        total += math.log(sum(math.exp(s) for s in scores)) - scores[i]
    return total / len(a)


@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize(("l1", "l2"), [(1.0, 1.0), (1.0, 4.0), (0.0, 1.0), (1.0, 0.0)])
def test_cleanclip_loss_is_the_double_loop(both_ways, l1, l2):
    image, text, image_view, text_view = (unit(6, 5, s) for s in range(4))
    i, t, iv, tv = (x.numpy() for x in (image, text, image_view, text_view))
    clip = (slow_nce(i, t, 7) + slow_nce(t, i, 7)) / 2
    own = [slow_nce(i, iv, 7), slow_nce(t, tv, 7)]
    if both_ways:
        own = [(own[0] + slow_nce(iv, i, 7)) / 2, (own[1] + slow_nce(tv, t, 7)) / 2]
    found = cleanclip_loss(image, text, image_view, text_view, 7.0, lambda_clip=l1, lambda_self=l2, both_ways=both_ways)
    assert float(found) == pytest.approx(l1 * clip + l2 * sum(own) / 2, rel=1e-10)


def test_one_way_differs_from_two():
    a, b = unit(5, 4, 0), unit(5, 4, 1)
    assert float(in_modal_loss(a, b, 5.0)) != pytest.approx(float(in_modal_loss(a, b, 5.0, both_ways=True)))


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_weights_of_losses_are_checked(bad):
    x = unit(3, 2, 0)
    with pytest.raises(ValueError, match="lambda_self is the weight of a loss"):
        cleanclip_loss(x, x, x, x, 1.0, lambda_self=bad)
    with pytest.raises(ValueError, match="both 0"):
        losses.check_weights(0, 0)
    with pytest.raises(ValueError, match="lambda_self is the weight of a loss"):
        Defense(lambda_self=bad)


def test_autoaugment_changes_most_pictures_and_depends_on_the_seed_alone():
    images = torch.randint(0, 256, (64, 3, 32, 32), dtype=torch.uint8)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = autoaugment(images, 1)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, autoaugment(images, 1))
    assert not torch.equal(first, autoaugment(images, 2))
    assert 0.5 < (first != images).flatten(1).any(1).float().mean() <= 1
    assert first.dtype == torch.uint8


@pytest.fixture(scope="module")
def backdoored():
    """A model of the `test` profile, with its data."""
    return train_trial(P.cleaning.attacked("badnets", 0), progress=False)


def fresh(outcome):
    return copy.deepcopy(outcome.model)


def material(outcome, method="finetune", **options):
    return cleaning.material(outcome, Defense(method, SHORT, share=0.5, **options))


@pytest.mark.parametrize("method", METHODS)
def test_every_defense_trains_and_is_seeded(backdoored, method):
    given = material(backdoored, method)
    assert (given.training is not None) == (method == "anti_backdoor")  # a copy of all pairs, where it is needed
    weights = []
    for _ in range(2):
        made = clean(fresh(backdoored), backdoored.tokenizer, given, Defense(method, SHORT), Run(seed=3))
        weights.append(torch.cat([p.detach().flatten() for p in made.model.parameters()]))
        assert made.history.steps == SHORT.steps(len(given.pairs))
        assert all(map(math.isfinite, made.history.loss))
    assert torch.equal(*weights)
    assert embed_images(made.model, backdoored.task.images[:4]).isfinite().all()


def test_controls_differ_from_cleanclip(backdoored):
    given = material(backdoored)
    points = {}
    varied = {"both": {"both_ways": True}, "strong": {"lambda_self": 8.0}}
    for method in ("finetune", "cleanclip", "self_supervised", *varied):
        name, options = ("cleanclip", varied[method]) if method in varied else (method, {})
        made = clean(fresh(backdoored), backdoored.tokenizer, given, Defense(name, SHORT, **options))
        points[method] = embed_images(made.model, backdoored.task.images[:20])
    names = list(points)
    for k, a in enumerate(names):
        for b in names[k + 1 :]:
            assert not torch.allclose(points[a], points[b], atol=1e-4), (a, b)


def test_self_supervision_only_leaves_the_pairs_alone(backdoored):
    """Without the CLIP loss, pictures and captions of a pair are not pulled together."""
    given, tokenizer = material(backdoored), backdoored.tokenizer

    def fit(model):
        points = embed_images(model, given.pairs.images), embed_texts(model, tokenizer, given.pairs.captions)
        return float((points[0] @ points[1].T).diagonal().mean() - (points[0] @ points[1].T).mean())

    with_clip = clean(fresh(backdoored), tokenizer, given, Defense("finetune", SHORT)).model
    without = clean(fresh(backdoored), tokenizer, given, Defense("self_supervised", SHORT)).model
    assert fit(with_clip) > fit(without)


def test_shrink_and_perturb_is_linear_and_seeded(backdoored):
    model = fresh(backdoored)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    shrink_and_perturb(model, 0.5, 0.0, 0)
    for name, p in model.named_parameters():
        factor = 1.0 if name == "logit_scale" else 0.5
        assert torch.allclose(p, factor * before[name]), name
    noisy = [fresh(backdoored) for _ in range(2)]
    for m in noisy:
        shrink_and_perturb(m, 1.0, 0.01, 4)
    a, b = (m.visual.state_dict()["conv1.weight"] for m in noisy)
    assert torch.equal(a, b)
    assert (a - before["visual.conv1.weight"]).std() == pytest.approx(0.01, rel=0.2)


def test_isolation_takes_the_pairs_that_fit_best(backdoored):
    pairs = backdoored.clean + backdoored.poisons
    chosen = isolate(backdoored.model, backdoored.tokenizer, pairs, 0.1)
    images = embed_images(backdoored.model, pairs.images)
    texts = embed_texts(backdoored.model, backdoored.tokenizer, pairs.captions)
    similarity = [float(images[i] @ texts[i]) for i in range(len(pairs))]
    best = sorted(range(len(pairs)), key=lambda i: -similarity[i])[: round(0.1 * len(pairs))]
    assert set(chosen.tolist()) == set(best)


def test_trusted_pairs_are_clean_unless_poisons_are_left_among_them(backdoored):
    given = material(backdoored)
    assert len(given.pairs) == round(0.5 * len(backdoored.clean))
    assert set(given.pairs.keys) <= set(backdoored.clean.keys)
    left = material(backdoored, dirty=3)
    assert len(set(left.pairs.keys) & set(backdoored.poisons.keys)) == 3
    assert len(left.labels) == len(left.pairs)
    with pytest.raises(ValueError, match="99 poisons shall be left among the trusted pairs, and there are 8"):
        material(backdoored, dirty=99)


def test_bad_input(backdoored):
    given, tokenizer, model = material(backdoored), backdoored.tokenizer, backdoored.model
    with pytest.raises(DefenseError, match=r"choose from finetune, cleanclip"):
        clean(model, tokenizer, given, Defense("none"))
    with pytest.raises(DefenseError, match=r"trusted pairs are fewer than one batch of 5000"):
        clean(model, tokenizer, given, Defense("finetune", Recipe(batch_size=5000)))
    with pytest.raises(DefenseError, match="none of the pairs has one"):
        clean(model, tokenizer, Material(given.pairs), Defense("supervised", SHORT))
    with pytest.raises(DefenseError, match="training pairs, and these are not given"):
        clean(model, tokenizer, Material(given.pairs), Defense("anti_backdoor", SHORT))
    nan = math.nan
    for wrong in ({"share": 0}, {"share": 1.5}, {"dirty": -1}, {"shrink": 0}, {"perturb": -1}, {"isolate": 1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Defense(**wrong)
    for name in ("share", "shrink", "perturb", "isolate"):
        with pytest.raises(ValueError, match=name):
            Defense(**{name: nan})
    with pytest.raises(ValueError, match="lr must be positive, not nan"):
        Recipe(lr=nan)
    for decay in (-1, nan):
        with pytest.raises(ValueError, match="weight_decay must be at least 0"):
            Recipe(weight_decay=decay)


def test_a_defended_trial_measures_before_and_after_from_one_training(tmp_path):
    base, weights = P.cleaning.attacked("badnets", 0), tmp_path / "w.safetensors"
    defense = P.cleaning.sweep("cleanclip")[0]
    start = run(replace(base, defense=Defense("none")), weights=weights)
    stamp = weights.stat().st_mtime_ns
    after = run(replace(base, defense=defense), weights=weights)
    assert weights.stat().st_mtime_ns == stamp
    alone = run(replace(base, defense=defense))
    same = ("clean_accuracy", "attack_success", "z_score", "validation_accuracy", "retrieval", "embedding_distance")
    assert {k: after.metrics[k] for k in same} == {k: alone.metrics[k] for k in same}
    assert after.metrics["z_score"] != start.metrics["z_score"]
    assert after.metrics["cleaning"]["samples"] == after.metrics["cleaning"]["steps"] * 32
    assert start.metrics["loss"] == after.metrics["loss"]
    good = weights.read_bytes()
    state = load(good)  # from memory: a file must not be written over while it is mapped
    foreign = {k: v[:1].clone() for k, v in state.items() if v.ndim}
    for spoil in (
        lambda: weights.write_bytes(b"damaged"),
        lambda: weights.write_bytes(good[: len(good) // 2]),
        lambda: save_file(state, weights),  # without its history
        lambda: save_file(foreign, weights, metadata={"history": "{}"}),
    ):
        spoil()
        again = run(replace(base, defense=Defense("none")), weights=weights)
        assert again.metrics["z_score"] == start.metrics["z_score"]
        assert again.metrics["loss"] == start.metrics["loss"]


def test_a_supervised_defense_is_read_by_its_head(backdoored):
    outcome = cleaning.apply(train_trial(P.cleaning.attacked("badnets", 0)), Defense("supervised", SHORT, share=0.5))
    metrics = measure(outcome) | cleaning.measure(outcome)
    assert next(iter(metrics["attack_success"])) == "classifier"
    assert "retrieval" not in metrics
    assert metrics["cleaning"]["labelled"] == round(0.5 * len(outcome.clean))


def test_recall_counts_own_keys_among_the_first():
    keys = torch.eye(4)
    queries = torch.tensor([[1.0, 0, 0, 0], [0.9, 0.5, 0, 0], [0.9, 0.8, 0.5, 0], [0.9, 0.8, 0.7, 0.1]])
    assert [recall_at(queries, keys, k) for k in (1, 2, 3, 4)] == [0.25, 0.5, 0.75, 1.0]
    with pytest.raises(ValueError, match="same shape"):
        recall_at(queries, keys[:2], 1)


def test_cka_ignores_rotation_and_scale_and_nothing_else():
    x = unit(50, 8, 0)
    turn = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64))[0]
    assert linear_cka(x, 3 * x @ turn + 1) == pytest.approx(1)
    assert linear_cka(x, unit(50, 8, 2)) < 0.5
    a, b = (v - v.mean(0) for v in (x.numpy(), unit(50, 8, 2).numpy()))
    k, m = a @ a.T, b @ b.T
    assert linear_cka(x, unit(50, 8, 2)) == pytest.approx((k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum()))
    with pytest.raises(ValueError, match="at least 2, not 1 and 1"):
        linear_cka(x[:1], x[:1])
