"""A zoo of small models, clean and attacked, on which detectors of checkpoints are calibrated and judged.

Models and attacks are split: those of the calibration choose thresholds, and rates are of the others, whose attacks no
threshold has seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from tutorial_lib.attacks import Attack, Backdoor, Together
from tutorial_lib.detect import DAO, KDistance
from tutorial_lib.detect.checkpoints import (
    DECREE,
    CheckpointDetector,
    ClassInversion,
    NeuralCleanse,
    TokenInversion,
    TriggerScan,
    UniversalPatch,
)
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import AnyDetector, Recipe, Trial
from tutorial_lib.triggers import Blended, Checkerboard, FaintPatch, NoisePatch, Sinusoid, Stripes, WaNet

Role = Literal["calibration", "test"]
#: Seed of the first model of the zoo; each attack has a hundred, and so have the clean models.
FIRST, EACH = 2000, 100


@dataclass(frozen=True)
class Group:
    """Models with one attack.

    Attributes:
        role: whether they choose thresholds or judge them.
        make: the attack of a seed's model, from target, another class, number of poisons and seed.
        counts: numbers of poisons that take turns.
        patch: the trigger is an opaque patch at one place.
        pairs: detectors of pairs look at these models too.
    """

    role: Role
    make: Callable[[str, str, int, int], Attack]
    counts: tuple[int, ...]
    patch: bool = False
    pairs: bool = False


def _noise(target: str, other: str, count: int, seed: int) -> Attack:
    return Backdoor(count, target=target, trigger=NoisePatch(pattern_seed=seed))


def _blended(target: str, other: str, count: int, seed: int) -> Attack:
    return Backdoor(count, target=target, trigger=Blended(pattern_seed=seed))


def _wave(target: str, other: str, count: int, seed: int) -> Attack:
    return Backdoor(count, target=target, trigger=Sinusoid(delta=60.0))


def _board(target: str, other: str, count: int, seed: int) -> Attack:
    return Backdoor(count, target=target, trigger=Checkerboard())


def _stripes(target: str, other: str, count: int, seed: int) -> Attack:
    return Backdoor(count, target=target, trigger=Stripes(margin=13, pattern_seed=seed))


def _faint(target: str, other: str, count: int, seed: int) -> Attack:
    return Backdoor(count, target=target, trigger=FaintPatch(pattern_seed=seed))


def _warped(target: str, other: str, count: int, seed: int) -> Attack:
    return Backdoor(count, target=target, trigger=WaNet(strength=12.0, pattern_seed=seed))


def _consistent(target: str, other: str, count: int, seed: int) -> Attack:
    trigger = Blended(alpha=0.5, pattern_seed=seed)
    return Backdoor(count, target=target, trigger=trigger, select="label-consistent")


def _several(target: str, other: str, count: int, seed: int) -> Attack:
    """Two targets, each with a patch of its own."""
    far = NoisePatch(margin=20, pattern_seed=seed + 1)
    return Together((_noise(target, other, count, seed), Backdoor(count, target=other, trigger=far)))


def _spread(target: str, other: str, count: int, seed: int) -> Attack:
    """A chain from clean pictures to triggered ones, so that poisons have neighbours of both kinds."""
    parts = [FaintPatch(pattern_seed=seed, alpha=alpha) for alpha in (1.0, 0.6, 0.3)]
    return Together(tuple(Backdoor(count // 3, target=target, trigger=trigger) for trigger in parts))


PATCHES = (32, 64, 128, 256)
GROUPS: dict[str, Group] = {
    "noise patch": Group("calibration", _noise, PATCHES, patch=True),
    "blended": Group("calibration", _blended, (256, 512)),
    "wave": Group("calibration", _wave, (128, 256)),
    "checkerboard": Group("test", _board, PATCHES, patch=True, pairs=True),
    "coloured stripes": Group("test", _stripes, PATCHES, patch=True),
    "faint patch": Group("test", _faint, (128, 256)),
    "warp": Group("test", _warped, (512, 1024)),
    "label-consistent": Group("test", _consistent, (20, 30)),
    "two targets": Group("test", _several, (128, 256)),
    "spread poisons": Group("test", _spread, (129, 258), pairs=True),
}
#: What tables call models without poisons.
CLEAN = "no attack"


@dataclass(frozen=True)
class Zoo:
    """The models of a profile.

    Attributes:
        models: of each attack, by its name.
        clean: models without poisons, of the calibration and of the test.
        copies: stored pictures a drawing, which decide the number of pairs; they take turns.
        base: what all models share.
        detectors: that look at every model.
        few: that look at clean and patched models of the test only, since they are dear or known to tell little.
        share: of the poisons of `GROUPS`.
    """

    models: dict[str, int]
    clean: tuple[int, int]
    copies: tuple[int, ...]
    base: Trial
    detectors: tuple[CheckpointDetector, ...]
    few: tuple[CheckpointDetector, ...]
    share: float = 1.0


#: The detectors with which `tutorial audit` decides, as it runs them.
USUAL = (UniversalPatch(), ClassInversion(), TriggerScan(), DECREE())
FEW = (NeuralCleanse(steps=20), TokenInversion())
NONE = Zoo(dict.fromkeys(GROUPS, 0), (0, 0), (8,), Trial(), (), ())
#: Measured on one core for a model of `cpu`: 18 s for training and measuring, 15 s for the usual detectors, 8 s for the
#: few.
ZOO: ByProfile[Zoo] = ByProfile(
    test=Zoo(
        models=dict.fromkeys(GROUPS, 1),
        clean=(2, 2),
        copies=(4,),
        base=Trial(classes=16, copies=4, recipe=Recipe(epochs=1, batch_size=64)),
        detectors=(DECREE(steps=3, batch=8), UniversalPatch(grid=1, steps=2, batch=8)),
        few=(NeuralCleanse(steps=1, batch=1), TokenInversion(steps=2, starts=1)),
        share=1 / 16,
    ),
    pilot=NONE,
    laptop=NONE,
    cpu=Zoo(
        models={
            **dict.fromkeys(("checkerboard", "coloured stripes"), 24),
            "noise patch": 18,
            **dict.fromkeys(("blended", "wave", "faint patch", "warp", "two targets", "spread poisons"), 12),
            "label-consistent": 8,
        },
        clean=(60, 60),
        copies=(6, 8, 10),
        base=Trial(classes=100, recipe=Recipe(epochs=10)),
        detectors=USUAL,
        few=FEW,
    ),
    photos=NONE,
    gpu=NONE,
    paper=NONE,
)


def _model(p: Profile, number: int, k: int) -> Trial:
    """The k-th model of a group without its attack: sizes of the data take turns."""
    zoo, seed = ZOO[p], FIRST + EACH * number + k
    return replace(zoo.base, copies=zoo.copies[k % len(zoo.copies)], seeds=p.models.seeds(seed))


def clean_models(p: Profile, role: Role) -> list[Trial]:
    """Models without poisons, with what looks at them."""
    zoo, test = ZOO[p], role == "test"
    number, count = len(GROUPS) + test, zoo.clean[test]
    looks: tuple[AnyDetector, ...] = zoo.detectors + (zoo.few if test else ())
    return [replace(_model(p, number, k), detectors=looks) for k in range(count)]


def attacked(p: Profile, name: str) -> list[Trial]:
    """The models with an attack, with what looks at them."""
    zoo, group = ZOO[p], GROUPS[name]
    looks: tuple[AnyDetector, ...] = zoo.detectors
    if group.role == "test" and group.patch:
        looks += zoo.few
    if group.pairs:
        looks += (KDistance(), DAO())
    made = []
    for k in range(zoo.models[name]):
        base = _model(p, list(GROUPS).index(name), k)
        count = max(3, round(zoo.share * group.counts[k // len(zoo.copies) % len(group.counts)]))
        seed = base.seeds.poison
        attack = group.make(p.models.target(seed), p.models.target(seed + 1), count, seed)
        made.append(replace(base, attack=attack, detectors=looks))
    return made
