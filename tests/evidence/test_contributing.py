"""The worked example of CONTRIBUTING.md, followed: an experiment, its claim and its oracle."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from tests.evidence import worlds
from tests.evidence.mutants import mutants, reached
from tests.evidence.oracles import Oracle
from tests.evidence.worlds import World
from tutorial_lib import experiments
from tutorial_lib.evidence import claims, registry
from tutorial_lib.evidence.claims import Claim

TEXT = (Path(__file__).resolve().parents[2] / "CONTRIBUTING.md").read_text()
SECTION = TEXT.split("## To add an experiment with a claim\n")[1].split("\n## ")[0]


def block(kind: str, beginning: str) -> str:
    """The one block of code of the section that begins so."""
    found = [text for text in re.findall(rf"```{kind}\n(.*?)```", SECTION, re.S) if text.startswith(beginning)]
    assert len(found) == 1
    return found[0]


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The experiment, as if its file lay among the others."""
    (tmp_path / "batch_size.py").write_text(block("python", '"""'))
    monkeypatch.setattr(experiments, "__path__", [*experiments.__path__, str(tmp_path)])
    caches = (registry.groups, worlds.planned)
    for cache in caches:
        cache.cache_clear()
    yield registry.load("batch_size")
    sys.modules.pop("tutorial_lib.experiments.batch_size")
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def claim(module, tmp_path) -> Claim:
    path = tmp_path / "claims.yml"
    path.write_text(block("yaml", "- id: "))
    (found,) = claims.load(path)
    return found


@pytest.fixture
def oracle(claim) -> Oracle:
    found = eval("{" + block("python", '"larger') + "}", {"Oracle": Oracle})
    assert list(found) == [claim.id]
    return found[claim.id]


def verdicts(claim: Claim, oracle: Oracle) -> list[str]:
    of = replace(claim, profiles=(oracle.profile,))
    return [claims.judge(of, World(**rules)).verdict for rules, _ in oracle.worlds]


def test_experiment_is_found_and_planned(module: ModuleType):
    assert "batch_size" in registry.names()
    assert registry.plots("batch_size") == ["plot"]
    world = World(z_score=4.0)
    assert len(world.of(module.trials(world.profile))) == 2 * world.profile.models.number
    assert len(module.plot(world).data) > 0


def test_claim_is_judged_as_its_oracle_says(claim, oracle):
    assert verdicts(claim, oracle) == ["holds", "fails"]


def test_slips_in_its_quantity_are_noticed(claim, oracle, module):
    expected = verdicts(claim, oracle)
    made = [mutant for function in reached(module.large_less_small) for mutant in mutants(function)]
    assert made
    for mutant in made:
        with mutant.in_place():
            assert verdicts(claim, oracle) != expected, mutant.name


def test_files_of_the_section_exist():
    root = Path(__file__).resolve().parents[2]
    named = re.findall(r"`((?:tutorial_lib|tests)/[\w/.]+)`", SECTION)
    assert len(named) >= 4
    assert {path for path in named if not (root / path).exists()} <= {"tutorial_lib/experiments/batch_size.py"}
