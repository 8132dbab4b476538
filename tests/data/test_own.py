"""The user's own data, where there are none; with data, `tests/profiles/test_paper.py` trains on them."""

import pytest

from tutorial_lib import profiles
from tutorial_lib.runs import sources


def test_missing_data_says_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTORIAL_DATA", str(tmp_path))
    trial = profiles.get("paper").backdoor(75, 0)
    with pytest.raises(FileNotFoundError, match=r"no shards at .*cc3m/\*\.tar: put cc3m there"):
        sources.training_pairs(trial)
    photos = profiles.get("photos").backdoor(64, 0)
    with pytest.raises(
        FileNotFoundError, match=r"no shards at .*cifar100/\*\.tar: tutorial data photos cifar100 SOURCE"
    ):
        sources.training_pairs(photos)
    with pytest.raises(FileNotFoundError, match=r"no ImageNet at .*imagenet/val"):
        sources.zero_shot_task(trial)
