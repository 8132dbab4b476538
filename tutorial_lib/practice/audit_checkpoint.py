"""Is this checkpoint backdoored? Detectors look for a trigger that nobody knows, and a report says what they found."""

from __future__ import annotations

import contextlib
import json
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tutorial_lib import costs, models
from tutorial_lib.data.shards import TOLERANCE
from tutorial_lib.detect.checkpoints import CHECKPOINT_DETECTORS, Calibration, CheckpointDetector, Finding
from tutorial_lib.detect.checkpoints.thresholds import calibrated
from tutorial_lib.detect.stamping import embed, stamped, still
from tutorial_lib.detect.subject import Subject, SubjectError
from tutorial_lib.files import whole
from tutorial_lib.machine import chosen_device, fitting_threads, memory_bytes
from tutorial_lib.models.properties import weights_hash
from tutorial_lib.notes import Note
from tutorial_lib.practice import settings as setting
from tutorial_lib.practice.audit_parts import Parts
from tutorial_lib.practice.audit_pictures import Shown, shown
from tutorial_lib.practice.audit_report import page
from tutorial_lib.practice.audit_verdict import CheckpointAudit
from tutorial_lib.practice.inverted import write_inverted
from tutorial_lib.practice.output import left_over, require_new, staged
from tutorial_lib.practice.pictures import require_alone, resizing_of
from tutorial_lib.practice.vocabulary import CLASSES, classes_of
from tutorial_lib.practice.watched import PROMPTS, reading
from tutorial_lib.training.memory import training_bytes
from tutorial_lib.trials import Recipe
from tutorial_lib.trials.schema import as_dict

#: The detectors of an audit where none is named, in the order in which they decide.
DETECTORS = ("universal-patch", "class-inversion", "trigger-scan", "decree", "token-inversion")
#: Pictures that are shown to the model, and that the report shows with a trigger.
PICTURES, EXAMPLES = 256, 4
#: Where an audit keeps what is finished, in its folder or beside its report.
PARTS = ".parts"


def chosen_detectors(kinds: Sequence[str] = (), settings: Mapping[str, Any] | None = None) -> list[CheckpointDetector]:
    """Detectors of checkpoints by kind; "_" and "-" are the same.

    Args:
        kinds: by default those of an audit.
        settings: of the one detector that is named.

    Raises:
        ValueError: there is no such detector, it has no such setting, a value does not do, or there are settings and
            not one detector.

    Example:
        >>> [found.kind for found in chosen_detectors(["trigger_scan"], {"patterns": 1})]
        ['trigger-scan']
    """
    if settings and len(kinds) != 1:
        raise ValueError(f"settings are those of one detector: name it with `detector`, one of {', '.join(DETECTORS)}")
    made = []
    for kind in dict.fromkeys(kinds or DETECTORS):
        cls = CHECKPOINT_DETECTORS.find(kind.replace("_", "-"))
        setting.check(cls, settings or {}, setting.names(cls))
        made.append(cls(**(settings or {})))
    return made


