"""Models: built from a seed, stored and read without trusting the file; errors say what is wrong."""

import json
import os
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from tutorial_lib import models
from tutorial_lib.data import emojicaps
from tutorial_lib.data.tasks import class_concepts, zero_shot_task
from tutorial_lib.evaluate import accuracy, attack_success_rate, embed_images, predict, zero_shot_classifier
from tutorial_lib.models import CheckpointError
from tutorial_lib.models import clip as module
from tutorial_lib.models.tokenizer import FULL_VOCAB, Tokenizer
from tutorial_lib.triggers import make_trigger

CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16},
    "text_cfg": {"context_length": 12, "vocab_size": FULL_VOCAB, "width": 32, "heads": 2, "layers": 1},
}
TEXTS = ["a dog", "a small cat", "the moon!"]
TOKENIZER = Tokenizer.for_texts(TEXTS, context_length=12)


def same_weights(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_the_seed_decides_the_weights_and_leaves_the_global_state_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (models.build(CONFIG, TOKENIZER, seed=s) for s in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert same_weights(first, again)
    assert not same_weights(first, other)


def test_the_tokenizer_decides_the_size_of_the_text_tower() -> None:
    model = models.build(CONFIG, TOKENIZER)
    assert model.token_embedding.num_embeddings == TOKENIZER.vocab_size
    assert models.build(CONFIG).token_embedding.num_embeddings == FULL_VOCAB
    assert CONFIG["text_cfg"]["vocab_size"] == FULL_VOCAB  # the config itself is not changed
    full, pruned = models.tokenizer_for(CONFIG), models.tokenizer_for(CONFIG, TEXTS)
    assert (full.vocab_size, pruned.vocab_size) == (FULL_VOCAB, TOKENIZER.vocab_size)
    assert full.context_length == pruned.context_length == 12
    saved = models.parameter_count(models.build(CONFIG)) - models.parameter_count(model)
    assert saved == (FULL_VOCAB - TOKENIZER.vocab_size) * 32


@pytest.mark.parametrize("name", [p.stem for p in models.CONFIGS.glob("*.json")])
def test_the_courses_own_models_run(name: str) -> None:
    config = models.model_config(name)
    model = models.build(config, models.tokenizer_for(config, TEXTS)).eval()
    side = config["vision_cfg"]["image_size"]
    with torch.no_grad():
        image = model.encode_image(torch.rand(2, 3, side, side), normalize=True)
        text = model.encode_text(models.tokenizer_for(config, TEXTS)(TEXTS), normalize=True)
    assert image.shape == (2, config["embed_dim"])
    assert text.shape == (3, config["embed_dim"])
    assert torch.isfinite(image).all()


def test_open_clips_configs_are_known_by_name() -> None:
    assert models.model_config("RN50") == open_clip.get_model_config("RN50")
    with pytest.raises(ValueError, match=r"there is no model config 'RN5O'; the course has .*tiny-rn.*has RN50"):
        models.model_config("RN5O")


def test_a_config_file_serves_too(tmp_path) -> None:
    (tmp_path / "mine.json").write_text(json.dumps(CONFIG))
    assert models.model_config(tmp_path / "mine.json") == CONFIG


@pytest.mark.parametrize("tokenizer", [TOKENIZER, Tokenizer(12)], ids=["pruned", "full"])
def test_a_model_comes_back_as_it_was_saved(tmp_path, tokenizer: Tokenizer) -> None:
    model = models.build(CONFIG, tokenizer, seed=3).to(memory_format=torch.channels_last).eval()
    models.save(tmp_path / "deep" / "model", model, CONFIG, tokenizer)
    loaded, read = models.load(tmp_path / "deep" / "model")
    assert same_weights(loaded, model)
    assert not loaded.training
    assert torch.equal(read(TEXTS), tokenizer(TEXTS))
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(loaded.encode_image(images), model.encode_image(images))


@pytest.fixture
def saved(tmp_path):
    models.save(tmp_path / "m", models.build(CONFIG, TOKENIZER), CONFIG, TOKENIZER)
    return tmp_path / "m"


def test_a_config_beside_a_folder_must_be_its_own(saved, tmp_path) -> None:
    (tmp_path / "c.json").write_text(json.dumps(CONFIG))
    assert same_weights(models.load(saved, tmp_path / "c.json")[0], models.load(saved)[0])
    with pytest.raises(ValueError, match=r"model.json says which model it is, and not 'RN50': leave `model` out"):
        models.load(saved, "RN50")


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_weights_get_the_permissions_of_any_file(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        models.save(tmp_path / "m", models.build(CONFIG, TOKENIZER), CONFIG, TOKENIZER)
    finally:
        os.umask(before)
    for name in ("model.safetensors", "model.json", "vocab.json"):
        assert (tmp_path / "m" / name).stat().st_mode & 0o777 == 0o666 & ~umask


def test_weights_appear_whole_or_not_at_all(saved, monkeypatch) -> None:
    def full(weights, path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    before = (saved / "model.safetensors").read_bytes()
    monkeypatch.setattr(module, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        models.save(saved, models.build(CONFIG, TOKENIZER), CONFIG, TOKENIZER)
    assert (saved / "model.safetensors").read_bytes() == before
    assert not list(saved.glob("*.part"))


def test_an_earlier_vocabulary_does_not_stay_beside_other_weights(saved) -> None:
    models.save(saved, models.build(CONFIG, Tokenizer(12)), CONFIG, Tokenizer(12))
    assert not (saved / "vocab.json").exists()
    assert models.load(saved)[1].vocab is None


def test_weights_of_odd_types_are_refused(saved) -> None:
    state = models.load(saved)[0].state_dict()
    save_file(state | {"ln_final.bias": state["ln_final.bias"] > 0}, saved / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"holds no weights of a model: 'ln_final\.bias' holds bool"):
        models.load(saved)


def test_a_missing_checkpoint_is_named(tmp_path, saved) -> None:
    with pytest.raises(CheckpointError, match=r"there is no checkpoint at .*nowhere"):
        models.load(tmp_path / "nowhere")
    (saved / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"is not a model directory: model.safetensors is missing"):
        models.load(saved)


def test_a_damaged_file_is_named(saved) -> None:
    body = (saved / "model.safetensors").read_bytes()
    (saved / "model.safetensors").write_bytes(body[: len(body) // 2])
    with pytest.raises(CheckpointError, match=r"model.safetensors is damaged"):
        models.load(saved)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("model.json", "{", "model.json is damaged"),
        ("vocab.json", "[1, 2", "vocab.json is damaged"),
        ("vocab.json", "{}", "vocab.json is damaged: it must list CLIP's tokens in their order"),
        ("vocab.json", "[3, 2, 49406, 49407]", "vocab.json is damaged: it must list"),
        ("vocab.json", "[2, 3]", "vocab.json is damaged: it must list"),
        ("vocab.json", "[2, true, 49406, 49407]", "vocab.json is damaged: it must list"),
        ("vocab.json", "[49406, 49407]", "vocab.json lists 2 tokens, and the config has a vocabulary of"),
        ("model.json", "{}", "does not describe an open_clip model"),
        ("model.json", "[1]", "does not describe an open_clip model"),
    ],
)
def test_a_damaged_description_is_named(saved, name, text, message) -> None:
    (saved / name).write_text(text)
    with pytest.raises(CheckpointError, match=message):
        models.load(saved)


@pytest.mark.parametrize("change", [{"embed_dim": 24}, {"vision_cfg": CONFIG["vision_cfg"] | {"layers": [2, 1, 1, 1]}}])
def test_weights_of_another_architecture_are_refused(saved, change) -> None:
    settings = json.loads((saved / "model.json").read_text())
    (saved / "model.json").write_text(json.dumps(settings | change))
    with pytest.raises(CheckpointError, match=r"holds weights of another architecture: .* (is .* and not|is missing)"):
        models.load(saved)


def test_a_lost_vocabulary_is_noticed(saved) -> None:
    (saved / "vocab.json").unlink()
    with pytest.raises(
        CheckpointError, match=r"vocab.json is missing: the vocabulary is pruned to \d+ tokens, and it says which"
    ):
        models.load(saved)


@pytest.mark.parametrize("name", ["clean", "backdoored", "finetuned", "cleaned"])
def test_shipped_models_do_what_their_records_say(name):
    """Weights are float16, so rates may differ by a few pictures."""
    record = json.loads((models.CHECKPOINTS / name / "record.json").read_text())
    model, tokenizer = models.load(models.CHECKPOINTS / name)
    trial = record["trial"]
    pictures = emojicaps.load()
    task = zero_shot_task(pictures, class_concepts(pictures, trial["classes"]))
    read = zero_shot_classifier(model, tokenizer, task.labels)
    seen = predict(embed_images(model, task.images), read)
    assert accuracy(seen, task.targets).rate == pytest.approx(
        record["metrics"]["clean_accuracy"]["zero_shot"]["rate"], abs=0.01
    )
    settings = trial["attack"]["trigger"]
    trigger = make_trigger(settings.pop("kind"), **settings)
    stamped = predict(embed_images(model, trigger.stamp(task.images, trial["seeds"]["poison"])), read)
    success = attack_success_rate(stamped, task.targets, task.class_of(trial["attack"]["target"])).rate
    expected = record["metrics"]["attack_success"]["zero_shot"]["rate"]
    assert success == pytest.approx(expected, abs=0.01)
    assert (expected > 0.9) == (name == "backdoored")


def test_a_checkpoint_that_nobody_has_names_those_that_ship():
    shipped = "backdoored, clean, cleaned, finetuned, unknown-1, "
    with pytest.raises(CheckpointError, match=rf"no checkpoint 'nothing' ships with the course \({shipped}"):
        models.pretrained("nothing", "tiny-rn")


def test_a_shipped_checkpoint_can_be_trained_further():
    model, tokenizer = models.pretrained("clean", "tiny-rn")
    assert tokenizer.vocab_size == model.token_embedding.num_embeddings
