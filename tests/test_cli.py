"""The commands: what they print, what they write, and one clear line for each kind of bad input."""

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tutorial_lib import cli
from tutorial_lib.bench import cleaning, store
from tutorial_lib.cli import main
from tutorial_lib.data import emojicaps, integrity
from tutorial_lib.data.loading import read_pairs
from tutorial_lib.data.shards import samples
from tutorial_lib.defenses import METHODS
from tutorial_lib.triggers import Checkerboard

ROOT = Path(__file__).parents[1]
CLASSES = 60
CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clean shards, a model config and a trained model."""
    here = tmp_path_factory.mktemp("cli")
    (here / "small.json").write_text(json.dumps(CONFIG))
    assert main(["data", "emojicaps", "--out", str(here / "clean"), "--classes", str(CLASSES), "--copies", "2"]) == 0
    assert main(train_command(here, "model")) == 0
    return here


def train_command(folder: Path, out: str, *more: str) -> list[str]:
    command = ["train", str(folder / "clean"), "--out", str(folder / out), "--model", str(folder / "small.json")]
    return [*command, "--epochs", "2", "--batch-size", "64", "--device", "cpu", *more]


def tutorial(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    capsys.readouterr()
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line on standard error of a command that ends with code 2."""
    capsys.readouterr()
    try:
        code = main([*map(str, arguments)])
    except SystemExit as end:  # argparse says its usage, then one line
        code = end.code
    printed = capsys.readouterr()
    assert code == 2
    assert printed.out == ""
    assert "Traceback" not in printed.err
    return printed.err.strip().splitlines()[-1]


def backdoor(folder: Path, out: Path, *more: object) -> list[object]:
    command = ["poison", folder / "clean", "--out", out, "--attack", "backdoor"]
    return [*command, "--target", "banana", "--count", 12, *more]


def test_help_of_every_command_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for name in cli.COMMANDS:
        command = [name, "emojicaps"] if name == "data" else [name]
        with pytest.raises(SystemExit) as end:
            main([*command, "--help"])
        assert end.value.code == 0
        printed = capsys.readouterr().out
        assert f"example:\n  tutorial {' '.join(command)}" in printed
        assert "--json" in printed


