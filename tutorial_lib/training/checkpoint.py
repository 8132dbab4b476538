"""The state of a run that may be interrupted: weights, optimizer, epochs, and what a method keeps between them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer

from tutorial_lib.files import whole
from tutorial_lib.training.curriculum import Curriculum


def store(
    path: Path,
    identity: object,
    model: nn.Module,
    optimizer: Optimizer,
    epoch: int,
    loss: list[float],
    curriculum: Curriculum | None = None,
) -> None:
    """Write the state after an epoch; the file appears whole or not at all, and an older one stays until then.

    Args:
        path: of the file.
        identity: of the run, plain data.
        model, optimizer: what has been trained, and by what.
        epoch: number of epochs that are done.
        loss: mean of each.
        curriculum: that may have a state of its own.

    Raises:
        NotWrittenError: the disk is full or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> model = nn.Linear(2, 1)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store(Path(folder, "run.pt"), "seed 0", model, optimizer, 1, [0.5])
        ...     restore(Path(folder, "run.pt"), "seed 0", model, optimizer, torch.device("cpu"))
        (1, [0.5])
    """
    state = {
        "signature": identity,
        "epoch": epoch,
        "loss": loss,
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
) -> tuple[int, list[float]]:
    """Load a state into model, optimizer and curriculum.

    Returns:
        The number of epochs that are done, and their losses.

    Raises:
        ValueError: the file is damaged, or belongs to another run.

    Example:
        >>> import tempfile
        >>> model = nn.Linear(2, 1)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store(Path(folder, "run.pt"), "seed 0", model, optimizer, 1, [0.5])
        ...     restore(Path(folder, "run.pt"), "seed 1", model, optimizer, torch.device("cpu"))
        Traceback (most recent call last):
        ValueError: ...run.pt belongs to another run: seed 0, this one is seed 1; remove the file
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        found = state["signature"]
    except Exception as error:  # torch raises many kinds for a bad file
        raise ValueError(f"{path} cannot be read as the state of a run: {error}; remove it to begin anew") from error
    if found != identity:
        raise ValueError(f"{path} belongs to another run: {found}, this one is {identity}; remove the file")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    if curriculum is not None:
        curriculum.restore(state.get("curriculum", {}))
    return state["epoch"], state["loss"]
