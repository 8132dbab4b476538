"""The family of detectors."""

import pytest

from tutorial_lib.detect import DETECTORS, Detector, PairSimilarity


def test_detectors_are_found_by_their_kind():
    assert DETECTORS["pair-similarity"] is PairSimilarity
    assert all(issubclass(cls, Detector) and cls.title for cls in DETECTORS.values())
    with pytest.raises(ValueError, match=r"there is no detector 'spectral'; choose from .*pair-similarity"):
        DETECTORS.find("spectral")
