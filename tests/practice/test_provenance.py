"""What a manifest says of pairs, and what is no manifest."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tutorial_lib.attacks.poison import targeted
from tutorial_lib.data.pairs import CLEAN, COVER, POISON, Pairs
from tutorial_lib.practice.provenance import marked, origins_of

IMAGES = torch.zeros(3, 3, 8, 8, dtype=torch.uint8)


def test_poisons_of_a_written_manifest_are_marked(tmp_path: Path) -> None:
    made = targeted(IMAGES[0], ["a banana"], 3, target="banana")
    made.write_manifest(tmp_path / "manifest.json")
    found = origins_of([tmp_path / "manifest.json", tmp_path / "none.json"])
    assert found == dict.fromkeys(made.pairs.keys, POISON)
    pairs = Pairs(IMAGES, ("a", "b", "c"), ("x", made.pairs.keys[1], "y"), torch.full((3,), -1))
    assert marked(pairs, found).origin.tolist() == [CLEAN, POISON, CLEAN]


def test_a_pair_without_a_target_is_a_cover(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text('{"poisons": [{"key": "a", "target": ""}, {"key": "b"}]}')
    assert origins_of([path]) == {"a": COVER, "b": POISON}


@pytest.mark.parametrize("body", ["", "[]", '{"poisons": 3}', '{"poisons": [{"target": "x"}]}', '{"pairs": []}'])
def test_what_is_no_manifest_is_named(tmp_path: Path, body: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(body)
    with pytest.raises(ValueError, match=r"manifest\.json is not a manifest of poisons"):
        origins_of([path])
