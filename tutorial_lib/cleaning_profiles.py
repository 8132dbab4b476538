"""Numbers of the experiments on defenses, one table for each profile. Introduced in chapter 8.

`tutorial_lib.profiles` holds those of the attacks; a profile has both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tutorial_lib.trials import Backdoor, Defense, Recipe, Seeds, Trial
from tutorial_lib.triggers import Blended, NoisePatch, Stripes, WaNet, Watermark

#: The attacks of CleanCLIP's main table as published: settings of `Backdoor`.
ATTACKS: dict[str, dict[str, Any]] = {
    "badnets": {"trigger": NoisePatch()},
    "blended": {"trigger": Blended()},
    "wanet": {"trigger": WaNet()},
    "label-consistent": {"trigger": NoisePatch(), "select": "named"},
}


@dataclass(frozen=True)
class Cleaning:
    """What the experiments on defenses train, at one profile.

    Attributes:
        base: what the backdoored models share.
        seeds: models a point; model `s` has seed `s` everywhere and the target class `targets[s]`, in turn.
        targets: target classes.
        attacks: of the main table, settings of `Backdoor` by name.
        structured: triggers with structure, likewise.
        count: poisons, where an attack does not say.
        recipe: of every defense; its learning rate is swept.
        share: of the clean pairs that the defender trusts.
        rates: learning rates of a defense, ascending.
        methods: rates of single methods, where they are others.
        few_rates: a shorter sweep, where many models are cleaned.
        shares: of the budget map, ascending; `share` among them.
        large_rates: rates at the largest share.
        weights: λ₂ of the sweep over the strength of self-supervision, ascending; `weight_rate` is its learning rate.
        weight_decays: of plain finetuning, ascending.
        shrinks: of shrink-and-perturb, descending.
        counts: poisons of the sweep over their number, ascending.
        sizes: changes of `base` that make the pre-training data grow, ascending.
        dirty: poisons left among the trusted pairs, ascending.
        self_supervision: weight of the in-modal loss in pre-training, for the critique.
        pretrained: a model that is poisoned by further training.
        pretrained_count: poisons of that training.
        wanet_strengths: of the experiment that explains WaNet, ascending.
        named: settings of the experiment that explains the label-consistent attack, by name: those of `Backdoor`, and
            as "base" changes of the base.
        unplanned_count: poisons without a trigger that went through another path: made smaller and large again.
        unplanned_shares: of the side that they had in between.
    """

    base: Trial
    seeds: int
    targets: tuple[str, ...]
    count: int
    recipe: Recipe
    share: float
    rates: tuple[float, ...]
    few_rates: tuple[float, ...]
    shares: tuple[float, ...]
    large_rates: tuple[float, ...]
    weights: tuple[float, ...]
    weight_rate: float
    weight_decays: tuple[float, ...]
    shrinks: tuple[float, ...]
    counts: tuple[int, ...]
    sizes: tuple[dict[str, Any], ...]
    dirty: tuple[int, ...]
    self_supervision: float
    pretrained: Trial
    pretrained_count: int
    wanet_strengths: tuple[float, ...]
    named: Mapping[str, dict[str, Any]]
    unplanned_count: int
    unplanned_shares: tuple[float, ...] = (0.5,)
    methods: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    attacks: Mapping[str, dict[str, Any]] = field(default_factory=lambda: ATTACKS)
    structured: Mapping[str, dict[str, Any]] = field(
        default_factory=lambda: {
            "stripes": {"trigger": Stripes(pattern_seed=0)},
            "watermark": {"trigger": Watermark()},
        }
    )

    def attacked(self, attack: str | Mapping[str, Any], seed: int, **changes: Any) -> Trial:
        """A backdoored model: an attack by name or by settings of `Backdoor`; changes are fields of `Trial`."""
        settings = {"count": self.count} | dict(self._named(attack))
        base = replace(self.base, **(settings.pop("base", {}) | changes))
        plan = Backdoor(target=self.targets[seed % len(self.targets)], **settings)
        return replace(base, attack=plan, seeds=Seeds.all(seed))

    def _named(self, attack: str | Mapping[str, Any]) -> Mapping[str, Any]:
        if not isinstance(attack, str):
            return attack
        return (dict(self.attacks) | dict(self.structured))[attack]

    def defense(self, method: str, lr: float | None = None, **changes: Any) -> Defense:
        """A defense with the profile's recipe and share; changes are fields of `Defense`, `recipe_…` of its recipe."""
        recipe = {k.removeprefix("recipe_"): changes.pop(k) for k in [*changes] if k.startswith("recipe_")}
        if lr is not None:
            recipe["lr"] = lr
        return Defense(method, replace(self.recipe, **recipe), **{"share": self.share} | changes)  # type: ignore[arg-type]

    def sweep(self, method: str, *, few: bool = False, **changes: Any) -> list[Defense]:
        """A method at each of its settings, from weak to strong."""
        middle = self.few_rates[(len(self.few_rates) - 1) // 2]
        if method == "weight_decay":
            return [self.defense("finetune", middle, recipe_weight_decay=w, **changes) for w in self.weight_decays]
        if method == "shrink_and_perturb":
            return [self.defense("finetune", middle, shrink=s, perturb=1e-4, **changes) for s in self.shrinks]
        rates = self.few_rates if few else self.methods.get(method, self.rates)
        return [self.defense(method, lr, **changes) for lr in rates]


_NONE = Recipe(epochs=2, batch_size=32)
TEST = Cleaning(
    base=Trial(classes=16, copies=4, recipe=Recipe(epochs=2, batch_size=64)),
    seeds=1,
    targets=("rainbow", "volcano"),
    count=8,
    recipe=_NONE,
    share=0.5,
    rates=(3e-4, 1e-3),
    few_rates=(1e-3,),
    shares=(0.2, 0.5),
    large_rates=(1e-3,),
    weights=(0.5, 2.0),
    weight_rate=1e-3,
    weight_decays=(1.0,),
    shrinks=(0.9,),
    counts=(4, 8),
    sizes=({"copies": 2}, {"copies": 4}),
    dirty=(1,),
    self_supervision=1.0,
    pretrained=Trial(classes=16, copies=4, recipe=Recipe(epochs=1, batch_size=64, lr=5e-4), start="clean"),
    pretrained_count=8,
    wanet_strengths=(0.5, 4.0),
    unplanned_count=8,
    named={"4": {"trigger": NoisePatch(), "count": 4}, "4, blended": {"trigger": Blended(alpha=0.5), "count": 4}},
)

CPU = Cleaning(
    base=Trial(classes=100, copies=8, recipe=Recipe(epochs=20)),
    seeds=4,
    targets=("banana", "cactus", "doughnut", "balloon"),
    count=128,
    recipe=Recipe(epochs=10, batch_size=64),
    share=0.2,
    rates=(3e-4, 1e-3, 3e-3),
    few_rates=(1e-3, 3e-3),
    shares=(0.03, 0.1, 0.2, 1.0),
    large_rates=(1e-3,),
    weights=(0.5, 1.0, 2.0, 4.0, 8.0),
    weight_rate=1e-3,
    weight_decays=(1.0, 10.0),
    shrinks=(0.9, 0.7),
    counts=(64, 128, 256),
    sizes=({"copies": 4}, {"copies": 8}, {"copies": 16}),
    dirty=(1, 4, 16),
    self_supervision=1.0,
    pretrained=Trial(classes=320, copies=2, recipe=Recipe(epochs=10), start="clean"),
    pretrained_count=256,
    attacks={
        "badnets": {"trigger": NoisePatch()},
        "blended": {"trigger": Blended(), "count": 256},
        "wanet": {"trigger": WaNet(strength=12.0), "count": 512},
        "label-consistent": {"trigger": Blended(alpha=0.5), "count": 40, "select": "named"},
    },
    wanet_strengths=(0.5, 8.0, 12.0),
    unplanned_count=256,
    named={
        "40, patch": {"trigger": NoisePatch(), "count": 40},
        "80, patch": {
            "trigger": NoisePatch(),
            "count": 80,
            "base": {"copies": 16, "recipe": Recipe(epochs=10)},
        },
        "40, blended 0.5": {"trigger": Blended(alpha=0.5), "count": 40},
    },
)

GPU = replace(
    CPU,
    base=Trial(classes=320, scenes=300_000, recipe=Recipe(epochs=20, batch_size=1024)),
    seeds=8,
    targets=("banana", "cactus", "doughnut", "balloon", "guitar", "rocket", "penguin", "rose"),
    count=300,
    share=0.1,
    rates=(1e-4, 3e-4, 1e-3, 3e-3),
    few_rates=(3e-4, 1e-3, 3e-3),
    large_rates=(3e-4, 1e-3),
    shares=(0.003, 0.01, 0.03, 0.1, 1.0),
    counts=(75, 300, 1500),
    sizes=tuple({"scenes": n} for n in (50_000, 300_000, 1_000_000)),
    dirty=(1, 5, 25),
    pretrained=Trial(classes=320, scenes=50_000, recipe=Recipe(epochs=10, batch_size=1024), start="clean"),
    pretrained_count=1500,
    attacks=ATTACKS,
    unplanned_count=1500,
    unplanned_shares=(0.75, 0.5),
    named={str(n): {"trigger": NoisePatch(), "count": n} for n in (300, 1500)},
)

#: The published recipe; 100,000 pairs are 3.4 % of CC3M. The patch is 16 of 224 pixels.
_PUBLISHED = Recipe(epochs=10, batch_size=64, lr=1e-5, weight_decay=0.1, warmup=0.0032, betas=(0.9, 0.999), eps=1e-8)
_PATCH = NoisePatch(size=16, cell=1, placement="random", margin=0)
PAPER = replace(
    CPU,
    base=Trial(
        classes=1000,
        shards="cc3m",
        task="imagenet",
        side=224,
        model="RN50",
        recipe=replace(_PUBLISHED, epochs=64, batch_size=128, lr=5e-4, warmup=0.0068),
    ),
    targets=("banana",),
    count=1500,
    recipe=_PUBLISHED,
    share=0.0339,
    rates=(1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 1e-3),
    few_rates=(1e-6, 1e-5, 1e-4),
    methods={"supervised": (1e-5, 1e-4, 1e-3)},
    shares=(0.0034, 0.0169, 0.0339, 0.0678),
    large_rates=(1e-5, 1e-4),
    weight_rate=1e-5,
    counts=(75, 300, 1500),
    sizes=({"limit": 500_000}, {"limit": 1_000_000}, {"limit": 2_000_000}, {}),
    dirty=(1, 5, 25),
    pretrained=Trial(
        classes=1000,
        shards="cc3m",
        limit=500_000,
        task="imagenet",
        side=224,
        model="RN50",
        recipe=Recipe(epochs=5, batch_size=128, lr=1e-6, warmup=0.0026, weight_decay=0.1),
        start="openai",
    ),
    pretrained_count=1500,
    attacks={
        "badnets": {"trigger": _PATCH},
        "blended": {"trigger": Blended(cell=1)},
        "wanet": {"trigger": WaNet(grid=224, strength=1.0)},
        "label-consistent": {"trigger": _PATCH, "select": "named"},
    },
    structured={
        "stripes": {"trigger": Stripes(size=16, cell=1, placement="random", margin=0, pattern_seed=0)},
        "watermark": {"trigger": Watermark()},
    },
    wanet_strengths=(0.5, 1.0, 2.0),
    unplanned_count=1500,
    unplanned_shares=(0.75, 0.5),
    named={"1500": {"trigger": _PATCH, "count": 1500}},
)
