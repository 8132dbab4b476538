"""Shrink and perturb: linear, seeded, and never the logit scale."""

import pytest
import torch

from tests.defenses.small import fresh
from tutorial_lib.defenses.shrink_and_perturb import shrink_and_perturb


def test_shrink_and_perturb_is_linear_and_seeded(backdoored):
    model = fresh(backdoored)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    shrink_and_perturb(model, 0.5, 0.0, 0)
    for name, p in model.named_parameters():
        factor = 1.0 if name == "logit_scale" else 0.5
        assert torch.allclose(p, factor * before[name]), name
    noisy = [fresh(backdoored) for _ in range(2)]
    for m in noisy:
        shrink_and_perturb(m, 1.0, 0.01, 4)
    a, b = (m.visual.state_dict()["conv1.weight"] for m in noisy)
    assert torch.equal(a, b)
    assert (a - before["visual.conv1.weight"]).std() == pytest.approx(0.01, rel=0.2)
