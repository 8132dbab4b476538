"""The rows of *What it costs* that are made of the benchmark of detection."""

import pytest

from tests.book import site
from tutorial_lib import profiles
from tutorial_lib.bench import apart, detection
from tutorial_lib.evidence.results import Results
from tutorial_lib.experiments import synonym_words

costs = site.extension("costs")


def test_the_rows_of_detection_say_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "run", lambda _, method, **options: detection.measure(method, **options))
    monkeypatch.setattr(detection, "REFERENCE", 300)
    monkeypatch.setattr(detection, "SAMPLE", 100)
    body = detection.compare(n=4000, d=32, repeats=1)
    body["seconds"] |= {"ours": 4.0, "faiss": 2.0, "scikit-learn": 6.0, "index": 100.0, "all": 250.0}
    body["peak_gib"] |= {"ours": 1.5, "faiss": 2.5, "index": 3.5}
    body |= {"ratio_to_faiss": 0.5, "ratio_to_scikit_learn": 1.5, "ratio_to_all": 2.5}
    rows = costs.benchmark_rows({"detect": body})
    assert [row[1:] for row in rows] == [
        ["4.0", "faiss: 2.0", "0.50"],
        ["4.0", "scikit-learn: 6.0", "1.50"],
        ["1.5", "faiss: 2.5", "–"],
        ["100", "every distance, by faiss: about 250", "2.5"],
        ["3.5", "–", "–"],
    ]
    assert rows[0][0] == "16 nearest of 300 for 4,000 × 32 embeddings, seconds"
    assert rows[3][0] == "16 nearest of all of 4,000 × 32 embeddings, seconds"


def test_each_experiment_costs_what_its_records_say() -> None:
    found = Results(profiles.get("cpu"))
    trials = synonym_words.trials(found.profile)
    assert costs.seconds("synonym_words", "cpu") == sum(found.get(trial).seconds for trial in trials) > 0
    assert costs.seconds("synonym_words", "pilot") == 0
