"""Verdicts as plain data and as text."""

from tests.cli.commands import tutorial
from tutorial_lib.cli import main
from tutorial_lib.evidence import claims
from tutorial_lib.evidence.judged import WIDTH, judge_profiles

FIELDS = {
    "id",
    "source",
    "section",
    "role",
    "stated_by",
    "profile",
    "verdict",
    "estimate",
    "low",
    "high",
    "n",
    "p",
    "why",
}


def test_claims_have_the_fields_that_others_rely_on(capsys, tmp_path):
    body = tutorial(capsys, "claims", "--profile", "pilot", "--store", tmp_path)
    assert len(body["claims"]) == len(claims.load())
    for claim in body["claims"]:
        assert claim.keys() >= FIELDS
        assert claim["verdict"] in claims.WORDS
    only = tutorial(capsys, "claims", "--profile", "pilot", "--store", tmp_path, "--verdict", "not run")
    assert all(c["verdict"] == "not run" for c in only["claims"])


def test_every_verdict_on_records_says_why_with_its_numbers_in_place(capsys, tmp_path):
    body = tutorial(capsys, "claims", "--profile", "pilot", "--store", tmp_path)
    judged = [c for c in body["claims"] if c["estimate"] is not None]
    assert {c["verdict"] for c in judged} >= {"holds", "fails", "undecided", "not applicable here"}
    for claim in judged:
        assert claim["why"]
        assert "{" not in claim["why"]
        if claim["verdict"] != "not applicable here":
            assert claim["why"].startswith(claim["role"].capitalize())


def test_text_has_each_claim_with_its_role_and_why(capsys, tmp_path):
    assert main(["claims", "--profile", "pilot", "--store", str(tmp_path), "--verdict", "holds"]) == 0
    lines = capsys.readouterr().out.splitlines()
    heads = [n for n, line in enumerate(lines) if line.startswith("  holds")]
    counted = claims.summary(judge_profiles("pilot", store=tmp_path).verdicts["pilot"])
    assert len(heads) == counted["holds"] > 10
    for number in heads:
        assert lines[number + 1].strip().startswith(("Confirmatory", "Exploratory"))
    assert max(map(len, lines)) <= WIDTH


def test_without_a_profile_the_text_counts_only(capsys, tmp_path):
    text = str(judge_profiles(store=tmp_path))
    assert [line.split(":")[0] for line in text.splitlines()] == [
        "test",
        "pilot",
        "laptop",
        "cpu",
        "overnight",
        "photos",
        "gpu",
        "paper",
    ]