def test_as_a_program() -> None:
    """In a process of its own: output in a pipe, no bar, exit codes."""
    command = [sys.executable, "-m", "tutorial_lib.cli"]
    done = subprocess.run([*command, "doctor", "--json"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    assert json.loads(done.stdout)["ok"]
    assert done.stderr == ""
    done = subprocess.run([*command, "poison", "no-such-folder"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""


def test_doctor(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    body = tutorial(capsys, "doctor")
    assert body["data"] == {"name": "EmojiCaps", "ok": True, "fingerprint": integrity.fingerprint(), "problem": None}
    assert body["profiles"]["test"]["ok"]
    assert body["profiles"]["gpu"]["ok"] == torch.cuda.is_available()
    assert body["versions"]["torch"] == torch.__version__.partition("+")[0] or body["versions"]["torch"]

    def damaged() -> None:
        raise integrity.CorruptDataError("noto.tar.gz is damaged")

    monkeypatch.setattr(integrity, "verify", damaged)
    capsys.readouterr()
    assert main(["doctor"]) == 1
    assert "noto.tar.gz is damaged" in capsys.readouterr().out


def test_data_train(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = read_pairs(folder / "clean")
    labels = (folder / "clean" / "labels.txt").read_text().splitlines()
    assert len(labels) == CLASSES
    assert pairs.images.shape[1:] == (3, 32, 32)
    assert {sample.meta["label"] for sample in samples(folder / "clean")} == set(labels)
    assert "already holds emojicaps-00000.tar" in refused(capsys, "data", "emojicaps", "--out", folder / "clean")


def test_data_has_a_seed(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("data", "emojicaps", "--classes", CLASSES, "--copies", 2)
    again = tutorial(capsys, *arguments, "--out", tmp_path / "again")
    other = tutorial(capsys, *arguments, "--out", tmp_path / "other", "--seed", 1)
    name = "emojicaps-00000.tar"
    assert (tmp_path / "again" / name).read_bytes() == (folder / "clean" / name).read_bytes()
    assert other["fingerprint"] != again["fingerprint"]


def test_data_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("data", "emojicaps", "--out", tmp_path / "x")
    assert "a whole number of at least 1 is needed, not '0'" in refused(capsys, *arguments, "--copies", 0)
    assert "--side must be at least 8 pixels, not 4" in refused(capsys, *arguments, "--side", 4)
    assert "5000 classes were asked for" in refused(capsys, *arguments, "--classes", 5000)
    assert not (tmp_path / "x").exists()


def test_backdoor_poisons_are_stamped_pairs(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = tutorial(capsys, *backdoor(folder, tmp_path / "p"))
    clean, poisons = read_pairs(folder / "clean"), read_pairs(tmp_path / "p")
    assert (body["count"], body["clean"], body["rate"]) == (12, len(clean), 12 / (12 + len(clean)))
    manifest = json.loads((tmp_path / "p" / "manifest.json").read_text())
    assert manifest["settings"]["trigger"]["size"] == 6
    assert (manifest["settings"]["seed"], manifest["settings"]["captions"]) == (0, "search")
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
    assert "the pictures have several sizes (40x36, 41x36, …): give --side" in said
    body = tutorial(capsys, *command, "--out", tmp_path / "b", "--side", 32)
    assert "--with-clean writes them in the same way" in body["warnings"][0]
    body = tutorial(capsys, *command, "--out", tmp_path / "c", "--side", 32, "--with-clean")
    assert body["warnings"] == []
    clean, poisons = read_pairs(tmp_path / "c" / "clean"), read_pairs(tmp_path / "c")
    assert (clean.keys, clean.captions) == (pairs.keys, pairs.captions)
    manifest = json.loads((tmp_path / "c" / "manifest.json").read_text())
    sources = [clean.keys.index(p["source"]) for p in manifest["poisons"]]
    assert poisons.images.equal(Checkerboard().stamp(clean.images[sources]))


def test_poison_bad_input(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "p"
    total = len(read_pairs(folder / "clean"))
    said = refused(capsys, *backdoor(folder, out, "--count", 100_000))
    assert f"100000 poisons need 100000 different pictures, and {total - 10} of {total} do not show 'banana'" in said
    assert "does not fit into 32x32 pixels" in refused(capsys, *backdoor(folder, out, "--size", 40))
    assert "none of" in refused(capsys, *backdoor(folder, out, "--target", "no such thing"))
    assert "there is no trigger 'star'" in refused(capsys, *backdoor(folder, out, "--trigger", "star"))
    assert "--target is empty" in refused(capsys, *backdoor(folder, out, "--target", " "))
    assert "needs --image FILE" in refused(capsys, *backdoor(folder, out, "--attack", "targeted"))
    assert "belongs to --attack targeted" in refused(capsys, *backdoor(folder, out, "--image", "x.png"))
    said = refused(capsys, *backdoor(folder, out, "--attack", "targeted", "--image", tmp_path / "none.png"))
    assert "there is no picture" in said
    assert "no shards match" in refused(capsys, *backdoor(tmp_path, out))
    assert not out.exists()
    out.mkdir()
    (out / "manifest.json").write_text("{}")
    assert "already holds manifest.json" in refused(capsys, *backdoor(folder, out))


def test_train_writes_a_model_and_its_record(folder: Path) -> None:
    log = json.loads((folder / "model" / "train.json").read_text())
    assert log["finished"]
    assert log["asked"]["recipe"]["epochs"] == 2
    assert log["asked"]["fingerprint"] == read_pairs(folder / "clean").fingerprint()
    assert log["samples_per_second"] > 0
    assert len(log["loss"]) == 2
    assert log["vocabulary"] < 5000
    assert not (folder / "model" / "checkpoint.pt").exists()


def test_train_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / "model" / "model.safetensors").stat().st_mtime_ns
    assert tutorial(capsys, *train_command(folder, "model"))["finished"]
    assert (folder / "model" / "model.safetensors").stat().st_mtime_ns == before
    said = refused(capsys, *train_command(folder, "model", "--lr", "0.1", "--seed", "1"))
    assert "holds a run with another recipe and seed: choose another --out" in said
    assert tutorial(capsys, *train_command(folder, "model2"))["finished"]
    assert tutorial(capsys, *train_command(folder, "model2", "--no-resume", "--seed", "1"))["asked"]["seed"] == 1
    a, b = (load_file(folder / out / "model.safetensors") for out in ("model", "model2"))
    assert not all(a[name].equal(b[name]) for name in a)


def test_train_bad_input(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = train_command(folder, "bad")
    assert "lr must be positive, not -1.0" in refused(capsys, *command, "--lr", "-1")
    assert "warmup is a share of all steps" in refused(capsys, *command, "--warmup", "7")
    assert "fewer than one batch of 9999" in refused(capsys, *command, "--batch-size", "9999")
    assert "there is no model config 'RN51'" in refused(capsys, *command, "--model", "RN51")
    assert "there is no labels file" in refused(capsys, *command, "--labels", tmp_path / "none.txt")
    (tmp_path / "broken.tar").write_bytes(b"not a tar")
    assert "broken.tar is not a tar archive" in refused(capsys, "train", tmp_path / "broken.tar", "--out", tmp_path)
    assert not (folder / "bad").exists()
    if not torch.cuda.is_available():
        assert "there is no GPU" in refused(capsys, *command, "--device", "cuda")
    assert "the loss became" in refused(capsys, *train_command(folder, "diverged", "--lr", "1e30"))


def evaluate(folder: Path, *more: object) -> list[object]:
    command = ["evaluate", folder / "model", "--trigger", "checkerboard", "--target", "banana"]
    return [*command, "--classes", CLASSES, "--device", "cpu", *more]


def test_evaluate_on_the_course_task(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = tutorial(capsys, *evaluate(folder))
    assert 0 <= body["clean_accuracy"] <= 1
    assert 0 <= body["accuracy_on_triggered"] <= 1
    success = body["attack_success"]
    assert success["target"] == "banana"
    assert success["low"] <= success["rate"] <= success["high"]
    for name in ("z_score", "similarity_clean", "similarity_triggered"):
        assert isinstance(body[name], float)
    for name in ("clean_accuracy", "attack_success", "accuracy_on_triggered", "z_score", "similarity_clean"):
        on = body["computed_on"][name]
        assert (on["data"], on["style"], on["split"]) == ("EmojiCaps", emojicaps.TEST_STYLE, "test")
    assert body["computed_on"]["attack_success"]["pictures"] == success["n"]
    assert success["n"] == body["attack_success_with_target"]["n"] - 8
    capsys.readouterr()
    assert main([*map(str, evaluate(folder))]) == 0
    assert "attack success, 'banana'" in capsys.readouterr().out


def test_evaluate_on_shards(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same pictures through shards give the same numbers."""
    arguments = ("data", "emojicaps", "--split", "test", "--classes", CLASSES, "--copies", 8)
    tutorial(capsys, *arguments, "--out", tmp_path / "test")
    course = tutorial(capsys, *evaluate(folder))
    data = ("--data", tmp_path / "test", "--labels", tmp_path / "test" / "labels.txt")
    shards = tutorial(capsys, *evaluate(folder, *data))
    for name in ("clean_accuracy", "attack_success", "z_score", "similarity_triggered"):
        assert shards[name] == course[name]
    assert shards["computed_on"]["z_score"]["data"] == str(tmp_path / "test")


def test_evaluate_bad_input(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no class 'bananas' among 60; did you mean banana?" in refused(
        capsys, *evaluate(folder, "--target", "bananas")
    )
    assert "does not fit" in refused(capsys, *evaluate(folder, "--size", 33))
    assert "belong together" in refused(capsys, *evaluate(folder, "--data", folder / "clean"))
    (tmp_path / "labels.txt").write_text("cat\ndog\ncat\n")
    both = ("--data", folder / "clean", "--labels", tmp_path / "labels.txt")
    assert "names the class 'cat' twice" in refused(capsys, *evaluate(folder, *both))
    (tmp_path / "labels.txt").write_text("banana\ndog\n")
    assert "which is none of the 2 classes" in refused(capsys, *evaluate(folder, *both))
    command = ["evaluate", tmp_path / "nothing", "--target", "banana"]
    assert "there is no checkpoint at" in refused(capsys, *command)
    (tmp_path / "weights.pt").write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    command[1] = tmp_path / "weights.pt"
    assert "does not say which model it holds: give --model NAME" in refused(capsys, *command)
    assert "cannot be read as weights" in refused(capsys, *command, "--model", "tiny-rn")
    torch.save({"state_dict": {"logit_scale": torch.zeros(())}}, tmp_path / "weights.pt")
    assert "weights of another architecture" in refused(capsys, *command, "--model", "tiny-rn")


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from tutorial_lib.cli import demo

    for name, value in (("CLASSES", CLASSES), ("COPIES", 2), ("EPOCHS", 1), ("POISONS", 10)):
        monkeypatch.setattr(demo, name, value)
    body = tutorial(capsys, "demo", "--out", tmp_path / "demo.png")
    assert body["chance"] == 1 / CLASSES
    assert Image.open(tmp_path / "demo.png").size[0] > 300
    assert "there is no folder" in refused(capsys, "demo", "--out", tmp_path / "none" / "demo.png")
    assert "must end in .png" in refused(capsys, "demo", "--out", tmp_path / "demo.jpg")


def test_bench_of_the_z_score(capsys: pytest.CaptureFixture[str]) -> None:
    command = ("bench", "--only", "zscore", "--embeddings", 3000, "--dimensions", 24, "--repeats", 2)
    body = tutorial(capsys, *command)
    assert body["zscore"]["largest_difference"] < 1e-6
    assert body["zscore"]["speedup"] > 0
    assert body["machine"]["cpu"]


def test_bench_of_the_store(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "RECORDS", 20)
    body = tutorial(capsys, "bench", "--only", "store", "--repeats", 1)["store"]
    assert body["records"] == 20
    assert 0 < body["bookkeeping_seconds"] < body["status_seconds"]


def test_bench_of_cleaning(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "PAIRS", 128)
    body = tutorial(capsys, "bench", "--only", "clean", "--repeats", 1)["clean"]
    assert body["step_ms"].keys() == body["ratio_to_finetuning"].keys() == METHODS.keys()
    assert body["ratio_to_finetuning"]["finetune"] == 1
    assert all(ms > 0 for ms in body["step_ms"].values())


def test_bench_shortcuts_do_not_change_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each shortcut can be switched off, and the steps still learn."""
    from tutorial_lib import models
    from tutorial_lib.bench import training
    from tutorial_lib.data.emojicaps import load
    from tutorial_lib.data.tasks import class_concepts, training_pairs, zero_shot_task

    data = load()
    concepts = class_concepts(data, CLASSES)
    pairs = training_pairs(data, concepts, copies=3)
    found = training.shortcuts(CONFIG, pairs, zero_shot_task(data, concepts), repeats=1, seed=0, steps=1)
    assert set(found) <= set(training.SHORTCUTS)
    assert all(factor > 0 for factor in found.values())
    assert models.model_config(training.MODEL)["vision_cfg"]["image_size"] == 32


def test_interrupt_and_bugs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from tutorial_lib.cli import doctor

    def stop(args) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "run", stop)
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == "tutorial doctor: interrupted\n"

    def bug(args) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(doctor, "run", bug)
    with pytest.raises(KeyError):
        main(["doctor"])
