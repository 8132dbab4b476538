"""An inverted trigger goes through a file as it is, and other files are refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tutorial_lib.practice.inverted import read_inverted, write_inverted


def test_a_trigger_is_read_as_it_was_written(tmp_path: Path) -> None:
    draw = torch.Generator().manual_seed(0)
    mask, pattern = torch.rand(1, 8, 8, generator=draw), torch.rand(3, 8, 8, generator=draw).requires_grad_()
    write_inverted(tmp_path / "t.safetensors", mask.half(), pattern)
    found = read_inverted(tmp_path / "t.safetensors")
    assert torch.equal(found[0], mask.half().float())
    assert torch.equal(found[1], pattern)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no inverted trigger"):
        read_inverted(tmp_path / "none")
    (tmp_path / "text").write_text("mask")
    with pytest.raises(ValueError, match="text cannot be read as an inverted trigger"):
        read_inverted(tmp_path / "text")
    save_file({"mask": torch.ones(1)}, tmp_path / "half")
    with pytest.raises(ValueError, match="half holds no inverted trigger: it has no pattern"):
        read_inverted(tmp_path / "half")
