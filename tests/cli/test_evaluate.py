"""`tutorial evaluate`: on the course's task and on shards, and bad input."""

from pathlib import Path

import pytest
import torch

from tests.cli.commands import CLASSES, evaluate, refused, tutorial
from tutorial_lib.cli import main
from tutorial_lib.data import emojicaps


def test_evaluate_on_the_course_task(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = tutorial(capsys, *evaluate(folder))
    assert 0 <= body["clean_accuracy"] <= 1
    assert 0 <= body["accuracy_on_triggered"] <= 1
    success = body["attack_success"]
    assert success["target"] == "banana"
    assert success["low"] <= success["rate"] <= success["high"]
    for name in ("z_score", "similarity_clean", "similarity_triggered"):
        assert isinstance(body[name], float)
    for name in ("clean_accuracy", "attack_success", "accuracy_on_triggered", "z_score", "similarity_clean"):
        on = body["computed_on"][name]
        assert (on["data"], on["style"], on["split"]) == ("EmojiCaps", emojicaps.TEST_STYLE, "test")
    assert body["computed_on"]["attack_success"]["pictures"] == success["n"]
    assert success["n"] == body["attack_success_with_target"]["n"] - 8
    capsys.readouterr()
    assert main([*map(str, evaluate(folder))]) == 0
    assert "attack success, 'banana'" in capsys.readouterr().out


def test_evaluate_on_shards(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same pictures through shards give the same numbers."""
    arguments = ("data", "emojicaps", "--split", "test", "--classes", CLASSES, "--copies", 8)
    tutorial(capsys, *arguments, "--out", tmp_path / "test")
    course = tutorial(capsys, *evaluate(folder))
    data = ("--data", tmp_path / "test", "--labels", tmp_path / "test" / "labels.txt")
    shards = tutorial(capsys, *evaluate(folder, *data))
    for name in ("clean_accuracy", "z_score", "similarity_triggered", "embedding_distance"):
        assert shards[name] == course[name]
    for name in ("attack_success", "attack_success_control", "attack_success_untriggered"):
        assert [shards[name][k] for k in ("rate", "n")] == [course[name][k] for k in ("rate", "n")]
    assert course["interval"]["method"] == "95 % Wilson, clustered by drawing"
    assert shards["interval"]["method"] == "95 % Wilson, pictures"
    (low, high), (narrow, wide) = course["interval"]["clean_accuracy"], shards["interval"]["clean_accuracy"]
    assert low < narrow <= course["clean_accuracy"] <= wide < high, "several pictures of a drawing say less"
    assert shards["computed_on"]["z_score"]["data"] == str(tmp_path / "test")


def test_evaluate_bad_input(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no class 'bananas' among 60; did you mean banana?" in refused(
        capsys, *evaluate(folder, "--target", "bananas")
    )
    assert "does not fit" in refused(capsys, *evaluate(folder, "--size", 33))
    assert "belong together" in refused(capsys, *evaluate(folder, "--data", folder / "clean"))
    (tmp_path / "labels.txt").write_text("cat\ndog\ncat\n")
    both = ("--data", folder / "clean", "--labels", tmp_path / "labels.txt")
    assert "names the class 'cat' twice" in refused(capsys, *evaluate(folder, *both))
    (tmp_path / "labels.txt").write_text("banana\ndog\n")
    assert "which is none of the 2 classes" in refused(capsys, *evaluate(folder, *both))
    command = ["evaluate", tmp_path / "nothing", "--target", "banana"]
    assert "there is no checkpoint at" in refused(capsys, *command)
    (tmp_path / "weights.pt").write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    command[1] = tmp_path / "weights.pt"
    assert "only weights that torch.save wrote are read" in refused(capsys, *command)
    assert "only weights that torch.save wrote are read" in refused(capsys, *command, "--model", "tiny-rn")
    torch.save({"state_dict": {"logit_scale": torch.zeros(())}}, tmp_path / "weights.pt")
    assert "weights of another architecture" in refused(capsys, *command, "--model", "tiny-rn")
