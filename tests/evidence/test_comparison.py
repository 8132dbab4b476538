"""Tables that compare: cells, files, and the defense effectiveness rating against its sentence."""

import csv
import io
import json
import math

import pytest

from tutorial_lib.evidence.comparison import Comparison, Measure, Row, defense_effectiveness, said
from tutorial_lib.evidence.statistics import estimate_mean

RATE = Measure("success", "attack success", "%", best="low", bounds=(0, 1))
STEPS = Measure("cost", "cost", "steps", form=",.0f")
VALUES = [0.1, 0.4, 0.3]
TABLE = Comparison(
    "defenses",
    "Small models",
    ("attack", "defense"),
    (RATE, STEPS),
    (
        Row(("badnets", "none"), {"success": RATE.over([0.9])}),
        Row(("badnets", 'one, "two"'), {"success": RATE.over(VALUES), "cost": STEPS.over([1200, 1200])}),
        Row(("wanet", "none"), {"success": RATE.over([]), "cost": None}),
    ),
    "test",
    ("A note.",),
)


def test_means_have_intervals_over_models_that_stay_within_bounds():
    found, plain = RATE.over(VALUES), estimate_mean(VALUES)
    assert (found.value, found.n) == (plain.value, 3)
    assert (found.low, found.high) == (0.0, plain.high)
    assert RATE.over([0.5, 1.5]).high == 1.0
    assert math.isnan(RATE.over([0.5]).low)
    assert RATE.over([]) is None


def test_text_says_what_was_not_run_and_what_has_no_number():
    rows = TABLE.table.rows
    assert rows[0][2:] == ("90.0, n=1", "–")
    assert rows[1][2].startswith("26.7 [0.0, ")
    assert rows[1][3] == "1,200 [1,200, 1,200], n=2"
    assert rows[2][2:] == ("not run", "not run")
    assert said(STEPS, None) == "not run"
    assert str(TABLE).splitlines()[0] == "Small models"
    assert str(TABLE).splitlines()[-1] == "A note."


def test_files_hold_every_number():
    head, *rows = csv.reader(io.StringIO(TABLE.csv))
    assert head[2:6] == ["success", "success_low", "success_high", "success_models"]
    assert rows[0] == ["badnets", "none", "0.9", "", "", "1", "", "", "", "0"]
    assert rows[1][:2] == ["badnets", 'one, "two"']
    body = json.loads(json.dumps(TABLE.as_dict(), allow_nan=False))
    assert body["rows"][0]["success"] == {"mean": 0.9, "low": None, "high": None, "models": 1}
    assert [float(rows[1][2]), float(rows[1][4])] == pytest.approx(
        [body["rows"][1]["success"][k] for k in ("mean", "high")]
    )


@pytest.mark.parametrize(
    ("success", "accuracy", "rating"),
    [
        ((1.0, 0.0), (0.5, 0.5), 1.0),  # "successfully reduces the ASR from 1 to 0 without any drop in ACC"
        ((1.0, 1.0), (1.0, 0.0), 0.0),  # "ACC drops from 1 to 0 and ASR doesn't change"
        ((0.8, 0.8), (0.5, 0.5), 0.5),
        ((0.8, 0.9), (0.5, 0.6), 0.5),  # what rises counts for nothing
        ((0.9379, 0.0170), (0.9182, 0.9029), 0.9528),  # BadNets-A2O after finetuning, table 1 of the paper
        ((0.9771, 0.0832), (0.9344, 0.9257), 0.9426),  # Blended after fine-pruning
    ],
)
def test_rating_as_its_paper_has_it(success, accuracy, rating):
    assert defense_effectiveness(success, accuracy) == pytest.approx(rating, abs=1e-4)
