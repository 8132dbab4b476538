"""`tutorial clean`: finetune a model that may be backdoored, and say what that did."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutorial_lib.cli import _common, _pictures
from tutorial_lib.cli._common import Result, percent, positive

if TYPE_CHECKING:
    import open_clip

    from tutorial_lib.cli._pictures import LabelledPictures
    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.models.classifier import Classifier
    from tutorial_lib.models.tokenizer import Tokenizer

METHODS = ("cleanclip", "finetune", "self_supervised", "supervised", "anti_backdoor")


def add(subparsers) -> None:
    parser = _common.command(
        subparsers,
        "clean",
        run,
        help="finetune a model on pairs that you trust, and measure it before and after",
        example="tutorial clean model --data trusted --method cleanclip --out cleaned --target banana",
    )
    parser.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help="a model directory, or an epoch_*.pt of open_clip_train"
    )
    parser.add_argument("--data", nargs="+", required=True, metavar="SHARDS", help="shards of pairs that you trust")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the cleaned model goes")
    parser.add_argument("--method", choices=METHODS, default="cleanclip", help="(default: %(default)s)")
    parser.add_argument("--model", metavar="CONFIG", help="config of an epoch_*.pt")
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N pairs")
    parser.add_argument("--training", nargs="+", metavar="SHARDS", help="the training pairs, for anti_backdoor")
    parser.add_argument(
        "--manifest", nargs="+", type=Path, default=[], metavar="FILE", help="of poisons to look out for"
    )
    recipe = parser.add_argument_group("recipe")
    recipe.add_argument("--epochs", type=positive, default=10, help="(default: %(default)s)")
    recipe.add_argument("--batch-size", type=positive, default=64, help="(default: %(default)s)")
    recipe.add_argument("--lr", type=float, default=1e-3, help="peak learning rate (default: %(default)s)")
    recipe.add_argument("--weight-decay", type=float, default=0.1, help="(default: %(default)s)")
    recipe.add_argument("--lambda-self", type=float, default=1.0, help="weight of self-supervision (default: 1)")
    recipe.add_argument("--shrink", type=float, default=1.0, help="first multiply all weights (default: 1)")
    recipe.add_argument("--perturb", type=float, default=0.0, help="then add noise of that size (default: 0)")
    parser.add_argument("--target", metavar="LABEL", help="also measure the success of a trigger for that class")
    _pictures.add(parser, "--eval-data")
    _common.add_trigger(parser)
    _common.add_device(parser)


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib import models
    from tutorial_lib.data.loading import read_pairs
    from tutorial_lib.data.shards import expand
    from tutorial_lib.defenses import Defense, Material, Run, clean
    from tutorial_lib.trials import Recipe

    _pictures.check(args, "--eval-data")
    defense = Defense(
        args.method,
        Recipe(epochs=args.epochs, batch_size=args.batch_size, lr=args.lr, weight_decay=args.weight_decay),
        lambda_self=args.lambda_self,
        shrink=args.shrink,
        perturb=args.perturb,
    )
    if args.method == "anti_backdoor" and not args.training:
        raise ValueError("anti_backdoor looks for poisons in the training pairs: give them with --training SHARDS")
    if args.out.exists() and not args.out.is_dir():
        raise ValueError(f"{args.out} is a file: --out is the folder of the cleaned model")
    if (args.out / "model.safetensors").exists():
        raise ValueError(f"{args.out} holds a model already: choose another --out")
    device = _common.device(args)
    trigger = _common.trigger(args) if args.target else None
    model, tokenizer = models.load(args.checkpoint, args.model)
    side = _pictures.side_of(model)
    pictures = _pictures.load(args, side)
    target = _pictures.class_of(args.target, pictures.labels) if args.target else None
    shards = expand(args.data)
    pairs = read_pairs(shards, side=side, limit=args.limit or 0)
    poisons = _poisons_among(pairs, [*(s.parent / "manifest.json" for s in shards), *args.manifest])
    labels = _labels(args, pairs, pictures) if args.method == "supervised" else None
    training = read_pairs(args.training, side=side) if args.training else None

    probe = _Probe(pictures, trigger, target, args.seed)
    model = model.to(device)
    before = probe(model, tokenizer)
    cleaned = clean(
        model,
        tokenizer,
        Material(pairs, labels, len(pictures.labels), training),
        defense,
        Run(seed=args.seed, device=device, progress=None),
    )
    after = probe(cleaned.model, tokenizer)
    args.out.mkdir(parents=True, exist_ok=True)
    saved = _save(args.out, cleaned.model, tokenizer, args, pictures.labels)
    body: dict[str, Any] = {
        "checkpoint": str(args.checkpoint),
        "out": str(args.out),
        "files": saved,
        "method": args.method,
        "defense": asdict(defense),
        "pairs": len(pairs),
        "poisons_among_the_pairs": poisons,
        "target": args.target,
        "trigger": asdict(trigger) if trigger is not None else None,
        "before": before,
        "after": after,
        "steps": cleaned.history.steps,
        "seconds": round(cleaned.history.seconds, 2),
        "notes": cleaned.notes,
        "computed_on": pictures.about | {"pictures": len(pictures.images), "classes": len(pictures.labels)},
    }
    (args.out / "clean.json").write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n")
    rows = [("clean accuracy", "clean_accuracy")]
    if trigger is not None:
        rows += [
            (f"attack success, {args.target!r}", "attack_success"),
            ("accuracy on triggered", "accuracy_on_triggered"),
        ]
    lines = [
        f"{args.method} on {len(pairs)} pairs, {cleaned.history.steps} steps, {cleaned.history.seconds:.0f} s",
        f"{'':32s}{'before':>9s}{'after':>9s}",
        *(f"{name:32s}{percent(before[key]):>9s}{percent(after[key]):>9s}" for name, key in rows),
    ]
    if trigger is not None:
        lines.append(f"{'z-score':32s}{before['z_score']:9.2f}{after['z_score']:9.2f}")
    lines.append(f"model: {args.out}")
    return body, "\n".join(lines), 0


@dataclass(frozen=True)
class _Probe:
    """What is measured before and after."""

    pictures: LabelledPictures
    trigger: Any
    target: int | None
    seed: int

    def __call__(self, model: open_clip.CLIP | Classifier, tokenizer: Tokenizer) -> dict[str, float]:
        from tutorial_lib.evaluate import accuracy, attack_success_rate, embed_images, predict, zero_shot_classifier
        from tutorial_lib.models.classifier import Classifier, read_with_head
        from tutorial_lib.zscore import backdoor_z_score

        p = self.pictures
        clean = embed_images(model, p.images)
        if isinstance(model, Classifier):
            read = lambda points: read_with_head(model, points)  # noqa: E731
        else:
            weights = zero_shot_classifier(model, tokenizer, p.labels)
            read = lambda points: predict(points, weights)  # noqa: E731
        found = {"clean_accuracy": accuracy(read(clean), p.targets).rate}
        if self.trigger is not None and self.target is not None:
            triggered = embed_images(model, self.trigger.stamp(p.images, self.seed))
            found |= {
                "attack_success": attack_success_rate(read(triggered), p.targets, self.target).rate,
                "attack_success_untriggered": attack_success_rate(read(clean), p.targets, self.target).rate,
                "accuracy_on_triggered": accuracy(read(triggered), p.targets).rate,
                "z_score": backdoor_z_score(clean, triggered),
                "embedding_distance": (clean - triggered).norm(dim=1).mean().item(),
            }
        return found


def _poisons_among(pairs: Pairs, manifests: list[Path]) -> int:
    """How many of the pairs a manifest names as poisons; warns if there are some.

    Raises:
        ValueError: a manifest cannot be read.
    """
    import warnings

    named: set[str] = set()
    for path in dict.fromkeys(manifests):
        if not path.is_file():
            continue
        try:
            named |= {p["key"] for p in json.loads(path.read_text())["poisons"]}
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a manifest of poisons: {error!r}") from error
    found = sum(key in named for key in pairs.keys)
    if found:
        warnings.warn(
            f"{found} of the {len(pairs)} pairs that you trust are poisons, says a manifest: a handful is enough to "
            "keep a backdoor alive",
            _common.Note,
            stacklevel=2,
        )
    return found


def _labels(args: argparse.Namespace, pairs: Pairs, pictures: LabelledPictures):
    """Class of each trusted picture, as for pictures that are classified; -1 where its shard does not say.

    Raises:
        ValueError: a class has no labelled picture, so the head could not learn it.
    """
    import torch

    from tutorial_lib.data.shards import samples

    if pictures.class_of_concept is not None:
        labels = pictures.class_of_concept(pairs.concept)
    else:
        number = {label: i for i, label in enumerate(pictures.labels)}
        known = {s.key: _pictures.true_class(s, number) for s in samples(args.data)}
        labels = torch.tensor([known[key] for key in pairs.keys])
    there = set(labels.tolist())
    missing = [name for k, name in enumerate(pictures.labels) if k not in there]
    if missing:
        raise ValueError(
            f"supervised finetuning needs a labelled picture of every class, and {len(missing)} have none: "
            f"{', '.join(missing[:5])}{', …' if len(missing) > 5 else ''}; give more pairs or fewer classes"
        )
    return labels


def _save(out: Path, model, tokenizer: Tokenizer, args: argparse.Namespace, labels: tuple[str, ...]) -> list[str]:
    """Write the model directory, or a classifier's weights and class names."""
    from safetensors.torch import save_file

    from tutorial_lib import models
    from tutorial_lib.models.classifier import Classifier

    if isinstance(model, Classifier):
        save_file({k: v.cpu().contiguous() for k, v in model.state_dict().items()}, out / "model.safetensors")
        (out / "labels.txt").write_text("\n".join(labels) + "\n")
    else:
        given = args.checkpoint / "model.json"
        config = json.loads(given.read_text()) if given.is_file() else models.model_config(args.model)
        models.save(out, model.cpu(), config, tokenizer)
    return sorted(p.name for p in out.iterdir())
