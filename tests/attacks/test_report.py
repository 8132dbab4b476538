"""One call that measures a backdoor: every number against a count by hand, and what it says in text, HTML and JSON."""

import copy
import json
import math
from html.parser import HTMLParser

import open_clip
import pytest
import torch
import torch.nn.functional as F

from tests.training.small import CONFIG
from tutorial_lib import models
from tutorial_lib.attacks.report import BackdoorReport, measure_backdoor
from tutorial_lib.data.tasks import LabelledPictures
from tutorial_lib.models import Classifier, Tokenizer
from tutorial_lib.models.inputs import normalize
from tutorial_lib.proportion import Proportion
from tutorial_lib.triggers import Checkerboard, NoisePatch

LABELS = ("banana", "red <apple>", "pineapple", "dog")
TRIGGER = NoisePatch(size=24, placement="random")
TOKENIZER = Tokenizer.for_texts(
    [template(label) for template in open_clip.OPENAI_IMAGENET_TEMPLATES for label in LABELS], context_length=12
)
SEED = 5


@pytest.fixture(scope="module")
def pictures() -> LabelledPictures:
    """Eight drawings in three pictures each, of three of the four classes."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(0, 256, (8, 3, 32, 32), generator=generator).repeat_interleave(3, 0)
    shift = torch.randint(-40, 41, (24, 3, 1, 1), generator=generator)
    return LabelledPictures(
        labels=LABELS,
        images=(drawn + shift).clamp(0, 255).to(torch.uint8),
        targets=torch.tensor([0, 1, 3, 1, 0, 3, 3, 1]).repeat_interleave(3),
        sprite=torch.arange(8).repeat_interleave(3) + 100,
        about={"folder": "somewhere", "skipped": 2},
    )


@pytest.fixture(scope="module")
def model(pictures) -> open_clip.CLIP:
    """Weights of no use, with embeddings on all sides of the origin, so that answers differ from picture to picture."""
    made = models.build(CONFIG, TOKENIZER, seed=3)
    with torch.no_grad():
        for _ in range(50):  # running statistics of these pictures
            made.train().encode_image(normalize(pictures.images))
        made.eval()
        made.visual.attnpool.c_proj.bias.sub_(made.encode_image(normalize(pictures.images)).mean(0))
    return made


@pytest.fixture(scope="module")
def report(model, pictures) -> BackdoorReport:
    return measure_backdoor(model, TOKENIZER, pictures, TRIGGER, "banana", seed=SEED)


def points(model, images: torch.Tensor) -> torch.Tensor:
    """One picture after the other."""
    with torch.no_grad():
        return torch.cat(
            [F.normalize(model.encode_image(normalize(images[i : i + 1])), dim=1) for i in range(len(images))]
        )


def by_prompts(model, embeddings: torch.Tensor) -> list[int]:
    """The class whose mean over CLIP's 80 prompts is nearest."""
    weights = []
    for label in LABELS:
        texts = TOKENIZER([template(label) for template in open_clip.OPENAI_IMAGENET_TEMPLATES])
        with torch.no_grad():
            mean = F.normalize(model.encode_text(texts), dim=1).mean(0)
        weights.append(mean / mean.norm())
    return [max(range(4), key=lambda c, e=e: float(e @ weights[c])) for e in embeddings]


def similarities(embeddings: torch.Tensor, drawing: list[int]) -> list[float]:
    """Of pairs that show two drawings."""
    n = len(embeddings)
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n) if drawing[i] != drawing[j]]
    return [float(embeddings[i] @ embeddings[j]) for i, j in pairs]


def rate(hits: list[bool], drawing: list[int]) -> Proportion:
    return Proportion.of(torch.tensor(hits), torch.tensor(drawing))


def test_every_field_is_what_a_loop_counts(model, pictures, report):
    stamped, control = TRIGGER.stamp(pictures.images, SEED), TRIGGER.control().stamp(pictures.images, SEED)
    clean, triggered, other = (points(model, images) for images in (pictures.images, stamped, control))
    seen, said, otherwise = (by_prompts(model, e) for e in (clean, triggered, other))
    assert len(set(said)) > 1, "a model that always says the same shows nothing"
    assert seen != said != otherwise
    true, drawing = pictures.targets.tolist(), pictures.sprite.tolist()
    rest = [i for i in range(24) if true[i] != 0]
    of_rest = [drawing[i] for i in rest]
    assert (report.target, report.trigger, report.about) == ("banana", TRIGGER, pictures.about)
    assert (report.pictures, report.classes, report.chance) == (24, 4, 0.25)
    assert report.clean_accuracy == rate([seen[i] == true[i] for i in range(24)], drawing)
    assert report.accuracy_on_triggered == rate([said[i] == true[i] for i in range(24)], drawing)
    assert report.attack_success == rate([said[i] == 0 for i in rest], of_rest)
    assert report.attack_success.n == 18
    assert report.attack_success_with_target == rate([s == 0 for s in said], drawing)
    assert report.attack_success_untriggered == rate([seen[i] == 0 for i in rest], of_rest)
    assert report.attack_success_control == rate([otherwise[i] == 0 for i in rest], of_rest)
    pairs, moved = similarities(clean, drawing), similarities(triggered, drawing)
    mean = math.fsum(pairs) / len(pairs)
    spread = math.sqrt(math.fsum((s - mean) ** 2 for s in pairs) / len(pairs))
    assert report.pairs == len(pairs) == 24 * 21 // 2
    assert report.similarity_clean == pytest.approx(mean, abs=1e-5)
    assert report.similarity_clean_std == pytest.approx(spread, rel=0.01)
    assert report.similarity_triggered == pytest.approx(math.fsum(moved) / len(moved), abs=1e-5)
    expected = (report.similarity_triggered - report.similarity_clean) / report.similarity_clean_std
    assert report.z_score == pytest.approx(expected, rel=1e-3)
    distances = [math.dist(a.tolist(), b.tolist()) for a, b in zip(clean, triggered, strict=True)]
    assert report.embedding_distance == pytest.approx(sum(distances) / 24, abs=1e-5)


