"""Above which score a detector calls a model backdoored, and where that number comes from.

Thresholds are the open problem: a method that ranks models well may call all of them clean at its own threshold. A
calibration is measured on clean and backdoored models of one kind, and it holds for that kind and these settings only.
Without one, what the detector's paper says is taken, if it says anything; its error rates here are not known.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

#: The committed calibrations.
#:
#: :meta hide-value:
CALIBRATIONS = Path(__file__).resolve().parent / "calibrations.json"


@dataclass(frozen=True)
class Threshold:
    """A number above which a model is called backdoored.

    Attributes:
        value: of the detector's score.
        source: "calibrated" on models of this kind, or "published" by the detector's authors.
        said: where it comes from, in words.
        false_alarm_rate: share of clean models above it, `None` where nobody has measured it.
        detection_rate: share of backdoored models above it.
        clean, backdoored: models that the rates were measured on.

    Example:
        >>> Threshold(0.9, "published", "a mask below a tenth of the picture").false_alarm_rate is None
        True
    """

    value: float
    source: Literal["calibrated", "published"]
    said: str
    false_alarm_rate: float | None = None
    detection_rate: float | None = None
    clean: int = 0
    backdoored: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def __str__(self) -> str:
        if self.source == "published":
            return f"{self.value:g} ({self.said}; its error rates on models of this kind are not known)"
        alarms = 0 if self.false_alarm_rate is None else round(self.false_alarm_rate * self.clean)
        hits = 0 if self.detection_rate is None else round(self.detection_rate * self.backdoored)
        return (
            f"{self.value:.4g} ({self.said}: of {self.clean} clean models {alarms} are above it, of {self.backdoored} "
            f"backdoored ones {hits})"
        )


@dataclass(frozen=True)
class Calibration:
    """What was measured of a detector, or of all of an audit together, on models of one kind.

    Attributes:
        detector: kind and settings as `tutorial_lib.trials.schema.as_dict` gives them; of an audit `{"kind": "audit",
            "detectors": […]}`, and the threshold has no meaning.
        side: of the models' pictures, in pixels.
        parameters: of the smallest and the largest model.
        classes: fewest and most that the target was looked for among; without labels a detector has none.
        threshold: above which a model is called backdoored.
        false_alarm_rate: share of the clean models above it that were not used to choose it.
        detection_rate: the same of backdoored models.
        clean, backdoored: how many models these were.
        about: which models, for a person.

    Raises:
        ValueError: a rate is none, there are no models, or a range has its ends the wrong way round.

    Example:
        >>> body = {"kind": "decree", "seed": 0}
        >>> known = Calibration(body, 32, (10**6, 3 * 10**6), (50, 400), 0.9, 0.025, 0.8, 40, 80, "tiny-rn")
        >>> known.fits(body, side=32, parameters=2_000_000, classes=100)
        True
        >>> known.fits(body, side=224, parameters=2_000_000, classes=100)
        False
    """

    detector: Mapping[str, Any]
    side: int
    parameters: tuple[int, int]
    classes: tuple[int, int]
    threshold: float
    false_alarm_rate: float
    detection_rate: float
    clean: int
    backdoored: int
    about: str

    def __post_init__(self) -> None:
        for name in ("false_alarm_rate", "detection_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share of models, from 0 to 1, not {getattr(self, name)}")
        for name in ("clean", "backdoored"):
            if getattr(self, name) < 1:
                raise ValueError(f"a calibration needs {name} models, and has {getattr(self, name)}")
        for name in ("parameters", "classes"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} go from the fewest to the most, not from {low} to {high}")

    def fits(self, detector: Mapping[str, Any], *, side: int, parameters: int, classes: int) -> bool:
        """Whether it says something about this detector at a model of this kind."""
        return (
            dict(self.detector) == dict(detector)
            and self.side == side
            and self.parameters[0] <= parameters <= self.parameters[1]
            and self.classes[0] <= classes <= self.classes[1]
        )

    def as_threshold(self) -> Threshold:
        """The threshold with its rates."""
        return Threshold(
            self.threshold,
            "calibrated",
            f"calibrated on {self.about}",
            self.false_alarm_rate,
            self.detection_rate,
            self.clean,
            self.backdoored,
        )


def read_calibrations(path: Path | None = None) -> list[Calibration]:
    """The calibrations of a file.

    Args:
        path: by default the committed ones.

    Raises:
        ValueError: the file holds something else.

    Example:
        >>> all(known.clean > 0 for known in read_calibrations())
        True
    """
    path = path or CALIBRATIONS
    try:
        body = json.loads(path.read_text("utf-8"))
        ranges = ("parameters", "classes")
        plain: list[dict[str, Any]] = [{k: tuple(v) if k in ranges else v for k, v in entry.items()} for entry in body]
        return [Calibration(**entry) for entry in plain]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} holds no calibrations: {error}") from error


def write_calibrations(path: Path, known: Iterable[Calibration]) -> None:
    """Write calibrations to a file that `read_calibrations` reads.

    Example:
        >>> made = Calibration({"kind": "decree"}, 32, (1, 9), (0, 9), 0.9, 0.0, 1.0, 4, 8, "a few models")
        >>> write_calibrations(Path("known.json"), [made])
        >>> read_calibrations(Path("known.json")) == [made]
        True
    """
    body = [asdict(entry) for entry in known]
    path.write_text(json.dumps(body, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")


def calibrated(
    detector: Mapping[str, Any],
    *,
    side: int,
    parameters: int,
    classes: int,
    known: Sequence[Calibration] | None = None,
) -> Calibration | None:
    """What is known of a detector, or of an audit, at a model of this kind; `None` where nothing is.

    Args:
        detector: kind and settings.
        side, parameters, classes: of the model and of what it is asked.
        known: calibrations, by default the committed ones.

    Example:
        >>> calibrated({"kind": "nobody"}, side=32, parameters=1, classes=100) is None
        True
    """
    entries = read_calibrations() if known is None else known
    fitting = (k for k in entries if k.fits(detector, side=side, parameters=parameters, classes=classes))
    return next(fitting, None)


def threshold_for(clean: Sequence[float], *, false_alarms: float = 0.05) -> float:
    """The lowest score of a clean model above which at most that share of the clean models lies.

    A rate measured on the same models is too low: measure it on others.

    Args:
        clean: scores of clean models.
        false_alarms: share of them that may lie above.

    Raises:
        ValueError: there are no scores, or `false_alarms` is not in [0, 1).

    Example:
        >>> threshold_for([0.1, 0.2, 0.3, 0.9], false_alarms=0.25)
        0.3
    """
    if not clean or not 0 <= false_alarms < 1:
        raise ValueError(
            f"scores of clean models and a share in [0, 1) are needed, not {len(clean)} and {false_alarms}"
        )
    above = math.floor(false_alarms * len(clean) + 1e-9)
    return sorted(clean)[len(clean) - 1 - above]
