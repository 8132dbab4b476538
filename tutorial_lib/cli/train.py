"""`tutorial train`: shards in, a model directory out; killed and called again, it goes on."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, positive


def add(subparsers) -> None:
    parser = _common.command(
        subparsers,
        "train",
        run,
        help="train a CLIP model on WebDataset shards, clean or poisoned",
        example="tutorial train clean poisons --out model",
    )
    parser.add_argument("shards", nargs="+", metavar="SHARDS", help=".tar files, folders, globs or {000..099}.tar")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the model directory")
    parser.add_argument(
        "--model", default="tiny-rn", help="config: the course's, open_clip's or a .json (default: tiny-rn)"
    )
    parser.add_argument("--epochs", type=positive, help="passes over the pairs (default: those of the course's recipe)")
    parser.add_argument("--batch-size", type=positive, help="pairs per step")
    parser.add_argument("--lr", type=float, help="peak learning rate")
    parser.add_argument("--weight-decay", type=float)
    parser.add_argument("--warmup", type=float, help="share of all steps")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), help="(default: auto)")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="classes to be known later, one a line")
    parser.add_argument("--full-vocabulary", action="store_true", help="keep all 49,408 tokens of CLIP's vocabulary")
    parser.add_argument("--seed", type=int, default=0, help="initial weights, order and views (default: 0)")
    parser.add_argument("--checkpoint-every", type=positive, default=1, metavar="EPOCHS", help="(default: 1)")
    parser.add_argument(
        "--resume",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="go on from the checkpoint of an interrupted run with the same arguments (default: yes)",
    )
    _common.add_device(parser)


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib.training import distributed

    with distributed.group(args.device):
        return _run(args)


def _run(args: argparse.Namespace) -> Result:
    from dataclasses import asdict

    from tutorial_lib import models
    from tutorial_lib.data.loading import open_pairs
    from tutorial_lib.data.shards import expand
    from tutorial_lib.training import distributed
    from tutorial_lib.training import memory as footprint
    from tutorial_lib.training.loop import device_for, train
    from tutorial_lib.trials import Recipe

    given = {
        name: getattr(args, name)
        for name in ("epochs", "batch_size", "lr", "weight_decay", "warmup", "precision")
        if getattr(args, name) is not None
    }
    recipe = Recipe(**given)
    device = _common.device(args)
    config = models.model_config(args.model)
    side = config["vision_cfg"].get("image_size", 224)
    side = side if isinstance(side, int) else side[0]
    shards = expand(args.shards)
    labels = _labels(args, shards)
    pairs = open_pairs(shards, side=side)
    asked = {
        "model": args.model,
        "recipe": json.loads(json.dumps(asdict(recipe))),
        "seed": args.seed,
        "pairs": len(pairs),
        "fingerprint": pairs.fingerprint(),
        "full_vocabulary": args.full_vocabulary,
        "labels": labels,
    }
    log = args.out / "train.json"
    checkpoint = args.out / "checkpoint.pt"
    if len(pairs) < recipe.batch_size:
        raise ValueError(f"{len(pairs)} pairs are fewer than one batch of {recipe.batch_size}: lower --batch-size")
    first = distributed.rank() == 0  # the only one that writes
    before = json.loads(log.read_text()) if log.is_file() else {}
    if before and not before["finished"] and not checkpoint.is_file():
        before = {}  # nothing to go on from
    before, stranger = distributed.agreed((before, not before and (args.out / "model.safetensors").exists()))
    if before and not args.resume:
        for name in ("train.json", "checkpoint.pt", "model.json", "vocab.json", "model.safetensors") if first else ():
            (args.out / name).unlink(missing_ok=True)
        before = {}
    if before:
        if changed := [name for name in asked if before["asked"].get(name) != asked[name]]:
            raise ValueError(
                f"{args.out} holds a run with another {' and '.join(changed)}: choose another --out, "
                "or give --no-resume to replace it"
            )
        if before["finished"]:
            return before, f"{args.out} is trained already; --no-resume trains it again", 0
    elif stranger:
        raise ValueError(f"{args.out} holds a model that this command did not train: choose another --out")
    if first:
        args.out.mkdir(parents=True, exist_ok=True)
    body: dict[str, Any] = {"out": str(args.out), "shards": [str(s) for s in shards], "asked": asked, "finished": False}
    if first:
        _write(log, body)

    tokenizer = models.tokenizer_for(config, None if args.full_vocabulary else _texts(pairs.captions, labels))
    model = models.build(config, tokenizer, seed=args.seed)
    resumed = distributed.agreed(checkpoint.is_file())
    with footprint.explained(config, recipe, device_for(device)):
        history = train(
            model,
            tokenizer,
            pairs,
            recipe,
            seed=args.seed,
            device=device,
            checkpoint=checkpoint,
            checkpoint_every=args.checkpoint_every,
        )
    if not first:
        return body, "", 0
    models.save(args.out, model.cpu(), config, tokenizer)
    body |= {
        "finished": True,
        "resumed": resumed,
        "steps": history.steps,
        "loss": history.loss,
        "seconds": round(history.seconds, 2),
        "samples_per_second": round(history.samples_per_second, 1),
        "vocabulary": tokenizer.vocab_size,
        "device": device,
        "processes": distributed.size(),
        "machine": _common.machine(),
    }
    _write(log, body)
    text = (
        f"{len(pairs)} pairs, {history.steps} steps, loss {history.loss[-1]:.3f}, "
        f"{history.samples_per_second:,.0f} samples/s on {device}\nmodel: {args.out}"
    )
    return body, text, 0


def _labels(args: argparse.Namespace, shards: list[Path]) -> list[str]:
    """The classes that the model may be asked about: `--labels`, and labels.txt beside the shards."""
    files = [args.labels] if args.labels else []
    files += [f for folder in dict.fromkeys(s.parent for s in shards) if (f := folder / "labels.txt").is_file()]
    return list(dict.fromkeys(label for file in files for label in _common.read_labels(file)))


def _texts(captions: tuple[str, ...], labels: list[str]) -> list[str]:
    """What the vocabulary must cover: the captions and the 80 prompts of every class (of none: their words)."""
    from tutorial_lib.data.captions import prompt_captions

    return [*captions, *(prompt for label in labels or [""] for prompt in prompt_captions(label))]


def _write(path: Path, body: dict[str, Any]) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n")
    os.replace(part, path)
