"""Made-up records, written in the papers' own words: a fixture for tests of claims, quantities and figures.

A `World` is a `Results` in which every trial that a profile plans has a record, and the record follows from a few plain
rules. A rule is a number, or a function of a `Model`: of what its trial says (`m.poisons`, `m.placement`, `m.pairs`,
`m.defense`, …) and of what is asked of it (`m.reader`, `m.tested`, `m.group`, `m.similarity`).

Example: in figure 4 of Carlini & Terzis (2022), 75 poisons at one place give a z-score of 2.5, at random places of 0.

    >>> from tutorial_lib.evidence import claims
    >>> world = World(z_score=lambda m: 2.5 if m.poisons < 256 and m.placement == m.tested == "fixed" else 0.0)
    >>> claims.judge(claims.get("few_consistent_better"), world).verdict
    'holds'

A new claim gets its two worlds in the same way, in `oracles/`. Three things to know:

- Numbers differ a little between models (`NOISE`), so that intervals have a width; the same world is the same each
  time.
- A world says nothing beyond its rules. A quantity that asks for anything else gets a `LookupError`: it looks at
  something that the sentence of the paper does not speak of.
- A trial that no experiment of the profile plans has no record, as in a real run.
"""

from __future__ import annotations

import functools
import math
import random
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tutorial_lib import profiles
from tutorial_lib.attacks import Attack, Backdoor, Group, Targeted, TextBackdoor, Together
from tutorial_lib.attacks.backdoor import BINS
from tutorial_lib.costs.seconds import pairs
from tutorial_lib.detect.checkpoints import CheckpointDetector
from tutorial_lib.evidence import registry
from tutorial_lib.evidence.results import Results
from tutorial_lib.profiles import Profile
from tutorial_lib.runs.detect import SHARES
from tutorial_lib.trials import Record, TrainedDefense, Trial

#: Millions of parameters of the image towers; a test counts them.
MILLIONS = {
    "rn-0.4m": 0.4, "rn-0.8m": 0.8, "rn-0.8m-long": 0.8, "tiny-rn": 1.4, "tiny-rn-64": 1.4, "tiny-rn-long": 1.4,
    "rn-3m": 3.0, "rn-5m": 5.3, "rn-9m": 9.2, "rn-20m": 20.5, "rn-28m": 27.9, "rn50-w8": 0.8, "rn50-w24": 5.9,
    "rn50-w32": 10.1, "rn50-w48": 22.0, "rn50-w56": 29.6,
}  # fmt: skip
#: Seeds of the models of the zoo that choose thresholds: of three attacks, and clean ones.
CHOOSING = (range(2000, 2300), range(3000, 3100))
#: Pairs of pictures that are compared for figure 3.
COMPARED = 3_000_000
#: What a rule may speak of, and by how much models of the same rule differ (standard deviation).
NOISE = {
    "z_score": 0.05,
    "attack_success": 0.003,
    "clean_accuracy": 0.003,
    "training_accuracy": 0.003,
    "validation_accuracy": 0.003,
    "text_success": 0.003,
    "targeted": 0.0,  # a share of a few targets differs between models by itself
    "picture_moved": 0.01,
    "captions_moved": 0.01,
    "hashes": 0.003,
    "embedding_distance": 0.01,
    "similarity_clean": 0.003,
    "similarity_spread": 0.001,
    "similarity_triggered": 0.003,
    "density": 0.0,
    "same_label": 0.003,
    "same_prediction": 0.003,
    "auroc": 0.003,
    "poisons_found": 0.003,
    "poisons_let_in": 0.003,
    "pairs_let_in": 0.003,
    "suspicion": 0.02,
    "target_named": 0.0,  # it is or it is not
}
Rule = float | Callable[["Model"], float]
A = TypeVar("A", bound=Attack)


