"""The shipped pictures: checked on every load, divided by family, and counted as their README says."""

import hashlib
import io
import json
import re
import tarfile
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from data_scripts.emojicaps import NAMES
from data_scripts.emojicaps import STYLES as SOURCES
from tutorial_lib.data import emojicaps
from tutorial_lib.data.emojicaps import FOLDER, CorruptDataError, EmojiCaps, over_white, twins


@pytest.fixture(scope="module")
def everything() -> EmojiCaps:
    return emojicaps.load(emojicaps.STYLES)


def table(title: str) -> dict[str, list[str]]:
    """Rows of the README's table under a heading, by their first cell."""
    section = (FOLDER / "README.md").read_text("utf-8").split(f"## {title}\n")[1].split("\n## ")[0]
    lines = re.findall(r"^\|(.*)\|$", section, re.MULTILINE)
    rows = [[cell.strip().replace(",", "") for cell in line.split("|")] for line in lines]
    return {row[0]: row[1:] for row in rows[2:]}


def test_readme_counts_the_pictures(everything) -> None:
    text = (FOLDER / "README.md").read_text("utf-8").replace(",", "").replace("\n", " ")
    per_concept = Counter(everything.concept.tolist())
    concepts, styles = len(everything.concepts), len(emojicaps.STYLES)
    assert f"{len(everything)} pictures of {concepts} concepts in {styles} art styles" in text
    assert f"in {min(per_concept.values())} to {max(per_concept.values())} styles" in text
    assert f"{sum(n >= 8 for n in per_concept.values())} of them in at least 8" in text
    assert f"Training has {len(everything.of_styles(*emojicaps.TRAIN_STYLES))} pictures" in text
    keywords = sum(len(c.keywords) for c in everything.concepts) / len(everything.concepts)
    assert f"{keywords:.1f} keywords on average" in text
    assert all(c.label and c.label_zh for c in everything.concepts)


def test_readme_counts_each_style_and_its_split(everything) -> None:
    rows = table("Styles and splits")
    assert set(rows) == set(emojicaps.STYLES)
    things = torch.tensor([c.group in emojicaps.CLASS_GROUPS for c in everything.concepts])[everything.concept]
    splits = dict.fromkeys(emojicaps.TRAIN_STYLES, "training")
    splits |= {emojicaps.VALIDATION_STYLE: "validation", emojicaps.TEST_STYLE: "test"}
    for style, (family, split, pictures, of_things, licence) in rows.items():
        positions = everything.of_styles(style)
        assert (int(pictures), int(of_things)) == (len(positions), int(things[positions].sum()))
        assert split == splits.get(style, "none")
        relatives = next(f for f in emojicaps.FAMILIES if style in f)
        assert {s for s, row in rows.items() if row[0] == family} == set(relatives)
        assert licence.startswith("CC-BY-SA") == (style in emojicaps.SHARE_ALIKE)


def test_readme_counts_the_near_duplicates(everything) -> None:
    """Against PIL's compositing and a plain distance, threshold by threshold; the library agrees at one of them."""

    def slow(positions: torch.Tensor) -> np.ndarray:
        out = []
        for rgba in everything.images[positions].numpy():
            white = Image.new("RGBA", (64, 64), "white")
            white.alpha_composite(Image.fromarray(rgba, "RGBA"))
            out.append(np.asarray(white.convert("RGB"), dtype=np.float32).reshape(16, 4, 16, 4, 3).mean((1, 3)) / 255)
        return np.stack(out).reshape(len(out), -1)

    training_positions = everything.of_styles(*emojicaps.TRAIN_STYLES)
    training = slow(training_positions)
    styles = {"test": emojicaps.TEST_STYLE, "validation": emojicaps.VALIDATION_STYLE}
    rows = table("Near-duplicates")
    assert set(rows) == set(styles)
    for split, style in styles.items():
        small = slow(everything.of_styles(style))
        squared = (small**2).sum(1)[:, None] + (training**2).sum(1) - 2 * small @ training.T
        nearest = np.sqrt(np.maximum(squared.min(1), 0) / 768)
        total, *counts = map(int, rows[split])
        assert total == len(nearest)
        for threshold, count in zip((0.05, 0.075, 0.1), counts, strict=True):
            assert abs(int((nearest < threshold).sum()) - count) <= (np.abs(nearest - threshold) < 1e-3).sum()
    candidates = everything.of_styles(emojicaps.VALIDATION_STYLE)
    clear = abs(nearest - 0.1) > 1e-3
    found = twins(everything, candidates, training_positions, threshold=0.1).numpy()
    assert (found == (nearest < 0.1))[clear].all()
    assert int(found.sum()) == int(rows["validation"][-1])


