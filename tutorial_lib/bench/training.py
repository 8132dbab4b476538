"""Our training loop beside unmodified `open_clip_train` and a plain loop: same model, batch, pictures and samples.

The first peer runs as `python -m open_clip_train.main` on shards that the course wrote; its samples per second
are read from its own log, without start-up and without the first step.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import open_clip
import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms

from tutorial_lib import models
from tutorial_lib.bench import peak
from tutorial_lib.bench.plain import plain_loop
from tutorial_lib.data import emojicaps
from tutorial_lib.data.captions import prompt_captions
from tutorial_lib.data.decoding import decode
from tutorial_lib.data.emojicaps import EmojiCaps
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.shard_writer import encode, write_pairs
from tutorial_lib.data.tasks import ZeroShotTask, class_concepts, training_pairs, zero_shot_task
from tutorial_lib.evaluate import accuracy, embed_images, predict, zero_shot_classifier
from tutorial_lib.losses import clip_loss
from tutorial_lib.models.fast import encode_text, small_maps
from tutorial_lib.models.inputs import MEAN, STD, normalize
from tutorial_lib.training import loop as training
from tutorial_lib.training.augment import random_resized_crop
from tutorial_lib.training.device import in_half, native_bfloat16
from tutorial_lib.training.optimizer import optimizer_for
from tutorial_lib.trials import History, Recipe

MODEL = "tiny-rn"
#: Zero-shot accuracy that both race to.
GOAL = 0.25

_STEP = re.compile(r"Train Epoch: (\d+) .*?, ([\d.e+]+)/s, ")


class PeerError(RuntimeError):
    """`open_clip_train` did not finish."""


def config_folder(folder: Path, config: dict[str, Any]) -> str:
    """A folder that open_clip takes for a model: what to give as its `--model`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}), encoding="utf-8")
    return f"local-dir:{folder}"


