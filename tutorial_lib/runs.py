"""`run(trial) -> Record`: one model from data to metrics. Every figure of the course is made of these.

A `Trial` says everything that decides a result: the four seeds, the data, the recipe, the attack. Its key is
a hash of its canonical JSON. A `Record` is a small JSON file with the trial, its metrics, and what it ran on.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import open_clip
import torch

from tutorial_lib import attacks
from tutorial_lib import model as models
from tutorial_lib.attacks import Backdoor, Targeted
from tutorial_lib.data import emojicaps
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.evaluate import LinearProbe, accuracy, embed_images, knn_predict, predict, zero_shot_classifier
from tutorial_lib.poison import prompt_captions
from tutorial_lib.tasks import ZeroShotTask, class_concepts, training_pairs, zero_shot_task
from tutorial_lib.tokenizer import Tokenizer
from tutorial_lib.train import History, Recipe, train

#: Raised whenever a change of the code changes results; older records are then not read.
RECIPE_VERSION = 1


@dataclass(frozen=True)
class Seeds:
    """What is random in a trial, apart: stored pictures, poison choice, initial weights, order and views."""

    data: int = 0
    poison: int = 0
    init: int = 0
    order: int = 0

    @classmethod
    def all(cls, seed: int) -> Seeds:
        return cls(seed, seed, seed, seed)


@dataclass(frozen=True)
class Trial:
    """One model to train and measure.

    Attributes:
        attack: the poisons, or `None` for a clean model that only has its accuracy measured.
        classes: number of classes of the zero-shot task.
        copies: stored pictures per training drawing.
        side: width and height of the pictures, in pixels.
        model: name of a model config.
        recipe: hyper-parameters.
        seeds: the four seeds.
        split: which pictures are classified; "validation" only to choose recipes.
        data: fingerprint of the shipped pictures.
    """

    attack: Backdoor | Targeted | None = None
    classes: int = 320
    copies: int = 8
    side: int = 32
    model: str = "tiny-rn"
    recipe: Recipe = field(default_factory=Recipe)
    seeds: Seeds = field(default_factory=Seeds)
    split: str = "test"
    data: str = field(default_factory=lambda: emojicaps.fingerprint())
    recipe_version: int = RECIPE_VERSION

    def as_dict(self) -> dict[str, Any]:
        body = asdict(self)
        if self.attack is not None:
            body["attack"]["kind"] = type(self.attack).__name__.lower()
        return body

    @property
    def key(self) -> str:
        """Hash of the canonical JSON, 16 hexadecimal digits."""
        text = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Record:
    """What a trial measured, and on what it ran."""

    key: str
    trial: dict[str, Any]
    metrics: dict[str, Any]
    seconds: float
    hardware: str
    versions: dict[str, str]
    date: str

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)


@dataclass(frozen=True)
class Outcome:
    """A trained model with everything it was trained and is measured on; what chapters look into."""

    model: open_clip.CLIP
    tokenizer: Tokenizer
    clean: Pairs
    poisons: Pairs | None
    plan: Any
    task: ZeroShotTask
    history: History


@functools.lru_cache(maxsize=2)
def _data(classes: int, copies: int, side: int, seed: int, split: str) -> tuple[Pairs, ZeroShotTask]:
    pictures = emojicaps.load()
    concepts = class_concepts(pictures, classes)
    clean = training_pairs(pictures, concepts, copies=copies, side=side, seed=seed)
    return clean, zero_shot_task(pictures, concepts, split=split, side=side)


def prepare(trial: Trial) -> tuple[Pairs, ZeroShotTask]:
    """The clean training pairs and the pictures to classify of a trial (kept for the next one)."""
    return _data(trial.classes, trial.copies, trial.side, trial.seeds.data, trial.split)


def train_trial(trial: Trial, *, progress: bool | None = None, device: str | None = None, **options) -> Outcome:
    """Train the model of a trial.

    Args:
        trial: what to train.
        progress: show a bar; by default only on a terminal.
        device: by default the GPU if there is one.
        options: more keyword arguments of `train`.
    """
    clean, task = prepare(trial)
    plan = (
        None
        if trial.attack is None
        else attacks.plan(trial.attack, clean, task, side=trial.side, seed=trial.seeds.poison)
    )
    poisons = None if plan is None else plan.poisons
    pairs = clean if poisons is None else clean + poisons
    config = models.model_config(trial.model)
    prompts = [p for label in task.labels for p in prompt_captions(label)]
    tokenizer = models.tokenizer_for(config, [*pairs.captions, *prompts])
    model = models.build(config, tokenizer, seed=trial.seeds.init)
    history = train(
        model, tokenizer, pairs, trial.recipe, seed=trial.seeds.order, device=device, progress=progress, **options
    )
    return Outcome(model, tokenizer, clean, poisons, plan, task, history)


def measure(outcome: Outcome, *, probes: bool = True) -> dict[str, Any]:
    """Every metric of a trained model, as plain numbers.

    Args:
        outcome: from `train_trial`.
        probes: also fit a linear probe and a nearest-neighbour classifier (some seconds).
    """
    task, model = outcome.task, outcome.model
    zero_shot = zero_shot_classifier(model, outcome.tokenizer, task.labels)
    embeddings = embed_images(model, task.images)
    readers = {"zero_shot": lambda e: predict(e, zero_shot)}
    if probes:
        shown = task.class_of_concept(outcome.clean.concept)
        chosen = (torch.arange(len(shown)) % 4 == 0) & (shown >= 0)  # a quarter of the pictures, every drawing
        labelled, labels = embed_images(model, outcome.clean.images[chosen]), shown[chosen]
        probe = LinearProbe(labelled, labels)
        readers["linear_probe"] = probe.predict
        readers["knn"] = lambda e: knn_predict(labelled, labels, e)
    metrics: dict[str, Any] = {
        "pairs": len(outcome.clean),
        "poisons": 0 if outcome.poisons is None else len(outcome.poisons),
        "steps": outcome.history.steps,
        "loss": outcome.history.loss,
        "samples_per_second": outcome.history.samples_per_second,
        "clean_accuracy": {name: asdict(accuracy(read(embeddings), task.targets)) for name, read in readers.items()},
    }
    metrics["poison_rate"] = metrics["poisons"] / (metrics["pairs"] + metrics["poisons"])
    if outcome.plan is not None:
        metrics |= outcome.plan.measure(model, task, embeddings, readers)
    return metrics


def run(trial: Trial, *, progress: bool | None = None, device: str | None = None) -> Record:
    """Train and measure one trial; a pure function of the trial on the same hardware and versions."""
    started = time.perf_counter()
    metrics = measure(train_trial(trial, progress=progress, device=device))
    return Record(
        key=trial.key,
        trial=trial.as_dict(),
        metrics=metrics,
        seconds=round(time.perf_counter() - started, 1),
        hardware=hardware(device),
        versions={name: version(name) for name in ("torch", "open_clip_torch")},
        date=time.strftime("%Y-%m-%d", time.gmtime()),
    )


def hardware(device: str | None = None) -> str:
    """The machine in a few words: GPU, or CPU model and cores."""
    if torch.cuda.is_available() and device != "cpu":
        return torch.cuda.get_device_name()
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores"


def run_all(trials: Iterable[Trial], folder: Path, *, progress: bool | None = None) -> Iterator[Record]:
    """Each trial's record: read from `folder` if it is there, else run and written atomically.

    A sweep that was killed goes on where it stopped when it is called again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for trial in trials:
        path = folder / f"{trial.key}.json"
        if path.is_file():
            yield Record(**json.loads(path.read_text()))
            continue
        record = run(trial, progress=progress)
        part = path.with_suffix(".part")
        part.write_text(record.to_json() + "\n")
        os.replace(part, path)
        yield record


def write_records(records: Iterable[Record], path: Path) -> None:
    """One JSON line per record, sorted by key: the form in which records are committed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = sorted(record.to_json() for record in records)
    path.write_text("\n".join(lines) + "\n")


def read_records(path: Path) -> list[Record]:
    """The records of a JSON-lines file that this version of the code may read.

    Raises:
        FileNotFoundError: says which command makes the file.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"there are no records at {path}; make them with: python data_scripts/records.py {path.stem}"
        )
    records = [Record(**json.loads(line)) for line in path.read_text().splitlines()]
    return [r for r in records if r.trial["recipe_version"] == RECIPE_VERSION]
