"""Committed records belong to the trials that the code describes, and show what the chapters say."""

import numpy as np
import pytest

from tutorial_lib import experiments
from tutorial_lib.data import emojicaps, integrity
from tutorial_lib.experiments import backdoor_count, targeted_count
from tutorial_lib.statistics import mean_interval, non_inferiority


def test_trials_differ_and_name_the_shipped_data():
    for module in (backdoor_count, targeted_count):
        keys = [t.key for t in module.trials()]
        assert len(set(keys)) == len(keys)
        assert {t.data for t in module.trials()} == {integrity.fingerprint()}


@pytest.mark.parametrize("module", [backdoor_count, targeted_count])
def test_every_committed_record_is_of_a_trial_of_this_version(module):
    name = module.__name__.split(".")[-1]
    keys = {t.key for t in module.trials()}
    records = experiments.read_records(experiments.RESULTS / f"{name}.jsonl")
    assert records
    assert {r.key for r in records} <= keys


def _accuracy(count):
    found = [r for r in backdoor_count.records() if r.metrics["poisons"] == count]
    found.sort(key=lambda r: r.trial["seeds"]["data"])
    return [r.metrics["clean_accuracy"]["zero_shot"]["rate"] for r in found]


def test_backdoor_records_support_chapter_4():
    most = max(backdoor_count.COUNTS)
    strong = [r for r in backdoor_count.records() if r.metrics["poisons"] == most]
    control = [r for r in backdoor_count.records() if r.metrics["poisons"] == 0]
    assert len(strong) == len(control) == 4
    assert all(r.metrics["poison_rate"] <= 0.04 for r in strong)
    assert mean_interval([r.metrics["attack_success"]["zero_shot"]["rate"] for r in strong]).mean >= 0.9
    assert max(r.metrics["attack_success"]["zero_shot"]["rate"] for r in control) <= 0.02
    result = non_inferiority(_accuracy(most), _accuracy(0), margin=backdoor_count.MARGIN)
    assert result.n == 4


def test_clean_records_support_chapter_2():
    assert mean_interval(_accuracy(0)).mean >= 0.3


def test_targeted_records_support_chapter_3():
    records = experiments.recorded("targeted_count", targeted_count.together())
    assert len(records) == targeted_count.SEEDS

    def success(group):
        return np.mean(
            [t["zero_shot"] == t["wanted"] for r in records for t in r.metrics["targets"] if t["group"] == group]
        )

    assert success(0) <= 0.05
    assert success(4) >= 0.5
    assert success(1) <= success(3) <= success(5)


def test_stamp_names_profile_models_and_machine():
    assert experiments.stamp([]) == "no records yet"
    records = backdoor_count.records()
    assert f"{len(records)} models" in experiments.stamp(records)
    assert records[0].hardware in experiments.stamp(records)
