"""`tutorial audit`: poisons that `tutorial poison` wrote are ranked, listed and left out, and bad input is refused."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch

from tests.cli.commands import refused, trained_on_poisons, tutorial
from tutorial_lib import models
from tutorial_lib.cli import main
from tutorial_lib.data.shards import samples
from tutorial_lib.detect import DETECTORS

POISONS = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clean shards, poisons and a model trained on both."""
    return trained_on_poisons(tmp_path_factory.mktemp("audit"), count=POISONS, epochs=4)


def audit(folder: Path, *more: object) -> list[object]:
    return ["audit", folder / "model", "--pairs", folder / "clean", folder / "poisons", "--device", "cpu", *more]


def keys(path: Path) -> list[str]:
    return [sample.key for sample in samples(path)]


@pytest.mark.parametrize("kind", DETECTORS)
def test_every_detector_ranks_all_pairs_against_the_manifest(folder: Path, capsys, kind: str) -> None:
    body = tutorial(capsys, *audit(folder, "--detector", kind, "--top", 7))
    assert body["pairs"] == len(keys(folder / "clean")) + POISONS
    assert body["poisons"] == POISONS
    assert [s["rank"] for s in body["suspects"]] == list(range(1, 8))
    scores = [s["score"] for s in body["suspects"]]
    assert scores == sorted(scores, reverse=True)
    assert 0 <= body["auroc"] <= 1
    assert list(body["recall"].values()) == sorted(body["recall"].values())
    assert body["detector"]["kind"] == kind


def test_list_and_shards_without_the_worst(folder: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "report"
    body = tutorial(capsys, *audit(folder, "--out", out, "--drop", "10%", "--top", 50))
    lines = [json.loads(line) for line in (out / "suspects.jsonl").read_text("utf-8").splitlines()]
    assert lines == body["suspects"]
    with (out / "suspects.csv").open(encoding="utf-8", newline="") as file:
        assert [row["key"] for row in csv.DictReader(file)] == [line["key"] for line in lines]
    assert body["dropped"] == round(0.1 * body["pairs"])
    left = [key for tar in sorted(out.glob("*.tar")) for key in keys(tar)]
    before = keys(folder / "clean") + keys(folder / "poisons")
    assert len(left) == body["pairs"] - body["dropped"]
    assert set(left) < set(before)
    worst = {line["key"] for line in lines[: body["dropped"]]}
    assert not worst & set(left)
    pictures = {s.key: s.picture for path in (folder / "clean", folder / "poisons") for s in samples(path)}
    assert all(s.picture == pictures[s.key] for tar in out.glob("*.tar") for s in samples(tar))
    (tmp_path / "report" / "suspects.jsonl").rename(tmp_path / "elsewhere")
    assert "already holds" in refused(capsys, *audit(folder, "--out", out))


def test_same_keys_in_two_folders_are_told_apart(folder: Path, tmp_path: Path, capsys) -> None:
    for name in ("a", "b"):
        shutil.copytree(folder / "clean", tmp_path / name)
    out = tmp_path / "out"
    body = tutorial(
        capsys, "audit", folder / "model", "--pairs", tmp_path / "a", tmp_path / "b", "--device", "cpu",
        "--out", out, "--drop", "0.3", "--detector", "pair-similarity",
    )  # fmt: skip
    assert body["poisons"] is None
    assert body["auroc"] is None
    assert sum(len(keys(tar)) for tar in out.glob("*.tar")) == body["pairs"] - body["dropped"]
    assert all("poison" not in suspect for suspect in body["suspects"])


def test_text_says_what_a_person_needs(folder: Path, capsys) -> None:
    capsys.readouterr()
    assert main([*map(str, audit(folder, "--top", 3))]) == 0
    printed = capsys.readouterr().out
    assert "the most suspicious first" in printed
    assert f"manifests name {POISONS} of them as poisons" in printed
    assert main([*map(str, audit(folder, "--limit", 100, "--manifest"))][:-1]) == 0


def test_a_folder_that_cannot_be_filled_is_said_first(folder: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    def scored(*_: object) -> None:
        raise AssertionError("there was work before")

    monkeypatch.setattr(DETECTORS["dao"], "scores", scored)
    (tmp_path / "file").touch()
    assert "is a file" in refused(capsys, *audit(folder, "--out", tmp_path / "file"))
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "suspects.csv").touch()
    assert "already holds suspects.csv" in refused(capsys, *audit(folder, "--out", tmp_path / "old"))


def test_long_work_is_said_and_wants_an_agreement(folder: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("tutorial_lib.practice.audit.reading_seconds", lambda *_, **__: 5000.0)
    assert "--yes" in refused(capsys, *audit(folder))
    assert tutorial(capsys, *audit(folder, "--yes", "--top", 1))["suspects"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--detector", "spectral"), "there is no detector 'spectral'; choose from "),
        (("--set", "neighbours=3"), "dao has no setting neighbours"),
        (("--set", "k=5000", "--set", "reference=4000"), "5000 neighbours need a reference of more than 5000 pairs"),
        (("--drop", "5%"), "shards without the worst pairs need a folder"),
        (("--drop", "5%", "--limit", 50, "--out", "x"), "were not looked at and would be lost"),
        (("--drop", "1", "--out", "x"), "--drop is a share of the pairs, from 0 to below 1"),
        (("--drop", "0.01%", "--out", "x"), "pairs is less than one pair: --drop at least 0."),
        (("--limit", 5), "and it has 5: give more pairs, or fewer neighbours, as in --set k=4"),
        (("--manifest", "none.json"), "there is no manifest none.json"),
    ],
)
def test_bad_input_is_refused(folder: Path, tmp_path: Path, monkeypatch, capsys, more, says: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert says in refused(capsys, *audit(folder, *more))
    assert not (tmp_path / "x").exists()


def test_a_list_into_the_folder_of_the_shards_is_refused(folder: Path, capsys) -> None:
    assert "one of the shards: choose another" in refused(capsys, *audit(folder, "--out", folder / "clean"))


def test_a_model_that_has_all_pairs_in_one_place_ranks_none(folder: Path, tmp_path: Path, capsys) -> None:
    found = models.read(folder / "model")
    with torch.no_grad():
        [value.zero_() for value in found.model.parameters()]
    models.save(tmp_path / "zero", found.model, found.config, found.tokenizer)
    for kind in ("dao", "pair-similarity"):
        command = ("audit", tmp_path / "zero", "--pairs", folder / "clean", "--detector", kind, "--device", "cpu")
        said = refused(capsys, *command, "--out", tmp_path / "out", "--drop", "5%")
        assert "so none is more suspicious: the model is damaged or did not converge" in said
        assert not (tmp_path / "out").exists()


def test_a_model_of_other_captions_is_noted(folder: Path, tmp_path: Path, capsys) -> None:
    assert main(["data", "emojicaps", "--out", str(tmp_path / "other"), "--classes", "200", "--copies", "1"]) == 0
    capsys.readouterr()
    body = tutorial(capsys, "audit", folder / "model", "--pairs", tmp_path / "other", "--device", "cpu")
    assert any("was it trained on these" in note for note in body["warnings"])
