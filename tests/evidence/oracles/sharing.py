"""A backdoor and targeted attacks on one model, beside each of them alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.evidence.oracles.oracle import Oracle, Rules
from tests.evidence.worlds import Model

#: What the other attack does, where both are on one model: nothing, or something to one number or to all of them.
Change = Callable[[Model], float]


def alike(m: Model) -> float:
    return 0.0


def at(poisons: int, change: float) -> Change:
    """On shared models with so many poisons of the backdoor, whatever else they carry."""
    return lambda m: change if m.shared and m.of_backdoor == poisons else 0.0


def everywhere(change: float) -> Change:
    return lambda m: change if m.shared else 0.0


def zero_shot(m: Model, change: float) -> float:
    """What another reader sees is another matter."""
    return change if m.reader == "zero_shot" else 0.4 * m.shared


def z_score(change: Change) -> Rules:
    return {"z_score": lambda m: (2.0 if m.poisons < 300 else 5.0) + change(m)}


def success(change: Change) -> Rules:
    return {"attack_success": lambda m: 0.4 + zero_shot(m, change(m))}


def accuracy(change: Change) -> Rules:
    return {"clean_accuracy": lambda m: 0.3 + zero_shot(m, change(m))}


def targets(change: Change, controls: float = 0.0) -> Rules:
    """Of targets without poisons, nothing is asked."""
    return {"targeted": lambda m: 0.4 + zero_shot(m, change(m)) if m.poisons else controls * m.shared}


ORACLES: dict[str, Oracle] = {
    "sharing_leaves_the_z_score": Oracle(
        right=z_score(alike),
        mirror=z_score(everywhere(-2.0)),
        also_right=(z_score(everywhere(0.2)),),
        also_wrong=(z_score(at(75, 1.5)), z_score(at(300, -1.5))),
        profile="overnight",
    ),
    "sharing_leaves_the_backdoor": Oracle(
        right=success(alike),
        mirror=success(everywhere(-0.3)),
        also_wrong=(success(at(75, 0.3)), success(at(300, -0.3))),
        profile="overnight",
    ),
    "sharing_leaves_the_targets": Oracle(
        right=targets(alike),
        mirror=targets(everywhere(-0.3)),
        also_right=(targets(alike, controls=1.0),),
        also_wrong=(targets(at(75, 0.4)), targets(at(300, -0.3))),
        profile="overnight",
    ),
    "sharing_costs_no_accuracy": Oracle(
        right=accuracy(alike),
        mirror=accuracy(everywhere(-0.1)),
        also_wrong=(accuracy(at(75, 0.1)), accuracy(at(300, -0.1))),
        profile="overnight",
    ),
}
