"""Records of a world in which everything is drawn: does each verdict come up in some of them?"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from tests.evidence.worlds import MadeUp, readers
from tutorial_lib.attacks import Backdoor, Targeted, TextBackdoor, Together
from tutorial_lib.attacks.backdoor import BINS
from tutorial_lib.costs.seconds import pairs
from tutorial_lib.defenses import Retraining
from tutorial_lib.detect.checkpoints import CheckpointDetector
from tutorial_lib.experiments import fig5_right
from tutorial_lib.runs.detect import SHARES
from tutorial_lib.trials import TrainedDefense, Trial
from tutorial_lib.trials.schema import digest
from tutorial_lib.triggers import Patch

#: Clean accuracy is read by these.
CLIP_READERS = ("zero_shot", "linear_probe", "knn")


def rate(value: float) -> dict[str, float]:
    """A rate with a narrow interval."""
    shown = float(np.clip(value, 0, 1))
    return {"rate": shown, "low": max(0.0, shown - 0.03), "high": min(1.0, shown + 0.03)}


class RandomWorld(MadeUp):
    """What models would measure if the world were as its random numbers say.

    Args:
        number: of the world; the same one is the same each time.
        profile: whose trials have records.
    """

    def __init__(self, number: int, profile: str = "cpu") -> None:
        super().__init__(profile)
        self.number = number
        draw = np.random.default_rng(number)
        self.effect = draw.normal(0, 1, 16)
        self.level = draw.uniform(0, 1, 40)
        self.noise = 10 ** draw.uniform(-2.5, -0.5)

    def metrics(self, trial: Trial) -> dict[str, Any]:
        random = np.random.default_rng([self.number, int(trial.key, 16)])
        attack = trial.attack
        if any(isinstance(d, CheckpointDetector) for d in trial.detectors):
            return self._audited(trial, random)
        if isinstance(attack, Together):
            return self._shared(trial, attack)
        if isinstance(attack, Targeted):
            right = 0.5 + 0.2 * (self.level[39] - 0.5) + float(random.normal(0, 0.003))
            return {
                "clean_accuracy": {r: {"rate": right} for r in CLIP_READERS},
                "validation_accuracy": {"rate": right + float(random.normal(0, 0.003))},
                "targets": [self._target(trial, k, random) for k in range(len(attack.groups)) for _ in range(12)],
            }
        if isinstance(attack, TextBackdoor):
            read = np.clip(self.level[0] * (attack.count > 0) + random.normal(0, self.noise), 0, 1)
            return {"text_attack_success": rate(read), "text_attack_success_without_word": {"rate": 0.0}}
        if trial.detectors:
            return self._looked_at(trial, random)
        if trial.defense is not None:
            return self._cleaned(trial, random)
        if not isinstance(attack, Backdoor):
            seen = 0.6 + 0.3 * (self.level[38] if trial.objective == "clip" else self.level[37])
            return {
                "clean_accuracy": {r: {"rate": 0.5} for r in (*CLIP_READERS, "classifier")},
                "training_accuracy": {"rate": seen + float(random.normal(0, 0.003))},
            }
        return self._backdoor(trial, attack, random)

    def _shared(self, trial: Trial, attack: Together) -> dict[str, Any]:
        """What each attack measures alone, and what the others do to it."""
        found = {k: v for part in attack.parts for k, v in self.metrics(replace(trial, attack=part)).items()}
        found["z_score"] += 0.5 * self.effect[11]
        found["attack_success"] = {
            r: rate(of["rate"] + 0.2 * self.effect[12]) for r, of in found["attack_success"].items()
        }
        found["clean_accuracy"] = {
            r: {"rate": of["rate"] + 0.03 * self.effect[13]} for r, of in found["clean_accuracy"].items()
        }
        found["targets"] = [t | {"zero_shot": int(self.effect[14] < 0.5 and t["zero_shot"])} for t in found["targets"]]
        return found

    def _backdoor(self, trial: Trial, attack: Backdoor, random: np.random.Generator) -> dict[str, Any]:
        e, level, trigger = self.effect, self.level, attack.trigger
        assert isinstance(trigger, Patch)
        count, scattered = math.log2(1 + attack.count) / 8, trigger.placement == "random"
        large, models = math.log2(pairs(trial) / 4000), self._models()
        width = models.index(trial.model) - 2 if trial.model in models else 0

        def z(tested_at_random: bool) -> float:
            mismatch = scattered != tested_at_random
            value = 1 + e[0] + 2 * e[1] * count + e[2] * scattered + 2 * e[3] * scattered * count + e[4] * large
            value += self._other(trial) + e[5] * width / 2 + e[6] * (trigger.size - 6) / 6 + e[7] * mismatch
            return value + float(random.normal(0, self.noise * 2 ** (e[8] * width)))

        tested = {name: {"z_score": z(name == "random")} for name in ("fixed", "random")}
        own = tested[trigger.placement]["z_score"]
        fooled = 1 / (1 + math.exp(-np.clip(10 ** e[9] * (own - e[10]), -50, 50)))
        if attack.count == 0:
            fooled = 0.2 * level[1] ** 3
        if trial.objective == "supervised":
            fooled = level[2] * (attack.count > 0)
        probe = 1.5 * (level[6] - 0.7)
        success = {r: fooled + r.startswith("linear_probe") * probe + random.normal(0, 0.01) for r in readers(trial)}
        right = 0.5 + 0.1 * (level[7] - 0.5) * count
        return self._similarities(random) | {
            "pairs": pairs(trial),
            "image_parameters": 1_000_000,
            "z_score": own,
            "tested": tested,
            "attack_success": {r: rate(value) for r, value in success.items()},
            "clean_accuracy": {r: {"rate": right + float(random.normal(0, 0.003))} for r in CLIP_READERS},
        }

    def _models(self) -> tuple[str, ...]:
        return fig5_right.MODELS[self.profile] if self.profile.asks(fig5_right.__name__) else ()

    def _other(self, trial: Trial) -> float:
        """The effect of whatever else a trial says: of its recipe, its task, its objective."""
        known = {"seeds", "attack", "defense", "model", "classes", "copies", "scenes", "limit", "shards"}
        rest = {name: value for name, value in trial.as_dict().items() if name not in known}
        return float(np.random.default_rng([self.number, int(digest(rest), 16)]).normal(0, 1))

    def _similarities(self, random: np.random.Generator) -> dict[str, Any]:
        level = self.level
        x = np.linspace(-1, 1, BINS)
        spread = 0.05 + 0.3 * level[3]
        clean = 1e6 * np.exp(-0.5 * ((x - 0.1 + 2 * level[4] * (level[4] > 0.7) * np.abs(x)) / spread) ** 2)
        shape = np.exp(4 * (x - 1)) if level[5] > 0.5 else 0.02 + 0.5 * (np.sin(20 * x) > 0)
        same = (clean * shape).astype(int).tolist()
        return {
            "similarity_clean": 0.4 * level[9],
            "similarity_clean_std": spread,
            "similarity_triggered": 0.1 + 0.8 * level[8] + float(random.normal(0, 0.01)),
            "pairs_by_similarity": {
                "clean": clean.astype(int).tolist(),
                "same_label": same,
                "same_prediction": same,
                "triggered": clean.astype(int).tolist(),
            },
        }

    def _looked_at(self, trial: Trial, random: np.random.Generator) -> dict[str, Any]:
        """Every detector is good or bad at each attack."""
        attack, found = trial.attack, {}
        assert isinstance(attack, Backdoor)
        for detector in trial.detectors:
            own = np.random.default_rng(
                [self.number, int(digest([str(attack.trigger), attack.count, detector.label]), 16)]
            )
            level = own.uniform(0.3, 1) if own.random() < 0.5 else own.choice([0.3, 0.5, 1.0])
            auroc, seen = (float(np.clip(level + random.normal(0, self.noise), 0, 1)) for _ in range(2))
            found[detector.label] = {"auroc": auroc, "recall": dict.fromkeys((f"{s:g}" for s in SHARES), seen)}
        works = 1.5 * np.random.default_rng([self.number, int(digest(str(attack.trigger)), 16)]).uniform(0, 1)
        fooled = {r: rate(works + random.normal(0, 0.01)) for r in readers(trial)}
        return {"attack_success": fooled, "detection": found, "pairs": pairs(trial), "poisons": attack.count}

    def _audited(self, trial: Trial, random: np.random.Generator) -> dict[str, Any]:
        """Every detector is good or bad, and what it says of clean models is anything."""
        attack = trial.attack.find(Backdoor) if trial.attack else None
        audits, detection = {}, {}
        for detector in trial.detectors:
            own = np.random.default_rng([self.number, int(digest(detector.label), 16)])
            base, gain = own.uniform(0, 3), own.choice([0.0, 0.5, 3.0])
            base += own.choice([0.0, 0.0, 1.0]) * (trial.seeds.data >= 3100)  # other clean models are of another kind
            if isinstance(detector, CheckpointDetector):
                score = base + gain * (attack is not None) + float(random.normal(0, 0.3))
                audits[detector.label] = {"score": score, "named": int(random.random() < gain / 3), "target": ""}
            else:
                detection[detector.label] = {"auroc": float(np.clip(base / 3 + random.normal(0, self.noise), 0, 1))}
        works = 0.6 + 0.5 * np.random.default_rng([self.number, 77]).uniform(0, 1)
        fooled = {r: rate(works + random.normal(0, 0.05)) for r in readers(trial)} if attack else {}
        return {"attack_success": fooled, "audits": audits, "detection": detection}

    def _cleaned(self, trial: Trial, random: np.random.Generator) -> dict[str, Any]:
        """A model after a defense: each setting of the defense and each property of the model has an effect."""
        e, level, defense, attack = self.effect, self.level, trial.defense, trial.attack
        assert isinstance(attack, Backdoor)
        kind = [str(attack.trigger), attack.select, attack.rehearsed, trial.start, trial.self_supervision, attack.count]
        kind += [str(trial.method)] if trial.method else []
        own = np.random.default_rng([self.number, int(digest(kind), 16)])
        start = own.uniform(0, 1) if own.random() < 0.5 else own.choice([0.0, 1.0])
        strength, weight, after = 0.0, 0.0, isinstance(defense, TrainedDefense | Retraining)
        if isinstance(defense, TrainedDefense):
            weight = math.log2(getattr(defense, "lambda_self", 1.0))
            method = np.random.default_rng([self.number, int(digest(self._knows(defense)), 16)])
            strength = method.normal(0.5, 1) + 0.5 * e[0] * math.log10(defense.recipe.lr / 1e-3)
            strength += e[1] * math.log10(defense.share) + e[2] * weight / 2
            strength += np.random.default_rng([self.number, defense.recipe.epochs]).normal(0, 0.3) + own.normal(0, 0.6)
            strength += e[3] * math.log2(1 + defense.dirty) + 2 * e[5] * math.log2(pairs(trial) / 4000)
            meet = [self.number, int(digest([self._knows(defense), str(attack.trigger)]), 16)]
            strength += np.random.default_rng(meet).normal(0, 0.4)  # one trigger suits one defense
        if isinstance(defense, Retraining):
            strength = np.random.default_rng([self.number, int(digest(str(defense.detector)), 16)]).normal(0.5, 1)
        most = 1.0 if own.random() < 0.7 else own.uniform(0.3, 1)  # that can be removed of this backdoor
        left = float(np.clip(start - np.clip(strength, 0, most) + random.normal(0, self.noise), 0, 1))
        right = 0.5 + 0.1 * (level[7] - 0.5) * after + 0.02 * e[6] * weight + float(random.normal(0, 0.003))
        right += 0.1 * e[7] * (defense is not None and defense.kind == "self-supervised")
        right -= 0.2 * level[3] * (defense is not None and defense.kind == "par")
        if trial.method is not None:
            trained = np.random.default_rng([self.number, int(digest(str(trial.method)), 16)])
            right += 0.2 * (trained.uniform(0, 1) - 0.5)
        neighbours = left * level[1] if level[0] > 0.5 else left
        moved = level[8] * strength if strength > 0 else 0.0
        success = {r: {"rate": neighbours if r.startswith("knn") else left} for r in readers(trial)}
        safe = {"safe": [(pairs(trial) + attack.count) * level[2]], "safe_poisons": [attack.count * own.uniform(0, 1)]}
        return {
            "pairs": pairs(trial),
            "attack_success": success,
            "clean_accuracy": {r: {"rate": right} for r in readers(trial)},
            "poisons": attack.count,
            "method": safe,
            "accuracy_on_triggered": {r: {"rate": right} for r in readers(trial)},
            "validation_accuracy": {"rate": right + float(random.normal(0, 0.003))},
            "embedding_distance": 1.0 - 0.9 * moved + float(random.normal(0, 0.01)),
            "similarity_clean": 0.4 * level[9],
        }

    def _knows(self, defense: TrainedDefense) -> str:
        """The defense, and what it takes a trigger from."""
        source = getattr(defense, "invert", None)
        return defense.kind + (f" {source.kind}" if source else "")

    def _target(self, trial: Trial, k: int, random: np.random.Generator) -> dict[str, float]:
        assert isinstance(trial.attack, Targeted)
        level, group = self.level, trial.attack.groups[k]
        larger = trial.scenes > 50_000
        spared = 0.0
        if trial.method is not None:
            drawn = np.random.default_rng([self.number, int(digest(str(trial.method)), 16)]).uniform(0, 1)
            spared = 1.5 * (drawn - 0.4)
        chance = np.clip(level[10 + k % 12] - spared - (1.2 * level[23] - 0.2) * larger, 0, 1) if group.count else 0.0
        fell = random.random() < chance
        probe = fell if random.random() < (0.97 if level[24] > 0.5 else 0.5) else not fell
        return {
            "group": k, "count": group.count, "true": 0, "wanted": 1,
            "zero_shot": int(fell), "linear_probe": int(probe),
            "linear_probe_unseen": int(probe), "distinct": group.count * (0.8 + 0.2 * level[36]),
            "picture_at": trial.attack.planted * (level[25 + k % 7] - 0.5) + float(random.normal(0, 0.01)),
            "captions_at": trial.attack.planted * (level[32 + k % 7] - 0.5) + float(random.normal(0, 0.01)),
        }  # fmt: skip
