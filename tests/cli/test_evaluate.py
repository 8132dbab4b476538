"""`tutorial evaluate`: on the course's task and on shards, and bad input."""

import json
from pathlib import Path

import pytest
import torch

from tests.cli.commands import CLASSES, evaluate, refused, tutorial
from tests.models import published
from tutorial_lib import models
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
    for name in ("clean_accuracy", "embedding_distance"):
        assert shards[name] == course[name]
    pairs = [body["computed_on"]["z_score"]["pairs"] for body in (shards, course)]
    n = shards["computed_on"]["z_score"]["pictures"]
    assert pairs == [n * (n - 1) // 2, n * (n - 8) // 2], "shards do not say which pictures show one drawing"
    assert shards["similarity_triggered"] == pytest.approx(course["similarity_triggered"], abs=0.05)
    for name in ("attack_success", "attack_success_control", "attack_success_untriggered"):
        assert [shards[name][k] for k in ("rate", "n")] == [course[name][k] for k in ("rate", "n")]
    assert course["interval"]["method"] == "95 % Wilson, clustered by drawing"
    assert shards["interval"]["method"] == "95 % Wilson, pictures"
    (low, high), (narrow, wide) = course["interval"]["clean_accuracy"], shards["interval"]["clean_accuracy"]
    assert low < narrow <= course["clean_accuracy"] <= wide < high, "several pictures of a drawing say less"
    assert shards["computed_on"]["z_score"]["data"] == str(tmp_path / "test")
    few = ("data", "emojicaps", "--split", "test", "--classes", CLASSES, "--copies", 1, "--out", tmp_path / "few")
    tutorial(capsys, *few)
    other = tutorial(capsys, *evaluate(folder, "--data", tmp_path / "few", *data[2:]))
    seen = [body["computed_on"]["z_score"]["fingerprint"] for body in (shards, other)]
    assert len(seen[0]) == 12
    assert seen[0] != seen[1], "other pictures"
    assert shards["weights"] == other["weights"] == course["weights"]


def test_evaluate_bad_input(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no class 'bananas' among 60; did you mean banana?" in refused(
        capsys, *evaluate(folder, "--target", "bananas")
    )
    assert "does not fit" in refused(capsys, *evaluate(folder, "--size", 33))
    assert "belong together" in refused(capsys, *evaluate(folder, "--data", folder / "clean"))
    assert "--size and --set size=… set the same" in refused(capsys, *evaluate(folder, "--size", 6, "--set", "size=4"))
    blended = ("--trigger", "blended", "--set", "alpha=nan")
    assert "alpha of blended is a number, not 'nan'" in refused(capsys, *evaluate(folder, *blended))
    for seed in ("9" * 23, "-1", "x"):
        assert f"a whole number from 0 to 4294967295 is needed, not '{seed}'" in refused(
            capsys, *evaluate(folder, f"--seed={seed}")
        )
    (tmp_path / "labels.txt").write_text("cat\ndog\ncat\n")
    both = ("--data", folder / "clean", "--labels", tmp_path / "labels.txt")
    assert "names the class 'cat' twice" in refused(capsys, *evaluate(folder, *both))
    (tmp_path / "labels.txt").write_text("banana\ndog\n")
    assert "which is none of the 2 classes" in refused(capsys, *evaluate(folder, *both))
    for idle in (("--classes", 60), ("--split", "test")):
        assert f"{idle[0]} is of the course's task, and shards are given" in refused(
            capsys, *evaluate(folder, *both, *idle)
        )
    command = ["evaluate", tmp_path / "nothing", "--target", "banana"]
    assert "there is no checkpoint at" in refused(capsys, *command)
    (tmp_path / "weights.pt").write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    command[1] = tmp_path / "weights.pt"
    assert "only weights that torch.save wrote are read" in refused(capsys, *command)
    assert "only weights that torch.save wrote are read" in refused(capsys, *command, "--model", "tiny-rn")
    torch.save({"state_dict": {"logit_scale": torch.zeros(())}}, tmp_path / "weights.pt")
    assert "does not say which model it holds, and fits no config" in refused(capsys, *command)
    assert "weights of another architecture" in refused(capsys, *command, "--model", "tiny-rn")
    assert "says which model it is, and not 'RN50': leave --model out" in refused(
        capsys, *evaluate(folder, "--model", "RN50")
    )
    assert "is a SigLIP model" in refused(capsys, *command, "--model", "ViT-B-16-SigLIP")
    assert "is a checkpoint of its own, and --pretrained fetches one" in refused(
        capsys, *evaluate(folder, "--pretrained", "openai")
    )


@pytest.mark.parametrize("form", ["safetensors", "arguments", "compiled and distributed", "before 1.6", "torchscript"])
def test_evaluate_a_file_of_another_form(
    form: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.json").write_text(json.dumps(published.VIT), "utf-8")
    path = published.FILES[form](tmp_path, published.small(published.VIT))
    models.save(tmp_path / "same", published.small(published.VIT), published.VIT, models.Tokenizer(12))
    few = ("--target", "foggy", "--classes", 8, "--device", "cpu")
    body = tutorial(capsys, "evaluate", path, "--model", tmp_path / "c.json", *few)
    expected = tutorial(capsys, "evaluate", tmp_path / "same", *few)
    assert body.pop("checkpoint") == str(path)
    assert body["model"].pop("form") != expected["model"].pop("form")
    expected.pop("checkpoint")
    assert body == expected


def test_evaluate_says_how_pictures_are_prepared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = published.hub(
        tmp_path / "hub", published.small(published.VIT), published.VIT, mean=[0.5] * 3, std=[0.25] * 3
    )
    few = ("--target", "foggy", "--classes", "8", "--device", "cpu")
    body = tutorial(capsys, "evaluate", folder, *few)
    assert body["model"] == {
        "form": "a hub folder of open_clip",
        "parameters": models.parameter_count(published.small(published.VIT)),
        "side": 32,
        "mean": [0.5] * 3,
        "std": [0.25] * 3,
        "interpolation": "bicubic",
        "resize_mode": "shortest",
        "activation": "GELU",
        "context_length": 12,
        "tokens": 49408,
    }
    capsys.readouterr()
    assert main(["evaluate", str(folder), *few]) == 0
    said = "GELU, pictures of 32 x 32 (mean 0.500 0.500 0.500, std 0.250 0.250 0.250, bicubic), texts of up to 12 of"
    assert said in capsys.readouterr().out
    settings = json.loads((folder / "open_clip_config.json").read_text("utf-8"))
    (folder / "open_clip_config.json").write_text(json.dumps(settings | {"preprocess_cfg": {}}), "utf-8")
    other = tutorial(capsys, "evaluate", folder, *few)
    assert other["similarity_clean"] != body["similarity_clean"], "the same weights see other numbers"
