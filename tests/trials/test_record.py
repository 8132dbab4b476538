"""Records tell when they were damaged or edited."""

import json
from dataclasses import replace

import pytest

from tests.trials.records import record
from tutorial_lib.trials import RECORD_SCHEMA, Record, RecordError


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
