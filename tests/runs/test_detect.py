"""Detectors in a trial: they see all training pairs, and share the model with other trials."""

from dataclasses import replace

import pytest
import torch

from tests.runs.small import TINY, backdoored
from tutorial_lib import runs
from tutorial_lib.attacks import Backdoor
from tutorial_lib.attacks.together import Together
from tutorial_lib.data.pairs import POISON
from tutorial_lib.detect import DAO, KDistance, NearDuplicates, points_of
from tutorial_lib.detect.checkpoints import DECREE, ClassInversion, UniversalPatch
from tutorial_lib.detect.subject import Subject
from tutorial_lib.runs.detect import SHARES, SHOWN, audit, look, targets
from tutorial_lib.trials.store import RunStore

DETECTORS = (KDistance(), KDistance(k=4), DAO(normalise=True), NearDuplicates())


def test_rankings_are_of_all_pairs_under_the_trained_model(one_thread):
    outcome = runs.train_trial(backdoored(), progress=False)
    found = look(outcome, DETECTORS)
    assert list(found) == ["k-distance", "k-distance k=4", "dao normalise=True", "near-duplicates"]
    pairs = outcome.clean + outcome.poisons
    scores = KDistance().of_points(points_of(outcome.model, outcome.tokenizer, pairs))
    bad, good = scores[pairs.origin == POISON], scores[pairs.origin != POISON]
    right = (bad[:, None] > good).float().mean() + (bad[:, None] == good).float().mean() / 2
    assert found["k-distance"]["auroc"] == pytest.approx(float(right), abs=1e-6)
    first = scores.argsort(descending=True)[: round(0.1 * len(pairs))]
    assert found["k-distance"]["recall"]["0.1"] == int((pairs.origin[first] == POISON).sum()) / 24
    assert all(set(f["recall"]) == {f"{s:g}" for s in SHARES} and f["seconds"] >= 0 for f in found.values())


def test_trials_with_detectors_and_with_defenses_share_one_training(tmp_path):
    store = RunStore(tmp_path)
    seen = replace(backdoored(), detectors=DETECTORS)
    assert store.weights_of(seen) == store.weights_of(replace(backdoored(), detectors=DETECTORS[:1])) is not None
    assert store.weights_of(backdoored()) is None
    record = runs.run(seen, progress=False, weights=store.weights_of(seen))
    again = runs.train_trial(seen, progress=False, weights=store.weights_of(seen))
    assert again.history.samples_per_second == record.metrics["samples_per_second"]  # read, not trained
    assert record.trial["detectors"][1] == {
        "kind": "k-distance",
        "k": 4,
        "reference": 2048,
        "seed": 0,
        "normalise": False,
    }
    assert set(record.metrics["detection"]) == {d.label for d in DETECTORS}


def test_what_has_no_poisons_is_refused():
    with pytest.raises(ValueError, match="detectors look for poisons, and this trial has none"):
        runs.run(replace(TINY, detectors=DETECTORS), progress=False)
    with pytest.raises(ValueError, match="detectors of a trial has no effect where objective is 'supervised'"):
        replace(TINY, objective="supervised", detectors=DETECTORS)
    with pytest.raises(ValueError, match=r"differ from each other, and k-distance k=4 is there twice"):
        replace(TINY, detectors=(KDistance(k=4), KDistance(k=4)))
    with pytest.raises(ValueError, match="detectors of a trial must be detector settings, not 'dao'"):
        replace(TINY, detectors=("dao",))


def test_nobody_reads_where_a_pair_comes_from():
    """A detector scores the same whatever the pairs say of their origin."""
    outcome = runs.train_trial(backdoored(), progress=False)
    pairs = outcome.clean + outcome.poisons
    other = replace(pairs, origin=torch.zeros_like(pairs.origin))
    for detector in DETECTORS:
        scores = (detector.scores(outcome.model, outcome.tokenizer, p) for p in (pairs, other))
        assert torch.equal(*scores)


AUDITS = (UniversalPatch(grid=1, steps=2, batch=8), DECREE(steps=2, batch=8))


def test_audits_are_shown_what_an_audit_of_the_command_shows(one_thread):
    """Test pictures in the order of the seed, all labels of the task, and nothing of the attack."""
    outcome = runs.train_trial(backdoored(), progress=False)
    found = audit(outcome, AUDITS)
    order = torch.randperm(len(outcome.task.images), generator=torch.Generator().manual_seed(0))[:SHOWN]
    subject = Subject(outcome.model, outcome.tokenizer, outcome.task.images[order], labels=tuple(outcome.task.labels))
    for detector in AUDITS:
        finding = detector.detect(subject, known=())
        body = found[detector.label]
        assert body["score"] == pytest.approx(finding.score, abs=1e-6)
        assert body["target"] == (finding.target or "")
        assert body["named"] == int(finding.target == outcome.trial.attack.target)
        assert body["seconds"] >= 0


def test_models_with_and_without_poisons_are_audited_in_a_trial():
    both = (*AUDITS, KDistance())
    record = runs.run(replace(backdoored(), detectors=both), progress=False)
    assert set(record.metrics["audits"]) == {d.label for d in AUDITS}
    assert set(record.metrics["detection"]) == {"k-distance"}
    clean = runs.run(replace(TINY, detectors=AUDITS), progress=False)
    assert all(body["named"] == 0 for body in clean.metrics["audits"].values())
    assert "detection" not in clean.metrics
    assert clean.trial["detectors"][1]["kind"] == "decree"


def test_targets_of_backdoors_that_were_planted():
    one, other = Backdoor(8), Backdoor(8, target="cactus")
    assert targets(one) == {one.target}
    assert targets(Together((one, other))) == {one.target, "cactus"}
    assert targets(Backdoor(0)) == targets(None) == set()


def test_too_few_pictures_or_classes_for_a_detector_are_refused():
    outcome = runs.train_trial(backdoored(), progress=False)
    task = replace(outcome.task, images=outcome.task.images[:8])
    with pytest.raises(ValueError, match="class-inversion needs at least 32 pictures, and there are 8"):
        audit(replace(outcome, task=task), [ClassInversion()])
