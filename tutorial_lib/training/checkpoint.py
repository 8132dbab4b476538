"""The state of a run that may be interrupted: weights, optimizer, how far it is, and what a method keeps of epochs."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tutorial_lib.files import whole
from tutorial_lib.training.curriculum import Curriculum


class PausedError(RuntimeError):
    """A run stopped when its time was over; its state is kept, and it goes on from there."""


@dataclass(frozen=True)
class Point:
    """How far a run is.

    Attributes:
        epoch: whole epochs that are done.
        loss: their mean losses.
        step: steps of the epoch under way.
        running: sum of the losses of these, a scalar; `None` at the end of an epoch.
        good: weights after the last whole epoch, where the state is of a later step.

    Example:
        >>> Point(2, [3.1, 2.5]).step
        0
    """

    epoch: int = 0
    loss: list[float] = field(default_factory=list)
    step: int = 0
    running: Tensor | None = None
    good: dict[str, Any] | None = None


def store(
    path: Path,
    identity: object,
    model: nn.Module,
    optimizer: Optimizer,
    point: Point,
    curriculum: Curriculum | None = None,
) -> None:
    """Write the state; the file appears whole or not at all, and an older one stays until then.

    Args:
        path: of the file.
        identity: of the run, plain data.
        model, optimizer: what has been trained, and by what.
        point: how far the run is.
        curriculum: that may have a state of its own, which is kept too.

    Raises:
        NotWrittenError: the disk is full or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> model = nn.Linear(2, 1)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store(Path(folder, "run.pt"), "seed 0", model, optimizer, Point(1, [0.5]))
        ...     restore(Path(folder, "run.pt"), "seed 0", model, optimizer, torch.device("cpu")).epoch
        1
    """
    state = {
        "signature": identity,
        "epoch": point.epoch,
        "loss": point.loss,
        "step": point.step,
        "running": point.running,
        "good": point.good,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    if curriculum is not None and (kept := curriculum.state()):
        state["curriculum"] = kept
    with whole(path, alone=True) as part, part.open("wb") as file:
        torch.save(state, file)  # not to the path: of a file of ours, we know what the system said


def restore(
    path: Path,
    identity: object,
    model: nn.Module,
    optimizer: Optimizer,
    device: torch.device,
    curriculum: Curriculum | None = None,
) -> Point:
    """Load a state into model, optimizer and curriculum; returns how far the run is.

    Raises:
        ValueError: the file is damaged, or belongs to another run.

    Example:
        >>> import tempfile
        >>> model = nn.Linear(2, 1)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store(Path(folder, "run.pt"), "seed 0", model, optimizer, Point(1, [0.5]))
        ...     restore(Path(folder, "run.pt"), "seed 1", model, optimizer, torch.device("cpu"))
        Traceback (most recent call last):
        ValueError: ...run.pt belongs to another run: seed 0, this one is seed 1; remove the file
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        found = state["signature"]
        # at the end of an epoch nothing else is known, and versions before this one wrote no more than that
        point = Point(state["epoch"], state["loss"], state.get("step", 0), state.get("running"), state.get("good"))
    except Exception as error:  # torch raises many kinds for a bad file
        raise ValueError(f"{path} cannot be read as the state of a run: {error}; remove it to begin anew") from error
    if found != identity:
        raise ValueError(f"{path} belongs to another run: {found}, this one is {identity}; remove the file")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    if curriculum is not None:
        curriculum.restore(state.get("curriculum", {}))
    return point


class Keeper:
    """Says when the state of a run is to be kept, and keeps it.

    Args:
        path: of the state; `None` keeps nothing.
        identity: what the run is, plain data.
        model, optimizer: whose state it is.
        curriculum: whose state is kept too, if it has one.
        every: seconds between two states.
        until: time, as `time.monotonic` tells it, at which the run stops with its state kept.
        writes: this process is the one that writes.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> Keeper(None, "", layer, torch.optim.SGD(layer.parameters(), lr=0.1)).due()
        False
    """

    def __init__(
        self,
        path: Path | None,
        identity: object,
        model: nn.Module,
        optimizer: Optimizer,
        curriculum: Curriculum | None = None,
        *,
        every: float = math.inf,
        until: float = math.inf,
        writes: bool = True,
    ) -> None:
        self.path, self.identity, self.model, self.optimizer = path, identity, model, optimizer
        self.curriculum = curriculum
        self.every, self.until, self.writes = every, until, writes
        self._begun = self._last = time.monotonic()

    def due(self) -> bool:
        """Whether the state shall be kept now, whatever the number of steps or epochs that are done."""
        now = time.monotonic()
        return self.path is not None and (now - self._last >= self.every or now >= self.until)

    def end(self, point: Point, *, stays: bool) -> None:
        """The run is over: its state goes, or stays for a caller who has something to do yet.

        Args:
            point: the end.
            stays: leave the state; of a run that took longer than the time between two states, that of its end.

        Raises:
            NotWrittenError: the disk is full or the folder cannot be written.
        """
        if self.path is None or not self.writes:
            return
        if not stays:
            self.path.unlink(missing_ok=True)
        elif time.monotonic() - self._begun >= self.every:
            self._store(self.path, point)

    def keep(self, point: Point) -> None:
        """Write the state.

        Raises:
            PausedError: the time of the run is over.
            NotWrittenError: the disk is full or the folder cannot be written.
        """
        if self.path is not None and self.writes:
            self._store(self.path, point)
        self._last = time.monotonic()
        if self.path is not None and self._last >= self.until:
            raise PausedError(f"stopped after {point.epoch} epochs and {point.step} steps; {self.path} holds the state")

    def _store(self, path: Path, point: Point) -> None:
        store(path, self.identity, self.model, self.optimizer, point, self.curriculum)
