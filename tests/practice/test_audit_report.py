"""The page of an audit: whole in one file, escaped, with pictures that say what they show."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import torch
from PIL import Image

from tutorial_lib import models
from tutorial_lib.detect.checkpoints import Finding, Threshold
from tutorial_lib.practice.audit_report import page
from tutorial_lib.practice.audit_verdict import CheckpointAudit

MASK, PATTERN = torch.zeros(1, 8, 8), torch.ones(3, 8, 8)
MASK[:, :2, :2] = 1
LIMIT = Threshold(0.9, "published", "a paper")


def made() -> CheckpointAudit:
    facts = models.facts(*models.load(models.CHECKPOINTS / "unknown-1")) | {"form": "a model directory"}
    return CheckpointAudit(
        checkpoint="<model>",
        model=facts,
        findings=(
            Finding(0.95, "<b>goat", MASK, PATTERN, detector={"kind": "decree"}, title="DECREE", threshold=LIMIT),
            Finding(0.5, None, detector={"kind": "token"}, title="a token"),
        ),
        skipped={"x": "too few"},
        about={"data": "shards"},
        pictures=2,
        classes=3,
        labelled=True,
        together=None,
        images=torch.full((2, 3, 8, 8), 100, dtype=torch.uint8),
        said={"": ("hat", "drum"), "decree": ("goat", "goat")},
        weights="abc",
        asked=False,
        shows=("bowl", "drum"),
        made="2026-05-01T10:00:00+00:00",
    )


class Page(HTMLParser):
    """Tags that are open at the end, and what lies elsewhere."""

    VOID = frozenset({"meta", "img", "link", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.outside += [v or "" for k, v in attrs if k in ("src", "href") and not (v or "").startswith("data:")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_it_is_one_sound_file_without_script() -> None:
    text = page(made())
    read = Page(text)
    assert read.open == []
    assert read.outside == []
    assert "<script" not in text
    assert "<model>" not in text
    assert "&lt;b&gt;goat" in text
    assert 'lang="en"' in text


def test_it_says_what_a_person_needs() -> None:
    text = page(made())
    for words in (
        "Backdoored, says DECREE",
        "is not known",
        "suspected target",
        "not judged",
        "names none",
        "none is known for a model of this kind",
        "x: too few",
        "hat becomes goat",
        "drum becomes goat",
        "Weights abc",
        "Made 2026-05-01T10:00:00+00:00 with backdooring-clip",
        "3 classes from the model&#x27;s own task",
        "<li>DECREE: 1 less the share of the picture",
        "<li>a token: higher is worse (settings: none)</li>",
        "shows bowl, taken for hat",
        '<div class="wide"',
    ):
        assert words in text, words


def test_the_trigger_is_seen_on_grey_and_on_pictures() -> None:
    images = re.findall(r'src="data:image/png;base64,([^"]+)" width="128" alt="([^"]+)"', page(made()))
    assert len(images) == 5
    assert all(alt for _, alt in images)
    decoded = [Image.open(io.BytesIO(base64.b64decode(body))).convert("RGB") for body, _ in images]
    plain, opened = decoded[:2], decoded[2:]
    assert [image.getpixel((5, 5)) for image in plain] == [(100, 100, 100)] * 2
    assert [image.size for image in opened] == [(128, 128)] * 3
    assert [image.getpixel((5, 5)) for image in opened] == [(255, 255, 255)] * 3
    assert [image.getpixel((100, 100)) for image in opened] == [(127,) * 3, (100,) * 3, (100,) * 3]