def audit_checkpoint(
    checkpoint: Path,
    *,
    detectors: Sequence[CheckpointDetector] = (),
    shards: Sequence[str | Path] | None = None,
    labels: Path | None = None,
    classes: int | None = None,
    pictures: int = PICTURES,
    report: Path | None = None,
    out: Path | None = None,
    model: str | None = None,
    pretrained: str | None = None,
    skip_bad: float = TOLERANCE,
    yes: bool = False,
    device: str | None = None,
    known: Sequence[Calibration] | None = None,
) -> CheckpointAudit:
    """Look for a backdoor in a checkpoint, knowing neither trigger nor target.

    What a detector has found is kept in `out`, or beside `report`, until the audit is complete: one that is interrupted
    goes on with the next detector when it is asked for again.

    Args:
        checkpoint: a CLIP model in any form that `tutorial_lib.models.read` knows.
        detectors: by default those of `DETECTORS`; one that lacks pictures or classes is left out, and said to be.
        shards: of clean pictures; by default the course's test pictures, for a model of the course.
        labels: file that names the classes among which a target is looked for, one a line. Without it groups of the
            shards' captions stand for classes.
        classes: of the course's task, by default as many as the model's record says that it was trained on.
        pictures: that are shown to the model, at most.
        report: a page with pictures, one HTML file that needs nothing else.
        out: folder of `audit.json`, `report.html` and the inverted triggers, for `tutorial clean --inverted`.
        model: the model config, for a file that does not say it.
        pretrained: open_clip's name of weights, for an architecture as `checkpoint`.
        skip_bad: share of the pictures that may be unusable.
        yes: go on also where it will take more than an hour.
        device: by default the GPU if there is one.
        known: calibrations of thresholds, by default the committed ones.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        ShardError: the shards cannot be used.
        SubjectError: the model is damaged, or no detector can work with so few pictures and classes.
        ValueError: pictures are needed, the model's vocabulary lacks words of a label, a file is there already, the
            memory is too small, or it would take more than an hour and `yes` is not said.

    Example:
        >>> from tutorial_lib import models
        >>> scan = chosen_detectors(["trigger-scan"], {"patterns": 1})
        >>> found = audit_checkpoint(models.CHECKPOINTS / "backdoored", detectors=scan, pictures=32)
        >>> found.findings[0].target
        'banana'
    """
    require_alone(shards, None, classes)
    _check(pictures, report, out)
    with contextlib.ExitStack() as stack:
        work = None if out is None else stack.enter_context(staged(out))  # says before the work if it cannot be written
        if models.is_classifier(checkpoint):
            raise ValueError(
                f"{checkpoint} is a classifier that `clean --method supervised` saved, and this audits CLIPs"
            )
        found = models.read(checkpoint, model, pretrained=pretrained)
        clip = found.model.to(chosen_device(device))
        seen = shown(
            found.tokenizer,
            models.picture_side(clip),
            pictures=pictures,
            classes=classes or (CLASSES if shards else classes_of(checkpoint)),
            shards=shards,
            labels=labels,
            skip_bad=skip_bad,
            resizing=resizing_of(clip),
        )
        subject = Subject(clip, found.tokenizer, seen.images, seen.labels, seen.captions)
        chosen = list(detectors) or chosen_detectors()
        _estimate(subject, chosen, found.config, yes=yes)
        parts = Parts(_parts_of(report, out), _identity(subject, seen))
        findings, skipped = _searched(subject, chosen, parts, known)
        kinds = {"kind": "audit", "detectors": sorted(f.detector["kind"] for f in findings)}
        count = models.parameter_count(clip)
        made = CheckpointAudit(
            checkpoint=f"{checkpoint} ({pretrained})" if pretrained else str(checkpoint),
            model=models.facts(clip, found.tokenizer) | {"form": found.form},
            findings=tuple(findings),
            skipped=skipped,
            about=seen.about,
            pictures=len(seen.images),
            classes=len(subject.names),
            labelled=bool(subject.labels),
            together=calibrated(
                kinds, side=subject.side, parameters=count, classes=len(subject.names), known=known
            ),
            images=seen.images[:EXAMPLES],
            said=_said(subject, findings),
            weights=weights_hash(clip),
            asked=labels is not None or classes is not None,
            shows=seen.shows[:EXAMPLES],
            made=datetime.now(UTC).isoformat(timespec="seconds"),
        )  # fmt: skip
        if made.deciding is None:
            warnings.warn("no detector that ran has a threshold for a model of this kind", Note, stacklevel=2)
        made = _write(made, work, report, out)
    parts.clear()
    return made


def _check(pictures: int, report: Path | None, out: Path | None) -> None:
    """Everything that can be wrong before anything is read."""
    if pictures < 2:
        raise ValueError(f"at least 2 pictures are shown to a model, not {pictures}")
    if report is not None and report.is_dir():
        raise ValueError(f"{report} is a folder: `report` is an HTML file, and `out` the folder of all results")
    if report is not None and not report.parent.is_dir():
        raise ValueError(f"there is no folder {report.parent} for the report")
    if report is not None:
        require_new(report, "report")
    if out is not None and not left_over(out):
        made = ("audit.json", "report.html", *(f"{kind}.safetensors" for kind in CHECKPOINT_DETECTORS))
        if old := next((name for name in made if (out / name).exists()), None):
            raise ValueError(f"{out} already holds {old}: choose another `out` or remove it")


def _parts_of(report: Path | None, out: Path | None) -> Path | None:
    if out is not None:
        return out / PARTS
    return None if report is None else report.with_name(f"{report.name}{PARTS}")


def _identity(subject: Subject, seen: Shown) -> dict[str, Any]:
    """What findings hang on besides the detector."""
    return {
        "weights": weights_hash(subject.model),
        "pictures": str(seen.about.get("fingerprint")),
        "shown": len(seen.images),
        "labels": list(seen.labels),
        "captions": len(seen.captions),
    }


def _searched(
    subject: Subject, chosen: Sequence[CheckpointDetector], parts: Parts, known: Sequence[Calibration] | None
) -> tuple[list[Finding], dict[str, str]]:
    """What each detector finds, and why some were left out.

    Raises:
        SubjectError: no detector can work.
    """
    findings: list[Finding] = []
    skipped: dict[str, str] = {}
    for detector in chosen:
        finding = parts.kept(as_dict(detector))
        if finding is None:
            try:
                detector.check(subject)
            except SubjectError as error:
                skipped[detector.kind] = str(error)
                continue
            work = detector.work(subject)
            with reading(subject.model, work.forward + work.backward):
                finding = detector.detect(subject, known=known)
            parts.keep(finding)
        findings.append(replace(finding, threshold=detector.threshold(subject, known)))
    if not findings:
        raise SubjectError("; ".join(dict.fromkeys(skipped.values())))
    return findings, skipped


