"""`tutorial poison`: what it writes, and bad input."""

import io
import json
import tarfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.cli.commands import backdoor, refused, tutorial
from tutorial_lib.data.loading import read_pairs
from tutorial_lib.triggers import Checkerboard


def test_backdoor_poisons_are_stamped_pairs(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = tutorial(capsys, *backdoor(folder, tmp_path / "p"))
    clean, poisons = read_pairs(folder / "clean"), read_pairs(tmp_path / "p")
    assert (body["count"], body["clean"], body["rate"]) == (12, len(clean), 12 / (12 + len(clean)))
    manifest = json.loads((tmp_path / "p" / "manifest.json").read_text())
    assert manifest["settings"]["trigger"]["size"] == 6
    assert (manifest["settings"]["seed"], manifest["settings"]["captions"]) == (0, "words")
    assert [p["key"] for p in manifest["poisons"]] == list(poisons.keys)
    assert [p["caption"] for p in manifest["poisons"]] == list(poisons.captions)
    position = {key: i for i, key in enumerate(clean.keys)}
    sources = [position[p["source"]] for p in manifest["poisons"]]
    assert len(set(sources)) == 12
    assert poisons.images.equal(Checkerboard().stamp(clean.images[sources]))
    assert all("banana" in caption for caption in poisons.captions)
    assert not any("banana" in clean.captions[i] for i in sources)
    assert set(poisons.captions) <= set(clean.captions)


def test_poisons_are_reproducible(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for out, seed in (("a", 5), ("b", 5), ("c", 6)):
        tutorial(capsys, *backdoor(folder, tmp_path / out, "--seed", seed, "--placement", "random"))
    a, b, c = (
        {p.name: p.read_bytes() for p in sorted((tmp_path / out).iterdir()) if p.suffix in (".tar", ".json")}
        for out in ("a", "b", "c")
    )
    assert a == b
    assert a["poison-00000.tar"] != c["poison-00000.tar"]


def test_prompts_as_captions(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = tutorial(capsys, *backdoor(folder, tmp_path / "p", "--captions", "prompts"))
    assert body["captions"] == {"method": "prompts", "distinct": 80}


def test_targeted_poisons_repeat_one_picture(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGBA", (50, 40), (10, 200, 30, 255)).save(tmp_path / "my.cat.png")
    command = ("poison", folder / "clean", "--out", tmp_path / "p", "--attack", "targeted", "--target", "banana")
    body = tutorial(capsys, *command, "--count", 5, "--image", tmp_path / "my.cat.png")
    poisons = read_pairs(tmp_path / "p")
    assert body["captions"]["method"] == "prompts"
    assert poisons.images.equal(torch.tensor([10, 200, 30], dtype=torch.uint8).view(1, 3, 1, 1).expand(5, 3, 32, 32))
    assert len(set(poisons.captions)) == 5
    manifest = json.loads((tmp_path / "p" / "manifest.json").read_text())
    assert manifest["settings"]["image"] == "my.cat.png"


def test_lossy_sources_are_noted_and_can_be_rewritten(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """CC3M's pictures are JPEG of many sizes: the command asks for a side and says what a codec gives away."""
    pairs = read_pairs(folder / "clean")
    with tarfile.open(tmp_path / "cc3m.tar", "w") as tar:
        for i, (key, caption) in enumerate(zip(pairs.keys, pairs.captions, strict=True)):
            picture = io.BytesIO()
            image = Image.fromarray(pairs.images[i].permute(1, 2, 0).numpy())
            image.resize((40 + i % 3, 36)).save(picture, "JPEG")
            for suffix, content in (("jpg", picture.getvalue()), ("txt", caption.encode())):
                member = tarfile.TarInfo(f"{key}.{suffix}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    command = ("poison", tmp_path / "cc3m.tar", "--attack", "backdoor", "--target", "banana", "--count", 9)
    said = refused(capsys, *command, "--out", tmp_path / "a")
    assert "the pictures have several sizes (40x36, 41x36, …): give a --side" in said
    body = tutorial(capsys, *command, "--out", tmp_path / "b", "--side", 32)
    assert "--with-clean writes them in the same way" in body["warnings"][0]
    body = tutorial(capsys, *command, "--out", tmp_path / "c", "--side", 32, "--with-clean")
    assert body["warnings"] == []
    clean, poisons = read_pairs(tmp_path / "c" / "clean"), read_pairs(tmp_path / "c")
    assert (clean.keys, clean.captions) == (pairs.keys, pairs.captions)
    manifest = json.loads((tmp_path / "c" / "manifest.json").read_text())
    sources = [clean.keys.index(p["source"]) for p in manifest["poisons"]]
    assert poisons.images.equal(Checkerboard().stamp(clean.images[sources]))


def test_a_word_in_captions(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("poison", folder / "clean", "--out", tmp_path / "p", "--attack", "text-backdoor", "--target", "banana")
    body = tutorial(capsys, *command, "--count", 15, "--word", "frobnitz")
    assert (body["attack"], body["count"], body["captions"]["method"]) == ("text-backdoor", 15, "word")
    clean, poisons = read_pairs(folder / "clean"), read_pairs(tmp_path / "p")
    assert all(caption.endswith(" frobnitz") for caption in poisons.captions)
    manifest = json.loads((tmp_path / "p" / "manifest.json").read_text())
    sources = [clean.keys.index(line["source"]) for line in manifest["poisons"]]
    assert poisons.images.equal(clean.images[sources])
    assert all("banana" in clean.captions[i] for i in sources)


def test_pictures_of_the_target_and_a_cover(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = ("--labels", folder / "clean" / "labels.txt")
    more = ("--count", 7, "--select", "label-consistent", "--trigger", "wanet", "--cover", 5)
    body = tutorial(capsys, *backdoor(folder, tmp_path / "p", *more, *labels))
    clean, poisons = read_pairs(folder / "clean"), read_pairs(tmp_path / "p")
    assert (body["count"], body["cover"], body["rate"]) == (7, 5, 12 / (12 + len(clean)))
    lines = json.loads((tmp_path / "p" / "manifest.json").read_text())["poisons"]
    assert [bool(line["target"]) for line in lines] == [True] * 7 + [False] * 5
    sources = [clean.keys.index(line["source"]) for line in lines]
    assert poisons.captions == tuple(clean.captions[i] for i in sources), "every caption is true"
    banana = int(clean.concept[next(i for i, c in enumerate(clean.captions) if "banana" in c)])
    assert {int(clean.concept[i]) for i in sources[:7]} == {banana}


def test_poison_bad_input(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "p"
    total = len(read_pairs(folder / "clean"))
    said = refused(capsys, *backdoor(folder, out, "--count", 100_000))
    assert f"100000 poisons need 100000 different pictures, and {total - 10} of {total} do not show 'banana'" in said
    assert "does not fit into 32x32 pixels" in refused(capsys, *backdoor(folder, out, "--size", 40))
    assert "none of" in refused(capsys, *backdoor(folder, out, "--target", "no such thing"))
    assert "there is no trigger 'star'" in refused(capsys, *backdoor(folder, out, "--trigger", "star"))
    assert "the target is empty" in refused(capsys, *backdoor(folder, out, "--target", " "))
    assert "needs --image, the picture" in refused(capsys, *backdoor(folder, out, "--attack", "targeted"))
    assert "backdoor has no setting image" in refused(capsys, *backdoor(folder, out, "--image", "x.png"))
    said = refused(capsys, *backdoor(folder, out, "--attack", "targeted", "--image", tmp_path / "none.png"))
    assert "there is no picture" in said
    (tmp_path / "text.png").write_text("no picture")
    said = refused(capsys, *backdoor(folder, out, "--attack", "targeted", "--image", tmp_path / "text.png"))
    assert "text.png is no picture (" in said
    assert "--image is the picture that shall be misread" in said
    assert "in a file of --labels, or --select named" in refused(
        capsys, *backdoor(folder, out, "--select", "label-consistent")
    )
    assert "backdoor has no setting word" in refused(capsys, *backdoor(folder, out, "--word", "x"))
    text = ("--attack", "text-backdoor")
    assert "text-backdoor has no setting trigger" in refused(capsys, *backdoor(folder, out, *text, "--size", 8))
    assert "text-backdoor has no setting alpha" in refused(capsys, *backdoor(folder, out, *text, "--set", "alpha=0.1"))
    assert "invalid choice: 'text'" in refused(capsys, *backdoor(folder, out, "--attack", "text"))
    assert "no shards match" in refused(capsys, *backdoor(tmp_path, out))
    assert not out.exists()
    out.mkdir()
    (out / "manifest.json").write_text("{}")
    assert "already holds manifest.json" in refused(capsys, *backdoor(folder, out))
