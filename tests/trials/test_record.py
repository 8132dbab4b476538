"""Records tell when they were damaged or edited."""

import json
from dataclasses import replace

import pytest

from tests.trials.records import record
from tutorial_lib.trials import RECORD_SCHEMA, Record, RecordError
from tutorial_lib.trials.schema import digest


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
        (lambda s: "", "not complete JSON"),
        (lambda s: "[" * 100_000 + "]" * 100_000, "no JSON that a record would be"),
        (lambda s: s.replace("0.5", "9" * 5000), "no JSON that a record would be"),
        (lambda s: s.replace("0.5", "NaN"), "holds what no record does"),
        (lambda s: s.replace("0.5", "1e999"), "holds what no record does"),
        (lambda s: s.replace(f'"schema": {RECORD_SCHEMA}', '"schema": "3"'), "schema is no number"),
        (lambda s: s.replace(f'"schema": {RECORD_SCHEMA}', '"schema": null'), "schema is no number"),
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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seconds", "1"),
        ("seconds", True),
        ("metrics", [1]),
        ("versions", "none"),
        ("hardware", None),
        ("date", 2026),
        ("key", 5),
        ("trial", [1, 2]),
        ("metrics", {"steps": "many"}),
        ("metrics", {"clean_accuracy": 0.5}),
        ("metrics", {"clean_accuracy": {"zero_shot": 0.5}}),
        ("metrics", {"loss": [1.0, None]}),
        ("metrics", {"targets": {"group": 1}}),
        ("metrics", {"retrieval": {"image_to_text": [1]}}),
    ],
)
def test_values_of_the_wrong_type_are_refused_under_a_right_checksum(name, value):
    body = json.loads(record().to_json()) | {name: value}
    del body["checksum"]
    text = json.dumps(body | {"checksum": digest(body)})
    with pytest.raises(RecordError, match="wrong type"):
        Record.from_json(text)


def test_metrics_of_another_package_are_read():
    assert Record.from_json(record(mine={"deep": [None, "x"]}).to_json()).metrics == {"mine": {"deep": [None, "x"]}}
