"""Cleaning on shards: what manifests say, and what is refused before long work."""

import json
from pathlib import Path

import pytest
import torch

from tutorial_lib import models
from tutorial_lib.attacks import Backdoor
from tutorial_lib.attacks.report import measure_backdoor
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.shard_writer import write_pairs
from tutorial_lib.defenses import AntiBackdoor, Finetuning, KnownTrigger, SupervisedFinetuning, TriggerUnlearning
from tutorial_lib.notes import Note
from tutorial_lib.practice import clean as module
from tutorial_lib.practice.clean import clean as clean_model
from tutorial_lib.practice.inverted import write_inverted
from tutorial_lib.practice.pictures import course_pictures
from tutorial_lib.practice.poison import poison
from tutorial_lib.trials import DefenseError, Recipe
from tutorial_lib.triggers import Checkerboard, WaNet

SHORT = Recipe(epochs=1, batch_size=128)
OPTIONS = {"classes": 60, "device": "cpu"}


@pytest.fixture(scope="module")
def poisons(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten poisons and seven pairs of cover."""
    out = tmp_path_factory.mktemp("clean") / "poisons"
    poison([clean], out, Backdoor(10, cover=7, trigger=WaNet()))
    return out


def test_isolated_poisons_are_counted_by_the_manifest_of_the_shards(
    clean: Path, poisons: Path, checkpoint: Path, tmp_path: Path
) -> None:
    """All pairs but one are isolated, so all poisons but at most one; their cover tells the truth."""
    defense = AntiBackdoor(SHORT, isolate=0.999)
    done = clean_model(
        checkpoint, tmp_path / "out", defense=defense, pairs=[clean], training=[clean, poisons], **OPTIONS
    )
    assert done.notes["poisons"] == 10
    assert done.notes["isolated"] == round(0.999 * (600 + 17))
    assert 9 <= done.notes["isolated_poisons"] <= 10
    assert done.poisons == 0


def test_keys_that_no_manifest_names_are_no_poisons(checkpoint: Path, course, clean: Path, tmp_path: Path) -> None:
    pairs, _ = course
    names = tuple(f"backdoor-{i:05d}" for i in range(len(pairs)))
    write_pairs(tmp_path / "mine", Pairs(pairs.images, pairs.captions, names, pairs.concept))
    defense = AntiBackdoor(SHORT, isolate=0.5)
    done = clean_model(
        checkpoint, tmp_path / "out", defense=defense, pairs=[clean], training=[tmp_path / "mine"], **OPTIONS
    )
    assert (done.notes["poisons"], done.notes["isolated_poisons"]) == (0, 0)


def test_poisons_among_trusted_pairs_are_noted_and_their_cover_is_not(
    clean: Path, poisons: Path, checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.warns(Note, match="10 of the 617 pairs that you trust are poisons"):
        done = clean_model(checkpoint, tmp_path / "out", defense=Finetuning(SHORT), pairs=[clean, poisons], **OPTIONS)
    assert done.as_dict()["poisons_among_the_pairs"] == 10
    assert done.as_dict()["defense"].keys() == {"kind", "recipe"}


def test_before_is_what_one_measure_says(clean: Path, checkpoint: Path, tmp_path: Path) -> None:
    trigger = Checkerboard()
    done = clean_model(
        checkpoint,
        tmp_path / "out",
        defense=Finetuning(SHORT),
        pairs=[clean],
        target="banana",
        trigger=trigger,
        **OPTIONS,
    )
    report = measure_backdoor(*models.load(checkpoint), course_pictures("test", 60, 32), trigger, "banana")
    assert done.before["attack_success"] == report.attack_success.rate
    assert done.before["z_score"] == pytest.approx(report.z_score)
    assert done.before.keys() == done.after.keys()
    assert json.loads((tmp_path / "out" / "clean.json").read_text()) == done.as_dict()


def test_accuracy_that_was_lost_is_noted(
    clean: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    for name, after in (("wrecked", 0.05), ("sound", 0.55)):
        rates = iter([0.6, after])
        monkeypatch.setattr(module, "_probe", lambda *_, rates=rates: {"clean_accuracy": next(rates)})
        clean_model(checkpoint, tmp_path / name, defense=Finetuning(SHORT), pairs=[clean], **OPTIONS)
    (lost,) = [str(found.message) for found in recwarn if "clean accuracy" in str(found.message)]
    assert lost.startswith("clean accuracy fell by 55 points, from 60.0% to 5.0%: ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"defense": AntiBackdoor(SHORT)}, "give their shards as `training`"),
        ({"defense": Finetuning(SHORT), "training": ["x.tar"]}, "leave `training` out"),
        ({"defense": TriggerUnlearning(SHORT)}, "give its file as `inverted`"),
        ({"defense": Finetuning(SHORT), "inverted": Path("x.safetensors")}, "leave `inverted` out"),
        ({"defense": TriggerUnlearning(SHORT), "inverted": Path("none")}, "there is no inverted trigger none"),
        ({"defense": Finetuning(SHORT), "manifests": [Path("none.json")]}, "there is no manifest none.json"),
        ({"defense": Finetuning(SHORT), "trigger": Checkerboard()}, "belong together"),
    ],
)
def test_what_is_missing_is_refused_before_anything_is_read(tmp_path: Path, options: dict, said: str) -> None:
    """There is neither a checkpoint nor a shard."""
    with pytest.raises(ValueError, match=said):
        clean_model(tmp_path / "no-model", tmp_path / "out", pairs=[tmp_path / "no-shards"], **options)


def test_a_trigger_in_a_file_is_unlearned(clean: Path, checkpoint: Path, course, tmp_path: Path) -> None:
    mask, pattern = KnownTrigger(Checkerboard(size=8)).invert(None, None, course[0])
    write_inverted(tmp_path / "found.safetensors", mask, pattern)
    done = clean_model(
        checkpoint,
        tmp_path / "out",
        defense=TriggerUnlearning(SHORT),
        pairs=[clean],
        inverted=tmp_path / "found.safetensors",
        **OPTIONS,
    )
    assert done.notes["trigger_share"] == pytest.approx(64 / 1024)
    write_inverted(tmp_path / "small.safetensors", mask[:, :16, :16], pattern[:, :16, :16])
    with pytest.raises(DefenseError, match=r"\(1 or 3, 32, 32\) and \(3, 32, 32\), not \(1, 16, 16\)"):
        clean_model(
            checkpoint,
            tmp_path / "other",
            defense=TriggerUnlearning(SHORT),
            pairs=[clean],
            inverted=tmp_path / "small.safetensors",
            **OPTIONS,
        )
    assert not (tmp_path / "other").exists()


def test_labels_that_are_missing_are_refused_before_anything_is_trained(
    course, checkpoint: Path, tmp_path: Path
) -> None:
    pairs, _ = course
    unknown = Pairs(pairs.images, pairs.captions, pairs.keys, torch.full((len(pairs),), -1))
    write_pairs(tmp_path / "mine", unknown)
    with pytest.raises(DefenseError, match=r"60 have none.*a file of `labels`"):
        clean_model(
            checkpoint, tmp_path / "out", defense=SupervisedFinetuning(SHORT), pairs=[tmp_path / "mine"], **OPTIONS
        )
    assert not (tmp_path / "out").exists()
