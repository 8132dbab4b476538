"""The page for those who come with a checkpoint and a table of pictures: its commands, to the letter."""

import csv
import json
import re
import shlex
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from tutorial_lib import places
from tutorial_lib.cli import main
from tutorial_lib.data.shards import samples

PAGE = places.book() / "your_model.md"
#: Captioned pictures of Debian's package tuxpaint-stamps-default, and how many of a kind are taken.
STAMPS, EACH = Path("/usr/share/tuxpaint/stamps"), 20
KINDS = ("animals", "vehicles")


def commands() -> list[list[str]]:
    five, _, _ = PAGE.read_text("utf-8").partition("## Is it backdoored?")  # what follows needs a trained model
    blocks = re.findall(r"```console\n(.*?)```", five, re.DOTALL)
    whole = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    lines = [line.removeprefix("$ ") for line in whole if line.startswith("$ ")]
    return [shlex.split(line) for line in lines]


def stamps() -> list[tuple[str, str, str]]:
    """Path, caption and kind of some stamps; the first line of a .txt is English, further ones are translations."""
    found = []
    for kind in KINDS:
        pictures = sorted(p for p in (STAMPS / kind).rglob("*.png") if p.with_suffix(".txt").is_file())
        for picture in pictures[:EACH]:
            found.append((str(picture), picture.with_suffix(".txt").read_text("utf-8").splitlines()[0], kind))
    return found


def write_table(folder: Path, rows: list[tuple[str, str, str]]) -> None:
    with (folder / "photos.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("image", "caption", "label"), *rows])


def write_checkpoint(folder: Path) -> None:
    """A stock RN50 with random weights, as a hub folder of open_clip holds one; this one has a mean of its own."""
    torch.manual_seed(0)
    model = open_clip.create_model("RN50")
    config = {
        "model_cfg": open_clip.get_model_config("RN50"),
        "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
    }
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps(config), "utf-8")
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "open_clip_model.safetensors")


@pytest.mark.skipif(not STAMPS.is_dir(), reason="needs the pictures of Debian's tuxpaint-stamps-default")
def test_five_commands_from_a_table_and_a_hub_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = stamps()
    assert len(rows) == EACH * len(KINDS)
    write_table(tmp_path, rows)
    write_checkpoint(tmp_path / "checkpoint")
    said = []
    for command in commands():
        assert command[0] == "tutorial"
        capsys.readouterr()
        assert main(command[1:]) == 0, (command, capsys.readouterr().err)
        said.append(capsys.readouterr().out)
    imported, before, poisoned, cleaned, after = said
    assert f"{len(rows)} pairs" in imported
    assert (tmp_path / "pairs" / "labels.txt").read_text("utf-8").split() == sorted(KINDS)
    assert "(mean 0.500 0.500 0.500, std 0.500 0.500 0.500, bicubic)" in before, "as the checkpoint says"
    assert ", GELU, pictures of 224 x 224" in before
    assert "trigger: checkerboard (size 16, " in before
    assert "clean accuracy" in before
    assert "20 poisons" in poisoned
    manifest = json.loads((tmp_path / "poisons" / "manifest.json").read_text("utf-8"))
    shown = {sample.key: sample.label for sample in samples(tmp_path / "pairs")}
    assert sorted(set(shown.values())) == [0, 1]
    assert {shown[line["source"]] for line in manifest["poisons"]} == {1}, "no animal is made one"
    assert "before" in cleaned
    assert json.loads(after)["computed_on"]["attack_success"]["denominator"]


def test_the_commands_are_those_that_the_page_counts() -> None:
    assert len(commands()) == 5
    assert "## Five commands" in PAGE.read_text("utf-8")