def _estimate(subject: Subject, chosen: Sequence[CheckpointDetector], config: dict[str, Any], *, yes: bool) -> None:
    """Say how long the search takes, and whether its memory is there, before it begins.

    Raises:
        ValueError: more than an hour, and nobody has agreed; or the memory is too small.
    """
    works = {d.kind: d.work(subject) for d in chosen if d.fewest <= len(subject.images)}
    at_once = max((work.at_once for work in works.values()), default=0)
    if not next(subject.model.parameters()).is_cuda and at_once:
        needed, there = training_bytes(config, Recipe(batch_size=2), batch_size=at_once, half=False), memory_bytes()
        if there and needed > there:
            raise ValueError(
                f"the search needs about {needed / 2**30:.0f} GiB of memory, and this machine has {there / 2**30:.0f}: "
                f"{'name one `detector` and ' * (len(chosen) > 1)}give it a smaller batch, as in --set batch=4"
            )
    forward, backward, text = _per_sample(subject)
    seconds = len(subject.images) * forward + len(subject.labels) * PROMPTS * text
    each = {kind: w.forward * forward + w.backward * backward + w.texts * text for kind, w in works.items()}
    try:
        costs.announce(seconds + sum(each.values()), yes=yes, what="the audit")
    except ValueError as error:
        most = sorted(each.items(), key=lambda found: -found[1])
        said = ", ".join(f"{kind} {costs.duration(taken)}" for kind, taken in most)
        short = [kind for kind in each if seconds + each[kind] <= costs.PATIENCE] if len(each) > 1 else []
        hint = f"; within an hour: `detector` {' or '.join(short)}" if short else ""
        raise ValueError(f"{error} ({said}{hint})") from error


def _per_sample(subject: Subject) -> tuple[float, float, float]:
    """Seconds of a picture forward, of one forward and backward, and of a text, from a few of each."""
    from tutorial_lib.evaluate import embed_texts

    images = subject.images[: 32 if subject.side <= 64 else 2].to(next(subject.model.parameters()).device).float()
    texts = ["a photo of a banana"] * 8

    def both() -> None:
        pictures = images.clone().requires_grad_()
        embed(subject.model, pictures).sum().backward()

    def fastest(run: Any, samples: int) -> float:
        taken = []
        for _ in range(3):  # the first one warms up
            started = time.perf_counter()
            run()
            taken.append(time.perf_counter() - started)
        return min(taken) / samples

    with still(subject.model), fitting_threads(on=images.device.type == "cpu"):
        with torch.no_grad():
            forward = fastest(lambda: embed(subject.model, images), len(images))
            text = fastest(lambda: embed_texts(subject.model, subject.tokenizer, texts), len(texts))
        return forward, fastest(both, len(images)), text


def _said(subject: Subject, findings: Sequence[Finding]) -> dict[str, tuple[str, ...]]:
    """What the model takes some pictures for, without a trigger and with each that was found."""
    if not subject.names:
        return {}
    some, device = subject.images[:EXAMPLES].float(), next(subject.model.parameters()).device

    def names(pictures: Tensor) -> tuple[str, ...]:
        said = (embed(subject.model, pictures.to(device)).cpu() @ subject.directions).argmax(1)
        return tuple(subject.names[k] for k in said.tolist())

    with torch.no_grad(), still(subject.model):
        found = {"": names(some)}
        for f in findings:
            if f.mask is not None and f.pattern is not None:
                found[f.detector["kind"]] = names(stamped(some, f.mask, f.pattern).round().clamp(0, 255))
    return found


def _write(made: CheckpointAudit, work: Path | None, report: Path | None, out: Path | None) -> CheckpointAudit:
    """The page, and in a folder also the JSON and the triggers."""
    if work is not None:
        for f in made.findings:
            if f.mask is not None and f.pattern is not None:
                write_inverted(work / f"{f.detector['kind']}.safetensors", f.mask, f.pattern)
        there = [p.name for p in work.iterdir()]
        made = replace(made, out=str(out), files=tuple(sorted([*there, "audit.json", "report.html"])))
        (work / "audit.json").write_text(json.dumps(made.as_dict(), indent=1, ensure_ascii=False) + "\n", "utf-8")
        (work / "report.html").write_text(page(made), "utf-8")
    if report is not None:
        made = made if out is not None else replace(made, out=str(report), files=(report.name,))
        with whole(report) as part:
            part.write_text(page(made), "utf-8")
    return made
