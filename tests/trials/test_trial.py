"""Keys of trials stay what they were; records tell when they were damaged or edited."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.trials.records import record
from tutorial_lib.attacks import Backdoor, Group, Targeted
from tutorial_lib.trials import RECORD_SCHEMA, Recipe, Record, RecordError, Seeds, Trial


def test_keys_of_older_trials_do_not_change():
    """Fields that were added later stay out of the canonical form at their default: records keep their trials."""
    data = "3f0c3a64d3b9"
    assert Trial(Backdoor(256), seeds=Seeds.all(0), data=data).key == "35a744a40792c278"
    assert Trial(Targeted((Group(8),), targets=1), data=data).key == "8efe8eb7d2c79cbb"


@pytest.mark.parametrize(
    "other",
    [
        Trial(data="e"),
        Trial(data="d", scenes=10),
        Trial(data="d", shards="cc3m"),
        Trial(data="d", shards="cc3m", limit=5),
        Trial(data="d", task="imagenet"),
        Trial(data="d", objective="supervised"),
        Trial(data="d", recipe=Recipe(optimizer="sgd")),
        Trial(Backdoor(4), data="d"),
        Trial(Backdoor(4, select="label-consistent"), data="d"),
    ],
)
def test_every_field_counts(other):
    assert other.key != Trial(data="d").key


def test_added_field_at_its_default_is_left_out():
    assert "scenes" not in Trial(data="d").as_dict()
    assert Trial(data="d", scenes=10).as_dict()["scenes"] == 10


def test_record_survives_writing():
    original = record(a=1.5, b={"c": [1, 2]})
    assert Record.from_json(original.to_json()) == original


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda s: s[: len(s) // 2], "not complete JSON"),
        (lambda s: s.replace('"x": 0.5', '"x": 0.9'), "checksum does not match"),
        (
            lambda s: s.replace(f'"schema": {RECORD_SCHEMA}', f'"schema": {RECORD_SCHEMA + 1}'),
            "newer than this version",
        ),
        (lambda s: "[1, 2]", "not a record"),
        (lambda s: s.replace('"seconds"', '"time"'), "checksum does not match"),
    ],
)
def test_damaged_or_edited_record_is_refused(damage, message):
    with pytest.raises(RecordError, match=message):
        Record.from_json(damage(record().to_json()))


def test_record_of_another_trial_is_refused():
    good = record()
    body = json.loads(replace(good, key="0" * 16).to_json())
    with pytest.raises(RecordError, match="key does not match"):
        Record.from_json(json.dumps(body))


def test_record_of_the_first_schema_is_read_without_checksum():
    body = json.loads(record().to_json())
    del body["checksum"], body["schema"]
    assert Record.from_json(json.dumps(body)).schema == 1


def test_trials_and_claims_load_without_torch():
    code = (
        "import sys; from tutorial_lib import costs, detect, experiments, profiles, trials; "
        "from tutorial_lib.costs import gpus, seconds; from tutorial_lib.evidence import claims, registry; "
        "from tutorial_lib.trials import store; "
        "registry.trials(registry.names(explanations=True), profiles.get('cpu')); claims.load(); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