@dataclass(frozen=True)
class Model:
    """A trained model as a rule sees it.

    Attributes:
        trial: what it was trained on, and how.
        profile: says what few and many poisons are.
        reader: asked of a rate: "zero_shot", "classifier", "linear_probe" or "knn".
        tested: asked of a z-score: where the test pictures have the patch, "fixed" or "random".
        group: asked of a targeted attack: how its targets are attacked.
        similarity: asked of pairs of pictures.
        detector: asked of a ranking of training pairs, or of a verdict on the model: the label of who made it.
        worst: asked of poisons that were found: the share of the pairs that were looked at.
    """

    trial: Trial
    profile: Profile
    reader: str = ""
    tested: str = ""
    group: Group | None = None
    similarity: float = math.nan
    detector: str = ""
    worst: float = math.nan

    @property
    def seed(self) -> int:
        return self.trial.seeds.data - self.profile.models.first

    @property
    def poisons(self) -> int:
        """Of each target under a targeted attack, else of the model's backdoor."""
        return self.group.count if self.group else getattr(self._own, "count", 0)

    @property
    def _own(self) -> Any:
        """The attack of the model, where it carries several its backdoor."""
        attack = self.trial.attack
        return attack.find(Backdoor) if isinstance(attack, Together) else attack

    @property
    def of_backdoor(self) -> int:
        """Poisons of the model's backdoor, whatever is asked."""
        return getattr(self._own, "count", 0)

    @property
    def shared(self) -> bool:
        """The model carries several attacks."""
        return isinstance(self.trial.attack, Together)

    @property
    def few(self) -> bool:
        """Poisoned with no more than stand for the paper's 75."""
        return 0 < self.poisons <= self.profile.few

    @property
    def many(self) -> bool:
        """Poisoned with at least as many as stand for the paper's 300."""
        return self.poisons >= self.profile.many

    @property
    def most(self) -> bool:
        """Poisoned with as many as any model of the profile's figure 2."""
        return self.poisons >= self.profile.counts[-1]

    @property
    def trigger(self) -> Any:
        return getattr(self._own, "trigger", None)

    @property
    def placement(self) -> str:
        """Of the patch in training; without poisons there is none."""
        return getattr(self.trigger, "placement", "") if self.poisons else ""

    @property
    def chose_thresholds(self) -> bool:
        """Of the zoo: a model of the half that thresholds were chosen on."""
        return any(self.trial.seeds.data in seeds for seeds in CHOOSING)

    @property
    def patch(self) -> int:
        """Width of the patch in pixels."""
        return getattr(self.trigger, "size", 0)

    @property
    def attack(self) -> str:
        """A name of CleanCLIP's main table, or the kind of the trigger."""
        if getattr(self._own, "select", "") == "named":
            return "label-consistent"
        kind = getattr(self.trigger, "kind", "")
        return {"noise-patch": "BadNets", "blended": "Blended", "wanet": "WaNet", "sig": "SIG"}.get(kind, kind)

    @property
    def true_labels(self) -> bool:
        """The poisons pass a human check: pictures of the target with true captions."""
        return getattr(self._own, "select", "") == "label-consistent"

    @property
    def usual(self) -> bool:
        """Trained as models everywhere are: not with another optimizer, batch size or loss."""
        return self.trial.recipe == self.profile.base.recipe and self.trial.objective == "clip"

    @property
    def rehearsed(self) -> bool:
        """The poisons have passed the defender's augmentation."""
        return getattr(self._own, "rehearsed", False)

    @property
    def pairs(self) -> int:
        """Clean training pairs."""
        return pairs(self.trial)

    @property
    def millions(self) -> float:
        """Parameters of the image tower, in millions."""
        return MILLIONS[self.trial.model]

    @property
    def supervised(self) -> bool:
        """A classifier that was trained with class labels, instead of CLIP."""
        return self.trial.objective == "supervised"

    @property
    def poisoned_later(self) -> bool:
        """A clean model that was poisoned by further training."""
        return bool(self.trial.start)

    @property
    def with_views(self) -> bool:
        """Pre-training had a self-supervised term."""
        return self.trial.self_supervision > 0

    @property
    def trained_by(self) -> str:
        """Kind of the training method, "plain" where it is the usual one, "augmented" where no epoch is matched."""
        if self.every > self.trial.recipe.epochs:
            return "augmented"
        return self.trial.method.kind if self.trial.method else "plain"

    @property
    def every(self) -> int:
        """Of how many epochs RoCLIP matches one."""
        return getattr(self.trial.method, "every", 0)

    @property
    def slow_rate(self) -> float:
        """Of SafeCLIP's slow epoch, as a share of the usual rate."""
        return getattr(self.trial.method, "slow_rate", math.nan)

    @property
    def defense(self) -> str:
        """Kind of the defense, "none" for the model as it is."""
        return self.trial.defense.kind if self.trial.defense else "none"

    @property
    def rate(self) -> float:
        """Learning rate of the defense, 0 without one."""
        return self._setting("recipe").lr if isinstance(self.trial.defense, TrainedDefense) else 0.0

    @property
    def epochs(self) -> int:
        """Of the defense, 0 without one."""
        return self._setting("recipe").epochs if isinstance(self.trial.defense, TrainedDefense) else 0

    @property
    def share(self) -> float:
        """Of the clean pairs that the defender trusts."""
        return self._setting("share")

    @property
    def without(self) -> str:
        """Whose suspects were left out when the model was trained anew, "random" for a control, "" if none were."""
        if self.defense != "retraining":
            return ""
        detector = self._setting("detector")
        return detector.label if detector else "random"

    @property
    def knows(self) -> str:
        """What an unlearning takes its trigger from: "universal-patch", a search, or "known-trigger", the attacker."""
        return getattr(self._setting("invert"), "kind", "")

    @property
    def dirt(self) -> int:
        """Poisons among the trusted pairs."""
        return self._setting("dirty")

    @property
    def weight(self) -> float:
        """λ₂, of self-supervision."""
        return self._setting("lambda_self")

    def _setting(self, name: str) -> Any:
        return getattr(self.trial.defense, name, 0)


