"""Shards in, a model directory out; killed and called again, it goes on."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from tutorial_lib import costs, models
from tutorial_lib.data.captions import prompt_captions
from tutorial_lib.data.decoding import CENTRE
from tutorial_lib.data.loading import open_pairs
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.shards import TOLERANCE, expand
from tutorial_lib.files import whole
from tutorial_lib.machine import chosen_device
from tutorial_lib.models.properties import weights_hash
from tutorial_lib.notes import Note
from tutorial_lib.practice.machine import machine
from tutorial_lib.practice.pictures import read_labels, resizing_of
from tutorial_lib.practice.vocabulary import unread
from tutorial_lib.training import distributed, memory
from tutorial_lib.training.device import device_for
from tutorial_lib.training.loop import train
from tutorial_lib.training.text_augment import synonyms_of
from tutorial_lib.trials import History, Method, Recipe
from tutorial_lib.trials.schema import as_dict

#: The config where none is named.
MODEL = "tiny-rn"
#: What a run leaves in its folder.
LOG, CHECKPOINT = "train.json", "checkpoint.pt"
FILES = (LOG, CHECKPOINT, "model.json", "vocab.json", "model.safetensors")


#: Captions that are looked at for what a trainer does in silence, and steps below which a run teaches little.
LOOKED_AT, FEW_STEPS = 100_000, 50


@dataclass(frozen=True)
class Training:
    """A run, as its `train.json` tells it.

    Attributes:
        out: the model directory.
        shards: what it was trained on.
        asked: what decides the result; another call with the same goes on with the run.
        finished: the model is there; what follows is known only then.
        resumed: from a checkpoint.
        steps: of the whole run.
        loss: mean of each epoch.
        seconds, samples_per_second: of the part that ran last.
        vocabulary: tokens that the model knows.
        device, processes, machine: that it ran on.
        found: it was finished before it was asked for.

    Example:
        See `train_shards`, which makes one.

        >>> "samples_per_second" in Training.__dataclass_fields__
        True
    """

    out: str
    shards: tuple[str, ...]
    asked: Mapping[str, Any]
    finished: bool = False
    resumed: bool = False
    steps: int = 0
    loss: tuple[float, ...] = ()
    seconds: float = 0.0
    samples_per_second: float = 0.0
    vocabulary: int = 0
    device: str = ""
    processes: int = 1
    machine: Mapping[str, Any] = field(default_factory=dict)
    found: bool = field(default=False, metadata={"recorded": False})

    def as_dict(self) -> dict[str, Any]:
        """Plain data: what `train.json` holds."""
        body = {name: value for name, value in asdict(self).items() if name in _recorded()}
        kept = body if self.finished else {name: body[name] for name in ("out", "shards", "asked", "finished")}
        plain: dict[str, Any] = json.loads(json.dumps(kept))
        return plain

    def __str__(self) -> str:
        if self.found:
            return f"{self.out} is trained already; `resume=False` trains it again"
        if not self.finished:
            return ""
        return (
            f"{self.asked['pairs']} pairs, {self.steps} steps, loss {self.loss[-1]:.3f}, "
            f"{self.samples_per_second:,.0f} samples/s on {self.device}\nmodel: {self.out}"
        )


def train_shards(
    shards: Sequence[str | Path],
    out: Path,
    *,
    model: str | None = None,
    pretrained: str | Path | None = None,
    recipe: Recipe | None = None,
    method: Method | None = None,
    labels: Path | None = None,
    full_vocabulary: bool = False,
    skip_bad: float = TOLERANCE,
    seed: int = 0,
    checkpoint_every: int = 1,
    resume: bool = True,
    yes: bool = False,
    device: str | None = None,
) -> Training:
    """Train a CLIP model on shards; under `torchrun`, on all the devices that it started a process for.

    Args:
        shards: files, folders, globs or ranges, clean or poisoned.
        out: the model directory; an interrupted run with the same arguments goes on from its checkpoint.
        model: name of a config, the course's or open_clip's, or a JSON file; by default "tiny-rn", or what
            `pretrained` says.
        pretrained: a model to start from, in any form that `tutorial_lib.models.read` knows, or open_clip's name of
            weights for the architecture `model`.
        recipe: hyper-parameters; by default the course's.
        method: another way to train than plainly, of `tutorial_lib.training.methods`.
        labels: file of classes that the model may be asked about, beside a `labels.txt` in the shards' folders.
        full_vocabulary: keep all of CLIP's tokens, not only those that occur.
        skip_bad: share of the pairs that may be unusable.
        seed: initial weights, order and views.
        checkpoint_every: epochs between two checkpoints.
        resume: if not, replace what is there.
        yes: train also where it will take more than an hour.
        device: by default the GPU if there is one.

    Raises:
        ValueError: there are fewer pairs than a batch, the method cannot follow the recipe, the folder holds another
            run or a stranger's model, or there is no such model or device, or it would take more than an hour and
            `yes` is not said.
        CheckpointError: what to start from cannot be read.
        ShardError: the shards cannot be used.
        MemoryError: says which number to lower.
        TrainingDivergedError: the loss became NaN or infinite.

    Example:
        >>> from tutorial_lib.practice.shards import write_emojicaps
        >>> clean = write_emojicaps(Path("clean"), copies=1, classes=16)
        >>> done = train_shards(clean.shards, Path("model"), model="rn-0.4m", recipe=Recipe(epochs=1, batch_size=40))
        >>> done.finished, done.steps
        (True, 2)
    """
    recipe = _checked(recipe or Recipe(), method)
    with distributed.group(device):
        device = chosen_device(device)
        start = None if pretrained is None else _start(pretrained, model, full_vocabulary)
        config = models.model_config(model or MODEL) if start is None else start.config
        found = expand(shards)
        classes = _labels(labels, found)
        how = CENTRE if start is None else resizing_of(start.model)
        pairs = open_pairs(found, side=models.config_side(config), resizing=how, skip_bad=skip_bad)
        if len(pairs) < recipe.batch_size:
            raise ValueError(f"{len(pairs)} pairs are fewer than one batch of {recipe.batch_size}: lower `batch_size`")
        asked = {
            "model": model or (MODEL if start is None else None),
            "recipe": json.loads(json.dumps(asdict(recipe))),
            "seed": seed,
            "pairs": len(pairs),
            "fingerprint": pairs.fingerprint(),
            "full_vocabulary": full_vocabulary,
            "labels": classes,
        } | _also_asked(start, method)
        begun = Training(str(out), tuple(map(str, found)), asked)
        first = distributed.rank() == 0  # the only one that writes
        if (before := _before(begun, resume, first)) is not None:
            return before
        cost = 1.0 if method is None else method.cost
        costs.announce(cost * memory.training_seconds(config, recipe, len(pairs), device=device), yes=yes)
        if first:
            out.mkdir(parents=True, exist_ok=True)
            _write(begun)
        if start is None:
            texts = None if full_vocabulary else _texts(pairs.captions, classes, augmented=method is not None)
            tokenizer = models.tokenizer_for(config, texts)
            clip = models.build(config, tokenizer, seed=seed)
        else:
            clip, tokenizer = start.model, start.tokenizer
            _warn_of_unread(tokenizer, pairs.captions)
        if first:
            _warn_of_data(pairs, found, tokenizer, recipe)
        resumed = distributed.agreed((out / CHECKPOINT).is_file())
        with memory.explained(config, recipe, device_for(device)):
            history = (train if method is None else method.train)(
                clip,
                tokenizer,
                pairs,
                recipe,
                seed=seed,
                device=device,
                checkpoint=out / CHECKPOINT,
                checkpoint_every=checkpoint_every,
                keep_checkpoint=True,
                progress=True,
            )
        if not first:
            return begun
        models.save(out, clip.cpu(), config, tokenizer)
        done = _finished(begun, history, resumed=resumed, vocabulary=tokenizer.vocab_size, device=device)
        _write(done)
        (out / CHECKPOINT).unlink(missing_ok=True)  # last: a model that cannot be saved costs an epoch and not a run
        return done


def _checked(recipe: Recipe, method: Method | None) -> Recipe:
    """The recipe, which the method can follow."""
    if method is not None:
        method.check(recipe)
    return recipe


def _also_asked(start: models.Checkpoint | None, method: Method | None) -> dict[str, Any]:
    """What decides the result of some runs only, and stands in their records only."""
    also = {} if start is None else {"pretrained": weights_hash(start.model)}
    return also if method is None else also | {"method": as_dict(method)}


def _start(pretrained: str | Path, model: str | None, full_vocabulary: bool) -> models.Checkpoint:
    """The model to start from: a file or folder, or open_clip's weights of an architecture.

    Raises:
        ValueError: what is asked for besides does not go with it.
        CheckpointError: it cannot be read.
    """
    if Path(pretrained).exists() or model is None:
        start = models.read(pretrained, model)
    else:
        start = models.read(model, pretrained=str(pretrained))
    if full_vocabulary and start.tokenizer.vocab is not None:
        raise ValueError(
            f"{pretrained} has a vocabulary pruned to {start.tokenizer.vocab_size:,} tokens, which training keeps: "
            "leave `full_vocabulary` out"
        )
    return start


def _warn_of_unread(tokenizer: models.Tokenizer, captions: Sequence[str]) -> None:
    """Say it where a vocabulary that training keeps lacks tokens of the captions."""
    if lacking := unread(tokenizer, captions):
        warnings.warn(
            f"{len(lacking)} of {len(captions)} captions hold words that the model's pruned vocabulary of "
            f"{tokenizer.vocab_size:,} tokens lacks, such as {lacking[0]!r:.60}: it cannot tell them apart",
            Note,
            stacklevel=3,
        )


def _warn_of_data(pairs: Pairs, shards: Sequence[Path], tokenizer: models.Tokenizer, recipe: Recipe) -> None:
    """What a trainer does in silence, and what makes a run learn little."""
    some, notes = pairs.captions[:LOOKED_AT], []
    of = f"of the first {len(some):,} captions" if len(some) < len(pairs) else f"of {len(some):,} captions"
    if cut := tokenizer.too_long(some):
        notes.append(f"{len(cut):,} {of} are longer than {tokenizer.context_length - 2} tokens and are cut")
    if len(different := set(some)) < len(some) / 2:
        notes.append(f"only {len(different):,} {of} differ: equal ones in a batch are told apart all the same")
    if (steps := recipe.steps(len(pairs))) < FEW_STEPS:
        notes.append(f"{steps} steps teach little: raise `epochs`, or lower `batch_size`")
    if _all_poisons(shards, pairs.keys):
        notes.append("every pair is a poison, says the manifest beside the shards: give the clean shards too")
    for note in notes:
        warnings.warn(note, Note, stacklevel=3)


def _all_poisons(shards: Sequence[Path], keys: Sequence[str]) -> bool:
    named: set[str] = set()
    for path in dict.fromkeys(shard.parent / "manifest.json" for shard in shards):
        try:
            named |= {line["key"] for line in json.loads(path.read_text("utf-8"))["poisons"]}
        except (OSError, ValueError, KeyError, TypeError):  # none there, or another program's
            continue
    return bool(named) and named.issuperset(keys)


def _finished(begun: Training, history: History, *, resumed: bool, vocabulary: int, device: str) -> Training:
    return replace(
        begun,
        finished=True,
        resumed=resumed,
        steps=history.steps,
        loss=tuple(history.loss),
        seconds=round(history.seconds, 2),
        samples_per_second=round(history.samples_per_second, 1),
        vocabulary=vocabulary,
        device=device,
        processes=distributed.size(),
        machine=machine(),
    )


def _before(begun: Training, resume: bool, first: bool) -> Training | None:
    """The run that the folder holds, if it is this one and finished; makes room for a new one where none goes on.

    Raises:
        ValueError: the folder holds another run, or a model that no run of this library made.
    """
    out = Path(begun.out)
    before = _read(out / LOG)
    if before is not None and not before.finished and not (out / CHECKPOINT).is_file():
        before = None  # nothing to go on from
    stranger = before is None and (out / "model.safetensors").exists()
    before, stranger = distributed.agreed((before, stranger))
    if stranger:
        raise ValueError(f"{out} holds a model that this command did not train: choose another `out`")
    if before is None:
        return None
    if not resume:
        for name in FILES if first else ():
            (out / name).unlink(missing_ok=True)
        return None
    names = dict.fromkeys([*begun.asked, *before.asked])
    if changed := [name for name in names if before.asked.get(name) != begun.asked.get(name)]:
        raise ValueError(
            f"{out} holds a run with another {' and '.join(changed)}: choose another `out`, "
            "or give `resume=False` to replace it"
        )
    return replace(before, found=True) if before.finished else None


def _recorded() -> list[str]:
    return [f.name for f in fields(Training) if f.metadata.get("recorded", True)]


def _read(log: Path) -> Training | None:
    """What a run wrote; `None` where there was none.

    Raises:
        ValueError: the file is damaged, or another program's.
    """
    if not log.is_file():
        return None
    try:
        body = json.loads(log.read_text("utf-8"))
        body = {name: tuple(value) if isinstance(value, list) else value for name, value in body.items()}
        return Training(**body)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{log} is not the record of a run ({error}): remove it, or choose another `out`") from error


def _write(run: Training) -> None:
    with whole(Path(run.out) / LOG) as part:
        part.write_text(json.dumps(run.as_dict(), indent=1, ensure_ascii=False) + "\n", "utf-8")


def _labels(given: Path | None, shards: Iterable[Path]) -> list[str]:
    """The classes that the model may be asked about: those given, and labels.txt beside the shards."""
    files = [given] if given else []
    files += [f for folder in dict.fromkeys(s.parent for s in shards) if (f := folder / "labels.txt").is_file()]
    return list(dict.fromkeys(label for file in files for label in read_labels(file)))


def _texts(captions: Iterable[str], labels: Sequence[str], *, augmented: bool) -> list[str]:
    """What the vocabulary must cover: captions, the 80 prompts of every class (of none: their words), and synonyms."""
    texts = [*captions, *(prompt for label in labels or [""] for prompt in prompt_captions(label))]
    return [*texts, *synonyms_of(texts)] if augmented else texts
