"""What figures take on rented GPUs, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tutorial_lib.costs import rented
from tutorial_lib.costs.gpus import GPUS, Gpu
from tutorial_lib.costs.seconds import duration
from tutorial_lib.profiles import Profile
from tutorial_lib.trials import Trial


@dataclass(frozen=True)
class RentedHours:
    """Pairs, steps, memory, hours and money of some figures.

    Attributes:
        profile: whose trials they are.
        gpus: that were considered.
        together: GPUs that train a model together.
        figures: by name, what `tutorial_lib.costs.rented.estimate` says.

    Example:
        >>> from tutorial_lib import profiles
        >>> each = {"gpus": {"H100": {"gpu_hours": 2.0, "usd": 5.0}}}
        >>> RentedHours(profiles.get("gpu"), (GPUS["H100"],), 1, {"fig3": each, "fig6": each}).total
        {'H100': {'gpu_hours': 4.0, 'usd': 10.0}}
    """

    profile: Profile
    gpus: tuple[Gpu, ...]
    together: int
    figures: Mapping[str, dict[str, Any]]

    @property
    def total(self) -> dict[str, dict[str, float]]:
        """Hours and money of all figures, by GPU."""
        return {
            g.name: {k: sum(f["gpus"][g.name][k] for f in self.figures.values()) for k in ("gpu_hours", "usd")}
            for g in self.gpus
        }

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"profile": self.profile.name, "figures": dict(self.figures), "total": self.total}

    def __str__(self) -> str:
        def times(by_gpu: Mapping[str, Mapping[str, float]]) -> str:
            return "".join(f"{duration(by_gpu[g.name]['gpu_hours'] * 3600):>12s}" for g in self.gpus)

        head = "  figure            models  cleaned     pairs        steps   memory"
        lines = [f"{self.profile.name}: {self.profile.about}", head + "".join(f"{g.name:>12s}" for g in self.gpus)]
        for name, f in self.figures.items():
            lines.append(
                f"  {name:16s} {f['models']:7,d} {f['trials'] - f['models']:8,d} {f['pairs']:9,d} {f['steps']:12,d} "
                f"{f['memory_bytes'] / 2**30:5.0f} GB{times(f['gpus'])}"
            )
        money = "".join(f"{self.total[g.name]['usd']:>11,.0f}$" for g in self.gpus)
        lines += [f"  {'all, GPU time':57s}{times(self.total)}", f"  {'all, price':57s}{money}"]
        return "\n".join([*lines, *self._remarks()])

    def _remarks(self) -> list[str]:
        """What the numbers rest on, and which GPUs are too small."""
        worst = max(self.figures.values(), key=lambda f: f["memory_bytes"])
        lines = [
            f"memory: of one GPU, a step of {worst['largest_model']} with batch {worst['batch_size']:,} "
            f"on {self.together} of them; estimated from what backward keeps"
        ]
        for gpu in self.gpus:
            found = worst["gpus"][gpu.name]
            if not found["fits"]:
                lines.append(
                    f"  {gpu.name} ({gpu.memory_gib} GB) is too small for that: batch {found['largest_batch']:,} would "
                    "fit, or more GPUs with `together`"
                )
        lines.append(
            f"hours: the paper's {rented.PAPER_HOURS:.0f} hours of a {rented.PAPER_GPU} per model are "
            f"{worst['utilisation']:.0%} of its peak by our count; the same share is assumed of every GPU, and at most "
            f"{rented.FASTEST:,} samples/s. Not measured."
        )
        return lines


def rented_hours(
    figures: Mapping[str, Sequence[Trial]],
    profile: Profile,
    *,
    gpus: Sequence[str] = (),
    together: int = 1,
    usd_per_hour: float = 0.0,
) -> RentedHours:
    """What figures take, before anything starts.

    Args:
        figures: trials by name of the figure, each trial once; `tutorial_lib.evidence.registry.own_trials` gives them.
        profile: that they are of.
        gpus: names in the table, in any case; by default all.
        together: GPUs that train a model together.
        usd_per_hour: of a GPU, instead of the table's.

    Raises:
        ValueError: the profile shows records of another, nothing is trained, there is no such GPU, or the price is not
            one.

    Example:
        >>> from tutorial_lib import profiles
        >>> profile = profiles.get("gpu")
        >>> models = [profile.backdoor(300, seed) for seed in range(8)]
        >>> plan = rented_hours({"mine": models}, profile, gpus=["h100"])
        >>> {gpu: round(found["gpu_hours"], 1) for gpu, found in plan.total.items()}
        {'H100': 0.7}
    """
    if profile.references:
        raise ValueError(f"profile {profile.name} shows records of others: plan profile {profile.references[0]}")
    if not usd_per_hour >= 0:
        raise ValueError(f"a price is at least 0 dollars an hour, not {usd_per_hour}")
    known = {name.lower(): gpu for name, gpu in GPUS.items()}
    if unknown := [name for name in gpus if name.lower() not in known]:
        raise ValueError(f"no GPU {unknown[0]!r} in the table; it has {', '.join(GPUS)}")
    chosen = tuple(known[name.lower()] for name in gpus) or tuple(GPUS.values())
    plans = {
        name: rented.estimate(trials, chosen, together=together, usd_per_hour=usd_per_hour)
        for name, trials in figures.items()
        if trials
    }
    if not plans:
        raise ValueError(f"{', '.join(figures)} train nothing at {profile.name}")
    return RentedHours(profile, chosen, together, plans)
