"""Claims can hold and can fail; verdicts follow from intervals."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tutorial_lib.evidence import claims
from tutorial_lib import experiments, profiles
from tutorial_lib.attacks.backdoor import BINS
from tutorial_lib.evidence.claims import ClaimError, judge, load
from tutorial_lib.costs import pairs as pairs_of
from tutorial_lib.evidence.results import Results
from tutorial_lib.experiments import zscore_success
from tutorial_lib.trials.schema import digest
from tutorial_lib.evidence.statistics import estimate_statistic
from tutorial_lib.attacks import Backdoor, Targeted, TextBackdoor
from tutorial_lib.trials import Record

CPU = profiles.get("cpu")


class World(Results):
    """Made-up records: what models would measure if the world were as its random numbers say."""

    def __init__(self, number: int, profile=CPU):
        super().__init__(profile)
        self._committed = {}
        self.number = number
        draw = np.random.default_rng(number)
        self.effect = draw.normal(0, 1, 16)
        self.level = draw.uniform(0, 1, 40)
        self.noise = 10 ** draw.uniform(-2.5, -0.5)
        self.made: dict[str, Record] = {}

    def get(self, trial):
        if trial.key not in self.made:
            self.made[trial.key] = Record(
                trial.key, trial.as_dict(), self.metrics(trial), 1.0, "here", {}, "2026-01-01"
            )
        return self.made[trial.key]

    def metrics(self, trial):
        random = np.random.default_rng([self.number, int(trial.key, 16)])
        wobble = lambda size=self.noise: float(random.normal(0, size))  # noqa: E731
        e, level = self.effect, self.level
        if isinstance(trial.attack, Targeted):
            return {
                "targets": [self.target(trial, k, random) for k in range(len(trial.attack.groups)) for _ in range(12)]
            }
        if isinstance(trial.attack, TextBackdoor):
            rate = np.clip(level[0] * (trial.attack.count > 0) + wobble(), 0, 1)
            return {"text_attack_success": {"rate": rate}, "text_attack_success_without_word": {"rate": 0.0}}
        if trial.defense is not None:
            return self.cleaned(trial, wobble)
        if trial.attack is None:
            return {"clean_accuracy": {r: {"rate": 0.5} for r in ("zero_shot", "linear_probe", "knn")}}
        attack: Backdoor = trial.attack
        count, scattered = math.log2(1 + attack.count) / 8, attack.trigger.placement == "random"
        large = math.log2(pairs_of(trial) / 4000)
        width = CPU.models.index(trial.model) - 2 if trial.model in CPU.models else 0

        def z(tested_at_random: bool) -> float:
            mismatch = scattered != tested_at_random
            value = 1 + e[0] + 2 * e[1] * count + e[2] * scattered + 2 * e[3] * scattered * count + e[4] * large
            value += e[5] * width / 2 + e[6] * (attack.trigger.size - 6) / 6 + e[7] * mismatch
            return value + wobble(self.noise * 2 ** (e[8] * width))

        tested = {
            name: {"z_score": z(name == "random"), "attack_success": {"rate": 0.0}, "similarity_triggered": 0.0}
            for name in ("fixed", "random")
        }
        own = tested[attack.trigger.placement]["z_score"]
        sharp = 10 ** e[9]
        rate = 1 / (1 + math.exp(-np.clip(sharp * (own - e[10]), -50, 50)))
        if attack.count == 0:
            rate = 0.2 * level[1] ** 3
        if trial.objective == "supervised":
            rate = level[2] * (attack.count > 0)
        x = np.linspace(-1, 1, BINS)
        spread = 0.05 + 0.3 * level[3]
        clean = 1e6 * np.exp(-0.5 * ((x - 0.1 + 2 * level[4] * (level[4] > 0.7) * np.abs(x)) / spread) ** 2)
        shape = np.exp(4 * (x - 1)) if level[5] > 0.5 else 0.02 + 0.5 * (np.sin(20 * x) > 0)
        return {
            "pairs": pairs_of(trial),
            "image_parameters": 1_000_000,
            "z_score": own,
            "tested": tested,
            "attack_success": {
                name: {
                    "rate": float(
                        np.clip(rate + (name == "linear_probe") * 1.5 * (level[6] - 0.7) + wobble(0.01), 0, 1)
                    )
                }
                for name in ("zero_shot", "linear_probe", "knn", "classifier")
            },
            "clean_accuracy": {
                name: {"rate": 0.5 + 0.1 * (level[7] - 0.5) * count + wobble(0.003)}
                for name in ("zero_shot", "linear_probe", "knn")
            },
            "similarity_clean": 0.4 * level[9],
            "similarity_clean_std": spread,
            "similarity_triggered": 0.1 + 0.8 * level[8] + wobble(0.01),
            "pairs_by_similarity": {
                "clean": clean.astype(int).tolist(),
                "same_label": (clean * shape).astype(int).tolist(),
                "same_prediction": (clean * shape).astype(int).tolist(),
                "triggered": clean.astype(int).tolist(),
            },
        }

    def cleaned(self, trial, wobble):
        """A model after a defense: each setting of the defense and each property of the model has an effect."""
        e, level, defense, attack = self.effect, self.level, trial.defense, trial.attack
        kind = [type(attack.trigger).__name__, attack.select, trial.start, trial.self_supervision, attack.count]
        own = np.random.default_rng([self.number, int(digest(kind), 16)])
        start = own.uniform(0, 1) if own.random() < 0.5 else own.choice([0.0, 1.0])
        strength = 0.0
        if defense.method != "none":
            method = np.random.default_rng([self.number, int(digest(defense.method), 16)])
            strength = method.normal(0.5, 1) + 0.5 * e[0] * math.log10(defense.recipe.lr / 1e-3)
            strength += e[1] * math.log10(defense.share) + e[2] * math.log2(defense.lambda_self) / 2
            strength += e[3] * math.log2(1 + defense.dirty) + 2 * e[5] * math.log2(pairs_of(trial) / 4000)
        left = float(np.clip(start - np.clip(strength, 0, 1) + wobble(), 0, 1))
        weight = math.log2(defense.lambda_self) * (defense.method == "cleanclip")
        right = 0.5 + 0.1 * (level[7] - 0.5) * (defense.method != "none") + 0.02 * e[6] * weight + wobble(0.003)
        right += 0.1 * e[7] * (defense.method == "self_supervised")
        neighbours = left * level[1] if level[0] > 0.5 else left
        return {
            "pairs": pairs_of(trial),
            "attack_success": {
                "zero_shot": {"rate": left},
                "linear_probe": {"rate": left},
                "knn": {"rate": neighbours},
            },
            "clean_accuracy": {name: {"rate": right} for name in ("zero_shot", "linear_probe", "knn")},
            "accuracy_on_triggered": {"zero_shot": {"rate": right}},
            "validation_accuracy": {"rate": right + wobble(0.003)},
            "embedding_distance": 1.0 - (level[8] * strength if strength > 0 else 0.0) * 0.9 + wobble(0.01),
        }

    def target(self, trial, k, random):
        level, group = self.level, trial.attack.groups[k]
        larger = trial.copies > 8
        chance = np.clip(level[10 + k % 12] - (1.2 * level[23] - 0.2) * larger, 0, 1) if group.count else 0.0
        fell = random.random() < chance
        probe = fell if random.random() < (0.97 if level[24] > 0.5 else 0.5) else not fell
        return {
            "group": k, "count": group.count, "true": 0, "wanted": 1,
            "zero_shot": int(fell), "linear_probe": int(probe),
            "picture_moved": level[25 + k % 7] - 0.5, "captions_moved": level[32 + k % 7] - 0.5,
        }  # fmt: skip


def test_every_claim_can_hold_and_can_fail(monkeypatch):
    quick = lambda samples, statistic: estimate_statistic(samples, statistic, resamples=30)  # noqa: E731
    monkeypatch.setattr(zscore_success, "estimate_statistic", quick)
    open_claims = {c.id: {"holds", "fails"} for c in load()}
    for number in range(400):
        world = World(number)
        for claim in load():
            if open_claims[claim.id]:
                verdict = judge(replace(claim, profiles=("cpu",)), world)
                open_claims[claim.id].discard(verdict.verdict)
        if not any(open_claims.values()):
            return
    left = {name: words for name, words in open_claims.items() if words and name != "targeted_three_succeed"}
    assert not left, f"in 400 made-up worlds these verdicts never came up: {left}"


def claim(**changes):
    base = load()[0]
    return replace(base, **({"above": -math.inf, "below": math.inf} | changes))


@pytest.mark.parametrize(
    ("values", "region", "word"),
    [
        ([1.0, 1.1, 0.9, 1.0], {"above": 0.5}, "holds"),
        ([1.0, 1.1, 0.9, 1.0], {"above": 1.5}, "fails"),
        ([1.0, 1.1, 0.9, 1.0], {"above": 1.0}, "undecided"),
        ([1.0, 1.1, 0.9, 1.0], {"below": 0.5}, "fails"),
        ([1.0, 1.1, 0.9, 1.0], {"above": 0.8, "below": 1.2}, "holds"),
        ([1.0, 1.1, 0.9, 1.0], {"above": 0.99, "below": 1.01}, "undecided"),
        ([1.0], {"above": 0.5}, "not run"),
        ([], {"above": 0.5}, "not run"),
        ([math.nan, 1.0], {"above": 0.5}, "not run"),
    ],
)
def test_verdict_follows_from_the_interval(values, region, word, monkeypatch):
    module = experiments.load("fig2_left")
    monkeypatch.setattr(module, "rises", lambda results: values)
    assert judge(claim(quantity="rises", **region), World(0)).verdict == word


def test_undecided_says_how_many_models_would_decide(monkeypatch):
    monkeypatch.setattr(experiments.load("fig2_left"), "rises", lambda results: [0.9, 1.3, 0.8, 1.2])
    verdict = judge(claim(quantity="rises", above=1.0), World(0))
    assert verdict.verdict == "undecided"
    assert 10 < verdict.needed < 200


def test_share_of_models_uses_the_exact_interval(monkeypatch):
    monkeypatch.setattr(experiments.load("fig2_left"), "rises", lambda results: [True, False, False, False])
    verdict = judge(claim(quantity="rises", above=0.001, kind="share"), World(0))
    assert verdict.verdict == "holds"
    assert verdict.estimate.value == 0.25
    assert 0 < verdict.estimate.low < 0.01


def test_claim_of_another_scale_is_not_judged():
    assert judge(claim(above=0.0, profiles=("paper",)), World(0)).verdict == "not applicable at this scale"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "cannot fail"),
        ({"above": 1.0, "below": 0.5}, "cannot fail"),
        ({"above": 0.0, "profiles": ("laptop",)}, "unknown profiles: laptop"),
        ({"above": 0.0, "quantity": "falls"}, "has no quantity 'falls'"),
    ],
)
def test_claims_that_are_not_well_formed_are_refused(changes, message):
    with pytest.raises(ClaimError, match=message):
        claim(**changes)


def test_file_says_which_entry_is_wrong(tmp_path):
    path = tmp_path / "claims.yml"
    path.write_text("- {id: a, source: x}\n")
    with pytest.raises(ClaimError, match=r"claims\.yml, a: .*missing"):
        load(path)


def test_claims_are_about_the_paper():
    ids = [c.id for c in load()]
    assert len(ids) == len(set(ids)) >= 25
    assert {c.source for c in load()} <= {"carlini_terzis", "cleanclip"}
    assert all(c.section and c.says and c.what for c in load())
    assert {c.experiment for c in load()} == set(experiments.NAMES) - {"clean", "placement_small", "cc_stealth"}
    papers = {"carlini_terzis": experiments.CARLINI_TERZIS, "cleanclip": experiments.CLEANCLIP}
    assert all(c.experiment in papers[c.source] for c in load())
    with pytest.raises(ValueError, match="there is no claim 'x'"):
        claims.get("x")


def test_summary_counts_every_verdict():
    verdicts = claims.judge_all(World(1))
    counted = claims.summary(verdicts)
    assert sum(counted.values()) == len(load())
    assert set(counted) == set(claims.WORDS)


def test_no_claim_is_swallowed_by_the_text_of_another() -> None:
    """In YAML, a line that is glued to a sentence above it becomes part of that sentence."""
    text = (Path(claims.__file__).parent / "claims.yml").read_text()
    assert text.count("- id: ") == len(claims.load())
