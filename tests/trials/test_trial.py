"""Keys of trials stay what they were, and every field counts."""

import subprocess
import sys

import pytest

from tutorial_lib.attacks import Backdoor, Group, Targeted
from tutorial_lib.trials import Recipe, Seeds, Trial


def test_keys_of_older_trials_do_not_change():
    """Fields that were added later stay out of the canonical form at their default: records keep their trials."""
    data = "3f0c3a64d3b9"
    assert Trial(Backdoor(256), seeds=Seeds.all(0), data=data, recipe_version=1).key == "35a744a40792c278"
    assert Trial(Targeted((Group(8),), targets=1), data=data, recipe_version=1).key == "8efe8eb7d2c79cbb"


@pytest.mark.parametrize(
    "other",
    [
        Trial(data="e"),
        Trial(data="d", scenes=10),
        Trial(data="d", scenes=10, scenery="diverse"),
        Trial(data="d", shards="cc3m"),
        Trial(data="d", shards="cc3m", limit=5),
        Trial(data="d", task="imagenet"),
        Trial(data="d", objective="supervised"),
        Trial(data="d", recipe=Recipe(optimizer="sgd")),
        Trial(Backdoor(4), data="d"),
        Trial(Backdoor(4, select="label-consistent"), data="d"),
    ],
)
def test_every_field_counts(other):
    assert other.key != Trial(data="d").key


def test_added_field_at_its_default_is_left_out():
    assert "scenes" not in Trial(data="d").as_dict()
    assert Trial(data="d", scenes=10).as_dict()["scenes"] == 10
    assert "scenery" not in Trial(data="d", scenes=10).as_dict()


def test_trials_and_claims_load_without_torch():
    code = (
        "import sys; from tutorial_lib import costs, detect, experiments, profiles, trials; "
        "from tutorial_lib.costs import gpus, seconds; from tutorial_lib.evidence import claims, registry; "
        "from tutorial_lib.trials import store; "
        "registry.trials(registry.names(explanations=True), profiles.get('cpu')); claims.load(); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
