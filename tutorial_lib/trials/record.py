"""What a trial measured, and on what it ran: one small JSON object."""

from __future__ import annotations

import functools
import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

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
        except (ValueError, RecursionError) as error:  # a number of thousands of digits, or deep nesting
            raise RecordError(f"it is no JSON that a record would be ({' '.join(str(error).split())})") from error
        if not isinstance(body, dict) or "trial" not in body:
            raise RecordError("it is JSON, but not a record")
        schema = body.setdefault("schema", 1)
        if isinstance(schema, bool) or not isinstance(schema, int):
            raise RecordError(f"its schema is no number: {str(schema)[:40]!r}")
        if schema > RECORD_SCHEMA:
            raise RecordError(
                f"its schema {schema} is newer than this version of the code ({RECORD_SCHEMA}): update it"
            )
        checksum = body.pop("checksum", None)
        try:
            found, key = digest(body), digest(body["trial"])
        except (ValueError, RecursionError) as error:  # NaN, and nesting that could just be read
            raise RecordError(f"it holds what no record does: {error}") from error
        if schema > 1 and checksum != found:
            raise RecordError("its checksum does not match: it was damaged or edited by hand")
        try:
            record = cls(**body)
        except TypeError as error:
            raise RecordError(f"its fields do not match: {error}") from error
        record._require_types()
        if record.key != key:
            raise RecordError("its key does not match its trial")
        return record

    def _require_types(self) -> None:
        kinds: dict[str, Any] = {"dict": dict, "Metrics": dict, "str": str, "float": (int, float), "int": int}
        for f in fields(self):
            value = getattr(self, f.name)
            if not isinstance(value, kinds[str(f.type).partition("[")[0]]) or isinstance(value, bool):
                raise RecordError(f"its {f.name} has the wrong type: {str(value)[:40]!r}")
        hints = _hints(Metrics)
        for name, value in self.metrics.items():
            if name in hints and not _fits(value, hints[name]):
                raise RecordError(f"its metric {name} has the wrong type: {str(value)[:40]!r}")
        if not math.isfinite(self.seconds):
            raise RecordError(f"its seconds are no number: {self.seconds}")


_hints = functools.cache(get_type_hints)


def _fits(value: Any, hint: Any) -> bool:
    """Whether plain data is of a type: a number, a text, or lists and dictionaries of such."""
    if is_typeddict(hint):
        hints = _hints(hint)
        return isinstance(value, dict) and all(_fits(v, hints[k]) for k, v in value.items() if k in hints)
    if get_origin(hint) is dict:
        return isinstance(value, dict) and all(_fits(v, get_args(hint)[1]) for v in value.values())
    if get_origin(hint) is list:
        return isinstance(value, list) and all(_fits(v, get_args(hint)[0]) for v in value)
    kinds = (int, float) if hint in (int, float) else hint
    return isinstance(value, kinds) and not isinstance(value, bool)