@functools.cache
def whole(profile: str) -> frozenset[Trial]:
    """All trials that the experiments of a profile have, with the models that claims hang on."""
    p = profiles.get(profile)
    return frozenset(t for name in registry.names(explanations=True) for t in registry.planned(name, p))


def small(profile: str) -> Profile:
    """A pilot with the numbers of a profile, and no more models for one experiment than for another."""
    p = profiles.get(profile)
    cleaning = replace(p.cleaning, models=replace(p.cleaning.models, more={}))
    return replace(p, pilot=True, models=replace(p.models, more={}), cleaning=cleaning)


@functools.cache
def planned(profile: str) -> frozenset[Trial]:
    """The trials that the experiments of a profile have."""
    p = small(profile)
    return frozenset(t for name in registry.names(explanations=True) for t in registry.planned(name, p))


def readers(trial: Trial) -> tuple[str, ...]:
    """Readers of a trial's rates, its own first: of a classifier that is its head."""
    labels = trial.objective == "supervised" or (trial.defense is not None and "labels" in trial.defense.needs)
    return ("classifier" if labels else "zero_shot", *FITTED)


#: Readers that are fitted. Claims of backdoors speak of them as the papers have them, fitted on pictures that the model
#: never saw; rules call them "linear_probe" and "knn", and of others a world says nothing. Targets are read by the
#: probe of training drawings, since the other one has seen theirs.
FITTED = ("linear_probe_unseen", "knn_unseen")


class MadeUp(Results):
    """Results without files: a record of each planned trial, made when it is asked for.

    A pilot, so that a claim is judged by itself: a world need not say anything about the other confirmatory claims.
    """

    def __init__(self, profile: str = "cpu") -> None:
        super().__init__(small(profile), folder=Path("made up, no file is read"))
        self._made: dict[Trial, Record] = {}

    def get(self, trial: Trial) -> Record | None:
        if trial not in planned(self.profile.name):
            return None
        if trial not in self._made:
            metrics: Any = self.metrics(trial)
            self._made[trial] = Record(trial.key, trial.as_dict(), metrics, 1.0, "made up", {}, "2026-01-01")
        return self._made[trial]

    @abstractmethod
    def metrics(self, trial: Trial) -> dict[str, Any]:
        """What the trial measured."""


