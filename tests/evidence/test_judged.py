"""Verdicts as plain data."""

from tests.cli.commands import tutorial
from tutorial_lib.evidence import claims


def test_claims_have_the_fields_that_others_rely_on(capsys, tmp_path):
    body = tutorial(capsys, "claims", "--profile", "pilot", "--store", tmp_path)
    assert len(body["claims"]) == len(claims.load())
    fields = {"id", "source", "section", "profile", "verdict", "estimate", "low", "high", "n"}
    for claim in body["claims"]:
        assert fields <= claim.keys()
        assert claim["verdict"] in claims.WORDS
    only = tutorial(capsys, "claims", "--profile", "pilot", "--store", tmp_path, "--verdict", "not run")
    assert all(c["verdict"] == "not run" for c in only["claims"])
