"""Make the records behind figures: what is missing, how long it will take, and the sweep itself."""

from __future__ import annotations

import contextlib
import math
import shlex
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tutorial_lib import places, profiles
from tutorial_lib.costs import CostModel, duration
from tutorial_lib.evidence import registry
from tutorial_lib.evidence._progress import Progress
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.status import cost_model
from tutorial_lib.machine import chosen_device, usable_cores
from tutorial_lib.notes import Note
from tutorial_lib.profiles import Profile
from tutorial_lib.runs import engines
from tutorial_lib.runs.engines import Deadline, Sweep
from tutorial_lib.runs.room import require_data, require_room
from tutorial_lib.training import distributed
from tutorial_lib.trials import RECIPE_VERSION, Trial
from tutorial_lib.trials.store import RunStore

#: Reasons of failures that are named.
REASONS = 5


@dataclass(frozen=True)
class FigureWork:
    """What a figure needs that none before it does.

    Attributes:
        trials: of its own.
        missing: of these, to run.
        seconds: that they will take.

    Example:
        >>> plan = run_figures(["fig6"], "test", store=Path("nowhere"), jobs=1, dry_run=True)
        >>> plan.figures["fig6"].trials, plan.figures["fig6"].missing
        (4, 4)
    """

    trials: int
    missing: int
    seconds: float


