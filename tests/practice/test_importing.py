"""What goes in comes out, from every layout; kills, limits, duplicates and bad input."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.sources.makers import CLASSES, LAYOUTS, Pair, class_folders, folder, pairs, rows, table, tar, with_texts
from tutorial_lib import places
from tutorial_lib.data.decoding import decode
from tutorial_lib.data.shards import Sample, ShardError, samples
from tutorial_lib.practice.import_folder import PART
from tutorial_lib.practice.importing import Imported, import_pairs
from tutorial_lib.practice.pictures import shard_pictures

STAMPS = Path("/usr/share/tuxpaint/stamps")


def same(shards: Path, some: list[Pair], captions: bool = True) -> None:
    """The shards hold these pairs and no others, to the last pixel."""
    found = {(s.caption, s.meta["label"], decode(s.picture).tobytes()) for s in samples(shards)}
    assert found == {(p.caption, p.label, p.pixels.tobytes()) for p in some}
    numbers = {s.meta["label"]: s.label for s in samples(shards)}
    assert (shards / "labels.txt").read_text("utf-8").splitlines() == sorted(numbers, key=lambda name: numbers[name])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_goes_in_comes_out(layout: str, tmp_path: Path) -> None:
    some = pairs(7, seed=len(layout))
    (tmp_path / "in").mkdir()
    done = import_pairs([LAYOUTS[layout](tmp_path / "in", some)], tmp_path / "out", shard_size=3)
    same(tmp_path / "out", some)
    assert (done.pairs, len(done.shards), done.classes, done.left.total) == (7, 3, 3, 0)
    keys = [s.key for s in samples(tmp_path / "out")]
    assert len(set(keys)) == 7
    assert all(name in " ".join(keys) for name in (p.name for p in some))
    assert json.loads((tmp_path / "out" / "sizes.json").read_text()) == {
        "pairs-00000.tar": 3,
        "pairs-00001.tar": 3,
        "pairs-00002.tar": 1,
    }


def test_class_folders(tmp_path: Path) -> None:
    some = pairs(8)
    source = folder(tmp_path / "train", class_folders(some))
    done = import_pairs([source], tmp_path / "out", template="the {}, drawn", side=16)
    found = list(samples(tmp_path / "out"))
    assert {s.caption for s in found} == {f"the {name}, drawn" for name in CLASSES}
    assert [s.meta["label"] for s in found[:4]] == ["apple pie", "dog", "zebra", "apple pie"]  # by turns
    assert {decode(s.picture).shape for s in found} == {(16, 16, 3)}
    pictures = shard_pictures([tmp_path / "out"], tmp_path / "out" / "labels.txt", 16)
    assert pictures.labels == CLASSES
    assert done.next == f"tutorial evaluate MODEL --data {done.out} --labels {done.labels} --target CLASS"


def test_pictures_are_resized_as_elsewhere(tmp_path: Path) -> None:
    some = pairs(3)
    import_pairs([folder(tmp_path / "a", with_texts(some))], tmp_path / "out", side=9)
    expected = {p.caption: decode(p.encoded(), side=9) for p in some}
    assert all(np.array_equal(decode(s.picture), expected[s.caption]) for s in samples(tmp_path / "out"))


def test_own_bytes_are_kept_where_trainers_read_them(tmp_path: Path) -> None:
    forms = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "webp", "BMP": "webp", "TIFF": "webp"}
    files = [
        file
        for form, pair in zip(forms, pairs(6), strict=True)
        for file in ((f"{form}.jfif", pair.encoded(form)), (f"{form}.txt", form.encode()))
    ]
    done = import_pairs([folder(tmp_path / "a", files)], tmp_path / "out", keep_codec=True)
    found = {s.caption: s for s in samples(tmp_path / "out")}
    assert {caption: s.suffix for caption, s in found.items()} == forms
    bytes_in = {name.removesuffix(".jfif"): content for name, content in files}
    assert all(found[form].picture == bytes_in[form] for form in ("JPEG", "PNG", "WEBP"))
    assert all(np.array_equal(decode(found[f].picture), decode(bytes_in[f])) for f in ("GIF", "BMP", "TIFF"))
    assert done.stored == "as they are (3 as WebP without loss)"
    assert done.formats == {"JPEG": 1, "PNG": 1, "WebP": 1, "GIF": 1, "BMP": 1, "TIFF": 1}
    with pytest.raises(ValueError, match="`keep_codec` stores the files' own bytes"):
        import_pairs([tmp_path / "a"], tmp_path / "no", keep_codec=True, side=8)


def test_an_import_can_be_imported(tmp_path: Path) -> None:
    some = pairs(5)
    import_pairs([folder(tmp_path / "a", with_texts(some))], tmp_path / "one", shard_size=2)
    import_pairs([tmp_path / "one"], tmp_path / "two")
    same(tmp_path / "two", some)


def test_captions_are_in_composed_form_and_in_small_letters_if_asked(tmp_path: Path) -> None:
    body = "Cafe\u0301 AU LAIT".encode("utf-16")
    source = folder(tmp_path / "a", [("1.png", pairs(1)[0].encoded()), ("1.txt", body)])
    import_pairs([source], tmp_path / "out", lower=True)
    assert [s.caption for s in samples(tmp_path / "out")] == ["café au lait"]


@pytest.mark.parametrize(("dedup", "kept"), [(None, 4), ("pairs", 3), ("pictures", 2)])
def test_duplicates(dedup: None, kept: int, tmp_path: Path) -> None:
    first, second = (pair.encoded() for pair in pairs(2))
    files = [("1.png", first), ("1.txt", b"a"), ("2.png", first), ("2.txt", b"a"), ("3.png", first), ("3.txt", b"b")]
    source = folder(tmp_path / "a", [*files, ("4.png", second), ("4.txt", b"a")])
    done = import_pairs([source], tmp_path / "out", dedup=dedup, shard_size=1)
    assert (done.pairs, done.duplicates) == (kept, 4 - kept)
    assert len(list(samples(tmp_path / "out"))) == kept


def test_limit(tmp_path: Path) -> None:
    source = folder(tmp_path / "a", with_texts(pairs(9)))
    done = import_pairs([source], tmp_path / "out", limit=4, shard_size=3)
    assert [s.key for s in samples(tmp_path / "out")] == [f"a/p{i:03d}" for i in range(4)]
    assert done.pairs == 4


def bad_pairs() -> list[tuple[str, bytes]]:
    """One of each kind that costs a pair."""
    sound = pairs(1)[0].encoded()
    pictures = {
        "empty": b"",
        "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "page": b"<!DOCTYPE html><html></html>",
        "program": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 24 24\n{ } loop\n%%EOF\n",
        "cut": sound[:60],
    }
    files = [(f"{name}.jpg", content) for name, content in pictures.items()]
    files += [(f"{name}.txt", b"a dog") for name in pictures]
    files += [("silent.png", sound), ("blank.png", sound), ("blank.txt", b" \n"), ("latin.png", sound)]
    return [*files, ("latin.txt", "café".encode("latin-1")), ("long.png", sound), ("long.txt", b"a" * 20_000)]


def test_bad_pairs_are_counted_by_kind(tmp_path: Path) -> None:
    source = folder(tmp_path / "a", [*bad_pairs(), *with_texts(pairs(20))])
    done = import_pairs([source], tmp_path / "out", skip_bad=0.4)
    assert done.pairs == 20
    expected = {
        "with an empty file": (1, f"{source}/empty.jpg"),
        "with a Git LFS pointer in place of the picture (git lfs pull fetches it)": (1, f"{source}/pointer.jpg"),
        "with a web page in place of the picture": (1, f"{source}/page.jpg"),
        "that are no JPEG, PNG, WebP, GIF, BMP or TIFF": (1, f"{source}/program.jpg"),
        "with a damaged picture": (1, f"{source}/cut.jpg"),
        "without a caption": (2, f"{source}/blank.png"),
        "with a .txt that is no UTF-8 (byte 3)": (1, f"{source}/latin.png"),
        "with a caption of more than 16,384 characters": (1, f"{source}/long.png"),
    }
    assert done.left == expected
    assert "raise `skip_bad` to" not in str(done)


def test_too_many_bad_pairs_stop_before_anything_is_written(tmp_path: Path) -> None:
    files = with_texts(pairs(10))
    source = folder(tmp_path / "a", [file for file in files if file[0] not in ("p003.txt", "p003.cls")])
    message = r"1 of 10 pairs, more than 1%, cannot be used: 1 without a caption .*p003.png.; raise `skip_bad` to 10%"
    with pytest.raises(ShardError, match=message):
        import_pairs([source], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert import_pairs([source], tmp_path / "out", skip_bad=0.1).pairs == 9


def test_too_many_bad_pictures_stop_and_the_same_call_goes_on(tmp_path: Path) -> None:
    broken = {"p007.png": b"", "p008.png": b""}
    source = folder(tmp_path / "a", [(name, broken.get(name, body)) for name, body in with_texts(pairs(10))])
    with pytest.raises(
        ShardError, match=r"1 of the first 8 pairs, more than 1% of all 10, .*empty file.*; complete shards are kept"
    ):
        import_pairs([source], tmp_path / "out", shard_size=2)
    assert not list((tmp_path / "out").glob("*.tar"))
    done = import_pairs([source], tmp_path / "out", shard_size=2, skip_bad=0.2)
    assert (done.pairs, done.resumed > 0, done.left.total) == (8, True, 2)


def everything(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir()) if path.name != "import.json"}


KILLED = """
import os, signal, sys
from pathlib import Path
from tutorial_lib.practice import import_folder, importing
before, left = getattr(import_folder.ImportFolder, sys.argv[3]), int(sys.argv[4])
def step(*arguments):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return before(*arguments)
setattr(import_folder.ImportFolder, sys.argv[3], step)
importing.import_pairs([sys.argv[1]], Path(sys.argv[2]), shard_size=3, dedup="pairs", skip_bad=0.2)
"""


def killed(source: Path, out: Path, method: str, after: int) -> None:
    command = [sys.executable, "-c", KILLED, str(source), str(out), method, str(after)]
    done = subprocess.run(command, cwd=places.PACKAGE.parent, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def interrupted_source(tmp_path: Path) -> Path:
    files = with_texts(pairs(12))
    double = [("q.png", files[0][1]), ("q.txt", files[2][1]), ("q.cls", files[1][1]), ("r.png", b"")]
    return folder(tmp_path / "a", [*files, *double, ("r.txt", b"a dog")])


@pytest.mark.parametrize(("method", "after"), [("add", 7), ("finish", 0)])
def test_what_was_killed_goes_on(method: str, after: int, tmp_path: Path) -> None:
    source = interrupted_source(tmp_path)
    killed(source, tmp_path / "killed", method, after)
    assert [p.name for p in (tmp_path / "killed").iterdir()] == [PART]
    whole = import_pairs([source], tmp_path / "whole", shard_size=3, dedup="pairs", skip_bad=0.2)
    done = import_pairs([source], tmp_path / "killed", shard_size=3, dedup="pairs", skip_bad=0.2)
    assert everything(tmp_path / "killed") == everything(tmp_path / "whole")
    assert done.resumed > 0
    assert (done.pairs, done.duplicates, done.left) == (whole.pairs, whole.duplicates, whole.left) == (12, 1, done.left)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_kills_at_any_moment(seed: int, tmp_path: Path) -> None:
    source = folder(tmp_path / "a", with_texts(pairs(400, seed=seed)))
    command = [sys.executable, "-m", "tutorial_lib.cli", "import", str(source), "--out", str(tmp_path / "killed")]
    command += ["--shard-size", "20"]
    environment = os.environ | {"PYTHONPATH": str(places.PACKAGE.parent)}
    kills = 0
    for attempt in range(40):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if len(list((tmp_path / "killed" / PART).glob("*.ready"))) > 2 * attempt + seed % 3:
                time.sleep(0.003 * seed)
                process.kill()
            time.sleep(0.002)
        kills += process.wait() != 0
        process.communicate()
        assert not list((tmp_path / "killed").glob("*.tar")) or process.returncode in (0, -signal.SIGKILL)
        if process.returncode == 0:
            break
    assert kills
    import_pairs([source], tmp_path / "whole", shard_size=20)
    assert everything(tmp_path / "killed") == everything(tmp_path / "whole")


def test_a_finished_import_is_found(tmp_path: Path) -> None:
    source = folder(tmp_path / "a", with_texts(pairs(3)))
    first = import_pairs([source], tmp_path / "out")
    (tmp_path / "out" / "pairs-00000.tar.index").write_text("what training leaves beside a shard")
    again = import_pairs([source], tmp_path / "out")
    assert again.found
    assert again.shards == first.shards
    assert "`resume=False` imports them anew" in str(again)
    with pytest.raises(ValueError, match=r"holds another import .it had another side.*`resume=False` replaces it"):
        import_pairs([source], tmp_path / "out", side=8)
    (source / "p000.txt").write_text("another")
    with pytest.raises(ValueError, match="the sources have changed since"):
        import_pairs([source], tmp_path / "out")
    assert import_pairs([source], tmp_path / "out", resume=False, shard_size=1).pairs == 3
    assert len(list(samples(tmp_path / "out"))) == 3


def test_foreign_files_are_never_touched(tmp_path: Path) -> None:
    source = folder(tmp_path / "a", with_texts(pairs(3)))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "labels.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"out holds labels.txt, which no import wrote: choose another `out`"):
        import_pairs([source], tmp_path / "out", resume=False)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["labels.txt"]
    with pytest.raises(ValueError, match=r"lies in .*a, which is read: choose an `out` outside of it"):
        import_pairs([source], source / "out")
    with pytest.raises(ValueError, match="is a file, and a folder is needed"):
        import_pairs([source], tmp_path / "out" / "labels.txt")


def test_what_contradicts_is_refused(tmp_path: Path) -> None:
    source = folder(tmp_path / "a", with_texts(pairs(3)))
    with pytest.raises(ValueError, match="`skip_bad` must be a share from 0 to 1"):
        import_pairs([source], tmp_path / "out", skip_bad=5)
    with pytest.raises(ValueError, match="`shard_size` must be at least 1, not 0"):
        import_pairs([source], tmp_path / "out", shard_size=0)
    with pytest.raises(ValueError, match="there is nothing to import"):
        import_pairs([], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_very_long_picture(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (20_000, 1)).save(buffer, "PNG")
    files = [("1.png", buffer.getvalue()), ("1.txt", b"a line"), *with_texts(pairs(1))]
    source = folder(tmp_path / "a", files)
    done = import_pairs([source], tmp_path / "whole", skip_bad=0.5)
    assert list(done.left) == ["wider or higher than 16,383 pixels, which WebP cannot hold (`side`)"]
    assert import_pairs([source], tmp_path / "small", side=8).pairs == 2


def test_a_result_is_read_again(tmp_path: Path) -> None:
    done = import_pairs([tar(tmp_path / "a.tar", with_texts(pairs(3)))], tmp_path / "out")
    assert Imported.read(json.loads(json.dumps(done.as_dict()))) == done


def test_sources_are_put_together(tmp_path: Path) -> None:
    one, two, three = pairs(9)[:3], pairs(9)[3:6], pairs(9)[6:]
    sources = [folder(tmp_path / "a", with_texts(one)), tar(tmp_path / "a.tar", with_texts(two))]
    sources += [table(tmp_path / "b", three, "a.csv", rows(three))]
    import_pairs(sources, tmp_path / "out")
    same(tmp_path / "out", pairs(9))
    assert {s.key.partition("/")[0] for s in samples(tmp_path / "out")} == {"a", "a-2", "a-3"}


def test_pictures_in_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow, of the extra `import`, is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    some = pairs(70)
    columns = {
        "image": [{"bytes": p.encoded(), "path": f"{p.name}.png"} for p in some],
        "text": [p.caption for p in some],
        "label": [CLASSES.index(p.label) for p in some],
    }
    names = {"info": {"features": {"label": {"names": list(CLASSES), "_type": "ClassLabel"}}}}
    made = arrow.table(columns).replace_schema_metadata({"huggingface": json.dumps(names)})
    (tmp_path / "data").mkdir()
    parquet.write_table(made, tmp_path / "data" / "train-00000-of-00001.parquet")
    import_pairs([tmp_path / "data"], tmp_path / "out")
    same(tmp_path / "out", some)


def test_zstandard(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow, of the extra `import`, is not installed")
    some = pairs(5)
    plain = tar(tmp_path / "a.tar", with_texts(some)).read_bytes()
    with arrow.CompressedOutputStream(str(tmp_path / "a.tar.zst"), "zstd") as file:
        file.write(plain)
    import_pairs([tmp_path / "a.tar.zst"], tmp_path / "out")
    same(tmp_path / "out", some)


@pytest.mark.skipif(not STAMPS.is_dir(), reason="Debian's tuxpaint-stamps-default is not installed")
def test_stamps_of_tuxpaint(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"11 of 796 pairs, more than 1%.*raise `skip_bad` to 2%"):
        import_pairs([STAMPS], tmp_path / "out", side=32)
    done = import_pairs([STAMPS], tmp_path / "out", side=32, skip_bad=0.02)
    assert (done.pairs, done.sizes, done.formats) == (785, (32, 32, 32, 32), {"PNG": 785})
    found: dict[str, Sample] = {s.key: s for s in samples(tmp_path / "out")}
    assert found["stamps/food/fruit/apple_red"].caption == "A red apple."
    assert not any(".utf8=" in s.caption for s in found.values())
    assert "the first line of each" in str(done)
