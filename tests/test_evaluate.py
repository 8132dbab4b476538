"""Measures against the formula, the loop or the library that defines them."""

import math

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F

from tutorial_lib import evaluate, models
from tutorial_lib.evaluate import (
    LinearProbe,
    attack_success_rate,
    knn_predict,
    linear_cka,
    pixel_nearest_neighbour,
    recall_at,
)
from tutorial_lib.models.inputs import normalize
from tutorial_lib.models.tokenizer import FULL_VOCAB, Tokenizer
from tutorial_lib.proportion import Proportion

CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16},
    "text_cfg": {"context_length": 12, "vocab_size": FULL_VOCAB, "width": 32, "heads": 2, "layers": 1},
}
LABELS = ["dog", "cat", "red apple"]
PROMPTS = [lambda c: f"a photo of a {c}.", lambda c: f"my {c}!", lambda c: c]
TOKENIZER = Tokenizer.for_texts([p(c) for p in PROMPTS for c in LABELS], context_length=12)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def unit(n: int, d: int, seed: int) -> torch.Tensor:
    return F.normalize(torch.randn(n, d, generator=seeded(seed), dtype=torch.float64), dim=1)


@pytest.fixture(scope="module")
def model() -> open_clip.CLIP:
    return models.build(CONFIG, TOKENIZER, seed=1)


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 30), (30, 30), (7, 30), (500, 1000), (3, 20000)])
def test_proportion_has_the_wilson_interval(k: int, n: int) -> None:
    z, p = 1.959963984540054, k / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    found = Proportion.of(torch.arange(n) < k)
    assert (found.rate, found.n) == (p, n)
    assert found.low == pytest.approx(max(0.0, centre - half), abs=1e-9)
    assert found.high == pytest.approx(min(1.0, centre + half), abs=1e-9)


def test_a_proportion_reads_well_and_a_rate_over_nothing_is_refused() -> None:
    assert str(Proportion.of(torch.tensor([[True, False], [False, False]]))) == "25.0% [4.6%, 69.9%] of 4"
    with pytest.raises(ValueError, match="a rate over no pictures is undefined"):
        Proportion.of(torch.zeros(0, dtype=torch.bool))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("include_target", [False, True])
def test_attack_success_is_the_loop(seed: int, include_target: bool) -> None:
    labels = torch.randint(0, 4, (200,), generator=seeded(seed))
    predictions = torch.randint(0, 4, (200,), generator=seeded(seed + 10))
    counted = hits = 0
    for true, predicted in zip(labels.tolist(), predictions.tolist(), strict=True):
        if true != 2 or include_target:
            counted += 1
            hits += predicted == 2
    found = attack_success_rate(predictions, labels, 2, include_target=include_target)
    assert (found.rate, found.n) == (hits / counted, counted)


def test_a_perfect_model_has_no_attack_success() -> None:
    labels = torch.tensor([0, 1, 2, 2, 2])
    assert attack_success_rate(labels, labels, 2).rate == 0
    assert attack_success_rate(labels, labels, 2, include_target=True).rate == 0.6
    with pytest.raises(ValueError, match="all 3 pictures have the target class 2: nothing to attack"):
        attack_success_rate(labels[2:], labels[2:], 2)


def test_image_embeddings_are_the_models_whatever_the_batch(model) -> None:
    images = torch.randint(0, 256, (11, 3, 32, 32), dtype=torch.uint8, generator=seeded(0))
    model.train()  # and back to evaluation, or batch statistics would leak
    embeddings = evaluate.embed_images(model, images)
    assert not model.training
    with torch.no_grad():
        torch.testing.assert_close(embeddings, F.normalize(model.encode_image(normalize(images)), dim=1))
    torch.testing.assert_close(evaluate.embed_images(model, images, batch_size=4), embeddings)
    assert not embeddings.requires_grad


def test_text_embeddings_and_classifier_are_means_over_prompts(model) -> None:
    classifier = evaluate.zero_shot_classifier(model, TOKENIZER, LABELS, PROMPTS)
    assert classifier.shape == (16, 3)
    for column, label in enumerate(LABELS):
        texts = [prompt(label) for prompt in PROMPTS]
        embedded = evaluate.embed_texts(model, TOKENIZER, texts, batch_size=2)
        with torch.no_grad():
            torch.testing.assert_close(embedded, F.normalize(model.encode_text(TOKENIZER(texts)), dim=1))
        torch.testing.assert_close(classifier[:, column], F.normalize(embedded.mean(0), dim=0))


