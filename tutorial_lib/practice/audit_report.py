"""The page of an audit: one HTML file with its pictures in it, which needs no script and no network."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from html import escape

from PIL import Image
from torch import Tensor

from tutorial_lib.detect.checkpoints import CHECKPOINT_DETECTORS, Finding
from tutorial_lib.detect.stamping import stamped
from tutorial_lib.practice.audit_verdict import CheckpointAudit
from tutorial_lib.practice.evaluate import described

#: Pixels of a picture on the page, at least.
WIDE = 128

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { overflow-wrap: anywhere; }
.verdict { border: 2px solid; border-radius: .5rem; padding: .5rem 1rem; font-size: 1.2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8888; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
td.threshold { min-width: 14rem; }
.row { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; width: 10rem; }
figure img { image-rendering: pixelated; width: 100%; }
figcaption { font-size: .85rem; overflow-wrap: anywhere; }
""".strip()


def page(made: CheckpointAudit) -> str:
    """The page of an audit.

    Example:
        >>> from tutorial_lib import models
        >>> from tutorial_lib.practice.audit_checkpoint import audit_checkpoint, chosen_detectors
        >>> scan = chosen_detectors(["trigger-scan"], {"patterns": 1})
        >>> body = page(audit_checkpoint(models.CHECKPOINTS / "backdoored", detectors=scan, pictures=32))
        >>> body.startswith("<!DOCTYPE html>"), "<script" in body, "data:image/png" in body
        (True, False, True)
    """
    title = f"Audit of {made.checkpoint}"
    own = "labels" if made.asked else "the model's own task"
    asked = own if made.labelled else "groups of captions"
    seen = f"{made.pictures} pictures ({made.about.get('data', 'given')}), {made.classes} classes from {asked}"
    versions = ", ".join(f"{name} {version}" for name, version in made.versions.items())
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<style>{STYLE}</style></head><body>",
            f"<h1>{escape(title)}</h1>",
            f'<p class="verdict">{escape(_capital(made.in_words))}</p>',
            f"<p>{escape(described(made.model))}. Shown to it: {escape(seen)}.</p>",
            "<h2>What each detector found</h2>",
            *_table(made),
            "<h3>What a score is</h3>",
            *_scores(made),
            "<h2>What the triggers look like</h2>",
            "<p>A detector always comes back with something, also from a clean model. The first picture is what it "
            "found, on grey; the others are pictures that carry it, with what the model takes them for.</p>",
            *_plain(made),
            *(line for finding in made.findings for line in _pictures(made, finding)),
            "<h2>What was not tested</h2>",
            "<ul>",
            *(f"<li>{escape(what)}</li>" for what in made.not_tested),
            "</ul>",
            f"<p>Made {escape(made.made or 'on a day that is not known')} with {escape(versions)}. "
            f"Weights {escape(made.weights)}, pictures {escape(str(made.about.get('fingerprint', 'not named')))}. "
            "Scores hang on the pictures, the seed and, in the last digits, on the number of threads.</p>",
            "</body></html>",
        ]
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _table(made: CheckpointAudit) -> Iterator[str]:
    heads = ("detector", "score", "above", "suspected target", "threshold", "seconds")  # a phone shows the first
    columns = "".join(f"<th scope='col'>{head}</th>" for head in heads)
    yield '<div class="wide" role="region" aria-label="findings" tabindex="0">'
    yield f"<table><thead><tr>{columns}</tr></thead><tbody>"
    for f in made.findings:
        above = {True: "yes", False: "no", None: "not judged"}[f.suspicious]
        limit = "none is known for a model of this kind" if f.threshold is None else str(f.threshold)
        yield (
            f'<tr><th scope="row">{escape(f.title)}</th><td class="number">{f.score:.3f}</td>'
            f"<td>{above}</td><td>{escape(f.target or 'names none')}</td>"
            f'<td class="threshold">{escape(limit)}</td><td class="number">{f.seconds:.0f}</td></tr>'
        )
    yield "</tbody></table></div>"


def _scores(made: CheckpointAudit) -> Iterator[str]:
    """What each score measures, and the settings that it was found with."""
    yield "<ul>"
    for f in made.findings:
        cls = CHECKPOINT_DETECTORS.get(f.detector["kind"])
        settings = ", ".join(f"{name} {value}" for name, value in f.detector.items() if name != "kind") or "none"
        meaning = (cls.measures if cls is not None else "") or "higher is worse"
        yield f"<li>{escape(f.title)}: {escape(meaning)} (settings: {escape(settings)})</li>"
    yield "</ul>"


def _plain(made: CheckpointAudit) -> Iterator[str]:
    """The pictures without a trigger: what they show, and what the model takes them for already."""
    yield '<h3>Without a trigger</h3><div class="row">'
    said = made.said.get("", ())
    for k, picture in enumerate(made.images.float()):
        words = [f"shows {made.shows[k]}"] if k < len(made.shows) else []
        words += [f"taken for {said[k]}"] if k < len(said) else []
        yield _figure(picture, f"Picture {k + 1} without a trigger", ", ".join(words) or "as it is")
    yield "</div>"


def _pictures(made: CheckpointAudit, finding: Finding) -> Iterator[str]:
    """The inverted trigger, and some pictures with it."""
    if finding.mask is None or finding.pattern is None:
        return
    kind, before = finding.detector["kind"], made.said.get("", ())
    after = made.said.get(kind, ())
    yield f'<h3>{escape(finding.title)}</h3><div class="row">'
    grey = finding.pattern.new_full(finding.pattern.shape, 127.0)
    alone = f"The trigger that {finding.title} found, on grey"
    yield _figure(stamped(grey, finding.mask, finding.pattern), alone, "the trigger")
    for k, picture in enumerate(stamped(made.images.float(), finding.mask, finding.pattern)):
        words = f"{before[k]} becomes {after[k]}" if k < min(len(before), len(after)) else "with the trigger"
        yield _figure(picture, f"Picture {k + 1} with the trigger", words)
    yield "</div>"


def _figure(picture: Tensor, alt: str, caption: str) -> str:
    body = picture.round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    image = Image.fromarray(body)
    times = -(-WIDE // image.width)
    file = io.BytesIO()
    image.resize((times * image.width, times * image.height), Image.Resampling.NEAREST).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return (
        f'<figure><img src="data:image/png;base64,{data}" width="{times * image.width}" alt="{escape(alt)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