def open_clip_train(
    shards: Sequence[Path],
    folder: Path,
    config: dict[str, Any],
    recipe: Recipe,
    *,
    pairs: int,
    workers: int = 1,
    precision: str = "fp32",
    save_every: int = 0,
    seed: int = 0,
) -> list[tuple[int, float]]:
    """Run open_clip's trainer, unmodified, on the CPU.

    Args:
        shards: training data; at least as many as workers.
        folder: for its logs and checkpoints.
        config: the model.
        recipe: ours, said in its words.
        pairs: number of pairs in the shards.
        workers: data loading processes.
        precision: its `--precision`.
        save_every: epochs between checkpoints; 0 keeps the last only.
        seed: its `--seed`.

    Returns:
        The epoch, from 0, and the seconds of each step; checkpoints are `folder/run/checkpoints/epoch_N.pt`.

    Raises:
        PeerError: the trainer ends with an error, or leaves no log.
    """
    steps = recipe.epochs * -(-pairs // recipe.batch_size)
    options = {
        "model": config_folder(folder / "config", config),
        "train-data": "::".join(str(s) for s in shards),
        "dataset-type": "webdataset",
        "train-num-samples": pairs,
        "device": "cpu",
        "precision": precision,
        "workers": workers,
        "batch-size": recipe.batch_size,
        "epochs": recipe.epochs,
        "lr": recipe.lr,
        "wd": recipe.weight_decay,
        "beta1": recipe.betas[0],
        "beta2": recipe.betas[1],
        "eps": recipe.eps,
        "warmup": round(recipe.warmup * steps),
        "save-frequency": save_every,
        "log-every-n-steps": 1,
        "logs": folder,
        "name": "run",
        "seed": seed,
    }
    command = [sys.executable, "-m", "open_clip_train.main"]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    log = folder / "run" / "out.log"
    if done.returncode or not log.is_file():
        lines = (done.stdout + done.stderr).strip().splitlines() or ["no message"]
        errors = [line for line in lines if re.match(r"[\w.]*Error\b", line)] or lines
        raise PeerError(f"open_clip_train ended with code {done.returncode}: {errors[-1]}")
    return [
        (int(epoch), recipe.batch_size / float(rate)) for epoch, rate in _STEP.findall(log.read_text(encoding="utf-8"))
    ]


def compare(*, repeats: int, seed: int = 0, time_to_accuracy: bool = True, copies: int = 4) -> dict[str, Any]:
    """Samples per second of both trainers, what each shortcut is worth, and the race to 25 % zero-shot."""
    config = models.model_config(MODEL)
    data = emojicaps.load()
    concepts = class_concepts(data, 320)
    task = zero_shot_task(data, concepts, side=32)
    pairs = training_pairs(data, concepts, copies=copies, seed=seed)
    recipe = Recipe(epochs=2)
    ours: list[float] = []
    plain: list[float] = []
    peer: dict[str, list[float]] = {}
    settings = [("fp32", 1)] + ([("amp_bf16", 1)] if native_bfloat16(torch.device("cpu")) else [])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shards = write_pairs(folder / "clean", pairs)
        for repeat in range(repeats):
            ours.append(_ours(config, pairs, task, recipe, seed).samples_per_second)
            plain.append(plain_loop(shards, config, recipe, seed=seed))
            for precision, workers in settings:
                label = f"{precision}, {workers} worker" + "s" * (workers > 1)
                run = folder / f"{precision}-{workers}-{repeat}"
                steps = open_clip_train(
                    shards, run, config, recipe, pairs=len(pairs), precision=precision, workers=workers, seed=seed
                )
                later = [seconds for _, seconds in steps[1:]]
                peer.setdefault(label, []).append(recipe.batch_size * len(later) / sum(later))
        rates = {label: statistics.median(found) for label, found in peer.items()}
        best = max(rates, key=lambda label: rates[label])
        mine = statistics.median(ours)
        result = {
            "model": MODEL,
            "batch_size": recipe.batch_size,
            "samples": recipe.steps(len(pairs)) * recipe.batch_size,
            "device": "cpu",
            "samples_per_second": mine,
            "open_clip_train": {"samples_per_second": rates[best], "setting": best, "settings": rates},
            "ratio_to_open_clip_train": mine / rates[best],
            "plain_loop": {"samples_per_second": statistics.median(plain)},
            "ratio_to_plain_loop": mine / statistics.median(plain),
            "peak": peak.share(config, mine, half=in_half(recipe, torch.device("cpu"))),
            "shortcuts": shortcuts(config, pairs, task, repeats=repeats, seed=seed),
        }
        if time_to_accuracy:
            precision = best.split(",")[0]
            result["time_to_accuracy"] = _race(folder, config, data, concepts, task, precision, seed)
    return result


def _tokenizer(config: dict[str, Any], pairs: Pairs, task: ZeroShotTask) -> models.Tokenizer:
    return models.tokenizer_for(config, [*pairs.captions, *(p for t in task.labels for p in prompt_captions(t))])


def _ours(
    config: dict[str, Any], pairs: Pairs, task: ZeroShotTask, recipe: Recipe, seed: int, **options: Any
) -> History:
    tokenizer = _tokenizer(config, pairs, task)
    model = models.build(config, tokenizer, seed=seed)
    return training.train(model, tokenizer, pairs, recipe, seed=seed, device="cpu", progress=False, **options)


def _race(
    folder: Path,
    config: dict[str, Any],
    data: EmojiCaps,
    concepts: tuple[int, ...],
    task: ZeroShotTask,
    precision: str,
    seed: int,
) -> dict[str, Any]:
    """Training seconds, evaluation left out, until the zero-shot accuracy first reaches the goal."""
    pairs = training_pairs(data, concepts, copies=8, seed=seed)
    recipe = Recipe()

    def right(model: open_clip.CLIP, tokenizer: models.Tokenizer) -> float:
        weights = zero_shot_classifier(model, tokenizer, task.labels)
        return accuracy(predict(embed_images(model, task.images), weights), task.targets).rate

    tokenizer = _tokenizer(config, pairs, task)
    curve: list[dict[str, float]] = []
    spent = [time.perf_counter(), 0.0]  # when training went on last, and how long it has taken

    def on_epoch(epoch: int, model: open_clip.CLIP) -> None:
        spent[1] += time.perf_counter() - spent[0]
        curve.append({"epoch": epoch, "seconds": spent[1], "accuracy": right(model, tokenizer)})
        spent[0] = time.perf_counter()

    model = models.build(config, tokenizer, seed=seed)
    training.train(model, tokenizer, pairs, recipe, seed=seed, device="cpu", progress=False, on_epoch=on_epoch)

    shards = write_pairs(folder / "race", pairs)
    steps = open_clip_train(
        shards,
        folder / "race-run",
        config,
        recipe,
        pairs=len(pairs),
        precision=precision,
        save_every=1,
        seed=seed,
    )
    peer_curve = []
    for epoch in range(1, recipe.epochs + 1):
        saved = folder / "race-run" / "run" / "checkpoints" / f"epoch_{epoch}.pt"
        peer, plain = models.load(saved, MODEL)
        seconds = sum(t for e, t in steps if e < epoch)
        peer_curve.append({"epoch": epoch, "seconds": seconds, "accuracy": right(peer, plain)})

    def reached(points: list[dict[str, float]]) -> float | None:
        return next((p["seconds"] for p in points if p["accuracy"] >= GOAL), None)

    return {
        "goal": GOAL,
        "recipe": dataclasses.asdict(recipe),
        "seed": seed,
        "seconds": reached(curve),
        "open_clip_train_seconds": reached(peer_curve),
        "curve": curve,
        "open_clip_train_curve": peer_curve,
    }


#: Shortcuts of our loop; each is switched off alone.
SHORTCUTS = (
    "pictures decoded once",
    "batched augmentation",
    "vocabulary pruned to the texts",
    "padding trimmed",
    "bfloat16 image tower",
    "channels last",
    "small maps as matrices",
    "one token of the last text block",
    "fused AdamW",
)


def shortcuts(
    config: dict[str, Any], pairs: Pairs, task: ZeroShotTask, *, repeats: int, seed: int, steps: int = 8
) -> dict[str, Any]:
    """How many times slower a step is without each shortcut; the rounds are interleaved."""
    names = [None, *SHORTCUTS]
    if not native_bfloat16(torch.device("cpu")):
        names.remove("bfloat16 image tower")
    loops = {name: _loop(name, config, pairs, task, seed) for name in names}
    seconds: dict[str | None, list[float]] = {name: [] for name in names}
    for step in loops.values():
        step(0)
    for round_ in range(repeats):
        for name, step in loops.items():
            for k in range(steps):
                started = time.perf_counter()
                step(1 + round_ * steps + k)
                seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    return {name: medians[name] / medians[None] for name in names if name is not None}


def _loop(
    off: str | None, config: dict[str, Any], pairs: Pairs, task: ZeroShotTask, seed: int
) -> Callable[[int], None]:
    """One training step as a function of its number, without the shortcut `off`."""
    recipe, device = Recipe(), torch.device("cpu")
    pruned = off != "vocabulary pruned to the texts"
    tokenizer = _tokenizer(config, pairs, task) if pruned else models.tokenizer_for(config)
    model = models.build(config, tokenizer, seed=seed).train()
    layout = torch.contiguous_format if off == "channels last" else torch.channels_last
    model.to(memory_format=layout)
    optimizer = optimizer_for(model, recipe)
    if off == "fused AdamW":
        for group in optimizer.param_groups:
            group["fused"] = False
        optimizer.defaults["fused"] = False
    half = native_bfloat16(device) and off != "bfloat16 image tower"
    tokens = tokenizer(pairs.captions)
    lengths = tokens.argmax(1) + 1
    if off == "padding trimmed":
        lengths = torch.full_like(lengths, tokens.shape[1])
    files = [encode(p) for p in pairs.pixels.permute(0, 2, 3, 1).numpy()] if off == "pictures decoded once" else []
    single = transforms.Compose(
        [
            transforms.RandomResizedCrop(
                pairs.images.shape[-1], scale=recipe.scale, interpolation=transforms.InterpolationMode.BICUBIC
            ),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )

    def views(batch: Tensor, step: int) -> Tensor:
        if off == "batched augmentation":
            found = pairs.pixels[batch].permute(0, 2, 3, 1).numpy()
            return torch.stack([single(Image.fromarray(picture)) for picture in found])
        images = pairs.images[batch]
        if files:
            images = torch.stack([torch.from_numpy(decode(files[i])) for i in batch.tolist()]).permute(0, 3, 1, 2)
        return random_resized_crop(normalize(images), torch.Generator().manual_seed(step), scale=recipe.scale)

    computing = contextlib.nullcontext if off == "small maps as matrices" else functools.partial(small_maps, model)

    def step(k: int) -> None:
        with computing():
            _step(k)

    def _step(k: int) -> None:
        generator = torch.Generator().manual_seed(k)
        batch = torch.randperm(len(pairs), generator=generator)[: recipe.batch_size]
        text = tokens[batch, : int(lengths[batch].max())]
        optimizer.zero_grad(set_to_none=True)
        pictures = views(batch, k).contiguous(memory_format=layout)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            image_features = model.encode_image(pictures, normalize=True)
        text_features = _text_features(model, text, whole=off == "one token of the last text block")
        clip_loss(image_features.float(), text_features, model.logit_scale.exp()).backward()
        optimizer.step()

    return step


def _text_features(model: open_clip.CLIP, text: Tensor, *, whole: bool) -> Tensor:
    """Normalised text embeddings; `whole` computes every token of every block, as open_clip does."""
    if not whole:
        return encode_text(model, text)
    length = text.shape[1]
    x = model.token_embedding(text) + model.positional_embedding[:length]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
    x = x[torch.arange(len(x)), text.argmax(dim=-1)] @ model.text_projection
    return torch.nn.functional.normalize(x, dim=-1)


def describe(result: dict[str, Any]) -> list[str]:
    """The comparison for people."""
    peer = result["open_clip_train"]
    lines = [
        f"training {result['model']}, batch {result['batch_size']}, {result['samples']:,} samples, CPU:",
        f"  tutorial_lib            {result['samples_per_second']:8,.0f} samples/s",
        f"  open_clip_train         {peer['samples_per_second']:8,.0f} samples/s ({peer['setting']})",
        f"  a plain PyTorch loop    {result['plain_loop']['samples_per_second']:8,.0f} samples/s",
        f"  ratio                   {result['ratio_to_open_clip_train']:8.2f}, to the plain loop "
        f"{result['ratio_to_plain_loop']:.2f}",
        peak.describe(result["peak"]),
        "  without one shortcut, a step takes this many times as long:",
        *(f"    {name:<32}{factor:6.2f}" for name, factor in result["shortcuts"].items()),
    ]
    if race := result.get("time_to_accuracy"):

        def say(seconds: float | None) -> str:
            return "not reached" if seconds is None else f"{seconds:.0f} s"

        lines.append(
            f"  training until {race['goal']:.0%} zero-shot over 320 classes (one seed): {say(race['seconds'])}, "
            f"open_clip_train {say(race['open_clip_train_seconds'])}"
        )
    return lines