def test_predict_picks_the_most_similar_class() -> None:
    embeddings = F.normalize(torch.randn(50, 6, generator=seeded(1)), dim=1)
    classifier = F.normalize(torch.randn(6, 9, generator=seeded(2)), dim=0)
    e, c = embeddings.numpy(), classifier.numpy()
    slow = [max(range(9), key=lambda k: float(np.dot(e[i], c[:, k]))) for i in range(50)]
    assert evaluate.predict(embeddings, classifier).tolist() == slow
    assert evaluate.accuracy(torch.tensor([1, 2, 3, 3]), torch.tensor([1, 2, 0, 3])).rate == 0.75


def test_linear_probe_minimises_the_penalised_cross_entropy() -> None:
    embeddings = F.normalize(torch.randn(120, 5, generator=seeded(3)) + F.one_hot(torch.arange(120) % 3, 5), dim=1)
    labels = torch.arange(120) % 3
    weight = torch.zeros(3, 5, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=500, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        logits = embeddings.double() @ weight.T + bias
        value = 10.0 * F.cross_entropy(logits, labels, reduction="sum") + weight.square().sum() / 2
        value.backward()
        return value

    optimizer.step(loss)
    queries = F.normalize(torch.randn(400, 5, generator=seeded(4)), dim=1)
    logits = queries.double() @ weight.detach().T + bias.detach()
    top = logits.topk(2, dim=1).values
    clear = top[:, 0] - top[:, 1] > 0.05
    predictions = LinearProbe(embeddings, labels).predict(queries)
    assert clear.sum() > 300
    assert torch.equal(predictions[clear], logits.argmax(1)[clear])
    names = LinearProbe(embeddings, labels * 7 + 4).predict(queries)  # classes need not be 0, 1, 2
    assert torch.equal(names, predictions * 7 + 4)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_knn_is_the_loop(k: int) -> None:
    points = F.normalize(torch.randn(60, 4, generator=seeded(5)), dim=1)
    labels = torch.randint(0, 6, (60,), generator=seeded(6))
    queries = F.normalize(torch.randn(80, 4, generator=seeded(7)), dim=1)
    slow = []
    for query in queries.numpy():
        similarity = [float(np.dot(query, p)) for p in points.numpy()]
        nearest = sorted(range(60), key=lambda i: -similarity[i])[:k]
        votes: dict[int, list[float]] = {}
        for i in nearest:
            votes.setdefault(int(labels[i]), []).append(similarity[i])
        slow.append(max(votes, key=lambda c: (len(votes[c]), sum(votes[c]))))
    assert knn_predict(points, labels, queries, k=k).tolist() == slow


def test_more_neighbours_than_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="k is 5, and only 3 labelled pictures are given"):
        knn_predict(torch.eye(3), torch.arange(3), torch.eye(3))


def test_pixel_nearest_neighbour_is_the_loop() -> None:
    train = torch.randint(0, 256, (40, 3, 6, 6), dtype=torch.uint8, generator=seeded(8))
    labels = torch.randint(0, 9, (40,), generator=seeded(9))
    noise = torch.randint(-60, 61, (30, 3, 6, 6), generator=seeded(10))
    images = torch.cat([(train[:30].int() + noise).clamp(0, 255).to(torch.uint8), train[35:]])
    slow = []
    for image in images.numpy().astype(int):
        distance = [int(((image - other) ** 2).sum()) for other in train.numpy().astype(int)]
        slow.append(int(labels[distance.index(min(distance))]))
    assert pixel_nearest_neighbour(train, labels, images).tolist() == slow


def test_recall_counts_own_keys_among_the_first():
    keys = torch.eye(4)
    queries = torch.tensor([[1.0, 0, 0, 0], [0.9, 0.5, 0, 0], [0.9, 0.8, 0.5, 0], [0.9, 0.8, 0.7, 0.1]])
    assert [recall_at(queries, keys, k) for k in (1, 2, 3, 4)] == [0.25, 0.5, 0.75, 1.0]
    with pytest.raises(ValueError, match="same shape"):
        recall_at(queries, keys[:2], 1)


def test_cka_ignores_rotation_and_scale_and_nothing_else():
    x = unit(50, 8, 0)
    turn = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64))[0]
    assert linear_cka(x, 3 * x @ turn + 1) == pytest.approx(1)
    assert linear_cka(x, unit(50, 8, 2)) < 0.5
    a, b = (v - v.mean(0) for v in (x.numpy(), unit(50, 8, 2).numpy()))
    k, m = a @ a.T, b @ b.T
    assert linear_cka(x, unit(50, 8, 2)) == pytest.approx((k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum()))
    with pytest.raises(ValueError, match="at least 2, not 1 and 1"):
        linear_cka(x[:1], x[:1])