def test_attribution_names_every_set_as_it_was_fetched(everything) -> None:
    text = (FOLDER / "ATTRIBUTION.md").read_text("utf-8")
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("|")}
    for source in SOURCES:
        row = rows[source.style]
        assert f"{source.package} {source.version} |" in row
        with tarfile.open(FOLDER / f"{source.style}.tar.gz") as shard:
            first = next(m for m in shard if m.name.endswith(".json"))
            licence = json.load(shard.extractfile(first))["license"]
        assert re.search(rf"\[{licence}\]", row)
        assert ("share-alike" in row) == ("-SA-" in licence) == (source.style in emojicaps.SHARE_ALIKE)
    assert f"`emojibase-data` {NAMES.version}" in text
    assert "UNICODE LICENSE V3" in text
    assert (FOLDER / "contact_sheet.webp").stat().st_size <= 150_000
    for link in re.findall(r"\]\(([^)#:]+)\)", text + (FOLDER / "README.md").read_text("utf-8")):
        assert (FOLDER / link).is_file(), link


def test_training_shares_no_family_with_test_or_validation() -> None:
    family = {style: number for number, styles in enumerate(emojicaps.FAMILIES) for style in styles}
    assert set(family) == set(emojicaps.STYLES)
    training = {family[s] for s in emojicaps.TRAIN_STYLES}
    held_out = {family[emojicaps.TEST_STYLE], family[emojicaps.VALIDATION_STYLE]}
    assert len(held_out) == 2
    assert not training & held_out


def test_by_default_nothing_share_alike_is_read() -> None:
    data = emojicaps.load()
    assert set(data.style) == set(emojicaps.PERMISSIVE)
    assert not set(emojicaps.PERMISSIVE) & set(emojicaps.SHARE_ALIKE)
    assert data.images.shape == (len(data), 64, 64, 4)
    assert data.skipped == ()
    assert len({(int(c), s) for c, s in zip(data.concept, data.style, strict=True)}) == len(data)
    assert [c.code for c in data.concepts] == sorted(c.code for c in data.concepts)
    assert data.of_styles("fxemoji").tolist() == [i for i, s in enumerate(data.style) if s == "fxemoji"]


def test_over_white_is_the_mean_over_a_white_ground() -> None:
    images = torch.randint(0, 256, (3, 8, 8, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    small = over_white(images, side=2)
    assert small.shape == (3, 3, 2, 2)
    for n, channel, row, column in np.ndindex(3, 3, 2, 2):
        total = 0.0
        for y, x in np.ndindex(4, 4):
            pixel = images[n, 4 * row + y, 4 * column + x].tolist()
            alpha = pixel[3] / 255
            total += pixel[channel] / 255 * alpha + 1 - alpha
        assert small[n, channel, row, column].item() == pytest.approx(total / 16, abs=1e-5)


def test_twins_are_pictures_within_the_threshold() -> None:
    images = torch.full((4, 64, 64, 4), 255, dtype=torch.uint8)
    for i, grey in enumerate((100, 110, 130, 250)):
        images[i, ..., :3] = grey
    data = EmojiCaps(images, (), torch.zeros(4, dtype=torch.int64), ("a",) * 4)
    candidates, training = torch.tensor([0, 3]), torch.tensor([1, 2])
    assert twins(data, candidates, training, threshold=0.045).tolist() == [True, False]  # 10 / 255 = 0.039
    assert twins(data, candidates, training, threshold=0.035).tolist() == [False, False]
    assert twins(data, candidates, training, threshold=0.48).tolist() == [True, True]


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no style 'appleemoji'; choose from noto, noto-v1"):
        emojicaps.load(("noto", "appleemoji"))


def small_shard(folder, total: int, broken: int):
    """A data folder with one style, `broken` of whose pictures are no pictures."""
    folder.mkdir()
    with tarfile.open(folder / "fxemoji.tar.gz", "w:gz") as tar:
        for i in range(total):
            picture = io.BytesIO()
            Image.new("RGBA", (64, 64), (i % 256, 0, 0, 255)).save(picture, "WEBP", lossless=True)
            body = picture.getvalue()[:20] if i < broken else picture.getvalue()
            meta = {"concept": f"{i:04x}", "label": str(i), "label_zh": "", "keywords": []}
            meta |= {"group": "objects", "style": "fxemoji"}
            for suffix, content in (("webp", body), ("json", json.dumps(meta).encode())):
                info = tarfile.TarInfo(f"{i:04x}.{suffix}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    sum_ = hashlib.sha256((folder / "fxemoji.tar.gz").read_bytes()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{sum_}  fxemoji.tar.gz\n")
    return folder


def test_a_picture_that_cannot_be_decoded_is_skipped_and_reported(tmp_path) -> None:
    data = emojicaps.load(("fxemoji",), small_shard(tmp_path / "one", 200, 2))
    assert data.skipped == ("fxemoji/0000.json", "fxemoji/0001.json")
    assert len(data) == len(data.concepts) == 198
    assert data.images[:3, 0, 0, 0].tolist() == [2, 3, 4]  # nothing has moved
    assert data.concepts[0].label == "2"


def test_more_than_one_picture_in_a_hundred_stops(tmp_path) -> None:
    with pytest.raises(CorruptDataError, match="3 pictures cannot be decoded, the first is fxemoji/0000"):
        emojicaps.load(("fxemoji",), small_shard(tmp_path / "three", 200, 3))