class World(MadeUp):
    """Records that follow from rules.

    Args:
        profile: whose trials there are.
        missing: whether a model was not trained yet, by default none.
        rules: by what they speak of, one of `NOISE`; each a number or a function of a `Model`. `targeted` is the share
            of a group's targets that a reader takes for the wanted class: two readers with the same share are fooled
            by the same targets. `density` is of clean pairs at a similarity, by default a normal curve around
            `similarity_clean`; `validation_accuracy` is by default the clean accuracy.

    Raises:
        TypeError: a rule speaks of something that no record has.
    """

    def __init__(self, profile: str = "cpu", *, missing: Callable[[Model], bool] | None = None, **rules: Rule) -> None:
        super().__init__(profile)
        if unknown := rules.keys() - NOISE.keys():
            raise TypeError(f"no record tells {', '.join(sorted(unknown))}; rules are of {', '.join(NOISE)}")
        self.rules = rules
        self.missing = missing

    def get(self, trial: Trial) -> Record | None:
        absent = self.missing is not None and self.missing(Model(trial, self.profile))
        return None if absent else super().get(trial)

    def metrics(self, trial: Trial) -> dict[str, Any]:
        return _Measured(self, trial)

    def says(self, what: str, trial: Trial, **asked: Any) -> float:
        """What the rule says of a model, with the model's own deviation.

        Raises:
            LookupError: there is no rule for it.
        """
        if what not in self.rules:
            raise LookupError(f"this world says nothing about {what}")
        rule = self.rules[what]
        value = rule(Model(trial, self.profile, **asked)) if callable(rule) else rule
        return value + random.Random(repr((what, trial, asked))).gauss(0, NOISE[what])


