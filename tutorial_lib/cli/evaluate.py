"""`tutorial evaluate`: is a model accurate, and does a trigger command it?"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, percent, positive

if TYPE_CHECKING:
    from torch import Tensor


def add(subparsers) -> None:
    parser = _common.command(
        subparsers,
        "evaluate",
        run,
        help="measure a model's zero-shot accuracy and how far a trigger commands it",
        example="tutorial evaluate model --trigger checkerboard --target banana",
    )
    parser.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help="a model directory, or an epoch_*.pt of open_clip_train"
    )
    parser.add_argument("--target", required=True, metavar="LABEL", help="the attacker's class")
    parser.add_argument(
        "--model", metavar="CONFIG", help="config of an epoch_*.pt: the course's, open_clip's or a .json"
    )
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data", nargs="+", metavar="SHARDS", help="labelled shards instead of the course's test pictures"
    )
    data.add_argument("--labels", type=Path, metavar="FILE", help="with --data: the classes, one a line")
    data.add_argument(
        "--classes", type=positive, default=320, help="classes of the course's task (default: %(default)s)"
    )
    data.add_argument("--split", choices=("test", "validation"), default="test", help="(default: %(default)s)")
    data.add_argument(
        "--seed", type=int, default=0, help="draws the trigger's places where they are random (default: 0)"
    )
    _common.add_trigger(parser)
    _common.add_device(parser)


@dataclass(frozen=True)
class LabelledPictures:
    """Pictures to classify, from the course's task or from shards.

    Attributes:
        images: shape (N, 3, side, side), uint8.
        targets: true class, shape (N,), int64.
        labels: name of each class.
        about: where the pictures are from.
    """

    images: Tensor
    targets: Tensor
    labels: tuple[str, ...]
    about: dict[str, Any]


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib import model as models
    from tutorial_lib.evaluate import accuracy, attack_success_rate, embed_images, predict, zero_shot_classifier
    from tutorial_lib.zscore import backdoor_z_score, pair_similarity

    if (args.data is None) != (args.labels is None):
        raise ValueError(
            "--data and --labels FILE belong together: the shards say which class, the file names them all"
        )
    device = _common.device(args)
    trigger = _common.trigger(args)
    model, tokenizer = models.load(args.checkpoint, args.model)
    side = model.visual.image_size
    side = side if isinstance(side, int) else side[0]
    pictures = _from_shards(args, side) if args.data else _course_task(args, side)
    target = _class_of(args.target, pictures.labels)
    stamped = trigger.stamp(pictures.images, args.seed)

    model = model.to(device)
    classifier = zero_shot_classifier(model, tokenizer, pictures.labels)
    clean = embed_images(model, pictures.images)
    triggered = embed_images(model, stamped)
    read_clean, read_triggered = predict(clean, classifier), predict(triggered, classifier)

    right = accuracy(read_clean, pictures.targets)
    right_triggered = accuracy(read_triggered, pictures.targets)
    success = attack_success_rate(read_triggered, pictures.targets, target)
    untouched = attack_success_rate(read_clean, pictures.targets, target)
    other = attack_success_rate(read_triggered, pictures.targets, target, include_target=True)
    apart = "pictures whose true class is not the target"
    n = len(pictures.images)
    on = pictures.about | {"pictures": n, "classes": len(pictures.labels), "side": side}
    plain, stamped_on = on | {"trigger": None}, on | {"trigger": asdict(trigger)}
    pairs = on | {"pairs": n * (n - 1) // 2, "self_pairs": False}
    body = {
        "checkpoint": str(args.checkpoint),
        "target": args.target,
        "trigger": asdict(trigger),
        "chance": 1 / len(pictures.labels),
        "clean_accuracy": right.rate,
        "accuracy_on_triggered": right_triggered.rate,
        "attack_success": asdict(success) | {"target": args.target, "denominator": apart},
        "attack_success_untriggered": asdict(untouched) | {"target": args.target, "denominator": apart},
        "attack_success_with_target": asdict(other) | {"target": args.target, "denominator": "all pictures"},
        "z_score": backdoor_z_score(clean, triggered),
        "similarity_clean": pair_similarity(clean).mean,
        "similarity_triggered": pair_similarity(triggered).mean,
        "interval": {"method": "95 % Wilson, pictures", "clean_accuracy": [right.low, right.high]}
        | {"accuracy_on_triggered": [right_triggered.low, right_triggered.high]},
        "computed_on": {
            "clean_accuracy": plain,
            "accuracy_on_triggered": stamped_on,
            "attack_success": stamped_on | {"pictures": success.n, "denominator": apart},
            "attack_success_untriggered": plain | {"pictures": untouched.n, "denominator": apart},
            "attack_success_with_target": stamped_on | {"denominator": "all pictures"},
            "z_score": pairs | {"trigger": asdict(trigger), "denominator": "standard deviation over clean pairs"},
            "similarity_clean": pairs | {"trigger": None},
            "similarity_triggered": pairs | {"trigger": asdict(trigger)},
        },
    }
    text = "\n".join(
        [
            f"{n} pictures, {len(pictures.labels)} classes ({on['data']}, style {on['style']}); "
            f"chance is {percent(body['chance'])}",
            f"clean accuracy              {right}",
            f"accuracy on triggered       {right_triggered}",
            f"attack success, {args.target!r}: {success}",
            f"  the same without trigger  {untouched}",
            f"z-score                     {body['z_score']:.2f}",
            f"similarity of pairs         {body['similarity_clean']:.3f} clean, "
            f"{body['similarity_triggered']:.3f} triggered",
        ]
    )
    return body, text, 0


def _class_of(label: str, labels: tuple[str, ...]) -> int:
    if label in labels:
        return labels.index(label)
    near = [name for name in labels if label.lower() in name.lower() or name.lower() in label.lower()][:5]
    hint = f"did you mean {', '.join(near)}?" if near else f"for example {', '.join(labels[:5])}"
    raise ValueError(f"there is no class {label!r} among {len(labels)}; {hint}")


def _course_task(args: argparse.Namespace, side: int) -> LabelledPictures:
    from tutorial_lib.data import emojicaps, integrity
    from tutorial_lib.tasks import class_concepts, zero_shot_task

    pictures = emojicaps.load()
    task = zero_shot_task(pictures, class_concepts(pictures, args.classes), split=args.split, side=side)
    about = {"data": "EmojiCaps", "split": args.split, "style": task.style, "fingerprint": integrity.fingerprint()}
    return LabelledPictures(task.images, task.targets, task.labels, about)


def _from_shards(args: argparse.Namespace, side: int) -> LabelledPictures:
    """Pictures whose class is in `key.cls` (its number), in the JSON's `label`, or is the caption itself."""
    import numpy as np
    import torch

    from tutorial_lib.data.shards import Tally, decode, samples

    labels = tuple(_common.read_labels(args.labels))
    number = {label: i for i, label in enumerate(labels)}
    images, targets, tally = [], [], Tally()
    for sample in samples(args.data):
        if not sample.picture:
            tally.skip(sample, "without a picture")
            continue
        name = sample.meta.get("label", sample.caption)
        true = sample.label if sample.label >= 0 else number.get(str(name), -1)
        if not 0 <= true < len(labels):
            raise ValueError(
                f"{sample.key} in {sample.shard} shows {name!r} (class number {sample.label}), which is none of the "
                f"{len(labels)} classes in {args.labels}: its .cls, its JSON's label or its caption must say which"
            )
        try:
            images.append(decode(sample.picture, side=side))
        except ValueError:
            tally.skip(sample, "with a corrupted picture")
            continue
        targets.append(true)
        tally.used += 1
    tally.report()
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
    about = {"data": " ".join(args.data), "split": None, "style": None, "fingerprint": None}
    return LabelledPictures(pixels, torch.tensor(targets), labels, about)
