"""What the experiments on defenses share: the trials of a sweep, and the choice of a setting.

A defender never sees the attack. They may lose `MARGIN` of accuracy on *validation* pictures, and take the
strongest setting that costs no more; where every setting does, they keep the model as it is. A supervised classifier
is judged by the same rule, beside the accuracy of the model that it replaces. The oracle sees the attack: of the
settings that cost no more than `MARGIN` on the test pictures it takes the one with the lowest attack success.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from tutorial_lib.defenses import DEFENSES, Defense, Untouched
from tutorial_lib.evidence.results import Results
from tutorial_lib.profiles import Cleaning
from tutorial_lib.proportion import RateDict
from tutorial_lib.trials import Record, Trial

#: Accuracy that a cleaned model may have lost, a share of the pictures.
MARGIN = 0.05
#: A sweep that is no defense of its own: plain finetuning with more and more weight decay.
WEIGHT_DECAY = "weight-decay"

#: Attacks whose papers write them otherwise than the records do.
ATTACKS = {"badnets": "BadNets", "blended": "Blended", "wanet": "WaNet", "sig": "SIG"}

Pick = Callable[[Results, Trial, Sequence[Defense]], Record | None]


def numbers(results: Results) -> Cleaning:
    return results.profile.cleaning


def word(method: str) -> str:
    """What figures call a defense."""
    return "finetuning with weight decay" if method == WEIGHT_DECAY else DEFENSES.find(method).title


def attack_name(attack: str) -> str:
    """What tables and axes call an attack: by its paper's name where it has one."""
    return ATTACKS.get(attack, attack)


def before(base: Trial) -> Trial:
    """The model as it is, measured like a cleaned one."""
    return replace(base, defense=Untouched())


def cleaned(base: Trial, defenses: Iterable[Defense]) -> list[Trial]:
    return [replace(base, defense=d) for d in defenses]


def with_before(base: Trial, defenses: Iterable[Defense] = ()) -> list[Trial]:
    return [before(base), *cleaned(base, defenses)]


def _own(by_reader: dict[str, RateDict]) -> float:
    """A rate under the model's own reader: zero-shot, or the head of a classifier; a record sorts its readers."""
    return by_reader["zero_shot" if "zero_shot" in by_reader else "classifier"]["rate"]


def success(record: Record) -> float:
    return _own(record.metrics["attack_success"])


def accuracy(record: Record) -> float:
    return _own(record.metrics["clean_accuracy"])


def on_triggered(record: Record) -> float:
    return _own(record.metrics["accuracy_on_triggered"])


def validation(record: Record) -> float:
    return record.metrics["validation_accuracy"]["rate"]


def chosen(results: Results, base: Trial, defenses: Sequence[Defense]) -> Record | None:
    """The record of the setting that a defender takes, who sees clean validation pictures only."""
    start, found = results.get(before(base)), results.of(cleaned(base, defenses))
    if start is None or len(found) < len(defenses):
        return None
    kept = [r for r in found if validation(r) >= validation(start) - MARGIN]
    return kept[-1] if kept else start


def _committed(results: Results, base: Trial, defenses: Sequence[Defense], *, margin: float) -> Record | None:
    start, found = results.get(before(base)), results.of(cleaned(base, defenses))
    if start is None or len(found) < len(defenses):
        return None
    return next((r for r in reversed(found) if validation(r) >= validation(start) - margin), found[0])


def committed_within(margin: float) -> Pick:
    """A defender who cleans in any case: where no setting costs so little accuracy, the weakest."""
    return functools.partial(_committed, margin=margin)


#: The same with the margin of the other defenders.
committed = committed_within(MARGIN)


def _least_left(results: Results, base: Trial, defenses: Sequence[Defense], *, loss: float) -> Record | None:
    start, found = results.get(before(base)), results.of(cleaned(base, defenses))
    if start is None or len(found) < len(defenses):
        return None
    return min((r for r in (start, *found) if accuracy(r) >= accuracy(start) - loss), key=success)


def least_left(loss: float) -> Pick:
    """Who sees the attack, and may lose so much accuracy on test pictures: the least success, "as it is" included."""
    return functools.partial(_least_left, loss=loss)


#: Who sees the attack and the test pictures, and may lose as much as the defender.
oracle = least_left(MARGIN)


def by_seed(
    results: Results,
    base_of: Callable[[int], Trial],
    defenses: Sequence[Defense],
    value: Callable[[Record], float],
    pick: Pick = chosen,
) -> dict[int, float]:
    """A number of each seed's cleaned model; without defenses, of the model as it is."""
    found: dict[int, float] = {}
    for seed in results.seeds:
        base = base_of(seed)
        record = pick(results, base, defenses) if defenses else results.get(before(base))
        if record is not None:
            found[seed] = float(value(record))
    return found


def at(
    results: Results, base_of: Callable[[int], Trial], defense: Defense, value: Callable[[Record], float] = success
) -> dict[int, float]:
    """A number of each seed's model after one setting, whatever it costs."""
    return results.per_seed(lambda s: cleaned(base_of(s), [defense])[0], value)


def percent(values: Iterable[float]) -> str:
    """Mean with the lowest and the highest model, in per cent."""
    shown = [100 * v for v in values]
    if not shown:
        return "not run"
    return f"{sum(shown) / len(shown):.1f} ({min(shown):.0f}\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}{max(shown):.0f})"
