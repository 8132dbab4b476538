"""The classifier against its formula."""

import torch
import torch.nn.functional as F

from tests.models.small import classifier, coloured


def test_embeddings_and_scores_agree():
    images, _ = coloured(8)
    model = classifier().eval()
    x = images.float() / 255
    with torch.no_grad():
        by_hand = model.head(10 * F.normalize(model.visual(x), dim=-1))
        assert torch.allclose(model(x), by_hand, atol=1e-5)
