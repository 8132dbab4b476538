"""What a trial measured, and on what it ran: one small JSON object."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from tutorial_lib.trials.metrics import Metrics
from tutorial_lib.trials.schema import digest

#: Raised when records hold other things than before; `Record.from_json` says how older ones are read.
RECORD_SCHEMA = 3


class RecordError(ValueError):
    """A record is damaged, was edited by hand, or was written by a newer version of the code."""


@dataclass(frozen=True)
class Record:
    """What a trial measured, and on what it ran.

    Attributes:
        key: of the trial.
        trial: its canonical form.
        metrics: plain numbers.
        seconds: training and measuring.
        hardware: GPU, or CPU model and cores.
        versions: of the libraries that decide results.
        date: UTC, YYYY-MM-DD.
        schema: 1 lacks the measurements at the other placement and the pairs by similarity; up to 2, intervals of rates
            take pictures of one drawing for independent.

    Example:
        >>> Record.from_json("{}")
        Traceback (most recent call last):
        tutorial_lib.trials.record.RecordError: it is JSON, but not a record
    """

    key: str
    trial: dict[str, Any]
    metrics: Metrics
    seconds: float
    hardware: str
    versions: dict[str, str]
    date: str
    schema: int = RECORD_SCHEMA

    def to_json(self) -> str:
        """One line of JSON with a checksum."""
        body = asdict(self)
        return json.dumps(body | {"checksum": digest(body)}, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Record:
        """Read a record and check it.

        Raises:
            RecordError: says what is wrong with it.
        """
        try:
            body = json.loads(text)
        except json.JSONDecodeError as error:
            raise RecordError(f"it is not complete JSON ({error.msg} at character {error.pos})") from error
        if not isinstance(body, dict) or "trial" not in body:
            raise RecordError("it is JSON, but not a record")
        schema = body.setdefault("schema", 1)
        if schema > RECORD_SCHEMA:
            raise RecordError(
                f"its schema {schema} is newer than this version of the code ({RECORD_SCHEMA}): update it"
            )
        checksum = body.pop("checksum", None)
        if schema > 1 and checksum != digest(body):
            raise RecordError("its checksum does not match: it was damaged or edited by hand")
        try:
            record = cls(**body)
        except TypeError as error:
            raise RecordError(f"its fields do not match: {error}") from error
        if record.key != digest(record.trial):
            raise RecordError("its key does not match its trial")
        return record
