"""`tutorial evaluate`: is a model accurate, and does a trigger command it?"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from tutorial_lib.cli import _common, _pictures
from tutorial_lib.cli._common import Result, percent


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
    _pictures.add(parser)
    _common.add_trigger(parser)
    _common.add_device(parser)


def run(args: argparse.Namespace) -> Result:
    from tutorial_lib import models
    from tutorial_lib.evaluate import accuracy, attack_success_rate, embed_images, predict, zero_shot_classifier
    from tutorial_lib.zscore import backdoor_z_score, pair_similarity

    _pictures.check(args)
    device = _common.device(args)
    trigger = _common.trigger(args)
    model, tokenizer = models.load(args.checkpoint, args.model)
    side = _pictures.side_of(model)
    pictures = _pictures.load(args, side)
    target = _pictures.class_of(args.target, pictures.labels)
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
