"""`tutorial poison`: read shards, write extra shards and a manifest. Training is not touched."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result, positive


def add(subparsers) -> None:
    parser = _common.command(
        subparsers,
        "poison",
        run,
        help="write poisoned pairs as extra WebDataset shards, with a manifest of every one",
        example="tutorial poison clean --out poisons --attack backdoor --target banana --count 256",
    )
    parser.add_argument(
        "shards", nargs="+", metavar="SHARDS", help="clean .tar files, folders, globs or {000..099}.tar"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the poison-*.tar shards")
    parser.add_argument("--attack", choices=("backdoor", "targeted"), required=True)
    parser.add_argument("--target", required=True, metavar="LABEL", help="the class that the attacker wants to be seen")
    parser.add_argument("--count", type=positive, required=True, help="number of poisons to add")
    parser.add_argument(
        "--captions",
        choices=("search", "prompts"),
        help="captions of the data set that contain LABEL, or the 80 CLIP prompts "
        "(default: search for a backdoor, prompts for a targeted attack)",
    )
    parser.add_argument("--image", type=Path, metavar="FILE", help="targeted: the picture that shall be misread")
    parser.add_argument("--side", type=positive, help="resize pictures to this side first, as open_clip does")
    parser.add_argument(
        "--with-clean",
        action="store_true",
        help="also write the clean pairs, through the same resizing and codec, to DIR/clean",
    )
    parser.add_argument("--codec", choices=("webp", "png"), default="webp", help="lossless (default: %(default)s)")
    parser.add_argument("--shard-size", type=positive, default=1000, help="pairs per shard (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="draws pictures, captions and random places (default: 0)")
    _common.add_trigger(parser)


@dataclass(frozen=True)
class _Index:
    """What one pass over the shards tells: nothing is decoded but the pictures' headers."""

    keys: list[str]
    captions: list[str]
    lossy: int
    sizes: set[tuple[int, int]]


def run(args: argparse.Namespace) -> Result:
    from tqdm.auto import tqdm

    from tutorial_lib.attacks import poison as poisoning
    from tutorial_lib.attacks.poison import caption_set
    from tutorial_lib.data.shard_writer import ShardWriter, write_pairs
    from tutorial_lib.data.shards import decode, expand, samples

    _check(args)
    trigger = _common.trigger(args) if args.attack == "backdoor" else None
    shards = expand(args.shards)
    index = _read_index(args, shards, trigger)
    total = len(index.keys)
    method = args.captions or ("search" if args.attack == "backdoor" else "prompts")
    captions = caption_set(method, args.target, index.captions)
    side = args.side or (next(iter(index.sizes))[0] if len(set(next(iter(index.sizes)))) == 1 else None)
    if trigger is not None:
        made = _backdoor(args, shards, index, captions, trigger)
    else:
        import torch

        image = torch.from_numpy(decode(args.image.read_bytes(), side=side)).permute(2, 0, 1)
        name = args.image.stem.replace(".", "_")
        made = poisoning.targeted(image, captions, args.count, target=args.target, seed=args.seed, name=name)
        digest = hashlib.sha256(args.image.read_bytes()).hexdigest()
        made = dataclasses.replace(made, settings=made.settings | {"image": args.image.name, "image_sha256": digest})
    if (index.lossy or len(index.sizes) > 1 or args.side) and not args.with_clean:
        warnings.warn(
            "the clean pictures are stored in a lossy codec or in other sizes than the poisons, which a model could "
            "learn to tell apart; --with-clean writes them in the same way",
            _common.Note,
            stacklevel=2,
        )
    made = dataclasses.replace(
        made, settings=made.settings | {"captions": method, "caption_set": len(captions), "side": side, "clean": total}
    )
    clean_shards: list[Path] = []
    if args.with_clean:
        kept = set(index.keys)
        with ShardWriter(args.out / "clean", prefix="clean", shard_size=args.shard_size, codec=args.codec) as writer:
            for sample in tqdm(samples(shards), total=total, unit="pair", desc="clean", disable=None):
                if sample.key in kept and sample.picture and sample.caption:
                    try:
                        writer.add(sample.key, decode(sample.picture, side=side), sample.caption, sample.meta)
                    except ValueError:
                        continue  # corrupted behind a sound header: a trainer skips it as well
        clean_shards = writer.paths
    written = write_pairs(args.out, made.pairs, prefix="poison", shard_size=args.shard_size, codec=args.codec)
    manifest = args.out / "manifest.json"
    part = manifest.with_suffix(".json.part")
    made.write_manifest(part)
    os.replace(part, manifest)
    rate = made.rate(total)
    body = {
        "attack": args.attack,
        "target": args.target,
        "count": len(made),
        "clean": total,
        "rate": rate,
        "captions": {"method": method, "distinct": len(captions)},
        "seed": args.seed,
        "shards": [str(path) for path in written],
        "clean_shards": [str(path) for path in clean_shards],
        "manifest": str(manifest),
    }
    text = (
        f"{len(made)} poisons added to {total} clean pairs: rate {rate:.3%}\n"
        f"{args.attack} towards {args.target!r}, {len(captions)} captions by {method}\n"
        f"{len(written)} shards and {manifest}"
    )
    return body, text, 0


