"""Whether a machine has the data, the memory and the disk for some trials: said before anything starts."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from tutorial_lib import places
from tutorial_lib.data import own, picture_map
from tutorial_lib.data.composed import Scenes
from tutorial_lib.data.photographs import TASKS, require_photographs
from tutorial_lib.machine import memory_bytes
from tutorial_lib.notes import Note
from tutorial_lib.runs.sources import MAPPED, scenes_of
from tutorial_lib.trials import Trial

#: Bytes that a process takes whatever it trains on, and for each pair beside its picture: caption, key, tokens, order.
PROCESS, PAIR = 1.4 * 2**30, 350
#: Numbers of scenes that are offered where one does not fit.
SIZES = (30_000, 100_000, 300_000, 1_000_000, 2_000_000, 3_000_000)


def memory_needed(scenes: Scenes) -> float:
    """About how many bytes of memory a process takes that trains on scenes; pages of a memory map do not count.

    Example:
        >>> from tutorial_lib.data.scenes import EmojiScenes
        >>> [round(memory_needed(EmojiScenes(n)) / 2**30, 1) for n in (300_000, 3_000_000)]
        [2.4, 2.4]
    """
    return PROCESS + PAIR * scenes.n + (0 if scenes.nbytes > MAPPED else scenes.nbytes)


def require_room(trials: Iterable[Trial], *, jobs: int = 1) -> None:
    """Check that the largest of some trials fits into memory, and their memory maps on the disk.

    Args:
        trials: to run.
        jobs: so many at a time.

    Raises:
        MemoryError: says what is needed, what there is, and how many scenes would fit.
        OSError: the same of the disk.

    Example:
        >>> require_room([Trial(scenes=1000)])
    """
    found = [scenes for trial in trials if (scenes := scenes_of(trial)) is not None]
    if not found:
        return
    _require_memory(max(found, key=lambda scenes: scenes.nbytes), jobs)
    _require_disk(found, places.scenes())


def require_data(trials: Iterable[Trial]) -> None:
    """Check that the user's own data that some trials need are in the data directory; nothing is read.

    Raises:
        FileNotFoundError: some are not; says where they were looked for.

    Example:
        >>> require_data([Trial()])  # the course's pictures are in the package
    """
    asked = {(trial.shards, trial.task) for trial in trials}
    for shards in sorted({shards for shards, _ in asked if shards}):
        own.shard_files(shards)
    for task in sorted({task for _, task in asked}):
        if task == "imagenet":
            own.require_imagenet()
        elif task in TASKS:
            require_photographs(task)


def _require_memory(largest: Scenes, jobs: int) -> None:
    there = memory_bytes()
    if not there:
        return
    at_once = f", with {jobs} at a time {_gib(jobs * memory_needed(largest))}" if jobs > 1 else ""
    if (needed := jobs * memory_needed(largest)) > there:
        fit = [n for n in SIZES if jobs * memory_needed(_of(largest, n)) <= there]
        raise MemoryError(
            f"a model of {largest.n:,} scenes needs about {_gib(memory_needed(largest))} of memory{at_once}, and there "
            f"are {_gib(there)}: {_offer(fit)}{', or lower `jobs`' if jobs > 1 else ''}"
        )
    if largest.nbytes > MAPPED and needed + largest.nbytes > there:
        warnings.warn(
            f"the pictures of {largest.n:,} scenes, {_gib(largest.nbytes)}, do not fit into memory beside the models, "
            f"{_gib(needed)} of {_gib(there)}: they are read from the disk again and again, which takes longer",
            Note,
            stacklevel=3,
        )


def _require_disk(found: Sequence[Scenes], folder: Path) -> None:
    """Data sets of one seed share a map, which is as large as the largest of them."""
    maps: dict[Path, Scenes] = {}
    for scenes in sorted(found, key=lambda s: s.n):
        if scenes.nbytes > MAPPED:
            maps[scenes.map_in(folder)] = scenes
    needed = sum(picture_map.room_needed(path, s.n, s.size) for path, s in maps.items())
    parent = next(p for p in (folder, *folder.absolute().parents) if p.is_dir())
    free = picture_map.USABLE * shutil.disk_usage(parent).free
    if needed > free:
        one = next(iter(maps.values()))
        fit = [n for n in SIZES if _of(one, n).nbytes <= max(free, MAPPED)]
        raise OSError(
            f"the pictures of {max(s.n for s in maps.values()):,} scenes take {_gib(needed)} more in {folder}, and "
            f"there are {_gib(free)}: {_offer(fit)}, or name a folder with more room in TUTORIAL_SCENES"
        )


def _of(scenes: Scenes, n: int) -> Scenes:
    return type(scenes)(n, size=scenes.size, seed=scenes.seed)


def _offer(fit: Sequence[int]) -> str:
    return f"up to {max(fit):,} scenes fit" if fit else "not even 30,000 scenes fit"


def _gib(count: float) -> str:
    return f"{count / 2**30:,.1f} GiB"
