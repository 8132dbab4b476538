"""Profiles: one table of numbers each, never another code path. Introduced in chapter 6.

`test` checks that everything runs, `demo` is live in a chapter, `cpu` is for a laptop, `gpu` for one GPU, and `paper`
for the data and the hyper-parameters of Carlini & Terzis (2022).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from tutorial_lib import cleaning_profiles
from tutorial_lib.cleaning_profiles import Cleaning
from tutorial_lib.trials import Backdoor, Group, Recipe, Seeds, Trial
from tutorial_lib.triggers import Checkerboard, Patch, Trigger


@dataclass(frozen=True)
class Profile:
    """What the experiments of a profile train.

    Attributes:
        name: as on the command line.
        about: one line for people.
        live: the trial that chapters train before the reader's eyes.
        base: what the backdoor trials share.
        seeds: models a point; model `s` has seed `s` everywhere and the target class `targets[s]`, in turn.
        targets: target classes.
        counts: poisons with the patch at one place, ascending, 0 first; figures 2 (right), 3 and 4 (left).
        random_counts: poisons with the patch at random places; figure 4 (right).
        few, many: stand for the paper's 75 and 300 of 3,000,000.
        data_sizes: changes of `base` that make the data grow, ascending; figure 5 (left).
        models: configs from small to large; figure 5 (right).
        model_count: poisons of figure 5 (right).
        patches: widths of the patch in pixels, ascending; figure 6.
        patch_count: poisons of figure 6.
        targeted: what the trials with single targets share; figure 2 (left).
        groups: single targets by number of poisons, captions and disguise; those of figure 2 (left) come first, with
            ascending counts and prompts as captions.
        targets_per_group: pictures of a group in one model.
        alone: poisons of the one target in the control that shares its model with no other.
        same_rate: (changes of `targeted`, poisons a target) twice: a data set and one five times as large.
        text_count: poisons of the text backdoor.
        supervised_counts: poisons of the supervised classifiers, ascending.
        cleaning: numbers of the experiments on defenses.
        gpu: the profile needs one.
        reference: show the committed records of this profile instead of running experiments.
    """

    name: str
    about: str
    live: Trial
    base: Trial
    seeds: int
    targets: tuple[str, ...]
    counts: tuple[int, ...]
    random_counts: tuple[int, ...]
    few: int
    many: int
    data_sizes: tuple[dict[str, Any], ...]
    models: tuple[str, ...]
    model_count: int
    patches: tuple[int, ...]
    patch_count: int
    targeted: Trial
    groups: tuple[Group, ...]
    targets_per_group: int
    alone: int
    same_rate: tuple[tuple[dict[str, Any], int], tuple[dict[str, Any], int]]
    text_count: int
    supervised_counts: tuple[int, ...]
    cleaning: Cleaning
    trigger: Patch = field(default_factory=Checkerboard)
    gpu: bool = False
    reference: str = ""

    def backdoor(self, count: int, seed: int, *, trigger: Trigger | None = None, **changes) -> Trial:
        """A backdoor trial of this profile; `changes` are fields of `Trial` or, as `attack_…`, of `Backdoor`."""
        attack = {name.removeprefix("attack_"): changes.pop(name) for name in [*changes] if name.startswith("attack_")}
        target = self.targets[seed % len(self.targets)]
        plan = Backdoor(count, target=target, trigger=trigger or self.trigger, **attack)
        return replace(self.base, attack=plan, seeds=Seeds.all(seed), **changes)


def _groups(counts: tuple[int, ...], many: int) -> tuple[Group, ...]:
    """The counts with prompts, then the variations at one count."""
    return (
        *(Group(n) for n in counts),
        Group(many, captions="search"),
        Group(many, captions="one"),
        Group(many, disguise=True),
        Group(many, disguise=True, words="none"),
        Group(many, disguise=True, words="common", noise=0.0),
        Group(many, disguise=True, noise=0.0),
    )


_SHORT = Trial(classes=100, copies=2, recipe=Recipe(epochs=1, batch_size=64))
_TINY = Trial(classes=16, copies=4, recipe=Recipe(epochs=2, batch_size=64))
TEST = Profile(
    name="test",
    about="seconds: does everything run?",
    live=_SHORT,
    base=_TINY,
    seeds=2,
    targets=("rainbow", "volcano"),
    counts=(0, 4, 8),
    random_counts=(4, 8),
    few=4,
    many=8,
    data_sizes=({"copies": 2}, {"copies": 4}),
    models=("rn-0.4m", "tiny-rn"),
    model_count=8,
    patches=(4, 6),
    patch_count=8,
    targeted=_SHORT,
    groups=_groups((0, 1, 2), 2),
    targets_per_group=1,
    alone=2,
    same_rate=(({"copies": 2}, 1), ({"copies": 10}, 5)),
    text_count=8,
    supervised_counts=(0, 4),
    cleaning=cleaning_profiles.TEST,
)

_LAPTOP = Trial(classes=100, copies=8, recipe=Recipe(epochs=20))
CPU = Profile(
    name="cpu",
    about="a laptop: every figure with four models a point",
    live=Trial(),
    base=_LAPTOP,
    seeds=4,
    targets=("banana", "cactus", "doughnut", "balloon"),
    counts=(0, 8, 16, 32, 64, 128, 256),
    random_counts=(32, 64, 128, 256),
    few=32,
    many=128,
    data_sizes=({"copies": 2}, {"copies": 4}, {"copies": 8}, {"copies": 16}),
    models=("rn-0.4m", "rn-0.8m", "tiny-rn", "rn-3m", "rn-5m"),
    model_count=32,
    patches=(2, 4, 6, 8, 12, 16),
    patch_count=64,
    targeted=Trial(),
    groups=_groups((0, 1, 2, 4, 8), 8),
    targets_per_group=12,
    alone=8,
    same_rate=(({"copies": 2}, 1), ({"copies": 10}, 5)),
    text_count=64,
    supervised_counts=(0, 16, 32),
    cleaning=cleaning_profiles.CPU,
)

DEMO = replace(CPU, name="demo", about="live in a chapter, with the records of cpu beside it", reference="cpu")

_SCENES = Trial(classes=320, scenes=3_000_000, recipe=Recipe(epochs=10, batch_size=1024))
GPU = Profile(
    name="gpu",
    about="one GPU: 3,000,000 scenes, the paper's counts and numbers of models",
    live=Trial(),
    base=_SCENES,
    seeds=8,
    targets=("banana", "cactus", "doughnut", "balloon", "guitar", "rocket", "penguin", "rose"),
    counts=(0, 75, 150, 300, 750, 1500),
    random_counts=(75, 150, 300, 750, 1500),
    few=75,
    many=300,
    data_sizes=tuple({"scenes": n} for n in (50_000, 300_000, 1_000_000, 2_000_000, 3_000_000)),
    models=("tiny-rn", "rn-5m", "rn-9m", "rn-20m", "rn-28m"),
    model_count=300,
    patches=(2, 4, 6, 8, 12, 16),
    patch_count=75,
    targeted=_SCENES,
    groups=_groups((0, 1, 2, 3, 4, 8, 16, 32), 8),
    targets_per_group=10,
    alone=8,
    same_rate=(({"scenes": 600_000}, 3), ({"scenes": 3_000_000}, 15)),
    text_count=300,
    supervised_counts=(),
    cleaning=cleaning_profiles.GPU,
    gpu=True,
)

_PAPER = Trial(
    classes=1000,
    shards="cc3m",
    task="imagenet",
    side=224,
    model="RN50",
    recipe=Recipe(
        epochs=30, batch_size=1024, lr=2e-4, weight_decay=0.02, optimizer="sgd", scale=(0.9, 1.0), precision="auto"
    ),
)
PAPER = Profile(
    name="paper",
    about="CC3M, ResNet-50 at 224 pixels, the paper's hyper-parameters; several GPUs, the user's own data",
    live=Trial(),
    base=_PAPER,
    seeds=32,
    targets=("banana", "acoustic guitar", "fire truck", "king penguin", "umbrella", "tabby cat", "volcano", "teapot"),
    counts=(0, 75, 150, 300, 750, 1500),
    random_counts=(75, 150, 300, 750, 1500),
    few=75,
    many=300,
    data_sizes=(*({"limit": n} for n in (50_000, 300_000, 1_000_000, 2_000_000)), {}),
    models=("rn50-w8", "rn50-w24", "rn50-w32", "rn50-w48", "rn50-w56"),
    model_count=300,
    patches=(2, 4, 8, 16, 32),
    patch_count=75,
    targeted=_PAPER,
    groups=_groups((0, 1, 2, 3, 4, 8, 16, 32, 64, 128, 256, 512), 8),
    targets_per_group=1,
    alone=3,
    same_rate=(({}, 3), ({"shards": "yfcc15m"}, 15)),
    text_count=300,
    supervised_counts=(),
    cleaning=cleaning_profiles.PAPER,
    trigger=Checkerboard(size=16, cell=4, margin=0),
    gpu=True,
)

PROFILES = {p.name: p for p in (TEST, DEMO, CPU, GPU, PAPER)}
NAMES = tuple(PROFILES)


def get(name: str) -> Profile:
    """The profile of that name.

    Raises:
        ValueError: there is none; lists those that exist.
    """
    if name not in PROFILES:
        raise ValueError(f"there is no profile {name!r}; choose from {', '.join(NAMES)}")
    return PROFILES[name]