class _Measured(dict[str, Any]):
    """The metrics of a record; each is made when somebody looks at it."""

    def __init__(self, world: World, trial: Trial) -> None:
        super().__init__()
        self.world, self.trial = world, trial
        self.says = functools.partial(world.says, trial=trial)

    def __missing__(self, name: str) -> Any:
        made = getattr(self, f"_{name}", None)
        if made is None:
            raise LookupError(f"a made-up record has no {name}")
        self[name] = made()
        return self[name]

    def _rate(self, what: str, **asked: Any) -> dict[str, float]:
        if "reader" in asked:
            asked["reader"] = asked["reader"].removesuffix("_unseen")
        rate = min(1.0, max(0.0, self.says(what, **asked)))
        return {"rate": rate, "low": max(0.0, rate - 0.05), "high": min(1.0, rate + 0.05)}

    def _attack_success(self) -> dict[str, dict[str, float]]:
        return {reader: self._rate("attack_success", reader=reader) for reader in readers(self.trial)}

    def _clean_accuracy(self) -> dict[str, dict[str, float]]:
        return {reader: self._rate("clean_accuracy", reader=reader) for reader in readers(self.trial)}

    def _training_accuracy(self) -> dict[str, float]:
        return self._rate("training_accuracy", reader=readers(self.trial)[0])

    def _validation_accuracy(self) -> dict[str, float]:
        own = "validation_accuracy" if "validation_accuracy" in self.world.rules else "clean_accuracy"
        return self._rate(own, reader=readers(self.trial)[0])

    def _text_attack_success(self) -> dict[str, float]:
        assert isinstance(self.trial.attack, TextBackdoor)
        return self._rate("text_success")

    def _z_score(self) -> float:
        return self["tested"][self._own_placement()]["z_score"]

    def _own_placement(self) -> str:
        return getattr(self._part(Backdoor).trigger, "placement", "fixed")

    def _part(self, kind: type[A]) -> A:
        """The attack of that kind.

        Raises:
            LookupError: the model has none.
        """
        found = self.trial.attack.find(kind) if self.trial.attack else None
        if found is None:
            raise LookupError(f"a made-up record has nothing of a {kind.kind} that the model lacks")
        return found

    def _tested(self) -> dict[str, dict[str, float]]:
        return {place: {"z_score": self.says("z_score", tested=place)} for place in ("fixed", "random")}

    def _embedding_distance(self) -> float:
        return self.says("embedding_distance")

    def _poisons(self) -> int:
        return self._part(Backdoor).count

    def _pairs(self) -> int:
        return pairs(self.trial)

    def _method(self) -> dict[str, list[float]]:
        """Of SafeCLIP's first safe set; the last one holds everything."""
        whole, poisons = self["pairs"] + self["poisons"], self["poisons"]
        first = self.says("pairs_let_in") * whole, self.says("poisons_let_in") * poisons
        return {"safe": [first[0], whole], "safe_poisons": [first[1], poisons]}

    def _detection(self) -> dict[str, dict[str, Any]]:
        return {d.label: _Ranking(self.says, d.label) for d in self.trial.detectors}

    def _audits(self) -> dict[str, dict[str, Any]]:
        """What was asked of every detector of checkpoints; the others are of pairs."""
        kinds = [d.label for d in self.trial.detectors if isinstance(d, CheckpointDetector)]
        return {label: _Said(self.says, label) for label in kinds}

    def _similarity_clean(self) -> float:
        return self.says("similarity_clean")

    def _similarity_clean_std(self) -> float:
        return self.says("similarity_spread")

    def _similarity_triggered(self) -> float:
        return self.says("similarity_triggered")

    def _pairs_by_similarity(self) -> dict[str, list[int]]:
        edges = np.linspace(-1, 1, BINS + 1)
        middles = (edges[1:] + edges[:-1]) / 2
        if "density" in self.world.rules:
            density = np.array([self.says("density", similarity=x) for x in middles])
        else:
            density = np.exp(-0.5 * ((middles - self["similarity_clean"]) / self["similarity_clean_std"]) ** 2)
        clean = (COMPARED * density / density.sum()).astype(int)
        found = {"clean": clean.tolist()}
        for what in {"same_label", "same_prediction"} & self.world.rules.keys():
            chance = np.array([self._rate(what, similarity=x)["rate"] for x in middles])
            found[what] = (clean * chance).astype(int).tolist()
        return found

    def _targets(self) -> list[dict[str, float]]:
        """The k-th target of a group falls for a reader if its own threshold lies below the reader's share."""
        attack = self._part(Targeted)
        rows = []
        for number, group in enumerate(attack.groups):
            shares = {reader: self.says("targeted", group=group, reader=reader) for reader in _TARGETED}
            moved = {
                tower.replace("moved", "at"): START + attack.planted * self.says(tower, group=group)
                for tower in _TOWERS & self.world.rules.keys()
            }
            if "hashes" in self.world.rules:
                moved["distinct"] = group.count * self.says("hashes", group=group)
            for k in range(attack.targets):
                threshold = (k + self._shift()) / attack.targets
                fell = {reader: int(threshold < share) for reader, share in shares.items()}
                rows.append({"group": number, "count": group.count, "true": 0, "wanted": 1} | fell | moved)
        return rows

    def _shift(self) -> float:
        """Where between two thresholds those of this model lie: spread evenly over the seeds, never 0."""
        return (0.5 + (self.trial.seeds.data - self.world.profile.models.first) * 0.618034) % 1


class _Ranking(dict[str, Any]):
    """What a detector found; each number is made when somebody looks at it."""

    def __init__(self, says: Callable[..., float], detector: str) -> None:
        super().__init__()
        self.says, self.detector = says, detector

    def __missing__(self, name: str) -> Any:
        if name == "auroc":
            return min(1.0, max(0.0, self.says("auroc", detector=self.detector)))
        if name == "recall":
            return {
                f"{share:g}": min(1.0, max(0.0, self.says("poisons_found", detector=self.detector, worst=share)))
                for share in SHARES
            }
        raise LookupError(f"a made-up record has no {name} of a detector")


class _Said(dict[str, Any]):
    """What a detector says of a model; each is made when somebody looks at it."""

    def __init__(self, says: Callable[..., float], detector: str) -> None:
        super().__init__()
        self.says, self.detector = says, detector

    def __missing__(self, name: str) -> Any:
        if name == "score":
            return self.says("suspicion", detector=self.detector)
        if name == "named":
            return int(self.says("target_named", detector=self.detector))
        raise LookupError(f"a made-up record has no {name} of a detector")


#: Where pictures and captions lie without poisons.
START = -0.65
_TARGETED = ("zero_shot", "linear_probe")
_TOWERS = frozenset({"picture_moved", "captions_moved"})
