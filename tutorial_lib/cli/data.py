"""`tutorial data`: the course's pictures as WebDataset shards."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, positive


def add(subparsers) -> None:
    parser = subparsers.add_parser("data", help="write the course's pictures as WebDataset shards")
    names = parser.add_subparsers(dest="data", metavar="NAME", required=True)
    emoji = _common.command(
        names,
        "emojicaps",
        run,
        help="write EmojiCaps pairs as WebDataset shards, with labels.txt and the attribution",
        example="tutorial data emojicaps --out clean",
    )
    emoji.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the shards")
    emoji.add_argument("--split", choices=("train", "validation", "test"), default="train", help="(default: train)")
    emoji.add_argument("--copies", type=positive, default=8, help="pictures per drawing (default: %(default)s)")
    emoji.add_argument("--side", type=positive, default=32, help="width and height in pixels (default: %(default)s)")
    emoji.add_argument("--classes", type=positive, default=320, help="number of concepts (default: %(default)s)")
    emoji.add_argument("--shard-size", type=positive, default=1000, help="pairs per shard (default: %(default)s)")
    emoji.add_argument(
        "--seed", type=int, default=0, help="draws backgrounds, places and captions of the training pairs (default: 0)"
    )


def run(args: argparse.Namespace) -> Result:
    import torch

    from tutorial_lib.data import emojicaps
    from tutorial_lib.data.captions import plain_label
    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.data.shard_writer import write_pairs
    from tutorial_lib.data.tasks import class_concepts, training_pairs, zero_shot_task

    if args.side < 8:
        raise ValueError(f"--side must be at least 8 pixels, not {args.side}")
    if old := sorted(args.out.glob("emojicaps-*.tar")):
        raise ValueError(f"{args.out} already holds {old[0].name}: choose another --out or remove it")
    pictures = emojicaps.load()
    concepts = class_concepts(pictures, args.classes)
    names = [plain_label(pictures.concepts[c].label) for c in concepts]
    if args.split == "train":
        pairs = training_pairs(pictures, concepts, copies=args.copies, side=args.side, seed=args.seed)
        labels = [plain_label(pictures.concepts[c].label) for c in pairs.concept.tolist()]
    else:
        task = zero_shot_task(pictures, concepts, split=args.split, draws=args.copies, side=args.side)
        labels = [names[t] for t in task.targets.tolist()]
        keys = tuple(f"{args.split}-{i:05d}" for i in range(len(task)))
        pairs = Pairs(task.images, tuple(labels), keys, torch.tensor(task.concepts)[task.targets])
    shards = write_pairs(args.out, pairs, prefix="emojicaps", shard_size=args.shard_size, labels=labels)
    (args.out / "labels.txt").write_text("\n".join(names) + "\n")
    for notice in sorted(emojicaps.FOLDER.glob("ATTRIBUTION*")):
        shutil.copy(notice, args.out / notice.name)
    body = {
        "out": str(args.out),
        "shards": [str(path) for path in shards],
        "pairs": len(pairs),
        "split": args.split,
        "side": args.side,
        "classes": len(names),
        "seed": args.seed,
        "fingerprint": pairs.fingerprint(),
    }
    what = f"{len(pairs)} pairs of {args.side}x{args.side} pixels, {len(names)} classes"
    text = f"{what}, in {len(shards)} shards: {args.out}"
    return body, text, 0
