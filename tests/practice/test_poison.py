"""Poisons for shards are those of a trial, and cost no more decoding than they need."""

import gzip
import json
from pathlib import Path

import pytest
import torch

from tutorial_lib.attacks import Backdoor, PairAttack, TextBackdoor
from tutorial_lib.data import index, pictures
from tutorial_lib.data.loading import read_pairs
from tutorial_lib.data.shard_writer import ShardWriter
from tutorial_lib.data.shards import Sample, samples
from tutorial_lib.notes import Note
from tutorial_lib.practice import poison as poisoning
from tutorial_lib.practice.poison import poison
from tutorial_lib.triggers import Blended, Checkerboard, WaNet


def test_poisons_among_the_clean_pairs_are_noted(clean: Path, tmp_path: Path) -> None:
    first = poison([clean], tmp_path / "a", Backdoor(4))
    with pytest.warns(Note, match=rf"4 of the {first.clean + 4:,} pairs are poisons already, says a manifest"):
        poison([clean, tmp_path / "a"], tmp_path / "b", Backdoor(2, target="banana"), with_clean=False)


def test_pictures_that_are_too_large_are_refused_before_one_is_decoded(
    clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poisoning, "decode", lambda *_, **__: pytest.fail("a picture was decoded"))
    with pytest.raises(ValueError, match="`codec` webp stores pictures of up to 16,383 pixels a side, not 20,000"):
        poison([clean], tmp_path / "a", Backdoor(4), side=20_000)
    monkeypatch.setattr(poisoning, "memory_bytes", lambda: 2**30)
    with pytest.raises(MemoryError, match=r"4 pictures of 16,000 x 16,000 pixels take 2\.9 GiB .* has 1\.0"):
        poison([clean], tmp_path / "a", Backdoor(4), side=16_000)
    assert not (tmp_path / "a").exists()


def test_the_text_says_where_clean_pairs_went(clean: Path, tmp_path: Path) -> None:
    made = str(poison([clean], tmp_path / "a", Backdoor(4), with_clean=True))
    assert f"\n1 shard and {tmp_path / 'a' / 'manifest.json'}\n" in made
    assert made.endswith(f"shard in {tmp_path / 'a' / 'clean'}")


@pytest.mark.parametrize(
    "attack",
    [
        Backdoor(12, captions="search"),
        Backdoor(12, captions="prompts", trigger=Checkerboard(placement="random")),
        Backdoor(8, select="label-consistent"),
        Backdoor(8, select="named", trigger=Blended()),
        Backdoor(6, trigger=WaNet(), cover=9),
        TextBackdoor(14, word="zebulon"),
    ],
    ids=lambda attack: f"{attack.kind}-{getattr(attack, 'select', '')}-{getattr(attack, 'cover', '')}",
)
def test_the_same_seed_gives_the_poisons_of_a_trial(clean: Path, course, tmp_path: Path, attack) -> None:
    pairs, task = course
    planned = attack.plan(pairs, task, seed=3).poisons
    made = poison([clean], tmp_path, attack, labels=clean / "labels.txt", seed=3)
    written = read_pairs(tmp_path)
    assert written.images.equal(planned.images)
    assert (written.captions, written.keys) == (planned.captions, planned.keys)
    assert made.count == attack.count
    assert made.count + made.cover == len(planned)


