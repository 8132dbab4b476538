"""A row for a class of somebody's own package, with the five lines that the page shows."""

import re
import sys
from pathlib import Path

import pytest

from tests.cli.commands import refused, tutorial
from tutorial_lib import places, profiles
from tutorial_lib.cli import main
from tutorial_lib.evidence.comparison import Comparison
from tutorial_lib.experiments._defended import attack_name
from tutorial_lib.practice.add_yours import add_yours, load_yours, settings_of, trials_of
from tutorial_lib.runs import engines
from tutorial_lib.trials.store import RunStore

PAGE = (places.checkout() or Path()) / "book" / "table.md"
DETECTOR = """
from dataclasses import dataclass

from tutorial_lib.defenses import Defense
from tutorial_lib.detect import Detector
from tutorial_lib.detect.checkpoints import CheckpointDetector, Found, Work


@dataclass(frozen=True)
class Shortest(Detector):
    kind, title = "shortest-caption", "short captions"

    def scores(self, model, tokenizer, pairs):
        import torch

        return torch.tensor([-float(len(caption)) for caption in pairs.captions])


@dataclass(frozen=True)
class Taken(Shortest):
    kind = "dao"


@dataclass(frozen=True)
class Needy(Defense):
    kind, title = "needy", "needy"
    secret: int

    def clean(self, *args, **options): ...


@dataclass(frozen=True)
class Sharp(CheckpointDetector):
    kind, title = "sharp", "temperature"

    def search(self, subject):
        return Found(float(subject.model.logit_scale), subject.names[0])

    def work(self, subject):
        return Work()


class Nothing: ...
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the file of the page, and another one."""
    text = PAGE.read_text("utf-8")
    (tmp_path / "my_package.py").write_text(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1])
    (tmp_path / "my_detector.py").write_text(DETECTOR)
    (tmp_path / "my_bad.py").write_text('x = 1\nraise RuntimeError("boom")\n')
    (tmp_path / "my_typo.py").write_text("def (:\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("my_package", "my_detector"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def test_the_command_of_the_page_prints_a_row_and_goes_on(here, capsys):
    found = re.search(r"\$ tutorial (table --add \S+) --minutes 10", PAGE.read_text("utf-8"))
    command = [*found[1].split(), "--profile", "test", "--store", here / "runs", "--jobs", 1]
    body = tutorial(capsys, *command)
    attacks = ["BadNets", "Blended", "WaNet", "label-consistent"]
    assert len(attacks) == len(profiles.get("test").cleaning.attacks)
    assert [(row["attack"], row["defense"]) for row in body["rows"]] == [
        (attack, defense) for attack in attacks for defense in ("none", "my defense")
    ]
    row = body["rows"][1]
    assert row["cost"]["mean"] == 5  # one epoch of half of 320 pairs, 32 at a time
    assert 0 <= row["der"]["mean"] <= 1
    assert (body["trials"], body["found"], body["failed"]) == (8, 8, {})
    capsys.readouterr()
    assert main([*map(str, command)]) == 0
    printed = capsys.readouterr()
    assert "8 have records; about 0 s" in printed.err
    assert "one model of each attack has no error bar" in printed.out


def test_a_detector_gets_its_row(here):
    found = add_yours("my_detector:Shortest", profile="test", store=here / "runs", jobs=1)
    assert isinstance(found.comparison, Comparison)
    assert found.comparison.columns == ("attack", "detector")
    assert all(row.values["auroc"].n == 1 for row in found.comparison.rows)
    assert found.whole
    assert not found.sweep.failed


def test_a_detector_of_checkpoints_gets_its_row_against_clean_models(here):
    cls = load_yours("my_detector:Sharp")
    p = profiles.get("test")
    trials = trials_of(cls, p, 0)
    assert [t.attack is None for t in trials] == [True, False, False, False, False]
    found = add_yours("my_detector:Sharp", profile="test", store=here / "runs", jobs=1)
    assert found.whole
    assert [row.words[0] for row in found.comparison.rows] == list(map(attack_name, p.cleaning.attacks))
    row = found.comparison.rows[0].values
    assert row["auroc"] is None  # one model of each
    assert row["named"].n == row["seconds"].n == 1
    assert "auroc" in found.comparison.csv


def test_models_that_fit_are_taken_and_no_more(here, monkeypatch):
    """Nothing is run: the estimate decides, and what the time limit leaves is said."""
    asked = []

    def nothing(trials, store, **options):
        asked.append((trials, options["time_limit"]))
        return engines.Sweep(left=len(trials))

    monkeypatch.setattr(engines, "sweep", nothing)
    said = []
    few = add_yours("my_package:MyDefense", minutes=4, store=here / "runs", jobs=1, say=said.append)
    many = add_yours("my_package:MyDefense", minutes=400, store=here / "runs", jobs=1, say=said.append)
    assert few.models < many.models == 4
    assert few.estimated_seconds <= 240 or few.models == 1
    assert [len(trials) for trials, _ in asked] == [12 * few.models, 48]
    assert all(0 < limit <= 60 * minutes for (_, limit), minutes in zip(asked, (4, 400), strict=True))
    assert "12 trials are left: repeat the command to go on" in str(few) or few.models > 1
    assert not many.whole
    assert "4 attacks, 4 models of each, 48 trials, 0 have records" in said[1]


def test_trials_come_model_by_model_with_those_that_train_first():
    cls = load_yours("tutorial_lib.defenses:Finetuning")
    p = profiles.get("demo")
    made = trials_of(cls, p, 1)
    assert [t.defense.kind for t in made] == ["none"] * 4 + ["finetune"] * 8
    assert {t.seeds.init for t in made} == {1}
    assert [d.recipe.lr for d in settings_of(cls, p)] == list(p.cleaning.few_rates)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("MyDefense", "a class is named as package.module:Class, not 'MyDefense'"),
        ("no_such_package:MyDefense", "no_such_package cannot be imported"),
        ("my_bad:Broken", "my_bad cannot be imported: RuntimeError: boom (my_bad.py, line 2)"),
        ("my_typo:Broken", "my_typo cannot be imported: SyntaxError: "),
        ("my_detector:Missing", "my_detector has no Missing"),
        ("my_detector:Nothing", "is neither a defense nor a detector, with a kind and a title"),
        ("my_detector:Taken", "the kind 'dao' of my_detector:Taken is that of DAO: choose another"),
        ("my_detector:Needy", "needy cannot be made with its defaults (secret)"),
    ],
)
def test_what_is_no_row_is_refused_before_anything_runs(here, capsys, name, said):
    assert said in refused(capsys, "table", "--add", name, "--profile", "test", "--store", here / "runs")
    assert not RunStore(here / "runs").keys()


def test_too_few_minutes_are_refused(here, capsys):
    line = refused(capsys, "table", "--add", "my_package:MyDefense", "--minutes", 0.001, "--store", here / "runs")
    assert "the shortest trial takes about" in line
    assert "give more --minutes" in line
    assert "a positive number of minutes is needed" in refused(capsys, "table", "--add", "a:B", "--minutes", "-1")


def test_forms_of_the_table(capsys):
    body = tutorial(capsys, "table", "defenses", "--profile", "pilot")
    assert body["tables"][0]["rows"][0]["attack"] == "BadNets"
    assert main(["table", "defenses", "--profile", "pilot", "--csv"]) == 0
    assert capsys.readouterr().out.startswith("attack,defense,success,")
    assert "there is no table of attacks" in refused(capsys, "table", "attacks")
    assert "leave the name of the table out" in refused(capsys, "table", "defenses", "--add", "a:B")