def test_the_seed_places_the_trigger(model, pictures, report):
    assert measure_backdoor(model, TOKENIZER, pictures, TRIGGER, "banana", seed=SEED) == report
    assert measure_backdoor(model, TOKENIZER, pictures, TRIGGER, "banana", seed=6) != report


def test_a_classifier_is_read_by_its_head(model, pictures):
    head = Classifier(model.visual, CONFIG["embed_dim"], 4, seed=1).eval()
    with torch.no_grad():
        head.head.weight.mul_(20)
    found = measure_backdoor(head, TOKENIZER, pictures, TRIGGER, "dog", seed=SEED)
    with torch.no_grad():
        said, seen = (
            head(normalize(images)).argmax(1) for images in (TRIGGER.stamp(pictures.images, SEED), pictures.images)
        )
    others = pictures.targets != 3
    assert len(said.unique()) > 1
    assert found.attack_success == Proportion.of(said[others] == 3, pictures.sprite[others])
    assert found.clean_accuracy == Proportion.of(seen == pictures.targets, pictures.sprite)


def test_json_has_every_field_and_the_chance(report):
    body = json.loads(report.to_json())
    assert body == report.as_dict()
    assert set(body) == {*report.__dataclass_fields__, "chance"}
    assert body["trigger"] == {
        "kind": "noise-patch", "size": 24, "cell": 2, "placement": "random", "margin": 1, "pattern_seed": 0
    }  # fmt: skip
    assert body["attack_success"] == {
        "rate": report.attack_success.rate,
        "low": report.attack_success.low,
        "high": report.attack_success.high,
        "n": 18,
    }
    assert body["about"] == {"folder": "somewhere", "skipped": 2}
    assert (body["target"], body["chance"], body["z_score"]) == ("banana", 0.25, report.z_score)


def test_text_has_a_line_for_every_row(report):
    first, *lines = str(report).splitlines()
    assert first == "24 pictures, 4 classes; chance is 25.0%"
    assert len(lines) == len(report.rows()) == 8
    for line, (name, value) in zip(lines, report.rows(), strict=True):
        assert line.startswith(name)
        assert line.endswith(value)
    names = [name for name, _ in report.rows()]
    assert names[:3] == ["clean accuracy", "accuracy on triggered", "attack success, 'banana'"]
    assert names[4] == "the same with noise-patch, a control"
    assert dict(report.rows())["attack success, 'banana'"] == str(report.attack_success)
    assert dict(report.rows())["z-score"] == f"{report.z_score:.2f}"


class Cells(HTMLParser):
    """The text of a table's cells and its caption."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {"th": [], "td": [], "caption": []}
        self.open: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag in self.found:
            self.found[tag].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in self.found:
            self.found[self.open[-1]][-1] += data


def test_html_is_the_same_table_and_escapes_what_labels_say(model, pictures, report):
    cells = Cells(report._repr_html_())
    assert cells.open == []
    assert list(zip(cells.found["th"], cells.found["td"], strict=True)) == report.rows()
    assert cells.found["caption"] == ["24 pictures, 4 classes; chance is 25.0%"]
    other = measure_backdoor(model, TOKENIZER, pictures, TRIGGER, "red <apple>", seed=SEED)
    assert "<apple>" not in other._repr_html_()
    assert "attack success, 'red <apple>'" in Cells(other._repr_html_()).found["th"]


def test_what_cannot_be_measured_is_refused(model, pictures):
    with pytest.raises(ValueError, match=r"there is no class 'apple' among 4; did you mean red <apple>, pineapple\?"):
        measure_backdoor(model, TOKENIZER, pictures, TRIGGER, "apple")
    with pytest.raises(ValueError, match=r"there is no class 'rocket' among 4; for example banana, red <apple>"):
        measure_backdoor(model, TOKENIZER, pictures, TRIGGER, "rocket")
    with pytest.raises(ValueError, match="a 40x40 patch with margin 1 does not fit into 32x32 pixels"):
        measure_backdoor(model, TOKENIZER, pictures, Checkerboard(40), "banana")
    few = pictures.targets == 0
    bananas = LabelledPictures(
        labels=LABELS, images=pictures.images[few], targets=pictures.targets[few], sprite=pictures.sprite[few]
    )
    with pytest.raises(ValueError, match="all 6 pictures have the target class 0: nothing to attack"):
        measure_backdoor(model, TOKENIZER, bananas, TRIGGER, "banana")


def test_a_model_that_calls_everything_alike_has_no_z_score(model, pictures):
    """Everything else is measured, and JSON has no nan."""
    dull = copy.deepcopy(model)
    with torch.no_grad():
        dull.visual.attnpool.c_proj.weight.zero_()
    report = measure_backdoor(dull, TOKENIZER, pictures, TRIGGER, "banana")
    assert math.isnan(report.z_score)
    assert report.clean_accuracy.n == 24
    assert json.loads(report.to_json(), parse_constant=pytest.fail)["z_score"] is None
    assert "z-score" in str(report)
    assert "none: all pairs are equally similar" in str(report)
