"""Which setting a defender takes, who sees clean validation pictures only."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tutorial_lib import profiles
from tutorial_lib.experiments._defended import before, chosen, cleaned, committed

BASE = profiles.get("cpu").cleaning.attacked("badnets", 0)
SETTINGS = profiles.get("cpu").cleaning.sweep("cleanclip")


class Found:
    """Records with a validation accuracy each: of the model as it is, and of some settings from weak to strong."""

    def __init__(self, start: float | None, *after: float) -> None:
        trials = [before(BASE), *cleaned(BASE, SETTINGS)]
        values = [start, *after]
        self.records = {
            trial.key: SimpleNamespace(which=k, metrics={"validation_accuracy": {"rate": value}})
            for k, (trial, value) in enumerate(zip(trials, values, strict=False))
            if value is not None
        }

    def get(self, trial):
        return self.records.get(trial.key)

    def of(self, trials):
        return [self.records[t.key] for t in trials if t.key in self.records]


@pytest.mark.parametrize(
    ("after", "keeps", "cleans"),
    [
        ((0.40, 0.36, 0.20), 2, 2),  # the strongest within five points
        ((0.40, 0.30, 0.36), 3, 3),  # whatever lies between
        ((0.30, 0.20, 0.10), 0, 1),  # where all are too dear, the model as it is, or the weakest
    ],
)
def test_the_strongest_setting_within_the_margin_is_taken(after, keeps, cleans):
    found = Found(0.40, *after)
    assert len(SETTINGS) == 3
    assert chosen(found, BASE, SETTINGS).which == keeps
    assert committed(found, BASE, SETTINGS).which == cleans


@pytest.mark.parametrize("found", [Found(None, 0.4, 0.4, 0.4), Found(0.4, 0.4, 0.4), Found(None)])
@pytest.mark.parametrize("pick", [chosen, committed])
def test_nobody_chooses_before_all_settings_are_run(found, pick):
    assert pick(found, BASE, SETTINGS) is None
