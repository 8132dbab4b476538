"""The family of detectors."""

import pytest

from tutorial_lib.detect import DETECTORS, Detector, KDistance, PairSimilarity
from tutorial_lib.detect.checkpoints import CHECKPOINT_DETECTORS, DECREE
from tutorial_lib.trials import AnyDetector, Trial


def test_detectors_are_found_by_their_kind():
    assert DETECTORS["pair-similarity"] is PairSimilarity
    assert all(issubclass(cls, Detector) and cls.title for cls in DETECTORS.values())
    with pytest.raises(ValueError, match=r"there is no detector 'spectral'; choose from .*pair-similarity"):
        DETECTORS.find("spectral")


def test_detectors_of_pairs_and_of_checkpoints_have_names_and_stand_in_trials():
    both = (KDistance(k=4), DECREE(steps=5))
    assert [d.label for d in both] == ["k-distance k=4", "decree steps=5"]
    assert all(issubclass(cls, AnyDetector) for cls in (*DETECTORS.values(), *CHECKPOINT_DETECTORS.values()))
    assert not any(issubclass(cls, Detector) for cls in CHECKPOINT_DETECTORS.values())
    body = Trial(detectors=both).as_dict()["detectors"]
    assert [found["kind"] for found in body] == ["k-distance", "decree"]
    assert Trial(detectors=both).shares