def test_only_the_pictures_that_are_used_are_decoded(
    clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    for place in (index, pictures, poisoning):
        own = place.decode
        monkeypatch.setattr(place, "decode", lambda *a, own=own, **k: (decoded.append(1), own(*a, **k))[1])
    poison([clean], tmp_path, Backdoor(5))
    assert 5 <= len(decoded) <= 11  # the first one to see that the patch fits; each source is tried, then taken
    assert not list(clean.glob("*.index"))


def test_compressed_shards_give_the_same_poisons(clean: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    for shard in clean.glob("*.tar"):
        (packed / f"{shard.name}.gz").write_bytes(gzip.compress(shard.read_bytes()))
    for shards, out in ((clean, "plain"), (packed, "unpacked")):
        labels = clean / "labels.txt"
        poison([shards], tmp_path / out, Backdoor(9), labels=labels)
    plain, unpacked = read_pairs(tmp_path / "plain"), read_pairs(tmp_path / "unpacked")
    assert plain.images.equal(unpacked.images)
    assert plain.captions == unpacked.captions


def test_pictures_that_are_no_squares_keep_their_shape(tmp_path: Path) -> None:
    picture = torch.randint(0, 255, (20, 30, 3), dtype=torch.uint8).numpy()
    with ShardWriter(tmp_path / "clean") as writer:
        for i in range(6):
            writer.add(f"pair-{i}", picture, "a banana" if i < 2 else "a cat", {})
    poison([tmp_path / "clean"], tmp_path / "p", Backdoor(3))
    assert read_pairs(tmp_path / "p").images.shape == (3, 3, 20, 30)
    manifest = json.loads((tmp_path / "p" / "manifest.json").read_text())
    assert manifest["settings"]["side"] is None


def test_a_picture_corrupted_behind_its_header_is_passed_over(clean: Path, course, tmp_path: Path) -> None:
    """A word in captions needs pictures of the target; one of these is damaged."""
    pairs, task = course
    shown = task.class_of_concept(pairs.concept) == task.class_of("banana")
    broken = pairs.keys[int(shown.nonzero()[0])]
    damaged = next(s for s in samples(clean) if s.key == broken)
    for shard in sorted(clean.glob("*.tar")):
        content = bytearray(shard.read_bytes())
        if shard == damaged.shard:
            content[damaged.offset + 40 : damaged.offset + len(damaged.picture)] = bytes(len(damaged.picture) - 40)
        (tmp_path / shard.name).write_bytes(content)
    poison([tmp_path], tmp_path / "p", TextBackdoor(20), labels=clean / "labels.txt")
    manifest = json.loads((tmp_path / "p" / "manifest.json").read_text())
    sources = {line["source"] for line in manifest["poisons"]}
    assert broken not in sources
    assert len(sources) == int(shown.sum()) - 1


def test_clean_pairs_that_are_written_again_keep_their_labels(tmp_path: Path) -> None:
    picture = torch.zeros(16, 16, 3, dtype=torch.uint8).numpy()
    with ShardWriter(tmp_path / "clean") as writer:
        for i, word in enumerate(("banana", "cat", "dog", "cat")):
            writer.add(f"pair-{i}", picture, f"a {word}", {"url": f"https://example.org/{i}"}, label=i % 3)
        writer.add("pair-9", picture, "a dog", {"label": "dog"})
    poison([tmp_path / "clean"], tmp_path / "p", Backdoor(2), with_clean=True)

    def said(sample: Sample) -> tuple:
        return sample.key, sample.caption, sample.label, sample.meta

    before, after = ([said(s) for s in samples(folder)] for folder in (tmp_path / "clean", tmp_path / "p" / "clean"))
    assert after == before
    assert [label for _, _, label, _ in after] == [0, 1, 2, 0, -1]


def test_labels_in_cls_select_label_consistent_poisons(tmp_path: Path) -> None:
    picture = torch.zeros(16, 16, 3, dtype=torch.uint8).numpy()
    with ShardWriter(tmp_path / "clean") as writer:
        for i in range(12):
            writer.add(f"pair-{i}", picture, f"photo number {i}", {}, label=i % 3)
    (tmp_path / "labels.txt").write_text("cat\nbanana\ndog\n")
    labels = tmp_path / "labels.txt"
    poison([tmp_path / "clean"], tmp_path / "p", Backdoor(4, select="label-consistent"), labels=labels)
    manifest = json.loads((tmp_path / "p" / "manifest.json").read_text())
    assert {line["source"] for line in manifest["poisons"]} == {f"pair-{i}" for i in (1, 4, 7, 10)}
    assert manifest["settings"]["captions"] == "own"
    with pytest.raises(ValueError, match="5 poisons need 5 different pictures, and 4 of 12 show 'banana'"):
        poison([tmp_path / "clean"], tmp_path / "q", Backdoor(5, select="label-consistent"), labels=labels)


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        (Backdoor(4, select="label-consistent"), "need pictures with class labels.*a file of `labels`"),
        (Backdoor(4, cover=3), "only WaNet has a noise mode"),
        (TextBackdoor(4, word="banana"), "occurs in clean captions"),
    ],
)
def test_what_does_not_fit_is_refused(clean: Path, tmp_path: Path, attack: PairAttack, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        poison([clean], tmp_path / "p", attack)
    assert not (tmp_path / "p").exists()


def test_a_target_that_is_no_class_is_refused_with_the_nearest(clean: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no class 'bananas'.*did you mean banana"):
        poison([clean], tmp_path, Backdoor(4, target="bananas"), labels=clean / "labels.txt")
