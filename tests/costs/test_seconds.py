"""Estimates of time are calibrated by records, and say what is longer."""

from dataclasses import replace

import pytest

from tutorial_lib import costs, profiles
from tutorial_lib.costs import CostModel, announce, duration, parse_duration
from tutorial_lib.detect import KDistance
from tutorial_lib.detect.checkpoints import DECREE, TriggerScan
from tutorial_lib.evidence import registry
from tutorial_lib.notes import Note
from tutorial_lib.trials import Recipe, Record, Trial

BASE = Trial(classes=100, copies=8, recipe=Recipe(epochs=20), data="d")


def record(trial, seconds, hardware="cpu A"):
    steps = trial.recipe.epochs * (costs.pairs(trial) // trial.recipe.batch_size)
    return Record(trial.key, trial.as_dict(), {"steps": steps}, seconds, hardware, {}, "2026-01-01")


def test_records_calibrate_the_model():
    model = CostModel([record(BASE, 44.0), record(replace(BASE, classes=50), 24.0)])
    assert model.calibrated_on == 2
    assert model.seconds(BASE) == pytest.approx(44, rel=0.1)
    assert model.total([BASE, BASE], jobs=2) == pytest.approx(model.seconds(BASE))
    assert CostModel([record(BASE, 44.0)], hardware="cpu B").calibrated_on == 0


def test_detectors_take_their_time():
    looked_at = replace(BASE, detectors=(DECREE(), KDistance()))
    assert CostModel().seconds(looked_at) == pytest.approx(CostModel().seconds(BASE) + 2 * costs.seconds.DETECTOR)
    known = record(looked_at, 44.0)
    timed = {"audits": {"decree": {"seconds": 9.0}}, "detection": {KDistance().label: {"seconds": 1.0}}}
    model = CostModel([replace(known, metrics=known.metrics | timed)])
    assert model.seconds(looked_at) == pytest.approx(44, rel=0.1)
    assert model.seconds(looked_at) - model.seconds(BASE) == pytest.approx(10)


@pytest.mark.parametrize(
    "longer",
    [
        replace(BASE, detectors=(DECREE(), TriggerScan(), KDistance())),
        replace(BASE, copies=16),
        replace(BASE, model="rn-5m"),
        replace(BASE, side=64),
        replace(BASE, recipe=Recipe(epochs=40)),
        replace(BASE, scenes=300_000),
        replace(BASE, shards="cc3m", model="RN50", side=224),
    ],
)
def test_more_work_takes_longer(longer):
    assert CostModel().seconds(longer) > 1.2 * CostModel().seconds(BASE)


def test_pairs_are_those_of_the_data():
    assert costs.pairs(BASE) == 4000
    assert costs.pairs(replace(BASE, scenes=7)) == 7
    assert costs.pairs(replace(BASE, shards="cc3m", limit=9)) == 9
    assert costs.pairs(replace(BASE, shards="yfcc15m")) == 15_000_000


def test_four_models_a_point_are_an_afternoon_on_a_laptop():
    for paper, hours in (("carlini_terzis", 3), ("cleanclip", 2.5)):
        trials = registry.trials(registry.groups()[paper], profiles.get("pilot"))
        assert CostModel().total(trials) < hours * 3600  # on one core


@pytest.mark.parametrize(("seconds", "text"), [(48, "48 s"), (600, "10 min"), (7200, "2.0 h"), (864_000, "10.0 days")])
def test_durations_in_words(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5400), ("2h", 7200), ("45s", 45), ("10", 600), ("1.5H", 5400)])
def test_durations_are_read(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["soon", "-5m", "0", "", "inf", "5d"])
def test_bad_durations_are_refused(text):
    with pytest.raises(ValueError, match="a time limit is a positive number"):
        parse_duration(text)


def test_a_long_time_is_said_and_a_very_long_one_is_agreed_on(recwarn):
    announce(599)
    assert not recwarn
    with pytest.warns(Note, match="^the training takes about 20 min on this machine$"):
        announce(1200)
    with pytest.warns(Note, match="about 2.0 h"):
        announce(7200, yes=True)
    with pytest.raises(ValueError, match=r"cleaning takes about 2\.0 h on this machine: begin it with `yes`"):
        announce(7200, what="cleaning")
