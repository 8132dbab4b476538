"""`tutorial clean`: on shards and models that the other commands made, and on bad input."""

import json
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.cli.commands import CLASSES, refused, trained_on_poisons, tutorial
from tests.models import published
from tutorial_lib import models
from tutorial_lib.cli import main
from tutorial_lib.practice.inverted import write_inverted


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clean shards, poisons and a model trained on both."""
    return trained_on_poisons(tmp_path_factory.mktemp("clean"), count=40, epochs=2)


def clean(folder: Path, out: Path, *more: object) -> list[object]:
    command = ["clean", folder / "model", "--data", folder / "clean", "--out", out]
    command += [] if "--eval-data" in more else ["--classes", CLASSES]
    return [*command, "--epochs", 1, "--batch-size", 128, "--device", "cpu", *more]


@pytest.mark.parametrize("method", ["cleanclip", "finetune", "self_supervised", "shrink-and-perturb", "par"])
def test_clean_writes_a_model_that_other_commands_read(folder, tmp_path, capsys, method):
    body = tutorial(capsys, *clean(folder, tmp_path / "out", "--method", method, "--target", "banana"))
    assert body["method"] == body["defense"]["kind"] == method.replace("_", "-")
    assert body["pairs"] == json.loads((folder / "model" / "train.json").read_text())["asked"]["pairs"] - 40
    for when in ("before", "after"):
        assert set(body[when]) >= {"clean_accuracy", "attack_success", "accuracy_on_triggered", "z_score"}
    assert json.loads((tmp_path / "out" / "clean.json").read_text()) == {
        k: v for k, v in body.items() if k != "warnings"
    }
    old, new = (load_file(p / "model.safetensors") for p in (folder / "model", tmp_path / "out"))
    assert old.keys() == new.keys()
    assert any(not torch.equal(old[k], new[k]) for k in old)
    measured = tutorial(capsys, "evaluate", tmp_path / "out", "--target", "banana", "--classes", CLASSES)
    assert measured["clean_accuracy"] == pytest.approx(body["after"]["clean_accuracy"])
    assert measured["attack_success"]["rate"] == pytest.approx(body["after"]["attack_success"])


def test_clean_says_before_and_after(folder, tmp_path, capsys):
    capsys.readouterr()
    assert main([*map(str, clean(folder, tmp_path / "out", "--target", "banana"))]) == 0
    printed = capsys.readouterr().out
    assert "before    after" in printed
    assert "attack success, 'banana'" in printed
    assert f"model: {tmp_path / 'out'}" in printed


def test_without_a_target_no_trigger_is_tried(folder, tmp_path, capsys):
    body = tutorial(capsys, *clean(folder, tmp_path / "out", "--limit", 256))
    assert set(body["after"]) == {"clean_accuracy"}
    assert (body["pairs"], body["trigger"]) == (256, None)


def test_supervised_writes_a_classifier(folder, tmp_path, capsys):
    body = tutorial(capsys, *clean(folder, tmp_path / "out", "--method", "supervised", "--target", "banana"))
    weights = load_file(tmp_path / "out" / "model.safetensors")
    assert (
        weights["head.weight"].shape[0] == CLASSES == len((tmp_path / "out" / "labels.txt").read_text().split("\n")) - 1
    )
    assert body["notes"]["classes_without_a_label"] == 0
    few = ("--target", "banana", "--device", "cpu")
    measured = tutorial(capsys, "evaluate", tmp_path / "out", *few)
    assert measured["model"]["form"] == f"a classifier of {CLASSES} classes"
    for name in ("clean_accuracy", "accuracy_on_triggered", "z_score"):
        assert measured[name] == pytest.approx(body["after"][name], rel=1e-4)
    assert measured["attack_success"]["rate"] == pytest.approx(body["after"]["attack_success"])
    head = tmp_path / "out"
    assert f"the classifier knows {CLASSES} classes, and not" in refused(
        capsys, "evaluate", head, *few, "--classes", 320
    )
    assert "leave --model and --pretrained out" in refused(capsys, "evaluate", head, *few, "--model", "RN50")
    again = ("--data", folder / "clean", "--out", tmp_path / "again")
    assert "a classifier that `clean --method supervised` saved" in refused(capsys, "clean", head, *again)
    assert "a classifier that `clean --method supervised` saved" in refused(
        capsys, "train", folder / "clean", "--out", tmp_path / "again", "--pretrained", head
    )
    assert "a classifier that `clean --method supervised` saved" in refused(
        capsys, "web", head, "--target", "banana", "--out", tmp_path / "page"
    )
    assert not (tmp_path / "again").exists()


def test_a_hub_folder_keeps_its_preprocessing(folder, tmp_path, capsys):
    own = {"mean": [0.5] * 3, "std": [0.25] * 3}
    source = published.hub(tmp_path / "hub", published.small(), **own)
    body = tutorial(capsys, "clean", source, *clean(folder, tmp_path / "out")[2:])
    assert body["checkpoint"] == str(source)
    read = models.read(tmp_path / "out")
    facts = models.facts(read.model, read.tokenizer)
    assert {name: facts[name] for name in own} == own
    few = ("--target", "banana", "--classes", CLASSES, "--device", "cpu")
    assert tutorial(capsys, "evaluate", tmp_path / "out", *few)["clean_accuracy"] == body["after"]["clean_accuracy"]
    assert (tmp_path / "out" / "model.safetensors").stat().st_mode == (tmp_path / "out" / "model.json").stat().st_mode


def test_supervised_reads_the_classes_of_the_users_shards(folder, tmp_path, capsys):
    """Labels are numbers of the user's list, not of the course's concepts."""
    names = (folder / "clean" / "labels.txt").read_text().splitlines()
    (tmp_path / "labels.txt").write_text("\n".join(reversed(names)))
    more = ("--method", "supervised", "--eval-data", folder / "clean", "--labels", tmp_path / "labels.txt")
    command = ["clean", folder / "model", "--data", folder / "clean", "--out", tmp_path / "out"]
    body = tutorial(capsys, *command, *more, "--epochs", 4, "--batch-size", 64, "--lr", 3e-3, "--device", "cpu")
    assert body["notes"]["classes_without_a_label"] == 0
    assert body["after"]["clean_accuracy"] > 3 / CLASSES  # it learned which is which


def test_anti_backdoor_looks_into_the_training_pairs(folder, tmp_path, capsys):
    more = ("--method", "anti_backdoor", "--training", folder / "clean", folder / "poisons")
    body = tutorial(capsys, *clean(folder, tmp_path / "out", *more))
    assert body["notes"]["poisons"] == 40
    assert 0 <= body["notes"]["isolated_poisons"] <= body["notes"]["isolated"]


def test_poisons_among_the_trusted_pairs_are_noticed(folder, tmp_path, capsys):
    command = ["clean", folder / "model", "--data", folder / "clean", folder / "poisons", "--out", tmp_path / "out"]
    with warnings.catch_warnings(record=True):
        assert main([*map(str, command), "--classes", str(CLASSES), "--epochs", "1", "--device", "cpu"]) == 0
    assert json.loads((tmp_path / "out" / "clean.json").read_text())["poisons_among_the_pairs"] == 40
    assert "40 of the" in capsys.readouterr().err


def test_another_trigger(folder, tmp_path, capsys):
    more = ("--target", "banana", "--trigger", "blended", "--set", "alpha=0.3")
    body = tutorial(capsys, *clean(folder, tmp_path / "out", *more))
    assert body["trigger"]["alpha"] == 0.3


def test_settings_of_a_method(folder, tmp_path, capsys):
    more = ("--method", "anti-backdoor", "--training", folder / "clean", folder / "poisons", "--set", "isolate=0.25")
    body = tutorial(capsys, *clean(folder, tmp_path / "a", *more))
    assert body["defense"]["isolate"] == 0.25
    assert body["notes"]["isolated"] == round(0.25 * (body["pairs"] + 40))
    more = ("--method", "shrink_and_perturb", "--shrink", 0.5, "--set", "perturb=0")
    body = tutorial(capsys, *clean(folder, tmp_path / "b", *more))
    assert (body["defense"]["shrink"], body["defense"]["perturb"]) == (0.5, 0)
    more = ("--set", "both_ways=true", "--set", "alpha=0.4", "--trigger", "blended", "--target", "banana")
    body = tutorial(capsys, *clean(folder, tmp_path / "c", *more))
    assert (body["defense"]["both_ways"], body["trigger"]["alpha"]) == (True, 0.4)
    assert "lambda_self" in body["defense"]
    assert not {"share", "dirty", "shrink", "isolate"} & set(body["defense"])


def test_an_inverted_trigger_is_unlearned(folder, tmp_path, capsys):
    found = tmp_path / "found.safetensors"
    write_inverted(found, torch.ones(1, 32, 32) / 4, torch.zeros(3, 32, 32))
    unlearn = ("--method", "unlearn-trigger", "--set", "weight=2")
    body = tutorial(capsys, *clean(folder, tmp_path / "a", *unlearn, "--inverted", found))
    assert body["notes"] == {"trigger_share": 0.25}
    assert body["defense"]["weight"] == 2
    assert "give its file as --inverted" in refused(capsys, *clean(folder, tmp_path / "b", *unlearn))
    assert "leave --inverted out" in refused(capsys, *clean(folder, tmp_path / "b", "--inverted", found))
    said = refused(capsys, *clean(folder, tmp_path / "b", *unlearn, "--set", "invert=decree"))
    assert "invert must be able to invert a model's trigger" in said


def test_settings_of_another_method_are_refused(folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert "cleanclip has no setting shrink" in refused(capsys, *clean(folder, out, "--shrink", 0.9))
    more = ("--method", "finetune", "--lambda-self", 2)
    assert "finetune has no setting lambda_self" in refused(capsys, *clean(folder, out, *more))
    assert "cleanclip has no setting isolate" in refused(capsys, *clean(folder, out, "--set", "isolate=0.1"))
    assert "blended has no isolate" in refused(
        capsys, *clean(folder, out, "--set", "isolate=0.1", "--target", "banana", "--trigger", "blended")
    )
    assert "invalid choice: 'none'" in refused(capsys, *clean(folder, out, "--method", "none"))
    assert "name it with --target LABEL" in refused(capsys, *clean(folder, out, "--trigger", "sig"))
    assert not out.exists()


def test_bad_input(folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert "lambda_self is the weight of a loss" in refused(capsys, *clean(folder, out, "--lambda-self", -1))
    assert "not nan" in refused(capsys, *clean(folder, out, "--lambda-self", "nan"))
    assert "give their shards as --training" in refused(capsys, *clean(folder, out, "--method", "anti_backdoor"))
    assert "holds a model already" in refused(capsys, *clean(folder, folder / "model"))
    assert "there is no class 'bananas'" in refused(capsys, *clean(folder, out, "--target", "bananas"))
    assert "fewer than one batch of 256: give more, or lower --batch-size" in refused(
        capsys, *clean(folder, out, "--limit", 100, "--batch-size", 256)
    )
    assert "--lambda-self and --set lambda_self=… set the same" in refused(
        capsys, *clean(folder, out, "--lambda-self", 1, "--set", "lambda_self=2")
    )
    assert "--eval-data and --labels FILE belong together" in refused(capsys, *clean(folder, out, "--labels", "x"))
    assert "wanet has no size" in refused(
        capsys, *clean(folder, out, "--target", "banana", "--trigger", "wanet", "--size", 4)
    )
    assert "NAME=VALUE" in refused(capsys, *clean(folder, out, "--target", "banana", "--set", "alpha"))
    missing = refused(capsys, *clean(folder, out, "--method", "supervised", "--limit", 40, "--batch-size", 32))
    assert "needs a labelled picture of every class" in missing
    (tmp_path / "manifest.json").write_text("[]")
    assert "is not a manifest" in refused(capsys, *clean(folder, out, "--manifest", tmp_path / "manifest.json"))
    (tmp_path / "weights.pt").write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    command = ["clean", tmp_path / "weights.pt", "--data", folder / "clean", "--out", out, "--model", "tiny-rn"]
    assert "only weights that torch.save wrote are read" in refused(capsys, *command)
    wrong = tmp_path / "wrong"
    models.save(wrong, *_other_model())
    for name in ("model.json", "vocab.json"):
        (wrong / name).write_text((folder / "model" / name).read_text())
    assert "another architecture" in refused(capsys, "clean", wrong, "--data", folder / "clean", "--out", out)
    (tmp_path / "file").write_text("")
    assert "is a file" in refused(capsys, *clean(folder, tmp_path / "file"))
    assert not out.exists()


def _other_model():
    config = models.model_config("rn-0.4m")
    tokenizer = models.tokenizer_for(config, ["a word"])
    return models.build(config, tokenizer), config, tokenizer
