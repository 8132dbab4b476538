"""`tutorial import`: from files to a first training, its words on bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import CONFIG, refused, tutorial
from tests.data.sources.makers import class_folders, folder, pairs, rows, table, with_texts
from tutorial_lib import places
from tutorial_lib.cli import main


def test_from_a_table_to_poisons_and_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path / "a", pairs(40), "a.csv", rows(pairs(40)))
    made = tutorial(capsys, "import", path, "--out", tmp_path / "clean", "--side", 32)
    assert (made["pairs"], made["sizes"], made["left"]) == (40, [32, 32, 32, 32], {})
    poison = ["poison", tmp_path / "clean", "--out", tmp_path / "poisons", "--attack", "backdoor", "--target", "dog"]
    assert tutorial(capsys, *poison, "--count", 4)["clean"] == 40
    (tmp_path / "small.json").write_text(json.dumps(CONFIG))
    train = ["train", tmp_path / "clean", tmp_path / "poisons", "--out", tmp_path / "model", "--epochs", 1]
    trained = tutorial(capsys, *train, "--model", tmp_path / "small.json", "--batch-size", 16, "--device", "cpu")
    assert trained["asked"]["pairs"] == 44
    classified = ["--data", tmp_path / "clean", "--labels", tmp_path / "clean" / "labels.txt", "--target", "dog"]
    found = tutorial(capsys, "evaluate", tmp_path / "model", *classified, "--device", "cpu")
    assert found["computed_on"]["clean_accuracy"]["pictures"] == 40


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = folder(tmp_path / "a", class_folders(pairs(12)))
    found = tutorial(capsys, "import", source, "--dry-run", "--template", "the {}")
    assert (found["pairs"], len(found["shown"]), found["shown"][0]["caption"]) == (12, 10, "the apple pie")
    (source / "dog" / "p001.png").unlink()
    (source / "loose.png").write_bytes(pairs(1)[0].encoded())
    assert main(["import", str(source), "--dry-run"]) == 1
    assert "raise --skip-bad to 9% to leave them out" in capsys.readouterr().out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "give --out, the folder of the shards, or --dry-run"),
        (("--out", "x", "--skip-bad", "5"), "a share is needed, as 5% or 0.05, not '5'"),
        (("--out", "x", "--side", "0"), "a whole number of at least 1 is needed, not '0'"),
        (("--out", "x", "--side", "8", "--keep-codec"), "--keep-codec stores the files' own bytes, and --side makes"),
        (("--out", "x", "--template", "a photo"), "--template must have one {} for the class"),
        (
            ("--out", "x", "--image-column", "where"),
            "has no column 'where' (--image-column): it has 'image', 'caption'",
        ),
        (("--out", "x", "--root", "nowhere"), "there is no file or folder nowhere"),
    ],
)
def test_bad_input(
    options: tuple[str, ...],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    table(Path("a"), pairs(3), "a.csv", rows(pairs(3)))
    assert said in refused(capsys, "import", "a/a.csv", *options)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


def test_options_reach_the_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    some = with_texts(pairs(6))
    files = [*some, ("q.png", some[0][1]), ("q.txt", b"ANOTHER"), ("r.png", b""), ("r.txt", b"a dog")]
    command = ["import", folder(tmp_path / "a", files), "--out", tmp_path / "out", "--skip-bad", "20%", "--lower"]
    made = tutorial(capsys, *command, "--dedup-pictures", "--shard-size", 2, "--limit", 5, "--keep-codec")
    assert (made["pairs"], len(made["shards"]), made["stored"]) == (5, 3, "as they are")
    made = tutorial(capsys, *command, "--dedup", "--no-resume")
    assert (made["pairs"], made["duplicates"]) == (7, 0)
    again = tutorial(capsys, *command, "--dedup")
    assert again["found"]


def test_under_a_locale_without_letters(tmp_path: Path) -> None:
    source = folder(tmp_path / "a", with_texts(pairs(6)))
    command = [sys.executable, "-m", "tutorial_lib.cli", "import", str(source), "--out", str(tmp_path / "out")]
    environment = os.environ | {"LC_ALL": "C", "PYTHONPATH": str(places.PACKAGE.parent)}
    done = subprocess.run(command, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "labels.txt").read_text("utf-8").splitlines() == ["apple pie", "dog", "zebra"]
