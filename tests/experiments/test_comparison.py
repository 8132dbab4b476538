"""The table of the book against its parts, looked up one by one."""

import pytest

from tutorial_lib import profiles
from tutorial_lib.attacks import Backdoor
from tutorial_lib.evidence.comparison import defense_effectiveness
from tutorial_lib.evidence.results import Results
from tutorial_lib.experiments import cc_attacks, cc_frontier, comparison, detect_checkpoints, robust_training
from tutorial_lib.experiments._defended import MARGIN, accuracy, attack_name, before, cleaned, success, validation
from tutorial_lib.training.methods import RoCLIP

PILOT = Results(profiles.get("pilot"))
TABLE = comparison.compare("defenses", "pilot")
ROWS = {row.words: row.values for row in TABLE.rows}


def test_every_attack_is_there_before_and_after():
    attacks = list(PILOT.profile.cleaning.attacks)
    names = [attack_name(attack) for attack in attacks]
    assert [words[0] for words in ROWS if words[1] == "none"] == names
    assert names[0] == "BadNets"
    for attack in names:
        assert {(attack, "plain finetuning"), (attack, "CleanCLIP")} <= ROWS.keys()
    assert len([words for words in ROWS if words[0] == "BadNets"]) == 1 + len(cc_frontier.METHODS)


def test_a_row_is_that_of_the_setting_that_a_defender_takes():
    """Looked for in a loop over models and settings."""
    c = PILOT.profile.cleaning
    after, ratings, steps = [], [], []
    for seed in range(4):
        base = c.attacked("blended", seed)
        start = PILOT.get(before(base))
        taken = start
        for defense in c.sweep("cleanclip"):
            (record,) = PILOT.of(cleaned(base, [defense]))
            if validation(record) >= validation(start) - MARGIN:
                taken = record
            steps.append(record.metrics["cleaning"]["steps"] * defense.cost)
        after.append(success(taken))
        ratings.append(defense_effectiveness((success(start), after[-1]), (accuracy(start), accuracy(taken))))
    row = ROWS["Blended", "CleanCLIP"]
    assert row["success"].value == pytest.approx(sum(after) / 4)
    assert row["der"].value == pytest.approx(sum(ratings) / 4)
    assert row["cost"].value == pytest.approx(sum(steps) / len(steps))
    assert row["success"].n == 4
    assert row["success"].value == pytest.approx(sum(cc_attacks.successes(PILOT, "blended", "cleanclip").values()) / 4)


def test_the_models_as_they_are_have_no_rating():
    row = ROWS["WaNet", "none"]
    assert set(row) == {"success", "accuracy", "on_triggered"}


def test_rows_of_models_that_stay_as_they_are_are_named():
    (said,) = comparison.kept(TABLE.rows)
    assert said == TABLE.notes[-1]
    assert "self-supervision only (BadNets)" in said
    assert "CleanCLIP" not in said
    assert comparison.kept([row for row in TABLE.rows if row.words[1] in ("none", "CleanCLIP")]) == []


def test_the_scale_is_named_in_the_title():
    assert TABLE.title.endswith("1.4 million parameters, 32-pixel pictures, 4,000 pairs (profile pilot)")
    assert TABLE.profile == "pilot"


def test_later_defenses_and_other_ways_to_train_are_rows(miniature):
    rows = {row.words: row.values for row in comparison.of_defenses(miniature).rows}
    for name in ("PAR", "unlearning an inverted trigger", "RoCLIP", "SafeCLIP"):
        row = rows["BadNets", name]
        assert 0 <= row["der"].value <= 1, name
        assert row["cost"].value > 0, name
    p = miniature.profile
    (trial,) = (
        t
        for t in robust_training.trials(p)
        if t.method == RoCLIP() and t.attack.find(Backdoor) and t.seeds == p.cleaning.attacked("badnets", 0).seeds
    )
    (record,) = miniature.of([trial])
    whole = record.metrics["steps"] * trial.recipe.batch_size * RoCLIP.cost / p.cleaning.recipe.batch_size
    assert rows["BadNets", "RoCLIP"]["cost"].value == pytest.approx(whole)
    assert rows["BadNets", "RoCLIP"]["success"].value == pytest.approx(success(record))


def test_detectors_of_the_miniature(miniature):
    found = comparison.of_detectors(miniature)
    assert {row.words[0] for row in found.rows} == set(map(attack_name, miniature.profile.cleaning.attacks))
    assert all(0 <= row.values["auroc"].value <= 1 and row.values["auroc"].n == 1 for row in found.rows)
    assert comparison.table_detectors(miniature).rows
    assert comparison.table(miniature).rows


def test_checkpoints_of_the_miniature(miniature):
    found = comparison.of_checkpoints(miniature)
    rows = {row.words: row.values for row in found.rows}
    assert {attack for attack, _ in rows} == {"no attack", *detect_checkpoints.names_of("test")}
    clean, board = rows["no attack", "DECREE"], rows["checkerboard", "DECREE"]
    assert set(clean) == {"found", "seconds"}
    assert clean["found"] is None  # two clean models choose no threshold
    assert board["auroc"] is None  # one model has no area
    assert board["named"].value in (0, 1)
    assert board["seconds"].value >= 0
    assert ("checkerboard", "Neural Cleanse") in rows
    assert ("warp", "Neural Cleanse") not in rows
    assert comparison.table_checkpoints(miniature).rows
    assert "320 to 320 pairs (profile test)" in found.title


def test_the_newest_profile_with_all_records_is_shown(miniature, tmp_path):
    empty = Results(miniature.profile, folder=tmp_path)
    assert comparison.newest([empty, miniature, PILOT], "cc_attacks") is miniature
    assert comparison.newest([empty, PILOT], "cc_attacks") is PILOT
    assert comparison.newest([empty], "cc_attacks") is empty
    assert comparison.compare("defenses", "demo").profile == "pilot"
    with pytest.raises(ValueError, match="there is no table of 'attacks'; choose from defenses, detectors, "):
        comparison.compare("attacks")


def test_without_records_nothing_is_shown_as_measured(tmp_path):
    found = comparison.compare("defenses", "cpu", folder=tmp_path)
    assert all(value is None for row in found.rows for value in row.values.values())
    assert "no records yet" in found.title
    assert comparison.compare("detectors", "cpu", folder=tmp_path).rows == ()
    assert comparison.compare("checkpoints", "cpu", folder=tmp_path).rows == ()