@dataclass(frozen=True)
class FiguresRun:
    """What is there and what is to do for some figures, and what became of it.

    Attributes:
        profile: its name.
        figures: what each of them needs, by name.
        trials: of all, each once.
        found: of these, with a record.
        jobs: trials at a time.
        estimated_seconds: for what is missing.
        dry_run: nothing shall be run.
        again: the command that goes on.
        store: folder in which records were looked for.
        lacks: why it cannot run here, of a dry run.
        sweep: what was run; `None` where nothing was.

    Example:
        >>> FiguresRun("cpu", {"fig6": FigureWork(24, 4, 60.0)}, 24, 20, 2, 60.0, dry_run=True, again="").plan
        'fig6 at cpu: 24 trials, 20 have records, 4 to run, about 60 s with 2 at a time'
    """

    profile: str
    figures: Mapping[str, FigureWork]
    trials: int
    found: int
    jobs: int
    estimated_seconds: float
    dry_run: bool
    again: str
    store: str = ""
    lacks: tuple[str, ...] = ()
    sweep: Sweep | None = None

    @property
    def missing(self) -> int:
        """Trials without a record, when they were looked for."""
        return self.trials - self.found

    @property
    def failed(self) -> int:
        """Trials that raised an error."""
        return 0 if self.sweep is None else len(self.sweep.failed)

    @property
    def plan(self) -> str:
        """What is to do, in one line."""
        return (
            f"{', '.join(self.figures)} at {self.profile}: {self.trials} trials, {self.found} have records, "
            f"{self.missing} to run, about {duration(self.estimated_seconds)} with {self.jobs} at a time"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        body: dict[str, Any] = {
            "profile": self.profile,
            "figures": list(self.figures),
            "trials": self.trials,
            "found": self.found,
            "missing": self.missing,
            "jobs": self.jobs,
            "estimated_seconds": round(self.estimated_seconds),
        }
        if self.sweep is None:
            return body | {"dry_run": self.dry_run, "store": self.store, "lacks": list(self.lacks)}
        done = {"made": self.sweep.made, "left": self.sweep.left, "failed": self.failed}
        return body | done | {"seconds": round(self.sweep.seconds, 1)}

    def __str__(self) -> str:
        if self.sweep is None:
            there = "" if Path(self.store).is_dir() else ", which is not there yet"
            return "\n".join(
                [
                    self.plan,
                    *self._by_figure(),
                    f"records are looked for in {self.store}{there}",
                    *(f"cannot run here: {why}" for why in self.lacks),
                ]
            )
        left = self.sweep.left
        return "\n".join(
            [
                f"{self.sweep.made} trials in {duration(self.sweep.seconds)}; {left} are left",
                self.again if left else f"export them with: tutorial export --profile {self.profile}",
            ]
        )

    def _by_figure(self) -> list[str]:
        return [
            f"  {name:16s} {work.trials:4d} trials of its own, {work.missing:4d} to run, "
            f"{duration(work.seconds) if work.missing else '-'}"
            for name, work in self.figures.items()
        ]


def run_figures(
    chosen: Sequence[str],
    profile: str = "cpu",
    *,
    store: Path | None = None,
    engine: str | None = None,
    jobs: int | None = None,
    device: str | None = None,
    time_limit: float = math.inf,
    keep_models: bool = False,
    dry_run: bool = False,
    say: Callable[[str], None] | None = None,
    progress: bool = True,
) -> FiguresRun:
    """Train the models behind figures of the papers; an interrupted call goes on when repeated.

    Args:
        chosen: names of figures or groups, as `tutorial_lib.evidence.registry.expand` reads them.
        profile: name of the profile.
        store: folder of records; by default `tutorial_lib.places.store()`.
        engine: "local", "ray" or "group"; by default what fits.
        jobs: trials at a time; by default one a GPU, and one a core without a GPU.
        device: by default the GPU if there is one.
        time_limit: seconds in which trials end; one that would end later is not begun, or, if it takes more than a
            quarter of an hour, stops then and goes on in a later call.
        keep_models: also save each model in the store.
        dry_run: only say what would run.
        say: is told the plan before it begins and, with `progress`, each trial that ends; every 30 seconds that none
            ended, too.

    Raises:
        ValueError: there is no such figure, profile or device, the engine does not fit, or the limit is too short.
        MemoryError: the pairs do not fit into memory.
        OSError: their pictures do not fit on the disk.
        StoreError: the store cannot be written.
        EngineError: the engine is not installed.

    Example:
        >>> plan = run_figures(["fig2_right", "fig3"], "test", store=Path("nowhere"), jobs=1, dry_run=True)
        >>> {name: work.missing for name, work in plan.figures.items()}  # figure 3 shows the same models
        {'fig2_right': 6, 'fig3': 0}
    """
    with distributed.group(device):
        found = _profile(profile)
        on_gpu = chosen_device(device) != "cpu"  # says at once if there is no such device
        given: dict[str, Any] = {"engine": engine, "jobs": jobs, "device": device, "time_limit": time_limit}
        again = go_on(chosen, profile, store=store, keep_models=keep_models, **given)
        engine = _engine(engine, keep_models)
        names = registry.expand(chosen, found)
        records = RunStore(store, keep_models=keep_models)
        known = Results(found, records)
        trials = registry.trials(names, found)
        missing = [t for t in trials if known.get(t) is None]
        jobs = 1 if engine == "group" else jobs or _default_jobs(device)
        checks: list[Callable[[], None]] = [lambda: require_hardware(found, device)] if missing else []
        if engine != "ray":  # whose workers are other machines
            checks += [lambda: require_data(missing), lambda: require_room(missing, jobs=jobs)]
        lacks = _lacks(checks, dry_run)
        model = cost_model(known, on_gpu=on_gpu)
        cores = None if on_gpu or engine == "ray" else usable_cores()
        at_once = _at_once(jobs, len(missing), cores)
        plan = FiguresRun(
            profile=found.name,
            figures=_work(names, known, model, at_once),
            trials=len(trials),
            found=len(trials) - len(missing),
            jobs=min(jobs, cores or jobs),
            estimated_seconds=model.total(missing, jobs=at_once),
            dry_run=dry_run,
            again=again,
            store=str(records.folder),
            lacks=lacks,
        )
        if dry_run or not missing:
            return plan
        _allow(time_limit, model, missing)
        report = None
        if distributed.rank() == 0:
            records.open_for_writing().take(known.of(trials))
            if say is not None:
                say(plan.plan)
                report = Progress(len(missing), plan.estimated_seconds, say) if progress else None
        options = given | {"engine": engine, "jobs": jobs, "report": report, "estimate": model.seconds}
        with report or contextlib.nullcontext():
            sweep = engines.sweep(missing, records, **options)
        _warn(sweep)
        return replace(plan, sweep=sweep)


def go_on(
    chosen: Sequence[str],
    profile: str,
    *,
    store: Path | None = None,
    engine: str | None = None,
    jobs: int | None = None,
    device: str | None = None,
    time_limit: float = math.inf,
    keep_models: bool = False,
) -> str:
    """The command that goes on with an interrupted run, with every option that it was given.

    Example:
        >>> go_on(["fig6"], "cpu", store=Path("runs"), jobs=2, time_limit=5400)
        'go on with: tutorial run fig6 --profile cpu --store runs --jobs 2 --time-limit 90m'
    """
    options = {
        "profile": profile,
        "store": None if store is None or store == places.store() else store,
        "engine": engine,
        "jobs": jobs,
        "device": device,
        "time-limit": None if math.isinf(time_limit) else _written(time_limit),
    }
    words = ["tutorial", "run", *chosen]
    words += [text for name, value in options.items() if value is not None for text in (f"--{name}", str(value))]
    return "go on with: " + shlex.join(words + (["--keep-models"] if keep_models else []))


def _written(seconds: float) -> str:
    """A time as `--time-limit` takes it."""
    for unit, name in ((3600, "h"), (60, "m")):
        if seconds % unit == 0:
            return f"{seconds // unit:.0f}{name}"
    return f"{seconds:g}s"


def require_hardware(profile: Profile, device: str | None) -> None:
    """Check before long work that the device is there and that the profile can run here.

    Raises:
        ValueError: there is no such device, or the profile needs a GPU and there is none.

    Example:
        >>> from unittest import mock
        >>> with mock.patch("torch.cuda.is_available", return_value=False):
        ...     require_hardware(profiles.get("gpu"), None)
        Traceback (most recent call last):
        ValueError: profile gpu needs a GPU that PyTorch can use, and there is none ...
    """
    import torch

    if chosen_device(device) == "cpu" and profile.gpu and not device:
        raise ValueError(
            f"profile {profile.name} needs a GPU that PyTorch can use, and there is none "
            f"(torch {torch.__version__}); profile cpu runs here, `device` cpu insists"
        )


def _profile(name: str) -> Profile:
    profile = profiles.get(name)
    if profile.references:
        raise ValueError(f"profile {profile.name} shows records of others: run profile {profile.references[0]}")
    if profile.past:
        raise ValueError(
            f"the records of profile {profile.name} were made by recipe {profile.base.recipe_version}; this version "
            f"makes those of recipe {RECIPE_VERSION}: run profile cpu"
        )
    return profile


def _engine(asked: str | None, keep_models: bool) -> str:
    """The engine that fits the processes that were started."""
    if keep_models and asked == "ray":
        raise ValueError("`keep_models` does not work with ray: its workers have no folder of the store")
    engine = asked or ("group" if distributed.size() > 1 else "local")
    if (engine == "group") != (distributed.size() > 1):
        raise ValueError(
            f"engine {engine} does not fit: torchrun starts the processes of a group, as in "
            "torchrun --nproc-per-node 8 -m tutorial_lib.cli run …, and of nothing else"
        )
    return engine


def _default_jobs(device: str | None) -> int:
    """One trial a GPU, or one a core."""
    import torch

    chosen = chosen_device(device)
    return usable_cores() if chosen == "cpu" else torch.cuda.device_count() if chosen == "cuda" else 1


def _lacks(checks: Sequence[Callable[[], None]], dry_run: bool) -> tuple[str, ...]:
    """Why something cannot run here, for a dry run; else the first reason is an error."""
    found = []
    for check in checks:
        try:
            check()
        except (ValueError, MemoryError, OSError) as error:
            if not dry_run:
                raise
            found.append(str(error))
    return tuple(found)


def _at_once(jobs: int, trials: int, cores: int | None) -> int:
    """Trials that the estimate counts on at a time: more than there are cores take no less time."""
    if cores is not None and jobs > cores:
        warnings.warn(f"{jobs} at a time on {cores} cores take as long as {cores} at a time", Note, stacklevel=3)
    return max(1, min(jobs, trials, cores or jobs))


def _allow(limit: float, model: CostModel, missing: Sequence[Trial]) -> None:
    shortest = min(map(model.seconds, missing))
    if not any(Deadline(time.monotonic() + limit, model.seconds).allows(t) for t in missing):
        raise ValueError(
            f"the time limit of {duration(limit)} is shorter than the shortest trial "
            f"(about {duration(shortest)}): nothing was run"
        )


def _work(names: Sequence[str], known: Results, model: CostModel, jobs: int) -> dict[str, FigureWork]:
    """What each figure needs that none before it does."""
    found = {}
    for name, mine in registry.own_trials(names, known.profile).items():
        missing = [t for t in mine if known.get(t) is None]
        found[name] = FigureWork(len(mine), len(missing), model.total(missing, jobs=jobs))
    return found


def _warn(sweep: Sweep) -> None:
    """One line for each reason of failures."""
    reasons = Counter(sweep.failed.values()).most_common()
    for message, count in reasons[:REASONS]:
        warnings.warn(f"{_trials(count)} failed: {message}", Note, stacklevel=3)
    if more := reasons[REASONS:]:
        count = sum(n for _, n in more)
        warnings.warn(f"{_trials(count)} failed for {len(more)} other reasons", Note, stacklevel=3)


def _trials(count: int) -> str:
    return f"{count} trial{'s' if count != 1 else ''}"