def _check(args: argparse.Namespace) -> None:
    """Everything that can be wrong before a shard is read."""
    if not args.target.strip():
        raise ValueError("--target is empty: give the label of a class")
    if args.attack == "targeted":
        if args.image is None:
            raise ValueError("a targeted attack needs --image FILE, the picture that shall be misread")
        if not args.image.is_file():
            raise ValueError(f"there is no picture {args.image}")
    elif args.image is not None:
        raise ValueError("--image belongs to --attack targeted; a backdoor stamps pictures of the data set")
    if old := [*args.out.glob("poison-*.tar"), *args.out.glob("manifest.json"), *args.out.glob("clean/*.tar")]:
        raise ValueError(f"{args.out} already holds {old[0].name}: choose another --out or remove it")


def _read_index(args: argparse.Namespace, shards: list[Path], trigger) -> _Index:
    import torch
    from PIL import Image
    from tqdm.auto import tqdm

    from tutorial_lib.data.shards import Tally, decode, samples

    index, tally, seen = _Index([], [], 0, set()), Tally(), set()
    lossy = 0
    for sample in tqdm(samples(shards), unit="pair", desc="reading", disable=None):
        if tally.unusable(sample):
            continue
        try:
            with Image.open(io.BytesIO(sample.picture)) as picture:
                size = picture.size
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            tally.skip(sample, "with a corrupted picture")
            continue
        if sample.key in seen:
            raise ValueError(f"the key {sample.key} occurs twice ({sample.shard}): is a shard given twice?")
        if trigger is not None and not index.keys:  # says at once if the patch does not fit
            trigger.stamp(torch.from_numpy(decode(sample.picture, side=args.side)).permute(2, 0, 1)[None])
        seen.add(sample.key)
        index.keys.append(sample.key)
        index.captions.append(sample.caption)
        index.sizes.add(size)
        lossy += not sample.lossless
        tally.used += 1
        if len(index.sizes) > 1 and not args.side:
            (a, b), (c, d) = sorted(index.sizes)[:2]
            raise ValueError(f"the pictures have several sizes ({a}x{b}, {c}x{d}, …): give --side to resize all to")
    tally.report()
    return dataclasses.replace(index, lossy=lossy)


def _backdoor(args: argparse.Namespace, shards: list[Path], index: _Index, captions: list[str], trigger):
    """Decode as many pictures as are needed, then stamp them."""
    import numpy as np
    import torch
    from tqdm.auto import tqdm

    from tutorial_lib.attacks import poison as poisoning
    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.data.shards import decode, samples

    wanted = args.target.lower()
    usable = [i for i, caption in enumerate(index.captions) if wanted not in caption.lower()]
    if args.count > len(usable):
        raise ValueError(
            f"{args.count} poisons need {args.count} different pictures, and {len(usable)} of {len(index.keys)} do not "
            f"show {args.target!r}: lower --count"
        )
    order = torch.randperm(len(usable), generator=torch.Generator().manual_seed(args.seed)).tolist()
    spare = 16 + args.count // 50  # some may turn out to be corrupted
    chosen = {index.keys[usable[k]]: usable[k] for k in order[: args.count + spare]}
    found: dict[int, tuple[np.ndarray, int]] = {}
    for sample in tqdm(samples(shards), total=len(index.keys), unit="pair", desc="decoding", disable=None):
        if (position := chosen.get(sample.key)) is not None:
            try:
                found[position] = decode(sample.picture, side=args.side), sample.meta.get("concept", -1)
            except ValueError:
                continue
        if len(found) == len(chosen):
            break
    positions = [p for p in chosen.values() if p in found][: args.count]
    if len(positions) < args.count:
        raise ValueError(f"only {len(positions)} of the pictures drawn can be decoded: the shards are damaged")
    concepts = [found[p][1] for p in positions]
    sources = Pairs(
        torch.from_numpy(np.stack([found[p][0] for p in positions])).permute(0, 3, 1, 2).contiguous(),
        tuple(index.captions[p] for p in positions),
        tuple(index.keys[p] for p in positions),
        torch.tensor([c if isinstance(c, int) else -1 for c in concepts]),
    )
    return poisoning.backdoor(sources, captions, args.count, trigger=trigger, target=args.target, seed=args.seed)
