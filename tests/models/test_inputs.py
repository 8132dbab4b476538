"""Pictures as models take them, against torchvision."""

from dataclasses import replace

import open_clip
import pytest
import torch
from torchvision.transforms import v2

from tests.training.small import CONFIG, PAIRS, RECIPE, TOKENIZER
from tutorial_lib import evaluate, models
from tutorial_lib.defenses import AntiBackdoor
from tutorial_lib.models import Classifier
from tutorial_lib.models.inputs import MEAN, STD, Preprocessing, normalize, preprocessing_of
from tutorial_lib.training import loop
from tutorial_lib.training.supervised import train_classifier
from tutorial_lib.training.views import train_with_views
from tutorial_lib.trials import Material, Recipe


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_normalize_is_open_clips() -> None:
    images = torch.randint(0, 256, (3, 3, 5, 7), dtype=torch.uint8, generator=seeded(0))
    reference = v2.Compose(
        [
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(open_clip.constants.OPENAI_DATASET_MEAN, open_clip.constants.OPENAI_DATASET_STD),
        ]
    )
    torch.testing.assert_close(normalize(images), reference(images))
    assert (MEAN, STD) == (open_clip.constants.OPENAI_DATASET_MEAN, open_clip.constants.OPENAI_DATASET_STD)


def test_normalize_takes_a_models_own_values() -> None:
    images = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8, generator=seeded(1))
    own = Preprocessing((0.5, 0.25, 0.0), (1.0, 0.5, 2.0))
    found = normalize(images, own)
    for channel, (mean, std) in enumerate(zip(own.mean, own.std, strict=True)):
        torch.testing.assert_close(found[:, channel], (images[:, channel] / 255 - mean) / std)


def before(images: torch.Tensor, preprocessing: object = None) -> torch.Tensor:
    """What `normalize` was before models had values of their own."""
    mean = torch.tensor((0.48145466, 0.4578275, 0.40821073)).view(1, 3, 1, 1)
    std = torch.tensor((0.26862954, 0.26130258, 0.27577711)).view(1, 3, 1, 1)
    return (images.float() / 255 - mean) / std


def test_the_courses_models_compute_the_same_up_to_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    gentle = replace(RECIPE, lr=RECIPE.lr / 10)  # a trained model: large steps would enlarge what rounding does

    def computed() -> tuple[torch.Tensor, list[float]]:
        model, tokenizer = models.load(models.CHECKPOINTS / "clean")
        embeddings = evaluate.embed_images(model, PAIRS.images)
        history = loop.train(model, tokenizer, PAIRS, gentle, device="cpu", progress=False)
        return embeddings, history.loss

    embeddings, loss = computed()
    monkeypatch.setattr(evaluate, "normalize", before)
    monkeypatch.setattr(loop, "normalize", before)
    again, curve = computed()
    torch.testing.assert_close(embeddings, again)
    assert loss == pytest.approx(curve, rel=1e-3)


def with_mean(mean: list[float], std: list[float]) -> open_clip.CLIP:
    return models.build(CONFIG | {"preprocess_cfg": {"mean": mean, "std": std}}, TOKENIZER)


def test_every_way_to_a_tower_takes_the_models_own_values() -> None:
    """A tower with half the mean and std sees, from these pictures, what another sees from changed ones."""
    images = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8, generator=seeded(2))
    own, plain = with_mean([0.5] * 3, [0.25] * 3), models.build(CONFIG, TOKENIZER)
    seen: list[torch.Tensor] = []
    for model in (own, plain):
        model.eval()
        model.visual.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    expected = (images / 255 - 0.5) / 0.25
    evaluate.embed_images(own, images)
    torch.testing.assert_close(seen.pop(), expected)
    evaluate.embed_images(plain, images)
    torch.testing.assert_close(seen.pop(), before(images))
    head = Classifier(own.visual, CONFIG["embed_dim"], 2)
    evaluate.embed_images(head, images)
    torch.testing.assert_close(seen.pop(), expected)
    whole = (1.0, 1.0)
    views = loop.random_views(own, images, torch.arange(8), torch.device("cpu"), seeded(0), whole)
    other = loop.random_views(plain, images, torch.arange(8), torch.device("cpu"), seeded(0), whole)
    torch.testing.assert_close(views.mean((0, 2, 3)), expected.mean((0, 2, 3)), rtol=0.02, atol=0.02)
    assert not torch.allclose(views, other)


def test_training_sees_the_models_own_values(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    own = loop.normalize

    def noted(images: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
        asked.append(preprocessing.mean)
        return own(images, preprocessing)

    monkeypatch.setattr(loop, "normalize", noted)
    recipe = Recipe(epochs=1, batch_size=16)
    options = {"device": "cpu", "progress": False}
    loop.train(with_mean([0.5] * 3, [0.25] * 3), TOKENIZER, PAIRS, recipe, **options)
    train_with_views(with_mean([0.4] * 3, [0.25] * 3), TOKENIZER, PAIRS, recipe, **options)
    head = Classifier(with_mean([0.3] * 3, [0.25] * 3).visual, CONFIG["embed_dim"], 4)
    train_classifier(head, PAIRS.images, PAIRS.concept, recipe, **options)
    material = Material(PAIRS, None, 4, PAIRS)
    AntiBackdoor(recipe, isolate=0.2).clean(with_mean([0.2] * 3, [0.25] * 3), TOKENIZER, material, device="cpu")
    assert [mean[0] for mean in dict.fromkeys(asked)] == [0.5, 0.4, 0.3, 0.2]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "preprocess_cfg is an object"),
        ({"mean": 0.5}, "mean of pictures is three numbers, not 0.5"),
        ({"mean": [0.5, 0.5]}, "mean of pictures is three numbers"),
        ({"mean": [0.5, 0.5, float("nan")]}, "mean of pictures is three numbers"),
        ({"mean": [0.5, 0.5, "0.5"]}, "mean of pictures is three numbers"),
        ({"std": [0.5, 0.5, -1]}, "std of pictures is three positive numbers"),
        ({"interpolation": "lanczos"}, "interpolation is one of bicubic, bilinear, nearest, not 'lanczos'"),
        ({"interpolation": ["bicubic"]}, "interpolation is one of"),
        ({"resize_mode": "stretch"}, "resize_mode is one of shortest, longest, squash, not 'stretch'"),
        ({"mode": "L"}, "pictures are RGB here, not 'L'"),
    ],
)
def test_what_is_no_preprocessing_is_said(body: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Preprocessing.of_config(body)


def test_open_clips_own_models_are_read_with_their_values() -> None:
    model = models.build(CONFIG, TOKENIZER)
    open_clip.model.set_model_preprocess_cfg(model, {"mean": (0.1, 0.2, 0.3), "std": (1, 1, 1), "size": 32})
    assert preprocessing_of(model) == Preprocessing((0.1, 0.2, 0.3), (1, 1, 1))
