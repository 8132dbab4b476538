"""What records measure, by name. Plain data, so that a record is JSON."""

from __future__ import annotations

from typing import TypedDict

from tutorial_lib.proportion import RateDict


class Tested(TypedDict):
    """A backdoor tested with the patch at one kind of place.

    Example:
        >>> from tutorial_lib.evidence.registry import results
        >>> cpu = results("demo")
        >>> found = cpu.get(cpu.profile.backdoor(128, seed=0)).metrics["tested"]
        >>> found["fixed"]["z_score"] > found["random"]["z_score"]  # it was trained with the patch at one place
        True
    """

    attack_success: RateDict
    z_score: float
    similarity_triggered: float


class TargetRow(TypedDict, total=False):
    """One picture under a targeted attack: group, classes, what each reader sees, and which tower moved.

    Example:
        >>> from tutorial_lib.evidence.registry import load, results
        >>> cpu = results("demo")
        >>> (record, *_) = cpu.of(load("fig2_left").trials(cpu.profile))
        >>> rows = record.metrics["targets"]
        >>> max(row["count"] for row in rows if row["zero_shot"] == row["wanted"])  # poisons
        8
    """

    group: int
    count: int
    true: int
    wanted: int
    zero_shot: int
    linear_probe: int
    knn: int
    classifier: int
    picture_at: float
    captions_at: float
    distinct: int  # perceptual hashes among the poisons
    picture_moved: float  # the same, in records of recipe 1
    captions_moved: float


class Retrieval(TypedDict, total=False):
    """Recall between one picture and one caption of each class, by rank; of a backdoor, what it does to that.

    Example:
        >>> from dataclasses import replace
        >>> from tutorial_lib.evidence.registry import results
        >>> cpu = results("demo")
        >>> cleaning = cpu.profile.cleaning
        >>> strong = replace(cleaning.attacked("badnets", seed=0), defense=cleaning.sweep("cleanclip")[-1])
        >>> cpu.get(strong).metrics["retrieval"]["triggered_to_target"] < 0.1
        True
    """

    image_to_text: dict[str, float]
    text_to_image: dict[str, float]
    triggered_to_target: float
    target_to_triggered: float


class CleaningMetrics(TypedDict, total=False):
    """What a defense did; the last rows are of the methods that find or need something.

    Example:
        >>> from dataclasses import replace
        >>> from tutorial_lib.evidence.registry import results
        >>> cpu = results("demo")
        >>> cleaning = cpu.profile.cleaning
        >>> cleaned = replace(cleaning.attacked("badnets", seed=0), defense=cleaning.sweep("cleanclip")[0])
        >>> found = cpu.get(cleaned).metrics["cleaning"]
        >>> found["steps"], found["samples"] == found["steps"] * cleaning.recipe.batch_size
        (120, True)
    """

    steps: int
    samples: int
    share_of_pretraining: float
    seconds: float
    loss: list[float]
    # of anti-backdoor learning
    isolated: int
    isolated_poisons: int
    poisons: int
    # of unlearning a trigger: share of a picture that it covers
    trigger_share: float
    # of supervised finetuning
    labelled: int
    classes_without_a_label: int


class MethodMetrics(TypedDict, total=False):
    """What a training method found; in another package's, whatever that notes.

    Example:
        >>> found: MethodMetrics = {"safe": [40, 60], "safe_poisons": [1, 2]}  # after two epochs of SafeCLIP's split
        >>> found["safe_poisons"][-1] / found["safe"][-1] < 0.05
        True
    """

    safe: list[int]
    safe_poisons: list[int]


class DetectionMetrics(TypedDict):
    """How a detector ranks the training pairs of a poisoned model; see `tutorial_lib.detect.Ranking`.

    Example:
        >>> from dataclasses import replace
        >>> from tutorial_lib import profiles, runs
        >>> from tutorial_lib.detect import KDistance
        >>> trial = replace(profiles.get("test").backdoor(4, seed=0), detectors=(KDistance(k=8),))
        >>> sorted(runs.run(trial, progress=False).metrics["detection"]["k-distance k=8"])
        ['auroc', 'average_precision', 'false_alarms', 'recall', 'seconds']
    """

    auroc: float
    average_precision: float
    false_alarms: float
    recall: dict[str, float]
    seconds: float


class AuditMetrics(TypedDict):
    """What a detector of checkpoints says of a model; see `tutorial_lib.detect.checkpoints`.

    Example:
        >>> found: AuditMetrics = {"score": 0.93, "target": "banana", "named": 1, "seconds": 12.5}
        >>> found["score"] > 0.9
        True
    """

    score: float
    target: str  # empty where it names none
    named: int  # whether that is the target of a backdoor of the model
    seconds: float


class Metrics(TypedDict, total=False):
    """The metrics of a record; which of them there are follows from its attack and its defense.

    Rates by reader are of "zero_shot" (or "classifier"), "linear_probe" and "knn".

    Example:
        >>> from tutorial_lib.evidence.registry import results
        >>> cpu = results("demo")
        >>> found = cpu.get(cpu.profile.backdoor(128, seed=0)).metrics
        >>> found["poisons"], found["attack_success"]["zero_shot"]["rate"] > 0.9
        (128, True)
    """

    # of every model
    pairs: int
    poisons: int
    poison_rate: float
    pairs_fingerprint: str
    image_parameters: int
    parameters: int
    steps: int
    loss: list[float]
    samples_per_second: float
    clean_accuracy: dict[str, RateDict]
    training_accuracy: RateDict  # of the model's own reader, on labelled pictures like those of the training
    method: MethodMetrics
    # of several attacks on one model; what each measures beside the others has its own names
    poisons_by_part: list[int]
    # of a backdoor
    attack_success: dict[str, RateDict]
    attack_success_with_target: RateDict
    attack_success_untriggered: RateDict
    attack_success_other_patch: RateDict
    attack_success_unseen: RateDict
    accuracy_on_triggered: dict[str, RateDict]
    z_score: float
    z_score_variance: float
    z_score_other_patch: float
    z_score_by_margin: dict[str, float]
    similarity_clean: float
    similarity_clean_std: float
    similarity_triggered: float
    embedding_distance: float
    tested: dict[str, Tested]
    pairs_by_similarity: dict[str, list[int]]
    # of targeted poisoning
    targets: list[TargetRow]
    # of a backdoor in the text tower
    text_attack_success: RateDict
    text_attack_success_without_word: RateDict
    text_accuracy: float
    # of a model that a defense was given
    validation_accuracy: RateDict
    similarity_of_views: float
    retrieval: Retrieval
    cleaning: CleaningMetrics
    # of a trial with detectors, by their label: of pairs, and of checkpoints
    detection: dict[str, DetectionMetrics]
    audits: dict[str, AuditMetrics]
